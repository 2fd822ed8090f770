//! The target `precision`: a pass in single precision is a pass in double precision, to the digits that single precision has.

use gmm_core::block::Frame;
use gmm_core::faer::MatRef;
use gmm_core::{GaussianMixture, Samples};
use gmm_em::{Em, Precision, Regularization, Start};

use super::bytes::Bytes;
use super::{Outcome, check_message, model};

/// Evaluates a mixture from the input on rows from the input in both precisions, and checks
/// - that the log-likelihood of the pass in single precision is off by no more than its rounding explains;
/// - that what is reported in the end is the log-likelihood in double precision, to the bit.
pub fn precision(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let model = match model::mixture(&mut bytes) {
        Ok(model) => model,
        Err(error) => {
            check_message(&error);
            return Outcome::Refused;
        }
    };
    let n_samples = bytes.count(model.n_components(), 40);
    let table = bytes.numbers(n_samples * model.n_features());
    let x = MatRef::from_row_major_slice(&table, n_samples, model.n_features());
    let em = Em::new(model.n_components())
        .covariance(model.covariance_type())
        .regularization(Regularization::None)
        .max_iterations(0);
    let start = Start::Mixture(&model);
    let double = em.fit_from(x, start);
    let mixed = em.precision(Precision::Mixed).fit_from(x, start);
    let (double, mixed) = match (double, mixed) {
        (Ok(double), Ok(mixed)) => (double, mixed),
        (Err(error), Err(same)) => {
            check_message(&error);
            assert_eq!(error.to_string(), same.to_string());
            return Outcome::Refused;
        }
        (double, mixed) => panic!("in double precision {double:?}, in single precision {mixed:?}"),
    };
    assert_eq!(
        double.report().log_likelihood.to_bits(),
        mixed.report().log_likelihood.to_bits(),
        "the report is in double precision"
    );
    let (expected, found) = (double.report().trace[0], mixed.report().trace[0]);
    if expected.is_finite() {
        let bound = rounding(&model, &table, x);
        let off = (found - expected).abs();
        assert!(
            off <= bound,
            "off by {off:e} of {expected}, bound {bound:e}"
        );
    } else {
        assert_eq!(found.to_bits(), expected.to_bits());
    }
    Outcome::Checked
}

/// What rounding to u = 2⁻²⁴ may change of Σᵢ log p(xᵢ), to first order.
///
/// A whitened difference is a sum of D products, each with some roundings; with |dⱼ| ≤ σⱼ m, where m is the distance in standard
/// deviations, and Σᵢⱼ Wᵢⱼ² σⱼ² ≤ D V, V the variance inflation, its squared norm is off by (D + 8) D √V u m², and log p by the mean of
/// that over the components that the row belongs to. Logarithms of weights and determinants are rounded at their own size, in
/// the frame of the data, and so is the sum over rows.
fn rounding(model: &GaussianMixture, table: &[f64], x: MatRef<'_, f64>) -> f64 {
    const UNIT: f64 = 1.0 / 16_777_216.0;
    let d = model.n_features();
    let ranges: Vec<(f64, f64)> = (0..d)
        .map(|j| {
            let column = table.iter().skip(j).step_by(d);
            column.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
                (a.min(*v), b.max(*v))
            })
        })
        .collect();
    let frame = Frame::of_ranges(&ranges);
    let frame = if model.covariance_type().is_scale_free() {
        frame
    } else {
        frame.with_one_unit()
    };
    let x = Samples::from(x);
    let evaluated = "data that were fitted can be evaluated";
    let squared = model.mahalanobis_squared(x).expect(evaluated);
    let soft = model.responsibilities(x).expect(evaluated);
    let joint = model.log_joint(x).expect(evaluated);
    let inflation = (d as f64 + 8.0) * d as f64 * model.variance_inflation().sqrt();
    // log πₖ and log|Σₖ| are kept relative to the largest, so that those of a wide component are rounded at their distance from those of a
    // narrow one: 354 nats from a variance of 1e308 to one of 1.
    let constant = |i: usize, k: usize| joint[(i, k)] + squared[(i, k)] / 2.0;
    let constants = |i: usize| {
        (0..model.n_components())
            .map(move |k| constant(i, k))
            .filter(|c| c.is_finite())
    };
    let largest = |i: usize| constants(i).fold(f64::NEG_INFINITY, f64::max);
    let rows = (0..x.n_samples()).map(|i| {
        let parts = (0..model.n_components()).filter(|k| soft[(i, *k)] > 0.0);
        let part = |k: usize| {
            let size = (constant(i, k) - frame.log_jacobian()).abs() + largest(i) - constant(i, k);
            soft[(i, k)] * (inflation * squared[(i, k)] + 8.0 * (1.0 + size))
        };
        parts.map(part).sum::<f64>() + 8.0
    });
    let total: f64 = rows.sum();
    // Each row's log-density is at most as large as these sums; there are n of them to add.
    UNIT * total * (1.0 + x.n_samples() as f64)
}
