//! What a selection tells its reader: each note from a table that deserves it, and the table as it prints.

use std::ops::ControlFlow;

use gmm_core::faer::{Mat, MatRef};
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Initialization};
use gmm_select::{Criterion, Note, Search, SearchProgress, Selection};
use gmm_testkit::data;

use crate::cell;

/// Rows in two clear groups, few enough to ask for more components than there are.
const FOURTEEN: [f64; 14] = [
    1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9, 0.7, 1.3, 5.2, 4.7,
];

fn fourteen() -> MatRef<'static, f64> {
    MatRef::from_row_major_slice(&FOURTEEN, 14, 1)
}

/// A wave of forty rows and a heap of twenty equal ones.
fn heap() -> Mat<f64> {
    Mat::from_fn(
        60,
        1,
        |i, _| {
            if i < 20 { 50.0 } else { (i as f64 * 0.7).sin() }
        },
    )
}

fn texts(selection: &Selection) -> Vec<String> {
    selection.notes().iter().map(Note::to_string).collect()
}

#[test]
fn a_clear_choice_has_no_notes() {
    let x = data::separated(1, 200, 2, 4).x;
    let selection = Search::over(1..=6).run(&x).unwrap();
    assert_eq!(selection.best_candidate().n_components, 4);
    assert_eq!(selection.notes(), []);
}

#[test]
fn the_upper_edge() {
    let x = data::separated(1, 200, 2, 4).x;
    let selection = Search::over(1..=3).run(&x).unwrap();
    assert_eq!(selection.notes(), [Note::UpperEdge { n_components: 3 }]);
    assert_eq!(
        texts(&selection),
        ["the best has 3 components, the most that were tried: try more"]
    );
}

#[test]
fn the_lower_edge() {
    let x = data::separated(1, 200, 2, 2).x;
    let selection = Search::over(2..=5).run(&x).unwrap();
    assert_eq!(selection.notes(), [Note::LowerEdge { n_components: 2 }]);
    assert_eq!(
        texts(&selection),
        ["the best has 2 components, the fewest that were tried: try fewer"]
    );
    // One component is an edge that nobody can go beyond.
    let one = data::separated(1, 200, 2, 1).x;
    let selection = Search::over(1..=4).run(&one).unwrap();
    assert_eq!(selection.best_candidate().n_components, 1);
    assert!(
        !(selection.notes().iter()).any(|n| matches!(n, Note::LowerEdge { .. })),
        "{selection}"
    );
    // A single number is no range.
    let selection = Search::over([3]).run(&x).unwrap();
    let is_edge = |n: &Note| matches!(n, Note::LowerEdge { .. } | Note::UpperEdge { .. });
    assert!(!selection.notes().iter().any(is_edge), "{selection}");
}

#[test]
fn a_close_runner_up() {
    let tied = CovarianceType::Tied;
    let x = data::overlapping(2, 100, 2, 2).x;
    let selection = Search::over(1..=3)
        .covariances([tied])
        .starts(4)
        .run(&x)
        .unwrap();
    let value = |k| selection.value(cell(&selection, k, tied)).unwrap();
    let difference = value(1) - value(2);
    assert!((0.0..2.0).contains(&difference), "{selection}");
    assert_eq!(
        selection.notes(),
        [Note::Close {
            n_components: 1,
            covariance: tied,
            difference
        }]
    );
    assert_eq!(
        texts(&selection),
        [format!(
            "1 tied components are nearly as good (worse by {difference:.2}): the data don't decide between the two"
        )]
    );
}

/// The best under another name is no rival: one feature has one model of three names.
#[test]
fn a_runner_up_is_another_model() {
    let selection = Search::over(1..=3)
        .covariances([CovarianceType::Full, CovarianceType::Diag])
        .run(fourteen())
        .unwrap();
    let names: Vec<usize> = selection.ranked().map(|c| c.n_components).collect();
    assert_eq!(names[..2], [2, 2]);
    assert_eq!(selection.notes(), []);
    // Six distinct rows have six components, however many are asked for.
    let x = Mat::from_fn(60, 1, |i, _| {
        [0.0, 1.0, 5.0][i % 3] + 0.01 * ((i / 3) % 2) as f64
    });
    let selection = Search::over([6, 7])
        .covariances([CovarianceType::Spherical])
        .em(Em::new(1).regularization(gmm_em::Regularization::Ridge(1e-3)))
        .run(&x)
        .unwrap();
    let n_components: Vec<usize> = (selection.candidates().iter())
        .map(|c| c.fitted.as_ref().unwrap().model().n_components())
        .collect();
    assert_eq!(n_components, [6, 6]);
    assert!(
        !(selection.notes().iter()).any(|n| matches!(n, Note::Close { .. })),
        "{selection}"
    );
}

#[test]
fn failed_candidates() {
    let selection = Search::over([1, 2, 3, 15])
        .covariances([CovarianceType::Full, CovarianceType::Tied])
        .run(fourteen())
        .unwrap();
    assert_eq!(selection.notes(), [Note::Failed { n_candidates: 2 }]);
    assert_eq!(texts(&selection), ["2 candidates could not be fitted"]);
}

/// A component on the heap has the likelihood of the floor: far above any other, and no reason to choose it.
#[test]
fn singular_candidates() {
    let full = CovarianceType::Full;
    let selection = Search::over(1..=2)
        .covariances([full])
        .run(&heap())
        .unwrap();
    let (one, two) = (cell(&selection, 1, full), cell(&selection, 2, full));
    assert!(two.fitted.as_ref().unwrap().is_singular());
    assert!(!one.fitted.as_ref().unwrap().is_singular());
    assert!(selection.value(two) < selection.value(one));
    assert_eq!(selection.best_candidate(), one);
    assert_eq!(selection.notes(), [Note::Singular { n_candidates: 1 }]);
    assert_eq!(
        texts(&selection),
        [
            "1 candidates were left out: a component shrank onto a few rows and stands at the variance floor (marked *)"
        ]
    );
}

#[test]
fn nothing_but_singular_candidates() {
    let x = data::collinear(2, 200, 3, 2).x;
    let selection = Search::over(1..=3)
        .covariances([CovarianceType::Full, CovarianceType::Tied])
        .run(&x)
        .unwrap();
    assert!(selection.best_fitted().is_singular());
    assert_eq!(selection.notes()[..1], [Note::AllSingular]);
    assert_eq!(
        texts(&selection)[0],
        "every candidate has a component at the variance floor: look for repeated rows or columns that depend on others"
    );
}

#[test]
fn a_lonely_start() {
    // Seven components for four overlapping groups: an optimum for every start.
    let x = data::overlapping(2, 250, 2, 4).x;
    let search = Search::over([7])
        .covariances([CovarianceType::Full])
        .em(Em::new(1).initialization(Initialization::KMeansPlusPlus));
    let selection = search.clone().starts(6).run(&x).unwrap();
    assert_eq!(selection.best_fitted().starts.n_agreeing(), 1);
    assert_eq!(selection.notes()[0], Note::LonelyStart { n_starts: 6 });
    assert_eq!(
        texts(&selection)[0],
        "only 1 of 6 starts found the best fit: use more starts"
    );
    // One start was never meant to have company.
    let is_lonely = |note: &Note| matches!(note, Note::LonelyStart { .. });
    assert!(
        !search
            .starts(1)
            .run(&x)
            .unwrap()
            .notes()
            .iter()
            .any(is_lonely)
    );
}

#[test]
fn a_fit_that_did_not_converge() {
    let x = data::overlapping(2, 250, 2, 4).x;
    let selection = Search::over([3])
        .covariances([CovarianceType::Full])
        .starts(1)
        .em(Em::new(1).max_iterations(1))
        .run(&x)
        .unwrap();
    assert_eq!(selection.notes(), [Note::NotConverged]);
    assert_eq!(
        texts(&selection),
        ["the best fit stopped before it converged: allow more iterations"]
    );
}

#[test]
fn an_interrupted_fit_has_not_converged() {
    let x = data::overlapping(3, 200, 2, 3).x;
    let selection = Search::over([3])
        .run_watched(&x, &|progress| match progress {
            SearchProgress::Iteration { progress, .. } if progress.iteration >= 2 => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    assert!(
        selection.notes().contains(&Note::NotConverged),
        "{selection}"
    );
}

#[test]
fn the_edge_is_that_of_the_model() {
    // Three distinct values: a candidate that is asked for six components has three.
    let values = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 5.0];
    let x = MatRef::from_row_major_slice(&values, 8, 1);
    let selection = Search::over(2..=6).run(x).unwrap();
    let found = selection.best().n_components();
    assert!(found <= 3, "{selection}");
    let is_upper = |n: &Note| matches!(n, Note::UpperEdge { .. });
    assert!(!selection.notes().iter().any(is_upper), "{selection}");
}

#[test]
fn weights_that_were_normalized() {
    let x = data::separated(1, 200, 2, 2).x;
    let weights = vec![1.0 / 200.0; 200];
    let weighted = Samples::from(&x).with_weights(&weights);
    let light = |criterion| {
        let selection = Search::over(1..=3).by(criterion).run(weighted).unwrap();
        texts(&selection)
            .into_iter()
            .find(|t| t.starts_with("the sample weights sum to"))
    };
    assert_eq!(
        light(Criterion::Bic).as_deref(),
        Some(
            "the sample weights sum to 1.0000 for 200 rows, and the criterion takes that sum for the number of rows: \
             multiply the weights so that they sum to the number of independent observations"
        )
    );
    assert_eq!(light(Criterion::Aic), None);
}

#[test]
fn a_selection_prints_its_table_and_notes() {
    let selection = Search::over([1, 2, 3, 15])
        .covariances([CovarianceType::Full, CovarianceType::Tied])
        .run(fourteen())
        .unwrap();
    let table = "\
BIC (lower is better)
components    full     tied
         1   64.56    64.56
         2   27.27    24.63<
         3   34.02    29.91
        15  failed   failed
";
    let below = "\
note: 2 candidates could not be fitted
failed: 15 full components: 14 rows for 15 components; give at least one row per component
failed: 15 tied components: 14 rows for 15 components; give at least one row per component
";
    assert_eq!(selection.to_string(), format!("{table}{below}"));
    assert_eq!(selection.table().to_string(), table);
}

/// One component is the closed form, so that its numbers can be computed here.
#[test]
fn a_selection_marks_what_is_singular() {
    let x = heap();
    let selection = Search::over(1..=2)
        .covariances([CovarianceType::Spherical])
        .run(&x)
        .unwrap();
    let n = 60.0;
    let mean = (0..60).map(|i| x[(i, 0)]).sum::<f64>() / n;
    let variance = (0..60).map(|i| (x[(i, 0)] - mean).powi(2)).sum::<f64>() / n;
    // -2 log L = n (log 2πσ² + 1) and two parameters.
    let one = n * ((std::f64::consts::TAU * variance).ln() + 1.0) + 2.0 * n.ln();
    let two = selection.value(cell(&selection, 2, CovarianceType::Spherical));
    let expected = format!(
        "BIC (lower is better)\ncomponents  spherical\n         1  {:>10}\n         2  {:>10}\n",
        format!("{one:.2}<"),
        format!("{:.2}*", two.unwrap())
    );
    assert_eq!(selection.table().to_string(), expected);
}

#[test]
fn components_of_one_mode() {
    // A group of heavy tails beside a Gaussian one: z³ has a narrow and a wide component on one place.
    let z = data::separated(4, 1200, 1, 1).x;
    let mean = (0..1200).map(|i| z[(i, 0)]).sum::<f64>() / 1200.0;
    let row = |i: usize| {
        let z = z[(i, 0)] - mean;
        if i.is_multiple_of(3) {
            40.0 + z
        } else {
            z * z * z
        }
    };
    let x = Mat::from_fn(1200, 1, |i, _| row(i));
    let selection = Search::over(1..=6).run(&x).unwrap();
    let found = selection.notes().into_iter().find_map(|note| match note {
        Note::OneMode {
            components,
            n_pairs,
        } => Some((components, n_pairs)),
        _ => None,
    });
    let ((a, b), n_pairs) = found.unwrap();
    let mean_of = |k: usize| selection.best().means()[(k, 0)];
    assert!(mean_of(a).abs() < 2.0 && mean_of(b).abs() < 2.0);
    let note = Note::OneMode {
        components: (a, b),
        n_pairs,
    };
    let such = if n_pairs > 1 {
        format!(" ({n_pairs} such pairs)")
    } else {
        String::new()
    };
    assert_eq!(
        note.to_string(),
        format!(
            "components {a} and {b} of the best have one mode together: they may be one group that is not Gaussian, so combine them{such}"
        )
    );
    assert!(texts(&selection).contains(&note.to_string()));
}
