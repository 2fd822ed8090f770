//! Two components as one: what that costs at most, and the merged mixture.

use gmm_core::faer::Mat;
use gmm_core::symmetric::log_determinant;
use gmm_core::{Covariances, GaussianMixture};

/// The pairs whose merger costs least by the bound of Runnalls (2007): with weights a and b, together w, and S the covariance
/// of both together, ½ (w log|S| - a log|Σ₁| - b log|Σ₂|) nats per row bounds the Kullback-Leibler divergence from the mixture
/// before to the one after.
pub(super) fn cheapest(model: &GaussianMixture, n_pairs: usize) -> Vec<[usize; 2]> {
    let k = model.n_components();
    let matrices: Vec<Mat<f64>> = (0..k).map(|c| model.covariances().component(c)).collect();
    let sizes: Vec<f64> = (matrices.iter())
        .map(|m| log_determinant(m.as_ref()).unwrap_or(f64::NEG_INFINITY))
        .collect();
    let mut pairs: Vec<(f64, [usize; 2])> = Vec::new();
    for a in 0..k {
        for b in a + 1..k {
            let (wa, wb) = (model.weights()[a], model.weights()[b]);
            let together = pooled(model, &matrices, [a, b]);
            let Some(size) = log_determinant(together.as_ref()) else {
                continue;
            };
            let cost = 0.5 * ((wa + wb) * size - wa * sizes[a] - wb * sizes[b]);
            if cost.is_finite() {
                pairs.push((cost, [a, b]));
            }
        }
    }
    pairs.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
    pairs.truncate(n_pairs);
    pairs.into_iter().map(|(_, pair)| pair).collect()
}

/// Covariance of two components together: within plus between.
fn pooled(model: &GaussianMixture, matrices: &[Mat<f64>], [a, b]: [usize; 2]) -> Mat<f64> {
    let d = model.n_features();
    let [u, v] = shares(model, [a, b]);
    let delta = |j: usize| model.means()[(a, j)] - model.means()[(b, j)];
    Mat::from_fn(d, d, |i, j| {
        u * matrices[a][(i, j)] + v * matrices[b][(i, j)] + u * v * delta(i) * delta(j)
    })
}

fn shares(model: &GaussianMixture, [a, b]: [usize; 2]) -> [f64; 2] {
    let (wa, wb) = (model.weights()[a], model.weights()[b]);
    if wa + wb > 0.0 {
        [wa / (wa + wb), wb / (wa + wb)]
    } else {
        [0.5, 0.5]
    }
}

/// The mixture with two components replaced by one of the same mean and covariance, as far as the form allows. It stands in
/// the place of the first one; the last component takes that of the second.
pub(super) fn merged(model: &GaussianMixture, [a, b]: [usize; 2]) -> Option<GaussianMixture> {
    let (k, d, form) = (
        model.n_components(),
        model.n_features(),
        model.covariance_type(),
    );
    let [u, v] = shares(model, [a, b]);
    // Component c of the result is component `source(c)` of the model.
    let source = |c: usize| if c == b { k - 1 } else { c };
    let mut weights: Vec<f64> = (0..k - 1).map(|c| model.weights()[source(c)]).collect();
    weights[a] = model.weights()[a] + model.weights()[b];
    let mean = |c: usize, j: usize| model.means()[(c, j)];
    let means = Mat::from_fn(k - 1, d, |c, j| {
        if c == a {
            u * mean(a, j) + v * mean(b, j)
        } else {
            mean(source(c), j)
        }
    });
    let mut blocks = model.covariances().blocks().to_vec();
    if form.n_blocks(k) > 1 {
        let matrices: Vec<Mat<f64>> = (0..k).map(|c| model.covariances().component(c)).collect();
        let together = pooled(model, &matrices, [a, b]);
        blocks[a] = match blocks[a].len() {
            1 => vec![(0..d).map(|j| together[(j, j)]).sum::<f64>() / d as f64],
            n if n == d => (0..d).map(|j| together[(j, j)]).collect(),
            _ => (0..d * d).map(|e| together[(e / d, e % d)]).collect(),
        };
        blocks.swap_remove(b);
    }
    let covariances = Covariances::new(form, k - 1, d, blocks).ok()?;
    GaussianMixture::new_with_noise(weights, means, covariances, model.noise()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::CovarianceType;
    use gmm_core::faer::mat;

    /// Three components on a line; the first and the last are near each other.
    fn three(form: CovarianceType) -> GaussianMixture {
        let blocks = (0..form.n_blocks(3))
            .map(|b| {
                let v = 1.0 + 0.5 * b as f64;
                match form.block_len(2) {
                    1 => vec![v],
                    2 => vec![v, 2.0],
                    _ => vec![v, 0.25, 0.25, 2.0],
                }
            })
            .collect();
        let covariances = Covariances::new(form, 3, 2, blocks).unwrap();
        let means = mat![[0.0, 0.0], [9.0, 1.0], [1.0, 0.5]];
        GaussianMixture::new(vec![0.25, 0.5, 0.25], means, covariances).unwrap()
    }

    #[test]
    fn near_components_are_the_cheapest_to_merge() {
        for form in CovarianceType::ALL {
            let pairs = cheapest(&three(form), 2);
            assert_eq!(pairs[0], [0, 2], "{form}");
            assert_eq!(pairs.len(), 2);
        }
    }

    #[test]
    fn a_merger_keeps_weight_and_mean_and_with_full_covariances_the_spread() {
        for form in CovarianceType::ALL {
            let before = three(form);
            let after = merged(&before, [0, 2]).unwrap();
            assert_eq!(after.n_components(), 2);
            assert_eq!(after.weights(), [0.5, 0.5]);
            // Sums of halves and quarters, without rounding.
            assert!(after.means() == mat![[0.5, 0.25], [9.0, 1.0]]);
            if form == CovarianceType::Full {
                // Overall mean and covariance are what they were; all numbers are of size 20 at the most.
                let (a, b) = (before.covariance(), after.covariance());
                for (i, j) in [(0, 0), (1, 0), (1, 1)] {
                    assert!((a[(i, j)] - b[(i, j)]).abs() < 1e-13);
                }
            }
        }
    }

    #[test]
    fn the_last_component_takes_the_free_place() {
        let after = merged(&three(CovarianceType::Diag), [0, 1]).unwrap();
        assert!(after.means().row(1) == mat![[1.0, 0.5]].row(0));
        assert_eq!(after.covariances().variances(1), [2.0, 2.0]);
    }

    /// What a component of weight 0 is merged with stays as it is; two of them meet half way.
    #[test]
    fn dead_components_have_no_say() {
        let with = |weights: [f64; 3]| {
            let model = three(CovarianceType::Full);
            let means = model.means().to_owned();
            GaussianMixture::new(weights.to_vec(), means, model.covariances().clone()).unwrap()
        };
        let before = with([0.5, 0.5, 0.0]);
        let after = merged(&before, [0, 2]).unwrap();
        assert_eq!(after.weights(), [0.5, 0.5]);
        assert!(after.means().row(0) == before.means().row(0));
        assert_eq!(after.covariances().block(0), before.covariances().block(0));
        let after = merged(&with([0.0, 1.0, 0.0]), [0, 2]).unwrap();
        assert!(after.means().row(0) == mat![[0.5, 0.25]].row(0));
    }
}
