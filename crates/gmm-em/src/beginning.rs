//! A fit whose start is made and whose iterations are still to come.

use std::fmt;
use std::ops::ControlFlow;

use gmm_core::Samples;

use crate::start::{self, Begin};
use crate::summary::Summary;
use crate::{Em, Error, Fit, Progress, Watcher};

/// Expert: a fit whose start is made. Starts are worth making at the same time, since each is mostly one thread's work, also where the
/// iterations of one wait for what another has reached.
///
/// ```
/// use gmm_core::faer::MatRef;
/// use gmm_em::{Em, Progress};
/// use std::ops::ControlFlow;
///
/// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9];
/// let x = MatRef::from_row_major_slice(&table, 10, 1);
/// let em = Em::new(2);
/// let mut go_on = |_: &Progress| ControlFlow::Continue(());
/// let fit = em.begin_watched(x, &mut go_on)?.run_watched(&mut go_on)?;
/// assert_eq!(fit, em.fit(x)?);
/// # Ok::<(), gmm_em::Error>(())
/// ```
pub struct Beginning<'a> {
    em: &'a Em,
    x: Samples<'a>,
    summary: Summary,
    begin: Begin,
    noise: Option<f64>,
}

impl Em {
    /// Makes the start of a fit under the eyes of a watcher, which is asked as before the first iteration.
    ///
    /// # Errors
    /// Those of [`Em::fit_watched`].
    pub fn begin_watched<'a>(
        &'a self,
        x: impl Into<Samples<'a>>,
        watcher: &mut Watcher<'_>,
    ) -> Result<Beginning<'a>, Error> {
        let x = x.into();
        let summary = self.prepare(&x)?;
        let noise = self.noise_density(&x, &summary)?;
        let before = Progress::before(self.iteration_limit());
        let mut ask = || match watcher(&before) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        };
        let begin = start::own(self, &x, &summary, noise, &mut ask)?;
        Ok(Beginning {
            em: self,
            x,
            summary,
            begin,
            noise,
        })
    }
}

impl Beginning<'_> {
    /// The iterations, and the components sorted by their weights.
    ///
    /// # Errors
    /// Those of [`Em::fit_watched`].
    pub fn run_watched(self, watcher: &mut Watcher<'_>) -> Result<Fit, Error> {
        let fit = (self.em).run(&self.x, &self.summary, self.begin, self.noise, watcher)?;
        Ok(fit.sorted())
    }
}

impl fmt::Debug for Beginning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beginning")
            .field("em", self.em)
            .finish_non_exhaustive()
    }
}
