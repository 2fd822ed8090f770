//! The EM loop.

use gmm_core::{GaussianMixture, Samples};

use super::{Em, Fit, Watcher};
use crate::acceleration::Accelerator;
use crate::expectation::Expectation;
use crate::history::History;
use crate::noise;
use crate::regularization::Scale;
use crate::rescue::Rescuer;
use crate::start::Begin;
use crate::summary::Summary;
use crate::{Acceleration, Error, Stop};

impl Em {
    /// The EM loop: E-step, stop or go on, M-step.
    pub(crate) fn run(
        &self,
        x: &Samples<'_>,
        summary: &Summary,
        begin: Begin,
        noise: Option<f64>,
        watcher: &mut Watcher<'_>,
    ) -> Result<Fit, Error> {
        let frame = &summary.frame;
        let scale = Scale::of_summary(summary);
        let regularizer = self.regularization.resolve(
            &scale,
            self.covariance,
            self.n_components,
            Some(frame.exponents()),
        )?;
        let mut rescuer = Rescuer::new(self, *x, summary, regularizer);
        let mut history = History::new(summary, self.regularization.ascends());
        // Without an objective that EM raises, no step can be judged.
        let acceleration = if self.regularization.ascends() {
            self.acceleration
        } else {
            Acceleration::None
        };
        let mut accelerator = Accelerator::new(acceleration);

        let (mut model, mut iteration) = match begin {
            Begin::Model(model) => {
                rescuer.start_from(&model);
                (model, 0)
            }
            Begin::Statistics(statistics) => {
                let model = rescuer.maximize(statistics, None, 1)?;
                (noise::begin(model, noise)?, 1)
            }
        };
        let mut expected = Expectation::new(&model, x, summary, self.precision)?;
        let stop = loop {
            let statistics = expected.of(&model)?;
            let precision = expected.last_precision();
            let pass = history.measure(&statistics, &model, rescuer.regularizer(), precision);
            if history.falls(&pass) {
                if let Some(safe) = accelerator.retreat() {
                    model = safe;
                    continue;
                }
                // What single precision takes for a fall is seen again in double precision.
                if expected.refine() {
                    continue;
                }
            }
            history.push(iteration, pass, accelerator.is_beyond(), &mut rescuer);
            if watcher(&history.progress(iteration, self.max_iterations)).is_break() {
                break Stop::Interrupted;
            }
            if history.converged(&self.stopping) && !expected.refine() {
                break Stop::Converged;
            }
            if iteration >= self.max_iterations {
                break Stop::MaxIterations;
            }
            if history.hardly_moves(&self.stopping) {
                accelerator.pause();
            }
            let next = rescuer.maximize(statistics, Some(&model), iteration + 1)?;
            if next == model && !expected.refine() {
                break Stop::Converged;
            }
            (model, iteration) = (accelerator.advance(&model, next, &rescuer), iteration + 1);
        };
        let rounded = model.from_frame(frame)?;
        // A third mixture in memory where a last pass needs one.
        drop(model);
        let mut report = history.report(stop, iteration, rescuer, x.n_samples());
        if means_round_coarsely(&rounded) || expected.refine() {
            let known = rounded.to_frame(frame)?;
            let statistics = expected.in_double_precision(&known)?;
            report.log_likelihood =
                statistics.log_likelihood() + summary.total_weight() * frame.log_jacobian();
            report.n_passes += 1;
        }
        Ok(Fit {
            model: rounded,
            report,
        })
    }
}

/// Whether the last bit of a mean is worth more than 1e-6 of a standard deviation: a mixture at an offset of 1e10 times its
/// spread is another one in the data's coordinates than in the frame. Below, a row loses less than 1e-12 nats.
fn means_round_coarsely(model: &GaussianMixture) -> bool {
    (0..model.n_components()).any(|k| {
        let variances = model.covariances().variances(k);
        let last_bit = |j: usize| f64::EPSILON * model.means()[(k, j)].abs();
        (0..variances.len()).any(|j| last_bit(j) > 1e-6 * variances[j].sqrt())
    })
}
