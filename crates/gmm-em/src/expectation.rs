//! The E-steps of one fit, each by the cheapest way that leaves the parameters what they are, to rounding.

use gmm_core::{GaussianMixture, Samples};

use crate::Error;
use crate::compact::Compact;
use crate::pass::{compact_expectation, expectation};
use crate::statistics::SufficientStatistics;
use crate::summary::Summary;
use crate::tied::TiedPass;

pub(crate) struct Expectation<'a> {
    x: &'a Samples<'a>,
    summary: &'a Summary,
    tied: Option<TiedPass<'a>>,
    compact: Option<Compact>,
}

impl<'a> Expectation<'a> {
    /// For a fit that begins with a model.
    pub(crate) fn new(
        model: &GaussianMixture,
        x: &'a Samples<'a>,
        summary: &'a Summary,
    ) -> Result<Self, Error> {
        let tied = TiedPass::new(model.covariance_type(), x, summary);
        let compact = match tied {
            Some(_) => None,
            None => Compact::new(model, x, &summary.frame)?,
        };
        Ok(Self {
            x,
            summary,
            tied,
            compact,
        })
    }

    /// The statistics of all rows under a model. A way that didn't pay is not tried again in this fit.
    pub(crate) fn of(&mut self, model: &GaussianMixture) -> Result<SufficientStatistics, Error> {
        let (x, frame) = (self.x, &self.summary.frame);
        let shifts = model.means().to_owned();
        if let Some(tied) = self.tied.take() {
            if let Some(statistics) = tied.expectation(model, &shifts)? {
                self.tied = Some(tied);
                return Ok(statistics);
            }
            self.compact = Compact::new(model, x, frame)?;
        }
        match self.compact.take() {
            Some(compact) => {
                let statistics = compact_expectation(model, x, frame, shifts, &compact)?;
                self.compact = compact.pays(model.n_components()).then_some(compact);
                Ok(statistics)
            }
            None => expectation(model, x, frame, shifts),
        }
    }
}
