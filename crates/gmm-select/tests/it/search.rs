//! A search: every candidate an outcome, whatever happens to the others.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Initialization, Stop};
use gmm_select::{Criterion, Error, MultiStart, Note, Scores, Search, SearchProgress};
use gmm_testkit::{data, same_for_any_number_of_threads};

use crate::cell;

#[test]
fn every_combination_is_a_candidate_in_order() {
    let x = data::separated(1, 60, 2, 2).x;
    // Repetitions count once.
    let search = Search::over([3, 1, 2, 3]).covariances([
        CovarianceType::Tied,
        CovarianceType::Full,
        CovarianceType::Tied,
    ]);
    assert_eq!(search.n_candidates(), 6);
    let selection = search.starts(2).run(&x).unwrap();
    let found: Vec<_> = (selection.candidates().iter())
        .map(|c| (c.covariance, c.n_components))
        .collect();
    let (tied, full) = (CovarianceType::Tied, CovarianceType::Full);
    assert_eq!(
        found,
        [
            (tied, 1),
            (tied, 2),
            (tied, 3),
            (full, 1),
            (full, 2),
            (full, 3)
        ]
    );
    assert_eq!(Search::over(1..=9).n_candidates(), 36);
}

#[test]
fn candidates_are_what_several_starts_of_their_settings_are() {
    let x = data::overlapping(2, 200, 2, 3).x;
    // A search that is told how to start leaves candidates alone.
    let em =
        (Em::new(1).seed(11).max_iterations(50)).initialization(Initialization::KMeansPlusPlus);
    let search = Search::over(1..=4)
        .starts(5)
        .em(em.clone())
        .by(Criterion::IclEntropy);
    let selection = search.run(&x).unwrap();
    assert_eq!(selection.criterion(), Criterion::IclEntropy);
    for candidate in selection.candidates() {
        let fitted = candidate.fitted.as_ref().unwrap();
        let k = candidate.n_components;
        // One component has one optimum, so it gets one start.
        let n_starts = if k == 1 { 1 } else { 5 };
        let em = em.clone().components(k).covariance(candidate.covariance);
        let starts = MultiStart::new(em, n_starts).run(&x).unwrap();
        assert_eq!(fitted.starts, starts);
        let scores = Scores::new(starts.best().model(), &x).unwrap();
        assert_eq!(fitted.scores, scores);
        assert_eq!(fitted.model(), starts.best().model());
        assert_eq!(
            selection.value(candidate),
            Some(Criterion::IclEntropy.value(&scores))
        );
    }
}

#[test]
fn the_ranking_is_by_the_criterion() {
    let x = data::overlapping(3, 300, 2, 3).x;
    for criterion in Criterion::ALL {
        let selection = Search::over(1..=4).starts(3).by(criterion).run(&x).unwrap();
        let values: Vec<f64> = (selection.ranked())
            .filter(|c| !c.fitted.as_ref().unwrap().is_singular())
            .map(|c| selection.value(c).unwrap())
            .collect();
        // Names of one model, whose values differ by rounding, stand in the order they were asked for.
        let rises = |a: &f64, b: &f64| a - b <= 1e-9 * a.abs();
        assert!(values.is_sorted_by(rises), "{criterion}: {values:?}");
        assert_eq!(
            selection.value(selection.best_candidate()),
            values.first().copied()
        );
        assert_eq!(selection.best_fitted().model(), selection.best());
        assert_eq!(selection.ranked().count(), selection.candidates().len());
        let best = selection.best().clone();
        assert_eq!(selection.into_best(), best);
    }
}

/// Of one feature full, diagonal and spherical covariances are one model, of one component the tied one too: the same value, and no
/// note that the data could not decide between them.
#[test]
fn forms_that_are_one_model_have_one_value() {
    let x = data::separated(4, 80, 1, 2).x;
    for k in [1, 2] {
        let selection = Search::over([k]).run(&x).unwrap();
        let value = |form| selection.value(cell(&selection, k, form)).unwrap();
        let full = value(CovarianceType::Full);
        for form in [CovarianceType::Diag, CovarianceType::Spherical] {
            // They compute the same variances in different orders, and stop at the same place.
            assert!((value(form) - full).abs() <= 1e-9, "{form} {k}");
        }
        let has_rival = (selection.notes().iter()).any(
            |n| matches!(n, Note::Close { covariance, .. } if *covariance != CovarianceType::Tied),
        );
        assert!(!has_rival, "{selection}");
        // Named as it was asked for first, and another model is second.
        let chosen = selection.best_candidate().covariance;
        assert!([CovarianceType::Full, CovarianceType::Tied].contains(&chosen));
        let second = selection.runner_up().map(|c| c.covariance);
        assert_eq!(
            second,
            (k == 2).then_some(match chosen {
                CovarianceType::Tied => CovarianceType::Full,
                _ => CovarianceType::Tied,
            })
        );
        if k == 1 {
            assert!((value(CovarianceType::Tied) - full).abs() <= 1e-9);
            assert_eq!(selection.notes(), []);
        }
    }
}

/// More components than rows are failures in the table; the rest of it is complete.
#[test]
fn a_failed_candidate_does_not_end_the_search() {
    let x = data::separated(5, 20, 1, 2).x;
    let search = Search::over([1, 2, 20, 21, usize::MAX]).starts(2);
    let selection = search.run(&x).unwrap();
    for candidate in selection.candidates() {
        let k = candidate.n_components;
        match &candidate.fitted {
            Ok(_) => assert!(k <= 20),
            Err(error) => {
                let expected = gmm_em::Error::TooFewRows {
                    found: 20,
                    n_components: k,
                };
                assert_eq!(error, &Error::Fit(expected));
                assert_eq!(selection.value(candidate), None);
            }
        }
    }
    assert_eq!(selection.ranked().count(), 3 * 4);
    assert_eq!(selection.best().n_components(), 2);
}

#[test]
fn messages() {
    let x = data::separated(6, 10, 2, 1).x;
    let message = |search: Search| search.run(&x).unwrap_err().to_string();
    let nothing = "the search has no candidates; give at least one number of components, one covariance form and one start";
    assert_eq!(message(Search::over([])), nothing);
    assert_eq!(message(Search::over(1..=3).covariances([])), nothing);
    assert_eq!(message(Search::over(1..=3).starts(0)), nothing);
    assert_eq!(
        "best".parse::<Criterion>().unwrap_err().to_string(),
        "unknown criterion; known are bic, aic, aicc, caic, sabic, icl-entropy, icl-classification, nec and cv"
    );
    // Where no candidate can be fitted, the first one's reason is the search's.
    assert_eq!(
        message(Search::over([11, 12])),
        "10 rows for 11 components; give at least one row per component"
    );
    assert_eq!(
        message(Search::over([0])),
        "the number of components is 0; ask for at least one"
    );
    let mut bad = x.clone();
    bad[(7, 1)] = f64::NAN;
    assert_eq!(
        Search::over(1..=2).run(&bad).unwrap_err().to_string(),
        "row 7, column 1 is NaN (counted from 0); every cell must be a finite number, so remove the row or fill the cell"
    );
    assert_eq!(
        Search::over(1..=2)
            .run(&Mat::<f64>::zeros(0, 2))
            .unwrap_err()
            .to_string(),
        "the data have no rows; at least one row is needed"
    );
    let weights = [0.0; 10];
    let weightless = Samples::from(&x).with_weights(&weights);
    assert_eq!(
        Search::over(1..=2).run(weightless).unwrap_err().to_string(),
        "all sample weights are zero; at least one row needs a positive weight"
    );
    assert_eq!(
        Error::from(gmm_core::Error::NoWeight).to_string(),
        "all sample weights are zero; at least one row needs a positive weight"
    );
}

#[test]
fn the_number_of_threads_changes_nothing() {
    // Rows for several blocks, candidates that fail, fits that are singular.
    let set = data::overlapping(7, 700, 2, 3);
    let x = Mat::from_fn(720, 2, |i, j| if i < 700 { set.x[(i, j)] } else { 40.0 });
    let (selection, _) = same_for_any_number_of_threads(|| {
        let selection = Search::over([1, 2, 3, 4, 721]).starts(3).run(&x).unwrap();
        let text = selection.to_string();
        (selection, text)
    });
    assert!(selection.notes().len() >= 2, "{selection}");
}

#[test]
fn sample_weights_are_rows_given_more_than_once() {
    let set = data::separated(8, 90, 2, 3);
    let weights: Vec<f64> = (0..90).map(|i| f64::from(1 + i % 2)).collect();
    let repeated: Vec<usize> = (0..90)
        .flat_map(|i| vec![i as usize; 1 + (i % 2) as usize])
        .collect();
    let twice = Mat::from_fn(repeated.len(), 2, |i, j| set.x[(repeated[i], j)]);
    let search = Search::over(1..=4).starts(4);
    let weighted = search
        .run(Samples::from(&set.x).with_weights(&weights))
        .unwrap();
    let repeated = search.run(&twice).unwrap();
    assert_eq!(weighted.best_candidate().n_components, 3);
    let (a, b) = (weighted.best_candidate(), repeated.best_candidate());
    assert_eq!(
        (a.n_components, a.covariance),
        (b.n_components, b.covariance)
    );
    let (a, b) = (weighted.value(a).unwrap(), repeated.value(b).unwrap());
    // Both stop within a thousandth of a nat of the maximum, 2e-3 of BIC.
    assert!((a - b).abs() <= 4e-3, "{a} {b}");
}

#[test]
fn a_watcher_sees_every_candidate() {
    let x = data::overlapping(9, 150, 2, 2).x;
    let search = Search::over(1..=3).starts(2);
    let seen = Mutex::new(BTreeSet::new());
    let n_done = AtomicUsize::new(0);
    let selection = search
        .run_watched(&x, &|progress| {
            match progress {
                SearchProgress::Iteration {
                    n_components,
                    covariance,
                    start,
                    ..
                } => {
                    seen.lock()
                        .unwrap()
                        .insert((covariance, n_components, start));
                }
                SearchProgress::Done { n_steps } => {
                    assert_eq!(n_steps, 48);
                    n_done.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected: BTreeSet<_> = (CovarianceType::BASIC.into_iter())
        .flat_map(|form| {
            [
                (form, 1, 0),
                (form, 2, 0),
                (form, 2, 1),
                (form, 3, 0),
                (form, 3, 1),
            ]
        })
        .collect();
    // Beside their own starts they have some from their neighbours.
    assert!(seen.into_inner().unwrap().is_superset(&expected));
    assert_eq!(n_done.into_inner(), 48);
    // Watching changes nothing.
    assert_eq!(selection, search.run(&x).unwrap());
}

/// A watcher that stops all fits after their first iteration gets a table of what they reached.
#[test]
fn a_watcher_may_stop_everything() {
    let x = data::overlapping(10, 150, 2, 3).x;
    let search = Search::over(2..=4).starts(2);
    let selection = search
        .run_watched(&x, &|progress| match progress {
            SearchProgress::Iteration { progress, .. } if progress.iteration >= 1 => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    for candidate in selection.candidates() {
        let fitted = candidate.fitted.as_ref().unwrap();
        for start in fitted.starts.starts() {
            let report = start.report.as_ref().unwrap();
            assert_eq!((report.stop, report.n_iterations), (Stop::Interrupted, 1));
        }
        assert!(selection.value(candidate).unwrap().is_finite());
    }
}

/// Stopped before anything began there is nothing to choose from, and the reason says so.
#[test]
fn a_search_that_is_stopped_at_once_has_no_model() {
    let x = data::separated(11, 30, 1, 1).x;
    let n_calls = AtomicUsize::new(0);
    let stopped = Search::over(1..=3).starts(4).run_watched(&x, &|_| {
        n_calls.fetch_add(1, Ordering::Relaxed);
        ControlFlow::Break(())
    });
    assert_eq!(stopped, Err(Error::Fit(gmm_em::Error::Interrupted)));
    // Once per path of a form, per start and per piece of work: 4 forms of 1 + 4 + 4 starts and of 3 candidates with 4 pieces each.
    assert_eq!(n_calls.into_inner(), 4 + 4 * 9 + 4 * 12);
}

/// Candidates that are stopped before they begin are failures beside those that were done.
#[test]
fn what_was_done_before_the_stop_is_kept() {
    let x = data::separated(12, 60, 2, 2).x;
    let selection = Search::over(1..=4)
        .covariances([CovarianceType::Full])
        .starts(2)
        .run_watched(&x, &|progress| match progress {
            SearchProgress::Iteration { n_components, .. } if n_components > 2 => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    for k in 1..=4 {
        let fitted = &cell(&selection, k, CovarianceType::Full).fitted;
        if k <= 2 {
            assert!(fitted.as_ref().unwrap().starts.best().report().converged());
        } else {
            assert_eq!(fitted, &Err(Error::Fit(gmm_em::Error::Interrupted)));
        }
    }
    assert_eq!(selection.notes(), [Note::Failed { n_candidates: 2 }]);
    assert_eq!(selection.best_candidate().n_components, 2);
}

/// A search of many rows ends with fits of all rows; candidates that are far behind may be left unfinished, and the notes say so.
#[test]
fn a_search_of_many_rows_sees_all_of_them() {
    let x = data::separated(13, 15_000, 2, 3).x;
    let search = Search::over(1..=5).covariances([CovarianceType::Full, CovarianceType::Vei]);
    let selection = search.run(&x).unwrap();
    assert_eq!(selection.best_candidate().n_components, 3);
    let mut n_unfinished = 0;
    for candidate in selection.candidates() {
        let starts = &candidate.fitted.as_ref().unwrap().starts;
        assert_eq!(starts.best().report().n_samples, 15_000);
        n_unfinished += usize::from(starts.starts()[starts.best_start()].given_up);
    }
    let told = selection.notes().into_iter().find_map(|note| match note {
        Note::Unfinished { n_candidates } => Some(n_candidates),
        _ => None,
    });
    assert_eq!(told.unwrap_or(0), n_unfinished);
    // What was chosen was fitted to the end: a fit of its own from there gains nothing.
    let best = selection.best_fitted();
    assert!(best.starts.best().report().converged());
    let em = Em::new(3).covariance(selection.best().covariance_type());
    let again = em
        .fit_from(&x, gmm_em::Start::Mixture(selection.best()))
        .unwrap();
    let gain = again.report().log_likelihood - best.scores.log_likelihood;
    assert!(gain.abs() < 1e-2, "{gain}");
}

/// Fits in two parts take as many iterations as they may and no more, and only those have converged that were not left on the way.
#[test]
fn a_limit_of_iterations_holds_for_both_parts_of_a_fit() {
    let x = data::overlapping(5, 15_000, 2, 3).x;
    for limit in [5, 12, 14, 40] {
        let search = Search::over(1..=5)
            .covariances([CovarianceType::Full, CovarianceType::Spherical])
            .em(Em::new(1).max_iterations(limit));
        let selection = search.run(&x).unwrap();
        let mut n_unfinished = 0;
        for candidate in selection.candidates() {
            let starts = &candidate.fitted.as_ref().unwrap().starts;
            let (report, given_up) = (
                starts.best().report(),
                starts.starts()[starts.best_start()].given_up,
            );
            let place = format!(
                "{limit} {} {}",
                candidate.covariance, candidate.n_components
            );
            assert!(report.n_iterations <= limit, "{place}");
            // From a mixture on the first entry is its own.
            assert_eq!(report.objective.len(), report.n_iterations + 1, "{place}");
            match report.stop {
                Stop::MaxIterations => assert!(given_up || report.n_iterations == limit, "{place}"),
                Stop::Interrupted => assert!(given_up, "{place}"),
                _ => assert!(!given_up, "{place}"),
            }
            n_unfinished += usize::from(given_up);
        }
        // Few iterations are all that there are; with more, some candidates are left.
        assert_eq!(n_unfinished > 0, limit > 12, "{limit}");
        let best = &selection.best_fitted().starts;
        assert!(!best.starts()[best.best_start()].given_up);
    }
}
