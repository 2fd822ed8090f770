//! A mixture with one dense covariance matrix per component, and what follows from its definition.

use std::fmt;

use super::density::{log_gaussian_with_factor, log_sum_exp, softmax, squared_distance};
use super::linalg::cholesky;
use super::sum::exact_dot;

/// The form of the covariance matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// Any matrix for each component (VVV).
    Full,
    /// One matrix for all components (EEE).
    Tied,
    /// A diagonal matrix for each component (VVI).
    Diag,
    /// A multiple of the identity for each component (VII).
    Spherical,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Full, Self::Tied, Self::Diag, Self::Spherical];

    /// The name in lower case, as scikit-learn writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Tied => "tied",
            Self::Diag => "diag",
            Self::Spherical => "spherical",
        }
    }

    /// The name in mclust's letters.
    pub fn mclust_name(self) -> &'static str {
        match self {
            Self::Full => "VVV",
            Self::Tied => "EEE",
            Self::Diag => "VVI",
            Self::Spherical => "VII",
        }
    }

    /// The form of either name; `None` for any other word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|form| form.name() == name || form.mclust_name() == name)
    }

    /// Free parameters of K components in D dimensions: K D of the means, K - 1 of the weights, and the covariances'.
    pub fn n_free_parameters(self, k: usize, d: usize) -> usize {
        let covariances = match self {
            Self::Full => k * d * (d + 1) / 2,
            Self::Tied => d * (d + 1) / 2,
            Self::Diag => k * d,
            Self::Spherical => k,
        };
        k * d + k - 1 + covariances
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// p(x) = Σₖ πₖ N(x; μₖ, Σₖ).
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// What the covariance matrices have in common; densities don't depend on it, the M-step does.
    pub form: Form,
    /// πₖ.
    pub weights: Vec<f64>,
    /// μₖ, each of D numbers.
    pub means: Vec<Vec<f64>>,
    /// Σₖ as rows; equal for all components if the form is tied.
    pub covariances: Vec<Vec<Vec<f64>>>,
}

impl Mixture {
    /// A mixture from parameters as the form stores them: see [`dense_covariances`].
    pub fn from_blocks(
        form: Form,
        weights: &[f64],
        means: &[Vec<f64>],
        blocks: &[Vec<f64>],
    ) -> Self {
        let n_features = means.first().map_or(0, Vec::len);
        Self {
            form,
            weights: weights.to_vec(),
            means: means.to_vec(),
            covariances: dense_covariances(form, blocks, means.len(), n_features),
        }
    }

    /// The covariances as the form stores them, the inverse of [`dense_covariances`].
    pub fn blocks(&self) -> Vec<Vec<f64>> {
        let diagonal = |c: &Vec<Vec<f64>>| (0..c.len()).map(|i| c[i][i]).collect();
        match self.form {
            Form::Full => self.covariances.iter().map(|c| c.concat()).collect(),
            Form::Tied => self
                .covariances
                .iter()
                .take(1)
                .map(|c| c.concat())
                .collect(),
            Form::Diag => self.covariances.iter().map(diagonal).collect(),
            Form::Spherical => self.covariances.iter().map(|c| vec![c[0][0]]).collect(),
        }
    }

    /// K.
    pub fn n_components(&self) -> usize {
        self.weights.len()
    }

    /// D.
    pub fn n_features(&self) -> usize {
        self.means.first().map_or(0, Vec::len)
    }

    /// Whether every covariance matrix has a Cholesky factor; if not, densities panic.
    pub fn is_positive_definite(&self) -> bool {
        self.covariances.iter().all(|c| cholesky(c).is_some())
    }

    /// log N(xᵢ; μₖ, Σₖ), n_samples x n_components.
    ///
    /// # Panics
    /// If a covariance matrix is not positive definite.
    pub fn log_gauss(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let factors = self.factors();
        self.for_each_pair(x, |row, k| {
            log_gaussian_with_factor(row, &self.means[k], &factors[k])
        })
    }

    /// log πₖ + log N(xᵢ; μₖ, Σₖ), n_samples x n_components; -inf for a component of weight 0.
    ///
    /// # Panics
    /// As [`Mixture::log_gauss`].
    pub fn log_joint(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let factors = self.factors();
        self.for_each_pair(x, |row, k| {
            self.weights[k].ln() + log_gaussian_with_factor(row, &self.means[k], &factors[k])
        })
    }

    /// log p(xᵢ).
    ///
    /// # Panics
    /// As [`Mixture::log_gauss`].
    pub fn log_density(&self, x: &[Vec<f64>]) -> Vec<f64> {
        self.log_joint(x)
            .iter()
            .map(|row| log_sum_exp(row))
            .collect()
    }

    /// rᵢₖ = πₖ N(xᵢ; μₖ, Σₖ) / p(xᵢ), n_samples x n_components; 0 in rows where p(xᵢ) underflows even as a logarithm.
    ///
    /// # Panics
    /// As [`Mixture::log_gauss`].
    pub fn responsibilities(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        self.log_odds(x).iter().map(|row| softmax(row)).collect()
    }

    /// log rᵢₖ, n_samples x n_components; NaN in rows where p(xᵢ) underflows even as a logarithm.
    ///
    /// # Panics
    /// As [`Mixture::log_gauss`].
    pub fn log_responsibilities(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let mut odds = self.log_odds(x);
        for row in &mut odds {
            let total = log_sum_exp(row);
            row.iter_mut().for_each(|value| *value -= total);
        }
        odds
    }

    /// log πₖ + log N(xᵢ; μₖ, Σₖ) - log N(μ₁; μ₁, Σ₁): the log-joint density but for a constant of the mixture.
    ///
    /// What all components have in common cancels in the responsibilities, and had better not be added first: for data of
    /// scale 1e150 it is 690, and rounding at that size costs three digits.
    fn log_odds(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let factors = self.factors();
        let constants: Vec<f64> = (factors.iter().zip(&self.weights))
            .map(|(l, weight)| {
                let pivots = (0..l.len()).map(|i| (l[i][i] / factors[0][i][i]).ln());
                weight.ln() - pivots.sum::<f64>()
            })
            .collect();
        self.for_each_pair(x, |row, k| {
            constants[k] - 0.5 * squared_distance(row, &self.means[k], &factors[k])
        })
    }

    fn factors(&self) -> Vec<Vec<Vec<f64>>> {
        self.covariances
            .iter()
            .map(|c| cholesky(c).expect("the covariance matrix must be positive definite"))
            .collect()
    }

    fn for_each_pair(&self, x: &[Vec<f64>], value: impl Fn(&[f64], usize) -> f64) -> Vec<Vec<f64>> {
        x.iter()
            .map(|row| (0..self.n_components()).map(|k| value(row, k)).collect())
            .collect()
    }

    /// The component of the largest responsibility, the first one of equals.
    ///
    /// # Panics
    /// As [`Mixture::log_gauss`].
    pub fn predict(&self, x: &[Vec<f64>]) -> Vec<usize> {
        let first_largest = |row: &Vec<f64>| {
            (0..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best })
        };
        self.log_joint(x).iter().map(first_largest).collect()
    }

    /// Σᵢ sᵢ log p(xᵢ); every sample weight sᵢ is 1 if there are none. A row of weight 0 does not count, even at -inf.
    ///
    /// # Panics
    /// As [`Mixture::log_gauss`].
    pub fn log_likelihood(&self, x: &[Vec<f64>], sample_weights: Option<&[f64]>) -> f64 {
        let weight = |i: usize| sample_weights.map_or(1.0, |s| s[i]);
        let (weights, log_density): (Vec<f64>, Vec<f64>) = self
            .log_density(x)
            .into_iter()
            .enumerate()
            .map(|(i, log_density)| (weight(i), log_density))
            .filter(|(weight, _)| *weight > 0.0)
            .unzip();
        exact_dot(&weights, &log_density)
    }
}

/// K dense D x D matrices from the numbers that a form stores: K blocks of D*D (full, row by row), one block of D*D (tied),
/// K blocks of D (diag), K blocks of 1 (spherical).
pub fn dense_covariances(
    form: Form,
    blocks: &[Vec<f64>],
    n_components: usize,
    n_features: usize,
) -> Vec<Vec<Vec<f64>>> {
    let d = n_features;
    (0..n_components)
        .map(|k| {
            let entry = |i: usize, j: usize| match form {
                Form::Full => blocks[k][i * d + j],
                Form::Tied => blocks[0][i * d + j],
                Form::Diag if i == j => blocks[k][i],
                Form::Spherical if i == j => blocks[k][0],
                Form::Diag | Form::Spherical => 0.0,
            };
            (0..d)
                .map(|i| (0..d).map(|j| entry(i, j)).collect())
                .collect()
        })
        .collect()
}

/// The diagonals of the covariance matrices, n_components x n_features, from the numbers that a form stores.
pub fn variances(
    form: Form,
    blocks: &[Vec<f64>],
    n_components: usize,
    n_features: usize,
) -> Vec<Vec<f64>> {
    dense_covariances(form, blocks, n_components, n_features)
        .iter()
        .map(|c| (0..n_features).map(|i| c[i][i]).collect())
        .collect()
}
