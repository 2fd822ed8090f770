//! The target `search`: whatever is searched, the choice is the best of the table, and the table is complete.

use gmm_core::Samples;
use gmm_core::faer::MatRef;
use gmm_em::{Em, Initialization, Regularization, Rescue};
use gmm_select::{Criterion, Search, Selection};

use super::bytes::Bytes;
use super::{Outcome, check_message, model};

/// Searches numbers of components and forms from the input on a table from the input, and checks
/// - that there is a candidate for every combination, fitted or with a reason;
/// - that the ranking is by the criterion, those at the floor last, and that its value is that of the candidate's scores;
/// - that the chosen mixture is the first, with no more components than were asked for;
/// - that the same call gives the same table.
pub fn search(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let n_sizes = bytes.count(0, 3);
    let sizes: Vec<usize> = (0..n_sizes).map(|_| bytes.count(0, 5)).collect();
    let n_forms = bytes.count(0, 3);
    let forms: Vec<_> = (0..n_forms).map(|_| model::form(&mut bytes)).collect();
    let mut em = Em::new(1)
        .seed(bytes.bits())
        .max_iterations(bytes.count(1, 20))
        .rescue(bytes.pick([
            Rescue::Drop,
            Rescue::Reseed,
            Rescue::Fail,
            Rescue::Floor(1e-6),
        ]))
        .regularization(bytes.pick([
            Regularization::default(),
            Regularization::None,
            Regularization::Floor(1e-3),
            Regularization::Ridge(1e-6),
        ]));
    if bytes.byte() % 2 == 1 {
        em = em.initialization(bytes.pick(Initialization::ALL));
    }
    let criterion = bytes.pick(Criterion::ALL);
    let search = Search::over(sizes.iter().copied())
        .covariances(forms.iter().copied())
        .starts(bytes.count(0, 3))
        .by(criterion)
        .em(em);
    let (n_samples, n_features) = (bytes.count(1, 16), bytes.count(1, 2));
    let table = bytes.numbers(n_samples * n_features);
    let weights: Option<Vec<f64>> = (bytes.byte() % 4 == 3).then(|| {
        (0..n_samples)
            .map(|_| f64::from(bytes.byte() % 4))
            .collect()
    });
    let x = Samples::from(MatRef::from_row_major_slice(&table, n_samples, n_features));
    let x = weights
        .as_deref()
        .map_or(x, |weights| x.with_weights(weights));
    match (search.run(x), search.run(x)) {
        (Ok(selection), Ok(same)) => {
            // As texts: a reason may hold a NaN, which is not equal to itself.
            let debug = |s: &Selection| format!("{:?}", s.candidates());
            assert_eq!(
                debug(&selection),
                debug(&same),
                "the same call gives another table"
            );
            assert_eq!(selection.candidates().len(), search.n_candidates());
            for size in &sizes {
                for form in &forms {
                    let is_cell = |c: &&gmm_select::Candidate| {
                        c.n_components == *size && c.covariance == *form
                    };
                    assert_eq!(selection.candidates().iter().filter(is_cell).count(), 1);
                }
            }
            assert_eq!(selection.criterion(), criterion);
            ranked(&selection);
            assert!(!selection.to_string().is_empty());
            Outcome::Checked
        }
        (Err(error), Err(same)) => {
            check_message(&error);
            assert_eq!(error.to_string(), same.to_string());
            Outcome::Refused
        }
        (one, other) => panic!("the same call gives {one:?}, then {other:?}"),
    }
}

fn has_failed_folds(fitted: &gmm_select::Fitted) -> bool {
    (fitted.cross_validation.as_ref()).is_some_and(|found| found.n_failed() > 0)
}

fn ranked(selection: &Selection) {
    let order: Vec<_> = selection.ranked().collect();
    let n_fitted = selection
        .candidates()
        .iter()
        .filter(|c| c.fitted.is_ok())
        .count();
    assert_eq!(order.len(), n_fitted, "a fitted candidate has no rank");
    let best = selection.best_candidate();
    assert!(order.first().is_some_and(|c| std::ptr::eq(*c, best)));
    for candidate in selection.candidates() {
        if let Err(error) = &candidate.fitted {
            check_message(error);
        }
    }
    let keys: Vec<(bool, f64)> = order
        .iter()
        .map(|candidate| {
            let fitted = candidate
                .fitted
                .as_ref()
                .expect("ranked candidates are fitted");
            let value = selection.criterion().value(&fitted.scores);
            // A fold that failed leaves cross-validation without a value.
            let known = (!value.is_nan()).then_some(value.to_bits());
            assert_eq!(selection.value(candidate).map(f64::to_bits), known);
            assert_eq!(known.is_none(), has_failed_folds(fitted));
            assert!(fitted.model().n_components() <= candidate.n_components);
            (fitted.is_singular(), value)
        })
        .collect();
    // Names of one model, whose values differ by rounding, stand in the order they were asked for.
    let is_no_more = |a: f64, b: f64| a.total_cmp(&b).is_le() || a - b <= 1e-9 * a.abs();
    for pair in keys.windows(2) {
        let is_in_order = (pair[0].0, pair[1].0) == (false, true)
            || pair[0].0 == pair[1].0 && is_no_more(pair[0].1, pair[1].1);
        assert!(is_in_order, "out of order: {pair:?}");
    }
}
