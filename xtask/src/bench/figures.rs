//! Numbers that were measured: medians with their spread, and how they are written.

/// What several measurements of one thing come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// The spread of some measurements; nothing of none.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => return None,
            len if len % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self {
            median,
            least: sorted[0],
            most: sorted[sorted.len() - 1],
        })
    }

    /// The spread of f of the measurements, for a falling f such as 1/x.
    pub(super) fn reversed(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            median: f(self.median),
            least: f(self.most),
            most: f(self.least),
        }
    }

    /// The spread in another unit.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            median: factor * self.median,
            least: factor * self.least,
            most: factor * self.most,
        }
    }
}

/// A number with three digits: more would only show the noise.
pub(super) fn three_digits(value: f64) -> String {
    digits(value, 3)
}

/// A number with two digits, for ratios.
pub(super) fn two_digits(value: f64) -> String {
    digits(value, 2)
}

fn digits(value: f64, n: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    // Rounding may carry to the next power of ten, as 9.996 does: so the power is that of the rounded number.
    let power = |value: f64| value.abs().log10().floor() as i32;
    let step = 10f64.powi(power(value) - (n - 1));
    let rounded = (value / step).round() * step;
    let decimals = (n - 1 - power(rounded * (1.0 + 1e-9))).max(0);
    format!("{rounded:.0$}", decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::of(&[]), None);
        let of_three = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!(
            of_three,
            Spread {
                median: 2.0,
                least: 1.0,
                most: 3.0
            }
        );
        let of_four = Spread::of(&[4.0, 1.0, 2.0, 3.0]).unwrap();
        let rate = of_four.reversed(|seconds| 1.0 / seconds);
        assert_eq!(
            rate,
            Spread {
                median: 0.4,
                least: 0.25,
                most: 1.0
            }
        );
    }

    #[test]
    fn numbers_have_as_many_digits_as_they_deserve() {
        for (value, text) in [
            (0.052_34, "0.0523"),
            (1.0, "1.00"),
            (12.345, "12.3"),
            (1234.0, "1230"),
            (9.996, "10.0"),
            (0.099_96, "0.100"),
            (0.0, "0"),
            (-0.012_345, "-0.0123"),
        ] {
            assert_eq!(three_digits(value), text);
        }
        assert_eq!(two_digits(1.94), "1.9");
        assert_eq!(two_digits(0.999), "1.0");
        assert_eq!(two_digits(31.4), "31");
    }
}
