//! How near the rows of ellipsoids come to the components of a mixture: of several ellipsoids at a time, whose numbers lie in lanes.
//!
//! One by one, the short products of bounds took half of the time of a pass over groups that are far apart.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use pulp::{Arch, Simd, WithSimd};

use super::{Ellipsoid, GaussianMixture};
use crate::kernels::packed_len;

/// Ellipsoids at a time.
const LANES: usize = 8;
/// Bounds on distances are shortened by this part, which is more than their rounding.
const ROUNDING: f64 = 1e-6;

/// A number of each ellipsoid.
type OfEach = [f64; LANES];
/// Columns of a triangle L that are summed at a time.
const GROUP: usize = 4;
/// The entries of some columns of L in one row: L lies in groups of columns, each row by row from its first one's diagonal on, zeros above the
/// diagonal included.
type Lower = [OfEach; GROUP];

/// Expert: bounds on the distances of the rows of up to [`Bounds::LANES`] ellipsoids to the components of a mixture.
///
/// With e along W (c - μ), a row x of the ellipsoid {c + L u : ‖u‖ ≤ ρ} is no nearer to the mean than e'W (c - μ) + e'W (x - c), and that is no less than
/// ‖W (c - μ)‖ - ρ ‖L'W'e‖.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// Of positive weight.
    components: Vec<usize>,
    /// The log-density at the mean of each of them, the weight left out.
    constants: Vec<f64>,
    /// No log-density in the ellipsoid is larger.
    log_densities: Vec<OfEach>,
    /// ‖W (c - μ)‖.
    distances: Vec<OfEach>,
    /// W'e, feature by feature.
    directions: Vec<OfEach>,
}

impl Bounds {
    /// Ellipsoids at a time, at the most.
    pub const LANES: usize = LANES;

    /// The bounds of an ellipsoid by falling log-density. (A heap puts those in order alone that are asked for, which are few of groups far apart.)
    pub(super) fn falling(&self, lane: usize) -> impl Iterator<Item = Bound<'_>> {
        let places = self.log_densities.iter().enumerate();
        let mut heap: BinaryHeap<Falling> = places
            .map(|(place, bound)| Falling(bound[lane], place))
            .collect();
        std::iter::from_fn(move || heap.pop()).map(move |Falling(_, place)| Bound {
            bounds: self,
            lane,
            place,
        })
    }
}

/// A log-density and its place: the largest comes first, of equal ones the one that stands first.
#[derive(Debug)]
struct Falling(f64, usize);

impl Ord for Falling {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.total_cmp(&other.0)).then(other.1.cmp(&self.1))
    }
}

impl PartialOrd for Falling {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Falling {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Falling {}

/// The bound of one ellipsoid and component.
pub(super) struct Bound<'a> {
    bounds: &'a Bounds,
    lane: usize,
    place: usize,
}

impl Bound<'_> {
    pub(super) fn component(&self) -> usize {
        self.bounds.components[self.place]
    }

    /// No log-density in the ellipsoid is larger, the weight of the component left out.
    pub(super) fn log_density(&self) -> f64 {
        self.bounds.log_densities[self.place][self.lane]
    }

    /// The log-density at the mean, the weight left out.
    pub(super) fn constant(&self) -> f64 {
        self.bounds.constants[self.place]
    }

    /// A row x is no nearer than `distance + direction'(x - c)`.
    pub(super) fn distance(&self) -> f64 {
        self.bounds.distances[self.place][self.lane]
    }

    pub(super) fn direction(&self, out: &mut [f64]) {
        let d = out.len();
        let direction = &self.bounds.directions[self.place * d..(self.place + 1) * d];
        for (out, of_each) in out.iter_mut().zip(direction) {
            *out = of_each[self.lane];
        }
    }
}

impl GaussianMixture {
    /// Expert: the bounds of the first [`Bounds::LANES`] ellipsoids. Where there is none, they are of no use.
    pub fn bounds(&self, ellipsoids: &[Option<Ellipsoid>]) -> Bounds {
        self.bounds_on(Arch::new(), ellipsoids)
    }

    /// [`bounds`](Self::bounds) on an instruction set.
    fn bounds_on(&self, set: Arch, ellipsoids: &[Option<Ellipsoid>]) -> Bounds {
        let d = self.n_features();
        let mut centres = vec![[0.0; LANES]; d];
        let mut lower = Vec::new();
        let mut radii = [0.0; LANES];
        let known = || {
            (ellipsoids.iter().take(LANES).enumerate())
                .filter_map(|(lane, e)| Some((lane, e.as_ref()?)))
        };
        for first in (0..d).step_by(GROUP) {
            for i in first..d {
                let mut entries = [[0.0; LANES]; GROUP];
                for (b, entry) in entries.iter_mut().enumerate().take(i + 1 - first) {
                    for (lane, ellipsoid) in known() {
                        entry[lane] = ellipsoid.lower[packed_len(i) + first + b];
                    }
                }
                lower.push(entries);
            }
        }
        for (lane, ellipsoid) in known() {
            for (of_each, own) in centres.iter_mut().zip(&ellipsoid.centre) {
                of_each[lane] = *own;
            }
            radii[lane] = ellipsoid.radius;
        }
        let components: Vec<usize> = (0..self.n_components())
            .filter(|&k| self.weights[k] > 0.0)
            .collect();
        let constant = |&k: &usize| self.terms[k].constant - self.weights[k].ln();
        let mut bounds = Bounds {
            constants: components.iter().map(constant).collect(),
            log_densities: vec![[f64::INFINITY; LANES]; components.len()],
            distances: vec![[f64::NAN; LANES]; components.len()],
            directions: vec![[0.0; LANES]; components.len() * d],
            components,
        };
        set.dispatch(Evaluate {
            model: self,
            centres: &centres,
            lower: &lower,
            radii: &radii,
            bounds: &mut bounds,
        });
        bounds
    }
}

struct Evaluate<'a> {
    model: &'a GaussianMixture,
    centres: &'a [OfEach],
    lower: &'a [Lower],
    radii: &'a OfEach,
    bounds: &'a mut Bounds,
}

impl WithSimd for Evaluate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F64_LANES {
            8 => self.run::<S, 1>(simd),
            4 => self.run::<S, 2>(simd),
            2 => self.run::<S, 4>(simd),
            _ => self.run::<S, 8>(simd),
        }
    }
}

impl Evaluate<'_> {
    /// With the lanes of V vectors.
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        if V * S::F64_LANES != LANES {
            return;
        }
        let d = self.centres.len();
        let zero = [simd.splat_f64s(0.0); V];
        let (mut z, mut y, mut direction) = (vec![zero; d], vec![zero; d], vec![zero; d]);
        let centres: Vec<[S::f64s; V]> = (self.centres.iter())
            .map(|c| vectors::<S, V>(simd, c))
            .collect();
        let lower: Vec<[[S::f64s; V]; GROUP]> = (self.lower.iter())
            .map(|entries| entries.map(|entry| vectors::<S, V>(simd, &entry)))
            .collect();
        for (place, &k) in self.bounds.components.iter().enumerate() {
            let factor = self.model.factor(k);
            let means = &self.model.terms[k].mean;
            for ((z, c), m) in z.iter_mut().zip(&centres).zip(means) {
                for v in 0..V {
                    z[v] = simd.sub_f64s(c[v], simd.splat_f64s(*m));
                }
            }
            factor.whiten_lanes(simd, &z, &mut y);
            let mut squared = zero;
            for y in &y {
                for v in 0..V {
                    squared[v] = simd.mul_add_e_f64s(y[v], y[v], squared[v]);
                }
            }
            factor.whiten_lanes_transposed(simd, &y, &mut direction);
            let extent = extents::<S, V>(simd, &lower, &direction);
            let [squared, extent] = [squared, extent].map(|all| numbers::<S, V>(all));
            let constant = self.bounds.constants[place];
            let mut reciprocal = [0.0; LANES];
            for l in 0..LANES {
                // NaN, from a distance of 0 or an overflow, proves nothing.
                let distance = squared[l].sqrt();
                reciprocal[l] = 1.0 / distance;
                let reach = self.radii[l] * extent[l].sqrt() * reciprocal[l];
                let safe = (1.0 - ROUNDING) * distance - ROUNDING * reach;
                let nearest = if safe > reach { safe - reach } else { 0.0 };
                self.bounds.log_densities[place][l] = constant - 0.5 * nearest * nearest;
                self.bounds.distances[place][l] = safe;
            }
            let reciprocal = vectors::<S, V>(simd, &reciprocal);
            let out = &mut self.bounds.directions[place * d..(place + 1) * d];
            for (out, a) in out.iter_mut().zip(&direction) {
                let (out, _) = S::as_mut_simd_f64s(out);
                for v in 0..V {
                    out[v] = simd.mul_f64s(a[v], reciprocal[v]);
                }
            }
        }
    }
}

#[inline(always)]
fn vectors<S: Simd, const V: usize>(simd: S, numbers: &OfEach) -> [S::f64s; V] {
    let (all, _) = S::as_simd_f64s(numbers);
    let mut vectors = [simd.splat_f64s(0.0); V];
    vectors.copy_from_slice(all);
    vectors
}

#[inline(always)]
fn numbers<S: Simd, const V: usize>(vectors: [S::f64s; V]) -> OfEach {
    let mut numbers = [0.0; LANES];
    let (all, _) = S::as_mut_simd_f64s(&mut numbers);
    all.copy_from_slice(&vectors);
    numbers
}

/// ‖L'a‖² of a [`Lower`].
#[inline(always)]
fn extents<S: Simd, const V: usize>(
    simd: S,
    lower: &[[[S::f64s; V]; GROUP]],
    a: &[[S::f64s; V]],
) -> [S::f64s; V] {
    let zero = [simd.splat_f64s(0.0); V];
    let (mut squared, mut rest) = (zero, lower);
    for first in (0..a.len()).step_by(GROUP) {
        let a = &a[first..];
        let (group, other) = rest.split_at(a.len());
        rest = other;
        let mut sums = [zero; GROUP];
        for (entries, a) in group.iter().zip(a) {
            for b in 0..GROUP {
                for v in 0..V {
                    sums[b][v] = simd.mul_add_f64s(entries[b][v], a[v], sums[b][v]);
                }
            }
        }
        for sum in sums {
            for v in 0..V {
                squared[v] = simd.mul_add_f64s(sum[v], sum[v], squared[v]);
            }
        }
    }
    squared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Block, Frame};
    use crate::kernels::instruction_sets;
    use crate::{CovarianceType, Covariances, Samples};
    use faer::Mat;

    /// Numbers in [0, 1) that look random enough.
    fn noise(i: usize) -> f64 {
        (((i + 1) as f64) * 12.9898)
            .sin()
            .mul_add(43_758.545, 0.5)
            .rem_euclid(1.0)
    }

    /// Neither through the ellipsoid nor along the direction of its component, for each of several ellipsoids and one that is none.
    #[test]
    fn no_row_exceeds_a_bound() {
        for (d, n) in [(1, 1), (1, 40), (2, 3), (5, 256), (9, 3), (9, 256)] {
            let tables: Vec<Mat<f64>> = (0..LANES)
                .map(|t| {
                    Mat::from_fn(n, d, |i, j| {
                        let at = (i + 7 * t) * d + j;
                        3.0 * noise(at) + noise(i) * j as f64 + t as f64
                    })
                })
                .collect();
            let weights: Vec<f64> = (0..n).map(|i| [1.0, 0.25][i % 2]).collect();
            let around = |(t, x): (usize, &Mat<f64>)| {
                let mut block = Block::new(d);
                let weights = if t == 3 { &vec![0.0; n] } else { &weights };
                let samples = Samples::from(x).with_weights(weights);
                block.fill(&samples, 0, &Frame::identity(d)).unwrap();
                Ellipsoid::around(&block)
            };
            let ellipsoids: Vec<Option<Ellipsoid>> =
                tables.iter().enumerate().map(around).collect();
            assert!(ellipsoids[3].is_none());
            for form in CovarianceType::ALL {
                let blocks = (0..form.n_blocks(6))
                    .map(|b| match form.block_len(d) {
                        len if len == d * d && d > 1 => (0..d * d)
                            .map(|e| if e / d == e % d { 1.0 + noise(b) } else { 0.1 })
                            .collect(),
                        len => vec![0.5 + noise(b); len],
                    })
                    .collect();
                let covariances = Covariances::new(form, 6, d, blocks).unwrap();
                let means = Mat::from_fn(6, d, |k, j| 4.0 * k as f64 * noise(k + j));
                let model = GaussianMixture::new(vec![1.0 / 6.0; 6], means, covariances).unwrap();
                let sets = instruction_sets().into_iter();
                let all: Vec<Bounds> = sets.map(|set| model.bounds_on(set, &ellipsoids)).collect();
                let pairs = all
                    .iter()
                    .flat_map(|bounds| tables.iter().enumerate().map(move |table| (bounds, table)));
                for (bounds, (lane, x)) in pairs {
                    let Some(ellipsoid) = &ellipsoids[lane] else {
                        continue;
                    };
                    let joint = model.log_joint(x).unwrap();
                    let squared = model.mahalanobis_squared(x).unwrap();
                    let mut direction = vec![0.0; d];
                    let mut n_bounds = 0;
                    for bound in bounds.falling(lane) {
                        n_bounds += 1;
                        let k = bound.component();
                        bound.direction(&mut direction);
                        let weight = model.weights[k].ln() + model.log_offset();
                        let most = bound.log_density() + weight;
                        for i in 0..n {
                            let slack = 1e-12 * most.abs();
                            assert!(
                                joint[(i, k)] <= most + slack,
                                "{form} {d} {n}: above {most}"
                            );
                            let along: f64 = (0..d)
                                .map(|j| direction[j] * (x[(i, j)] - ellipsoid.centre[j]))
                                .sum();
                            let nearest = bound.distance() + along;
                            let distance = squared[(i, k)].sqrt();
                            assert!(
                                nearest <= distance,
                                "{form} {d} {n}: {distance} < {nearest}"
                            );
                        }
                    }
                    assert_eq!(n_bounds, 6);
                }
            }
        }
    }
}
