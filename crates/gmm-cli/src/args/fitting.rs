//! Options of a fit.

use std::time::Duration;

use clap::Args;
use gmm_core::Proportions;
use gmm_em::{
    Acceleration, Em, Initialization, NoiseVolume, Precision, Regularization, Rescue, Stopping,
};

use super::values;

/// How fits start, stop and save themselves.
#[derive(Debug, Args)]
pub(crate) struct FittingOptions {
    /// Number of starts per fit, the best of which is kept: by default 5, for select 3 beside those that candidates get from their
    /// neighbours, for test 2 beside the mixture with a component less
    #[arg(long, value_name = "N", value_parser = values::starts, allow_negative_numbers = true, help_heading = "Fitting")]
    pub(crate) starts: Option<usize>,
    /// The most time for fitting, such as 60s, 5m or 2h; when it is up, the best so far is shown, with what was left out
    #[arg(long, value_name = "TIME", value_parser = values::duration, allow_negative_numbers = true, help_heading = "Fitting")]
    pub(crate) budget: Option<Duration>,
    /// Seed of the random numbers; the same seed gives the same result
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true,
        help_heading = "Fitting"
    )]
    seed: u64,
    /// How fits start: split, hierarchical, kmeans, kmeans++, random-from-data or random; by default several starts take turns
    /// between all of these but the last, and a single one is a split
    #[arg(long, value_name = "START", value_parser = values::initialization, help_heading = "Fitting")]
    init: Option<Initialization>,
    /// A class of noise of constant density beside the groups, so that outliers don't inflate one: alone with the volume of
    /// the smaller box around the data (along the features or along principal axes), or with a volume in the units of
    /// the data
    #[arg(long, value_name = "VOLUME", num_args = 0..=1, require_equals = true, default_missing_value = "box", value_parser = values::noise, help_heading = "Fitting")]
    noise: Option<NoiseVolume>,
    /// The weights of the groups: free, or equal (one parameter less per group after the first)
    #[arg(long, value_name = "HOW", default_value = "free", value_parser = values::proportions, help_heading = "Fitting")]
    proportions: Proportions,
    /// What keeps variances from vanishing: floor[=PART of the data's variances, 1e-9], none, ridge=NUMBER (added to
    /// each variance, as scikit-learn's reg_covar) or prior (mclust's)
    #[arg(long, value_name = "HOW", default_value = "floor", value_parser = values::regularization, help_heading = "Fitting")]
    pub(crate) regularization: Regularization,
    /// What to do with a component that lost its rows or its variance: drop, reseed or fail
    #[arg(long, value_name = "HOW", default_value = "drop", value_parser = values::rescue, help_heading = "Fitting")]
    rescue: Rescue,
    /// Most iterations of a fit
    #[arg(long, value_name = "N", default_value = "1000", value_parser = values::count, allow_negative_numbers = true, help_heading = "Fitting")]
    max_iterations: usize,
    /// When a fit has converged: remaining (log-likelihood still to gain, in nats), relative (change of the
    /// log-likelihood, mclust's rule) or mean (gain per row, scikit-learn's rule)
    #[arg(long, value_name = "RULE", default_value = "remaining", value_parser = values::rule, help_heading = "Fitting")]
    stopping: Rule,
    /// The number of that rule: 0.001 for remaining, 0.00001 for relative, 0.001 for mean by default
    #[arg(long, value_name = "NUMBER", value_parser = values::tolerance, allow_negative_numbers = true, help_heading = "Fitting")]
    tolerance: Option<f64>,
    /// Try longer steps than EM's own and take back those that don't pay: about half the passes where groups overlap;
    /// may end in another optimum, as another start may
    #[arg(long, help_heading = "Fitting")]
    accelerate: bool,
    /// In which precision rows are compared with components: double, or mixed (single precision as long as it gains
    /// anything, then double; up to 1.6 times as fast, by machine and data, with the same digits in the end)
    #[arg(long, value_name = "HOW", default_value = "double", value_parser = values::precision, help_heading = "Fitting")]
    precision: Precision,
}

/// A stopping rule without its number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    Remaining,
    Relative,
    Mean,
}

impl FittingOptions {
    /// The settings of the fits, for so many components.
    pub(crate) fn em(&self, n_components: usize) -> Em {
        let em = match self.init {
            Some(init) => Em::new(n_components).initialization(init),
            None => Em::new(n_components),
        };
        em.seed(self.seed)
            .noise(self.noise)
            .proportions(self.proportions)
            .regularization(self.regularization)
            .rescue(self.rescue)
            .max_iterations(self.max_iterations)
            .acceleration(if self.accelerate {
                Acceleration::OverRelaxation
            } else {
                Acceleration::None
            })
            .precision(self.precision)
            .stopping(self.stopping())
    }

    /// Whether a class of noise is asked for.
    pub(crate) fn has_noise(&self) -> bool {
        self.noise.is_some()
    }

    /// The seed of all random numbers.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    fn stopping(&self) -> Stopping {
        match self.stopping {
            // The programs whose rules these are have these numbers.
            Rule::Relative => Stopping::RelativeChange(self.tolerance.unwrap_or(1e-5)),
            Rule::Mean => Stopping::MeanChange(self.tolerance.unwrap_or(1e-3)),
            Rule::Remaining => self
                .tolerance
                .map_or_else(Stopping::default, Stopping::RemainingGain),
        }
    }
}
