//! `gmm fit`: a mixture of a given number of components.

use gmm_select::{Bootstrap, MultiStart, Scores};

use super::Outcome;
use super::fitted::Account;
use crate::args::FitArgs;
use crate::console::Console;
use crate::data;
use crate::explain;
use crate::failure::Failure;
use crate::notes;
use crate::number::nats;
use crate::output;
use crate::precision::PrecisionAccount;
use crate::summary;
use crate::watch::{Interrupt, Progress};

pub(crate) fn run(args: &FitArgs, console: &Console) -> Result<Outcome, Failure> {
    output::check(args.out.as_deref(), output::Kind::Model, &[&args.data.path])?;
    let interrupt = Interrupt::listen().within(args.fitting.budget);
    let data = data::read(&args.data, console)?;
    let refuse = |reason: String| Failure::Refused(format!("{}: {reason}", data.source));
    let em = args.fitting.em(args.components).covariance(args.covariance);
    // One component has one optimum, however it is started, unless noise may take some of its rows.
    let n_starts = if args.components == 1 && em.chosen_noise().is_none() {
        1
    } else {
        args.fitting.starts.unwrap_or(5)
    };
    let progress = Progress::new(None, console);
    let starts = interrupt.during(|| {
        MultiStart::new(em.clone(), n_starts).run_watched(data.samples(), &|start, at| {
            progress.say(|| {
                let reached = match at.iteration {
                    0 => "looking for a start".to_owned(),
                    n => format!("iteration {n}, log-likelihood {}", nats(at.log_likelihood)),
                };
                format!("start {} of {n_starts}, {reached}", start + 1)
            });
            interrupt.answer()
        })
    });
    drop(progress);
    let starts = starts.map_err(|error| {
        let reason = || explain::selection(&error, &data);
        interrupt.failure(&data.source, &error, explain::TOO_SOON, reason)
    })?;
    let scores = Scores::new(starts.best().model(), data.samples())
        .map_err(|error| refuse(explain::core(&error, &data)))?;
    let mut notes = notes::of_fit(&starts, scores.n_free_parameters, &data);
    let precision = match args.bootstrap {
        // Whoever asked to stop doesn't wait for a thousand fits.
        Some(n) if !interrupt.was_asked() => {
            let bootstrap = Bootstrap::new(em, n);
            let progress = Progress::new(None, console);
            let precision = interrupt.during(|| {
                bootstrap.run_watched(starts.best().model(), data.samples(), &|at| {
                    progress.say(|| format!("replicate {} of {n}", at.n_done));
                    interrupt.answer()
                })
            });
            drop(progress);
            // The fit is good without.
            match precision {
                Ok(precision) => Some(PrecisionAccount::new(starts.best().model(), &precision)),
                Err(error) => {
                    notes.push(match interrupt.reason() {
                        Some(reason) => {
                            format!(
                                "no standard errors: {reason} before two replicates were fitted"
                            )
                        }
                        None => {
                            format!("no standard errors: {}", explain::selection(&error, &data))
                        }
                    });
                    None
                }
            }
        }
        _ => None,
    };
    notes.extend((precision.iter()).flat_map(|precision| precision.notes(interrupt.reason())));
    if let Some(reason) = interrupt.reason().filter(|_| precision.is_none()) {
        notes.insert(0, format!("{reason}: this is the best so far"));
    }
    Account {
        command: "fit",
        data: &data,
        starts: &starts,
        scores: &scores,
        title: summary::title(starts.best().model()),
        verdict: None,
        table: None,
        selection: None,
        precision,
        notes,
    }
    .finish(args.out.as_deref(), &interrupt, console)
}
