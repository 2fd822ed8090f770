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
use crate::precision::PrecisionAccount;
use crate::summary;
use crate::watch::{Interrupt, Progress};

pub(crate) fn run(args: &FitArgs, console: &Console) -> Result<Outcome, Failure> {
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
        refuse(match explain::is_interruption(&error) {
            true if interrupt.ran_out_of_time() => explain::TOO_SOON.to_owned(),
            _ => explain::selection(&error, &data),
        })
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
                    let reason = explain::selection(&error, &data);
                    notes.push(format!("no standard errors: {reason}"));
                    None
                }
            }
        }
        _ => None,
    };
    notes.extend(precision.iter().flat_map(PrecisionAccount::notes));
    if interrupt.was_asked() && precision.is_none() {
        notes.insert(0, "interrupted: this is the best so far".to_owned());
    } else if interrupt.ran_out_of_time() && precision.is_none() {
        notes.insert(0, "the time was up: this is the best so far".to_owned());
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
