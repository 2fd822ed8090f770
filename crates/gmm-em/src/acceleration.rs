//! Longer steps than EM's own, taken back when they don't pay.

use gmm_core::GaussianMixture;

use crate::rescue::Rescuer;

/// Whether a fit tries longer steps than EM's own.
///
/// EM creeps where components overlap: each step is a fixed part of what is left. Adaptive over-relaxation (Salakhutdinov and
/// Roweis 2003) goes η times as far, η growing by half after each success, in coordinates without bounds
/// ([`GaussianMixture::extrapolate`]). A step that lowers the objective is taken back and replaced by EM's own, so the
/// objective still never falls. With a ridge, which has no objective, steps stay EM's own. The fit may end in another optimum than plain EM, as with another start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Acceleration {
    /// Plain EM.
    #[default]
    None,
    /// Adaptive over-relaxation.
    OverRelaxation,
}

/// How much longer the next step gets after a success: 1.5 took the fewest passes of 1.1, 1.5 and 2 in a trial on 36 overlapping sets.
const GROWTH: f64 = 1.5;
/// A step this long is as good as any: rounding of a direction magnified a thousand times is still small.
const LONGEST: f64 = 1e3;

/// Steps of EM's own in a row that the stopping rule needs: two gains to estimate what is left, three times in a row.
const PAUSE: usize = 4;

/// Chooses the next parameters and remembers the way back.
pub(crate) struct Accelerator {
    acceleration: Acceleration,
    step: f64,
    /// EM's own step, where the current parameters lie beyond it.
    safe: Option<GaussianMixture>,
    /// Steps of EM's own still to do.
    pause: usize,
}

impl Accelerator {
    pub(crate) fn new(acceleration: Acceleration) -> Self {
        Self {
            acceleration,
            step: 1.0,
            safe: None,
            pause: 0,
        }
    }

    /// Goes on with steps of EM's own for a while.
    pub(crate) fn pause(&mut self) {
        if self.pause == 0 {
            self.pause = PAUSE;
        }
    }

    /// Whether the current parameters lie beyond EM's own step.
    pub(crate) fn is_beyond(&self) -> bool {
        self.safe.is_some()
    }

    /// From `current` and the parameters of its M-step to the next ones.
    pub(crate) fn advance(
        &mut self,
        current: &GaussianMixture,
        next: GaussianMixture,
        rescuer: &Rescuer<'_>,
    ) -> GaussianMixture {
        self.safe = None;
        if self.acceleration == Acceleration::None {
            return next;
        }
        if self.pause > 0 {
            self.pause -= 1;
            return next;
        }
        let step = (self.step * GROWTH).min(LONGEST);
        // Out of range, below the floor, or a component was dropped: EM's own step.
        let beyond = current
            .extrapolate(&next, step)
            .ok()
            .filter(|beyond| rescuer.allows(beyond));
        self.step = if beyond.is_some() { step } else { 1.0 };
        match beyond {
            Some(beyond) => {
                self.safe = Some(next);
                beyond
            }
            None => next,
        }
    }

    /// EM's own step instead of the one that turned out worse; `None` if that was EM's own.
    pub(crate) fn retreat(&mut self) -> Option<GaussianMixture> {
        self.step = 1.0;
        self.safe.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Em;
    use gmm_core::covariance::Regularizer;
    use gmm_core::faer::Mat;
    use gmm_core::{Covariances, Samples};

    fn at(mean: f64) -> GaussianMixture {
        let covariances = Covariances::spherical(&[1.0], 1).unwrap();
        GaussianMixture::new(vec![1.0], Mat::from_fn(1, 1, |_, _| mean), covariances).unwrap()
    }

    /// From a mean of 0 over EM's own step to 1, so that the mean is the length of the step.
    fn length(accelerator: &mut Accelerator, rescuer: &Rescuer<'_>) -> f64 {
        accelerator.advance(&at(0.0), at(1.0), rescuer).means()[(0, 0)]
    }

    #[test]
    fn steps_grow_until_they_fail_and_rest_when_told() {
        let em = Em::new(1);
        let x = Mat::from_fn(10, 1, |i, _| i as f64);
        let samples = Samples::from(&x);
        let summary = em.prepare(&samples).unwrap();
        let rescuer = Rescuer::new(&em, samples, &summary, Regularizer::None);
        let mut accelerator = Accelerator::new(Acceleration::OverRelaxation);
        for power in 1..=20 {
            let expected = 1.5f64.powi(power).min(1e3);
            let found = length(&mut accelerator, &rescuer);
            assert!(
                (found - expected).abs() <= 1e-12 * expected,
                "{found} {expected}"
            );
            assert!(accelerator.is_beyond());
        }
        // A step that failed is replaced by EM's own, once, and the next ones begin anew.
        assert_eq!(accelerator.retreat(), Some(at(1.0)));
        assert_eq!(accelerator.retreat(), None);
        assert!((length(&mut accelerator, &rescuer) - 1.5).abs() <= 1e-12);
        // A rest of four steps isn't prolonged by being asked for again, and then steps go on.
        for round in 0..2 {
            accelerator.pause();
            for _ in 0..PAUSE {
                assert!((length(&mut accelerator, &rescuer) - 1.0).abs() <= 1e-12);
                assert!(!accelerator.is_beyond());
                if round == 1 && accelerator.pause > 0 {
                    accelerator.pause();
                }
            }
            assert!(length(&mut accelerator, &rescuer) > 2.0);
        }
        let mut plain = Accelerator::new(Acceleration::None);
        assert!((length(&mut plain, &rescuer) - 1.0).abs() <= 1e-12);
        assert!(!plain.is_beyond());
    }
}
