//! Moments: parts add up to the whole, and what keeps covariances regular is what it says.

use gmm_core::covariance::{Moments, Regularizer, Repair, Structure, blocks_below_floor, maximize};
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::{CovarianceType, Covariances};
use gmm_testkit::naive;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::forms::{form, groups, m_step};

/// The moments of rows by their definition, about a shift.
fn of_rows(structure: Structure, rows: &[(Vec<f64>, f64)], shift: &[f64]) -> Moments {
    let d = shift.len();
    let r: Vec<f64> = rows.iter().map(|(_, r)| *r).collect();
    let feature = |j: usize| -> Vec<f64> { rows.iter().map(|(x, _)| x[j] - shift[j]).collect() };
    let lanes: Vec<Vec<f64>> = (0..d).map(feature).collect();
    let mean = naive::weighted_mean(&lanes, &r);
    let centred: Vec<Vec<f64>> = (lanes.iter().zip(&mean))
        .map(|(lane, mean)| lane.iter().map(|z| z - mean).collect())
        .collect();
    let scatter = naive::weighted_scatter(&centred, &r);
    let mut moments = Moments::zeros(structure, d);
    moments.occupancy = r.iter().sum();
    moments.mean = mean;
    moments.scatter = match structure {
        Structure::Dense => (0..d).flat_map(|i| scatter[i][..=i].to_vec()).collect(),
        _ => (0..d).map(|i| scatter[i][i]).collect(),
    };
    moments
}

/// Sums of n terms of at most 36 times a weight of at most 2, on both sides.
fn assert_near(a: &Moments, b: &Moments, n: usize) -> Result<(), TestCaseError> {
    let tolerance = 72.0 * (n as f64 + 4.0).powi(2) * f64::EPSILON;
    prop_assert!((a.occupancy - b.occupancy).abs() <= tolerance);
    prop_assert_eq!(a.scatter.len(), b.scatter.len());
    if b.occupancy > 0.0 {
        // A mean is a quotient of two sums.
        let tolerance = tolerance / b.occupancy;
        for (a, b) in a.mean.iter().zip(&b.mean) {
            prop_assert!((a - b).abs() <= tolerance, "{a} {b}");
        }
    }
    for (a, b) in a.scatter.iter().zip(&b.scatter) {
        prop_assert!((a - b).abs() <= tolerance, "{a} {b}");
    }
    Ok(())
}

fn structure() -> impl Strategy<Value = Structure> {
    prop::sample::select(vec![
        Structure::Dense,
        Structure::Diagonal,
        Structure::Isotropic,
    ])
}

proptest! {
    /// Chan, Golub and LeVeque (1983).
    #[test]
    fn parts_add_up_to_the_whole(
        structure in structure(),
        (shift, rows) in (1usize..=4).prop_flat_map(|d| (vec(-1.0..1.0, d), vec((vec(-5.0..5.0, d), prop_oneof![4 => 0.01..2.0, 1 => Just(0.0)]), 0..=40))),
        cuts in vec(0.0..1.0, 0..=4),
    ) {
        let n = rows.len();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| (cut * n as f64) as usize).chain([0, n]).collect();
        cuts.sort_unstable();
        let mut sum = Moments::zeros(structure, shift.len());
        for part in cuts.windows(2) {
            sum.merge(&of_rows(structure, &rows[part[0]..part[1]], &shift));
        }
        let whole = of_rows(structure, &rows, &shift);
        assert_near(&sum, &whole, n)?;
        // Rows that count f times.
        let weighted: Vec<(Vec<f64>, f64)> = rows.iter().map(|(x, r)| (x.clone(), 0.25 * r)).collect();
        let mut scaled = whole;
        scaled.scale(0.25);
        assert_near(&scaled, &of_rows(structure, &weighted, &shift), n)?;
    }

    /// What a floor holds is reported: as many directions as stand at it, and none where nothing had to be raised.
    #[test]
    fn repairs_count_the_directions_at_the_floor(form in form(), k in 1usize..=4, d in 1usize..=4, rank in 1usize..12, seed in any::<u64>()) {
        let floor: Vec<f64> = (0..d).map(|j| 0.1 + 0.05 * j as f64).collect();
        let moments = groups(form, k, d, rank, seed);
        let end = m_step(form, &moments, &Regularizer::Floor(floor.clone()), None);
        let mean = floor.iter().sum::<f64>() / d as f64;
        let unit = |j: usize| if form.is_scale_free() { floor[j] } else { mean };
        let expected: Vec<Repair> = (0..form.n_blocks(k)).filter_map(|component| {
            let covariance = end.covariances.component(component);
            let scaled = Mat::from_fn(d, d, |i, j| covariance[(i, j)] / unit(i).sqrt() / unit(j).sqrt());
            let values = Eigen::new(scaled.as_ref()).unwrap().values;
            // Eigenvalues of matrices of some hundreds; the floor is 1 here.
            assert!(values.iter().all(|v| *v >= 1.0 - 1e-10), "{form}: {values:?}");
            let n_held = values.iter().filter(|v| **v <= 1.0 + 1e-10).count();
            // One variance for all directions is one.
            let n_directions = if form.block_len(d) == 1 { n_held / d } else { n_held };
            (n_directions > 0).then_some(Repair { component, n_directions })
        }).collect();
        prop_assert_eq!(&end.repairs, &expected, "{}", form);
        prop_assert_eq!(blocks_below_floor(&end.covariances, &floor.iter().map(|f| f * (1.0 - 1e-9)).collect::<Vec<_>>()), Vec::<usize>::new());
    }
}

/// A fit that stays above its floor is the maximum-likelihood fit to the last bit.
#[test]
fn a_floor_below_everything_changes_nothing() {
    for form in CovarianceType::ALL {
        for seed in 0..20 {
            let moments = groups(form, 3, 3, 12, seed);
            let free = m_step(form, &moments, &Regularizer::None, None);
            let held = m_step(form, &moments, &Regularizer::Floor(vec![1e-12; 3]), None);
            assert_eq!(free.covariances, held.covariances, "{form}");
            assert!(held.repairs.is_empty());
        }
    }
}

/// Blocks are found where one direction is below, and only there.
#[test]
fn blocks_below_the_floor_are_named() {
    let d = 3;
    for form in CovarianceType::ALL {
        let n = form.n_blocks(4);
        let block = |low: bool| -> Vec<f64> {
            let variance = |j: usize| if low && j == 1 { 0.9 } else { 2.0 };
            match form.block_len(d) {
                1 => vec![if low { 0.9 } else { 2.0 }],
                len if len == d => (0..d).map(variance).collect(),
                // Variances above the floor, but 2 - 1.5 along a diagonal.
                _ if low => vec![2.0, 1.5, 0.0, 1.5, 2.0, 0.0, 0.0, 0.0, 2.0],
                _ => vec![2.0, 0.5, 0.0, 0.5, 2.0, 0.0, 0.0, 0.0, 2.0],
            }
        };
        for low in 0..n {
            let blocks = (0..n).map(|b| block(b == low)).collect();
            let covariances = Covariances::new(form, 4, d, blocks).unwrap();
            assert_eq!(blocks_below_floor(&covariances, &[1.0; 3]), [low], "{form}");
            assert!(blocks_below_floor(&covariances, &[0.4; 3]).is_empty());
        }
    }
}

/// Rows with noise of these variances: covariances that are sums of the rows' own get them added.
#[test]
fn a_ridge_adds_to_the_variances() {
    let ridge = vec![0.5, 0.25, 2.0];
    for form in [
        CovarianceType::Full,
        CovarianceType::Tied,
        CovarianceType::Diag,
        CovarianceType::Eei,
        CovarianceType::Spherical,
        CovarianceType::Eii,
    ] {
        let moments = groups(form, 3, 3, 12, 7);
        let free = m_step(form, &moments, &Regularizer::None, None).covariances;
        let regularizer = Regularizer::Ridge(ridge.clone());
        let wide = m_step(form, &moments, &regularizer, None).covariances;
        for k in 0..3 {
            let (free, wide) = (free.component(k), wide.component(k));
            for i in 0..3 {
                for j in 0..3 {
                    let extra = match (i == j, form.block_len(3)) {
                        (false, _) => 0.0,
                        (true, 1) => ridge.iter().sum::<f64>() / 3.0,
                        _ => ridge[i],
                    };
                    let expected = free[(i, j)] + extra;
                    // Sums over three groups and features, and quotients.
                    let tolerance = 20.0 * f64::EPSILON * (free[(i, i)] + free[(j, j)] + 2.0);
                    assert!((wide[(i, j)] - expected).abs() <= tolerance, "{form}");
                }
            }
        }
    }
}

/// Covariances of another form or shape are no place to begin.
#[test]
fn what_does_not_fit_is_not_begun_with() {
    let form = CovarianceType::Vve;
    let moments = groups(form, 3, 3, 12, 1);
    let shifts = Mat::zeros(3, 3);
    let begun = |previous: Option<&Covariances>| {
        maximize(form, &shifts, &moments, &Regularizer::None, previous).unwrap()
    };
    let expected = begun(None).covariances;
    for (other, k, d) in [
        (CovarianceType::Full, 3, 3),
        (form, 2, 3),
        (form, 4, 3),
        (form, 3, 2),
        (form, 3, 4),
    ] {
        let previous = m_step(other, &groups(other, k, d, 12, 2), &Regularizer::None, None);
        assert_eq!(begun(Some(&previous.covariances)).covariances, expected);
    }
}
