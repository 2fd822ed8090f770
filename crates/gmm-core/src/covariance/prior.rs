//! The conjugate prior: what it adds to the moments, and its density.

use faer::Mat;

use super::{CovarianceType, Factor, Moments, Structure, symmetric};
use crate::GaussianMixture;

/// The conjugate prior of Fraley and Raftery (2007): μₖ | Σₖ ~ N(μ₀, Σₖ/κ), Σₖ ~ inverse Wishart(ν, Λ), or inverse gamma
/// for diagonal and spherical covariances. Each matrix that the form stores has one; where volume, shape or orientation are
/// shared, the mode is taken among the matrices of the form.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// κ: the number of observations that the prior mean is worth.
    pub shrinkage: f64,
    /// μ₀.
    pub mean: Vec<f64>,
    /// How many observations the prior of one stored matrix counts for: c in |Σ|^(-c/2), the mean's part included; see
    /// [`Prior::conjugate`].
    pub count: f64,
    /// Λ as a block of the form's structure.
    pub scale: Vec<f64>,
}

impl Prior {
    /// The prior of ν degrees of freedom and scale Λ (a block of the form's structure).
    ///
    /// Its densities count for ν + D + 1 observations (dense matrices), ν + 2 (a variance per feature) or (ν + 2) / D (one variance, where |Σ|
    /// has D), and for one more per mean. The paper has no prior for forms of shared shape and own volumes; mclust's is taken: VEI counts
    /// for (ν + 3) / D, VEV for none.
    pub fn conjugate(
        form: CovarianceType,
        n_components: usize,
        shrinkage: f64,
        mean: Vec<f64>,
        degrees_of_freedom: f64,
        scale: Vec<f64>,
    ) -> Self {
        let (nu, d) = (degrees_of_freedom, mean.len() as f64);
        let n_means = if form.is_shared() {
            n_components as f64
        } else {
            1.0
        };
        let count = match (form, form.structure()) {
            (CovarianceType::Vei, _) => (nu + 2.0 + n_means) / d,
            (CovarianceType::Vev, _) => 0.0,
            (_, Structure::Dense) => nu + d + 1.0 + n_means,
            (_, Structure::Diagonal) => nu + 2.0 + n_means,
            (_, Structure::Isotropic) => (nu + 2.0) / d + n_means,
        };
        Self {
            shrinkage,
            mean,
            count,
            scale,
        }
    }

    /// One pseudo-observation per covariance matrix: Σ = (W + Ψ) / (N + 1) with Ψ = diag(`scale`), and no pull on the means.
    ///
    /// Its density is bounded, so that no component can collapse, and it counts for nothing beside many rows (Chen and Tan 2009).
    pub fn pseudo_observation(form: CovarianceType, scale: &[f64]) -> Self {
        let d = scale.len();
        Self {
            shrinkage: 0.0,
            mean: vec![0.0; d],
            count: 1.0,
            scale: match form.structure() {
                Structure::Dense => symmetric(d, |i, j| if i == j { scale[i] } else { 0.0 }),
                Structure::Diagonal => scale.to_vec(),
                Structure::Isotropic => vec![scale.iter().sum()],
            },
        }
    }

    /// The moments with the prior's share, and the means that it moves: κ more observations at μ₀, which count in the mean and
    /// in the scatter, and the scatter Λ of `count` observations for each matrix.
    pub(super) fn join(
        &self,
        form: CovarianceType,
        moments: &[Moments],
        shifts: &Mat<f64>,
        means: &mut Mat<f64>,
    ) -> Vec<Moments> {
        let d = shifts.ncols();
        let own = Moments {
            occupancy: self.count,
            mean: vec![0.0; d],
            scatter: self.scatter(form.structure(), d),
        };
        let mut joined: Vec<Moments> = (moments.iter().enumerate())
            .map(|(k, m)| self.shrink(m, k, shifts, means))
            .collect();
        if form.is_shared() {
            joined.push(own);
        } else {
            for m in &mut joined {
                m.occupancy += own.occupancy;
                m.scatter
                    .iter_mut()
                    .zip(&own.scatter)
                    .for_each(|(s, o)| *s += o);
            }
        }
        joined
    }

    /// Λ as a scatter: a packed triangle, or a diagonal (of which one variance only sees the sum).
    fn scatter(&self, structure: Structure, d: usize) -> Vec<f64> {
        match structure {
            Structure::Dense => (0..d)
                .flat_map(|i| (0..=i).map(move |j| (i, j)))
                .map(|(i, j)| self.scale[i * d + j])
                .collect(),
            Structure::Diagonal => self.scale.clone(),
            Structure::Isotropic => {
                let mut scatter = vec![0.0; d];
                scatter[0] = self.scale[0];
                scatter
            }
        }
    }

    /// Moves a mean towards μ₀ and adds κN/(κ+N) (mean - μ₀)(mean - μ₀)' to the scatter.
    fn shrink(&self, m: &Moments, k: usize, shifts: &Mat<f64>, means: &mut Mat<f64>) -> Moments {
        let mut at_prior = Moments {
            occupancy: self.shrinkage,
            mean: (self.mean.iter().enumerate())
                .map(|(j, mu)| mu - shifts[(k, j)])
                .collect(),
            scatter: vec![0.0; m.scatter.len()],
        };
        at_prior.merge(m);
        for j in 0..shifts.ncols() {
            means[(k, j)] = shifts[(k, j)] + at_prior.mean[j];
        }
        Moments {
            occupancy: m.occupancy,
            ..at_prior
        }
    }

    /// log p(μ, Σ) of all components up to a constant:
    /// -½ Σ over matrices of \[count · log|Σ| + tr Σ⁻¹Λ + κ Σₖ (μₖ - μ₀)'Σ⁻¹(μₖ - μ₀)\], the objective that [`maximize`](super::maximize())
    /// raises together with the log-likelihood.
    pub fn log_density(&self, model: &GaussianMixture) -> f64 {
        let covariances = model.covariances();
        let (form, d, n) = (covariances.form(), model.n_features(), model.n_components());
        let mut sum = 0.0;
        for (b, factor) in model.factors().iter().enumerate() {
            sum += self.count * 2.0 * factor.half_log_det_about(0)
                + self.trace(form.structure(), d, factor);
            for k in (0..n).filter(|&k| model.factors().len() == 1 || k == b) {
                let mut z: Vec<f64> = (0..d)
                    .map(|j| model.means()[(k, j)] - self.mean[j])
                    .collect();
                factor.whiten(&mut z);
                sum += self.shrinkage * z.iter().map(|z| z * z).sum::<f64>();
            }
        }
        -0.5 * sum
    }

    /// tr Σ⁻¹Λ = tr W Λ W'.
    fn trace(&self, structure: Structure, d: usize, factor: &Factor) -> f64 {
        match structure {
            Structure::Dense => {
                let mut columns: Vec<Vec<f64>> =
                    self.scale.chunks_exact(d).map(<[f64]>::to_vec).collect();
                columns.iter_mut().for_each(|c| factor.whiten(c));
                (0..d)
                    .map(|i| {
                        let mut row: Vec<f64> = columns.iter().map(|c| c[i]).collect();
                        factor.whiten(&mut row);
                        row[i]
                    })
                    .sum()
            }
            Structure::Diagonal | Structure::Isotropic => {
                let mut unit = vec![1.0; self.scale.len()];
                factor.whiten(&mut unit);
                unit.iter().zip(&self.scale).map(|(w, s)| w * w * s).sum()
            }
        }
    }
}
