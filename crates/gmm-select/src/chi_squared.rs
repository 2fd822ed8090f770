//! The χ² distribution of whole degrees of freedom, by the regularized incomplete gamma function.
//!
//! With a = D / 2 and t = x / 2 the distribution function is P(a, t) = γ(a, t) / Γ(a). Below t = a + 1 its series converges fast, above the
//! continued fraction of 1 - P does (Press et al., Numerical Recipes, section 6.2). Both have the factor tᵃ e⁻ᵗ / Γ(a + 1), which is
//! computed around its saddle point (Loader 2000): the logarithms of its parts are of size a ln a and would cancel.

use std::f64::consts::{LN_2, PI};

/// More terms than any argument needs: near t = a both expansions take some multiple of √a terms, here for up to a billion degrees.
const MOST_TERMS: usize = 1 << 20;

/// P(χ²_D ≤ x), good to about 1e-14 in relative terms in both tails.
pub(crate) fn cdf(degrees: usize, x: f64) -> f64 {
    let (lower, upper) = tails(degrees, x);
    lower.unwrap_or(1.0 - upper.unwrap_or(0.0))
}

/// P(χ²_D > x).
#[cfg(test)]
pub(crate) fn survival(degrees: usize, x: f64) -> f64 {
    let (lower, upper) = tails(degrees, x);
    upper.unwrap_or(1.0 - lower.unwrap_or(0.0))
}

/// The smallest x in double precision with P(χ²_D ≤ x) ≥ p, by bisection.
pub(crate) fn quantile(degrees: usize, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while cdf(degrees, high) < p {
        low = high;
        high *= 2.0;
        if high > 1e300 {
            return f64::INFINITY;
        }
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return high;
        }
        if cdf(degrees, middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The tail that is computed directly: the lower or the upper one.
fn tails(degrees: usize, x: f64) -> (Option<f64>, Option<f64>) {
    let (a, t) = (0.5 * degrees as f64, 0.5 * x);
    if t <= 0.0 || x.is_nan() {
        return (Some(0.0), None);
    }
    // No distance from the origin is left in no dimension.
    if degrees == 0 || t == f64::INFINITY {
        return (Some(1.0), Some(0.0));
    }
    if t < a + 1.0 {
        (Some(factor(degrees, t) * series(a, t)), None)
    } else {
        (None, Some(factor(degrees, t) * a * fraction(a, t)))
    }
}

/// Σₙ tⁿ / ((a + 1) ... (a + n)).
fn series(a: f64, t: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..MOST_TERMS {
        term *= t / (a + n as f64);
        sum += term;
        if term <= 0.25 * f64::EPSILON * sum {
            break;
        }
    }
    sum
}

/// 1 / (t + 1 - a - 1 (1 - a) / (t + 3 - a - 2 (2 - a) / (t + 5 - a - ...))), by Lentz's rule from front to back.
fn fraction(a: f64, t: f64) -> f64 {
    let mut b = t + 1.0 - a;
    // t ≥ a + 1, so that b ≥ 2.
    let mut c = f64::INFINITY;
    let mut d = 1.0 / b;
    let mut h = d;
    for n in 1..MOST_TERMS {
        let n = n as f64;
        let numerator = -n * (n - a);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        let change = c * d;
        h *= change;
        if (change - 1.0).abs() <= 2.0 * f64::EPSILON {
            break;
        }
    }
    h
}

/// tᵃ e⁻ᵗ / Γ(a + 1) with a half the degrees.
fn factor(degrees: usize, t: f64) -> f64 {
    let a = 0.5 * degrees as f64;
    (-stirling_error(degrees) - deviance(a, t)).exp() / (2.0 * PI * a).sqrt()
}

/// ln Γ(a + 1) - ln(√(2πa) (a / e)ᵃ) with a half the degrees: what Stirling's formula leaves.
fn stirling_error(degrees: usize) -> f64 {
    let a = 0.5 * degrees as f64;
    if degrees >= 32 {
        // The next term of the series is below 1e-18 from here on.
        let s = 1.0 / (a * a);
        let terms = [
            1.0 / 12.0,
            -1.0 / 360.0,
            1.0 / 1260.0,
            -1.0 / 1680.0,
            1.0 / 1188.0,
            -691.0 / 360_360.0,
            1.0 / 156.0,
        ];
        return terms.iter().rev().fold(0.0, |sum, term| sum * s + term) / a;
    }
    // Γ(a + 1) = a (a - 1) ... down to Γ(1) = 1 or Γ(1/2) = √π.
    let mut log_gamma = if degrees.is_multiple_of(2) {
        0.0
    } else {
        0.5 * PI.ln()
    };
    let mut product = 1.0;
    let mut at = a;
    while at > 0.0 {
        product *= at;
        at -= 1.0;
    }
    log_gamma += f64::ln(product);
    log_gamma - (a + 0.5) * a.ln() + a - 0.5 * (LN_2 + PI.ln())
}

/// a ln(a / t) + t - a ≥ 0, without cancellation near t = a (Loader 2000).
fn deviance(a: f64, t: f64) -> f64 {
    if (a - t).abs() >= 0.1 * (a + t) {
        return a * (a / t).ln() + t - a;
    }
    let v = (a - t) / (a + t);
    let mut sum = (a - t) * v;
    let mut power = 2.0 * a * v;
    for j in 1..MOST_TERMS {
        power *= v * v;
        let next = sum + power / (2 * j + 1) as f64;
        if next.to_bits() == sum.to_bits() {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Degrees, x, P(χ² ≤ x) and P(χ² > x), from 40 digits (mpmath 1.3.0, `gammainc(d/2, 0, x/2, regularized=True)`).
    #[rustfmt::skip]
    const KNOWN: [(usize, f64, f64, f64); 23] = [
        (1, 1e-12, 7.978_845_608_027_324e-7, 0.999_999_202_115_439_2),
        (1, 0.0039, 0.049_795_505_671_271_11, 0.950_204_494_328_728_9),
        (1, 1.0, 0.682_689_492_137_085_9, 0.317_310_507_862_914_1),
        (1, 4.0, 0.954_499_736_103_641_6, 0.045_500_263_896_358_42),
        (1, 50.0, 0.999_999_999_998_462_5, 1.537_459_794_428_035e-12),
        (2, 0.5, 0.221_199_216_928_595_13, 0.778_800_783_071_404_9),
        (3, 1.0, 0.198_748_043_098_799_2, 0.801_251_956_901_200_8),
        (3, 9.0, 0.970_709_113_465_111_8, 0.029_290_886_534_888_232),
        (5, 0.1, 1.623_166_119_226_15e-4, 0.999_837_683_388_077_4),
        (7, 14.0, 0.948_818_646_586_934_5, 0.051_181_353_413_065_45),
        (16, 16.0, 0.547_039_190_513_005_5, 0.452_960_809_486_994_5),
        (31, 20.0, 0.064_196_379_258_845_58, 0.935_803_620_741_154_4),
        (32, 40.0, 0.843_486_865_360_257, 0.156_513_134_639_743),
        (33, 33.0, 0.532_747_118_627_090_9, 0.467_252_881_372_909_14),
        (64, 64.0, 0.523_511_694_523_741_4, 0.476_488_305_476_258_6),
        (64, 150.0, 0.999_999_992_672_325_1, 7.327_674_852_803_752e-9),
        (100, 10.0, 2.181_059_214_078_488_8e-32, 1.0),
        (255, 300.0, 0.972_272_477_946_095_2, 0.027_727_522_053_904_83),
        (1000, 1000.0, 0.505_947_146_170_760_4, 0.494_052_853_829_239_64),
        (1000, 1200.0, 0.999_987_744_057_669_4, 1.225_594_233_062_290_4e-5),
        (1001, 800.0, 7.221_363_016_767_824e-7, 0.999_999_277_863_698_3),
        (100_000, 100_000.0, 0.500_594_708_104_793_3, 0.499_405_291_895_206_7),
        (100_000, 101_000.0, 0.987_131_159_622_766_3, 0.012_868_840_377_233_67),
    ];

    #[test]
    fn both_tails_are_those_of_many_digits() {
        for (degrees, x, lower, upper) in KNOWN {
            let (p, q) = (cdf(degrees, x), survival(degrees, x));
            // The factor's exponent is good to ε times its size, below 100 here, and a sum of up to 500 terms to as many ε.
            assert!((p - lower).abs() <= 1e-12 * lower, "{degrees} {x}: {p}");
            assert!((q - upper).abs() <= 1e-12 * upper, "{degrees} {x}: {q}");
        }
    }

    /// P(χ²₂ ≤ x) = 1 - e^{-x/2}, and two degrees more add the density's term: P(a + 1, t) = P(a, t) - tᵃ e⁻ᵗ / Γ(a + 1).
    #[test]
    fn closed_forms_and_the_recurrence() {
        for step in 1..200 {
            let x = 0.17 * f64::from(step);
            let expected = -(-0.5 * x).exp_m1();
            assert!((cdf(2, x) - expected).abs() <= 1e-14);
            for degrees in 1..80 {
                let next = cdf(degrees, x) - factor(degrees, 0.5 * x);
                assert!((cdf(degrees + 2, x) - next).abs() <= 1e-13, "{degrees} {x}");
            }
        }
    }

    #[test]
    fn quantiles_undo_probabilities() {
        for degrees in [1, 2, 5, 64, 1000] {
            for p in [1e-9, 0.01, 0.5, 0.99, 1.0 - 1e-9] {
                let x = quantile(degrees, p);
                // One step of x changes P by ε x times the density, which is below 1 but near 0 for one degree, where x is small.
                assert!((cdf(degrees, x) - p).abs() <= 1e-12, "{degrees} {p}");
            }
        }
        assert_eq!(
            (cdf(3, 0.0), cdf(3, -1.0), cdf(3, f64::INFINITY)),
            (0.0, 0.0, 1.0)
        );
    }
}
