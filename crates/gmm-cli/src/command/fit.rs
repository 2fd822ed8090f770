//! `gmm fit`: a mixture of a given number of components.

use gmm_select::{MultiStart, Scores};

use super::Outcome;
use super::fitted::Account;
use crate::args::FitArgs;
use crate::console::Console;
use crate::data;
use crate::explain;
use crate::failure::Failure;
use crate::notes;
use crate::number::nats;
use crate::summary;
use crate::watch::{Interrupt, Progress};

pub(crate) fn run(args: &FitArgs, console: &Console) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    let data = data::read(&args.data, console)?;
    let refuse = |reason: String| Failure::Refused(format!("{}: {reason}", data.source));
    let em = args.fitting.em(args.components).covariance(args.covariance);
    // One component has one optimum, however it is started, unless noise may take some of its rows.
    let n_starts = if args.components == 1 && em.chosen_noise().is_none() {
        1
    } else {
        args.fitting.starts
    };
    let progress = Progress::new(None, console);
    let starts = interrupt.during(|| {
        MultiStart::new(em, n_starts).run_watched(data.samples(), &|start, at| {
            progress.say(|| {
                format!(
                    "start {} of {n_starts}, iteration {}, log-likelihood {}",
                    start + 1,
                    at.iteration,
                    nats(at.log_likelihood)
                )
            });
            interrupt.answer()
        })
    });
    drop(progress);
    let starts = starts.map_err(|error| refuse(explain::selection(&error, &data)))?;
    let scores = Scores::new(starts.best().model(), data.samples())
        .map_err(|error| refuse(explain::core(&error, &data)))?;
    let mut notes = notes::of_fit(&starts, scores.n_free_parameters, &data);
    if interrupt.was_asked() {
        notes.insert(0, "interrupted: this is the best so far".to_owned());
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
        notes,
    }
    .finish(args.out.as_deref(), &interrupt, console)
}
