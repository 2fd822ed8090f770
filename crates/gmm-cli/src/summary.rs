//! A mixture for people: each group's weight, rows, centre and spread, and how certain the assignment is.

use gmm_core::covariance::Variation;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, GaussianMixture, Proportions, Samples};

use crate::data::Data;
use crate::number::{fixed, with_spread};
use crate::text::{aligned, counted, printable};

/// A row whose most probable group has less than this probability is a doubtful one.
pub(crate) const CERTAIN: f64 = 0.8;

/// With more features than this, a table of centres is too wide to read.
const MOST_FEATURES: usize = 8;

/// Of many features, so many are shown for each group.
const N_TELLING: usize = 3;

/// Rows per piece: their responsibilities for all groups are held at once.
const PIECE: usize = 1 << 14;

/// Which rows belong to which group, and how certainly.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assignment {
    /// Rows whose most probable group this is; after the groups those of noise, if there is any.
    pub(crate) n_rows: Vec<usize>,
    /// Weighted mean of the largest probability of each row.
    pub(crate) mean_certainty: f64,
    /// Rows whose largest probability is below [`CERTAIN`].
    pub(crate) n_doubtful: usize,
}

impl Assignment {
    /// Assigns the rows of a table.
    pub(crate) fn new(model: &GaussianMixture, data: &Data) -> Result<Self, gmm_core::Error> {
        let mut assignment = Self {
            n_rows: vec![0; model.n_classes()],
            mean_certainty: 0.0,
            n_doubtful: 0,
        };
        let mut total_weight = 0.0;
        for start in (0..data.n_rows()).step_by(PIECE) {
            let piece = data.values.subrows(start, PIECE.min(data.n_rows() - start));
            let r = model.responsibilities(Samples::from(piece))?;
            for i in 0..r.nrows() {
                let (group, certainty) = largest(&r, i);
                assignment.n_rows[group] += 1;
                let weight = data.weights.as_ref().map_or(1.0, |w| w[start + i]);
                total_weight += weight;
                assignment.mean_certainty += weight * certainty;
                assignment.n_doubtful += usize::from(certainty < CERTAIN);
            }
        }
        assignment.mean_certainty /= total_weight;
        Ok(assignment)
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        let n_rows: usize = self.n_rows.iter().sum();
        let doubtful = match self.n_doubtful {
            0 => format!("no row is below {CERTAIN}"),
            1 => format!("1 of {n_rows} rows is below {CERTAIN}"),
            n => format!("{n} of {n_rows} rows are below {CERTAIN}"),
        };
        format!(
            "assignment: the most probable group of a row has probability {} on average; {doubtful}",
            fixed(self.mean_certainty, 3)
        )
    }
}

/// The most probable group of a row (or noise, the last column), the first one at a tie, and its probability.
fn largest(r: &Mat<f64>, row: usize) -> (usize, f64) {
    (1..r.ncols()).fold((0, r[(row, 0)]), |best, k| {
        if r[(row, k)] > best.1 {
            (k, r[(row, k)])
        } else {
            best
        }
    })
}

/// σₖⱼ: the spread of each feature in a group.
pub(crate) fn spreads(model: &GaussianMixture, group: usize) -> Vec<f64> {
    model
        .covariances()
        .variances(group)
        .into_iter()
        .map(f64::sqrt)
        .collect()
}

/// The table of groups: for few features their centres and spreads, for many the ones that tell a group from the rest.
pub(crate) fn groups(
    model: &GaussianMixture,
    names: &[String],
    n_rows: Option<&[usize]>,
) -> String {
    let is_wide = model.n_features() > MOST_FEATURES;
    let mut header = vec!["group".to_owned(), "weight".to_owned()];
    header.extend(n_rows.map(|_| "rows".to_owned()));
    if is_wide {
        header.push("stands out by".to_owned());
    } else {
        header.extend(names.iter().map(|name| printable(name)));
    }
    let mut rows = vec![header];
    let whole = is_wide.then(|| Whole::of(model));
    for group in 0..model.n_components() {
        let mut row = vec![(group + 1).to_string(), fixed(model.weights()[group], 3)];
        row.extend(n_rows.map(|n| n[group].to_string()));
        let spreads = spreads(model, group);
        let cell = |j: usize| with_spread(model.means()[(group, j)], spreads[j]);
        match &whole {
            None => row.extend((0..model.n_features()).map(cell)),
            Some(whole) => row.push(
                whole
                    .telling(model, group)
                    .into_iter()
                    .map(|(j, distance)| {
                        format!("{} {} ({distance:+.1})", printable(&names[j]), cell(j))
                    })
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
        }
        rows.push(row);
    }
    if let Some(noise) = model.noise() {
        let mut row = vec!["noise".to_owned(), fixed(noise.weight(), 3)];
        row.extend(n_rows.and_then(|n| n.last()).map(usize::to_string));
        rows.push(row);
    }
    let caption = if is_wide {
        "groups, with the features in which each is farthest from the mean of all: centre ± standard deviation (distance\n\
         from that mean, in standard deviations of all)"
    } else {
        "groups, with centre ± standard deviation of each feature"
    };
    format!("{caption}\n{}", aligned(&rows, is_wide))
}

/// Mean and standard deviations of all groups together.
struct Whole {
    mean: Vec<f64>,
    deviations: Vec<f64>,
}

impl Whole {
    fn of(model: &GaussianMixture) -> Self {
        let mean = model.mean();
        let mut variances = vec![0.0; mean.len()];
        // Less than 1 where there is noise.
        let total: f64 = model.weights().iter().sum();
        for (group, weight) in model.weights().iter().enumerate() {
            for (j, within) in model.covariances().variances(group).iter().enumerate() {
                let between = (model.means()[(group, j)] - mean[j]).powi(2);
                variances[j] += weight / total * (within + between);
            }
        }
        Self {
            mean,
            deviations: variances.into_iter().map(f64::sqrt).collect(),
        }
    }

    /// The features in which a group lies farthest from the rest, with the distance.
    fn telling(&self, model: &GaussianMixture, group: usize) -> Vec<(usize, f64)> {
        let mut distances: Vec<(usize, f64)> = (0..self.mean.len())
            .map(|j| {
                let distance = (model.means()[(group, j)] - self.mean[j]) / self.deviations[j];
                (j, distance)
            })
            .collect();
        distances.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        distances.truncate(N_TELLING);
        distances
    }
}

/// "3 groups, tied covariances (EEE)", or "3 groups of equal weight and noise, ...".
pub(crate) fn title(model: &GaussianMixture) -> String {
    let form = model.covariance_type();
    format!(
        "{}{}{}, {form} covariance{} ({})",
        counted(model.n_components(), "group"),
        if model.proportions() == Proportions::Equal {
            " of equal weight"
        } else {
            ""
        },
        if model.noise().is_some() {
            " and noise"
        } else {
            ""
        },
        if model.n_components() == 1 { "" } else { "s" },
        in_other_words(form)
    )
}

/// mclust's letters for scikit-learn's names, and what the letters mean for the others.
pub(crate) fn in_other_words(form: CovarianceType) -> String {
    if form.name() != form.mclust_name() {
        return form.mclust_name().to_owned();
    }
    let variation = |variation: Variation, shared: &'static str, own: &'static str| match variation
    {
        Variation::Identity => None,
        Variation::Equal => Some(shared),
        Variation::Variable => Some(own),
    };
    let words = [
        variation(form.volume(), "one volume", "own volumes"),
        variation(form.shape(), "one shape", "own shapes").or(Some("spheres")),
        variation(form.orientation(), "one orientation", "own orientations"),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
