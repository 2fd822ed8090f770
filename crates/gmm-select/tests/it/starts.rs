//! Several starts: independent, nested, all kept.

use std::ops::ControlFlow;
use std::sync::Mutex;

use gmm_core::CovarianceType;
use gmm_core::faer::Mat;
use gmm_em::{
    ConjugatePrior, Em, Initialization, Regularization, Report, Rescue, Stop, derived_seed,
};
use gmm_select::{Error, MultiStart};
use gmm_testkit::{data, same_for_any_number_of_threads};

/// A table with several optima: seven components for four overlapping groups.
fn rugged() -> (Mat<f64>, Em) {
    let x = data::overlapping(2, 250, 2, 4).x;
    let em = Em::new(7).initialization(Initialization::KMeansPlusPlus);
    (x, em.max_iterations(200))
}

#[test]
fn start_i_is_the_same_whatever_their_number() {
    let (x, em) = rugged();
    let many = MultiStart::new(em.clone().seed(5), 9).run(&x).unwrap();
    assert_eq!(many.starts().len(), 9);
    for n in 1..9 {
        let few = MultiStart::new(em.clone().seed(5), n).run(&x).unwrap();
        assert_eq!(few.starts(), &many.starts()[..n]);
    }
    for (i, start) in many.starts().iter().enumerate() {
        assert_eq!(start.seed, derived_seed(5, i as u64));
        // A start is a plain fit with its seed, up to where it is given up.
        let alone = em.clone().seed(start.seed).fit(&x).unwrap();
        let report = start.report.as_ref().unwrap();
        if start.given_up {
            assert!(i > 0 && report.n_iterations >= 50);
            assert_eq!(report.trace, alone.report().trace[..report.trace.len()]);
            assert!(alone.report().log_likelihood < many.best().report().log_likelihood);
        } else {
            assert_eq!(report, alone.report());
        }
    }
    let best = em
        .seed(many.starts()[many.best_start()].seed)
        .fit(&x)
        .unwrap();
    assert_eq!(many.best(), &best);
    assert_eq!(many.into_best(), best);
}

#[test]
fn more_starts_never_give_a_worse_result() {
    let (x, em) = rugged();
    let mut largest_gain = 0.0f64;
    for form in CovarianceType::ALL {
        let em = em.clone().covariance(form);
        let mut previous = (false, f64::NEG_INFINITY);
        let mut first = f64::NAN;
        for n in 1..=12 {
            let starts = MultiStart::new(em.clone(), n).run(&x).unwrap();
            let report = starts.best().report();
            let now = (report.n_singular == 0, report.log_likelihood);
            // A regular fit is better than a singular one; among equals the likelihood decides.
            assert!(now >= previous, "{form} {n}");
            previous = now;
            first = if n == 1 { now.1 } else { first };
        }
        largest_gain = largest_gain.max(previous.1 - first);
    }
    assert!(
        largest_gain > 1.0,
        "these data should have several optima: {largest_gain}"
    );
}

/// Two groups and a heap of equal rows: two components fit either both groups or the heap.
fn groups_and_heap() -> Mat<f64> {
    let groups = data::separated(3, 120, 1, 2).x;
    Mat::from_fn(150, 1, |i, _| if i < 120 { groups[(i, 0)] } else { 22.0 })
}

/// The best is a regular fit even where a singular one has a higher likelihood.
#[test]
fn a_heap_of_equal_rows_does_not_win() {
    let x = groups_and_heap();
    let em = Em::new(2).initialization(Initialization::KMeansPlusPlus);
    let starts = MultiStart::new(em, 40).run(&x).unwrap();
    let reports = || starts.starts().iter().map(|s| s.report.as_ref().unwrap());
    let best = |is_singular: bool| {
        reports()
            .filter(|r| (r.n_singular > 0) == is_singular)
            .map(|r| r.log_likelihood)
            .fold(f64::NEG_INFINITY, f64::max)
    };
    assert!(best(false).is_finite() && best(true) > best(false));
    assert_eq!(starts.best().report().n_singular, 0);
    assert_eq!(starts.best().report().log_likelihood, best(false));
    let n_agreeing = reports()
        .filter(|r| r.n_singular == 0 && best(false) - r.log_likelihood <= 1e-2)
        .count();
    assert_eq!(starts.n_agreeing(), n_agreeing);
}

/// Where every start is singular the best of those is kept.
#[test]
fn a_singular_fit_is_better_than_none() {
    let x = Mat::from_fn(
        50,
        1,
        |i, _| {
            if i < 25 { 0.0 } else { (i as f64).sin() + 20.0 }
        },
    );
    let starts = MultiStart::new(Em::new(2), 3).run(&x).unwrap();
    assert_eq!(starts.best().report().n_singular, 1);
    assert_eq!(starts.n_agreeing(), 3);
}

#[test]
fn groups_that_lie_far_apart_are_found_by_every_start() {
    let x = data::separated(4, 300, 2, 3).x;
    let starts = MultiStart::new(Em::new(3), 6).run(&x).unwrap();
    assert_eq!(starts.n_agreeing(), 6);
    // The first of equals.
    let best = starts.best().report().log_likelihood;
    let first =
        (starts.starts().iter()).position(|s| s.report.as_ref().unwrap().log_likelihood == best);
    assert_eq!(first, Some(starts.best_start()));
}

#[test]
fn failed_starts_are_kept_and_the_first_reason_is_told() {
    // Without help a component on the equal rows collapses; whether one gets there depends on the start.
    let x = groups_and_heap();
    let em = Em::new(2)
        .initialization(Initialization::KMeansPlusPlus)
        .regularization(Regularization::None)
        .rescue(Rescue::Fail);
    let starts = MultiStart::new(em, 40).run(&x).unwrap();
    let n_failed = starts.starts().iter().filter(|s| s.report.is_err()).count();
    assert!((1..40).contains(&n_failed), "{n_failed} of 40 failed");
    assert!(starts.starts()[starts.best_start()].report.is_ok());
    assert!(starts.n_agreeing() <= 40 - n_failed);
    let too_many = MultiStart::new(Em::new(151), 3).run(&x);
    assert_eq!(
        too_many,
        Err(Error::Fit(gmm_em::Error::TooFewRows {
            found: 150,
            n_components: 151
        }))
    );
    assert_eq!(
        MultiStart::new(Em::new(1), 0).run(&x),
        Err(Error::NoCandidates)
    );
}

#[test]
fn under_a_prior_the_best_start_is_that_of_the_highest_posterior() {
    let objective = |r: &Report| *r.objective.last().unwrap();
    let em = Em::new(5)
        .initialization(Initialization::KMeansPlusPlus)
        .regularization(Regularization::Prior(ConjugatePrior::default()));
    let mut n_that_differ = 0;
    for seed in 0..10 {
        let x = data::overlapping(seed, 60, 2, 3).x;
        let starts = MultiStart::new(em.clone(), 10).run(&x).unwrap();
        let best = starts.best().report();
        for report in starts.starts().iter().map(|s| s.report.as_ref().unwrap()) {
            assert!(objective(report) <= objective(best));
            n_that_differ += usize::from(report.log_likelihood > best.log_likelihood);
        }
    }
    // The test has a point: there are starts of a higher likelihood.
    assert!(n_that_differ > 0);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (x, em) = rugged();
    same_for_any_number_of_threads(|| MultiStart::new(em.clone(), 7).run(&x).unwrap());
}

#[test]
fn a_watcher_may_stop_single_starts() {
    let (x, em) = rugged();
    let seen = Mutex::new(vec![0usize; 5]);
    let starts = MultiStart::new(em, 5)
        .run_watched(&x, &|start, progress| {
            seen.lock().unwrap()[start] = progress.iteration;
            // Start 2 is stopped after three iterations, the others go on.
            if start == 2 && progress.iteration == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    let seen = seen.into_inner().unwrap();
    for (i, start) in starts.starts().iter().enumerate() {
        let report = start.report.as_ref().unwrap();
        let is_stopped = report.stop == Stop::Interrupted && !start.given_up;
        assert_eq!(is_stopped, i == 2, "{i}");
        assert_eq!(report.n_iterations, seen[i], "{i}");
    }
    assert_eq!(seen[2], 3);
}

/// Of many rows starts are compared on a part, and those that were the best of their time go on with all: still more starts never give a
/// worse result, whatever the number of threads.
#[test]
fn many_rows_are_looked_at_in_part_first() {
    let x = data::overlapping(6, 20_000, 2, 6).x;
    let em = Em::new(6).initialization(Initialization::KMeansPlusPlus);
    let mut previous = f64::NEG_INFINITY;
    for n in 2..=5 {
        let starts = MultiStart::new(em.clone(), n).run(&x).unwrap();
        let report = starts.best().report();
        assert_eq!(report.n_samples, 20_000);
        assert!(report.log_likelihood >= previous, "{n}");
        previous = report.log_likelihood;
        let rows = |s: &gmm_select::StartOutcome| s.report.as_ref().unwrap().n_samples;
        assert_eq!(rows(&starts.starts()[0]), 20_000);
        assert!(
            starts
                .starts()
                .iter()
                .all(|s| [6000, 20_000].contains(&rows(s)))
        );
    }
    let three = MultiStart::new(em.clone(), 3);
    let (threaded, _) = same_for_any_number_of_threads(|| {
        let starts = three.run(&x).unwrap();
        let bits = starts.best().report().log_likelihood.to_bits().to_string();
        (starts, bits)
    });
    assert_eq!(threaded, three.run(&x).unwrap());
    // A cell that is no number is found wherever it is.
    for row in [0, 7777, 19_999] {
        let mut bad = x.clone();
        bad[(row, 1)] = f64::NAN;
        let error = three.run(&bad).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("row {row}, column 1 is NaN")),
            "{error}"
        );
    }
}

/// More results than any memory holds are refused before the first is computed.
#[test]
fn absurd_numbers_are_refused_at_once() {
    let x = data::separated(31, 30, 2, 2).x;
    let em = gmm_em::Em::new(1);
    let model = em.fit(&x).unwrap().into_model();
    for n in [1 << 55, usize::MAX / 512, usize::MAX] {
        let message = format!(
            "the results of {n} replicates or starts do not fit into memory; ask for fewer"
        );
        let refused = |error: Error| assert_eq!(error.to_string(), message);
        refused(MultiStart::new(em.clone(), n).run(&x).unwrap_err());
        let bootstrap = gmm_select::Bootstrap::new(em.clone(), n);
        refused(bootstrap.run(&model, &x).unwrap_err());
        let test = gmm_select::ComponentTest::new(em.clone(), 1, n);
        refused(test.run(&x, [1]).unwrap_err());
        let search = gmm_select::Search::over([1]).starts(n);
        refused(
            search
                .covariances([CovarianceType::Full])
                .run(&x)
                .unwrap_err(),
        );
    }
}
