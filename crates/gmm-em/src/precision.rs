//! The precision in which a fit computes.

/// In which precision the passes over the rows are computed. Data are read as they are, f32 or f64, in both.
///
/// | | `Double` | `Mixed` |
/// |---|---|---|
/// | rows, differences from the means | f64 | 48 bits, or f32 about a centre within three standard deviations |
/// | distances, exponentials, sums of 256 rows | f64 | f32 |
/// | sums over blocks, M-step, parameters | f64 | f64 |
/// | log p of a row, error as a part of 1 + abs(log p) | 1e-15 | 1e-7 (tied 1e-6), times the square root of the covariances' condition |
/// | moments of a pass | 1e-15 | 1e-6 |
///
/// Measured on the 76 cases of an oracle of 2400-bit arithmetic: at most 3e-7 of 1 + abs(log p) at offsets of 1e8, scales of 1e±150 and far
/// tails; 1.1e-5 at a condition of 1e6 and 1e-2 at 1e12.
///
/// A fit with `Mixed` goes on in double precision when it has converged in single precision or a pass there gains nothing more,
/// until the stopping rule holds again, so that the digits of a converged fit, its likelihood and its report are those of double
/// precision; it takes about as many iterations in all, most of them faster. A fit that ends at its largest number of iterations before that has the
/// parameters of the last pass in single precision, six digits; its log-likelihood is computed in double precision. Mixtures
/// out of the range of f32 and fits of many components that leave out what is irrelevant are computed in double precision, which is as fast there; so
/// are passes after which a component would hold less than 1e-20 of the weight, and passes of tied fits with a mean more than six standard deviations from
/// that of all rows, unless the means are so far apart that tied fits, too, take a pass of the general kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// All in double precision.
    #[default]
    Double,
    /// Distances and exponentials in single precision, as long as that is enough.
    Mixed,
}

impl Precision {
    /// The distance from 1 to the next number.
    pub(crate) fn epsilon(self) -> f64 {
        match self {
            Self::Double => f64::EPSILON,
            Self::Mixed => f64::from(f32::EPSILON),
        }
    }
}
