//! `gmm test`: numbers of components against one more, by the bootstrap.

use gmm_select::{ComponentTest, Step, Tested};
use serde::Serialize;

use super::Outcome;
use crate::args::TestArgs;
use crate::console::Console;
use crate::data::{self, Data};
use crate::explain;
use crate::failure::Failure;
use crate::json::DataAccount;
use crate::number::{fixed, nats};
use crate::output;
use crate::text::{aligned, counted};
use crate::watch::{Interrupt, Progress};

/// Beside the mixture with a component less, which starts each fit.
const N_STARTS: usize = 2;

/// Why there is nothing to show when the time is up.
const TOO_SOON: &str = "the time was up before a drawn table had been fitted; give more time (--budget), or fewer starts (--starts)";

pub(crate) fn run(args: &TestArgs, console: &Console) -> Result<Outcome, Failure> {
    if args.fitting.has_noise() {
        return Err(Failure::Usage(
            "tables can't be drawn from a mixture with noise, whose place is not known; leave out --noise".to_owned(),
        ));
    }
    let interrupt = Interrupt::listen().within(args.fitting.budget);
    let data = data::read(&args.data, console)?;
    let em = args.fitting.em(1).covariance(args.covariance);
    let n_starts = args.fitting.starts.unwrap_or(N_STARTS);
    let test = ComponentTest::new(em, n_starts, args.replicates).level(args.level);
    let progress = Progress::new(None, console);
    let tested = interrupt.during(|| {
        let components = args.components.0.iter().copied();
        test.run_watched(data.samples(), components, &|at| {
            progress.say(|| format!("table {} of {}", at.n_done, at.n_replicates));
            interrupt.answer()
        })
    });
    drop(progress);
    let tested = tested.map_err(|error| {
        let reason = || explain::selection(&error, &data);
        interrupt.failure(&data.source, &error, TOO_SOON, reason)
    })?;
    let account = Account::new(args, &data, &tested);
    if console.is_json() {
        output::json(None, &account)?;
    } else {
        let text = account.text(&data);
        output::to_stdout(|stdout| stdout.write_all(text.as_bytes()))?;
    }
    Ok(if interrupt.was_asked() {
        Outcome::Interrupted
    } else {
        Outcome::Done
    })
}

#[derive(Serialize)]
struct Account {
    command: &'static str,
    data: DataAccount,
    covariance: &'static str,
    level: f64,
    /// The first number that is not rejected.
    components: Option<usize>,
    tests: Vec<TestAccount>,
    notes: Vec<String>,
}

#[derive(Serialize)]
struct TestAccount {
    components: usize,
    likelihood_ratio: f64,
    p_value: f64,
    tables: usize,
    tables_failed: usize,
    tables_stopped: usize,
}

impl From<&Step> for TestAccount {
    fn from(step: &Step) -> Self {
        Self {
            components: step.n_components,
            likelihood_ratio: step.statistic,
            p_value: step.p_value(),
            tables: step.replicates.len(),
            tables_failed: step.n_failed,
            tables_stopped: step.n_stopped,
        }
    }
}

impl Account {
    fn new(args: &TestArgs, data: &Data, tested: &Tested) -> Self {
        let mut notes = Vec::new();
        let needed = (1.0 / args.level).ceil() as usize - 1;
        if args.replicates < needed {
            notes.push(format!(
                "with {} no p-value is as small as {}: ask for at least {needed} (--replicates {needed})",
                counted(args.replicates, "table"),
                args.level
            ));
        }
        for step in tested.steps() {
            let n_below = step.replicates.iter().filter(|r| **r < -0.01).count();
            if n_below > 0 || step.statistic < -0.01 {
                notes.push(format!(
                    "{} components fitted worse than {} {}: use more starts (--starts {})",
                    step.n_components + 1,
                    step.n_components,
                    if step.statistic < -0.01 {
                        "to the data".to_owned()
                    } else {
                        format!("to {}", counted(n_below, "table"))
                    },
                    4 * args.fitting.starts.unwrap_or(N_STARTS)
                ));
            }
            if step.n_failed > 0 {
                notes.push(format!(
                    "{} of {} components could not be fitted and don't count",
                    counted(step.n_failed, "table"),
                    step.n_components
                ));
            }
            if step.n_stopped > 0 {
                notes.push("cut short: the last p-value is that of the tables so far".to_owned());
            }
        }
        Self {
            command: "test",
            data: DataAccount::new(data),
            covariance: args.covariance.name(),
            level: tested.level(),
            components: tested.n_components(),
            tests: tested.steps().iter().map(TestAccount::from).collect(),
            notes,
        }
    }

    fn text(&self, data: &Data) -> String {
        let verdict = match self.components {
            Some(n) => format!(
                "{} {} components: the first number that is not rejected at level {}",
                n, self.covariance, self.level
            ),
            None => format!(
                "no number of {} components that was tested is known to be enough at level {}: test more (-k)",
                self.covariance, self.level
            ),
        };
        let header = [
            "components",
            "against",
            "likelihood ratio",
            "p-value",
            "tables",
        ];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for test in &self.tests {
            rows.push(vec![
                test.components.to_string(),
                (test.components + 1).to_string(),
                nats(test.likelihood_ratio),
                fixed(test.p_value, 4),
                test.tables.to_string(),
            ]);
        }
        let table = aligned(&rows, false);
        let mut lines = vec![
            data.headline(),
            verdict,
            String::new(),
            table.trim_end().to_owned(),
        ];
        if !self.notes.is_empty() {
            lines.push(String::new());
            lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        }
        lines.join("\n") + "\n"
    }
}
