//! The M-step for a form and a regularizer: moments in, means and covariances out, with every repair reported.

use faer::Mat;

use super::full::symmetric;
use super::{CovarianceType, Covariances, Factor, Moments, Structure};
use crate::symmetric::Eigen;
use crate::{Error, GaussianMixture};

/// What keeps covariances away from singularity, in the coordinates of the moments.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Regularizer {
    /// Plain maximum likelihood.
    None,
    /// Maximum likelihood under the constraint Σₖ ⪰ diag(floor), one positive number per feature. The constrained maximum is known
    /// exactly: in coordinates where the floor is the identity, the eigenvalues of the sample covariance that are below 1
    /// become 1 (its derivation is that of the eigenvalue constraints of Ingrassia and Rocci 2007). So the likelihood never falls.
    Floor(Vec<f64>),
    /// Adds one number per feature to the diagonal; not the maximum of anything, so the likelihood may fall.
    Ridge(Vec<f64>),
    /// Maximum a posteriori under a conjugate prior.
    Prior(Prior),
}

/// The conjugate prior of Fraley and Raftery (2007): μₖ | Σₖ ~ N(μ₀, Σₖ/κ), Σₖ ~ inverse Wishart(ν, Λ), or inverse gamma
/// for diagonal and spherical covariances.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// κ: the number of observations that the prior mean is worth.
    pub shrinkage: f64,
    /// μ₀.
    pub mean: Vec<f64>,
    /// ν.
    pub degrees_of_freedom: f64,
    /// Λ as a block of the form's structure.
    pub scale: Vec<f64>,
}

impl Prior {
    /// One pseudo-observation per covariance matrix: Σ = (W + Ψ) / (N + 1) with Ψ = diag(`scale`), and no pull on the means.
    ///
    /// Its density is bounded, so that no component can collapse, and it counts for nothing beside many rows (Chen and Tan 2009).
    pub fn pseudo_observation(form: CovarianceType, n_components: usize, scale: &[f64]) -> Self {
        let d = scale.len();
        let block = match form.structure() {
            Structure::Dense => symmetric(d, |i, j| if i == j { scale[i] } else { 0.0 }),
            Structure::Diagonal => scale.to_vec(),
            Structure::Isotropic => vec![mean(scale)],
        };
        Self {
            shrinkage: 0.0,
            mean: vec![0.0; d],
            degrees_of_freedom: 1.0 - form.form().prior_count(0.0, n_components, d),
            scale: block,
        }
    }

    /// log p(μ, Σ) of all components up to a constant:
    /// -½ Σ over matrices of \[count · log|Σ| + tr Σ⁻¹Λ + κ Σₖ (μₖ - μ₀)'Σ⁻¹(μₖ - μ₀)\], the objective that [`maximize`] raises
    /// together with the log-likelihood.
    pub fn log_density(&self, model: &GaussianMixture) -> f64 {
        let covariances = model.covariances();
        let (form, d, n) = (covariances.form(), model.n_features(), model.n_components());
        let count = form.form().prior_count(self.degrees_of_freedom, n, d);
        let mut sum = 0.0;
        for (b, factor) in model.factors().iter().enumerate() {
            // A spherical covariance has one log σ² where |Σ| has D of them.
            let repeats = if form.structure() == Structure::Isotropic {
                d as f64
            } else {
                1.0
            };
            sum += count * 2.0 * factor.half_log_det_about(0) / repeats
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

/// A covariance that was held at the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The component (0 for a covariance that all components share).
    pub component: usize,
    /// Number of directions (eigenvalues, variances) at the floor.
    pub n_directions: usize,
}

/// Means and covariances of an M-step.
#[derive(Clone, Debug)]
pub struct Maximized {
    /// n_components x n_features.
    pub means: Mat<f64>,
    /// The covariances; positive definite unless the moments are singular and nothing regularizes.
    pub covariances: Covariances,
    /// What the floor held.
    pub repairs: Vec<Repair>,
}

/// The M-step: means and covariances that maximize the (regularized) expected log-likelihood given the moments.
///
/// `shifts` (row per component) is what the moments' means are relative to. All occupancies must be positive.
///
/// # Errors
/// [`Error::Floor`] for a floor that is not positive and finite, those of [`Covariances::new`] when moments leave the range of f64.
pub fn maximize(
    form: CovarianceType,
    shifts: &Mat<f64>,
    moments: &[Moments],
    regularizer: &Regularizer,
) -> Result<Maximized, Error> {
    let (n, d) = (moments.len(), shifts.ncols());
    let mut means = Mat::from_fn(n, d, |k, j| shifts[(k, j)] + moments[k].mean[j]);
    let implementation = form.form();
    let mut repairs = Vec::new();
    let mut blocks = if let Regularizer::Prior(prior) = regularizer {
        let shrunk: Vec<Moments> = moments
            .iter()
            .enumerate()
            .map(|(k, m)| shrink(m, prior, k, shifts, &mut means))
            .collect();
        let count = implementation.prior_count(prior.degrees_of_freedom, n, d);
        implementation.maximize(&shrunk, Some(&prior.scale), count)
    } else {
        implementation.maximize(moments, None, 0.0)
    };
    match regularizer {
        Regularizer::Floor(floor) => {
            let is_bad = |f: &f64| !(*f > 0.0 && f.is_finite());
            // One variance is held at the mean of the floors.
            let isotropic = implementation.structure() == Structure::Isotropic;
            if let Some(feature) = floor.iter().position(is_bad)
                && (!isotropic || is_bad(&mean(floor)))
            {
                let value = floor[feature];
                return Err(Error::Floor { feature, value });
            }
            for (component, block) in blocks.iter_mut().enumerate() {
                let n_directions = raise_to_floor(implementation.structure(), block, floor);
                if n_directions > 0 {
                    repairs.push(Repair {
                        component,
                        n_directions,
                    });
                }
            }
        }
        Regularizer::Ridge(ridge) => {
            blocks
                .iter_mut()
                .for_each(|block| add_to_diagonal(implementation.structure(), block, ridge));
        }
        Regularizer::None | Regularizer::Prior(_) => {}
    }
    let covariances = Covariances::new(form, n, d, blocks)?;
    Ok(Maximized {
        means,
        covariances,
        repairs,
    })
}

/// Moves a mean towards μ₀ and adds κN/(κ+N) (mean - μ₀)(mean - μ₀)' to the scatter.
fn shrink(
    m: &Moments,
    prior: &Prior,
    k: usize,
    shifts: &Mat<f64>,
    means: &mut Mat<f64>,
) -> Moments {
    let mut at_prior = Moments {
        occupancy: prior.shrinkage,
        mean: prior
            .mean
            .iter()
            .enumerate()
            .map(|(j, mu)| mu - shifts[(k, j)])
            .collect(),
        scatter: vec![0.0; m.scatter.len()],
    };
    // The prior mean acts as κ more observations at μ₀; they count in the mean, but not in the denominator of Σ.
    at_prior.merge(m);
    for j in 0..shifts.ncols() {
        means[(k, j)] = shifts[(k, j)] + at_prior.mean[j];
    }
    Moments {
        occupancy: m.occupancy,
        ..at_prior
    }
}

fn add_to_diagonal(structure: Structure, block: &mut [f64], ridge: &[f64]) {
    match structure {
        Structure::Dense => (0..ridge.len()).for_each(|j| block[j * ridge.len() + j] += ridge[j]),
        Structure::Diagonal => block.iter_mut().zip(ridge).for_each(|(v, r)| *v += r),
        Structure::Isotropic => block[0] += mean(ridge),
    }
}

/// Raises what lies below the floor to it; returns in how many directions.
fn raise_to_floor(structure: Structure, block: &mut [f64], floor: &[f64]) -> usize {
    let raise = |value: &mut f64, floor: f64| {
        let below = *value < floor;
        if below {
            *value = floor;
        }
        usize::from(below)
    };
    match structure {
        Structure::Dense => raise_eigenvalues(block, floor),
        Structure::Diagonal => block.iter_mut().zip(floor).map(|(v, f)| raise(v, *f)).sum(),
        // One variance can't respect a floor per feature; the mean keeps the unit and is the same after a rotation.
        Structure::Isotropic => raise(&mut block[0], mean(floor)),
    }
}

/// The blocks (components; block 0 for a covariance that all share) that violate Σ ⪰ diag(floor), the constraint of
/// [`Regularizer::Floor`].
pub fn blocks_below_floor(covariances: &Covariances, floor: &[f64]) -> Vec<usize> {
    let structure = covariances.form().structure();
    let blocks = covariances.blocks().iter().enumerate();
    blocks
        .filter(|(_, block)| raise_to_floor(structure, &mut (*block).clone(), floor) > 0)
        .map(|(b, _)| b)
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn raise_eigenvalues(block: &mut [f64], floor: &[f64]) -> usize {
    let d = floor.len();
    let sd: Vec<f64> = floor.iter().map(|f| f.sqrt()).collect();
    let entry = |i: usize, j: usize| block[i * d + j] / sd[i] / sd[j];
    // Σ ⪰ floor exactly when Σ - floor has a Cholesky factor: much cheaper than eigenvalues in every iteration.
    let above = Mat::from_fn(d, d, |i, j| entry(i, j) - f64::from(u8::from(i == j)));
    if crate::cholesky::Cholesky::new(above.as_ref()).is_ok() {
        return 0;
    }
    let scaled = Mat::from_fn(d, d, entry);
    let Some(Eigen { values, vectors }) = Eigen::new(scaled.as_ref()) else {
        // Not seen on finite matrices; the diagonal above the floor is a valid covariance.
        let variances: Vec<f64> = (0..d).map(|i| entry(i, i).max(1.0) * floor[i]).collect();
        block.copy_from_slice(&symmetric(
            d,
            |i, j| if i == j { variances[i] } else { 0.0 },
        ));
        return d;
    };
    let n_directions = (0..d).filter(|&i| values[i] < 1.0).count();
    if n_directions > 0 {
        let raised: Vec<f64> = (0..d).map(|i| values[i].max(1.0)).collect();
        let product = |i: usize, j: usize| {
            (0..d)
                .map(|a| vectors[(i, a)] * raised[a] * vectors[(j, a)])
                .sum::<f64>()
        };
        block.copy_from_slice(&symmetric(d, |i, j| product(i, j) * sd[i] * sd[j]));
    }
    n_directions
}
