//! Searches that need more than a fit of each candidate: by normalized entropy and by cross-validation.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Initialization};
use gmm_select::{Criterion, Error, Folds, Note, Scores, Search, SearchProgress, cross_validate};
use gmm_testkit::{data, same_for_any_number_of_threads};

use crate::cell;

/// The criterion of each candidate is the definition's, from the candidate and from one component of its form.
#[test]
fn normalized_entropy_compares_each_form_with_one_component_of_it() {
    let x = data::separated(3, 300, 2, 3).x;
    let search = Search::over(2..=5).by(Criterion::Nec);
    let selection = search.run(&x).unwrap();
    for candidate in selection.candidates() {
        let em = Em::new(1).covariance(candidate.covariance);
        let one = Scores::new(em.fit(&x).unwrap().model(), &x).unwrap();
        let fitted = candidate.fitted.as_ref().unwrap();
        let gain = fitted.scores.log_likelihood - one.log_likelihood;
        assert!(gain > 0.0);
        let expected = fitted.scores.entropy / gain;
        // One component is fitted by one M-step: the same bits.
        assert_eq!(selection.value(candidate), Some(expected));
    }
    // One group is one, and nothing says how clear it is: 1 by convention, and more groups than there are lie above or near it.
    let one = Search::over(1..=1).by(Criterion::Nec).run(&x).unwrap();
    assert_eq!(one.value(one.best_candidate()), Some(1.0));
}

/// With one start of a kind per candidate there is nothing to share, and the folds' fits are those of a cross-validation alone.
#[test]
fn a_search_by_cross_validation_is_a_cross_validation_of_each_candidate() {
    let x = data::overlapping(4, 240, 2, 3).x;
    let weights: Vec<f64> = (0..240).map(|i| f64::from(i % 3)).collect();
    let samples = Samples::from(&x).with_weights(&weights);
    let em = Em::new(1).initialization(Initialization::KMeans).seed(9);
    let folds = Folds::of_rows_at_random(240, 4, 11).unwrap();
    let search = Search::over(1..=3)
        .covariances([CovarianceType::Full, CovarianceType::Diag])
        .starts(1)
        .em(em.clone())
        .folds(folds.clone())
        .by(Criterion::CrossValidation);
    let selection = search.run(samples).unwrap();
    for candidate in selection.candidates() {
        let em = (em.clone().components(candidate.n_components)).covariance(candidate.covariance);
        let expected = cross_validate(&em, 1, samples, &folds).unwrap();
        let fitted = candidate.fitted.as_ref().unwrap();
        assert_eq!(fitted.cross_validation.as_ref(), Some(&expected));
        let total: f64 = weights.iter().sum();
        let value = selection.value(candidate).unwrap();
        // One product of three numbers, in another order.
        assert!((value + 2.0 * total * expected.mean).abs() <= 1e-14 * value.abs());
    }
    same_for_any_number_of_threads(|| search.run(samples).unwrap());
}

/// More components than there are groups always fit better, and predict worse.
#[test]
fn cross_validation_finds_the_number_of_groups() {
    let x = data::separated(5, 240, 2, 3).x;
    let search = Search::over(1..=6).covariances([CovarianceType::Full]);
    let selection = search.by(Criterion::CrossValidation).run(&x).unwrap();
    assert_eq!(selection.best().n_components(), 3);
    let held_out = |k| {
        let candidate = cell(&selection, k, CovarianceType::Full);
        candidate.fitted.as_ref().unwrap().scores.held_out.unwrap()
    };
    // Two groups for three lose the entropy of a split and the spread between two centres: whole nats per row.
    assert!(
        held_out(3) > held_out(2) + 0.5,
        "{} {}",
        held_out(3),
        held_out(2)
    );
    assert!(held_out(3) > held_out(6));
    let folds = &selection
        .best_fitted()
        .cross_validation
        .as_ref()
        .unwrap()
        .folds;
    assert_eq!(folds.len(), 5);
    assert!(folds.iter().all(|f| f.weight == 48.0));
}

/// Folds may come with any criterion.
#[test]
fn folds_do_not_change_what_another_criterion_says() {
    let x = data::separated(6, 120, 1, 2).x;
    let search = Search::over(1..=3);
    let folds = Folds::of_rows_at_random(120, 3, 0).unwrap();
    let (plain, with_folds) = (
        search.run(&x).unwrap(),
        search.clone().folds(folds).run(&x).unwrap(),
    );
    assert_eq!(plain.to_string(), with_folds.to_string());
    assert!(plain.best_fitted().cross_validation.is_none());
    assert!(with_folds.best_fitted().cross_validation.is_some());
}

/// Three round groups of one size: forms that allow more predict as well, but for noise.
#[test]
fn a_simpler_candidate_within_one_standard_error_is_named() {
    let x = data::separated(5, 240, 2, 3).x;
    let search = Search::over(1..=6).by(Criterion::CrossValidation);
    let selection = search.run(&x).unwrap();
    let best = selection.best_fitted();
    let error = best.cross_validation.as_ref().unwrap().standard_error;
    let least = best.scores.held_out.unwrap() - error;
    // By hand: the fewest parameters of all within the error.
    let fewest = (selection.candidates().iter())
        .filter_map(|c| c.fitted.as_ref().ok())
        .filter(|f| !f.is_singular() && f.scores.held_out >= Some(least))
        .map(|f| f.scores.n_free_parameters)
        .min();
    assert!(fewest < Some(best.scores.n_free_parameters));
    let named: Vec<&gmm_select::Candidate> = (selection.notes().iter())
        .filter_map(|note| match note {
            Note::WithinError {
                n_components,
                covariance,
            } => Some(cell(&selection, *n_components, *covariance)),
            _ => None,
        })
        .collect();
    assert_eq!(named.len(), 1);
    let simpler = &named[0].fitted.as_ref().unwrap().scores;
    assert_eq!(Some(simpler.n_free_parameters), fewest);
    assert!(simpler.held_out >= Some(least));
    assert!(!(selection.notes().iter()).any(|n| matches!(n, Note::Close { .. })));
}

#[test]
fn folds_that_cannot_be_are_errors() {
    let x = Mat::from_fn(4, 1, |i, _| i as f64);
    let by = Search::over([1]).by(Criterion::CrossValidation);
    assert_eq!(
        by.run(&x).unwrap_err(),
        Error::Folds {
            found: 5,
            n_units: 4
        }
    );
    let folds = Folds::of_rows_at_random(9, 3, 0).unwrap();
    assert_eq!(
        by.folds(folds).run(&x).unwrap_err(),
        Error::FoldRows {
            found: 9,
            expected: 4
        }
    );
}

/// What a watcher cuts short counts for nobody; what ended before stays.
#[test]
fn folds_that_are_cut_short_are_left_out() {
    let x = data::separated(7, 150, 2, 2).x;
    let search = Search::over(1..=3).by(Criterion::CrossValidation);
    let stop_at = |most: usize| {
        search.run_watched(&x, &|progress| match progress {
            SearchProgress::Fold { n_done, .. } if n_done >= most => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    };
    assert_eq!(
        stop_at(0).unwrap_err(),
        Error::Fit(gmm_em::Error::Interrupted)
    );
    assert_eq!(
        stop_at(1).unwrap_err(),
        Error::Fit(gmm_em::Error::Interrupted)
    );
    let whole = search.run(&x).unwrap();
    let three = stop_at(4).unwrap();
    for (cut, whole) in three.candidates().iter().zip(whole.candidates()) {
        let folds = |c: &gmm_select::Candidate| {
            c.fitted
                .as_ref()
                .unwrap()
                .cross_validation
                .clone()
                .unwrap()
                .folds
        };
        assert_eq!(folds(cut), folds(whole)[..3]);
    }
    // A watcher sees as many pieces as it was told.
    let (n_done, n_asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    search
        .run_watched(&x, &|progress| {
            match progress {
                SearchProgress::Done { n_steps } => {
                    assert_eq!(n_steps, search.n_steps());
                    n_done.fetch_add(1, Ordering::Relaxed);
                }
                SearchProgress::Fold { n_folds, .. } => {
                    assert_eq!(n_folds, 5);
                    n_asked.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(n_done.into_inner(), search.n_steps());
    // Before each fold and after it.
    assert_eq!(n_asked.into_inner(), 10);
}

/// A candidate that fails in a fold is no candidate: its mean would be one of other rows.
#[test]
fn a_candidate_that_fails_in_a_fold_is_not_chosen() {
    let x = Mat::from_fn(10, 1, |i, _| (i as f64).powi(2));
    let folds = Folds::of_rows_at_random(10, 2, 0).unwrap();
    let search = Search::over([1, 7]).covariances([CovarianceType::Full]);
    let selection = search
        .folds(folds)
        .by(Criterion::CrossValidation)
        .run(&x)
        .unwrap();
    // Five rows are too few for seven components.
    assert_eq!(
        selection.value(cell(&selection, 7, CovarianceType::Full)),
        None
    );
    assert_eq!(selection.best().n_components(), 1);
    // Where nobody is left, a fold's reason is the search's.
    let folds = Folds::of_rows_at_random(10, 2, 0).unwrap();
    let none = Search::over([7])
        .folds(folds)
        .by(Criterion::CrossValidation);
    let error = none.run(&x).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Fit(gmm_em::Error::TooFewRows { found: 5, .. })
        ),
        "{error}"
    );
}
