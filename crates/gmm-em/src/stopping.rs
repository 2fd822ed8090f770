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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Weight = Weight {
        total: 200.0,
        unit: 1.0,
        offset: 0.0,
    };

    /// Gains that fall by a factor a step end where Aitken's estimate says: the rest is known exactly, and small three times in a row.
    #[test]
    fn what_is_left_of_a_geometric_series_is_known() {
        for ratio in [0.1f64, 0.5, 0.9, 0.99] {
            let rest = |n: usize| ratio.powi(n as i32);
            let objective = |n: usize| -> Vec<f64> { (0..=n).map(|i| -rest(i)).collect() };
            let rule = Stopping::RemainingGain(1e-3);
            let small = |n: usize| {
                let gain = rest(n - 1) - rest(n);
                gain <= 1e-3 && rest(n) <= 1e-3
            };
            let first = (2..).find(|&n| small(n)).unwrap();
            // Two steps later it was small three times; a rest at the border itself may fall on either side.
            assert!(!rule.is_met(&objective(first), ONE, 0.0), "{ratio}");
            assert!(!rule.is_met(&objective(first + 1), ONE, 0.0), "{ratio}");
            assert!(rule.is_met(&objective(first + 3), ONE, 0.0), "{ratio}");
        }
        // Gains that grow are no series; one that is far from its end isn't near it because a gain is small.
        let rule = Stopping::RemainingGain(1e-3);
        let growing: Vec<f64> = (0..9).map(|i| 1e-6 * 2f64.powi(i)).collect();
        assert!(!rule.is_met(&growing, ONE, 0.0));
        let creeping: Vec<f64> = (0..9).map(|i| -0.999f64.powi(i)).collect();
        assert!(!rule.is_met(&creeping, ONE, 0.0));
    }

    #[test]
    fn rules_compare_gains_with_what_they_name() {
        let relative = Stopping::RelativeChange(1e-5);
        for (gain, small) in [(0.9e-5 * 501.0, true), (1.1e-5 * 501.0, false)] {
            assert_eq!(relative.is_small(gain, -500.0, ONE), small);
            assert_eq!(relative.is_small(-gain, -500.0, ONE), small);
            assert_eq!(relative.is_met(&[-500.0 - gain, -500.0], ONE, 0.0), small);
        }
        // The part is one of the log-likelihood in the units of the data.
        let moved = Weight {
            offset: -400.0,
            ..ONE
        };
        assert!(relative.is_small(4e-3, -100.0, moved) && !relative.is_small(4e-3, -100.0, ONE));
        let mean = Stopping::MeanChange(1e-3);
        for (gain, small) in [(0.199, true), (0.2, false), (0.201, false)] {
            assert_eq!(mean.is_small(gain, -500.0, ONE), small);
        }
        let remaining = Stopping::RemainingGain(1e-3);
        for (gain, small) in [(0.9e-3, true), (1.1e-3, false)] {
            assert_eq!(remaining.is_small(gain, -500.0, ONE), small);
        }
    }

    /// In another unit of weight every rule says the same.
    #[test]
    fn rules_do_not_depend_on_the_unit_of_weights() {
        let light = Weight {
            total: 0.5 * 200.0,
            unit: 0.5,
            offset: 0.0,
        };
        for rule in [
            Stopping::RelativeChange(1e-3),
            Stopping::MeanChange(1e-3),
            Stopping::RemainingGain(1e-3),
        ] {
            for n in 4..200 {
                let objective: Vec<f64> = (0..n).map(|i| -30.0 - 0.9f64.powi(i)).collect();
                let halves: Vec<f64> = objective.iter().map(|o| 0.5 * o).collect();
                let met = rule.is_met(&objective, ONE, 0.0);
                assert_eq!(met, rule.is_met(&halves, light, 0.0), "{rule:?} {n}");
            }
        }
    }

    #[test]
    fn a_gain_below_rounding_is_none_but_for_a_tolerance_of_zero() {
        for rule in [
            Stopping::RelativeChange(1e-12),
            Stopping::MeanChange(1e-12),
            Stopping::RemainingGain(1e-12),
        ] {
            assert!(rule.is_met(&[-1.0, -1.0 + 1e-6], ONE, 2e-6));
            assert!(rule.is_met(&[-1.0 + 1e-6, -1.0], ONE, 2e-6));
            assert!(!rule.is_met(&[-1.0, -1.0 + 1e-5], ONE, 2e-6));
            assert!(!rule.is_met(&[-1.0], ONE, 2e-6));
        }
        let never = Stopping::RemainingGain(0.0);
        assert!(!never.is_met(&[-1.0, -1.0], ONE, 1.0));
    }
}
