//! What a fit finds.

use gmm_core::GaussianMixture;

use crate::Report;

/// A fitted mixture and how it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    pub(super) model: GaussianMixture,
    pub(super) report: Report,
}

impl Fit {
    /// The mixture.
    pub fn model(&self) -> &GaussianMixture {
        &self.model
    }

    /// The mixture, without the report.
    pub fn into_model(self) -> GaussianMixture {
        self.model
    }

    /// The same with the components sorted, the heaviest first.
    pub fn sorted(self) -> Self {
        Self {
            model: self.model.sorted(),
            ..self
        }
    }

    /// Expert: this fit as the second part of another, from whose mixture it began. Its report is of both: their iterations, passes and
    /// events, one after the other.
    #[must_use]
    pub fn going_on_from(self, earlier: &Report) -> Self {
        Self {
            report: self.report.after(earlier),
            ..self
        }
    }

    /// What happened.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Both.
    pub fn into_parts(self) -> (GaussianMixture, Report) {
        (self.model, self.report)
    }
}
