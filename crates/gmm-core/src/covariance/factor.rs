//! What evaluation needs of one covariance matrix: a whitening factor and half its log-determinant.

use pulp::{Arch, Simd};

use super::{Covariances, Structure, lower_triangle, symmetric};
use crate::Error;
use crate::block::{BLOCK_ROWS, exponent_of, scale_by_power};
use crate::cholesky::Cholesky;
use crate::each::each;
use crate::kernels::{
    Differences, Line, LinearMap, Plain, ScaledNorm, SquaredNorm, Whitener, packed_len,
};

/// A covariance matrix, factored.
#[derive(Clone, Debug)]
pub(crate) struct Factor {
    kind: Kind,
    /// log|Σ| / 2 = log_mantissa + exponent · ln 2: see [`Cholesky`].
    log_mantissa: f64,
    pub(crate) exponent: i32,
    /// maxⱼ Σⱼⱼ (Σ⁻¹)ⱼⱼ.
    pub(crate) variance_inflation: f64,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Σ = L L', W = L⁻¹.
    Dense {
        /// Rows of L, up to the diagonal.
        lower: Vec<f64>,
        whitener: Whitener,
    },
    /// Standard deviations and their reciprocals: D of them, or one for all features.
    Axes {
        sd: Vec<f64>,
        reciprocal_sd: Vec<f64>,
    },
}

/// A covariance matrix, factored, for distances in single precision.
#[derive(Clone, Debug)]
pub(crate) enum SingleFactor {
    Dense(Whitener<f32>),
    /// 1/σⱼ, or one for all features.
    Axes(Vec<f32>),
}

impl SingleFactor {
    /// What a line makes of the squared Mahalanobis distances of the lanes of a block.
    pub(crate) fn distances(
        &self,
        differences: impl Differences<f32>,
        centred: &mut [f32],
        line: Line<f32>,
        out: &mut [f32],
    ) {
        match self {
            Self::Dense(whitener) => Arch::new().dispatch(SquaredNorm {
                whitener,
                differences,
                centred,
                line,
                out,
            }),
            Self::Axes(reciprocal_sd) => Arch::new().dispatch(ScaledNorm {
                differences,
                reciprocal_sd,
                line,
                out,
            }),
        }
    }
}

impl Factor {
    /// Factors each block; all components share a factor where there is one block.
    pub(crate) fn of_covariances(covariances: &Covariances) -> Result<Vec<Self>, Error> {
        let factor = |k: usize| {
            Self::new(covariances, k).map_err(|pivot| Error::NotPositiveDefinite {
                component: k,
                pivot,
            })
        };
        let n_features = match covariances.form().structure() {
            Structure::Dense => covariances.n_features(),
            // As good as no steps.
            Structure::Diagonal | Structure::Isotropic => 1,
        };
        // The first error, as there may be several.
        let factors = each(covariances.blocks().len(), n_features, factor);
        factors.into_iter().collect()
    }

    fn new(covariances: &Covariances, component: usize) -> Result<Self, usize> {
        let d = covariances.n_features();
        match covariances.form().structure() {
            Structure::Dense => {
                let block = covariances.block(component);
                let Cholesky {
                    lower,
                    inverse,
                    log_mantissa,
                    exponent,
                } = Cholesky::new(d, block)?;
                let whitener = Whitener::new(d, |i, j| inverse.row(i)[j]);
                let sd: Vec<f64> = (0..d).map(|j| block[j * d + j].sqrt()).collect();
                let mut inflation = vec![0.0; d];
                for i in 0..d {
                    let entries = inverse.row(i).iter().zip(&sd);
                    for (sum, (w, sd)) in inflation.iter_mut().zip(entries) {
                        // σⱼ stands in front of the square, so that no scale overflows.
                        *sum += (w * sd).powi(2);
                    }
                }
                Ok(Self {
                    variance_inflation: inflation.into_iter().fold(1.0, f64::max),
                    kind: Kind::Dense {
                        lower: lower_triangle(d, |i, j| lower.entry(i, j)),
                        whitener,
                    },
                    log_mantissa,
                    exponent,
                })
            }
            structure => {
                let variances = covariances.block(component);
                let sd: Vec<f64> = variances.iter().map(|v| v.sqrt()).collect();
                let reciprocal_sd: Vec<f64> = sd.iter().map(|s| s.recip()).collect();
                if let Some(at) = reciprocal_sd
                    .iter()
                    .position(|r| !(*r > 0.0 && r.is_finite()))
                {
                    return Err(at);
                }
                let exponents: Vec<i32> = sd.iter().map(|s| exponent_of(*s)).collect();
                let log_mantissa: f64 = sd
                    .iter()
                    .zip(&exponents)
                    .map(|(s, e)| scale_by_power(*s, -*e).ln())
                    .sum();
                // One variance stands for all features.
                let repeats = if structure == Structure::Isotropic {
                    d
                } else {
                    1
                };
                Ok(Self {
                    variance_inflation: 1.0,
                    kind: Kind::Axes { sd, reciprocal_sd },
                    log_mantissa: repeats as f64 * log_mantissa,
                    exponent: repeats as i32 * exponents.iter().sum::<i32>(),
                })
            }
        }
    }

    /// log|Σ| / 2 - reference · ln 2.
    pub(crate) fn half_log_det_about(&self, reference: i32) -> f64 {
        self.log_mantissa + f64::from(self.exponent - reference) * std::f64::consts::LN_2
    }

    /// What a line makes of the squared Mahalanobis distances of the lanes of a block.
    pub(crate) fn distances(
        &self,
        x: &[f64],
        mean: &[f64],
        centred: &mut [f64],
        line: Line<f64>,
        out: &mut [f64],
    ) {
        let differences = Plain { x, shift: mean };
        self.distances_of(differences, centred, line, out);
    }

    /// [`distances`](Self::distances) of any differences.
    pub(crate) fn distances_of(
        &self,
        differences: impl Differences<f64>,
        centred: &mut [f64],
        line: Line<f64>,
        out: &mut [f64],
    ) {
        match &self.kind {
            Kind::Dense { whitener, .. } => {
                let centred = &mut centred[..whitener.n_features() * BLOCK_ROWS];
                Arch::new().dispatch(SquaredNorm {
                    whitener,
                    differences,
                    centred,
                    line,
                    out,
                });
            }
            Kind::Axes { reciprocal_sd, .. } => Arch::new().dispatch(ScaledNorm {
                differences,
                reciprocal_sd,
                line,
                out,
            }),
        }
    }

    /// The covariance block whose factor lies on the line from this factor to another: entries `linear`, positive ones
    /// (diagonals and standard deviations) `geometric`.
    pub(crate) fn extrapolate_covariance(
        &self,
        to: &Self,
        linear: &impl Fn(f64, f64) -> f64,
        geometric: &impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        match (&self.kind, &to.kind) {
            (Kind::Dense { lower: a, whitener }, Kind::Dense { lower: b, .. }) => {
                let pairs = || a.iter().zip(b);
                let mut lower: Vec<f64> = pairs().map(|(a, b)| linear(*a, *b)).collect();
                let d = whitener.n_features();
                for i in 0..d {
                    let at = packed_len(i) + i;
                    lower[at] = geometric(a[at], b[at]);
                }
                symmetric(d, |i, j| {
                    let [i, j] = [i, j].map(|i| &lower[packed_len(i)..packed_len(i + 1)]);
                    i.iter().zip(j).map(|(a, b)| a * b).sum()
                })
            }
            (Kind::Axes { sd: a, .. }, Kind::Axes { sd: b, .. }) => a
                .iter()
                .zip(b)
                .map(|(a, b)| geometric(*a, *b).powi(2))
                .collect(),
            // Mixtures of one form have factors of one kind.
            (Kind::Dense { .. }, Kind::Axes { .. }) | (Kind::Axes { .. }, Kind::Dense { .. }) => {
                Vec::new()
            }
        }
    }

    /// The factor in single precision; `None` where its numbers, or the squares of distances of some standard deviations, are out of
    /// its range.
    pub(crate) fn single(&self) -> Option<SingleFactor> {
        let largest = match &self.kind {
            Kind::Dense { whitener, .. } => whitener.largest(),
            Kind::Axes { reciprocal_sd, .. } => reciprocal_sd.iter().copied().fold(0.0, f64::max),
        };
        (largest < 1e15).then(|| match &self.kind {
            Kind::Dense { whitener, .. } => SingleFactor::Dense(whitener.single()),
            Kind::Axes { reciprocal_sd, .. } => {
                SingleFactor::Axes(reciprocal_sd.iter().map(|r| *r as f32).collect())
            }
        })
    }

    /// W = L⁻¹, if the matrix is dense.
    pub(crate) fn whitener(&self) -> Option<&Whitener> {
        match &self.kind {
            Kind::Dense { whitener, .. } => Some(whitener),
            Kind::Axes { .. } => None,
        }
    }

    /// W as a map of many rows, if the matrix is dense.
    pub(crate) fn whitening_map(&self) -> Option<&LinearMap> {
        self.whitener().map(Whitener::map)
    }

    /// L⁻¹ z in place.
    #[inline(always)]
    pub(crate) fn whiten(&self, z: &mut [f64]) {
        match &self.kind {
            Kind::Dense { whitener, .. } => whitener.apply(z),
            Kind::Axes { reciprocal_sd, .. } => {
                z.iter_mut()
                    .zip(reciprocal_sd.iter().cycle())
                    .for_each(|(z, r)| *z *= r);
            }
        }
    }

    /// `out = L⁻¹ z` of several z, whose numbers lie in the lanes of V vectors.
    #[inline(always)]
    pub(crate) fn whiten_lanes<S: Simd, const V: usize>(
        &self,
        simd: S,
        z: &[[S::f64s; V]],
        out: &mut [[S::f64s; V]],
    ) {
        match &self.kind {
            Kind::Dense { whitener, .. } => whitener.apply_lanes(simd, z, out),
            Kind::Axes { reciprocal_sd, .. } => scale_lanes(simd, z, reciprocal_sd, out),
        }
    }

    /// `out = L⁻ᵀ z` of several z.
    #[inline(always)]
    pub(crate) fn whiten_lanes_transposed<S: Simd, const V: usize>(
        &self,
        simd: S,
        z: &[[S::f64s; V]],
        out: &mut [[S::f64s; V]],
    ) {
        match &self.kind {
            Kind::Dense { whitener, .. } => whitener.apply_lanes_transposed(simd, z, out),
            Kind::Axes { reciprocal_sd, .. } => scale_lanes(simd, z, reciprocal_sd, out),
        }
    }

    /// L z in place: turns independent standard normal numbers into a draw about 0.
    pub(crate) fn colour(&self, z: &mut [f64]) {
        match &self.kind {
            Kind::Dense { lower, .. } => {
                for i in (0..z.len()).rev() {
                    let row = &lower[packed_len(i)..packed_len(i + 1)];
                    z[i] = row.iter().zip(z.iter()).map(|(l, z)| l * z).sum();
                }
            }
            Kind::Axes { sd, .. } => z
                .iter_mut()
                .zip(sd.iter().cycle())
                .for_each(|(z, s)| *z *= s),
        }
    }
}

#[inline(always)]
fn scale_lanes<S: Simd, const V: usize>(
    simd: S,
    z: &[[S::f64s; V]],
    scales: &[f64],
    out: &mut [[S::f64s; V]],
) {
    for ((out, z), scale) in out.iter_mut().zip(z).zip(scales.iter().cycle()) {
        let scale = simd.splat_f64s(*scale);
        for v in 0..V {
            out[v] = simd.mul_f64s(z[v], scale);
        }
    }
}
