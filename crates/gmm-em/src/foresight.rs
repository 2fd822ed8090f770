//! Where a fit that is on its way will end.

/// Gaps of about t times the gain may be larger by this factor.
const HOPE: f64 = 3.0;
/// The last gains that are averaged: steps of over-relaxation are long and short in turn.
const N_GAINS: usize = 5;

/// Expert: foresees the end of a fit, so that one that can't win is given up.
///
/// What is left to gain is foreseen in two ways, and the larger counts. Gains that fall at a steady rate r sum to g r / (1 - r) (Aitken 1926;
/// for mixtures Böhning et al. 1994). Where components overlap the rate tends to 1, and the gap to the end falls about as 1 / t after t iterations:
/// it is t times the last gain, and three times that is allowed. Nothing foresees the end of a halt at a saddle.
///
/// ```
/// use gmm_em::Foresight;
///
/// let mut foresight = Foresight::default();
/// (1..=20).for_each(|t| foresight.observe(-0.5f64.powi(t)));
/// // Three times twenty gains of five iterations ago.
/// assert!(foresight.end() >= 0.0 && foresight.end() < 1e-3);
/// ```
#[derive(Clone, Debug)]
pub struct Foresight {
    n_observed: usize,
    /// The last objectives, the latest first.
    last: [f64; N_GAINS + 1],
}

impl Default for Foresight {
    fn default() -> Self {
        Self {
            n_observed: 0,
            last: [f64::NAN; N_GAINS + 1],
        }
    }
}

impl Foresight {
    /// Takes the objective after another iteration.
    pub fn observe(&mut self, objective: f64) {
        self.n_observed += 1;
        self.last.rotate_right(1);
        self.last[0] = objective;
    }

    /// The objective in which the fit will hardly end higher; +inf after fewer than six iterations, and as long as gains grow.
    pub fn end(&self) -> f64 {
        let [now, before, earlier, ..] = self.last;
        let gain = (now - self.last[N_GAINS]) / N_GAINS as f64;
        let slow = HOPE * self.n_observed as f64 * gain;
        let rate = (now - before) / (before - earlier);
        if self.n_observed <= N_GAINS || slow.is_nan() || rate >= 1.0 {
            return f64::INFINITY;
        }
        // A rate of nothing by nothing leaves nothing to gain.
        now + slow.max((now - before) * rate / (1.0 - rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(objective: impl Fn(f64) -> f64, n: usize) -> f64 {
        let mut foresight = Foresight::default();
        (1..=n).for_each(|t| foresight.observe(objective(t as f64)));
        foresight.end()
    }

    /// Gains that fall at a steady rate, and gaps of 1 / t: the end is not foreseen too low, nor out of sight.
    #[test]
    fn what_is_foreseen_is_not_below_the_end() {
        for n in [6, 10, 50, 400] {
            for rate in [0.1f64, 0.5, 0.9, 0.99] {
                let gap = |t: f64| rate.powf(t);
                let foreseen = end(|t| -gap(t), n);
                // Objectives of size 1 are rounded, their rate by that over a gain, and the end by what 1 / (1 - r) makes of it.
                let rounding = 8.0 * f64::EPSILON / (1.0 - rate).powi(2);
                assert!(foreseen >= -rounding, "{rate} {n}: {foreseen}");
                // Gains of five steps ago, three times for each step.
                let (t, before) = (n as f64, gap(n as f64 - 5.0));
                assert!(foreseen <= 3.0 * t * before + gap(t) * rate / (1.0 - rate));
            }
            let foreseen = end(|t| -1000.0 / t, n);
            assert!(foreseen >= 0.0, "{n}: {foreseen}");
            // Three times t gains of 1 / t², or of five steps ago.
            let t = n as f64;
            assert!(foreseen <= 3000.0 * t / (t - 5.0) / t);
        }
    }

    #[test]
    fn nothing_is_foreseen_of_a_few_steps_or_of_growing_gains() {
        assert_eq!(end(|t| -1.0 / t, 5).to_bits(), f64::INFINITY.to_bits());
        assert_eq!(end(|t| t * t, 30).to_bits(), f64::INFINITY.to_bits());
        assert_eq!(
            Foresight::default().end().to_bits(),
            f64::INFINITY.to_bits()
        );
        // Before its start a fit has no objective.
        let mut foresight = Foresight::default();
        foresight.observe(f64::NAN);
        (1..=5).for_each(|t| foresight.observe(-0.5f64.powi(t)));
        assert_eq!(foresight.end().to_bits(), f64::INFINITY.to_bits());
        foresight.observe(-0.5f64.powi(6));
        assert!(foresight.end().is_finite());
    }

    #[test]
    fn what_gains_nothing_any_more_ends_where_it_is() {
        let mut foresight = Foresight::default();
        (0..9).for_each(|_| foresight.observe(-7.0));
        assert_eq!(foresight.end().to_bits(), (-7.0f64).to_bits());
    }
}
