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
use crate::single::SinglePass;
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
        let statistics = self.pass(model, self.precision)?;
        if self.taken == Precision::Mixed && has_starved(model, &statistics) {
            return self.in_double_precision(model);
        }
        Ok(statistics)
    }

    /// [`of`](Self::of) in double precision.
    pub(crate) fn in_double_precision(
        &mut self,
        model: &GaussianMixture,
    ) -> Result<SufficientStatistics, Error> {
        self.pass(model, Precision::Double)
    }

    fn pass(
        &mut self,
        model: &GaussianMixture,
        precision: Precision,
    ) -> Result<SufficientStatistics, Error> {
        let (x, frame) = (self.x, &self.summary.frame);
        let shifts = model.means().to_owned();
        self.taken = Precision::Double;
        if let Some(tied) = self.tied.take() {
            let pass = tied.expectation(model, &self.rows, &shifts, precision)?;
            if let Some((statistics, taken)) = pass {
                self.tied = Some(tied);
                self.taken = taken;
                return Ok(statistics);
            }
            self.compact = Compact::new(model, x, frame, MOST_KEPT)?;
        }
        if let Some(compact) = self.compact.take() {
            let (statistics, n_pairs) = compact_expectation(model, x, frame, shifts, &compact)?;
            self.compact = Some(compact).filter(|c| c.pays(model.n_components(), n_pairs));
            return Ok(statistics);
        }
        let single = match precision {
            Precision::Mixed => SinglePass::new(model, &shifts),
            Precision::Double => None,
        };
        if single.is_some() {
            self.taken = Precision::Mixed;
        }
        if std::mem::take(&mut self.is_sparse) {
            let pass = match &single {
                Some(single) => single.sparse_expectation(&self.rows)?,
                None => sparse_expectation(model, &self.rows, shifts.clone())?,
            };
            if let Some((statistics, n_pairs)) = pass {
                let all = self.rows.n_blocks() * BLOCK_ROWS * model.n_components();
                self.is_sparse = n_pairs <= all - all / 8;
                return Ok(statistics);
            }
        }
        match single {
            Some(single) => single.expectation(&self.rows),
            None => expectation(model, &self.rows, shifts),
        }
    }
}

/// Whether some component that had weight holds next to nothing: in single precision, whose numbers end at 1e-38, it may have lost it to that.
fn has_starved(model: &GaussianMixture, statistics: &SufficientStatistics) -> bool {
    const LEAST_OCCUPANCY: f64 = 1e-20;
    let least = LEAST_OCCUPANCY * statistics.total_weight;
    let mut components = model.weights().iter().zip(&statistics.moments);
    components.any(|(weight, moments)| *weight > 0.0 && moments.occupancy < least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::Covariances;
    use gmm_core::faer::Mat;

    /// A third of the rows costs less than all of them: of eight features it would not.
    const D: usize = 32;

    /// Three components in a row, so many standard deviations apart.
    fn model(apart: f64, weights: [f64; 3]) -> GaussianMixture {
        let covariances = Covariances::full(&vec![Mat::identity(D, D); 3]).unwrap();
        let means = Mat::from_fn(3, D, |k, j| if j == 0 { apart * k as f64 } else { 0.0 });
        GaussianMixture::new(weights.to_vec(), means, covariances).unwrap()
    }

    /// Rows near the components of a model, in turn.
    fn rows(model: &GaussianMixture, n_groups: usize) -> Mat<f64> {
        Mat::from_fn(900, D, |i, j| {
            model.means()[(i % n_groups, j)] + ((i * 29 + j * 53) % 97) as f64 / 25.0 - 2.0
        })
    }

    /// Whether a second pass would leave rows out, and whether the first did.
    fn is_sparse(model: &GaussianMixture, x: &Mat<f64>, precision: Precision) -> [bool; 2] {
        let samples = Samples::from(x);
        let summary = Summary::new(&samples, model.covariance_type()).unwrap();
        let model = model.to_frame(&summary.frame).unwrap();
        let mut passes = Expectation::new(&model, &samples, &summary, precision).unwrap();
        assert!(passes.is_sparse);
        let statistics = passes.of(&model).unwrap();
        // A component that has lost all of its rows is asked for again in double precision.
        let has_lost_rows = statistics.moments.iter().any(|m| m.occupancy < 1e-10);
        let expected = [precision, Precision::Double][usize::from(has_lost_rows)];
        assert_eq!(passes.last_precision(), expected);
        let shifts = model.means().to_owned();
        let dense = match expected {
            Precision::Double => expectation(&model, &passes.rows, shifts).unwrap(),
            Precision::Mixed => {
                let single = SinglePass::new(&model, &shifts).unwrap();
                single.expectation(&passes.rows).unwrap()
            }
        };
        // Sums of 256 rows in another order, of numbers that have lost up to five bits to a mean nearby.
        let bound = 32.0 * 256.0 * expected.epsilon();
        for (found, expected) in statistics.moments.iter().zip(&dense.moments) {
            assert!((found.occupancy - expected.occupancy).abs() <= bound * expected.occupancy);
            let largest = expected.scatter.iter().copied().fold(0.0, f64::max);
            let pairs = found.scatter.iter().zip(&expected.scatter);
            pairs.for_each(|(a, b)| assert!((a - b).abs() <= bound * largest, "{a} {b}"));
        }
        [passes.is_sparse, statistics != dense]
    }

    #[test]
    fn rows_are_left_out_as_long_as_that_pays() {
        for precision in [Precision::Double, Precision::Mixed] {
            let equal = [1.0 / 3.0; 3];
            let apart = model(12.0, equal);
            assert_eq!(is_sparse(&apart, &rows(&apart, 3), precision), [true; 2]);
            let near = model(2.0, equal);
            assert!(!is_sparse(&near, &rows(&near, 3), precision)[0]);
            // The third component loses its rows: all digits of what is left.
            assert_eq!(is_sparse(&apart, &rows(&apart, 2), precision), [false; 2]);
        }
    }
}
