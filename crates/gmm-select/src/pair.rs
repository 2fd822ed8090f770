//! Two components of a mixture, by their parameters alone: how much they overlap, and whether they have a mode each.

use gmm_core::GaussianMixture;
use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;

/// Points at which the ridgeline is looked at, even in logit α from -[`REACH`] to [`REACH`]: α runs from 2e-16 to 1 - 2e-16, which is all that
/// double precision tells from the ends.
const N_POINTS: usize = 721;
const REACH: f64 = 36.0;

/// How two components of a mixture lie to each other.
///
/// In coordinates in which component a is N(0, I) and b is N(δ, diag λ):
///
/// * the Bhattacharyya distance is B = Σⱼ (δⱼ² / (4 (1 + λⱼ)) + ½ ln((1 + λⱼ) / (2 √λⱼ))) (Bhattacharyya 1943);
/// * with p and q the weights of the two divided by their sum and ρ = √(p q) e⁻ᴮ, the best rule that tells rows of the two apart errs with a
///   probability between (1 - √(1 - 4 ρ²)) / 2 and ρ (Kailath 1967);
/// * all modes of the two together lie on the ridgeline yⱼ(α) = α δⱼ / ((1 - α) λⱼ + α), 0 ≤ α ≤ 1, at points where α is the
///   responsibility of b (Ray and Lindsay 2005), so that counting modes is a search along one line, whatever the number of features.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Pair {
    /// The two components.
    pub components: (usize, usize),
    /// B in nats: 0 for equal components.
    pub bhattacharyya: f64,
    /// Bounds of the probability that the best rule assigns a row of the two to the wrong one.
    pub error_bounds: (f64, f64),
    /// Number of modes of the two components' density. One mode says that they may be one group that is not Gaussian: two
    /// components of equal weight and covariance have one up to a distance of two standard deviations.
    pub n_modes: usize,
}

impl Pair {
    /// Two components of a mixture; `None` where their eigenvalues can't be computed (not seen on valid mixtures).
    ///
    /// # Panics
    /// If a component is out of bounds.
    pub fn new(model: &GaussianMixture, a: usize, b: usize) -> Option<Self> {
        let axes = Axes::new(model, a, b)?;
        let (weight_a, weight_b) = (model.weights()[a], model.weights()[b]);
        let (p, q) = (
            weight_a / (weight_a + weight_b),
            weight_b / (weight_a + weight_b),
        );
        let bhattacharyya = axes.bhattacharyya();
        // Two components of weight 0 have no rows to be wrong about.
        let (p, q) = if p.is_finite() { (p, q) } else { (1.0, 0.0) };
        let rho = (p * q).sqrt() * (-bhattacharyya).exp();
        // (1 - √(1 - s)) / 2 without cancellation.
        let s = (4.0 * rho * rho).min(1.0);
        let low = 0.5 * s / (1.0 + (1.0 - s).sqrt());
        let n_modes = if p > 0.0 && q > 0.0 {
            axes.n_modes(q.ln() - p.ln())
        } else {
            1
        };
        Some(Self {
            components: (a, b),
            bhattacharyya,
            error_bounds: (low, rho),
            n_modes,
        })
    }

    /// All pairs of a mixture's components, the smaller number first.
    pub fn all(model: &GaussianMixture) -> Vec<Self> {
        let n = model.n_components();
        (0..n)
            .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
            .filter_map(|(a, b)| Self::new(model, a, b))
            .collect()
    }

    /// Of the pairs that have one mode together the one that overlaps most, and how many there are.
    pub fn of_one_mode(model: &GaussianMixture) -> Option<(Self, usize)> {
        let mut pairs = Self::all(model);
        pairs.retain(|pair| pair.n_modes == 1);
        let closest = (pairs.iter()).min_by(|a, b| a.bhattacharyya.total_cmp(&b.bhattacharyya))?;
        Some((*closest, pairs.len()))
    }
}

/// Coordinates in which component a is N(0, I) and b is N(δ, diag λ).
struct Axes {
    delta: Vec<f64>,
    lambda: Vec<f64>,
}

impl Axes {
    fn new(model: &GaussianMixture, a: usize, b: usize) -> Option<Self> {
        let d = model.n_features();
        let [first, second] = [a, b].map(|k| model.covariances().component(k));
        // In a's standard deviations, so that the units of the features don't matter.
        let scale: Vec<f64> = (0..d).map(|j| first[(j, j)].sqrt()).collect();
        let scaled = |m: &Mat<f64>| Mat::from_fn(d, d, |i, j| m[(i, j)] / scale[i] / scale[j]);
        let difference = Mat::from_fn(d, 1, |j, _| {
            (model.means()[(b, j)] - model.means()[(a, j)]) / scale[j]
        });
        let of_a = Eigen::new(scaled(&first).as_ref())?;
        // W = S^-½ U', so that W Σₐ W' = I.
        let whiten = Mat::from_fn(d, d, |e, j| of_a.vectors[(j, e)] / of_a.values[e].sqrt());
        let of_b = &whiten * scaled(&second) * whiten.transpose();
        let of_b = Eigen::new(of_b.as_ref())?;
        let delta = of_b.vectors.transpose() * (&whiten * difference);
        let delta: Vec<f64> = (0..d).map(|j| delta[(j, 0)]).collect();
        let is_regular = |v: &f64| *v > 0.0 && v.is_finite();
        (of_b.values.iter().all(is_regular) && delta.iter().all(|v| v.is_finite())).then_some(
            Self {
                delta,
                lambda: of_b.values,
            },
        )
    }

    fn bhattacharyya(&self) -> f64 {
        let axis = |(delta, lambda): (&f64, &f64)| {
            // (1 + λ) / (2 √λ) = 1 + (√λ - 1)² / (2 √λ).
            let root = lambda.sqrt();
            delta * delta / (4.0 * (1.0 + lambda))
                + 0.5 * ((root - 1.0).powi(2) / (2.0 * root)).ln_1p()
        };
        self.delta.iter().zip(&self.lambda).map(axis).sum()
    }

    /// Modes of the density of the two, the logarithm of b's weight against a's given.
    ///
    /// The density rises along the ridgeline where the responsibility of b is above α, which it is at α = 0 and isn't at α = 1: modes are
    /// where the sign of the difference of their logits turns from plus to minus.
    fn n_modes(&self, log_odds: f64) -> usize {
        let mut n_modes = 0;
        let mut rises = true;
        for point in 0..N_POINTS {
            let logit = REACH * (2.0 * point as f64 / (N_POINTS - 1) as f64 - 1.0);
            let now = log_odds + self.log_ratio(logit) > logit;
            n_modes += usize::from(rises && !now);
            rises = now;
        }
        n_modes + usize::from(rises)
    }

    /// ln φᵦ - ln φₐ at a point of the ridgeline.
    fn log_ratio(&self, logit: f64) -> f64 {
        // α and 1 - α to all digits each.
        let (alpha, rest) = (1.0 / (1.0 + (-logit).exp()), 1.0 / (1.0 + logit.exp()));
        let axis = |(delta, lambda): (&f64, &f64)| {
            let y = alpha * delta / (rest * lambda + alpha);
            // y - δ, without cancellation.
            let from_b = -rest * lambda * delta / (rest * lambda + alpha);
            0.5 * (y * y - from_b * from_b / lambda - lambda.ln())
        };
        self.delta.iter().zip(&self.lambda).map(axis).sum()
    }
}
