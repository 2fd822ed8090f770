//! The E-steps of one fit, each by the cheapest way that leaves the parameters what they are, to rounding.
//!
//! With a class of noise all passes are the general one: the shortcuts leave out what components share, or components that say nothing, and
//! noise shares nothing and always says something.

use gmm_core::block::BLOCK_ROWS;
use gmm_core::covariance::Structure;
use gmm_core::{GaussianMixture, Samples};

use crate::blocks::{Blocks as _, FitRows, Table};
use crate::compact::{Compact, MOST_KEPT};
use crate::pass::{compact_expectation, expectation, sparse_expectation};
use crate::single::single_expectation;
use crate::statistics::SufficientStatistics;
use crate::summary::Summary;
use crate::tied::TiedPass;
use crate::{Error, Precision};

/// Dense sums of fewer features cost no more than to ask which rows say something.
const LEAST_FEATURES_TO_LEAVE_OUT: usize = 8;

pub(crate) struct Expectation<'a> {
    x: &'a Samples<'a>,
    summary: &'a Summary,
    rows: FitRows<'a>,
    tied: Option<TiedPass<'a>>,
    compact: Option<Compact>,
    /// Whether passes leave out rows that say nothing about a component.
    is_sparse: bool,
    /// Of passes that have no better way.
    precision: Precision,
    /// Of the last pass.
    taken: Precision,
}

impl<'a> Expectation<'a> {
    /// For a fit that begins with a model.
    pub(crate) fn new(
        model: &GaussianMixture,
        x: &'a Samples<'a>,
        summary: &'a Summary,
        precision: Precision,
    ) -> Result<Self, Error> {
        let has_noise = model.noise().is_some();
        let tied = TiedPass::new(model.covariance_type(), summary).filter(|_| !has_noise);
        let compact = match tied {
            None if !has_noise => Compact::new(model, x, &summary.frame, MOST_KEPT)?,
            _ => None,
        };
        let frame = &summary.frame;
        let rows = match compact {
            Some(_) => FitRows::Many(Table { x, frame }),
            None => FitRows::new(x, frame)?,
        };
        let is_dense = model.covariance_type().structure() == Structure::Dense;
        let can_pay = is_dense && model.n_features() >= LEAST_FEATURES_TO_LEAVE_OUT;
        Ok(Self {
            x,
            summary,
            is_sparse: can_pay && !has_noise,
            rows,
            tied,
            compact,
            precision,
            taken: Precision::Double,
        })
    }

    /// The precision of the last pass.
    pub(crate) fn last_precision(&self) -> Precision {
        self.taken
    }

    /// Goes on in double precision; whether the last pass was not.
    pub(crate) fn refine(&mut self) -> bool {
        let was_single = self.taken == Precision::Mixed;
        if was_single {
            self.precision = Precision::Double;
        }
        was_single
    }

    /// The statistics of all rows under a model. A way that didn't pay is not tried again in this fit.
    pub(crate) fn of(&mut self, model: &GaussianMixture) -> Result<SufficientStatistics, Error> {
        let (x, frame) = (self.x, &self.summary.frame);
        let shifts = model.means().to_owned();
        self.taken = Precision::Double;
        if let Some(tied) = self.tied.take() {
            if let Some(statistics) = tied.expectation(model, &self.rows, &shifts)? {
                self.tied = Some(tied);
                return Ok(statistics);
            }
            self.compact = Compact::new(model, x, frame, MOST_KEPT)?;
        }
        if let Some(compact) = self.compact.take() {
            let (statistics, n_pairs) = compact_expectation(model, x, frame, shifts, &compact)?;
            self.compact = Some(compact).filter(|c| c.pays(model.n_components(), n_pairs));
            return Ok(statistics);
        }
        if self.precision == Precision::Mixed
            && let Some(statistics) = single_expectation(model, &self.rows, &shifts)?
        {
            self.taken = Precision::Mixed;
            return Ok(statistics);
        }
        if std::mem::take(&mut self.is_sparse)
            && let Some((statistics, n_pairs)) =
                sparse_expectation(model, &self.rows, shifts.clone())?
        {
            let all = self.rows.n_blocks() * BLOCK_ROWS * model.n_components();
            self.is_sparse = n_pairs <= all - all / 8;
            return Ok(statistics);
        }
        expectation(model, &self.rows, shifts)
    }
}
