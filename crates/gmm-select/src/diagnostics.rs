//! Is a component Gaussian, and has it rows enough? What the distances of its rows say.

use gmm_core::block::{BLOCK_ROWS, Block};
use gmm_core::covariance::{Structure, Variation};
use gmm_core::kernels::{distances_of_responsibilities, largest};
use gmm_core::symmetric::log_determinant;
use gmm_core::{CompensatedSum, CovarianceType, GaussianMixture, Samples, Scratch};

use crate::chi_squared;
use crate::rows::{Gather, gather};

/// Cells of the distribution of distances: the largest difference is known to within a 512th.
const N_CELLS: usize = 512;
/// Parts of a guide to the cells.
const N_PARTS: usize = 1024;
/// Smaller responsibilities add less than rounding to any sum: r d⁴ is below 1e-14 where r says that d² is some 80.
const SMALLEST_SHARE: f64 = 1e-18;
/// Distances beyond this are taken for it, so that no sum of squares overflows.
const FARTHEST: f64 = 1e60;

/// How the rows of the components lie about their centres, against how Gaussian rows would.
///
/// Under the mixture the squared Mahalanobis distances d² of the rows of a component, weighted by their responsibilities, follow the
/// χ² distribution with D degrees of freedom, whatever else the mixture holds. What is found is compared by
/// a kurtosis ratio and by the largest difference of distribution functions: see [`ComponentShape`].
///
/// The thresholds hold for the data that the mixture was fitted to. Of components that are Gaussian fewer than one in a hundred are found
/// not to be (a test counts them over forms, numbers of features and rows, apart and overlapping).
///
/// ```
/// use gmm_core::faer::Mat;
/// use gmm_em::Em;
/// use gmm_select::{Diagnostics, Finding};
///
/// // 400 rows spread evenly over a square: a group with edges.
/// let x = Mat::from_fn(400, 2, |i, j| if j == 0 { (i % 20) as f64 } else { (i / 20) as f64 });
/// let model = Em::new(1).fit(&x)?.into_model();
/// let shape = Diagnostics::new(&model, &x)?.components()[0];
/// assert_eq!(shape.finding, Finding::LightTails);
/// assert!((shape.kurtosis_ratio - 0.7).abs() < 0.01);
/// # Ok::<(), gmm_em::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostics {
    components: Vec<ComponentShape>,
}

/// What the distances of a component's rows say.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ComponentShape {
    /// Σᵢ wᵢ rᵢₖ: the rows of the component.
    pub occupancy: f64,
    /// Rows that estimate the component's own covariance well enough: see [`Finding::TooFewRows`].
    pub rows_needed: f64,
    /// Mean d² / D: 1 for the fit's own data and own covariances; elsewhere the component is as much wider (in squared distances) than its
    /// covariance says.
    pub spread: f64,
    /// Mardia's (1970) kurtosis against that of the normal law, D² mean(d⁴) / mean(d²)² / (D (D + 2)): 1 for Gaussian rows, more for heavy tails,
    /// less for light ones (0.7 for a uniform square).
    pub kurtosis_ratio: f64,
    /// ln of that ratio, corrected for its bias, in its own standard deviations √(8 / (n D (D + 2))): standard normal for many Gaussian rows.
    pub kurtosis_score: f64,
    /// The largest difference between the distribution function of d² and the χ² one (Kolmogorov 1933).
    pub distance: f64,
    /// That times √n.
    pub distance_score: f64,
    /// What this comes to.
    pub finding: Finding,
}

/// Whether a component is what it claims to be.
///
/// Thresholds are on scores, which chance alone moves, and on sizes, so that many rows don't turn a harmless difference into a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// Nothing speaks against a Gaussian component.
    Gaussian,
    /// Rows far from the centre are more frequent than the normal law has it: outliers, or a group with heavy tails.
    HeavyTails,
    /// Such rows are missing: a group with edges, or one that is cut into several components.
    LightTails,
    /// The distances follow another law, with tails of about the right weight.
    OtherShape,
    /// The component has fewer rows than its covariance needs, and nothing else is said of it. With n rows the eigenvalues of an estimated
    /// covariance lie between (1 - √(D / n))² and (1 + √(D / n))² of the true ones (Marchenko and Pastur 1967): where the component has
    /// axes of its own, 4 D rows are asked for, at which the smallest variance comes out as a quarter. A variance on its own has a relative standard error of
    /// √(2 / n): 8 rows are asked for, or 8 / D where features share it, at which that is a half.
    TooFewRows,
}

/// The kurtosis score above which tails are heavy. Of 150 settings (1 to 10 features, 100 to 2000 rows per component, one component, three apart
/// or overlapping, four forms) the 99.9 % points lay at 0.9 to 3.9, the median at 2.4.
const HEAVY_SCORE: f64 = 3.5;
/// The kurtosis score below whose negative tails are light: there the 99.9 % points lay at 1.0 to 2.6.
const LIGHT_SCORE: f64 = 3.0;
/// Kurtosis ratios nearer to 1 are no finding, however many rows there are.
const KURTOSIS_SIZE: f64 = 0.1;
/// The distance score above which the law is another one: Kolmogorov's 1 % point. It is on the safe side, since centres and covariances are
/// the rows' own: there the 99 % points lay at 0.9 to 1.7.
const DISTANCE_SCORE: f64 = 1.63;
/// Smaller differences are no finding.
const DISTANCE_SIZE: f64 = 0.05;

impl Diagnostics {
    /// Looks at all components of a mixture, in one pass over the rows.
    ///
    /// # Errors
    /// Those of [`GaussianMixture::log_likelihood`], and [`gmm_core::Error::NoWeight`].
    pub fn new<'a>(
        model: &GaussianMixture,
        x: impl Into<Samples<'a>>,
    ) -> Result<Self, gmm_core::Error> {
        let law = Law::new(model);
        let distances = gather(model, &x.into(), || Distances::new(&law))?;
        let form = model.covariance_type();
        let components = (distances.components.iter())
            .map(|sums| sums.shape(&law, form))
            .collect();
        Ok(Self { components })
    }

    /// One account per component.
    pub fn components(&self) -> &[ComponentShape] {
        &self.components
    }
}

/// What turns responsibilities into distances, and distances into cells.
struct Law {
    n_features: usize,
    /// ln πₖ - ½ (D ln 2π + ln|Σₖ|).
    constants: Vec<f64>,
    cells: Cells,
}

impl Law {
    fn new(model: &GaussianMixture) -> Self {
        let d = model.n_features();
        let normal = d as f64 * (2.0 * std::f64::consts::PI).ln();
        let constant = |k: usize| model.weights()[k].ln() - 0.5 * (normal + log_volume(model, k));
        Self {
            n_features: d,
            constants: (0..model.n_components()).map(constant).collect(),
            cells: Cells::new(
                (1..N_CELLS)
                    .map(|cell| chi_squared::quantile(d, cell as f64 / N_CELLS as f64))
                    .collect(),
            ),
        }
    }
}

/// The cells of squared distances, with a guide from which a row's cell is a few steps away (Chen and Asau 1974); halving takes nine.
struct Cells {
    /// The squared distances below which 1, 2, ... of [`N_CELLS`] parts of the χ² law lie.
    edges: Vec<f64>,
    /// For each of [`N_PARTS`] equal parts of the distances up to the last edge: how many edges lie in earlier parts.
    guide: Vec<usize>,
    /// Parts per unit.
    scale: f64,
    /// The last edge.
    farthest: f64,
}

impl Cells {
    fn new(edges: Vec<f64>) -> Self {
        let farthest = edges.last().copied().unwrap_or(1.0);
        let mut cells = Self {
            guide: Vec::new(),
            scale: N_PARTS as f64 / farthest,
            farthest,
            edges,
        };
        let before = |part: usize| cells.edges.partition_point(|edge| cells.part(*edge) < part);
        cells.guide = (0..N_PARTS).map(before).collect();
        cells
    }

    fn part(&self, squared: f64) -> usize {
        ((squared * self.scale) as usize).min(N_PARTS - 1)
    }

    /// How many edges are smaller; `None` if all are.
    fn of(&self, squared: f64) -> Option<usize> {
        if squared > self.farthest {
            return None;
        }
        let before = self.guide[self.part(squared)];
        let rest = self.edges[before..].iter();
        Some(before + rest.take_while(|edge| **edge < squared).count())
    }
}

/// ln|Σₖ|.
fn log_volume(model: &GaussianMixture, component: usize) -> f64 {
    let block = model.covariances().block(component);
    match model.covariance_type().structure() {
        Structure::Isotropic => model.n_features() as f64 * block[0].ln(),
        Structure::Diagonal => block.iter().map(|v| v.ln()).sum(),
        Structure::Dense => log_determinant(model.covariances().component(component).as_ref())
            .expect("a valid mixture has positive definite covariances"),
    }
}

/// Sums over the rows, for each component.
struct Distances<'a> {
    law: &'a Law,
    components: Vec<Sums>,
}

#[derive(Clone)]
struct Sums {
    occupancy: CompensatedSum,
    /// Σ w r².
    squared_shares: CompensatedSum,
    /// Σ w r d².
    second: CompensatedSum,
    /// Σ w r d⁴.
    fourth: CompensatedSum,
    /// Σ w r of each cell but the last.
    cells: Vec<f64>,
}

impl<'a> Distances<'a> {
    fn new(law: &'a Law) -> Self {
        let empty = Sums {
            occupancy: CompensatedSum::default(),
            squared_shares: CompensatedSum::default(),
            second: CompensatedSum::default(),
            fourth: CompensatedSum::default(),
            cells: vec![0.0; N_CELLS - 1],
        };
        Self {
            law,
            components: vec![empty; law.constants.len()],
        }
    }
}

impl Gather for Distances<'_> {
    fn add(&mut self, block: &Block, scratch: &Scratch) {
        let (mut occupancy, mut squared) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        let components = self.components.iter_mut().zip(&self.law.constants);
        for ((sums, constant), r) in components.zip(scratch.joint.chunks_exact(BLOCK_ROWS)) {
            if largest(r) < SMALLEST_SHARE {
                continue;
            }
            // ln r = ln πₖ + ln N(x; μₖ, Σₖ) - ln p(x), in which the distance is all that isn't known.
            distances_of_responsibilities(r, &scratch.log_density, *constant, &mut squared);
            let rows = occupancy.iter_mut().zip(&mut squared);
            for ((occupancy, squared), (w, r)) in rows.zip(block.weights().iter().zip(r)) {
                *occupancy = if *r < SMALLEST_SHARE { 0.0 } else { w * r };
                *squared = squared.clamp(0.0, FARTHEST);
            }
            sums.add(&occupancy, r, &squared, &self.law.cells);
        }
    }

    fn merge(&mut self, later: &Self) {
        for (sums, other) in self.components.iter_mut().zip(&later.components) {
            sums.merge(other);
        }
    }
}

impl Sums {
    /// Adds the rows of a block, whose occupancies are w r.
    fn add(&mut self, occupancy: &[f64], r: &[f64], squared: &[f64; BLOCK_ROWS], cells: &Cells) {
        let fourth = squared.map(|squared| squared * squared);
        let sums = [
            (&mut self.occupancy, &[1.0; BLOCK_ROWS][..]),
            (&mut self.squared_shares, r),
            (&mut self.second, squared),
            (&mut self.fourth, &fourth),
        ];
        for (sum, terms) in sums {
            sum.add_weighted(occupancy, terms);
        }
        let counted = occupancy.iter().zip(squared).filter(|(o, _)| **o > 0.0);
        for (occupancy, squared) in counted {
            // Beyond the last edge lies what is left of the whole.
            if let Some(cell) = cells.of(*squared) {
                self.cells[cell] += occupancy;
            }
        }
    }

    fn merge(&mut self, later: &Self) {
        self.occupancy.merge(&later.occupancy);
        self.squared_shares.merge(&later.squared_shares);
        self.second.merge(&later.second);
        self.fourth.merge(&later.fourth);
        for (cell, other) in self.cells.iter_mut().zip(&later.cells) {
            *cell += other;
        }
    }

    fn shape(&self, law: &Law, form: CovarianceType) -> ComponentShape {
        let d = law.n_features as f64;
        let occupancy = self.occupancy.value();
        // The rows that a weighted mean is worth.
        let n = occupancy * occupancy / self.squared_shares.value();
        let (second, fourth) = (
            self.second.value() / occupancy,
            self.fourth.value() / occupancy,
        );
        let kurtosis_ratio = fourth / (second * second) * d / (d + 2.0);
        // Mardia's kurtosis has the mean D (D + 2) (n - 1) / (n + 1) and, as for every form, the variance 8 D (D + 2) / n.
        let bias = ((n - 1.0) / (n + 1.0)).ln();
        let kurtosis_score = (kurtosis_ratio.ln() - bias) * (n * d * (d + 2.0) / 8.0).sqrt();
        let distance = self.largest_difference(occupancy);
        let distance_score = distance * n.sqrt();
        let rows_needed = rows_needed(form, law.n_features, law.constants.len());
        let is_off =
            |score: f64, size: f64, limits: (f64, f64)| score > limits.0 && size > limits.1;
        // A component without rows has neither means nor scores.
        let finding = if occupancy < rows_needed || !kurtosis_ratio.is_finite() {
            Finding::TooFewRows
        } else if is_off(
            kurtosis_score,
            kurtosis_ratio - 1.0,
            (HEAVY_SCORE, KURTOSIS_SIZE),
        ) {
            Finding::HeavyTails
        } else if is_off(
            -kurtosis_score,
            1.0 - kurtosis_ratio,
            (LIGHT_SCORE, KURTOSIS_SIZE),
        ) {
            Finding::LightTails
        } else if is_off(distance_score, distance, (DISTANCE_SCORE, DISTANCE_SIZE)) {
            Finding::OtherShape
        } else {
            Finding::Gaussian
        };
        ComponentShape {
            occupancy,
            rows_needed,
            spread: second / d,
            kurtosis_ratio,
            kurtosis_score,
            distance,
            distance_score,
            finding,
        }
    }

    /// The largest difference of the distribution functions at the edges of the cells.
    fn largest_difference(&self, occupancy: f64) -> f64 {
        let mut below = 0.0;
        let mut largest = 0.0f64;
        for (cell, weight) in self.cells.iter().enumerate() {
            below += weight;
            let expected = (cell + 1) as f64 / N_CELLS as f64;
            largest = largest.max((below / occupancy - expected).abs());
        }
        largest
    }
}

/// See [`Finding::TooFewRows`].
fn rows_needed(form: CovarianceType, n_features: usize, n_components: usize) -> f64 {
    let d = n_features as f64;
    // What all components share is one component's own where there is no other.
    let is_own = |variation: Variation| {
        variation == Variation::Variable || (n_components == 1 && variation == Variation::Equal)
    };
    if n_features > 1 && is_own(form.orientation()) {
        4.0 * d
    } else if n_features > 1 && is_own(form.shape()) {
        8.0
    } else if is_own(form.volume()) {
        (8.0 / d).ceil()
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the edges, next to them, and anywhere.
    #[test]
    fn the_guide_finds_the_cells_that_halving_finds() {
        for d in [1, 2, 16, 10_000] {
            let law = |cell: usize| chi_squared::quantile(d, cell as f64 / N_CELLS as f64);
            let cells = Cells::new((1..N_CELLS).map(law).collect());
            let edges = cells.edges.iter().copied();
            let near = edges.flat_map(|edge| [edge.next_down(), edge, edge.next_up()]);
            let anywhere = (0..20_000).map(|i| f64::from(i) * 1.1 / 20_000.0 * cells.farthest);
            for squared in near.chain(anywhere).chain([0.0, FARTHEST]) {
                let smaller = cells.edges.partition_point(|edge| *edge < squared);
                let expected = Some(smaller).filter(|cell| *cell < N_CELLS - 1);
                assert_eq!(cells.of(squared), expected, "{squared} of {d} features");
            }
        }
    }
}
