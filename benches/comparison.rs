//! The workloads on which we and other systems are compared: their rows, and the one start that all begin from.
//!
//! `cargo xtask bench --peers` generates them once and keeps them as files; [`RECIPE`] tells old files from new ones.

use std::error::Error;
use std::fs::File;

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture};
use gmm_em::Em;
use gmm_io::table::{CsvOptions, TextColumns, read_csv};
use gmm_testkit::data;
use gmm_testkit::naive::{Form, Mixture};
use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, StandardNormal};

use crate::Workload;

/// The version of this file's recipes: another number has the files of the comparison generated anew.
pub const RECIPE: u32 = 1;

/// A workload of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Its name, such as "W2".
    pub name: &'static str,
    /// Rows, features, components and form.
    pub workload: Workload,
    /// What else there is to say of it, in a word; mostly nothing.
    pub remark: &'static str,
    /// What is measured.
    pub measure: Measure,
    /// Whether probabilities of the rows are measured, too.
    pub predicts: bool,
    rows: Rows,
}

/// What is measured on a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// One EM iteration: the difference of fits of so many, a few and more, so that checks and start cancel.
    Iteration([usize; 2]),
    /// A whole call of so many iterations, with all that surrounds them: what counts for small data.
    Call(usize),
}

/// Where the rows come from, and the start with them.
#[derive(Clone, Copy, Debug)]
enum Rows {
    /// Drawn from a mixture of dense covariances whose means are about `distance` standard deviations apart. The start
    /// is K of the rows, each with the covariance of the whole table.
    Drawn { seed: u64, distance: f64 },
    /// As `Drawn`, but the start is the mixture itself: what the later iterations of a fit look like. Among hundreds of
    /// rows as means there is an outlier, on which a component soon collapses.
    Settled { seed: u64, distance: f64 },
    /// The 150 irises. The start is as for `Drawn`.
    Iris,
}

/// Means this far apart leave some rows uncertain and most of them clear.
const MODERATE: f64 = 6.0;

/// Iterations of the two fits whose difference is measured.
const USUAL: [usize; 2] = [2, 6];
/// Where groups are far apart, systems reach a limit, to the last bit, in three iterations, and stop.
const UNTIL_THE_LIMIT: [usize; 2] = [1, 3];

/// All workloads: few and many features and components, each form, and a table so small that a fit is all overhead.
pub const ALL: [Comparison; 11] = [
    drawn("W1", [1_000_000, 2, 8], CovarianceType::Full, 1, MODERATE).predicting(),
    drawn("W2", [100_000, 16, 16], CovarianceType::Full, 2, MODERATE).predicting(),
    drawn("W3", [100_000, 64, 16], CovarianceType::Full, 3, MODERATE),
    drawn("W4", [1_000_000, 16, 32], CovarianceType::Diag, 4, MODERATE),
    drawn("W5", [20_000, 256, 8], CovarianceType::Full, 5, MODERATE),
    Comparison {
        remark: "overlapping",
        ..settled("W6", [100_000, 16, 256], CovarianceType::Full, 6, 3.0)
    },
    Comparison {
        remark: "separated",
        ..settled("W6s", [100_000, 16, 256], CovarianceType::Full, 6, 12.0)
    },
    Comparison {
        remark: "far apart",
        measure: Measure::Iteration(UNTIL_THE_LIMIT),
        ..settled("W6f", [100_000, 16, 256], CovarianceType::Full, 6, 20.0)
    },
    Comparison {
        remark: "25 iterations",
        measure: Measure::Call(25),
        rows: Rows::Iris,
        ..drawn("W7", [150, 4, 3], CovarianceType::Full, 7, 0.0)
    },
    drawn("W8", [100_000, 16, 16], CovarianceType::Tied, 2, MODERATE),
    drawn(
        "W9",
        [100_000, 16, 16],
        CovarianceType::Spherical,
        2,
        MODERATE,
    ),
];

const fn drawn(
    name: &'static str,
    [n_samples, n_features, n_components]: [usize; 3],
    form: CovarianceType,
    seed: u64,
    distance: f64,
) -> Comparison {
    Comparison {
        name,
        workload: Workload {
            n_samples,
            n_features,
            n_components,
            form,
        },
        remark: "",
        measure: Measure::Iteration(USUAL),
        predicts: false,
        rows: Rows::Drawn { seed, distance },
    }
}

const fn settled(
    name: &'static str,
    sizes: [usize; 3],
    form: CovarianceType,
    seed: u64,
    distance: f64,
) -> Comparison {
    Comparison {
        rows: Rows::Settled { seed, distance },
        ..drawn(name, sizes, form, seed, distance)
    }
}

/// Rows and a start as those of W6, with means at this distance and of these sizes.
///
/// # Errors
/// When the mixture can't be built, which it always can.
pub fn separated_by(
    distance: f64,
    sizes: [usize; 3],
) -> Result<(Mat<f64>, GaussianMixture), Box<dyn Error>> {
    settled("", sizes, CovarianceType::Full, 6, distance).generate()
}

impl Comparison {
    /// The workload of a name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|comparison| comparison.name == name)
    }

    /// The rows and the start, the same bits for each call.
    ///
    /// # Errors
    /// When `data/iris.csv` can't be read.
    pub fn generate(&self) -> Result<(Mat<f64>, GaussianMixture), Box<dyn Error>> {
        match self.rows {
            Rows::Iris => {
                let x = iris()?;
                let start = self.start(&x, 7)?;
                Ok((x, start))
            }
            Rows::Drawn { seed, distance } => {
                let x = data::draw(&self.mixture(seed, distance), self.workload.n_samples, seed).x;
                let start = self.start(&x, seed)?;
                Ok((x, start))
            }
            Rows::Settled { seed, distance } => {
                let truth = self.mixture(seed, distance);
                let covariances = Covariances::new(
                    self.workload.form,
                    truth.n_components(),
                    truth.n_features(),
                    truth.blocks(),
                )?;
                let means = gmm_testkit::matrix(&truth.means);
                let start = GaussianMixture::new(truth.weights.clone(), means, covariances)?;
                Ok((data::draw(&truth, self.workload.n_samples, seed).x, start))
            }
        }
    }

    const fn predicting(self) -> Self {
        Self {
            predicts: true,
            ..self
        }
    }

    /// A mixture with weights within a factor of 3 and means from a normal distribution.
    fn mixture(&self, seed: u64, distance: f64) -> Mixture {
        let Workload {
            n_features: d,
            n_components: k,
            ..
        } = self.workload;
        // The rows are drawn with the seed itself.
        let mut rng = data::generator(seed ^ 0xC0DE);
        let shares: Vec<f64> = (0..k).map(|_| 0.5 + rng.random::<f64>()).collect();
        let total: f64 = shares.iter().sum();
        // The squared distance of two such means is 2 D times the variance on average.
        let scale = distance / (2.0 * d as f64).sqrt();
        Mixture {
            form: Form::Full,
            weights: shares.iter().map(|share| share / total).collect(),
            means: (0..k)
                .map(|_| normal(&mut rng, d).iter().map(|z| scale * z).collect())
                .collect(),
            covariances: (0..k).map(|_| covariance(&mut rng, d)).collect(),
        }
    }

    /// K different rows as means, all with the covariance of the whole table and the same weight.
    fn start(&self, x: &Mat<f64>, seed: u64) -> Result<GaussianMixture, Box<dyn Error>> {
        let Workload {
            n_samples,
            n_features,
            n_components,
            form,
        } = self.workload;
        let mut rng = data::generator(seed ^ 0x57A7);
        let mut chosen: Vec<usize> = Vec::with_capacity(n_components);
        while chosen.len() < n_components {
            let row = (rng.random::<f64>() * n_samples as f64) as usize;
            if !chosen.contains(&row) {
                chosen.push(row);
            }
        }
        // One component has a closed form: mean and covariance of the table.
        let whole = Em::new(1).covariance(form).fit(x)?.into_model();
        let n_blocks = form.n_blocks(n_components);
        let blocks = vec![whole.covariances().blocks()[0].clone(); n_blocks];
        Ok(GaussianMixture::new(
            vec![1.0 / n_components as f64; n_components],
            Mat::from_fn(n_components, n_features, |k, j| x[(chosen[k], j)]),
            Covariances::new(form, n_components, n_features, blocks)?,
        )?)
    }
}

fn iris() -> Result<Mat<f64>, Box<dyn Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/iris.csv");
    let options = CsvOptions::default().text_columns(TextColumns::Leave);
    Ok(read_csv(File::open(path)?, &options)?.values)
}

fn normal(rng: &mut impl Rng, n: usize) -> Vec<f64> {
    (0..n).map(|_| StandardNormal.sample(rng)).collect()
}

/// H Λ H with variances Λ between 0.3 and 3 and a random reflection H = I - 2 v v': dense, with known eigenvalues.
fn covariance(rng: &mut impl Rng, d: usize) -> Vec<Vec<f64>> {
    let variances: Vec<f64> = (0..d)
        .map(|_| 0.3 * 10f64.powf(rng.random::<f64>()))
        .collect();
    let v = normal(rng, d);
    let squared_length: f64 = v.iter().map(|v| v * v).sum();
    // (H Λ H)ᵢⱼ = δᵢⱼ λᵢ - u vᵢ vⱼ (λᵢ + λⱼ) + u² vᵢ vⱼ Σₘ λₘ vₘ², with u = 2 / |v|².
    let u = 2.0 / squared_length;
    let middle: f64 = v.iter().zip(&variances).map(|(v, l)| l * v * v).sum();
    (0..d)
        .map(|i| {
            (0..d)
                .map(|j| {
                    let own = if i == j { variances[i] } else { 0.0 };
                    own + u * v[i] * v[j] * (u * middle - (variances[i] + variances[j]))
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_unique() {
        for (number, comparison) in ALL.iter().enumerate() {
            let first = ALL.iter().position(|other| other.name == comparison.name);
            assert_eq!(first, Some(number));
            assert!(Comparison::named(comparison.name).is_some());
        }
        assert!(Comparison::named("W10").is_none());
    }

    #[test]
    fn a_covariance_keeps_the_range_of_its_eigenvalues() {
        // A reflection changes no eigenvalue: A - 0.29 I and 3.1 I - A are positive definite.
        let a = covariance(&mut data::generator(3), 5);
        let shifted = |sign: f64, shift: f64| -> Vec<Vec<f64>> {
            let entry = |i: usize, j: usize| sign * a[i][j] + if i == j { shift } else { 0.0 };
            (0..5)
                .map(|i| (0..5).map(|j| entry(i, j)).collect())
                .collect()
        };
        assert!(gmm_testkit::naive::cholesky(&shifted(1.0, -0.29)).is_some());
        assert!(gmm_testkit::naive::cholesky(&shifted(-1.0, 3.1)).is_some());
        assert!(gmm_testkit::naive::cholesky(&shifted(1.0, -3.1)).is_none());
    }

    #[test]
    fn the_irises_and_their_start_match_the_workload() {
        let comparison = Comparison::named("W7").unwrap();
        let (x, start) = comparison.generate().unwrap();
        assert_eq!(x.shape(), (150, 4));
        assert_eq!((start.n_components(), start.n_features()), (3, 4));
        let (again, same) = comparison.generate().unwrap();
        assert_eq!((again, same), (x, start));
    }
}
