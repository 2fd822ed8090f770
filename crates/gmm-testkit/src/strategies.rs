//! Strategies for proptest: what the properties of the gmm crates quantify over.

use std::ops::{Range, RangeInclusive};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::naive::{Form, Mixture, product, transpose};

/// Tables with values from -10 to 10, n_samples x n_features, as rows.
pub fn table(
    n_samples: RangeInclusive<usize>,
    n_features: RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<Vec<f64>>> {
    (n_samples, n_features).prop_flat_map(|(n, d)| vec(vec(-10.0..10.0, d), n))
}

/// A [`table`] with responsibilities for its rows, n_samples x n_components, none of them 0.
pub fn table_with_responsibilities(
    n_samples: RangeInclusive<usize>,
    n_features: RangeInclusive<usize>,
    n_components: RangeInclusive<usize>,
) -> impl Strategy<Value = (Vec<Vec<f64>>, Vec<Vec<f64>>)> {
    (table(n_samples, n_features), n_components).prop_flat_map(|(x, k)| {
        let n = x.len();
        (Just(x), vec(weights(k), n))
    })
}

/// Weights of K components: positive, none below about 1 / (100 K), with a sum of 1 to rounding.
pub fn weights(n_components: usize) -> impl Strategy<Value = Vec<f64>> {
    vec(0.01..1.0, n_components).prop_map(|raw: Vec<f64>| {
        let total: f64 = raw.iter().sum();
        raw.iter().map(|weight| weight / total).collect()
    })
}

/// Sample weights from 1e-4 to 1e4, some 0, the first one not.
pub fn sample_weights(n_samples: usize) -> impl Strategy<Value = Vec<f64>> {
    let positive = || (-4.0..4.0).prop_map(|exponent: f64| 10f64.powf(exponent));
    let any = prop_oneof![4 => positive(), 1 => Just(0.0)];
    (positive(), vec(any, n_samples.saturating_sub(1)))
        .prop_map(move |(first, rest)| std::iter::once(first).chain(rest).take(n_samples).collect())
}

/// Symmetric positive-definite matrices Q Λ Q' with eigenvalues from 1 / `condition` to 1.
///
/// Q is a product of D reflections, so that it is orthogonal to rounding; both triangles hold the same bits.
pub fn positive_definite(
    n_features: usize,
    condition: f64,
) -> impl Strategy<Value = Vec<Vec<f64>>> {
    let d = n_features;
    let exponents = vec(0.0..=1.0, d);
    let normals = vec(vec(-1.0..1.0, d), d);
    (exponents, normals).prop_map(move |(exponents, normals): (Vec<f64>, Vec<Vec<f64>>)| {
        let mut a: Vec<Vec<f64>> = (0..d)
            .map(|i| {
                let eigenvalue = condition.powf(-exponents[i]);
                (0..d)
                    .map(|j| if i == j { eigenvalue } else { 0.0 })
                    .collect()
            })
            .collect();
        for normal in &normals {
            let h = reflection(normal);
            a = product(&product(&h, &a), &transpose(&h));
        }
        (0..d)
            .map(|i| (0..d).map(|j| a[i.max(j)][i.min(j)]).collect())
            .collect()
    })
}

/// I - 2 v v' / v'v, or the identity where v is too short for a direction.
fn reflection(v: &[f64]) -> Vec<Vec<f64>> {
    let squared: f64 = v.iter().map(|v| v * v).sum();
    let factor = if squared > 1e-6 { 2.0 / squared } else { 0.0 };
    let entry = |i: usize, j: usize| f64::from(u8::from(i == j)) - factor * v[i] * v[j];
    (0..v.len())
        .map(|i| (0..v.len()).map(|j| entry(i, j)).collect())
        .collect()
}

/// Mixtures with means from -10 to 10 and covariance matrices of a bounded condition.
pub fn mixture(
    form: Form,
    n_features: RangeInclusive<usize>,
    n_components: RangeInclusive<usize>,
    condition: f64,
) -> impl Strategy<Value = Mixture> {
    (n_features, n_components).prop_flat_map(move |(d, k)| {
        let matrices = vec(positive_definite(d, condition), k);
        (weights(k), vec(vec(-10.0..10.0, d), k), matrices).prop_map(
            move |(weights, means, matrices)| Mixture {
                form,
                weights,
                means,
                covariances: of_form(form, &matrices),
            },
        )
    })
}

/// Matrices that have a form, made from any: the diagonal of a matrix lies between its eigenvalues.
fn of_form(form: Form, matrices: &[Vec<Vec<f64>>]) -> Vec<Vec<Vec<f64>>> {
    let masked = |c: &Vec<Vec<f64>>, pick: &dyn Fn(usize) -> usize| -> Vec<Vec<f64>> {
        let entry = |i: usize, j: usize| if i == j { c[pick(i)][pick(i)] } else { 0.0 };
        (0..c.len())
            .map(|i| (0..c.len()).map(|j| entry(i, j)).collect())
            .collect()
    };
    match form {
        Form::Full => matrices.to_vec(),
        Form::Tied => vec![matrices[0].clone(); matrices.len()],
        Form::Diag => matrices.iter().map(|c| masked(c, &|i| i)).collect(),
        Form::Spherical => matrices.iter().map(|c| masked(c, &|_| 0)).collect(),
    }
}

/// Permutations of 0, ..., n - 1.
pub fn permutation(n: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..n).collect::<Vec<_>>()).prop_shuffle()
}

/// Ways to cut 0..n into adjoining ranges, of which some may be empty: how rows arrive in blocks.
pub fn block_split(n: usize) -> impl Strategy<Value = Vec<Range<usize>>> {
    vec(0..=n, 0..=4).prop_map(move |mut cuts| {
        cuts.sort_unstable();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain(std::iter::once(n));
        starts.zip(ends).map(|(start, end)| start..end).collect()
    })
}

/// 2^e for e in a range of exponents: scaling by it rounds nothing, so that results must agree to the last bit.
///
/// The exponents must lie from -1022 to 1023, where 2^e is a normal number.
pub fn power_of_two(exponents: RangeInclusive<i32>) -> impl Strategy<Value = f64> {
    exponents.prop_map(|exponent| 2f64.powi(exponent))
}

/// The values that break arithmetic: NaN, infinities, zeros of both signs, subnormal and huge numbers.
pub fn edge_value() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        f64::MIN_POSITIVE,
        // The smallest subnormal number and the largest.
        f64::from_bits(1),
        f64::from_bits(0x000f_ffff_ffff_ffff),
        f64::MAX,
        f64::MIN,
        // Squares overflow from 1.3e154 on and vanish below 1.5e-162.
        1e200,
        -1e200,
        1e-200,
        // Here a sum no longer sees a 1.
        9_007_199_254_740_992.0,
    ])
}

/// [`edge_value`]s that are finite: legal in data.
pub fn finite_edge_value() -> impl Strategy<Value = f64> {
    edge_value().prop_filter("finite", |value| value.is_finite())
}
