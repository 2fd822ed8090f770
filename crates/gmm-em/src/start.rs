//! Where a fit starts: own starts from the data, or a mixture, labels or responsibilities that the caller has.

use std::cmp::Ordering;

use gmm_core::block::Block;
use gmm_core::covariance::{Moments, Prior, Regularizer};
use gmm_core::faer::{Mat, MatRef};
use gmm_core::{GaussianMixture, Proportions, Samples};
use rand::{Rng, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

use crate::kmeans::{KMeans, uniform};
use crate::pass::{assignment, by_label, expectation, expectation_as, row_by_row};
use crate::regularization::Scale;
use crate::split::PSEUDO_VARIANCE;
use crate::statistics::SufficientStatistics;
use crate::summary::Summary;
use crate::{Em, Error, Hierarchy, noise, split};

/// How a fit finds its first responsibilities or parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Initialization {
    /// From one component to K, always by the split that raises the likelihood most, then merges and splits in turn as long as
    /// they pay (Verbeek, Vlassis and Kröse 2003; Ueda et al. 2000). On a part of the rows where there are many. Finds better
    /// optima than any number of k-means starts.
    #[default]
    Split,
    /// Rows joined to groups by model-based hierarchical clustering (Banfield and Raftery 1993; Fraley 1998), as mclust starts: see
    /// [`Hierarchy`]. Of at most 400 rows; best where there are few rows for many features.
    Hierarchical,
    /// k-means++ seeds, then k-means (Lloyd 1982); each cluster becomes a component. scikit-learn's default.
    KMeans,
    /// k-means++ seeds (Arthur and Vassilvitskii 2007), each row to its nearest seed: more diverse than converged k-means.
    KMeansPlusPlus,
    /// Rows of different values as means, the covariance of all data for every component, equal weights.
    RandomFromData,
    /// Every row gets random responsibilities. All means start near the centre, the nearer the more rows: EM leaves that saddle
    /// slowly, and a stopping rule may end the fit on it. There to compare with other systems; rarely a good start.
    RandomResponsibilities,
}

impl Initialization {
    /// All starts.
    pub const ALL: [Self; 6] = [
        Self::Split,
        Self::Hierarchical,
        Self::KMeans,
        Self::KMeansPlusPlus,
        Self::RandomFromData,
        Self::RandomResponsibilities,
    ];

    /// The name: "split", "hierarchical", "kmeans", "kmeans++", "random-from-data", "random".
    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Hierarchical => "hierarchical",
            Self::KMeans => "kmeans",
            Self::KMeansPlusPlus => "kmeans++",
            Self::RandomFromData => "random-from-data",
            Self::RandomResponsibilities => "random",
        }
    }
}

/// A start that the caller has.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Start<'a> {
    /// The first E-step uses this mixture. Its weights are made equal, and it gets noise or loses it, where the settings ask for that.
    Mixture(&'a GaussianMixture),
    /// One component per row, from 0; with noise n_components is its label. The first M-step uses them.
    Labels(&'a [usize]),
    /// n_samples x n_components, rows sum to 1; with noise there may be one more column, its responsibilities. The first M-step uses
    /// them.
    Responsibilities(MatRef<'a, f64>),
    /// The groups of a hierarchy; the first M-step uses them.
    Hierarchy(&'a Hierarchy),
    /// The responsibilities under a mixture, which may have another covariance form; the first M-step uses them. From a poorer form
    /// to a richer one that holds it, the likelihood can only rise.
    ResponsibilitiesOf(&'a GaussianMixture),
}

/// The first parameters or the statistics of the first M-step, in the coordinates of the frame.
pub(crate) enum Begin {
    Model(GaussianMixture),
    Statistics(SufficientStatistics),
}

/// Whether a start that is being made may go on: [`Error::Interrupted`] where a watcher wants it to stop.
pub(crate) type Ask<'a> = dyn FnMut() -> Result<(), Error> + 'a;

/// A start from the data; the number of components found (fewer than asked for where there are fewer distinct rows).
pub(crate) fn own(
    em: &Em,
    x: &Samples<'_>,
    summary: &Summary,
    noise: Option<f64>,
    ask: &mut Ask<'_>,
) -> Result<Begin, Error> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(em.seed);
    let reciprocal_sd = reciprocal_sd(em, summary);
    let kmeans = KMeans {
        x: *x,
        frame: &summary.frame,
        reciprocal_sd,
    };
    let n = em.n_components;
    let initialization = em.initialization.unwrap_or_default();
    if initialization == Initialization::Split
        && let Some(model) = split::grow(x, summary, em.covariance, n, noise, &mut rng, ask)?
    {
        // An E-step on all rows; the first M-step is under the fit's own regularization.
        let shifts = model.means().to_owned();
        let statistics = expectation(&model, &summary.table(x), shifts)?;
        return Ok(Begin::Statistics(statistics));
    }
    if initialization == Initialization::Hierarchical {
        let hierarchy = Hierarchy::of_summary(x, summary, &mut rng);
        if let Some(statistics) = joined(em, x, summary, &hierarchy)? {
            return Ok(Begin::Statistics(statistics));
        }
    }
    Ok(Begin::Statistics(match initialization {
        // Too few or too equal rows to split or join: k-means says how many distinct ones there are.
        Initialization::Split | Initialization::Hierarchical | Initialization::KMeans => {
            let seeds = kmeans.seed(n, &mut rng, ask)?;
            kmeans.statistics(&kmeans.run(seeds, ask)?, em.covariance)?
        }
        Initialization::KMeansPlusPlus => {
            let seeds = kmeans.seed(n, &mut rng, ask)?;
            kmeans.statistics(&seeds, em.covariance)?
        }
        Initialization::RandomFromData => {
            let rows = distinct_rows(x, n, &mut rng);
            let means: Vec<Vec<f64>> = rows.into_iter().map(|row| kmeans.row(row)).collect();
            about_rows(em, summary, &means)
        }
        Initialization::RandomResponsibilities => {
            let seed = rng.next_u64();
            let assign = row_by_row(|row, r| random_shares(seed, row, r));
            assignment(&summary.table(x), em.covariance, n, &assign)?
        }
    }))
}

/// The statistics of a hierarchy's groups. Where it has a part of the rows only, those of all rows under the mixture that the groups
/// make; `None` where groups are too small or too few.
fn joined(
    em: &Em,
    x: &Samples<'_>,
    summary: &Summary,
    hierarchy: &Hierarchy,
) -> Result<Option<SufficientStatistics>, Error> {
    let n = em.n_components;
    let mut labels = vec![usize::MAX; x.n_samples()];
    let mut n_groups = 0;
    for (row, label) in hierarchy.rows().iter().zip(hierarchy.labels(n)) {
        labels[*row] = label;
        n_groups = n_groups.max(label + 1);
    }
    if n_groups < n {
        return Ok(None);
    }
    let statistics = assignment(&summary.table(x), em.covariance, n, &by_label(&labels))?;
    if hierarchy.rows().len() == summary.n_rows {
        return Ok(Some(statistics));
    }
    // A group of a few rows of many must not shrink onto them before the others are seen.
    let scale = Scale::of_summary(summary);
    let pseudo: Vec<f64> = scale
        .variances
        .iter()
        .map(|v| PSEUDO_VARIANCE * v)
        .collect();
    let prior = Regularizer::Prior(Prior::pseudo_observation(em.covariance, &pseudo));
    let model = (statistics.maximize_with(&prior, None).ok())
        .and_then(|maximized| statistics.mixture(maximized).ok());
    let Some(model) = model else { return Ok(None) };
    let shifts = model.means().to_owned();
    Ok(Some(expectation(&model, &summary.table(x), shifts)?))
}

/// 1/σⱼ; 1 for a feature without spread, whose distances are 0 anyway. One number for forms that have one unit.
fn reciprocal_sd(em: &Em, summary: &Summary) -> Vec<f64> {
    let reciprocal = |v: f64| if v > 0.0 { v.sqrt().recip() } else { 1.0 };
    let variances = summary.variances();
    if em.covariance.is_scale_free() {
        variances.into_iter().map(reciprocal).collect()
    } else {
        vec![reciprocal(
            variances.iter().sum::<f64>() / variances.len() as f64,
        )]
    }
}

/// Rows of positive weight and different values: those with the smallest of random keys, one key per row. Fewer where there are
/// fewer different rows.
fn distinct_rows(x: &Samples<'_>, n: usize, rng: &mut impl Rng) -> Vec<usize> {
    let equal = |a: usize, b: usize| {
        (0..x.n_features())
            .all(|j| x.value(a, j).partial_cmp(&x.value(b, j)) == Some(Ordering::Equal))
    };
    let mut chosen: Vec<(u64, usize)> = Vec::with_capacity(n);
    for row in (0..x.n_samples()).filter(|&i| x.weights().is_none_or(|w| w[i] > 0.0)) {
        let key = rng.next_u64();
        let is_full = chosen.len() == n;
        if is_full && chosen.last().is_none_or(|last| key >= last.0) {
            continue;
        }
        match chosen.iter().position(|c| equal(c.1, row)) {
            Some(known) if chosen[known].0 <= key => continue,
            Some(known) => {
                chosen.remove(known);
            }
            None if is_full => {
                chosen.pop();
            }
            None => {}
        }
        chosen.insert(chosen.partition_point(|c| c.0 <= key), (key, row));
    }
    chosen.into_iter().map(|(_, row)| row).collect()
}

/// Statistics whose M-step gives these means, equal weights, and the covariance of all data in every component.
fn about_rows(em: &Em, summary: &Summary, means: &[Vec<f64>]) -> SufficientStatistics {
    let shifts = Mat::from_fn(means.len(), summary.n_features(), |k, j| means[k][j]);
    let mut statistics = SufficientStatistics::about(em.covariance, shifts);
    let mut share = Moments {
        mean: vec![0.0; summary.n_features()],
        ..summary.moments.clone()
    };
    share.scale(1.0 / means.len() as f64);
    statistics.moments.fill(share);
    statistics.total_weight = summary.total_weight();
    statistics
}

/// Uniform numbers divided by their sum, from a generator that depends on the row only.
fn random_shares(seed: u64, row: usize, r: &mut [f64]) {
    let mut rng =
        SplitMix64::seed_from_u64(seed ^ (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    r.iter_mut().for_each(|r| *r = 1.0 - uniform(&mut rng));
    let sum: f64 = r.iter().sum();
    r.iter_mut().for_each(|r| *r /= sum);
}

/// A given start, checked; `noise` is the log-density of the class of noise, in the frame.
pub(crate) fn given(
    em: &Em,
    x: &Samples<'_>,
    summary: &Summary,
    start: Start<'_>,
    noise: Option<f64>,
) -> Result<Begin, Error> {
    let n = em.n_components;
    match start {
        Start::Mixture(model) => {
            if model.n_components() != n {
                return Err(Error::StartComponents {
                    found: model.n_components(),
                    expected: n,
                });
            }
            x.check_shape(model.n_features())?;
            if model.covariance_type() != em.covariance {
                return Err(Error::StartForm {
                    found: model.covariance_type(),
                    expected: em.covariance,
                });
            }
            let model = noise::begin(model.to_frame(&summary.frame)?, noise)?;
            Ok(Begin::Model(match em.proportions {
                Proportions::Equal => model.with_equal_weights(),
                other => model.with_proportions(other)?,
            }))
        }
        Start::ResponsibilitiesOf(model) => {
            if model.n_components() != n {
                return Err(Error::StartComponents {
                    found: model.n_components(),
                    expected: n,
                });
            }
            x.check_shape(model.n_features())?;
            let model = noise::begin(model.to_frame(&summary.frame)?, noise)?;
            let shifts = model.means().to_owned();
            let statistics = expectation_as(&model, &summary.table(x), shifts, em.covariance)?;
            Ok(Begin::Statistics(statistics))
        }
        Start::Hierarchy(hierarchy) => {
            if let Some(row) = hierarchy.rows().iter().find(|row| **row >= x.n_samples()) {
                return Err(Error::StartRows {
                    found: row + 1,
                    expected: x.n_samples(),
                });
            }
            let statistics = joined(em, x, summary, hierarchy)?;
            statistics.map(Begin::Statistics).ok_or(Error::TooFewRows {
                found: hierarchy.rows().len(),
                n_components: n,
            })
        }
        Start::Labels(labels) => {
            check_rows(labels.len(), x)?;
            let n_classes = n + usize::from(noise.is_some());
            if let Some(row) = labels.iter().position(|l| *l >= n_classes) {
                return Err(Error::StartLabel {
                    row,
                    label: labels[row],
                    n_components: n,
                });
            }
            Ok(Begin::Statistics(of_classes(
                em,
                x,
                summary,
                n_classes,
                &by_label(labels),
                noise,
            )?))
        }
        Start::Responsibilities(given) => {
            let has_noise = noise.is_some() && given.ncols() == n + 1;
            if given.ncols() != n && !has_noise {
                return Err(Error::StartComponents {
                    found: given.ncols(),
                    expected: n,
                });
            }
            check_responsibilities(given, x)?;
            let assign = row_by_row(|row, r| {
                let values = r.iter_mut().enumerate();
                values.for_each(|(k, r)| *r = given[(row, k)]);
            });
            let noise = noise.filter(|_| has_noise);
            Ok(Begin::Statistics(of_classes(
                em,
                x,
                summary,
                given.ncols(),
                &assign,
                noise,
            )?))
        }
    }
}

/// The statistics of given responsibilities, the last of which are those of noise if there is a density of it.
fn of_classes(
    em: &Em,
    x: &Samples<'_>,
    summary: &Summary,
    n_classes: usize,
    assign: &(impl Fn(&Block, &mut [f64]) + Sync),
    noise: Option<f64>,
) -> Result<SufficientStatistics, Error> {
    let mut statistics = assignment(&summary.table(x), em.covariance, n_classes, assign)?;
    if let Some(log_density) = noise {
        statistics.take_last_as_noise(log_density);
    }
    Ok(statistics)
}

fn check_rows(found: usize, x: &Samples<'_>) -> Result<(), Error> {
    if found == x.n_samples() {
        Ok(())
    } else {
        Err(Error::StartRows {
            found,
            expected: x.n_samples(),
        })
    }
}

/// One row of probabilities per row of data.
pub(crate) fn check_responsibilities(given: MatRef<'_, f64>, x: &Samples<'_>) -> Result<(), Error> {
    check_rows(given.nrows(), x)?;
    if given.ncols() == 0 {
        return Err(Error::NoComponents);
    }
    for row in 0..given.nrows() {
        let values = || (0..given.ncols()).map(|k| given[(row, k)]);
        let sum: f64 = values().sum();
        let bad = values().position(|r| !(r.is_finite() && r >= 0.0));
        // The same tolerance as for mixture weights: numbers may come from single precision.
        if bad.is_some() || (sum - 1.0).abs() > 1e-6 {
            let component = bad.unwrap_or(0);
            return Err(Error::StartResponsibilities {
                row,
                component,
                value: given[(row, component)],
                sum,
            });
        }
    }
    Ok(())
}

/// The seed of start number `start`: the same whatever the number of starts.
///
/// Start 0 has the seed itself, so that one start is a plain fit.
pub fn derived_seed(seed: u64, start: u64) -> u64 {
    if start == 0 {
        return seed;
    }
    // One output of SplitMix64 (Steele, Lea and Flood 2014) from a state that differs for each start.
    SplitMix64::seed_from_u64(seed ^ start.wrapping_mul(0xd1b5_4a32_d192_ed03)).next_u64()
}

#[cfg(test)]
mod tests;
