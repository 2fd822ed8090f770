//! How much the groups of a mixture overlap on data.

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::{CompensatedSum, GaussianMixture, Samples, Scratch};

use crate::rows::{Gather, gather};

/// To which components the rows that are assigned to a component probably belong.
///
/// ω(j | k) = Σᵢ wᵢ rᵢⱼ / Σᵢ wᵢ over the rows i whose most probable component is k: the expected share of component j among the rows with label
/// k, if the mixture is right. ω(k | k) is the expected share of right labels; the others are misclassifications (the estimate of
/// Hennig 2010 by components, here by labels). For what parameters alone say see [`Pair`](crate::Pair).
///
/// ```
/// use gmm_core::{Covariances, GaussianMixture, faer::mat};
/// use gmm_select::Overlap;
///
/// let means = mat![[0.0], [2.0]];
/// let model = GaussianMixture::new(vec![0.5, 0.5], means, Covariances::spherical(&[1.0, 1.0], 1)?)?;
/// let overlap = Overlap::new(&model, &mat![[-1.0], [0.9], [1.8], [3.0]])?;
/// assert_eq!(overlap.weight_of(0), 2.0);
/// let wrong = overlap.share(0, 1).unwrap();
/// assert!(wrong > 0.1 && wrong < 0.4);
/// # Ok::<(), gmm_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Overlap {
    n_components: usize,
    /// Σᵢ wᵢ rᵢⱼ over the rows with label k, label by label.
    sums: Vec<f64>,
    /// Σᵢ wᵢ over the rows with label k.
    weights: Vec<f64>,
}

impl Overlap {
    /// The overlap of a mixture's components on data, in one pass.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::log_likelihood`], and [`gmm_core::Error::NoWeight`].
    pub fn new<'a>(
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<Self, gmm_core::Error> {
        let n = model.n_components();
        let shares = gather(model, &x.into(), || Shares::new(n))?;
        let values = |sums: Vec<CompensatedSum>| sums.iter().map(CompensatedSum::value).collect();
        Ok(Self {
            n_components: n,
            sums: values(shares.sums),
            weights: values(shares.weights),
        })
    }

    /// Number of components.
    pub fn n_components(&self) -> usize {
        self.n_components
    }

    /// The weight of the rows that are assigned to a component: their number where there are no weights.
    ///
    /// # Panics
    /// If the component is out of bounds.
    pub fn weight_of(&self, label: usize) -> f64 {
        self.weights[label]
    }

    /// ω(component | label); `None` where no row has that label.
    ///
    /// # Panics
    /// If one of the two is out of bounds.
    pub fn share(&self, label: usize, component: usize) -> Option<f64> {
        assert!(component < self.n_components);
        let sum = self.sums[label * self.n_components + component];
        (self.weights[label] > 0.0).then(|| sum / self.weights[label])
    }

    /// The expected share of rows with a wrong label, over all rows.
    pub fn expected_error(&self) -> f64 {
        let n = self.n_components;
        let wrong = (0..n * n).filter(|at| at / n != at % n);
        wrong.map(|at| self.sums[at]).sum::<f64>() / self.weights.iter().sum::<f64>()
    }
}

struct Shares {
    n: usize,
    sums: Vec<CompensatedSum>,
    weights: Vec<CompensatedSum>,
}

impl Shares {
    fn new(n: usize) -> Self {
        Self {
            n,
            sums: vec![CompensatedSum::default(); n * n],
            weights: vec![CompensatedSum::default(); n],
        }
    }
}

impl Gather for Shares {
    fn add(&mut self, block: &Block, scratch: &Scratch) {
        for i in (0..block.len()).filter(|&i| block.weights()[i] > 0.0) {
            let w = block.weights()[i];
            let r = |k: usize| scratch.joint[k * BLOCK_ROWS + i];
            let label = (1..self.n).fold(0, |best, k| if r(k) > r(best) { k } else { best });
            self.weights[label].add(w);
            for (k, sum) in self.sums[label * self.n..]
                .iter_mut()
                .take(self.n)
                .enumerate()
            {
                sum.add(w * r(k));
            }
        }
    }

    fn merge(&mut self, later: &Self) {
        let all = self.sums.iter_mut().chain(&mut self.weights);
        for (sum, other) in all.zip(later.sums.iter().chain(&later.weights)) {
            sum.merge(other);
        }
    }
}
