//! Variances along given axes: volume and shape.
//!
//! With wₖⱼ the sums of squares of component k along its axis j, the M-step for vₖⱼ = λₖ aₖⱼ minimizes
//!
//! F(v) = Σₖ Σⱼ (Nₖ ln vₖⱼ + wₖⱼ / vₖⱼ), under vₖⱼ ≥ fⱼ where there is a floor f
//!
//! (Celeux and Govaert 1995, §3). F is convex in ln v, so what cannot be improved is the minimum.

use super::axes::is_shared_spectrum;
use super::volume::Volumes;
use super::{CovarianceType, Covariances, Variation};

/// The search is a matrix scaling (Sinkhorn and Knopp 1967), whose error falls by a factor a round. A round costs K D operations; data for which
/// so many are not enough have components without any spread along an axis.
const MOST_ROUNDS: usize = 10_000;

pub(super) struct Spectrum<'a> {
    /// Nₖ.
    pub(super) counts: Vec<f64>,
    /// wₖⱼ.
    pub(super) scatters: Vec<Vec<f64>>,
    /// fⱼ.
    pub(super) floor: Option<&'a [f64]>,
}

impl Spectrum<'_> {
    /// The variances that minimize F, a row per component, or one where all share it. A search for volumes begins at those of the
    /// covariances before.
    pub(super) fn variances(
        &self,
        form: CovarianceType,
        previous: Option<&Covariances>,
    ) -> Vec<Vec<f64>> {
        let pooled = is_shared_spectrum(form);
        match (form.volume(), form.shape()) {
            (_, Variation::Identity) if pooled => {
                let count: f64 = self.counts.iter().sum();
                vec![self.isotropic(self.scatters.iter().flatten().sum(), count)]
            }
            (_, Variation::Identity) => (self.scatters.iter().zip(&self.counts))
                .map(|(w, n)| self.isotropic(w.iter().sum(), *n))
                .collect(),
            (_, Variation::Equal) if pooled => {
                let count: f64 = self.counts.iter().sum();
                let total = |j: usize| self.scatters.iter().map(|w| w[j]).sum::<f64>();
                vec![
                    (0..self.n_axes())
                        .map(|j| self.raised(total(j) / count, j))
                        .collect(),
                ]
            }
            (_, Variation::Equal) => self.proportional(previous),
            (Variation::Variable, Variation::Variable) => (self.scatters.iter().zip(&self.counts))
                .map(|(w, n)| (0..w.len()).map(|j| self.raised(w[j] / n, j)).collect())
                .collect(),
            (_, Variation::Variable) => self.of_equal_volume(),
        }
    }

    /// Directions of each row that stand at the floor.
    pub(super) fn n_held(&self, variances: &[Vec<f64>]) -> Vec<usize> {
        let held = |row: &Vec<f64>| {
            self.floor
                .map_or(0, |f| row.iter().zip(f).filter(|(v, f)| v <= f).count())
        };
        variances.iter().map(held).collect()
    }

    /// F.
    pub(super) fn objective(&self, variances: &[Vec<f64>]) -> f64 {
        let row = |((w, n), v): ((&Vec<f64>, &f64), &Vec<f64>)| -> f64 {
            w.iter().zip(v).map(|(w, v)| n * v.ln() + w / v).sum()
        };
        (self.scatters.iter().zip(&self.counts))
            .zip(variances.iter().cycle())
            .map(row)
            .sum()
    }

    fn n_axes(&self) -> usize {
        self.scatters.first().map_or(0, Vec::len)
    }

    fn raised(&self, variance: f64, axis: usize) -> f64 {
        self.floor.map_or(variance, |f| {
            if variance < f[axis] {
                f[axis]
            } else {
                variance
            }
        })
    }

    fn isotropic(&self, trace: f64, count: f64) -> Vec<f64> {
        let d = self.n_axes();
        vec![self.raised(trace / (d as f64 * count), 0); d]
    }

    fn is_above(&self, variances: &[Vec<f64>]) -> bool {
        let row = |v: &Vec<f64>, floor: &[f64]| v.iter().zip(floor).all(|(v, f)| v >= f);
        self.floor
            .is_none_or(|floor| variances.iter().all(|v| row(v, floor)))
    }

    /// vₖⱼ = λₖ aⱼ. What stays above the floor is the minimum without one, to the last bit.
    fn proportional(&self, previous: Option<&Covariances>) -> Vec<Vec<f64>> {
        let free = Spectrum {
            counts: self.counts.clone(),
            scatters: self.scatters.clone(),
            floor: None,
        };
        let variances = free.search(previous);
        if self.is_above(&variances) {
            return variances;
        }
        self.search(previous)
    }

    /// Shape and volumes in turn, each the minimum given the other.
    fn search(&self, previous: Option<&Covariances>) -> Vec<Vec<f64>> {
        let d = self.n_axes();
        let total: f64 = self.counts.iter().sum();
        let traces = self.scatters.iter().map(|w| w.iter().sum());
        let mut volumes = Volumes::new(&self.counts, traces, d, previous, self.floor.is_some());
        let mut shape = vec![0.0; d];
        for _ in 0..MOST_ROUNDS {
            for (j, a) in shape.iter_mut().enumerate() {
                let sum: f64 = (self.scatters.iter().zip(&volumes.lambda))
                    .map(|(w, l)| w[j] / l)
                    .sum();
                *a = self.raised(sum / total, j);
            }
            // An axis without any spread: volumes would fall and the other axes grow without end. What is singular is left so.
            if self.floor.is_none() && shape.contains(&0.0) {
                break;
            }
            let trace = |w: &Vec<f64>| -> f64 {
                let terms = w.iter().zip(&shape).filter(|(w, _)| **w > 0.0);
                terms.map(|(w, a)| w / a).sum()
            };
            let traces: Vec<f64> = self.scatters.iter().map(trace).collect();
            let room = self.floor.map_or(1.0, |f| {
                let ratios = shape.iter().zip(f).map(|(a, f)| a / f);
                ratios.fold(f64::INFINITY, f64::min)
            });
            let round = volumes.update(&traces, room);
            for (j, a) in shape.iter_mut().enumerate() {
                *a = self.raised(*a / round.shrink, j);
            }
            if round.is_last {
                break;
            }
        }
        let row = |l: &f64| shape.iter().map(|a| l * a).collect();
        volumes.lambda.iter().map(row).collect()
    }

    /// vₖⱼ = λ aₖⱼ with Πⱼ aₖⱼ = 1: λ = Σₖ gₖ / N with gₖ the geometric mean of wₖⱼ over j.
    fn of_equal_volume(&self) -> Vec<Vec<f64>> {
        let total: f64 = self.counts.iter().sum();
        let means: Vec<f64> = self.scatters.iter().map(|w| geometric_mean(w)).collect();
        let volume = means.iter().sum::<f64>() / total;
        let row = |((w, g), n): ((&Vec<f64>, &f64), &f64)| -> Vec<f64> {
            if *g > 0.0 {
                w.iter().map(|w| volume * (w / g)).collect()
            } else {
                // No spread along an axis: what is singular is left so, for the caller to see.
                w.iter().map(|w| w / n).collect()
            }
        };
        let variances: Vec<Vec<f64>> = self
            .scatters
            .iter()
            .zip(&means)
            .zip(&self.counts)
            .map(row)
            .collect();
        match self.floor {
            Some(floor) if !self.is_above(&variances) => self.of_equal_volume_above(floor),
            _ => variances,
        }
    }

    /// The same under the floor. With L = Σⱼ ln(vₖⱼ/fⱼ) ≥ 0 given, component k has vₖⱼ = max(fⱼ, wₖⱼ/θₖ), where θₖ makes the sum L; F has the
    /// slope N - Σₖ θₖ(L) in L, which rises.
    fn of_equal_volume_above(&self, floor: &[f64]) -> Vec<Vec<f64>> {
        let total: f64 = self.counts.iter().sum();
        // ln(wₖⱼ/fⱼ), the largest first.
        let logs: Vec<Vec<f64>> = (self.scatters.iter())
            .map(|w| {
                let mut logs: Vec<f64> = w.iter().zip(floor).map(|(w, f)| (w / f).ln()).collect();
                logs.sort_by(|a, b| b.total_cmp(a));
                logs
            })
            .collect();
        let rises = |sum: f64| logs.iter().map(|l| log_level(l, sum).exp()).sum::<f64>() <= total;
        let (mut low, mut high) = (0.0, 1.0);
        while !rises(high) && high < 1e4 {
            (low, high) = (high, 2.0 * high);
        }
        // Down to the last bit: 64 halvings of an interval that starts at [0, 1].
        for _ in 0..64 {
            let middle = 0.5 * (low + high);
            if rises(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let row = |(w, logs): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            let level = log_level(logs, high);
            if level == f64::NEG_INFINITY {
                // No spread at all: any variances of that volume will do.
                let share = (high / floor.len() as f64).exp();
                return floor.iter().map(|f| f * share).collect();
            }
            // What is at the level is at the floor, to the last bit: such directions are counted.
            w.iter()
                .zip(floor)
                .map(|(w, f)| f * ((w / f).ln() - level).max(0.0).exp())
                .collect()
        };
        self.scatters.iter().zip(&logs).map(row).collect()
    }
}

/// t with Σⱼ max(0, lⱼ - t) = `sum`, for falling l: the m largest are above t, and m is where the next one isn't.
fn log_level(logs: &[f64], sum: f64) -> f64 {
    let mut above = 0.0;
    let mut level = f64::NEG_INFINITY;
    for (m, l) in logs.iter().enumerate() {
        if *l <= level || *l == f64::NEG_INFINITY {
            break;
        }
        above += l;
        level = (above - sum) / (m + 1) as f64;
    }
    level
}

fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|v| v.ln()).sum::<f64>() / values.len() as f64).exp()
}
