//! The target `fit`: any small table, under any settings, is a fit whose report is true, or a typed error.

use std::ops::ControlFlow;

use gmm_core::faer::{Mat, MatRef};
use gmm_core::{GaussianMixture, Samples};
use gmm_em::{
    ConjugatePrior, Em, Error, Event, Fit, Initialization, Regularization, Rescue, Start, Stop,
    Stopping,
};

use super::bytes::Bytes;
use super::{Outcome, check_message, model};

/// Fits a table from the input with settings from the input, and checks
/// - that the report is true of the model: the log-likelihood, the counts, the reason for stopping;
/// - that the log-likelihood never falls, but for rounding and for repairs that are in the report, where the
///   regularization promises it;
/// - that the same call gives the same bits.
pub fn fit(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    let settings = Settings::read(&mut bytes);
    let (n_samples, n_features) = (bytes.count(1, 30), bytes.count(1, 3));
    let table = bytes.numbers(n_samples * n_features);
    let weights = weights(&mut bytes, n_samples);
    let x = Samples::from(MatRef::from_row_major_slice(&table, n_samples, n_features));
    let x = weights
        .as_deref()
        .map_or(x, |weights| x.with_weights(weights));

    let labels: Vec<usize> = (0..n_samples)
        .map(|_| usize::from(bytes.byte() % 4))
        .collect();
    let given = model::mixture(&mut bytes);
    let call = |em: &Em| match settings.start {
        Begin::Own => em.fit(x),
        Begin::Labels => em.fit_from(x, Start::Labels(&labels)),
        Begin::Mixture => match &given {
            Ok(model) => em.fit_from(x, Start::Mixture(model)),
            Err(_) => em.fit(x),
        },
        Begin::Interrupted => em.fit_watched(x, &mut |progress| {
            if progress.iteration < 3 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        }),
    };
    match (call(&settings.em), call(&settings.em)) {
        (Ok(fit), Ok(same)) => {
            true_report(&settings, &fit, &x);
            assert_eq!(fit, same, "the same call gives another fit");
            ascent(&settings, &fit, &x, |limit| {
                // At the ends of the range of f64 a model on the way may have no numbers in the units of the data.
                call(&settings.em.clone().max_iterations(limit)).ok()
            });
            Outcome::Checked
        }
        (Err(error), Err(same)) => {
            check_message(&error);
            assert_eq!(error.to_string(), same.to_string());
            refused_with_reason(&error, &table, weights.as_deref());
            Outcome::Refused
        }
        (one, other) => panic!("the same call gives {one:?}, then {other:?}"),
    }
}

struct Settings {
    em: Em,
    start: Begin,
    regularization: Regularization,
    max_iterations: usize,
}

#[derive(Clone, Copy)]
enum Begin {
    Own,
    Labels,
    Mixture,
    Interrupted,
}

impl Settings {
    fn read(bytes: &mut Bytes<'_>) -> Self {
        let n_components = bytes.count(0, 4);
        let covariance = model::form(bytes);
        let start = bytes.pick([
            Begin::Own,
            Begin::Own,
            Begin::Labels,
            Begin::Mixture,
            Begin::Interrupted,
        ]);
        let initialization = bytes.pick(Initialization::ALL);
        let regularization = match bytes.byte() % 8 {
            0 | 1 => Regularization::None,
            2..=4 => Regularization::default(),
            5 => Regularization::Floor(bytes.pick([1e-3, 0.5, 1e-300, 1.0, f64::NAN])),
            6 => Regularization::Ridge(bytes.number()),
            _ => Regularization::Prior(ConjugatePrior::default()),
        };
        let rescue = bytes.pick([
            Rescue::Drop,
            Rescue::Reseed,
            Rescue::Fail,
            Rescue::Floor(1e-6),
        ]);
        let stopping = bytes.pick([
            Stopping::default(),
            Stopping::RemainingGain(0.0),
            Stopping::RelativeChange(1e-5),
            Stopping::MeanChange(1e-3),
        ]);
        let max_iterations = bytes.count(0, 40);
        let em = Em::new(n_components)
            .covariance(covariance)
            .seed(bytes.bits())
            .initialization(initialization)
            .regularization(regularization)
            .rescue(rescue)
            .stopping(stopping)
            .max_iterations(max_iterations);
        Self {
            em,
            start,
            regularization,
            max_iterations,
        }
    }
}

/// No weights, counts (0 among them), or numbers that may be no weights.
fn weights(bytes: &mut Bytes<'_>, n_samples: usize) -> Option<Vec<f64>> {
    match bytes.byte() % 4 {
        0 | 1 => None,
        2 => Some(
            (0..n_samples)
                .map(|_| f64::from(bytes.byte() % 4))
                .collect(),
        ),
        _ => Some(bytes.numbers(n_samples)),
    }
}

fn true_report(settings: &Settings, fit: &Fit, x: &Samples<'_>) {
    let (model, report) = (fit.model(), fit.report());
    assert_eq!(report.n_samples, x.n_samples());
    assert_eq!(report.objective.len(), report.trace.len());
    // A given mixture may lie so far from the data that their density is 0, and so may what a repair leaves.
    let may_be_zero = matches!(settings.start, Begin::Mixture) || !report.events.is_empty();
    let is_sound = |value: &f64| value.is_finite() || (may_be_zero && *value == f64::NEG_INFINITY);
    assert!(
        report.trace.iter().all(is_sound),
        "the trace is {:?}",
        report.trace
    );
    // A start that is no mixture takes one M-step to become one.
    assert!(report.n_iterations <= settings.max_iterations.max(1));
    assert!(report.stop != Stop::MaxIterations || report.n_iterations >= settings.max_iterations);
    assert!(
        model.n_components() <= settings.em.n_components() && model.n_features() == x.n_features()
    );
    assert!(!report.to_string().contains('\n'));

    let evaluated = model
        .log_likelihood(x)
        .expect("data that were fitted can be evaluated");
    let bound = evaluation_error(model, x, report.total_weight, evaluated);
    // Both may be -inf, whose difference is not a number; then the bound is infinite, too.
    let off = if evaluated.is_finite() {
        (evaluated - report.log_likelihood).abs()
    } else {
        0.0
    };
    assert!(
        off <= bound,
        "the report says {}, the model {evaluated} (bound {bound:e})",
        report.log_likelihood
    );
    let last = *report.trace.last().expect("there is a pass at the least");
    // Another number only where the means of the model are rounded to the offset of the data.
    assert!(
        last.to_bits() == report.log_likelihood.to_bits()
            || !evaluated.is_finite()
            || (last - report.log_likelihood).abs() <= bound,
        "the trace ends with {last}, the report says {} (bound {bound:e})",
        report.log_likelihood
    );
}

/// By how much the log-likelihood of the returned model may differ from that of the model in the coordinates of the
/// fit. These differ from the data's by powers of two and by offsets, so that the means alone are rounded, to half a
/// unit of their last place. If that moves a mean by r standard deviations, a row at distance z from it changes by at
/// most r z + r²/2, and the mean of z² over a component's rows is about D, more on the way there.
fn evaluation_error(
    model: &GaussianMixture,
    x: &Samples<'_>,
    total_weight: f64,
    log_likelihood: f64,
) -> f64 {
    let (k, d) = (model.n_components(), model.n_features());
    let n_corners = 1 << d;
    // Each mean, moved by two units in every combination of directions.
    let moved = Mat::from_fn(k * n_corners, d, |row, j| {
        let mean = model.means()[(row / n_corners, j)];
        let sign = if (row % n_corners) >> j & 1 == 1 {
            1.0
        } else {
            -1.0
        };
        mean + sign * 2.0 * f64::EPSILON * mean.abs()
    });
    let Ok(squared) = model.mahalanobis_squared(&moved) else {
        // A mean at the very end of the range has no number beyond it to be moved to.
        return f64::INFINITY;
    };
    let farthest = (0..k * n_corners)
        .map(|row| squared[(row, row / n_corners)])
        .fold(0.0, f64::max)
        .sqrt();
    let distances = model
        .mahalanobis_squared(x)
        .expect("data that were fitted can be evaluated");
    let counts = |i: &usize| x.weights().is_none_or(|weights| weights[*i] > 0.0);
    let z = (0..x.n_samples())
        .filter(counts)
        .map(|i| {
            (0..k)
                .map(|c| distances[(i, c)])
                .fold(f64::INFINITY, f64::min)
        })
        .fold(d as f64, f64::max)
        .sqrt();
    // The logarithms of the units of D features are at most 710 each; they are added and taken away again.
    let rounding =
        32.0 * f64::EPSILON * (log_likelihood.abs() + total_weight * (710.0 * d as f64 + z * z));
    rounding + total_weight * (farthest * z + farthest * farthest)
}

/// Checks that the log-likelihood never falls. `refit` does the same fit with another limit of iterations.
fn ascent(settings: &Settings, fit: &Fit, x: &Samples<'_>, refit: impl Fn(usize) -> Option<Fit>) {
    let report = fit.report();
    if !matches!(
        settings.regularization,
        Regularization::None | Regularization::Floor(_)
    ) {
        // A ridge is the maximum of nothing, and with a prior it is the penalized objective that rises.
        return;
    }
    let scale = report.total_weight * fit.model().n_features() as f64;
    let first_iteration = report.n_iterations + 1 - report.trace.len();
    for (i, pair) in report.trace.windows(2).enumerate() {
        let iteration = first_iteration + i + 1;
        let repaired = report.events.iter().any(|event| match *event {
            Event::Dropped { iteration: at, .. } | Event::Reseeded { iteration: at, .. } => {
                at == iteration
            }
            // A floor that the rescue sets up is another constraint than the one before.
            Event::Floored { iteration: at, .. } => {
                at == iteration && settings.regularization == Regularization::None
            }
            _ => false,
        });
        if !pair[0].is_finite() {
            continue;
        }
        let fall = pair[0] - pair[1];
        let sizes = pair[0].abs() + pair[1].abs() + 710.0 * scale;
        if repaired || fall <= 64.0 * f64::EPSILON * sizes {
            continue;
        }
        // More than that only thin components explain: whitening by the factor of a matrix of condition κ has a relative
        // error of ε κ at worst, in squared distances whose mean is about D; and a mean is rounded to ε of the range.
        let thinness = |limit| refit(limit).map_or(f64::INFINITY, |fit| thinness(fit.model(), x));
        let condition = thinness(iteration - 1).max(thinness(iteration));
        let bound = 64.0 * f64::EPSILON * (sizes + condition * scale);
        assert!(
            fall <= bound,
            "the log-likelihood fell by {fall:e} nats at iteration {iteration} (bound {bound:e})"
        );
    }
}

/// A bound for the condition of the thinnest component in units of the data's range: the square of range over standard
/// deviation, times the condition of the correlation matrix. That has D eigenvalues of mean 1, so the smallest is at
/// least the determinant divided by D^(D - 1), and the largest is at most D.
fn thinness(model: &GaussianMixture, x: &Samples<'_>) -> f64 {
    let d = model.n_features();
    let range = |j: usize| {
        let cells = (0..x.n_samples()).map(|i| x.value(i, j));
        cells.clone().fold(f64::MIN, f64::max) - cells.fold(f64::MAX, f64::min)
    };
    let ranges: Vec<f64> = (0..d).map(range).collect();
    let of_component = |k: usize| {
        let variances = model.covariances().variances(k);
        let mut rest = model.covariances().component(k);
        let (mut determinant, mut spread) = (1.0, 1.0_f64);
        for j in 0..d {
            determinant *= rest[(j, j)] / variances[j];
            spread = spread.max((ranges[j] / variances[j].sqrt()).powi(2));
            // Divided first: the product of two entries may be below the range of f64.
            rest = Mat::from_fn(d, d, |a, b| {
                rest[(a, b)] - rest[(a, j)] / rest[(j, j)] * rest[(j, b)]
            });
        }
        spread * (d as f64).powi(d as i32) / determinant.max(f64::EPSILON)
    };
    (0..model.n_components())
        .map(of_component)
        .fold(1.0, f64::max)
}

/// Data that are fine must not be called bad, and bad data must not be called anything else.
fn refused_with_reason(error: &Error, table: &[f64], weights: Option<&[f64]>) {
    if let Error::Data(gmm_core::Error::NonFinite { .. }) = error {
        assert!(table.iter().any(|cell| !cell.is_finite()), "{error}");
    }
    if let Error::Data(gmm_core::Error::SampleWeight { row, value }) = error {
        let weights = weights.expect("a weight is refused where there are weights");
        assert_eq!(value.to_bits(), weights[*row].to_bits());
        assert!(!(value.is_finite() && *value >= 0.0), "{error}");
    }
}
