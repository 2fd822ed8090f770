//! Watching, stopping, seeds and starts.

use std::ops::ControlFlow;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Proportions};
use gmm_em::{
    Acceleration, Em, Event, Initialization, NoiseVolume, Start, Stop, Stopping, derived_seed,
};
use gmm_testkit::data;

#[test]
fn a_watcher_sees_every_iteration_and_may_stop() {
    let x = data::overlapping(1, 400, 2, 3).x;
    let mut seen = Vec::new();
    let fit = Em::new(3)
        .fit_watched(&x, &mut |progress| {
            seen.push((progress.iteration, progress.log_likelihood));
            if progress.iteration == 4 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!(fit.report().stop, Stop::Interrupted);
    // While the start was made it was asked, too, when nothing was known yet.
    let n_before = seen.iter().take_while(|s| s.0 == 0).count();
    let before: Vec<(usize, f64)> = seen.drain(..n_before).collect();
    assert!(n_before > 0 && before.iter().all(|s| s.1.is_nan()));
    assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(
        seen.iter().map(|s| s.1).collect::<Vec<_>>(),
        fit.report().trace
    );
    // The model is usable: its likelihood is the last one seen.
    let likelihood = fit.model().log_likelihood(&x).unwrap();
    assert!((likelihood - seen[3].1).abs() <= 1e-11 * likelihood.abs());
}

#[test]
fn no_iterations_return_the_start() {
    let x = data::overlapping(2, 200, 2, 2).x;
    let start = Em::new(2).max_iterations(5).fit(&x).unwrap();
    let fit = Em::new(2)
        .max_iterations(0)
        .fit_from(&x, Start::Mixture(start.model()))
        .unwrap();
    assert_eq!(fit.model(), start.model());
    assert_eq!(
        (fit.report().stop, fit.report().n_iterations),
        (Stop::MaxIterations, 0)
    );
    assert!(
        fit.report()
            .to_string()
            .starts_with("not converged within 0 iterations, mean log-likelihood ")
    );
}

#[test]
fn a_fit_can_be_continued() {
    let x = data::overlapping(3, 300, 2, 3).x;
    let em = Em::new(3).stopping(Stopping::RelativeChange(0.0));
    let whole = em.clone().max_iterations(12).fit(&x).unwrap();
    let first = em.clone().max_iterations(5).fit(&x).unwrap();
    let second = em
        .max_iterations(7)
        .fit_from(&x, Start::Mixture(first.model()))
        .unwrap();
    let (a, b) = (
        whole.report().log_likelihood,
        second.report().log_likelihood,
    );
    // Parameters go once through the coordinates of the data.
    assert!((a - b).abs() <= 1e-11 * a.abs(), "{a} {b}");
}

#[test]
fn seeds_are_independent_of_the_number_of_starts() {
    assert_eq!(derived_seed(7, 0), 7);
    let seeds: Vec<u64> = (0..1000).map(|i| derived_seed(7, i)).collect();
    let mut unique = seeds.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 1000);
    // The same for ever: a change of these numbers changes every user's results.
    assert_eq!(seeds[1], 6_951_516_134_914_417_455);
}

#[test]
fn the_same_seed_gives_the_same_fit_and_others_other_starts() {
    let x = data::overlapping(4, 300, 2, 5).x;
    for start in Initialization::ALL {
        let em = Em::new(5).initialization(start).max_iterations(1);
        let fit = |seed| {
            em.clone()
                .seed(seed)
                .fit(&x)
                .unwrap()
                .report()
                .log_likelihood
        };
        assert_eq!(fit(1).to_bits(), fit(1).to_bits());
        // Of a small table a hierarchy takes all rows.
        assert!(
            start == Initialization::Hierarchical
                || (2..12).any(|seed| (fit(seed) - fit(1)).abs() > 1e-6),
            "{start:?}"
        );
    }
}

#[test]
fn kmeans_plus_plus_covers_far_groups() {
    // Three far groups, one centre each: greedy seeding finds them for nearly every seed.
    let x = data::separated(5, 300, 2, 3).x;
    let best = Em::new(3).fit(&x).unwrap().report().log_likelihood;
    let hits = (0..200)
        .filter(|seed| {
            let em = Em::new(3)
                .initialization(Initialization::KMeansPlusPlus)
                .seed(*seed);
            (em.fit(&x).unwrap().report().log_likelihood - best).abs() < 0.1
        })
        .count();
    assert!(hits >= 198, "{hits} of 200");
}

#[test]
fn components_come_heaviest_first() {
    let x = data::unbalanced(6, 500, 2, 3, 20.0).x;
    for form in CovarianceType::ALL {
        let fit = Em::new(3).covariance(form).fit(&x).unwrap();
        assert!(
            fit.model().weights().is_sorted_by(|a, b| a >= b),
            "{:?}",
            fit.model().weights()
        );
    }
}

#[test]
fn reports_say_what_happened() {
    let x = data::separated(7, 200, 2, 2).x;
    let fit = Em::new(2).fit(&x).unwrap();
    let report = fit.report();
    let expected = format!(
        "converged after {} iterations, mean log-likelihood {:.4}, no repairs",
        report.n_iterations,
        report.mean_log_likelihood()
    );
    assert_eq!(report.to_string(), expected);
}

/// Two parts of a fit are one: the same iterations, one entry of the objective for each, the events of both in order.
#[test]
fn a_fit_in_two_parts_has_one_report() {
    let x = data::overlapping(3, 400, 2, 3).x;
    let em = Em::new(3).stopping(Stopping::MeanChange(0.0));
    let start = em.clone().max_iterations(3).fit(&x).unwrap();
    let whole = em.clone().max_iterations(12);
    let whole = whole.fit_from(&x, Start::Mixture(start.model())).unwrap();
    let first = em.clone().max_iterations(5);
    let first = first.fit_from(&x, Start::Mixture(start.model())).unwrap();
    let second = em.max_iterations(7);
    let second = second.fit_from(&x, Start::Mixture(first.model())).unwrap();
    let joined = second.going_on_from(first.report());
    let (joined, whole) = (joined.report(), whole.report());
    assert_eq!(joined.n_iterations, whole.n_iterations);
    // The first model of the second part is evaluated anew.
    assert_eq!(joined.n_passes, whole.n_passes + 1);
    assert_eq!(joined.stop, whole.stop);
    assert_eq!([joined.trace.len(), joined.objective.len()], [13, 13]);
    for (one, other) in joined.objective.iter().zip(&whole.objective) {
        // Models between are rounded once more, from and to the frame.
        assert!((one - other).abs() <= 1e-9 * other.abs(), "{one} {other}");
    }
    // A component held at the floor is an event of the iteration at which that began.
    let x = Mat::from_fn(40, 1, |i, _| if i < 20 { 3.0 } else { i as f64 });
    let em = Em::new(2).stopping(Stopping::MeanChange(0.0));
    let first = em.clone().max_iterations(30).fit(&x).unwrap();
    assert!(!first.report().events.is_empty());
    let again = em.fit_from(&x, Start::Mixture(first.model())).unwrap();
    let own = again.report().events.clone();
    let joined = again.going_on_from(first.report());
    let (before, after) = joined.report().events.split_at(first.report().events.len());
    assert_eq!(before, first.report().events);
    assert_eq!(after.len(), own.len());
    assert!(matches!(own[..], [Event::Floored { .. }, ..]));
    for (joined, own) in after.iter().zip(&own) {
        if let (Event::Floored { iteration: a, .. }, Event::Floored { iteration: b, .. }) =
            (joined, own)
        {
            assert_eq!(*a, b + first.report().n_iterations);
        }
    }
}

/// Passes that a fit needs until less than a thousandth of a nat is left, plain and accelerated, on overlapping groups.
#[test]
fn acceleration_saves_passes_where_components_overlap() {
    let (mut plain, mut fast) = (0, 0);
    for seed in 0..8 {
        let x = data::overlapping(seed, 1000, 2, 5).x;
        let em = Em::new(5).seed(seed).max_iterations(20_000);
        let a = em.clone().fit(&x).unwrap();
        let b = em
            .acceleration(Acceleration::OverRelaxation)
            .fit(&x)
            .unwrap();
        assert!(a.report().converged() && b.report().converged());
        assert!(b.report().objective.is_sorted());
        assert!(b.report().n_passes >= b.report().n_iterations);
        plain += a.report().n_passes;
        fast += b.report().n_passes;
    }
    eprintln!("passes: {plain} plain, {fast} accelerated");
    assert!(
        fast * 10 < plain * 7,
        "{fast} accelerated passes, {plain} plain ones"
    );
}

#[test]
fn settings_are_as_they_were_asked_for() {
    let plain = Em::new(3);
    assert_eq!((plain.n_components(), plain.base_seed()), (3, 0));
    assert_eq!(plain.covariance_type(), CovarianceType::Full);
    assert_eq!(plain.chosen_proportions(), Proportions::Free);
    assert_eq!(plain.chosen_noise(), None);
    assert_eq!(plain.chosen_initialization(), None);
    assert_eq!(plain.iteration_limit(), 1000);
    let em = plain
        .components(4)
        .seed(7)
        .covariance(CovarianceType::Vei)
        .proportions(Proportions::Equal)
        .noise(NoiseVolume::Box)
        .initialization(Initialization::KMeans)
        .max_iterations(17);
    assert_eq!((em.n_components(), em.base_seed()), (4, 7));
    assert_eq!(em.covariance_type(), CovarianceType::Vei);
    assert_eq!(em.chosen_proportions(), Proportions::Equal);
    assert_eq!(em.chosen_noise(), Some(NoiseVolume::Box));
    assert_eq!(em.chosen_initialization(), Some(Initialization::KMeans));
    assert_eq!(em.iteration_limit(), 17);
}

/// One pass per M-step and one for the end; one more only where means are rounded at a size that the likelihood would see.
#[test]
fn passes_are_counted() {
    let x = data::overlapping(4, 300, 2, 2).x;
    for (offset, extra) in [(0.0, 1), (1e13, 2)] {
        let x = gmm_core::faer::Mat::from_fn(300, 2, |i, j| x[(i, j)] + offset);
        let start = Em::new(2).max_iterations(2).fit(&x).unwrap().into_model();
        let fit = Em::new(2)
            .max_iterations(5)
            .stopping(Stopping::RemainingGain(0.0))
            .fit_from(&x, Start::Mixture(&start))
            .unwrap();
        let report = fit.report();
        assert_eq!(report.n_passes, report.n_iterations + extra, "{offset}");
        let mean = report.log_likelihood / 300.0;
        assert!((report.mean_log_likelihood() - mean).abs() <= 1e-14 * mean.abs());
    }
}

#[test]
fn starts_have_the_names_that_are_written() {
    let names = Initialization::ALL.map(Initialization::name);
    let expected = [
        "split",
        "hierarchical",
        "kmeans",
        "kmeans++",
        "random-from-data",
        "random",
    ];
    assert_eq!(names, expected);
}
