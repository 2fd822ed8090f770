//! Clusters of several components: components are combined as long as that makes the assignment of rows much clearer.

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::faer::Mat;
use gmm_core::{CompensatedSum, GaussianMixture, Samples, Scratch};

use crate::rows::{Gather, gather};

/// Two clusters that became one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Merge {
    /// Their numbers before the merge, the smaller one first. The merged cluster has the smaller number; those above the larger one move
    /// down by one.
    pub clusters: (usize, usize),
    /// By how many nats the entropy falls.
    pub gain: f64,
}

/// A hierarchy of clusters over the components of a mixture, from K clusters down to one (Baudry, Raftery, Celeux, Lo and Gottardo 2010).
///
/// BIC counts the Gaussian components that a density needs; a cluster that is not Gaussian needs several. With tᵢⱼ the sum of the
/// responsibilities of row i for the components of cluster j, the entropy of a clustering is -Σᵢ wᵢ Σⱼ tᵢⱼ ln tᵢⱼ. Each step merges the two
/// clusters whose merging lowers it most; the density stays the same. Merging a and b gains
/// Σᵢ wᵢ (tᵢₐ ln(1 + tᵢᵦ / tᵢₐ) + tᵢᵦ ln(1 + tᵢₐ / tᵢᵦ)), a sum of positive terms, and one cluster has entropy 0, so that
/// the entropy of J clusters is the sum of the gains of the merges that are left: no digit of it cancels.
///
/// A step is one pass over the rows, and nothing is stored per row. Where the entropy stops falling steeply lies a reasonable
/// number of clusters: see [`Combination::elbow`].
///
/// ```
/// use gmm_core::{Covariances, GaussianMixture, faer::mat};
/// use gmm_select::Combination;
///
/// // Two components on one place make one cluster.
/// let means = mat![[0.0], [0.5], [20.0]];
/// let model = GaussianMixture::new(vec![0.25, 0.25, 0.5], means, Covariances::spherical(&[1.0, 1.5, 1.0], 1)?)?;
/// let x = mat![[-1.0], [0.1], [1.0], [19.0], [21.0]];
/// let combination = Combination::new(&model, &x)?;
/// assert_eq!(combination.merges()[0].clusters, (0, 1));
/// assert_eq!(combination.clusters_of_components(2), [0, 0, 1]);
/// assert_eq!(combination.predict(&model, &x, 2)?, [0, 0, 0, 1, 1]);
/// # Ok::<(), gmm_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    n_components: usize,
    merges: Vec<Merge>,
}

impl Combination {
    /// The hierarchy of a mixture's components on data.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::log_likelihood`], and [`gmm_core::Error::NoWeight`].
    pub fn new<'a>(
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<Self, gmm_core::Error> {
        let x = x.into();
        let n_components = model.n_components();
        // Component sets of the clusters, and the gain of each pair of them.
        let mut clusters: Vec<Vec<usize>> = (0..n_components).map(|k| vec![k]).collect();
        let mut gains = Table::new(n_components);
        let all = gather(model, &x, || Gains::new(&clusters, None))?;
        all.pairs().for_each(|(a, b, gain)| gains.set(a, b, gain));
        let mut merges = Vec::new();
        while clusters.len() > 1 {
            let (a, b, gain) = gains.largest(clusters.len());
            merges.push(Merge {
                clusters: (a, b),
                gain,
            });
            let absorbed = clusters.remove(b);
            clusters[a].extend(absorbed);
            gains.remove(b);
            if clusters.len() == 1 {
                break;
            }
            // Only the pairs of the new cluster have new gains.
            let new = gather(model, &x, || Gains::new(&clusters, Some(a)))?;
            new.pairs().for_each(|(a, b, gain)| gains.set(a, b, gain));
        }
        Ok(Self {
            n_components,
            merges,
        })
    }

    /// Number of components K.
    pub fn n_components(&self) -> usize {
        self.n_components
    }

    /// The K - 1 merges, the first one first.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The entropies in nats of 1, 2, ..., K clusters: 0 first, rising.
    pub fn entropies(&self) -> Vec<f64> {
        let mut entropies = vec![0.0];
        let mut sum = 0.0;
        for merge in self.merges.iter().rev() {
            sum += merge.gain;
            entropies.push(sum);
        }
        entropies
    }

    /// The cluster of each component when there are so many clusters; more than K count as K, none as one.
    pub fn clusters_of_components(&self, n_clusters: usize) -> Vec<usize> {
        let mut of_component: Vec<usize> = (0..self.n_components).collect();
        let n_merges = self.n_components - n_clusters.clamp(1, self.n_components);
        for merge in &self.merges[..n_merges] {
            let (a, b) = merge.clusters;
            for cluster in &mut of_component {
                match (*cluster).cmp(&b) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => *cluster = a,
                    std::cmp::Ordering::Greater => *cluster -= 1,
                }
            }
        }
        of_component
    }

    /// tᵢⱼ, n_samples x n_clusters; rows sum to 1. `model` is the mixture the hierarchy was made of.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::responsibilities`], and [`gmm_core::Error::ComponentCount`] for a mixture of another number of components.
    pub fn responsibilities<'a>(
        &self,
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
        n_clusters: usize,
    ) -> Result<Mat<f64>, gmm_core::Error> {
        self.check(model)?;
        let of_component = self.clusters_of_components(n_clusters);
        let r = model.responsibilities(x)?;
        let n_clusters = of_component.iter().max().map_or(1, |last| last + 1);
        let mut t = Mat::zeros(r.nrows(), n_clusters);
        for (k, &cluster) in of_component.iter().enumerate() {
            for i in 0..r.nrows() {
                t[(i, cluster)] += r[(i, k)];
            }
        }
        Ok(t)
    }

    /// The most probable cluster of each row, the first one at a tie.
    ///
    /// # Errors
    /// As [`Combination::responsibilities`].
    pub fn predict<'a>(
        &self,
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
        n_clusters: usize,
    ) -> Result<Vec<usize>, gmm_core::Error> {
        let t = self.responsibilities(model, x, n_clusters)?;
        let label = |i: usize| {
            (1..t.ncols()).fold(0, |best, j| if t[(i, j)] > t[(i, best)] { j } else { best })
        };
        Ok((0..t.nrows()).map(label).collect())
    }

    /// The number of clusters at which the entropy, as a function of the number of clusters, bends: that of the best fit of two lines by least
    /// squares that share the point of the bend (the rule of Baudry et al. 2010, and of mclust's `clustCombiOptim`).
    ///
    /// `None` for fewer than four components: three points always lie on two lines. It proposes where to bend, not whether there is a
    /// bend: look at [`Combination::entropies`] too.
    pub fn elbow(&self) -> Option<usize> {
        let entropies = self.entropies();
        let n = entropies.len();
        if n < 4 {
            return None;
        }
        let loss = |bend: usize| {
            squared_residuals(0, &entropies[..=bend]) + squared_residuals(bend, &entropies[bend..])
        };
        (1..n - 1)
            .map(|bend| (bend, loss(bend)))
            .reduce(|best, next| if next.1 < best.1 { next } else { best })
            .map(|(bend, _)| bend + 1)
    }

    fn check(&self, model: &GaussianMixture) -> Result<(), gmm_core::Error> {
        if model.n_components() == self.n_components {
            return Ok(());
        }
        Err(gmm_core::Error::ComponentCount {
            parameter: "means",
            found: model.n_components(),
            expected: self.n_components,
        })
    }
}

/// What a straight line through (first, y₀), (first + 1, y₁), ... leaves, by least squares.
fn squared_residuals(first: usize, y: &[f64]) -> f64 {
    let n = y.len() as f64;
    let x = |i: usize| (first + i) as f64;
    let mean_x = (0..y.len()).map(x).sum::<f64>() / n;
    let mean_y = y.iter().sum::<f64>() / n;
    let (mut xx, mut xy) = (0.0, 0.0);
    for (i, y) in y.iter().enumerate() {
        xx += (x(i) - mean_x).powi(2);
        xy += (x(i) - mean_x) * (y - mean_y);
    }
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    let residual = |(i, y): (usize, &f64)| (y - mean_y - slope * (x(i) - mean_x)).powi(2);
    y.iter().enumerate().map(residual).sum()
}

/// The gain of each pair of clusters.
struct Table {
    rows: Vec<Vec<f64>>,
}

impl Table {
    fn new(n: usize) -> Self {
        Self {
            rows: vec![vec![0.0; n]; n],
        }
    }

    fn set(&mut self, a: usize, b: usize, gain: f64) {
        self.rows[a][b] = gain;
        self.rows[b][a] = gain;
    }

    fn remove(&mut self, cluster: usize) {
        self.rows.remove(cluster);
        self.rows.iter_mut().for_each(|row| {
            row.remove(cluster);
        });
    }

    /// The pair of largest gain, the first one at a tie.
    fn largest(&self, n: usize) -> (usize, usize, f64) {
        let mut best = (0, 1, self.rows[0][1]);
        for a in 0..n {
            for b in a + 1..n {
                if self.rows[a][b] > best.2 {
                    best = (a, b, self.rows[a][b]);
                }
            }
        }
        best
    }
}

/// Rows add nothing to the gains of a cluster of which they have a smaller share: 1e9 rows would add less than 1e-19 nats. Of many
/// clusters a row has such a share in most, so that its pairs are few.
const SMALLEST_SHARE: f64 = 1e-30;

/// Where ln(1 + q) is q - q²/2 + q³/3 to the last bit but one: the next term is below q³/4 of the first.
const SMALL_RATIO: f64 = 1e-5;

/// What merging pairs of clusters would gain on some rows.
struct Gains<'a> {
    clusters: &'a [Vec<usize>],
    /// The cluster whose pairs are wanted; all pairs where there is none.
    one: Option<usize>,
    /// The gain of clusters a < b at a n + b, or of the one and b at b.
    sums: Vec<CompensatedSum>,
    /// tⱼ and ln tⱼ of the row in work, and the clusters where they count.
    shares: Vec<f64>,
    log_shares: Vec<f64>,
    active: Vec<usize>,
}

impl<'a> Gains<'a> {
    fn new(clusters: &'a [Vec<usize>], one: Option<usize>) -> Self {
        let n = clusters.len();
        Self {
            sums: vec![CompensatedSum::default(); if one.is_some() { n } else { n * n }],
            shares: vec![0.0; n],
            log_shares: vec![0.0; n],
            active: Vec::with_capacity(n),
            clusters,
            one,
        }
    }

    /// The pairs and their gains.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        let n = self.clusters.len();
        let sums = self.sums.iter().enumerate();
        sums.filter_map(move |(at, sum)| {
            let (a, b) = self
                .one
                .map_or((at / n, at % n), |one| (one.min(at), one.max(at)));
            (a < b).then(|| (a, b, sum.value()))
        })
    }
}

impl Gather for Gains<'_> {
    fn add(&mut self, block: &Block, scratch: &Scratch) {
        let n = self.clusters.len();
        for i in (0..block.len()).filter(|&i| block.weights()[i] > 0.0) {
            let w = block.weights()[i];
            self.active.clear();
            for (cluster, components) in self.clusters.iter().enumerate() {
                let share: f64 = (components.iter())
                    .map(|k| scratch.joint[k * BLOCK_ROWS + i])
                    .sum();
                self.shares[cluster] = share;
                if share >= SMALLEST_SHARE {
                    self.log_shares[cluster] = share.ln();
                    self.active.push(cluster);
                }
            }
            // With the smaller share a, a ln((a + b) / a) + b ln((a + b) / b) takes one new logarithm: ln(1 + a / b).
            let gain = |one: usize, other: usize| {
                let (a, b) = if self.shares[one] < self.shares[other] {
                    (one, other)
                } else {
                    (other, one)
                };
                let ratio = self.shares[a] / self.shares[b];
                let log = if ratio < SMALL_RATIO {
                    ratio * (1.0 - ratio * (0.5 - ratio / 3.0))
                } else {
                    ratio.ln_1p()
                };
                let log_odds = self.log_shares[b] - self.log_shares[a];
                w * (self.shares[a] * (log_odds + log) + self.shares[b] * log)
            };
            match self.one {
                None => {
                    for (place, &a) in self.active.iter().enumerate() {
                        for &b in &self.active[place + 1..] {
                            self.sums[a * n + b].add(gain(a, b));
                        }
                    }
                }
                Some(one) if self.shares[one] >= SMALLEST_SHARE => {
                    for &b in self.active.iter().filter(|b| **b != one) {
                        self.sums[b].add(gain(one, b));
                    }
                }
                Some(_) => {}
            }
        }
    }

    fn merge(&mut self, later: &Self) {
        for (sum, other) in self.sums.iter_mut().zip(&later.sums) {
            sum.merge(other);
        }
    }
}
