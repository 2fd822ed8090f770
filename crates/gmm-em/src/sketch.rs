//! The rows that a search for a start looks at: all of a small table, a random part of a large one.

use std::collections::HashSet;

use gmm_core::covariance::Structure;
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Samples};
use rand::Rng;

use crate::Error;
use crate::summary::Summary;

/// Rows relative to the first of them, in standard deviations of each feature (one unit for all features where the form of the
/// covariances needs that), and their weights, on average 1.
///
/// Differences of rows are the same to the last bit wherever the origin of the data lies, and axes of standardized data don't depend
/// on units. A search that cuts rows in two magnifies every other rounding.
pub(crate) struct Sketch {
    rows: Mat<f64>,
    table_rows: Vec<usize>,
    weights: Vec<f64>,
    origin: Vec<f64>,
    units: Vec<f64>,
    /// Variances of the rows: about 1, or 1 on average in one unit for all features.
    variances: Vec<f64>,
}

impl Sketch {
    /// So many rows of positive weight, or all. They keep the table's order.
    pub(crate) fn draw(
        x: &Samples<'_>,
        summary: &Summary,
        form: CovarianceType,
        n_rows: usize,
        rng: &mut impl Rng,
    ) -> Self {
        let d = summary.n_features();
        let mut left = summary.n_rows;
        let mut wanted = n_rows.min(left);
        let mut chosen = Vec::with_capacity(wanted);
        // Selection sampling (Knuth 1997, algorithm S): every subset of that size is equally likely.
        for row in (0..x.n_samples()).filter(|&i| x.weights().is_none_or(|w| w[i] > 0.0)) {
            let all = wanted == left;
            if all || crate::kmeans::uniform(rng) * (left as f64) < wanted as f64 {
                chosen.push(row);
                wanted -= 1;
            }
            left -= 1;
        }
        let value = |row: usize, j: usize| summary.frame.to_frame(j, x.value(row, j));
        let origin: Vec<f64> = (0..d).map(|j| value(chosen[0], j)).collect();
        let mut weights: Vec<f64> = (chosen.iter())
            .map(|&row| x.weights().map_or(1.0, |w| w[row]))
            .collect();
        // The pseudo-observation is worth one row, whatever the unit of the weights.
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        weights.iter_mut().for_each(|w| *w /= mean);
        let differences = Mat::from_fn(chosen.len(), d, |i, j| value(chosen[i], j) - origin[j]);
        let variances = variances(&differences, &weights);
        let units = units(&variances, form);
        let in_units = |(variance, unit): (f64, &f64)| variance / unit / unit;
        Self {
            variances: variances.into_iter().zip(&units).map(in_units).collect(),
            rows: Mat::from_fn(chosen.len(), d, |i, j| differences[(i, j)] / units[j]),
            table_rows: chosen,
            weights,
            origin,
            units,
        }
    }

    /// Where the rows stand in the table.
    pub(crate) fn into_table_rows(self) -> Vec<usize> {
        self.table_rows
    }

    /// A mixture in the coordinates of the frame, in those of the rows.
    pub(crate) fn of_frame(&self, model: &GaussianMixture) -> Result<GaussianMixture, Error> {
        let means = model.means();
        let moved = Mat::from_fn(means.nrows(), self.units.len(), |k, j| {
            (means[(k, j)] - self.origin[j]) / self.units[j]
        });
        self.rescaled(model, moved, 1.0, |entry, i, j| {
            entry / self.units[i] / self.units[j]
        })
    }

    /// A mixture of the rows, in the coordinates of the frame.
    pub(crate) fn in_frame(&self, model: &GaussianMixture) -> Result<GaussianMixture, Error> {
        let means = model.means();
        let moved = Mat::from_fn(means.nrows(), self.units.len(), |k, j| {
            self.units[j] * means[(k, j)] + self.origin[j]
        });
        self.rescaled(model, moved, -1.0, |entry, i, j| {
            entry * (self.units[i] * self.units[j])
        })
    }

    fn rescaled(
        &self,
        model: &GaussianMixture,
        means: Mat<f64>,
        sign: f64,
        rescale: impl Fn(f64, usize, usize) -> f64,
    ) -> Result<GaussianMixture, Error> {
        let d = self.units.len();
        let mut blocks = model.covariances().blocks().to_vec();
        let structure = model.covariance_type().structure();
        for (e, entry) in blocks.iter_mut().flat_map(|b| b.iter_mut().enumerate()) {
            let (i, j) = match structure {
                Structure::Dense => (e / d, e % d),
                Structure::Diagonal | Structure::Isotropic => (e, e),
            };
            *entry = rescale(*entry, i, j);
        }
        let covariances =
            Covariances::new(model.covariance_type(), model.n_components(), d, blocks)?;
        let weights = model.weights().to_vec();
        let noise = model.noise().map(|noise| {
            let log_density = noise.log_density() + sign * self.log_unit();
            gmm_core::Noise::new(noise.weight(), log_density)
        });
        let noise = noise.transpose()?;
        let rescaled = GaussianMixture::new_with_noise(weights, means, covariances, noise)?;
        Ok(rescaled.with_proportions(model.proportions())?)
    }

    /// What a log-density of the rows has more than one in the frame.
    pub(crate) fn log_unit(&self) -> f64 {
        self.units.iter().map(|unit| unit.ln()).sum()
    }

    pub(crate) fn samples(&self) -> Samples<'_> {
        Samples::from(&self.rows).with_weights(&self.weights)
    }

    /// Variances of all rows, in the units of the sketch.
    pub(crate) fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// What the variances would be by the middle half of the rows, if these were of a Gaussian: outliers don't widen it. The variances
    /// themselves where they are smaller, or where half of the rows are equal.
    pub(crate) fn variances_of_the_middle(&self) -> Vec<f64> {
        /// Between the quartiles of a standard normal law.
        const QUARTILES_APART: f64 = 1.349;
        let total: f64 = self.weights.iter().sum();
        let quantile = |ordered: &[(f64, f64)], share: f64| {
            let mut below = 0.0;
            let reached = ordered.iter().find(|(_, w)| {
                below += w;
                below >= share * total
            });
            reached.or(ordered.last()).map_or(0.0, |(value, _)| *value)
        };
        let of_feature = |j: usize| {
            let rows = self.weights.iter().enumerate();
            let mut ordered: Vec<(f64, f64)> = rows.map(|(i, w)| (self.rows[(i, j)], *w)).collect();
            ordered.sort_by(|a, b| a.0.total_cmp(&b.0));
            let apart = quantile(&ordered, 0.75) - quantile(&ordered, 0.25);
            let variance = (apart / QUARTILES_APART).powi(2);
            let known = self.variances[j];
            if variance > 0.0 && variance < known {
                variance
            } else {
                known
            }
        };
        (0..self.variances.len()).map(of_feature).collect()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.weights.len()
    }

    /// Whether so many rows differ in their values.
    pub(crate) fn has_distinct_rows(&self, n: usize) -> bool {
        let mut known = HashSet::new();
        (0..self.n_rows()).any(|i| {
            // Adding 0 makes -0 and 0 one number.
            let bits = |j| (self.rows[(i, j)] + 0.0).to_bits();
            known.insert((0..self.rows.ncols()).map(bits).collect::<Vec<u64>>());
            known.len() >= n
        })
    }

    /// The rows that belong to a component with more than a trace of probability, weighted with it.
    pub(crate) fn part(&self, responsibilities: &[f64]) -> Self {
        const TRACE: f64 = 1e-6;
        let chosen: Vec<usize> = (0..self.n_rows())
            .filter(|&i| responsibilities[i] > TRACE)
            .collect();
        Self {
            rows: Mat::from_fn(chosen.len(), self.rows.ncols(), |i, j| {
                self.rows[(chosen[i], j)]
            }),
            table_rows: chosen.iter().map(|&i| self.table_rows[i]).collect(),
            weights: (chosen.iter())
                .map(|&i| self.weights[i] * responsibilities[i])
                .collect(),
            origin: self.origin.clone(),
            units: self.units.clone(),
            variances: self.variances.clone(),
        }
    }

    pub(crate) fn value(&self, row: usize, feature: usize) -> f64 {
        self.rows[(row, feature)]
    }

    pub(crate) fn weight(&self, row: usize) -> f64 {
        self.weights[row]
    }
}

fn variances(rows: &Mat<f64>, weights: &[f64]) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let moment = |j: usize, about: f64, power: i32| -> f64 {
        let terms = weights.iter().enumerate();
        terms
            .map(|(i, w)| w * (rows[(i, j)] - about).powi(power))
            .sum::<f64>()
            / total
    };
    (0..rows.ncols())
        .map(|j| moment(j, moment(j, 0.0, 1), 2))
        .collect()
}

/// Standard deviations; 1 for a feature without spread.
fn units(variances: &[f64], form: CovarianceType) -> Vec<f64> {
    let unit = |variance: f64| {
        if variance > 0.0 { variance.sqrt() } else { 1.0 }
    };
    if form.is_scale_free() {
        variances.iter().copied().map(unit).collect()
    } else {
        let mean = variances.iter().sum::<f64>() / variances.len() as f64;
        vec![unit(mean); variances.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::Noise;
    use gmm_testkit::data;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Densities of the rows are those of the frame's coordinates times the units: log p = log p' + log_unit, noise among them; and the way
    /// back leads to where it came from.
    #[test]
    fn mixtures_move_with_their_rows() {
        let n = 40;
        let drawn = data::overlapping(3, n, 2, 2);
        let x = Mat::from_fn(n, 2, |i, j| [500.0, 0.03][j] * drawn.x[(i, j)] + 70.0);
        for form in [
            CovarianceType::Full,
            CovarianceType::Diag,
            CovarianceType::Spherical,
        ] {
            let samples = Samples::from(&x);
            let summary = Summary::new(&samples, form).unwrap();
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
            let sketch = Sketch::draw(&samples, &summary, form, n, &mut rng);
            let block = match form.block_len(2) {
                4 => vec![0.2, 0.05, 0.05, 0.1],
                len => vec![0.2; len],
            };
            let covariances = Covariances::new(form, 2, 2, vec![block; 2]).unwrap();
            let means = Mat::from_fn(2, 2, |k, j| 0.3 * k as f64 - 0.2 * j as f64);
            let noise = Noise::new(0.2, -1.5).unwrap();
            let weights = vec![0.3, 0.5];
            let in_frame =
                GaussianMixture::new_with_noise(weights, means, covariances, Some(noise)).unwrap();
            let moved = sketch.of_frame(&in_frame).unwrap();
            let frame = &summary.frame;
            let framed = Mat::from_fn(n, 2, |i, j| frame.to_frame(j, x[(i, j)]));
            let expected = in_frame.log_density(&framed).unwrap();
            let found = moved.log_density(sketch.samples()).unwrap();
            for (found, expected) in found.iter().zip(&expected) {
                let expected = expected + sketch.log_unit();
                // Squared distances of a few hundred at the most.
                assert!(
                    (found - expected).abs() <= 1e-11,
                    "{form}: {found} {expected}"
                );
            }
            let back = sketch.in_frame(&moved).unwrap();
            let again = back.log_density(&framed).unwrap();
            for (found, expected) in again.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() <= 1e-11,
                    "{form}: {found} {expected}"
                );
            }
        }
    }

    /// Selection sampling: rows of weight 0 are never drawn, as many as wanted always are, each as often as any other.
    #[test]
    fn every_row_that_counts_is_drawn_as_often() {
        let n = 30;
        let x = Mat::from_fn(n, 1, |i, _| i as f64);
        let weights: Vec<f64> = (0..n).map(|i| [2.0, 0.0, 1.0][i % 3]).collect();
        let samples = Samples::from(&x).with_weights(&weights);
        let summary = Summary::new(&samples, CovarianceType::Full).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut counts = vec![0; n];
        for _ in 0..4000 {
            let sketch = Sketch::draw(&samples, &summary, CovarianceType::Full, 5, &mut rng);
            let total: f64 = (0..5).map(|i| sketch.weight(i)).sum();
            assert!((total - 5.0).abs() <= 1e-12);
            let rows = sketch.into_table_rows();
            assert!(rows.len() == 5 && rows.is_sorted());
            rows.iter().for_each(|&row| counts[row] += 1);
        }
        for (row, count) in counts.iter().enumerate() {
            let expected = if weights[row] > 0.0 { 1000.0 } else { 0.0 };
            // Five standard deviations of a binomial law of 4000 draws with probability 1/4.
            assert!(
                (f64::from(*count) - expected).abs() <= 5.0 * 27.4,
                "{row}: {count}"
            );
        }
        let all = Sketch::draw(&samples, &summary, CovarianceType::Full, 99, &mut rng);
        assert_eq!(all.n_rows(), 20);
    }

    /// Of a normal law the variance, to a few digits, also with outliers; half of the rows equal leaves the variance itself.
    #[test]
    fn the_middle_half_tells_the_variance() {
        let n = 401;
        // Values 1.349 apart at the quartiles, as those of a standard normal law, and lighter tails.
        let even = |i: usize| 2.698 * (i as f64 / (n - 1) as f64 - 0.5);
        let x = Mat::from_fn(n, 3, |i, j| match j {
            0 => even(i),
            1 if i < 5 => 400.0 + 30.0 * i as f64,
            1 => even(i),
            _ => {
                if i < 300 {
                    0.0
                } else {
                    (i % 7) as f64
                }
            }
        });
        let samples = Samples::from(&x);
        let summary = Summary::new(&samples, CovarianceType::Diag).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let sketch = Sketch::draw(&samples, &summary, CovarianceType::Diag, n, &mut rng);
        let middle = sketch.variances_of_the_middle();
        // In units of the rows their variances are 1.
        assert!(sketch.variances().iter().all(|v| (v - 1.0).abs() <= 1e-9));
        // The even values' own variance is 2.698² / 12 < 1 and stays.
        assert!((middle[0] - 1.0).abs() <= 1e-9 && (middle[2] - 1.0).abs() <= 1e-9);
        let mean = (0..n).map(|i| x[(i, 1)]).sum::<f64>() / n as f64;
        let variance = (0..n).map(|i| (x[(i, 1)] - mean).powi(2)).sum::<f64>() / n as f64;
        // A few ranks of 400 more or less.
        assert!(
            (middle[1] * variance - 1.0).abs() <= 0.05,
            "{}",
            middle[1] * variance
        );
    }
}
