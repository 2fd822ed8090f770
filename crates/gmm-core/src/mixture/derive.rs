//! What a mixture implies: marginals, conditionals, overall mean and covariance.

use faer::Mat;

use super::GaussianMixture;
use crate::cholesky::Cholesky;
use crate::covariance::{Structure, symmetric};
use crate::{CovarianceType, Covariances, Error};

impl GaussianMixture {
    /// The mixture of some of the features, in the given order: rows and columns of the means and covariances.
    ///
    /// Parts of proportional matrices are proportional (EEE, VEE, EEI, VEI) and circles stay circles; of the other forms the marginal is
    /// diagonal or full, since equal volumes and common axes are those of all features together.
    ///
    /// # Errors
    /// [`Error::FeatureIndex`] if the list is empty, repeats a feature or names one that is not there;
    /// [`Error::NotPositiveDefinite`] if rounding leaves a part of a nearly singular matrix without variance; [`Error::Noise`]: the volume of
    /// noise in some of the features is not known.
    pub fn marginal(&self, features: &[usize]) -> Result<Self, Error> {
        self.refuse_noise("marginal")?;
        let d = self.n_features();
        check_features(features, d)?;
        let m = features.len();
        let blocks = self.covariances.blocks().iter().map(|block| {
            match self.covariance_type().structure() {
                Structure::Dense => features
                    .iter()
                    .flat_map(|&i| features.iter().map(move |&j| block[i * d + j]))
                    .collect(),
                Structure::Diagonal => features.iter().map(|&j| block[j]).collect(),
                Structure::Isotropic => block.clone(),
            }
        });
        let form = self.covariance_type().of_part();
        let covariances = Covariances::new(form, self.n_components(), m, blocks.collect())?;
        let means = Mat::from_fn(self.n_components(), m, |k, j| self.means[(k, features[j])]);
        Ok(Self {
            proportions: self.proportions,
            ..Self::new(self.weights.clone(), means, covariances)?
        })
    }

    /// The mixture of the remaining features (in their order) given values of some: p(x_rest | x_given).
    ///
    /// With a = rest and b = given, component k has the mean μₐ + Σₐᵦ Σᵦᵦ⁻¹ (xᵦ - μᵦ), the covariance
    /// Σₐₐ - Σₐᵦ Σᵦᵦ⁻¹ Σᵦₐ, and a weight proportional to πₖ N(xᵦ; μᵦ, Σᵦᵦ) (Bishop 2006, §2.3.1).
    ///
    /// # Errors
    /// [`Error::FeatureIndex`] if `given` is empty, repeats a feature, names one that is not there, or leaves none;
    /// [`Error::ConditionValue`]; [`Error::Mean`] if a conditional mean overflows; [`Error::NotPositiveDefinite`] if what remains has no variance left in double precision;
    /// [`Error::Noise`] as for [`marginal`](Self::marginal).
    pub fn conditional(&self, given: &[(usize, f64)]) -> Result<Self, Error> {
        self.refuse_noise("conditional")?;
        let d = self.n_features();
        let known: Vec<usize> = given.iter().map(|g| g.0).collect();
        check_features(&known, d)?;
        if let Some(&(feature, value)) = given.iter().find(|g| !g.1.is_finite()) {
            return Err(Error::ConditionValue { feature, value });
        }
        let rest: Vec<usize> = (0..d).filter(|j| !known.contains(j)).collect();
        check_features(&rest, d)?;
        let values = Mat::from_fn(1, known.len(), |_, j| given[j].1);
        let r = self.marginal(&known)?.responsibilities(&values)?;
        // The responsibilities sum to 1 up to rounding.
        let weights = (0..self.n_components()).map(|k| r[(0, k)]).collect();

        if self.covariance_type().structure() != Structure::Dense {
            // Features are independent within a component: only the weights change.
            let marginal = self.marginal(&rest)?;
            return Self::new(weights, marginal.means, marginal.covariances);
        }
        let mut means = Mat::zeros(self.n_components(), rest.len());
        let mut blocks = Vec::new();
        for k in 0..self.n_components() {
            let entry = |i: usize, j: usize| self.covariances.entry(k, i, j);
            let known_block = symmetric(known.len(), |i, j| entry(known[i], known[j]));
            let factor = Cholesky::new(known.len(), &known_block).map_err(|pivot| {
                Error::NotPositiveDefinite {
                    component: k,
                    pivot: known[pivot],
                }
            })?;
            let whiten = |v: &dyn Fn(usize) -> f64| -> Vec<f64> {
                (0..known.len())
                    .map(|i| {
                        let entries = factor.inverse.row(i).iter();
                        entries.enumerate().map(|(j, w)| w * v(j)).sum()
                    })
                    .collect()
            };
            let residual = whiten(&|j| given[j].1 - self.means[(k, known[j])]);
            // Columns of L⁻¹ Σᵦₐ: the correction Σₐᵦ Σᵦᵦ⁻¹ Σᵦₐ is made of their inner products.
            let cross: Vec<Vec<f64>> = rest
                .iter()
                .map(|&a| whiten(&|j| entry(known[j], a)))
                .collect();
            let inner = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
            for (a, cross) in cross.iter().enumerate() {
                means[(k, a)] = self.means[(k, rest[a])] + inner(cross, &residual);
            }
            if k == 0 || self.covariances.blocks().len() > 1 {
                let m = rest.len();
                blocks.push(
                    (0..m * m)
                        .map(|at| {
                            entry(rest[at / m], rest[at % m])
                                - inner(&cross[at / m], &cross[at % m])
                        })
                        .collect(),
                );
            }
        }
        let form = self.covariance_type().of_part();
        let covariances = Covariances::new(form, self.n_components(), rest.len(), blocks)?;
        Self::new(weights, means, covariances)
    }

    /// E\[x\] = Σₖ πₖ μₖ; of the components alone where there is noise, whose place is not known.
    pub fn mean(&self) -> Vec<f64> {
        let about_first = self.mean_about_first();
        (0..self.n_features())
            .map(|j| self.means[(0, j)] + about_first[j])
            .collect()
    }

    /// Cov\[x\] = Σₖ πₖ (Σₖ + (μₖ - μ)(μₖ - μ)'), within plus between the components; D x D. Of the components alone
    /// where there is noise.
    pub fn covariance(&self) -> Mat<f64> {
        let about_first = self.mean_about_first();
        // μ itself is rounded at the size of the means: at an offset of 1e10 that is 1e-6, which μₖ - μ would inherit.
        let centred =
            |k: usize, j: usize| (self.means[(k, j)] - self.means[(0, j)]) - about_first[j];
        Mat::from_fn(self.n_features(), self.n_features(), |i, j| {
            (0..self.n_components())
                .map(|k| {
                    let between = centred(k, i) * centred(k, j);
                    self.weights[k] * (self.covariances.entry(k, i, j) + between)
                })
                .sum::<f64>()
                / self.share()
        })
    }

    /// Σₖ πₖ (μₖ - μ₁): about the first mean, so that a common offset costs no digits.
    fn mean_about_first(&self) -> Vec<f64> {
        (0..self.n_features())
            .map(|j| {
                (0..self.n_components())
                    .map(|k| self.weights[k] * (self.means[(k, j)] - self.means[(0, j)]))
                    .sum::<f64>()
                    / self.share()
            })
            .collect()
    }

    /// What noise leaves to the components; without noise the weights sum to 1.
    fn share(&self) -> f64 {
        self.noise.map_or(1.0, |noise| 1.0 - noise.weight())
    }

    /// The same distribution with a matrix of its own for every component.
    ///
    /// # Errors
    /// None for a valid mixture; the signature is that of [`GaussianMixture::new`].
    pub fn to_full(&self) -> Result<Self, Error> {
        let (n, d) = (self.n_components(), self.n_features());
        let block = |k: usize| {
            (0..d * d)
                .map(|at| self.covariances.entry(k, at / d, at % d))
                .collect()
        };
        let covariances =
            Covariances::new(CovarianceType::Full, n, d, (0..n).map(block).collect())?;
        Ok(Self {
            proportions: self.proportions,
            ..Self::checked(
                self.weights.clone(),
                self.means.clone(),
                covariances,
                self.noise,
            )?
        })
    }
}

fn check_features(features: &[usize], n_features: usize) -> Result<(), Error> {
    let mut seen = vec![false; n_features];
    for &feature in features {
        if feature >= n_features || std::mem::replace(&mut seen[feature], true) {
            return Err(Error::FeatureIndex {
                feature,
                n_features,
            });
        }
    }
    if features.is_empty() {
        Err(Error::FeatureIndex {
            feature: 0,
            n_features,
        })
    } else {
        Ok(())
    }
}
