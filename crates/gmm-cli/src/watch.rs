//! Looking over a fit's shoulder: progress for the patient, Ctrl-C for the others.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::Console;
use crate::failure::Failure;
use crate::run::INTERRUPTED;

/// Nothing worth keeping has been computed yet: Ctrl-C ends at once.
const BEFORE: u8 = 0;
/// A fit is running, or its result is about to be saved and shown: Ctrl-C asks to stop.
const FITTING: u8 = 1;
/// It was asked to: the next Ctrl-C ends at once.
const ASKED: u8 = 2;

/// What becomes of Ctrl-C, and of a time that is set.
pub(crate) struct Interrupt {
    state: Arc<AtomicU8>,
    deadline: Option<Instant>,
    is_late: AtomicBool,
}

impl Interrupt {
    /// From now on Ctrl-C is ours.
    pub(crate) fn listen() -> Self {
        let state = Arc::new(AtomicU8::new(BEFORE));
        let shared = Arc::clone(&state);
        // Without a handler Ctrl-C ends the program as it ends any other, which is no reason to refuse the work.
        let _ = ctrlc::set_handler(move || {
            let asked = shared.compare_exchange(FITTING, ASKED, Ordering::SeqCst, Ordering::SeqCst);
            if asked.is_err() {
                std::process::exit(i32::from(INTERRUPTED));
            }
        });
        Self {
            state,
            deadline: None,
            is_late: AtomicBool::new(false),
        }
    }

    /// The work has so much time from now on.
    pub(crate) fn within(mut self, budget: Option<Duration>) -> Self {
        // A time beyond what clocks count is none.
        self.deadline = budget.and_then(|budget| Instant::now().checked_add(budget));
        self
    }

    /// Does work that Ctrl-C asks to stop. It does so until the end of the program, which saves and shows what was found.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let _ = self
            .state
            .compare_exchange(BEFORE, FITTING, Ordering::SeqCst, Ordering::SeqCst);
        work()
    }

    /// Whether the user asked to stop.
    pub(crate) fn was_asked(&self) -> bool {
        self.state.load(Ordering::SeqCst) == ASKED
    }

    /// Whether the time was up before the work was done.
    pub(crate) fn ran_out_of_time(&self) -> bool {
        self.is_late.load(Ordering::Relaxed)
    }

    /// Why the work was cut short, if it was.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        if self.was_asked() {
            Some("interrupted")
        } else {
            self.ran_out_of_time().then_some("the time was up")
        }
    }

    /// Work that ended with nothing to show; `too_soon` is told where the time was up before there was anything.
    pub(crate) fn failure(
        &self,
        source: &str,
        error: &gmm_select::Error,
        too_soon: &str,
        explain: impl FnOnce() -> String,
    ) -> Failure {
        let was_cut_short = matches!(
            error,
            gmm_select::Error::Fit(gmm_em::Error::Interrupted)
                | gmm_select::Error::TooFewReplicates { .. }
        );
        if was_cut_short && self.was_asked() {
            Failure::Interrupted(format!(
                "{source}: interrupted before there was anything to show"
            ))
        } else if was_cut_short && self.ran_out_of_time() {
            Failure::Refused(format!("{source}: {too_soon}"))
        } else {
            Failure::Refused(format!("{source}: {}", explain()))
        }
    }

    /// What a watcher answers.
    pub(crate) fn answer(&self) -> ControlFlow<()> {
        if self.deadline.is_some_and(|end| Instant::now() >= end) {
            self.is_late.store(true, Ordering::Relaxed);
        }
        if self.was_asked() || self.ran_out_of_time() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Work that is done sooner needs no progress bar, which would only flicker.
const PATIENCE: Duration = Duration::from_millis(500);

/// A progress bar on standard error, if that is a terminal and the work takes long enough.
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
    is_wanted: bool,
    is_shown: AtomicBool,
}

impl Progress {
    /// For so many steps; without a number, a spinner.
    pub(crate) fn new(n_steps: Option<usize>, console: &Console) -> Self {
        let bar =
            ProgressBar::with_draw_target(n_steps.map(|n| n as u64), ProgressDrawTarget::hidden());
        let template = match n_steps {
            Some(_) => "{bar:30} {percent} %, {msg}",
            None => "{spinner} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            begun: Instant::now(),
            is_wanted: !console.is_quiet() && std::io::stderr().is_terminal(),
            is_shown: AtomicBool::new(false),
        }
    }

    /// Shows what is being done; called by all threads, many times a second.
    pub(crate) fn say(&self, message: impl FnOnce() -> String) {
        if self.is_wanted && self.begun.elapsed() >= PATIENCE {
            if !self.is_shown.swap(true, Ordering::Relaxed) {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            self.bar.set_message(message());
        }
    }

    /// One more step is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }
}

/// The bar leaves no trace: the result speaks for itself.
impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
