//! Steps along the line of two mixtures.

use gmm_core::covariance::Regularizer;
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::{CovarianceType, Covariances, GaussianMixture};
use proptest::prelude::*;

use crate::forms::{assert_is_member, form, groups, m_step};

/// A mixture of a form with parameters from a seed.
fn mixture(form: CovarianceType, k: usize, d: usize, seed: u64) -> GaussianMixture {
    let covariances = m_step(
        form,
        &groups(form, k, d, 8 + d, seed),
        &Regularizer::None,
        None,
    )
    .covariances;
    let draw = |at: usize| ((seed.wrapping_add(at as u64) as f64 * 0.618).fract() + 0.1).sin();
    let weights: Vec<f64> = (0..k).map(|k| 0.5 + draw(k).abs()).collect();
    let sum: f64 = weights.iter().sum();
    let means = Mat::from_fn(k, d, |k, j| 3.0 * draw(7 * k + j));
    GaussianMixture::new(
        weights.iter().map(|w| w / sum).collect(),
        means,
        covariances,
    )
    .unwrap()
}

/// Parameters that agree to a relative error; matrices relative to their variances.
fn assert_near(
    a: &GaussianMixture,
    b: &GaussianMixture,
    tolerance: f64,
) -> Result<(), TestCaseError> {
    let (n, d) = (a.n_components(), a.n_features());
    for k in 0..n {
        let (v, w) = (a.weights()[k], b.weights()[k]);
        prop_assert!((v - w).abs() <= tolerance * w, "weight {v} {w}");
        let (x, y) = (a.covariances().component(k), b.covariances().component(k));
        for i in 0..d {
            let (v, w) = (a.means()[(k, i)], b.means()[(k, i)]);
            prop_assert!((v - w).abs() <= tolerance * (1.0 + w.abs()), "mean {v} {w}");
            for j in 0..d {
                let size = (y[(i, i)] * y[(j, j)]).sqrt();
                prop_assert!(
                    (x[(i, j)] - y[(i, j)]).abs() <= tolerance * size,
                    "{}: covariance {} {}",
                    a.covariance_type(),
                    x[(i, j)],
                    y[(i, j)]
                );
            }
        }
    }
    Ok(())
}

/// The largest condition of the matrices of mixtures. Steps are made of factors, which lose so many digits, and so does the way back to
/// matrices.
fn condition(mixtures: &[&GaussianMixture]) -> f64 {
    let of = |m: &GaussianMixture, k: usize| {
        let eigen = Eigen::new(m.covariances().component(k).as_ref()).unwrap();
        eigen.values[eigen.values.len() - 1] / eigen.values[0]
    };
    let all = mixtures
        .iter()
        .flat_map(|m| (0..m.n_components()).map(|k| of(m, k)));
    all.fold(1.0, f64::max)
}

/// Forms that contain the line between two of their members.
fn keeps_lines(form: CovarianceType) -> bool {
    matches!(
        form.mclust_name(),
        "VVV" | "EVV" | "EEE" | "VVI" | "EVI" | "VEI" | "EEI" | "VII" | "EII"
    )
}

proptest! {
    /// A step of 0 stays, one of 1 arrives; to the rounding of factors and their squares, some tens of operations each.
    #[test]
    fn lines_begin_at_one_mixture_and_lead_to_the_other(form in form(), k in 1usize..=4, d in 1usize..=4, seed in any::<u32>()) {
        let (a, b) = (mixture(form, k, d, seed.into()), mixture(form, k, d, u64::from(seed) + 1));
        let tolerance = 1e-14 * condition(&[&a, &b]);
        if keeps_lines(form) {
            assert_near(&a.extrapolate(&b, 0.0).unwrap(), &a, tolerance)?;
        }
        // Where lines leave the form, its nearest matrices are found by a search, which ends at 1e-11 and less.
        let found = if keeps_lines(form) { 0.0 } else { 1e-10 };
        assert_near(&a.extrapolate(&b, 1.0).unwrap(), &b, tolerance + found)?;
    }

    /// What lies beyond is of the form, and the way back leads over where it came from.
    #[test]
    fn lines_go_on(form in form(), k in 1usize..=4, d in 1usize..=4, step in 1.1..2.0, seed in any::<u32>()) {
        let (a, b) = (mixture(form, k, d, seed.into()), mixture(form, k, d, u64::from(seed) + 1));
        let beyond = a.extrapolate(&b, step).unwrap();
        let tolerance = 1e-13 * condition(&[&a, &b, &beyond]);
        assert_is_member(beyond.covariances(), 1e-8 + tolerance);
        prop_assert!((beyond.weights().iter().sum::<f64>() - 1.0).abs() <= 1e-14);
        if keeps_lines(form) {
            assert_near(&a.extrapolate(&beyond, 1.0 / step).unwrap(), &b, tolerance)?;
        }
    }
}

/// Means are linear, standard deviations and weights geometric.
#[test]
fn a_line_by_hand() {
    let one = |weights: [f64; 2], mean: f64, variance: f64| {
        let means = Mat::from_fn(2, 1, |k, _| mean * k as f64);
        let covariances = Covariances::spherical(&[1.0, variance], 1).unwrap();
        GaussianMixture::new(weights.to_vec(), means, covariances).unwrap()
    };
    let (a, b) = (one([0.5, 0.5], 1.0, 1.0), one([0.25, 0.75], 3.0, 4.0));
    let beyond = a.extrapolate(&b, 2.0).unwrap();
    // (1/2)(1/2)² and (1/2)(3/2)², divided by their sum.
    let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-14;
    assert!(near(beyond.weights()[0], 0.1) && near(beyond.weights()[1], 0.9));
    assert!(near(beyond.means()[(0, 0)], 0.0) && near(beyond.means()[(1, 0)], 5.0));
    assert!(near(beyond.covariances().block(0)[0], 1.0));
    assert!(near(beyond.covariances().block(1)[0], 16.0));
}

/// A component of weight 0 stays dead, one that dies is dead, and no other shape is a place to go.
#[test]
fn lines_of_dead_components_and_of_other_shapes() {
    let with = |weights: [f64; 2]| {
        let covariances = Covariances::spherical(&[1.0, 1.0], 2).unwrap();
        GaussianMixture::new(weights.to_vec(), Mat::zeros(2, 2), covariances).unwrap()
    };
    let (dead, alive) = (with([1.0, 0.0]), with([0.5, 0.5]));
    assert_eq!(alive.extrapolate(&dead, 2.0).unwrap().weights(), [1.0, 0.0]);
    assert_eq!(dead.extrapolate(&dead, 2.0).unwrap().weights(), [1.0, 0.0]);
    // One that comes alive has no line to follow: (1/2)² / 1 for the other and 1/2 for itself, divided by their sum.
    let revived = dead.extrapolate(&alive, 2.0).unwrap();
    assert!((revived.weights()[0] - 1.0 / 3.0).abs() <= 1e-15);
    let other = |form, k, d| mixture(form, k, d, 3);
    let form = CovarianceType::Full;
    let from = other(form, 2, 2);
    for to in [
        other(form, 3, 2),
        other(form, 2, 3),
        other(CovarianceType::Tied, 2, 2),
    ] {
        assert!(from.extrapolate(&to, 1.0).is_err());
    }
}
