//! `gmm select`: the number of components and the covariance form that a criterion likes best.

use gmm_em::{Regularization, Stop};
use gmm_select::{Criterion, Fitted, Folds, Search, SearchProgress, Selection};

use super::Outcome;
use super::fitted::Account;
use crate::args::SelectArgs;
use crate::console::Console;
use crate::data;
use crate::explain;
use crate::failure::Failure;
use crate::json::{RunnerUpAccount, SelectionAccount};
use crate::notes;
use crate::output;
use crate::summary;
use crate::text::counted;
use crate::watch::{Interrupt, Progress};

pub(crate) fn run(args: &SelectArgs, console: &Console) -> Result<Outcome, Failure> {
    if args.criterion != Criterion::CrossValidation
        && let Some(slip) = idle_option(args)
    {
        return Err(Failure::Usage(slip.to_owned()));
    }
    output::check(args.out.as_deref(), output::Kind::Model, &[&args.data.path])?;
    let interrupt = Interrupt::listen().within(args.fitting.budget);
    let data = data::read_grouped(&args.data, args.groups.as_ref(), console)?;
    let refuse = |reason: String| Failure::Refused(format!("{}: {reason}", data.source));
    if !matches!(args.fitting.regularization, Regularization::Ridge(_))
        && let Some(reason) = explain::constant_feature(&data, &args.covariances.0)
    {
        return Err(refuse(reason));
    }
    let search = Search::over(args.components.0.iter().copied())
        .covariances(args.covariances.0.iter().copied())
        .starts(args.fitting.starts.unwrap_or(3))
        .by(args.criterion)
        .em(args.fitting.em(1));
    let search = match args.criterion {
        Criterion::CrossValidation => {
            let (seed, n_folds) = (args.fitting.seed(), args.folds.unwrap_or(5));
            let folds = match &data.groups {
                Some(groups) => Folds::of_groups(groups, n_folds, seed),
                None => Folds::of_rows_at_random(data.n_rows(), n_folds, seed),
            };
            search.folds(folds.map_err(|error| refuse(explain::selection(&error, &data)))?)
        }
        _ => search,
    };
    let progress = Progress::new(Some(search.n_steps()), console);
    let selection = interrupt.during(|| {
        search.run_watched(data.samples(), &|event| {
            match event {
                SearchProgress::Iteration {
                    n_components,
                    covariance,
                    ..
                } => progress.say(|| format!("now {n_components} {covariance}")),
                SearchProgress::Done { .. } => progress.step(),
                _ => {}
            }
            interrupt.answer()
        })
    });
    drop(progress);
    let selection = selection.map_err(|error| {
        let reason = || explain::selection(&error, &data);
        interrupt.failure(&data.source, &error, too_soon(args.criterion), reason)
    })?;

    let best = selection.best_fitted();
    let mut notes = notes::of_selection(&selection, &data);
    // Who came second says nothing where some were not allowed to finish.
    let runner_up = match interrupt.reason() {
        Some(reason) => {
            notes.insert(0, cut_short(reason, &selection));
            None
        }
        None => RunnerUp::of(&selection),
    };
    Account {
        command: "select",
        data: &data,
        starts: &best.starts,
        scores: &best.scores,
        title: format!(
            "{}, chosen by {} {}{}",
            summary::title(best.model()),
            selection.criterion(),
            selection
                .criterion()
                .text(selection.criterion().value(&best.scores)),
            held_out(best)
        ),
        verdict: runner_up.as_ref().map(RunnerUp::verdict),
        table: Some(
            selection
                .table()
                .to_string()
                .trim_end_matches('\n')
                .to_owned(),
        ),
        precision: None,
        selection: Some(SelectionAccount::new(
            &selection,
            runner_up.as_ref().map(RunnerUp::account),
            &data,
        )),
        notes,
    }
    .finish(args.out.as_deref(), &interrupt, console)
}

/// An option that only cross-validation heeds.
fn idle_option(args: &SelectArgs) -> Option<&'static str> {
    if args.groups.is_some() {
        return Some(
            "--groups says which rows are held out together: use it with --criterion cv, or leave the column out with --exclude",
        );
    }
    args.folds
        .map(|_| "--folds says how many parts are held out in turn: use it with --criterion cv")
}

/// Why there is nothing to show when the time is up.
fn too_soon(criterion: Criterion) -> &'static str {
    match criterion {
        Criterion::CrossValidation => {
            "the time was up before a fold had been held out, so that nothing can decide; give more time (--budget), \
             fewer candidates (-k, --covariances), or another criterion"
        }
        _ => explain::TOO_SOON,
    }
}

/// What the rows that were held out said of the chosen model, if there were such.
fn held_out(best: &Fitted) -> String {
    let found = best.cross_validation.as_ref();
    found.map_or_else(String::new, |found| {
        // One fold has no standard error.
        let spread = match found.standard_error.is_finite() {
            true => format!(" ± {:.4}", found.standard_error),
            false => String::new(),
        };
        format!(
            " ({:.4}{spread} nats per row in {})",
            found.mean,
            counted(found.folds.len(), "fold")
        )
    })
}

/// The note of a search that was stopped.
fn cut_short(reason: &str, selection: &Selection) -> String {
    let n_cut_short = selection
        .ranked()
        .filter_map(|candidate| candidate.fitted.as_ref().ok())
        .filter(|fitted| fitted.starts.best().report().stop == Stop::Interrupted)
        .count();
    format!(
        "{reason}: this is the best so far ({n_cut_short} of {} candidates were cut short)",
        selection.candidates().len()
    )
}

/// The second best of a search.
struct RunnerUp {
    n_components: usize,
    covariance: gmm_core::CovarianceType,
    difference: f64,
    criterion: Criterion,
}

impl RunnerUp {
    /// Nobody, where the second best measures the variance floor rather than the data.
    fn of(selection: &Selection) -> Option<Self> {
        let second = selection.runner_up()?;
        let is_regular = second
            .fitted
            .as_ref()
            .is_ok_and(|f| !Fitted::is_singular(f));
        let best = selection.value(selection.best_candidate())?;
        let difference = selection.value(second)? - best;
        (is_regular && difference.is_finite()).then_some(Self {
            n_components: second.n_components,
            covariance: second.covariance,
            difference,
            criterion: selection.criterion(),
        })
    }

    /// The scale of Kass and Raftery (1995) for twice a log Bayes factor, which a difference in BIC approximates.
    fn evidence(&self) -> Option<&'static str> {
        (self.criterion == Criterion::Bic).then_some(match self.difference {
            d if d < 2.0 => "not worth more than a bare mention",
            d if d < 6.0 => "positive",
            d if d <= 10.0 => "strong",
            _ => "very strong",
        })
    }

    fn verdict(&self) -> String {
        let scale = match self.evidence() {
            None => String::new(),
            Some(words) if self.difference < 2.0 => {
                format!(
                    ": a difference {words} (Kass and Raftery 1995), the data don't decide between the two"
                )
            }
            Some(word) => format!(": {word} evidence (Kass and Raftery 1995)"),
        };
        format!(
            "runner-up: {}, {} ({}), worse by {}{scale}",
            counted(self.n_components, "group"),
            self.covariance,
            summary::in_other_words(self.covariance),
            self.criterion.text(self.difference)
        )
    }

    fn account(&self) -> RunnerUpAccount {
        RunnerUpAccount {
            components: self.n_components,
            covariance: self.covariance.name(),
            difference: self.difference,
            evidence: self.evidence(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_that_of_kass_and_raftery() {
        let evidence = |difference| {
            RunnerUp {
                n_components: 2,
                covariance: gmm_core::CovarianceType::Full,
                difference,
                criterion: Criterion::Bic,
            }
            .evidence()
        };
        assert_eq!(evidence(1.99), Some("not worth more than a bare mention"));
        assert_eq!(evidence(2.0), Some("positive"));
        assert_eq!(evidence(6.0), Some("strong"));
        assert_eq!(evidence(10.01), Some("very strong"));
    }
}
