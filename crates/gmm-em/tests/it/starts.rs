//! Starts that searches share: hierarchies, paths of splits, and mixtures of other forms.

use std::ops::ControlFlow;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Error, Hierarchy, Initialization, SplitMerge, Start};
use gmm_testkit::data;
use gmm_testkit::oracle::{self, mclust};

use crate::{matrix, tight};

/// Groups as sets of rows, whatever their numbers.
fn are_same_groups(a: &[usize], b: &[usize]) -> bool {
    let n = a.len();
    (0..n).all(|i| (0..i).all(|j| (a[i] == a[j]) == (b[i] == b[j])))
}

/// mclust's default start on three data sets, for 1 to 9 groups. (Old Faithful's rows lie on a grid: among pairs that cost the same,
/// rounding decides.)
#[test]
fn hierarchies_are_those_of_mclust() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    let mut n_cells = 0;
    for name in ["iris", "diabetes", "wine"] {
        let x = matrix(&mclust::data_set(&folder, name).x);
        let hierarchy = Hierarchy::new(&x, 0).unwrap();
        for (n_groups, expected) in mclust::starts(&folder, name) {
            let found = hierarchy.labels(n_groups);
            assert!(are_same_groups(&found, &expected), "{name} {n_groups}");
            n_cells += 1;
        }
    }
    assert_eq!(n_cells, 27);
}

/// A power of two per feature changes no bit of what is joined; rows of weight 0 are not there.
#[test]
fn hierarchies_know_neither_units_nor_rows_without_weight() {
    let x = data::overlapping(3, 120, 3, 3).x;
    let plain = Hierarchy::new(&x, 0).unwrap();
    let scaled = Mat::from_fn(120, 3, |i, j| {
        x[(i, j)] * [2f64.powi(300), 1.0, 2f64.powi(-200)][j]
    });
    assert_eq!(Hierarchy::new(&scaled, 0).unwrap(), plain);

    let longer = Mat::from_fn(121, 3, |i, j| if i == 0 { 1e9 } else { x[(i - 1, j)] });
    let weights: Vec<f64> = (0..121).map(|i| if i == 0 { 0.0 } else { 0.5 }).collect();
    let weighted = Hierarchy::new(Samples::from(&longer).with_weights(&weights), 0).unwrap();
    assert_eq!(weighted.labels(4), plain.labels(4));
    assert_eq!(weighted.rows(), (1..121).collect::<Vec<usize>>());
}

#[test]
fn a_hierarchy_of_a_part_starts_a_fit_of_all_rows() {
    let drawn = data::separated(5, 3000, 3, 4);
    let hierarchy = Hierarchy::new(&drawn.x, 0).unwrap();
    assert_eq!(hierarchy.rows().len(), 400);
    for form in CovarianceType::ALL {
        let em = Em::new(4).covariance(form);
        let fit = em.fit_from(&drawn.x, Start::Hierarchy(&hierarchy)).unwrap();
        let labels = fit.model().predict(&drawn.x).unwrap();
        assert!(are_same_groups(&labels, &drawn.labels), "{form}");
        let own = em
            .initialization(Initialization::Hierarchical)
            .seed(0)
            .fit(&drawn.x)
            .unwrap();
        let difference = own.report().log_likelihood - fit.report().log_likelihood;
        assert!(difference.abs() < 1e-2, "{form}: {difference}");
    }
}

#[test]
fn hierarchies_that_do_not_fit_are_refused() {
    let x = data::overlapping(3, 50, 2, 2).x;
    let hierarchy = Hierarchy::new(&x, 0).unwrap();
    let part = x.as_ref().subrows(0, 20);
    assert_eq!(
        Em::new(2)
            .fit_from(part, Start::Hierarchy(&hierarchy))
            .unwrap_err(),
        Error::StartRows {
            found: 21,
            expected: 20
        }
    );
    let few = Hierarchy::new(part, 0).unwrap();
    assert_eq!(
        Em::new(30)
            .fit_from(&x, Start::Hierarchy(&few))
            .unwrap_err(),
        Error::TooFewRows {
            found: 20,
            n_components: 30
        }
    );
}

/// What a form's letters allow, a richer form allows too.
fn is_poorer(a: CovarianceType, b: CovarianceType) -> bool {
    use gmm_core::covariance::Variation::{Equal, Identity, Variable};
    let rank = |v| match v {
        Identity => 0,
        Equal => 1,
        Variable => 2,
    };
    rank(a.volume()) <= rank(b.volume())
        && rank(a.shape()) <= rank(b.shape())
        && rank(a.orientation()) <= rank(b.orientation())
}

/// A maximum of a form is a point of each richer form, so that a fit from there can't end below it.
#[test]
fn a_richer_form_from_a_poorer_one_is_never_lower() {
    let x = data::overlapping(11, 300, 3, 3).x;
    let mut n_pairs = 0;
    for poorer in CovarianceType::ALL {
        let start = tight(3, poorer).fit(&x).unwrap();
        for richer in CovarianceType::ALL {
            if richer == poorer || !is_poorer(poorer, richer) {
                continue;
            }
            let fit = tight(3, richer)
                .fit_from(&x, Start::ResponsibilitiesOf(start.model()))
                .unwrap();
            let gain = fit.report().log_likelihood - start.report().log_likelihood;
            // Sums of 300 log-densities are right to 1e-11; the start stopped with 1e-10 nats left.
            assert!(gain >= -1e-9, "{poorer} to {richer}: {gain:e}");
            n_pairs += 1;
        }
    }
    assert!(n_pairs > 40, "{n_pairs}");
}

#[test]
fn a_path_has_a_mixture_of_each_number_of_components() {
    let drawn = data::separated(5, 400, 2, 4);
    for form in [
        CovarianceType::Full,
        CovarianceType::Vei,
        CovarianceType::Tied,
    ] {
        let steps = SplitMerge::new(&Em::new(5).covariance(form), &drawn.x).unwrap();
        let path = steps.path().unwrap();
        let counts: Vec<usize> = path.iter().map(|m| m.n_components()).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5], "{form}");
        let labels = path[3].predict(&drawn.x).unwrap();
        assert!(are_same_groups(&labels, &drawn.labels), "{form}");
        // One more from three, and one less from five, are the four that are there.
        for four in [steps.one_more(&path[2]), steps.one_less(&path[4])] {
            let labels = four.unwrap().unwrap().predict(&drawn.x).unwrap();
            assert!(are_same_groups(&labels, &drawn.labels), "{form}");
        }
        assert_eq!(steps.one_less(&path[0]).unwrap(), None);
    }
}

#[test]
fn a_path_ends_where_rows_do() {
    let x = Mat::from_fn(12, 1, |i, _| (i % 3) as f64);
    let mut asked = Vec::new();
    let path = SplitMerge::new(&Em::new(6), &x)
        .unwrap()
        .path_while(&mut |n| {
            asked.push(n);
            true
        })
        .unwrap();
    assert_eq!(path.len(), 3);
    // Nobody is asked about more components than there are distinct rows.
    assert_eq!(asked, [2, 3]);
    let other = Em::new(1).covariance(CovarianceType::Eii);
    let steps = SplitMerge::new(&other, &x).unwrap();
    assert!(matches!(
        steps.one_more(&path[0]),
        Err(Error::StartForm { .. })
    ));
}

/// A start of many components takes its time, and a watcher need not wait for its end.
#[test]
fn a_start_that_is_being_made_may_be_stopped() {
    let x = data::overlapping(3, 400, 2, 6).x;
    for start in [
        Initialization::Split,
        Initialization::KMeans,
        Initialization::KMeansPlusPlus,
    ] {
        let em = Em::new(6).initialization(start).max_iterations(3);
        // Stops at the n-th question before the first iteration.
        let stop_at = |n: usize| {
            let mut n_asked = 0;
            let fit = em.fit_watched(&x, &mut |progress| {
                n_asked += usize::from(progress.iteration == 0);
                if progress.iteration == 0 && n_asked == n {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            (fit, n_asked)
        };
        let (whole, n_questions) = stop_at(usize::MAX);
        assert_eq!(whole.unwrap(), em.fit(&x).unwrap());
        // One for each further component at the least.
        assert!(n_questions >= 5, "{start:?}: {n_questions}");
        for n in 1..=n_questions {
            let (fit, _) = stop_at(n);
            if start == Initialization::Split && n > 5 {
                // It has its components: merges and splits in turn are left out.
                assert_eq!(fit.unwrap().model().n_components(), 6);
            } else {
                assert_eq!(fit.unwrap_err(), Error::Interrupted, "{start:?} {n}");
            }
        }
    }
}
