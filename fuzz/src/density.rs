//! The target `density`: whatever the parameters and the rows, a mixture evaluates to numbers that mean something.

use gmm_core::faer::{Mat, MatRef};
use gmm_core::{Error, GaussianMixture};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::bytes::Bytes;
use super::{Outcome, check_message, model};

/// Evaluates a mixture from the input on rows from the input, and checks
/// - that only a cell that is no finite number is refused, and the first one of them;
/// - that a log-density is finite exactly if the squared distance to some component is;
/// - that responsibilities are probabilities, that labels are where they are largest, that the parts make up the whole;
/// - that a row is evaluated alone as it is among others, and f32 as the same numbers in f64, bit for bit;
/// - that draws have the right shape and come from components with a weight.
pub fn density(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let model = match model::mixture(&mut bytes) {
        Ok(model) => model,
        Err(error) => {
            check_message(&error);
            return Outcome::Refused;
        }
    };
    draws(&model, bytes.bits());
    let n_samples = bytes.count(0, 20);
    let table = bytes.numbers(n_samples * model.n_features());
    let x = MatRef::from_row_major_slice(&table, n_samples, model.n_features());
    match model.log_density(x) {
        Ok(log_density) => {
            assert!(
                table.iter().all(|cell| cell.is_finite()),
                "a cell that is no number went unnoticed"
            );
            finite_rows(&model, x, &log_density);
            narrow(&model, x);
            Outcome::Checked
        }
        Err(error) => {
            check_message(&error);
            let Error::NonFinite { row, column, value } = error else {
                panic!("a matching table was refused: {error}");
            };
            let first = table.iter().position(|cell| !cell.is_finite());
            assert_eq!(
                first,
                Some(row * model.n_features() + column),
                "not the first bad cell: {error}"
            );
            assert_eq!(value.to_bits(), x[(row, column)].to_bits());
            Outcome::Checked
        }
    }
}

fn finite_rows(model: &GaussianMixture, x: MatRef<'_, f64>, log_density: &[f64]) {
    let evaluated = "what has a log-density has all of these";
    let joint = model.log_joint(x).expect(evaluated);
    let squared = model.mahalanobis_squared(x).expect(evaluated);
    let soft = model.responsibilities(x).expect(evaluated);
    let labels = model.predict(x).expect(evaluated);
    let alone = model
        .log_density(x.subrows(x.nrows() / 2, usize::from(x.nrows() > 0)))
        .expect(evaluated);
    if let Some(value) = alone.first() {
        assert_eq!(
            value.to_bits(),
            log_density[x.nrows() / 2].to_bits(),
            "a row depends on its neighbours"
        );
    }
    let alive: Vec<usize> = (0..model.n_components())
        .filter(|&k| model.weights()[k] > 0.0)
        .collect();
    for (i, &value) in log_density.iter().enumerate() {
        let within_reach = alive.iter().any(|&k| squared[(i, k)].is_finite());
        assert_eq!(
            value.is_finite(),
            within_reach,
            "row {i}: log-density {value} at {:?}",
            squared.row(i)
        );
        assert!(
            within_reach || value == f64::NEG_INFINITY,
            "row {i} has the log-density {value}"
        );
        assert!(
            (0..model.n_components()).all(|k| squared[(i, k)] >= 0.0),
            "a squared distance below 0"
        );

        // The K shares are divided by their sum: each has an error of 2 roundings, the sum itself of K - 1.
        let bound = (model.n_components() + 2) as f64 * f64::EPSILON;
        let total: f64 = (0..model.n_components()).map(|k| soft[(i, k)]).sum();
        assert!(
            (total - 1.0).abs() <= bound,
            "the responsibilities of row {i} sum to {total}"
        );
        for k in 0..model.n_components() {
            assert!(
                (0.0..=1.0 + bound).contains(&soft[(i, k)]),
                "responsibility {} in row {i}",
                soft[(i, k)]
            );
            assert!(
                soft[(i, k)] <= soft[(i, labels[i])],
                "row {i} has the label {}, not {k}",
                labels[i]
            );
            assert!(
                model.weights()[k] > 0.0 || soft[(i, k)] == 0.0,
                "a component without weight takes part"
            );
        }
        if within_reach {
            the_whole_is_the_sum(model, joint.as_ref(), i, value);
        }
    }
}

/// log p(x) = log Σₖ exp(log jointₖ), summed here in the plainest way.
fn the_whole_is_the_sum(
    model: &GaussianMixture,
    joint: MatRef<'_, f64>,
    i: usize,
    log_density: f64,
) {
    let parts: Vec<f64> = joint.row(i).iter().copied().collect();
    let largest = parts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = parts.iter().map(|part| (part - largest).exp()).sum();
    // A common size of all parts may be kept aside and added last: a log-determinant, of which the logarithms of the
    // variances are the most; their correlation adds at most 18 per feature before a matrix counts as singular.
    let aside: f64 = model
        .covariances()
        .variances(0)
        .iter()
        .map(|variance| variance.ln().abs() / 2.0 + 18.0)
        .sum();
    // Each side: an exponential to 2 units, K - 1 additions, a logarithm; then sums rounded at their own size.
    let bound = 2.0 * f64::EPSILON * (parts.len() as f64 + 3.0 + largest.abs() + aside);
    let expected = largest + sum.ln();
    assert!(
        (log_density - expected).abs() <= bound,
        "row {i}: {log_density}, the parts make {expected}"
    );
}

/// f32 data and the same numbers as f64 are the same data.
fn narrow(model: &GaussianMixture, x: MatRef<'_, f64>) {
    let narrow = Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] as f32);
    let widened = Mat::from_fn(x.nrows(), x.ncols(), |i, j| f64::from(narrow[(i, j)]));
    let (narrow, widened) = (model.log_density(&narrow), model.log_density(&widened));
    let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
    // Numbers beyond the range of f32 have become infinite, and are refused in both.
    assert_eq!(
        narrow.map(bits),
        widened.map(bits),
        "f32 data are evaluated as other numbers"
    );
}

fn draws(model: &GaussianMixture, seed: u64) {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let sample = model
        .sample(7, &mut generator)
        .expect("seven rows fit into any memory");
    assert_eq!(
        (sample.x.nrows(), sample.x.ncols(), sample.labels.len()),
        (7, model.n_features(), 7)
    );
    assert!(
        sample
            .labels
            .iter()
            .all(|&label| model.weights()[label] > 0.0),
        "a draw from a component without weight"
    );
}
