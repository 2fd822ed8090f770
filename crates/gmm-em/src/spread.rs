//! How far the bulk of the rows spreads: what a floor of variances is measured by, so that a few rows far out don't raise it.

use gmm_core::Samples;
use gmm_core::block::Frame;

/// So many rows say where the quartiles are; of larger tables rows at equal distances are taken.
const MOST_ROWS: usize = 4096;

/// How many times the deviation of the bulk the standard deviation may be before rows far out are what it measures: of groups that lie apart
/// both are of one size.
pub(crate) const MOST_TIMES: f64 = 10.0;

/// The interquartile range of the standard normal distribution.
const NORMAL_RANGE: f64 = 1.348_979_500_392_163_8;

/// Values that differ by less of their size, times [`MOST_TIMES`], are one value with noise.
const ROUNDING: f64 = 1e-10;

/// For each feature the variance, or the square of ten times the normal deviation with the quartiles of the rows of positive weight, if that is
/// less and not nothing; all in the coordinates of the frame.
pub(crate) fn of_bulk(x: &Samples<'_>, frame: &Frame, variances: &[f64]) -> Vec<f64> {
    let counted: Vec<usize> = (0..x.n_samples())
        .step_by(x.n_samples().div_ceil(MOST_ROWS).max(1))
        .filter(|row| x.weight(*row) > 0.0)
        .collect();
    let bulk = |(feature, variance): (usize, &f64)| {
        let mut values: Vec<f64> = (counted.iter())
            .map(|row| frame.to_frame(feature, x.value(*row, feature)))
            .collect();
        let [low, high] = [1, 3].map(|quarter| quantile(&mut values, quarter));
        let most = MOST_TIMES * (high - low) / NORMAL_RANGE;
        let least = ROUNDING * low.abs().max(high.abs());
        if most > least {
            variance.min(most * most)
        } else {
            *variance
        }
    };
    variances.iter().enumerate().map(bulk).collect()
}

/// The value at a quarter of the ranks.
fn quantile(values: &mut [f64], quarter: usize) -> f64 {
    match values.len() {
        0 => 0.0,
        n => {
            *values
                .select_nth_unstable_by((n - 1) * quarter / 4, f64::total_cmp)
                .1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmm_core::faer::Mat;

    fn found(values: &[f64], weights: Option<&[f64]>, variance: f64) -> f64 {
        let x = Mat::from_fn(values.len(), 1, |i, _| values[i]);
        let samples = Samples::from(&x);
        let samples = weights.map_or(samples, |w| samples.with_weights(w));
        of_bulk(&samples, &Frame::identity(1), &[variance])[0]
    }

    /// A grid of 0 to 1 has quartiles of 1/4 and 3/4.
    #[test]
    fn rows_far_out_say_nothing() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i) / 999.0).collect();
        let bulk = (MOST_TIMES * 0.5 / NORMAL_RANGE).powi(2);
        // Above a hundredth of the variance the variance counts.
        assert!((found(&values, None, 1e9) - bulk).abs() <= 0.01 * bulk);
        assert!((found(&values, None, 1.0 / 12.0) - 1.0 / 12.0).abs() <= 0.0);
        values.extend([1e7; 9]);
        assert!((found(&values, None, 1e12) - bulk).abs() <= 0.05 * bulk);
        // In any order, and of many more rows.
        values.reverse();
        assert!((found(&values, None, 1e12) - bulk).abs() <= 0.05 * bulk);
        let many: Vec<f64> = values.iter().cycle().copied().take(100_000).collect();
        assert!((found(&many, None, 1e12) - bulk).abs() <= 0.1 * bulk);
    }

    #[test]
    fn rows_without_weight_and_equal_rows_say_nothing() {
        let values = [0.0, 1.0, 2.0, 3.0, 900.0, 900.0, 900.0, 900.0];
        let weights = [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let bulk = (MOST_TIMES * 2.0 / NORMAL_RANGE).powi(2);
        assert!((found(&values, Some(&weights), 1e9) - bulk).abs() <= 1e-9 * bulk);
        // More than half of the rows are one value, but for rounding.
        for jitter in [0.0, 1e-13] {
            let values: Vec<f64> = (0..40)
                .map(|i| {
                    if i < 30 {
                        7.0 + jitter * f64::from(i % 3)
                    } else {
                        f64::from(i)
                    }
                })
                .collect();
            assert!((found(&values, None, 100.0) - 100.0).abs() <= 0.0);
        }
        assert!((found(&values, Some(&[0.0; 8]), 5.0) - 5.0).abs() <= 0.0);
    }
}
