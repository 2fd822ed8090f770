//! The table of a search: every candidate with its criterion or its failure, and the best.

use std::fmt;

use gmm_core::{CovarianceType, GaussianMixture};

use crate::{Criterion, CrossValidation, Error, Scores, Starts};

/// One cell of the table.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// Components that were asked for.
    pub n_components: usize,
    /// The covariance form.
    pub covariance: CovarianceType,
    /// The fit and its scores, or why it failed.
    pub fitted: Result<Fitted, Error>,
}

impl Candidate {
    /// Why it has no value: it could not be fitted, or not without a fold.
    fn reason(&self) -> Option<&Error> {
        match &self.fitted {
            Err(error) => Some(error),
            Ok(fitted) => {
                let folds = fitted
                    .cross_validation
                    .iter()
                    .flat_map(|found| &found.folds);
                folds
                    .into_iter()
                    .find_map(|fold| fold.mean_log_likelihood.as_ref().err())
            }
        }
    }
}

/// A candidate that was fitted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fitted {
    /// All its starts and the best fit.
    pub starts: Starts,
    /// What the criteria need.
    pub scores: Scores,
    /// What it said of rows that were held out, where the search was asked to cross-validate ([`Search::folds`](crate::Search::folds)).
    pub cross_validation: Option<CrossValidation>,
}

impl Fitted {
    /// The model of the best start.
    pub fn model(&self) -> &GaussianMixture {
        self.starts.best().model()
    }

    /// Whether a component is at the variance floor, so that the likelihood measures the floor.
    pub fn is_singular(&self) -> bool {
        self.starts.best().report().n_singular > 0
    }
}

/// Whether two candidates are the same model: a fit that lost a component is one of fewer; of one feature all forms with a
/// variance per component are the same, of one component the full and the tied one. The best under another name is no rival.
fn are_one_model(a: &Candidate, b: &Candidate) -> bool {
    let (Ok(x), Ok(y)) = (&a.fitted, &b.fitted) else {
        return false;
    };
    let (n_components, n_features) = (x.model().n_components(), x.model().n_features());
    n_components == y.model().n_components()
        && (a.covariance == b.covariance || n_components == 1 || n_features == 1)
        && x.scores.n_free_parameters == y.scores.n_free_parameters
}

/// The outcome of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    candidates: Vec<Candidate>,
    criterion: Criterion,
    /// Candidates that were fitted, best first: regular ones before singular ones.
    ranking: Vec<usize>,
}

impl Selection {
    pub(crate) fn new(candidates: Vec<Candidate>, criterion: Criterion) -> Result<Self, Error> {
        let mut ranking: Vec<usize> = (0..candidates.len())
            .filter(|&i| candidates[i].fitted.is_ok())
            .collect();
        let key = |i: usize| {
            let fitted = candidates[i].fitted.as_ref();
            fitted.map_or((true, f64::NAN), |f| {
                (f.is_singular(), criterion.value(&f.scores))
            })
        };
        // Fewer parameters at a tie: richer forms of one feature are the same model.
        let parameters = |i: usize| {
            candidates[i]
                .fitted
                .as_ref()
                .map_or(usize::MAX, |f| f.scores.n_free_parameters)
        };
        ranking.sort_by(|&a, &b| {
            let ((singular_a, value_a), (singular_b, value_b)) = (key(a), key(b));
            singular_a
                .cmp(&singular_b)
                .then(value_a.total_cmp(&value_b))
                .then(parameters(a).cmp(&parameters(b)))
        });
        // Of one model under several names the one that was asked for first, whatever rounding says.
        for place in 0..ranking.len() {
            let first = ranking[place];
            let ((singular, value), candidate) = (key(first), &candidates[first]);
            // Sums of the same terms in another order, up to where fits stop.
            let named = (place..ranking.len())
                .take_while(|&p| key(ranking[p]).1 - value <= 1e-9 * value.abs())
                .filter(|&p| are_one_model(candidate, &candidates[ranking[p]]))
                .filter(|&p| key(ranking[p]).0 == singular)
                .min_by_key(|&p| ranking[p]);
            ranking[place..=named.unwrap_or(place)].rotate_right(1);
        }
        if ranking.iter().all(|&i| key(i).1.is_nan()) {
            let reason = candidates.iter().find_map(Candidate::reason);
            return Err(reason.cloned().unwrap_or(Error::NoCandidates));
        }
        Ok(Self {
            candidates,
            criterion,
            ranking,
        })
    }

    /// The chosen mixture.
    pub fn best(&self) -> &GaussianMixture {
        self.best_fitted().model()
    }

    /// The chosen candidate.
    pub fn best_candidate(&self) -> &Candidate {
        &self.candidates[self.ranking[0]]
    }

    /// The chosen candidate's fit and scores.
    ///
    /// # Panics
    /// Never: only fitted candidates are ranked.
    pub fn best_fitted(&self) -> &Fitted {
        match &self.best_candidate().fitted {
            Ok(fitted) => fitted,
            Err(_) => unreachable!("only fitted candidates are ranked"),
        }
    }

    /// The chosen mixture, alone.
    pub fn into_best(self) -> GaussianMixture {
        self.best().clone()
    }

    /// All candidates: by form, then by number of components.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The fitted candidates, best first; of one model under several names the one that was asked for first.
    pub fn ranked(&self) -> impl Iterator<Item = &Candidate> {
        self.ranking.iter().map(|&i| &self.candidates[i])
    }

    /// The best candidate that is another model than the chosen one: of one feature, or with one component, several forms are one model, and
    /// a fit that lost a component is one of fewer.
    pub fn runner_up(&self) -> Option<&Candidate> {
        let first = self.best_candidate();
        self.ranked().find(|c| !are_one_model(first, c))
    }

    /// The criterion that decided.
    pub fn criterion(&self) -> Criterion {
        self.criterion
    }

    /// The criterion's value of a candidate; `None` where it failed, or in a fold of a cross-validation.
    pub fn value(&self, candidate: &Candidate) -> Option<f64> {
        let fitted = candidate.fitted.as_ref().ok()?;
        let value = self.criterion.value(&fitted.scores);
        (!value.is_nan()).then_some(value)
    }

    /// The table alone, without the notes.
    pub fn table(&self) -> Table<'_> {
        Table(self)
    }
}

/// The table with its notes below it, and the reasons of failures.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.table())?;
        for note in self.notes() {
            writeln!(f, "note: {note}")?;
        }
        for c in &self.candidates {
            if let Err(error) = &c.fitted {
                writeln!(
                    f,
                    "failed: {} {} components: {error}",
                    c.n_components, c.covariance
                )?;
            }
        }
        Ok(())
    }
}

/// The table of a selection: a row per number of components, a column per form; `<` marks the best, `*` a singular fit,
/// `failed` a failure. See [`Selection::table`].
#[derive(Clone, Copy, Debug)]
pub struct Table<'a>(&'a Selection);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selection = self.0;
        let mut forms: Vec<CovarianceType> = Vec::new();
        let mut components: Vec<usize> = Vec::new();
        for c in &selection.candidates {
            if !forms.contains(&c.covariance) {
                forms.push(c.covariance);
            }
            if !components.contains(&c.n_components) {
                components.push(c.n_components);
            }
        }
        let cell = |n: usize, form: CovarianceType| {
            let cell =
                (selection.candidates.iter()).find(|c| c.n_components == n && c.covariance == form);
            cell.map_or_else(String::new, |c| selection.cell(c))
        };
        // Columns as wide as they need: fourteen of them must fit a screen. A cell ends in a mark, so a name ends one before.
        let width = |form: CovarianceType| {
            let cells = components.iter().map(|n| cell(*n, form).len());
            cells.max().unwrap_or(0).max(form.name().len() + 1)
        };
        let widths: Vec<usize> = forms.iter().map(|form| width(*form)).collect();
        writeln!(f, "{} (lower is better)", selection.criterion)?;
        let row = |head: &str, cells: Vec<String>| {
            let cells = cells.iter().zip(&widths);
            let cells: String = cells
                .map(|(cell, width)| format!("  {cell:>width$}"))
                .collect();
            format!("{head:>10}{cells}").trim_end().to_owned()
        };
        let names = forms.iter().map(|form| format!("{form} ")).collect();
        writeln!(f, "{}", row("components", names))?;
        for n in &components {
            let cells = forms.iter().map(|form| cell(*n, *form)).collect();
            writeln!(f, "{}", row(&n.to_string(), cells))?;
        }
        Ok(())
    }
}

impl Selection {
    fn cell(&self, candidate: &Candidate) -> String {
        let mark = match &candidate.fitted {
            Ok(_) if std::ptr::eq(candidate, self.best_candidate()) => '<',
            Ok(fitted) if fitted.is_singular() => '*',
            _ => ' ',
        };
        self.value(candidate).map_or_else(
            || "failed ".to_owned(),
            |v| format!("{}{mark}", self.criterion.text(v)),
        )
    }
}
