//! Splits and mergers for others: a path over numbers of components, and steps from one number to the next.

use gmm_core::block::Frame;
use gmm_core::{CovarianceType, GaussianMixture, Samples};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Search, State, rows_for};
use crate::sketch::Sketch;
use crate::start::derived_seed;
use crate::{Em, Error, noise};

/// Expert: mixtures to start fits of several numbers of components from, which share their work.
///
/// What [`Initialization::Split`](crate::Initialization::Split) does for one number of components is done here for all up to a largest one:
/// each mixture is split from the one before, improved by mergers with splits (Ueda et al. 2000). A whole path costs hardly more than
/// its last step (Baudry and Celeux 2015 start K components from K - 1 so that likelihoods rise with K). It looks at a part of a
/// large table, so that its mixtures are starts and no fits.
///
/// ```
/// use gmm_core::faer::MatRef;
/// use gmm_em::{Em, SplitMerge, Start};
///
/// let table = [1.0, 1.2, 0.8, 0.9, 1.1, 5.0, 5.3, 4.8, 5.1, 4.9, 9.0, 9.2, 8.9, 9.1, 9.3];
/// let x = MatRef::from_row_major_slice(&table, 15, 1);
/// let path = SplitMerge::new(&Em::new(3), x)?.path()?;
/// assert_eq!(path.len(), 3);
/// let fit = Em::new(2).fit_from(x, Start::Mixture(&path[1]))?;
/// assert_eq!(fit.model().n_components(), 2);
/// # Ok::<(), gmm_em::Error>(())
/// ```
pub struct SplitMerge {
    sketch: Sketch,
    frame: Frame,
    form: CovarianceType,
    n_components: usize,
    seed: u64,
    /// Log-density of the class of noise, in the frame.
    noise: Option<f64>,
}

impl SplitMerge {
    /// For fits of up to the components of `em`, of its covariance form; random numbers follow from its seed.
    ///
    /// # Errors
    /// Those of a fit with bad settings or data.
    pub fn new<'a>(em: &Em, x: impl Into<Samples<'a>>) -> Result<Self, Error> {
        let x = x.into();
        let summary = em.prepare(&x)?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(em.seed);
        let n_rows = rows_for(em.n_components, x.n_features());
        let noise = em.noise_density(&x, &summary)?;
        Ok(Self {
            noise,
            sketch: Sketch::draw(&x, &summary, em.covariance, n_rows, &mut rng),
            frame: summary.frame,
            form: em.covariance,
            n_components: em.n_components,
            seed: em.seed,
        })
    }

    /// Mixtures of 1, 2, ... components, up to the largest number or to where no component can be split any more.
    ///
    /// # Errors
    /// [`Error::Data`] where parameters leave the range of f64.
    pub fn path(&self) -> Result<Vec<GaussianMixture>, Error> {
        self.path_while(&mut |_| true)
    }

    /// [`SplitMerge::path`] that ends where `go_on`, asked before each further number of components, says no.
    ///
    /// # Errors
    /// As [`SplitMerge::path`].
    pub fn path_while(
        &self,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Vec<GaussianMixture>, Error> {
        let search = Search::new(&self.sketch, self.form, self.noise)?;
        let mut mixtures = Vec::new();
        let mut state = search.one_component();
        for n in 1.. {
            let Some(here) = state else { break };
            let mut rng = self.generator(0, n);
            let here = search.move_about(here, &mut rng, &mut || Ok(()))?;
            mixtures.push(self.in_data(&here.model)?);
            if n >= self.n_components || !self.sketch.has_distinct_rows(n + 1) || !go_on(n + 1) {
                break;
            }
            state = search.one_more(here, &mut rng)?;
        }
        Ok(mixtures)
    }

    /// A mixture of one component more: the best split of a component. `None` where none can be split.
    ///
    /// # Errors
    /// Those of a mixture that doesn't match the data.
    pub fn one_more(&self, model: &GaussianMixture) -> Result<Option<GaussianMixture>, Error> {
        let search = Search::new(&self.sketch, self.form, self.noise)?;
        let mut rng = self.generator(1, model.n_components());
        let next = search.one_more(self.state(model)?, &mut rng)?;
        next.map(|next| self.in_data(&next.model)).transpose()
    }

    /// A mixture of one component less: the merger of two that costs least. `None` where there is only one.
    ///
    /// # Errors
    /// Those of a mixture that doesn't match the data.
    pub fn one_less(&self, model: &GaussianMixture) -> Result<Option<GaussianMixture>, Error> {
        let search = Search::new(&self.sketch, self.form, self.noise)?;
        let next = search.one_less(&self.state(model)?);
        next.map(|next| self.in_data(&next.model)).transpose()
    }

    /// Every step has random numbers of its own, so that it doesn't depend on the steps before.
    fn generator(&self, stream: u64, n_components: usize) -> Xoshiro256PlusPlus {
        let step = 2 * n_components as u64 + stream;
        Xoshiro256PlusPlus::seed_from_u64(derived_seed(self.seed, step))
    }

    fn state(&self, model: &GaussianMixture) -> Result<State, Error> {
        self.sketch.samples().check_shape(model.n_features())?;
        if model.covariance_type() != self.form {
            return Err(Error::StartForm {
                found: model.covariance_type(),
                expected: self.form,
            });
        }
        let model = noise::begin(model.to_frame(&self.frame)?, self.noise)?;
        let model = self.sketch.of_frame(&model)?;
        Ok(State::new(model, f64::NEG_INFINITY))
    }

    fn in_data(&self, model: &GaussianMixture) -> Result<GaussianMixture, Error> {
        Ok(self.sketch.in_frame(model)?.from_frame(&self.frame)?)
    }
}
