//! The table of a search: every candidate with its criterion or its failure, and the best.

use std::fmt;

use gmm_core::{CovarianceType, GaussianMixture};

use crate::{Criterion, Error, Pair, Scores, Starts};

/// A difference in BIC below 2 is not worth more than a bare mention (Kass and Raftery 1995).
const CLOSE: f64 = 2.0;
/// Weights that mean fewer rows than this part of the table's were probably normalized by mistake.
const LIGHT: f64 = 0.5;

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

/// A candidate that was fitted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fitted {
    /// All its starts and the best fit.
    pub starts: Starts,
    /// What the criteria need.
    pub scores: Scores,
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

/// Something a reader of the table should know.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The best has the largest number of components that was tried: more might be better.
    UpperEdge {
        /// That number.
        n_components: usize,
    },
    /// The best has the smallest number of components that was tried, and it is not 1: fewer might be better.
    LowerEdge {
        /// That number.
        n_components: usize,
    },
    /// The runner-up is hardly worse.
    Close {
        /// Its number of components.
        n_components: usize,
        /// Its form.
        covariance: CovarianceType,
        /// By how much it is worse.
        difference: f64,
    },
    /// Candidates could not be fitted.
    Failed {
        /// How many.
        n_candidates: usize,
    },
    /// Candidates have a component at the variance floor and were not considered.
    Singular {
        /// How many.
        n_candidates: usize,
    },
    /// Every candidate has a component at the variance floor: the data have ties, or features that depend on others.
    AllSingular,
    /// Only one of several starts found the best optimum.
    LonelyStart {
        /// How many starts there were.
        n_starts: usize,
    },
    /// Candidates of many rows that were far behind were not fitted to the end.
    Unfinished {
        /// How many.
        n_candidates: usize,
    },
    /// The best fit stopped before its stopping rule was met: at its largest number of iterations, or on request.
    NotConverged,
    /// The sample weights sum to much less than the number of rows, and the criterion counts their sum as the number of rows.
    LightWeights {
        /// Σᵢ wᵢ.
        total_weight: f64,
        /// Number of rows.
        n_rows: usize,
    },
    /// Two components of the best have one mode together: they may be one group that is not Gaussian (see
    /// [`Combination`](crate::Combination)).
    OneMode {
        /// The two that overlap most, counted from 0.
        components: (usize, usize),
        /// How many pairs of components have one mode.
        n_pairs: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpperEdge { n_components } => {
                write!(
                    f,
                    "the best has {n_components} components, the most that were tried: try more"
                )
            }
            Self::LowerEdge { n_components } => {
                write!(
                    f,
                    "the best has {n_components} components, the fewest that were tried: try fewer"
                )
            }
            Self::Close {
                n_components,
                covariance,
                difference,
            } => {
                write!(
                    f,
                    "{n_components} {covariance} components are nearly as good (worse by {difference:.2}): the data don't decide between the two"
                )
            }
            Self::Failed { n_candidates } => {
                write!(f, "{n_candidates} candidates could not be fitted")
            }
            Self::Singular { n_candidates } => {
                write!(
                    f,
                    "{n_candidates} candidates were left out: a component shrank onto a few rows and stands at the variance floor (marked *)"
                )
            }
            Self::AllSingular => {
                write!(
                    f,
                    "every candidate has a component at the variance floor: look for repeated rows or columns that depend on others"
                )
            }
            Self::LonelyStart { n_starts } => {
                write!(
                    f,
                    "only 1 of {n_starts} starts found the best fit: use more starts"
                )
            }
            Self::Unfinished { n_candidates } => write!(
                f,
                "{n_candidates} candidates that were far behind were not fitted to the end: their values could be a little lower"
            ),
            Self::NotConverged => write!(
                f,
                "the best fit stopped before it converged: allow more iterations"
            ),
            Self::LightWeights {
                total_weight,
                n_rows,
            } => write!(
                f,
                "the sample weights sum to {total_weight:.4} for {n_rows} rows, and the criterion takes that sum for the number of rows: \
                 multiply the weights so that they sum to the number of independent observations"
            ),
            Self::OneMode {
                components: (a, b),
                n_pairs,
            } => {
                write!(
                    f,
                    "components {a} and {b} of the best have one mode together: they may be one group that is not Gaussian, so combine them"
                )?;
                if *n_pairs > 1 {
                    write!(f, " ({n_pairs} such pairs)")?;
                }
                Ok(())
            }
        }
    }
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
        if ranking.is_empty() {
            let reason = candidates.into_iter().find_map(|c| c.fitted.err());
            return Err(reason.unwrap_or(Error::NoCandidates));
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

    /// The fitted candidates, best first.
    pub fn ranked(&self) -> impl Iterator<Item = &Candidate> {
        self.ranking.iter().map(|&i| &self.candidates[i])
    }

    /// The criterion that decided.
    pub fn criterion(&self) -> Criterion {
        self.criterion
    }

    /// The criterion's value of a candidate; `None` where it failed.
    pub fn value(&self, candidate: &Candidate) -> Option<f64> {
        candidate
            .fitted
            .as_ref()
            .ok()
            .map(|f| self.criterion.value(&f.scores))
    }

    /// The table alone, without the notes.
    pub fn table(&self) -> Table<'_> {
        Table(self)
    }

    /// What a reader should know: edges of the range, close runners-up, failures.
    pub fn notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        let tried = || self.candidates.iter().map(|c| c.n_components);
        let (fewest, most) = (tried().min().unwrap_or(1), tried().max().unwrap_or(1));
        // A fit may have lost components: the model says how many there are.
        let found = self.best().n_components();
        if found == most && most > fewest {
            notes.push(Note::UpperEdge { n_components: most });
        }
        if found <= fewest && found > 1 && most > fewest {
            notes.push(Note::LowerEdge {
                n_components: found,
            });
        }
        let singular = |c: &&Candidate| c.fitted.as_ref().is_ok_and(Fitted::is_singular);
        let mut ranked = self.ranked().filter(|c| !singular(c));
        if let Some(first) = ranked.next()
            && let Some(second) = ranked.find(|c| !are_one_model(first, c))
            && let (Some(a), Some(b)) = (self.value(first), self.value(second))
            && b - a < CLOSE
        {
            let (n_components, covariance) = (second.n_components, second.covariance);
            notes.push(Note::Close {
                n_components,
                covariance,
                difference: b - a,
            });
        }
        let n_failed = self.candidates.len() - self.ranking.len();
        if n_failed > 0 {
            notes.push(Note::Failed {
                n_candidates: n_failed,
            });
        }
        match self.candidates.iter().filter(singular).count() {
            0 => {}
            n if n == self.ranking.len() => notes.push(Note::AllSingular),
            n_candidates => notes.push(Note::Singular { n_candidates }),
        }
        let is_unfinished = |fitted: &Fitted| {
            let starts = &fitted.starts;
            starts.starts()[starts.best_start()].given_up
        };
        let fitted = self
            .candidates
            .iter()
            .filter_map(|c| c.fitted.as_ref().ok());
        match fitted.filter(|f| is_unfinished(f)).count() {
            0 => {}
            n_candidates => notes.push(Note::Unfinished { n_candidates }),
        }
        let starts = &self.best_fitted().starts;
        if starts.starts().len() > 1 && starts.n_agreeing() == 1 {
            notes.push(Note::LonelyStart {
                n_starts: starts.starts().len(),
            });
        }
        let report = starts.best().report();
        if !report.converged() {
            notes.push(Note::NotConverged);
        }
        if report.total_weight < LIGHT * report.n_samples as f64 && self.criterion.uses_n() {
            notes.push(Note::LightWeights {
                total_weight: report.total_weight,
                n_rows: report.n_samples,
            });
        }
        if let Some((closest, n_pairs)) = Pair::of_one_mode(self.best()) {
            let components = closest.components;
            notes.push(Note::OneMode {
                components,
                n_pairs,
            });
        }
        notes
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
        self.value(candidate)
            .map_or_else(|| "failed ".to_owned(), |v| format!("{v:.2}{mark}"))
    }
}
