//! The target `merge`: the statistics of parts of the data add up to those of the whole.

use gmm_core::covariance::Variation;
use gmm_core::faer::{Mat, MatRef};
use gmm_core::{GaussianMixture, Samples};
use gmm_em::{Regularization, SufficientStatistics};

use super::bytes::Bytes;
use super::{Outcome, check_message, model};

/// Observes a table as a whole and in parts that are merged in an order from the input, and checks
/// - that counts, weights, occupancies and log-likelihood agree to rounding;
/// - that the M-step of both gives the same mixture to rounding;
/// - that data that are refused leave the statistics as they were.
pub fn merge(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let model = match model::mixture(&mut bytes) {
        Ok(model) => model,
        Err(error) => {
            check_message(&error);
            return Outcome::Refused;
        }
    };
    let n_samples = bytes.count(1, 40);
    let weights: Option<Vec<f64>> = (bytes.byte() % 2 == 1).then(|| {
        (0..n_samples)
            .map(|_| f64::from(bytes.byte()) / 16.0)
            .collect()
    });
    let table = bytes.numbers(n_samples * model.n_features());
    let x = MatRef::from_row_major_slice(&table, n_samples, model.n_features());
    let rows = |start: usize, len: usize| {
        let part = Samples::from(x.subrows(start, len));
        weights.as_deref().map_or(part, |weights| {
            part.with_weights(&weights[start..start + len])
        })
    };

    let mut whole = SufficientStatistics::zeros(&model);
    if let Err(error) = whole.observe(&model, rows(0, n_samples)) {
        check_message(&error);
        assert_eq!(
            whole,
            SufficientStatistics::zeros(&model),
            "refused data left a trace"
        );
        return Outcome::Refused;
    }
    // Statistics are kept relative to the means of a model; parts may come from elsewhere and be relative to others.
    let moves: Vec<f64> = (0..model.means().nrows() * model.n_features())
        .map(|_| bytes.tame())
        .collect();
    let elsewhere = moved(&model, &moves);
    let mut merged = SufficientStatistics::zeros(&model);
    let mut start = 0;
    while start < n_samples {
        let len = bytes.count(1, 12).min(n_samples - start);
        let mut part = SufficientStatistics::zeros(bytes.pick([&model, &elsewhere]));
        part.observe(&model, rows(start, len))
            .expect("what is fine as a whole is fine in parts");
        if bytes.byte().is_multiple_of(2) {
            merged
                .merge(&part)
                .expect("statistics of one model have one shape");
        } else {
            part.merge(&merged)
                .expect("statistics of one model have one shape");
            merged = part;
        }
        start += len;
    }
    totals(&model, &whole, &merged, n_samples);
    maximized([&model, &elsewhere], x, &whole, &merged);
    Outcome::Checked
}

/// The same mixture with other means.
fn moved(model: &GaussianMixture, moves: &[f64]) -> GaussianMixture {
    let (k, d) = (model.n_components(), model.n_features());
    let means = Mat::from_fn(k, d, |c, j| model.means()[(c, j)] + moves[c * d + j]);
    // Means at the end of the range have nowhere to go.
    GaussianMixture::new(model.weights().to_vec(), means, model.covariances().clone())
        .unwrap_or_else(|_| model.clone())
}

fn totals(
    model: &GaussianMixture,
    whole: &SufficientStatistics,
    merged: &SufficientStatistics,
    n_samples: usize,
) {
    assert_eq!(
        (whole.n_samples(), merged.n_samples()),
        (n_samples, n_samples)
    );
    // Sums of n non-negative terms in another order.
    let relative = 2.0 * n_samples as f64 * f64::EPSILON;
    let same = |a: f64, b: f64| (a - b).abs() <= relative * a.abs().max(b.abs());
    assert!(same(whole.total_weight(), merged.total_weight()));
    for (a, b) in whole.occupancy().into_iter().zip(merged.occupancy()) {
        assert!(same(a, b), "occupancy {a} as a whole, {b} in parts");
    }
    let occupied: f64 = whole.occupancy().iter().sum();
    let shares = (n_samples + model.n_components()) as f64 * 4.0 * f64::EPSILON;
    assert!(
        (occupied - whole.total_weight()).abs() <= shares * occupied,
        "{occupied} of {}",
        whole.total_weight()
    );
    let (a, b) = (whole.log_likelihood(), merged.log_likelihood());
    assert!(
        !a.is_nan() && a.is_finite() == b.is_finite(),
        "log-likelihood {a} as a whole, {b} in parts"
    );
    // Compensated sums: each is right to a unit of its own and to the square of ε of the sum of sizes, which a log-
    // density's bound of 1e3 D above zero keeps near the total where that is large.
    let size = a.abs() + n_samples as f64 * 1e3 * model.n_features() as f64;
    assert!(
        !a.is_finite() || (a - b).abs() <= 8.0 * f64::EPSILON * size,
        "log-likelihood {a} and {b}"
    );
}

/// Compares what both make of the M-step. A ridge as large as the data keeps every covariance well away from
/// singularity, so that rounding can't decide between a mixture and an error.
fn maximized(
    models: [&GaussianMixture; 2],
    x: MatRef<'_, f64>,
    whole: &SufficientStatistics,
    merged: &SufficientStatistics,
) {
    let (k, d) = (whole.n_components(), whole.n_features());
    // How far the rows are from the means that the statistics are relative to: the unit of all rounding errors.
    let farthest = |j: usize| {
        let means = models
            .iter()
            .flat_map(|model| (0..k).map(move |c| model.means()[(c, j)]));
        let distances = means.flat_map(|mean| x.col(j).iter().map(move |cell| (cell - mean).abs()));
        distances.fold(0.0, f64::max)
    };
    let reach: Vec<f64> = (0..d).map(farthest).collect();
    let largest = reach.iter().copied().fold(0.0, f64::max);
    // Squares of the reach must neither overflow nor vanish, and no component may be as good as empty.
    let is_tame = (1e-100..1e100).contains(&largest)
        && whole
            .occupancy()
            .iter()
            .all(|&occupancy| occupancy > 1e-200);
    if !is_tame {
        for statistics in [whole, merged] {
            if let Err(error) = statistics.maximize(Regularization::default()) {
                check_message(&error);
            }
        }
        return;
    }
    let ridge = Regularization::Ridge(largest * largest);
    let next = |statistics: &SufficientStatistics| {
        statistics
            .maximize(ridge)
            .expect("a ridge prevents collapse")
    };
    // A product with a responsibility below the normal numbers is rounded to a multiple of 5e-324, whatever its size: the
    // relative bounds hold from 1e-290 per unit of occupancy on.
    let least = whole.occupancy().into_iter().fold(1.0, f64::min);
    let smallest = 1e-290 / least;
    let (whole, merged) = (next(whole), next(merged));
    // n additions each, of terms at most as large as the reach (squared), and two roundings per merge.
    let relative = 16.0 * x.nrows() as f64 * f64::EPSILON;
    for c in 0..k {
        for (i, unit) in reach.iter().enumerate() {
            let (a, b) = (whole.means()[(c, i)], merged.means()[(c, i)]);
            // A mean is added at the end, which rounds once more at its size.
            let bound = relative * unit.max(smallest) + 2.0 * f64::EPSILON * a.abs();
            assert!(
                (a - b).abs() <= bound,
                "mean ({c}, {i}): {a} as a whole, {b} in parts"
            );
        }
        let (a, b) = (
            whole.covariances().component(c),
            merged.covariances().component(c),
        );
        // Axes of nearly equal variances may lie anywhere, and matrices that share them follow.
        let form = models[0].covariance_type();
        if form.orientation() != Variation::Identity && form.shape() != form.orientation() {
            continue;
        }
        // Volumes and shapes that components share are made of determinants and of traces with inverses. The ridge keeps conditions below
        // D + 1, and D of their entries add up.
        let shared = match (form.volume(), form.shape()) {
            (Variation::Equal, Variation::Variable) | (Variation::Variable, Variation::Equal) => {
                (d * (d + 1)) as f64
            }
            _ => 1.0,
        };
        for i in 0..d {
            for j in 0..=i {
                // The ridge, which is larger than any product of two reaches, is added at its own size.
                let bound = 2.0 * shared * relative * largest * largest;
                let off = (a[(i, j)] - b[(i, j)]).abs();
                assert!(
                    off <= bound,
                    "covariance {c} ({i}, {j}): {} and {}",
                    a[(i, j)],
                    b[(i, j)]
                );
            }
        }
    }
}
