//! When a fit has converged.

/// The rule that ends a fit. All rules compare total log-likelihoods (or penalized objectives) of successive iterations.
///
/// A tolerance of 0 asks for every digit: the fit goes on to its largest number of iterations, or until an M-step changes no
/// bit. The likelihood is flat at its top, so parameters still gain digits when it no longer moves.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Stopping {
    /// The last gain and Aitken's estimate of all that is still to gain are both below this many nats in total.
    ///
    /// And that at three successive iterations, since EM also slows down where it leaves a saddle; there the gains soon grow.
    ///
    /// EM converges linearly: with the last two gains g₁ and g₂ = a g₁ the rest is g₂ a / (1 - a) (Böhning et al. 1994).
    /// Criteria such as BIC differ by whole nats, so the rule is in total nats, whatever the number of rows. Sample weights
    /// that sum to less than the number of rows (normalized ones sum to 1) make a row worth less than a nat; the tolerance
    /// shrinks by the same factor, so that scaling such weights stops the fit at the same iteration.
    RemainingGain(f64),
    /// The gain is below this part of 1 + |log-likelihood|: mclust's rule (1e-5 there; leaves a median of 3 nats at 2000 rows).
    RelativeChange(f64),
    /// The gain per unit of weight is below this: scikit-learn's rule (1e-3 there; leaves a median of 21 nats at 2000 rows).
    MeanChange(f64),
}

/// A thousandth of a nat.
impl Default for Stopping {
    fn default() -> Self {
        Self::RemainingGain(1e-3)
    }
}

/// What the sample weights and the units of the data say of the size of an objective.
#[derive(Clone, Copy)]
pub(crate) struct Weight {
    /// Σᵢ wᵢ.
    pub(crate) total: f64,
    /// Σᵢ wᵢ over the number of rows of positive weight, at most 1.
    pub(crate) unit: f64,
    /// What objectives have more in the units of the data.
    pub(crate) offset: f64,
}

impl Stopping {
    pub(crate) fn tolerance(&self) -> f64 {
        let (Self::RemainingGain(t) | Self::RelativeChange(t) | Self::MeanChange(t)) = self;
        *t
    }

    /// Whether the objective has converged. `noise` is the size of its rounding error: a gain below it is none.
    pub(crate) fn is_met(&self, objective: &[f64], weight: Weight, noise: f64) -> bool {
        let [.., before, now] = objective else {
            return false;
        };
        let gain = now - before;
        if self.tolerance() == 0.0 {
            return false;
        }
        if gain.abs() <= noise {
            return true;
        }
        if let Self::RemainingGain(tolerance) = *self {
            let tolerance = tolerance * weight.unit;
            let is_near = |n_before: usize| {
                let end = objective.len().checked_sub(n_before);
                end.is_some_and(|end| is_near_the_top(&objective[..end], tolerance))
            };
            return (0..SUCCESSIVE).all(is_near);
        }
        self.is_small(gain, *now, weight)
    }

    /// Whether a gain is as small as the rule asks for.
    pub(crate) fn is_small(&self, gain: f64, objective: f64, weight: Weight) -> bool {
        match *self {
            Self::RemainingGain(tolerance) => gain.abs() <= tolerance * weight.unit,
            Self::RelativeChange(tolerance) => {
                gain.abs() <= tolerance * (weight.unit + (objective + weight.offset).abs())
            }
            Self::MeanChange(tolerance) => gain.abs() < tolerance * weight.total,
        }
    }
}

/// Iterations in a row at which the rest must be small.
const SUCCESSIVE: usize = 3;

/// Whether the last gain, and the geometric series of those to come, are within the tolerance.
fn is_near_the_top(objective: &[f64], tolerance: f64) -> bool {
    let [.., first, before, now] = objective else {
        return false;
    };
    let gain = now - before;
    let ratio = gain / (before - first);
    gain.abs() <= tolerance
        && (0.0..1.0).contains(&ratio)
        && gain * ratio / (1.0 - ratio) <= tolerance
}
