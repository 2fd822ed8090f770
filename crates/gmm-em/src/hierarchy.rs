//! Model-based hierarchical clustering: rows are joined two by two, always those groups whose joining costs the least likelihood.
//!
//! The criterion is that of a normal distribution of its own for each group (Banfield and Raftery 1993; Fraley 1998): the sum over
//! groups of
//!
//! n log(|W / n| + (tr W + α) / n), α = tr W_all / (N D),
//!
//! with n the rows and W the scatter of a group; a group of no more rows than features has no determinant. It is computed in the
//! coordinates of a scaled singular value decomposition (Scrucca and Raftery 2015), as mclust does by default.
//!
//! Starts from here find what splitting misses where there are few rows for many features. The costs of all pairs are kept, so that
//! it is made of a part of a large table.

use gmm_core::faer::Mat;
use gmm_core::symmetric::Eigen;
use gmm_core::{CovarianceType, Samples};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Error;
use crate::sketch::Sketch;
use crate::summary::Summary;

/// Rows that are joined at most: about n² D³ / 3 operations, 0.01 s for so many rows of eight features.
const MOST_ROWS: usize = 400;
/// Directions that are kept at most, those of the largest spread.
const MOST_AXES: usize = 16;

/// How rows are joined to groups, from as many groups as rows to one: a start for fits of any number of components and any form.
///
/// ```
/// use gmm_core::faer::MatRef;
/// use gmm_em::{Em, Hierarchy, Start};
///
/// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9];
/// let x = MatRef::from_row_major_slice(&table, 10, 1);
/// let hierarchy = Hierarchy::new(x, 0)?;
/// assert_eq!(hierarchy.labels(2), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
/// let fit = Em::new(2).fit_from(x, Start::Hierarchy(&hierarchy))?;
/// assert!((fit.model().means()[(0, 0)] - 1.0).abs() < 1e-6);
/// # Ok::<(), gmm_em::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where the rows stand in the table: all of positive weight, or a random part of many.
    rows: Vec<usize>,
    /// Pairs of groups, each named by its first row, in the order in which they were joined.
    merges: Vec<[usize; 2]>,
}

impl Hierarchy {
    /// The hierarchy of the rows of positive weight; of a part of them, drawn by the seed, where there are more than 400.
    ///
    /// # Errors
    /// Those of bad data.
    pub fn new<'a>(x: impl Into<Samples<'a>>, seed: u64) -> Result<Self, Error> {
        let x = x.into();
        let summary = Summary::new(&x, CovarianceType::Full)?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Ok(Self::of_summary(&x, &summary, &mut rng))
    }

    pub(crate) fn of_summary(x: &Samples<'_>, summary: &Summary, rng: &mut impl Rng) -> Self {
        let sketch = Sketch::draw(x, summary, CovarianceType::Full, MOST_ROWS, rng);
        let mut state = Agglomeration::new(decorrelated(&sketch));
        let mut merges = Vec::with_capacity(sketch.n_rows().saturating_sub(1));
        while let Some(pair) = state.cheapest() {
            state.join(pair);
            merges.push(pair);
        }
        Self {
            rows: sketch.into_table_rows(),
            merges,
        }
    }

    /// The table's rows that have a label.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The group of each of [`rows`](Self::rows) where there are `n_groups` of them, numbered by their first rows. Each row is its own
    /// group where there are fewer rows.
    pub fn labels(&self, n_groups: usize) -> Vec<usize> {
        let n_rows = self.rows.len();
        let mut joined: Vec<usize> = (0..n_rows).collect();
        let n_merges = n_rows.saturating_sub(n_groups.max(1));
        for [kept, gone] in &self.merges[..n_merges] {
            joined[*gone] = *kept;
        }
        let mut label_of = vec![usize::MAX; n_rows];
        let mut n_labels = 0;
        let mut labels = Vec::with_capacity(n_rows);
        for row in 0..n_rows {
            // A group is named by its first row, and what it was joined to has a first row before that.
            let mut root = row;
            while joined[root] != root {
                root = joined[root];
            }
            if label_of[root] == usize::MAX {
                label_of[root] = n_labels;
                n_labels += 1;
            }
            labels.push(label_of[root]);
        }
        labels
    }
}

/// Rows as points with weights.
struct Points {
    n_axes: usize,
    /// Row by row.
    values: Vec<f64>,
    weights: Vec<f64>,
}

/// Z = Y V S^(-1/2), with Y the standardized rows (divisor N - 1) and U S V' its singular value decomposition. Directions without spread
/// are left out.
fn decorrelated(sketch: &Sketch) -> Points {
    let (n, d) = (sketch.n_rows(), sketch.variances().len());
    let weights: Vec<f64> = (0..n).map(|i| sketch.weight(i)).collect();
    let total: f64 = weights.iter().sum();
    let mean: Vec<f64> = (0..d)
        .map(|j| (0..n).map(|i| weights[i] * sketch.value(i, j)).sum::<f64>() / total)
        .collect();
    // Of one row nothing is left anyway.
    let correction = (total / (total - 1.0).max(1.0)).sqrt();
    let scale: Vec<f64> = (sketch.variances().iter())
        .map(|v| {
            if *v > 0.0 {
                1.0 / (v.sqrt() * correction)
            } else {
                0.0
            }
        })
        .collect();
    let standardized = Mat::from_fn(n, d, |i, j| (sketch.value(i, j) - mean[j]) * scale[j]);
    let scatter = Mat::from_fn(d, d, |a, b| {
        let terms = weights.iter().enumerate();
        terms
            .map(|(i, w)| w * standardized[(i, a)] * standardized[(i, b)])
            .sum::<f64>()
    });
    // An iteration that does not converge leaves the coordinates as axes.
    let eigen = Eigen::new(scatter.as_ref()).unwrap_or_else(|| Eigen {
        values: (0..d).map(|j| scatter[(j, j)]).collect(),
        vectors: Mat::identity(d, d),
    });
    let largest = eigen.values.iter().copied().fold(0.0, f64::max);
    // Rounding of a sum of n terms is no spread.
    let least = largest * n as f64 * f64::EPSILON;
    let axes: Vec<usize> = (0..d)
        .rev()
        .filter(|&e| eigen.values[e] > least)
        .take(MOST_AXES)
        .collect();
    let mut values = Vec::with_capacity(n * axes.len());
    for i in 0..n {
        for &e in &axes {
            let along: f64 = (0..d)
                .map(|j| standardized[(i, j)] * eigen.vectors[(j, e)])
                .sum();
            values.push(along / eigen.values[e].sqrt().sqrt());
        }
    }
    Points {
        n_axes: axes.len(),
        values,
        weights,
    }
}

/// A group on the way.
#[derive(Clone)]
struct Group {
    count: f64,
    mean: Vec<f64>,
    /// The packed lower triangle of the scatter.
    scatter: Vec<f64>,
    trace: f64,
    /// The group's term of the criterion.
    term: f64,
}

impl Group {
    fn row(mean: &[f64], count: f64, alpha: f64) -> Self {
        let d = mean.len();
        let scatter = vec![0.0; d * (d + 1) / 2];
        Self {
            count,
            mean: mean.to_vec(),
            trace: 0.0,
            term: Self::term(count, 0.0, &mut scatter.clone(), d, alpha),
            scatter,
        }
    }

    /// Two groups as one.
    fn joined(a: &Self, b: &Self, alpha: f64) -> Self {
        let joint = Joint::of(a, b);
        let mut scatter = Vec::new();
        joint.scatter(a, b, &mut scatter);
        let share = b.count / joint.count;
        let mean: Vec<f64> = (a.mean.iter().zip(&b.mean))
            .map(|(a, b)| a + share * (b - a))
            .collect();
        Self {
            count: joint.count,
            trace: joint.trace,
            term: Self::term(
                joint.count,
                joint.trace,
                &mut scatter.clone(),
                mean.len(),
                alpha,
            ),
            mean,
            scatter,
        }
    }

    /// n log(|W / n| + (tr W + α) / n) of a packed scatter, which is overwritten; it may be empty for no more than d rows.
    fn term(count: f64, trace: f64, scatter: &mut [f64], d: usize, alpha: f64) -> f64 {
        let ridge = (trace + alpha) / count;
        if count <= d as f64 {
            return count * ridge.ln();
        }
        scatter.iter_mut().for_each(|w| *w /= count);
        count * (determinant(scatter, d) + ridge).ln()
    }
}

/// What is known of two groups together without their scatter.
struct Joint {
    count: f64,
    trace: f64,
    /// What the difference of their means adds to the scatter.
    factor: f64,
}

impl Joint {
    fn of(a: &Group, b: &Group) -> Self {
        let count = a.count + b.count;
        let factor = a.count * (b.count / count);
        let means = a.mean.iter().zip(&b.mean);
        let squared: f64 = means.map(|(a, b)| (b - a) * (b - a)).sum();
        Self {
            count,
            trace: a.trace + b.trace + factor * squared,
            factor,
        }
    }

    fn scatter(&self, a: &Group, b: &Group, scatter: &mut Vec<f64>) {
        scatter.clear();
        for i in 0..a.mean.len() {
            let u = self.factor * (b.mean[i] - a.mean[i]);
            for j in 0..=i {
                let at = scatter.len();
                scatter.push(a.scatter[at] + b.scatter[at] + u * (b.mean[j] - a.mean[j]));
            }
        }
    }
}

struct Agglomeration {
    alpha: f64,
    /// By first row; none where a group was joined to another.
    groups: Vec<Option<Group>>,
    /// What joining group i and a later group costs at least, and which that is.
    nearest: Vec<Option<(f64, usize)>>,
    /// Costs of joining i and j < i, packed.
    costs: Vec<f64>,
    /// Room for a joined scatter and its factor.
    scratch: Vec<f64>,
}

impl Agglomeration {
    fn new(points: Points) -> Self {
        let (n, d) = (points.weights.len(), points.n_axes);
        let rows = points.values.chunks_exact(d.max(1));
        let mean_square: f64 = (rows.clone().zip(&points.weights))
            .map(|(row, w)| w * row.iter().map(|z| z * z).sum::<f64>())
            .sum::<f64>()
            / (points.weights.iter().sum::<f64>() * d as f64);
        let mut state = Self {
            alpha: if mean_square > 0.0 { mean_square } else { 1.0 },
            groups: vec![None; n],
            nearest: vec![None; n],
            costs: vec![f64::INFINITY; n * n.saturating_sub(1) / 2],
            scratch: Vec::new(),
        };
        for (i, count) in points.weights.iter().enumerate() {
            let mean = &points.values[i * d..][..d];
            state.groups[i] = Some(Group::row(mean, *count, state.alpha));
        }
        for i in 0..n {
            for j in 0..i {
                state.price(j, i);
            }
        }
        (0..n).for_each(|i| state.find_nearest(i));
        state
    }

    fn price(&mut self, i: usize, j: usize) {
        if let (Some(a), Some(b)) = (&self.groups[i], &self.groups[j]) {
            let (joint, d) = (Joint::of(a, b), a.mean.len());
            // A scatter of few rows isn't asked for.
            if joint.count > d as f64 {
                joint.scatter(a, b, &mut self.scratch);
            }
            let (count, trace) = (joint.count, joint.trace);
            let together = Group::term(count, trace, &mut self.scratch, d, self.alpha);
            self.costs[j * (j - 1) / 2 + i] = together - a.term - b.term;
        }
    }

    /// Which later group is the cheapest for i.
    fn find_nearest(&mut self, i: usize) {
        self.nearest[i] = (i + 1..self.groups.len())
            .filter(|&j| self.groups[j].is_some())
            .map(|j| (self.costs[j * (j - 1) / 2 + i], j))
            .reduce(|best, next| if next.0 < best.0 { next } else { best });
    }

    fn cheapest(&self) -> Option<[usize; 2]> {
        (self.nearest.iter().enumerate())
            .filter_map(|(i, nearest)| nearest.map(|(cost, j)| (cost, [i, j])))
            .reduce(|best, next| if next.0 < best.0 { next } else { best })
            .map(|(_, pair)| pair)
    }

    /// Joins j to i < j.
    fn join(&mut self, [i, j]: [usize; 2]) {
        let (Some(a), Some(b)) = (self.groups[i].take(), self.groups[j].take()) else {
            return;
        };
        self.groups[i] = Some(Group::joined(&a, &b, self.alpha));
        self.nearest[j] = None;
        for other in (0..self.groups.len()).filter(|&k| k != i) {
            if self.groups[other].is_none() {
                continue;
            }
            let (first, second) = (other.min(i), other.max(i));
            self.price(first, second);
            // Only pairs with i or j have other costs now.
            match self.nearest[other] {
                Some((_, k)) if k == i || k == j => self.find_nearest(other),
                Some((best, k)) if other < i => {
                    let cost = self.costs[i * (i - 1) / 2 + other];
                    if cost < best || cost <= best && i < k {
                        self.nearest[other] = Some((cost, i));
                    }
                }
                _ => {}
            }
        }
        self.find_nearest(i);
    }
}

/// |A| of a packed lower triangle, which is overwritten; 0 where it is singular.
fn determinant(a: &mut [f64], d: usize) -> f64 {
    let start = |i: usize| i * (i + 1) / 2;
    let mut product = 1.0;
    for i in 0..d {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| a[start(i) + k] * a[start(j) + k]).sum();
            let rest = a[start(i) + j] - dot;
            if i == j {
                // What is left of a pivot after rounding is none.
                if rest <= 0.0 || rest.is_nan() {
                    return 0.0;
                }
                product *= rest;
                a[start(i) + i] = rest.sqrt();
            } else {
                a[start(i) + j] = rest / a[start(j) + j];
            }
        }
    }
    product
}

#[cfg(test)]
mod tests;
