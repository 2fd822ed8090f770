//! `cargo xtask bench --peers`: other systems and we on the same rows from the same start, taking turns.
//!
//! Every system is a process of its own that keeps the rows in memory and fits on command (`worker`). In each round each
//! has a turn, and the machine's matrix product is measured beside them, so that what else the machine does falls on all.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::figures::{Spread, three_digits};
use super::options::Peers;
use super::systems::{Installed, System, Task};
use super::table::{Group, Row, Unit, fits, table};
use super::worker::Worker;
use super::workload::{Workload, chosen, read};
use super::{example, machine, target_folder};
use crate::{Outcome, shell};

/// Log-likelihoods after the long fit that differ by less, relatively, are of the same work.
const AGREEMENT: f64 = 1e-6;

/// A turn goes on for so long, since a single short measurement is mostly noise; slow systems measure once.
const TURN: Duration = Duration::from_millis(400);

/// Between turns, so that threads that still spin for more work of theirs take no time from the next system.
const PAUSE: Duration = Duration::from_millis(50);

/// A system that has used so much time on a workload has no more turns.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(options: &Peers) -> Outcome {
    let own = example("peer")?;
    let list = shell::output(&mut shell::program(&own, &["list"]))?;
    let workloads = chosen(&read(&list)?, &options.work)?;
    let machine = machine::describe();
    let folder = target_folder("peers")?;
    let (installed, missing) = Installed::new(own, &folder, &options.systems);
    for (system, reason) in &missing {
        println!("{}: left out, {reason}", system.name);
    }
    let is_there =
        |system: &&&'static System| !missing.iter().any(|(other, _)| other.name == system.name);
    let systems: Vec<_> = options.systems.iter().filter(is_there).copied().collect();

    let mut comparison = Comparison {
        options,
        installed,
        systems,
        groups: Vec::new(),
        notes: missing
            .iter()
            .map(|(system, reason)| format!("{} is left out: {reason}.", system.title))
            .collect(),
        versions: Vec::new(),
        failures: Vec::new(),
    };
    for workload in &workloads {
        // What was measured before is kept.
        if let Err(failure) = comparison.compare(workload, &folder) {
            println!("{}: {failure}", workload.name);
            comparison
                .failures
                .push(format!("{}: {failure}", workload.name));
        }
    }
    let text = comparison.text(&machine);
    println!("\n{text}");
    if let Some(path) = &options.save {
        fs::write(path, &text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    if comparison.failures.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the comparison is not what it should be:\n  {}",
            comparison.failures.join("\n  ")
        ))
    }
}

/// All that is collected for the table.
struct Comparison<'o> {
    options: &'o Peers,
    installed: Installed,
    systems: Vec<&'static System>,
    groups: Vec<Group>,
    notes: Vec<String>,
    versions: Vec<String>,
    /// Workloads that could not be measured, and systems that did not do the same work.
    failures: Vec<String>,
}

/// A system at work, and what came of it.
struct Entrant {
    system: &'static System,
    /// Nothing once it has failed, or when it can't do this.
    worker: Option<Worker>,
    seconds: Vec<f64>,
    used: Duration,
    memory: Option<f64>,
    mean_log_likelihood: Option<f64>,
}

impl Comparison<'_> {
    /// All systems on one workload.
    fn compare(&mut self, workload: &Workload, folder: &Path) -> Outcome {
        let data = folder.join("data");
        let logs = folder.join("logs");
        fs::create_dir_all(&logs)
            .map_err(|error| format!("cannot make the folder {}: {error}", logs.display()))?;
        println!("{}", workload.title());
        let prepare = ["prepare", &data.to_string_lossy(), &workload.name];
        shell::output(&mut shell::program(&self.installed.own, &prepare))?;
        let task = Task {
            folder: &data,
            workload: [
                workload.name.clone(),
                workload.n.to_string(),
                workload.d.to_string(),
                workload.k.to_string(),
                workload.form.clone(),
            ],
            threads: self.options.threads,
        };
        let log = |name: &str| logs.join(format!("{}.{name}.txt", workload.name));
        let (mut referee, _) = Worker::start(&mut self.installed.referee(&task), &log("referee"))?;
        let mut entrants: Vec<Entrant> = Vec::new();
        for system in self.systems.clone() {
            let started = Worker::start(
                &mut self.installed.command(system, &task),
                &log(system.name),
            );
            let worker = self.admitted(system, workload, started);
            entrants.push(Entrant {
                system,
                worker,
                seconds: Vec::new(),
                used: Duration::ZERO,
                memory: None,
                mean_log_likelihood: None,
            });
        }

        let [_, long_fit] = workload.fits;
        for entrant in &mut entrants {
            let stem = data.join(format!("{}.{}", workload.name, entrant.system.name));
            let stem = stem.to_string_lossy();
            self.guarded(workload, entrant, |worker| {
                // The first fit warms caches and threads; it's judged and not measured.
                worker.ask(&format!("keep {long_fit} {stem}"))?;
                let mean = referee.number(&format!("judge {stem}"), "mean_log_likelihood")?;
                if mean.is_none() {
                    return Err(format!(
                        "what it has after {long_fit} iterations is no mixture"
                    ));
                }
                Ok(Measured {
                    mean,
                    ..Measured::default()
                })
            });
        }
        for entrant in &mut entrants {
            entrant.used = Duration::ZERO;
        }
        let unit = if workload.call > 0 {
            Unit::Call(workload.call)
        } else {
            Unit::Iteration(workload.fits)
        };
        let gemm = self.rounds(workload, unit, &mut entrants, &mut referee)?;
        for entrant in &mut entrants {
            self.guarded(workload, entrant, |worker| {
                let memory = worker.number("memory", "bytes")?;
                Ok(Measured {
                    memory,
                    ..Measured::default()
                })
            });
        }
        self.disagree(workload, &entrants);
        self.groups.push(Group {
            title: workload.title(),
            unit,
            operations: workload.operations(),
            gemm,
            rows: rows(&entrants),
        });
        if workload.predicts {
            for entrant in &mut entrants {
                (entrant.seconds, entrant.used) = (Vec::new(), Duration::ZERO);
                (entrant.memory, entrant.mean_log_likelihood) = (None, None);
            }
            let unit = Unit::Prediction(workload.n);
            let gemm = self.rounds(workload, unit, &mut entrants, &mut referee)?;
            self.groups.push(Group {
                title: format!("{}: probabilities", workload.name),
                unit,
                operations: workload.operations().map(|both| both / 2.0),
                gemm,
                rows: rows(&entrants),
            });
        }
        Ok(())
    }

    /// Takes a worker in, or notes why it stands aside.
    fn admitted(
        &mut self,
        system: &System,
        workload: &Workload,
        started: Outcome<(Worker, Value)>,
    ) -> Option<Worker> {
        match started {
            Err(failure) => {
                self.note(workload, system, &failure);
                None
            }
            Ok((worker, hello)) => {
                if let Some(version) = hello["version"].as_str() {
                    // What stands behind a comma is how the same library is called.
                    let library = system.title.split(',').next().unwrap_or_default();
                    let version = format!("{} {version}", library.replace('*', ""));
                    if !self.versions.contains(&version) {
                        self.versions.push(version);
                    }
                    Some(worker)
                } else {
                    println!("  {}: {}", system.name, hello["absent"]);
                    None
                }
            }
        }
    }

    /// Rounds of one kind of measurement; returns the rate of the matrix product in between.
    fn rounds(
        &mut self,
        workload: &Workload,
        unit: Unit,
        entrants: &mut [Entrant],
        referee: &mut Worker,
    ) -> Outcome<Option<Spread>> {
        let mut rates = Vec::new();
        for _ in 0..self.options.repeats {
            rates.extend(referee.number("gemm", "flops")?);
            for entrant in entrants.iter_mut() {
                if entrant.used < PATIENCE {
                    thread::sleep(PAUSE);
                    self.guarded(workload, entrant, |worker| turn(worker, unit));
                }
            }
        }
        for entrant in entrants.iter() {
            if let Some(seconds) = Spread::of(&entrant.seconds) {
                let median = three_digits(seconds.median);
                let what = match unit {
                    Unit::Iteration(_) => "per iteration",
                    Unit::Call(_) => "per call",
                    Unit::Prediction(_) => "for the probabilities",
                };
                println!("  {}: {median} s {what}", entrant.system.name);
            }
        }
        Ok(Spread::of(&rates))
    }

    /// Lets an entrant work. One that fails is out of the workload, with a note, and the others go on.
    fn guarded(
        &mut self,
        workload: &Workload,
        entrant: &mut Entrant,
        work: impl FnOnce(&mut Worker) -> Outcome<Measured>,
    ) {
        let Some(worker) = &mut entrant.worker else {
            return;
        };
        let clock = Instant::now();
        match work(worker) {
            Ok(measured) => {
                entrant.seconds.extend(measured.seconds);
                entrant.memory = measured.memory.or(entrant.memory);
                entrant.mean_log_likelihood = measured.mean.or(entrant.mean_log_likelihood);
            }
            Err(failure) => {
                entrant.worker = None;
                self.note(workload, entrant.system, &failure);
            }
        }
        entrant.used += clock.elapsed();
    }

    fn note(&mut self, workload: &Workload, system: &System, failure: &str) {
        println!("  {}: {failure}", system.name);
        // Without us there is nothing to compare with.
        if system.name == self.systems[0].name {
            let name = system.name;
            self.failures
                .push(format!("{} {name}: {failure}", workload.name));
        }
        let title = system.title.replace('*', "");
        self.notes
            .push(format!("{title} failed on {}: {failure}.", workload.name));
    }

    /// Notes the systems whose parameters are others than ours.
    fn disagree(&mut self, workload: &Workload, entrants: &[Entrant]) {
        for (entrant, row) in entrants.iter().zip(rows(entrants)) {
            if let Some(difference) = row.difference
                && entrant.system.must_agree
                && (difference > AGREEMENT || difference.is_nan())
            {
                self.failures.push(format!(
                    "{} {}: the mean log-likelihood after {} iterations differs from ours by {difference:.1e} of it",
                    workload.name, entrant.system.name, workload.fits[1]
                ));
            }
        }
    }

    /// The table with what a reader needs to judge it.
    fn text(&self, machine: &str) -> String {
        let rates: Vec<f64> = self
            .groups
            .iter()
            .flat_map(|group| group.gemm.map(|gemm| gemm.median))
            .collect();
        let gemm = Spread::of(&rates).map_or_else(String::new, |rate| {
            let rate = rate.scaled(1e-9);
            let [median, least, most] = [rate.median, rate.least, rate.most].map(three_digits);
            format!(", {median} GFLOP/s, {least}..{most} over the run")
        });
        let mut text = format!(
            "{machine}; {} threads, {} rounds.\n\n{}\n",
            self.options.threads,
            self.options.repeats,
            table(&self.groups)
        );
        text.push_str(&format!(
            "Medians, with their range, of seconds per EM iteration: the difference of two fits from the same start{}, \
             divided by that of their iterations, the systems taking turns. *To ours*: time as a multiple of our time. *Of GEMM*: 2·N·K·D² \
             operations for an iteration and N·K·D² for probabilities (full and tied covariances; tied ones can do with fewer), as \
             part of what faer's f64 matrix product does in the same run{gemm}. *Memory*: peak beyond the data while fitting. *log p*: \
             relative difference to ours of the mean log-likelihood after the longer fit. A dash: not offered.\n\n",
            fits(&self.groups)
        ));
        text.push_str(&format!("Versions: {}.\n", self.versions.join(", ")));
        for note in &self.notes {
            text.push_str(&format!("\n{note}\n"));
        }
        text
    }
}

/// What one piece of work brought.
#[derive(Debug, Default)]
struct Measured {
    seconds: Vec<f64>,
    memory: Option<f64>,
    mean: Option<f64>,
}

/// One turn of a system: measurements until it has lasted long enough.
fn turn(worker: &mut Worker, unit: Unit) -> Outcome<Measured> {
    let clock = Instant::now();
    let mut measured = Measured::default();
    loop {
        let seconds = match unit {
            Unit::Iteration([few, more]) => {
                let short = worker.number(&format!("fit {few}"), "seconds")?;
                let long = worker.number(&format!("fit {more}"), "seconds")?;
                let n_iterations = (more - few) as f64;
                long.zip(short)
                    .map(|(long, short)| (long - short) / n_iterations)
            }
            Unit::Call(n_iterations) => worker.number(&format!("fit {n_iterations}"), "seconds")?,
            Unit::Prediction(_) => worker.number("predict", "seconds")?,
        };
        measured.seconds.extend(seconds);
        if seconds.is_none() || clock.elapsed() >= TURN {
            return Ok(measured);
        }
    }
}

fn rows(entrants: &[Entrant]) -> Vec<Row> {
    let ours = entrants
        .first()
        .and_then(|entrant| entrant.mean_log_likelihood);
    entrants
        .iter()
        .map(|entrant| Row {
            system: entrant.system.title.to_owned(),
            seconds: Spread::of(&entrant.seconds),
            memory: entrant.memory,
            difference: entrant
                .mean_log_likelihood
                .zip(ours)
                .map(|(theirs, ours)| ((theirs - ours) / ours).abs()),
        })
        .collect()
}
