//! The compensated sum against exact sums.

use gmm_core::CompensatedSum;
use gmm_testkit::naive::exact_sum;
use gmm_testkit::strategies;
use proptest::prelude::*;

const EPS: f64 = f64::EPSILON;

fn sum_of(terms: &[f64]) -> CompensatedSum {
    let mut sum = CompensatedSum::default();
    terms.iter().for_each(|term| sum.add(*term));
    sum
}

/// Terms of 40 orders of magnitude with both signs.
fn terms() -> impl Strategy<Value = Vec<f64>> {
    let term = (-20.0..20.0, any::<bool>())
        .prop_map(|(e, sign): (f64, bool)| 10f64.powf(e) * if sign { 1.0 } else { -1.0 });
    prop::collection::vec(term, 0..=2000)
}

/// The error of a compensated sum of n terms (Ogita, Rump and Oishi 2005, for Neumaier's variant): ε/2 of the result and
/// (n ε/2)² of the absolute terms, to first order.
fn tolerance(n: usize, result: f64, absolute: f64) -> f64 {
    let n = n as f64;
    0.5 * EPS * result.abs() + (n * EPS).powi(2) * absolute
}

proptest! {
    #[test]
    fn sums_are_exact_to_the_last_digit(terms in terms()) {
        let expected = exact_sum(&terms);
        let absolute: f64 = terms.iter().map(|t| t.abs()).sum();
        let found = sum_of(&terms).value();
        // The exact sum is rounded too.
        let tolerance = tolerance(terms.len(), expected, absolute) + 0.5 * EPS * expected.abs();
        prop_assert!((found - expected).abs() <= tolerance, "{found} {expected}");
    }

    #[test]
    fn parts_merge_to_the_whole(terms in terms(), cuts in strategies::block_split(1000)) {
        let n = terms.len();
        let mut whole = CompensatedSum::default();
        for cut in cuts {
            // Ranges of 0..1000, stretched to the terms.
            let part = terms[cut.start * n / 1000..cut.end * n / 1000].iter();
            whole.merge(&sum_of(&part.copied().collect::<Vec<f64>>()));
        }
        let expected = exact_sum(&terms);
        let absolute: f64 = terms.iter().map(|t| t.abs()).sum();
        let tolerance = tolerance(n + 5, expected, absolute) + 0.5 * EPS * expected.abs();
        prop_assert!((whole.value() - expected).abs() <= tolerance, "{} {expected}", whole.value());
    }

    /// Weights are powers of two here, so that products are exact and only the sum rounds.
    #[test]
    fn weighted_sums_are_exact_to_the_last_digit(terms in terms(), exponents in prop::collection::vec(-3..=2, 1..=64), first in -20.0..20.0) {
        let weight = |i: usize| match exponents[i % exponents.len()] {
            -3 => 0.0,
            exponent => 2f64.powi(exponent),
        };
        let weights: Vec<f64> = (0..terms.len()).map(weight).collect();
        let mut weighted: Vec<f64> = weights.iter().zip(&terms).map(|(w, t)| w * t).collect();
        let mut sum = CompensatedSum::default();
        sum.add(first);
        sum.add_weighted(&weights, &terms);
        weighted.push(first);
        let expected = exact_sum(&weighted);
        let absolute: f64 = weighted.iter().map(|t| t.abs()).sum();
        // Sixteen sums side by side, which are then merged.
        let tolerance = tolerance(weighted.len() + 16, expected, absolute) + 0.5 * EPS * expected.abs();
        prop_assert!((sum.value() - expected).abs() <= tolerance, "{} {expected}", sum.value());
    }

    #[test]
    fn parts_come_back_as_they_were(terms in terms()) {
        let sum = sum_of(&terms);
        let (high, low) = sum.parts();
        let again = CompensatedSum::from_parts(high, low);
        prop_assert_eq!(again, sum);
        prop_assert_eq!(again.value().to_bits(), sum.value().to_bits());
    }

    #[test]
    fn scaling_by_a_power_of_two_is_exact(terms in terms(), exponent in -200..=200) {
        let factor = 2f64.powi(exponent);
        let mut scaled = sum_of(&terms);
        scaled.scale(factor);
        let terms: Vec<f64> = terms.iter().map(|t| t * factor).collect();
        prop_assert_eq!(scaled, sum_of(&terms));
    }
}

#[test]
fn what_cancels_is_kept() {
    for (terms, expected) in [
        (&[1e100, 1.0, -1e100][..], 1.0),
        (&[1.0, 1e100, 1.0, -1e100], 2.0),
        (&[1e16, 1.0, 1.0, -1e16], 2.0),
        (&[], 0.0),
        (&[-0.5], -0.5),
    ] {
        assert_eq!(sum_of(terms).value().to_bits(), f64::to_bits(expected));
    }
    // Ten million tenths: naive addition is off by 1.6e-4.
    let mut sum = CompensatedSum::default();
    (0..10_000_000).for_each(|_| sum.add(0.1));
    assert!((sum.value() - 1e6).abs() <= 1e-9, "{}", sum.value());
}

#[test]
fn infinite_terms_give_infinite_sums() {
    let infinite = f64::INFINITY;
    assert_eq!(
        sum_of(&[1.0, -infinite, 2.0]).value(),
        -infinite,
        "a row without density"
    );
    assert_eq!(sum_of(&[infinite, 1.0, infinite]).value(), infinite);
    assert!(sum_of(&[infinite, -infinite]).value().is_nan());
    assert_eq!(sum_of(&[f64::MAX, f64::MAX]).value(), infinite);
}

/// A row without density makes the likelihood 0; one that doesn't count changes nothing, whatever its density is.
#[test]
fn infinite_weighted_terms_give_infinite_sums() {
    let infinite = f64::INFINITY;
    let mut terms = vec![1.0; 40];
    let weights: Vec<f64> = (0..40).map(|i| [0.5, 0.0][i % 2]).collect();
    for at in 0..40 {
        for extreme in [-infinite, infinite, f64::NAN, f64::MAX] {
            terms[at] = extreme;
            let mut sum = CompensatedSum::default();
            sum.add_weighted(&weights, &terms);
            if weights[at] == 0.0 {
                assert_eq!(sum.value(), 10.0);
            } else {
                let expected = 0.5 * extreme;
                assert!(sum.value() == expected || sum.value().is_nan() && extreme.is_nan());
            }
        }
        terms[at] = 1.0;
    }
    // A row that doesn't count changes nothing beside one without density either.
    (terms[4], terms[5]) = (-infinite, -infinite);
    let mut sum = CompensatedSum::default();
    sum.add_weighted(&weights, &terms);
    assert_eq!(sum.value(), -infinite);
}
