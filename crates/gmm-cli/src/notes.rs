//! What a reader should know of a fit or a selection, and what to do about it.

use gmm_em::{Event, Report, Stop};
use gmm_select::{Combination, Note, Selection, Starts};

use crate::data::Data;
use crate::explain;
use crate::outliers;
use crate::text::counted;

/// Notes about a fit of several starts.
pub(crate) fn of_fit(starts: &Starts, n_free_parameters: usize, data: &Data) -> Vec<String> {
    let report = starts.best().report();
    let mut notes = outliers::notes(data);
    let has_outliers = !notes.is_empty();
    notes.extend(of_report(report, has_outliers));
    let n_starts = starts.starts().len();
    if n_starts > 1 && starts.n_agreeing() == 1 && report.stop == Stop::Converged {
        notes.push(format!(
            "only 1 of {n_starts} starts found the best fit: use more (--starts {})",
            4 * n_starts
        ));
    }
    let failed = starts
        .starts()
        .iter()
        .filter_map(|s| s.report.as_ref().err());
    if let Some(first) = failed.clone().next() {
        notes.push(format!(
            "{} of {n_starts} starts failed, the first: {}",
            failed.count(),
            explain::fit(first, data)
        ));
    }
    if n_free_parameters as f64 >= report.total_weight {
        notes.push(format!(
            "{n_free_parameters} parameters from {}: ask for fewer groups (-k), a simpler form (--covariance diag), or fewer columns",
            counted(data.n_rows(), "row")
        ));
    }
    notes
}

/// What happened in a fit. Components are not named: a fit numbers them before it sorts them.
fn of_report(report: &Report, has_outliers: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if report.stop == Stop::MaxIterations {
        notes.push(format!(
            "not converged within {}: allow more (--max-iterations {})",
            counted(report.n_iterations, "iteration"),
            10 * report.n_iterations.max(1)
        ));
    }
    for event in &report.events {
        match event {
            Event::Dropped { iteration, .. } => notes.push(format!(
                "a component lost its rows or its variance at iteration {iteration} and was left out: ask for fewer groups (-k), \
                 or put it elsewhere (--rescue reseed)"
            )),
            Event::Reseeded { iteration, row, .. } => notes.push(format!(
                "a component lost its rows or its variance at iteration {iteration} and was put on row {}",
                row + 1
            )),
            Event::FewDistinctRows { found, asked } => notes.push(format!(
                "only {} for {asked} components: the model has one group for each",
                counted(*found, "distinct row")
            )),
            // A floor that was left again did no harm; one that still holds is told below. Falls are told once.
            _ => {}
        }
    }
    if report.n_singular > 0 {
        let (stand, describe) = match report.n_singular {
            1 => ("1 group stands".to_owned(), "it describes"),
            n => (format!("{n} groups stand"), "they describe"),
        };
        notes.push(if has_outliers {
            format!(
                "{stand} at the variance floor, a part of the columns' variances, which the outliers make large: leave them out first"
            )
        } else {
            format!(
                "{stand} at the variance floor: {describe} a few rows, or a column that depends on others, rather than a group; \
                 ask for fewer groups (-k), or use --regularization prior"
            )
        });
    }
    let falls: Vec<f64> = report
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Fell { by, .. } => Some(*by),
            _ => None,
        })
        .collect();
    if !falls.is_empty() {
        notes.push(format!(
            "the log-likelihood fell in {}, by at most {:.1e} nats, as it may with a ridge",
            counted(falls.len(), "iteration"),
            falls.iter().fold(0.0f64, |most, by| most.max(*by))
        ));
    }
    notes
}

/// Notes about a selection. The runner-up is told elsewhere.
pub(crate) fn of_selection(selection: &Selection, data: &Data) -> Vec<String> {
    let mut notes = Vec::new();
    for note in selection.notes() {
        match note {
            Note::UpperEdge { n_components } => notes.push(format!(
                "{} is the most that was tried: try more (-k 1-{})",
                n_components,
                2 * n_components
            )),
            Note::LowerEdge { n_components } => notes.push(format!(
                "{n_components} is the least that was tried: try fewer (-k 1-{n_components})"
            )),
            Note::Close { .. } => {}
            Note::WithinError {
                n_components,
                covariance,
            } => notes.push(format!(
                "{}, {covariance}, predicts held-out rows as well within one standard error, and is simpler: \
                 keep it with `gmm fit -k {n_components} --covariance {covariance}`",
                counted(n_components, "group")
            )),
            Note::Singular { n_candidates } => notes.push(format!(
                "{} left out (marked *): a group shrank onto a few rows and stands at the variance floor",
                match n_candidates {
                    1 => "1 candidate was".to_owned(),
                    n => format!("{n} candidates were"),
                }
            )),
            Note::Failed { .. } => notes.extend(failures(selection, data)),
            // These are told of the best fit.
            Note::LonelyStart { .. } | Note::NotConverged => {}
            Note::OneMode {
                components: (a, b),
                n_pairs,
            } => notes.push(format!(
                "groups {} and {} have one peak together{}: they may be one group that is not Gaussian; {}",
                a + 1,
                b + 1,
                match n_pairs {
                    1 => String::new(),
                    2 => ", as has another pair".to_owned(),
                    n => format!(", as have {} other pairs", n - 1),
                },
                clusters(selection, data)
            )),
            other => notes.push(other.to_string()),
        }
    }
    let starts = &selection.best_fitted().starts;
    let n_free_parameters = selection.best_fitted().scores.n_free_parameters;
    notes.extend(of_fit(starts, n_free_parameters, data));
    notes
}

/// Into how many clusters the groups of the best combine, if that can be told, and where to see it.
fn clusters(selection: &Selection, data: &Data) -> String {
    let n_groups = selection.best().n_components();
    let combination = Combination::new(selection.best(), data.samples());
    let bend = combination.ok().and_then(|combination| combination.elbow());
    match bend.filter(|n| *n < n_groups) {
        Some(n) => format!(
            "by entropy the {n_groups} groups form {} (gmm combine MODEL DATA)",
            counted(n, "cluster")
        ),
        None => "gmm combine MODEL DATA shows which groups belong together".to_owned(),
    }
}

/// Why candidates failed, each reason once.
fn failures(selection: &Selection, data: &Data) -> Vec<String> {
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for candidate in selection.candidates() {
        if let Err(error) = &candidate.fitted {
            let reason = match error {
                gmm_select::Error::Fit(gmm_em::Error::TooFewRows { found, .. }) => {
                    format!("more components than the {} (-k)", counted(*found, "row"))
                }
                other => explain::selection(other, data),
            };
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, n)) => *n += 1,
                None => reasons.push((reason, 1)),
            }
        }
    }
    reasons
        .into_iter()
        .map(|(reason, n)| format!("{} could not be fitted: {reason}", counted(n, "candidate")))
        .collect()
}
