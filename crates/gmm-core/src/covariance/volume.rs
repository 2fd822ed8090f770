//! Volumes of proportional matrices, Σₖ = λₖ C (VEI, VEE, VEV): one half of a search that takes C and λ in turn.
//!
//! Given C the best volumes are λₖ = tr(Wₖ C⁻¹) / (D Nₖ). Without a floor they are free up to a factor. With one, λₖ ≥ 1 and C ⪰ floor say the same
//! as λₖ C ⪰ floor (scale so that the smallest λ is 1), but bound each alone, so that a search in turns can't stop before the minimum.

use super::{Covariances, Moments};

/// Relative change of all volumes at which a search ends: rounding, of traces of D² products.
const STILL: f64 = 1e-13;

pub(super) struct Volumes {
    /// λₖ.
    pub(super) lambda: Vec<f64>,
    /// D Nₖ.
    counts: Vec<f64>,
    /// 1 where there is a floor, otherwise 0.
    least: f64,
}

/// What a round of the search did.
pub(super) struct Round {
    /// By how much C is to be divided.
    pub(super) shrink: f64,
    /// Whether the volumes stand still, or a component has none.
    pub(super) is_last: bool,
}

impl Volumes {
    /// Volumes up to one factor to start from: those of the covariances before, whose traces are proportional to them, or of the
    /// scatters.
    pub(super) fn new(
        counts: &[f64],
        traces: impl Iterator<Item = f64>,
        n_axes: usize,
        previous: Option<&Covariances>,
        has_floor: bool,
    ) -> Self {
        let mut lambda: Vec<f64> = match previous {
            Some(previous) => (0..counts.len())
                .map(|k| previous.variances(k).iter().sum())
                .collect(),
            None => traces.zip(counts).map(|(w, n)| w / n).collect(),
        };
        let is_volume = |l: &f64| *l > 0.0 && l.is_finite();
        let least = (lambda.iter().copied().filter(is_volume)).fold(f64::INFINITY, f64::min);
        for l in &mut lambda {
            // A component without spread is small.
            *l = if is_volume(l) { *l / least } else { 1.0 };
        }
        Self {
            lambda,
            counts: counts.iter().map(|n| n_axes as f64 * n).collect(),
            least: if has_floor { 1.0 } else { 0.0 },
        }
    }

    /// The best volumes given tr(Wₖ C⁻¹). `room` is how often the floor goes into C.
    ///
    /// Volumes at their bound leave one way on which neither half alone moves but by a part N_bound / N a round: C shrinks and the other volumes
    /// grow, which changes no matrix but those at the bound. So that way is gone in one step.
    pub(super) fn update(&mut self, traces: &[f64], room: f64) -> Round {
        let before = self.lambda.clone();
        let (mut bound_count, mut bound_trace) = (0.0, 0.0);
        for ((lambda, trace), count) in self.lambda.iter_mut().zip(traces).zip(&self.counts) {
            *lambda = trace / count;
            if *lambda <= self.least {
                *lambda = self.least;
                bound_count += count;
                bound_trace += trace;
            }
        }
        let mut shrink = 1.0;
        if self.least > 0.0 && bound_count > 0.0 && self.lambda.iter().any(|l| *l > 1.0) {
            shrink = (bound_count / bound_trace).min(room).max(1.0);
            for l in self.lambda.iter_mut().filter(|l| **l > 1.0) {
                *l *= shrink;
            }
        }
        let change = |(l, b): (&f64, &f64)| (l / b - 1.0).abs();
        let largest = self
            .lambda
            .iter()
            .zip(&before)
            .map(change)
            .fold(0.0, f64::max);
        Round {
            shrink,
            is_last: !(largest > STILL && largest.is_finite()) || self.lambda.contains(&0.0),
        }
    }
}

/// tr Wₖ of each group.
pub(super) fn traces(groups: &[Moments]) -> impl Iterator<Item = f64> {
    groups
        .iter()
        .map(|m| (0..m.mean.len()).map(|j| m.entry(j, j)).sum())
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "numbers that are exact in binary")]
mod tests {
    use super::*;

    /// Three components of 10, 20 and 5 rows with two axes.
    fn volumes(has_floor: bool, start: [f64; 3]) -> Volumes {
        Volumes::new(&[10.0, 20.0, 5.0], start.into_iter(), 2, None, has_floor)
    }

    /// λₖ = tr(Wₖ C⁻¹) / (D Nₖ), and a round that changes nothing is the last one.
    #[test]
    fn volumes_that_stand_still_end_the_search() {
        let traces = [20.0, 120.0, 10.0];
        let mut volumes = volumes(false, traces);
        assert_eq!(volumes.lambda, [1.0, 3.0, 1.0]);
        for trace in [1.0, 0.5] {
            let scaled = traces.map(|t| trace * t);
            let round = volumes.update(&scaled, 1.0);
            let expected: Vec<f64> = [1.0, 3.0, 1.0].iter().map(|l| trace * l).collect();
            assert_eq!(volumes.lambda, expected);
            assert!(round.shrink == 1.0 && round.is_last == (trace == 1.0));
        }
        assert!(volumes.update(&[0.0, 1.0, 1.0], 1.0).is_last);
        assert!(volumes.update(&[f64::NAN, 1.0, 1.0], 1.0).is_last);
    }

    /// Where a component stands at its bound, C shrinks by what is best for it, -(D N) ln s + s tr W C⁻¹, as far as the floor lets it; the
    /// other matrices λₖ C stay.
    #[test]
    fn the_way_along_the_bound_is_gone_at_once() {
        for room in [1.0, 1.25, 1.5, 3.0] {
            let mut volumes = volumes(true, [20.0, 120.0, 10.0]);
            // Of its own the first would be ½, the third ¾.
            let traces = [10.0, 120.0, 7.5];
            let round = volumes.update(&traces, room);
            let cost = |s: f64| -30.0 * s.ln() + s * 17.5;
            for other in [
                1.0,
                room,
                0.5 * (1.0 + room),
                0.999 * round.shrink,
                1.001 * round.shrink,
            ] {
                assert!(!(1.0..=room).contains(&other) || cost(round.shrink) <= cost(other));
            }
            assert!((1.0..=room).contains(&round.shrink));
            assert_eq!(volumes.lambda, [1.0, 3.0 * round.shrink, 1.0]);
            assert_eq!(round.is_last, room == 1.0);
        }
        // All at the bound: C alone has to move.
        let mut volumes = volumes(true, [20.0, 40.0, 10.0]);
        assert!(volumes.update(&[10.0, 20.0, 5.0], 2.0).shrink == 1.0);
    }
}
