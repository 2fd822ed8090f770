//! What must be true of every fit: the likelihood never falls, and what should change nothing changes nothing.

use std::mem;

use gmm_core::covariance::{Structure, Variation};
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, GaussianMixture, Samples};
use gmm_em::{
    Acceleration, ConjugatePrior, Em, Event, Fit, Initialization, Precision, Regularization, Start,
    Stopping, SufficientStatistics,
};
use gmm_testkit::{data, same_for_any_number_of_threads, strategies};
use proptest::prelude::*;

use crate::classes::{noise, proportions};
use crate::matrix;

fn form() -> impl Strategy<Value = CovarianceType> {
    prop::sample::select(CovarianceType::ALL.to_vec())
}

fn initialization() -> impl Strategy<Value = Initialization> {
    prop::sample::select(Initialization::ALL.to_vec())
}

/// Regularizations that promise ascent.
fn regularization() -> impl Strategy<Value = Regularization> {
    prop_oneof![
        Just(Regularization::None),
        Just(Regularization::default()),
        Just(Regularization::Floor(1e-2)),
        Just(Regularization::Prior(ConjugatePrior::default())),
    ]
}

/// The objective never falls by more than rounding explains, but where a component was dropped or begun anew. `em` and
/// `samples` are what gave the fit, by `Em::fit`: from a mixture the first objective is that of no iteration.
pub(crate) fn assert_ascent(em: &Em, samples: Samples<'_>, fit: &Fit, precision: Precision) {
    if has_jumps(fit) {
        return;
    }
    let has_noise = fit.model().noise().is_some();
    let epsilon = match precision {
        // Until the last passes, and relative to what ε is to double precision.
        Precision::Mixed if !has_noise => f64::from(f32::EPSILON) / f64::EPSILON,
        _ => 1.0,
    };
    let d = fit.model().n_features();
    for (i, pair) in fit.report().objective.windows(2).enumerate() {
        let [before, after] = [pair[0], pair[1]];
        if after >= before {
            continue;
        }
        // Models on the way may be worse conditioned than the last, or better: a fit that ends there has them.
        let model = |n: usize| em.clone().max_iterations(n).fit(samples).unwrap();
        let [from, to] = [model(i + 1), model(i + 2)].map(|part| rounding(&part, d, 1.0));
        assert!(
            after >= before - epsilon * from.max(to),
            "iteration {}: {before} to {after}, rounding {from} {to}",
            i + 1
        );
    }
}

/// In which iterations a fit was repaired, and how.
fn repairs(fit: &Fit) -> Vec<(usize, mem::Discriminant<Event>)> {
    let iteration = |event: &Event| match event {
        Event::Floored { iteration, .. }
        | Event::Dropped { iteration, .. }
        | Event::Reseeded { iteration, .. } => Some(*iteration),
        _ => None,
    };
    let events = fit.report().events.iter();
    events
        .filter_map(|event| Some((iteration(event)?, mem::discriminant(event))))
        .collect()
}

/// The noise level of a fit's objective, with room for a model on the way that was worse conditioned than the last one.
pub(crate) fn slack(fit: &Fit, d: usize) -> f64 {
    rounding(fit, d, 100.0)
}

/// The noise level of the fit itself (debug builds assert it in every iteration of every test), at the last model: a sum of W
/// terms of about D nats each, whose squared distances magnify rounding by the variance inflation and by how small the model's
/// standard deviations are against the data; the latter `room` times.
fn rounding(fit: &Fit, d: usize, room: f64) -> f64 {
    let (report, model) = (fit.report(), fit.model());
    let largest = report.objective.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let covariance = model.covariance();
    let ratios = (0..model.n_components()).flat_map(|k| {
        let variances = model.covariances().variances(k);
        let covariance = &covariance;
        (0..d)
            .map(move |j| (covariance[(j, j)] / variances[j]).sqrt())
            .collect::<Vec<_>>()
    });
    let conditioning = room * model.variance_inflation() * ratios.fold(1.0, f64::max);
    f64::EPSILON * (64.0 * largest + 8.0 * d as f64 * report.total_weight * conditioning)
}

/// A drop takes a component's last rows away; between such events the objective must rise.
fn has_jumps(fit: &Fit) -> bool {
    fit.report()
        .events
        .iter()
        .any(|e| matches!(e, Event::Dropped { .. } | Event::Reseeded { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_likelihood_never_falls(
        x in strategies::table(4..=60, 1..=4),
        k in 1usize..=4,
        form in form(),
        start in initialization(),
        regularization in regularization(),
        weighted in any::<bool>(),
        accelerated in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let x = matrix(&x);
        let d = x.ncols();
        let weights: Vec<f64> = (0..x.nrows()).map(|i| [0.5, 1.0, 3.0, 0.0][(i + seed as usize % 7) % 4]).collect();
        let samples = if weighted { Samples::from(&x).with_weights(&weights) } else { Samples::from(&x) };
        let acceleration = if accelerated { Acceleration::OverRelaxation } else { Acceleration::None };
        let em = Em::new(k).covariance(form).initialization(start).regularization(regularization).acceleration(acceleration).seed(seed).max_iterations(60);
        // Tables may have constant columns or too few rows: typed errors.
        let Ok(fit) = em.fit(samples) else { return Ok(()) };
        prop_assert_eq!(fit.report().trace.len(), fit.report().objective.len());
        assert_ascent(&em, samples, &fit, Precision::Double);
        // What the report says is true of the model that is returned.
        let again = fit.model().log_likelihood(samples).unwrap();
        prop_assert!((again - fit.report().log_likelihood).abs() <= slack(&fit, d).max(1e-9 * again.abs()));
        prop_assert!((fit.model().weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    /// Over several blocks, with a ragged end and weights of many sizes.
    #[test]
    fn the_likelihood_never_falls_over_many_blocks(
        n in 250usize..=1100,
        k in 1usize..=5,
        form in form(),
        start in initialization(),
        regularization in prop::sample::select(vec![
            Regularization::None,
            Regularization::Floor(1e-9),
            Regularization::Prior(ConjugatePrior::default()),
        ]),
        proportions in proportions(),
        noise in noise(),
        accelerated in any::<bool>(),
        precision in prop::sample::select(vec![Precision::Double, Precision::Mixed]),
        scale in 0.0f64..6.0,
        seed in any::<u64>(),
    ) {
        let x = data::overlapping(seed, n, 3, 4).x;
        // Weights over so many powers of ten, or none.
        let weights: Vec<f64> = (0..n).map(|i| 10f64.powf(-scale * ((i * 7) % 11) as f64 / 10.0)).collect();
        let samples = if seed % 2 == 0 { Samples::from(&x).with_weights(&weights) } else { Samples::from(&x) };
        let acceleration = if accelerated { Acceleration::OverRelaxation } else { Acceleration::None };
        let em = Em::new(k).covariance(form).initialization(start).regularization(regularization)
            .acceleration(acceleration).precision(precision).proportions(proportions).noise(noise).seed(seed).max_iterations(40);
        let Ok(fit) = em.fit(samples) else { return Ok(()) };
        assert_ascent(&em, samples, &fit, precision);
        let told = fit.report().events.iter().any(|e| matches!(e, Event::Fell { .. }));
        prop_assert!(!told, "{}", fit.report());
    }

    #[test]
    fn one_component_has_the_closed_form(x in strategies::table(5..=300, 1..=4), form in form()) {
        let x = matrix(&x);
        let (n, d) = (x.nrows() as f64, x.ncols());
        let Ok(fit) = Em::new(1).covariance(form).fit(&x) else { return Ok(()) };
        // A floor at work is another closed form.
        prop_assume!(fit.report().events.is_empty());
        let mean = |j: usize| (0..x.nrows()).map(|i| x[(i, j)]).sum::<f64>() / n;
        let means: Vec<f64> = (0..d).map(mean).collect();
        let covariance = |a: usize, b: usize| {
            (0..x.nrows()).map(|i| (x[(i, a)] - means[a]) * (x[(i, b)] - means[b])).sum::<f64>() / n
        };
        let trace = (0..d).map(|j| covariance(j, j)).sum::<f64>() / d as f64;
        for a in 0..d {
            // A sum of n terms has a relative error of n ε at the most.
            let scale = (0..x.nrows()).map(|i| x[(i, a)].abs()).fold(0.0, f64::max);
            prop_assert!((fit.model().means()[(0, a)] - means[a]).abs() <= n * f64::EPSILON * scale);
            for b in 0..d {
                let expected = match form.structure() {
                    Structure::Isotropic => if a == b { trace } else { 0.0 },
                    Structure::Diagonal => if a == b { covariance(a, a) } else { 0.0 },
                    Structure::Dense => covariance(a, b),
                };
                let size = (covariance(a, a) * covariance(b, b)).sqrt() + n * f64::EPSILON * scale * scale + trace;
                let found = fit.model().covariances().component(0)[(a, b)];
                prop_assert!((found - expected).abs() <= 4.0 * n * f64::EPSILON * size, "{found} {expected}");
            }
        }
    }

    #[test]
    fn a_power_of_two_scale_changes_no_bit(
        exponents in prop::collection::vec(-400i32..=400, 2),
        form in form(),
        start in initialization(),
        seed in 0u64..50,
    ) {
        let x = data::overlapping(seed, 90, 2, 3).x;
        // A spherical covariance has one unit for all features.
        let exponent = |j: usize| if form.is_scale_free() { exponents[j] } else { exponents[0] };
        let scaled = Mat::from_fn(90, 2, |i, j| x[(i, j)] * 2f64.powi(exponent(j)));
        let em = Em::new(3).covariance(form).initialization(start).seed(seed).max_iterations(30);
        let (a, b) = (em.fit(&x).unwrap(), em.fit(&scaled).unwrap());
        prop_assert_eq!(a.model().weights(), b.model().weights());
        prop_assert_eq!(a.report().n_iterations, b.report().n_iterations);
        for k in 0..3 {
            for j in 0..2 {
                let mean = a.model().means()[(k, j)] * 2f64.powi(exponent(j));
                prop_assert_eq!(mean.to_bits(), b.model().means()[(k, j)].to_bits());
            }
        }
        // logL(aX) = logL(X) - n Σ ln aⱼ along the whole path; the constant is up to 280 nats per row here.
        let shift = 90.0 * std::f64::consts::LN_2 * f64::from(exponent(0) + exponent(1));
        for (l, m) in a.report().trace.iter().zip(&b.report().trace) {
            prop_assert!((l - (m + shift)).abs() <= 16.0 * f64::EPSILON * (l.abs() + m.abs() + shift.abs()));
        }
    }

    #[test]
    fn an_exact_offset_changes_next_to_nothing(offset in prop::sample::select(vec![1e3, -1e6, 1e8, 1e10]), form in form(), seed in 0u64..20) {
        // Multiples of 1/1024 stay exact when 1e10 is added.
        let x = data::overlapping(seed, 90, 2, 3).rounded(1.0 / 1024.0).x;
        let moved = Mat::from_fn(90, 2, |i, j| x[(i, j)] + offset);
        let em = Em::new(3).covariance(form).seed(seed).max_iterations(25).stopping(Stopping::RelativeChange(1e-12));
        let (a, b) = (em.fit(&x).unwrap(), em.fit(&moved).unwrap());
        for (i, (l, m)) in a.report().trace.iter().zip(&b.report().trace).enumerate() {
            // Both fits round their means differently, by ε of the spread; EM iterations may amplify that.
            prop_assert!((l - m).abs() <= 1e-10 * l.abs(), "iteration {i}: {l} {m}");
        }
    }

    #[test]
    fn weights_of_two_are_rows_given_twice(x in strategies::table(6..=80, 1..=3), form in form(), seed in any::<u64>()) {
        let x = matrix(&x);
        let (n, d) = (x.nrows(), x.ncols());
        let labels: Vec<usize> = (0..n).map(|i| (i + seed as usize % 3) % 2).collect();
        let doubled = Mat::from_fn(2 * n, d, |i, j| x[(i % n, j)]);
        let twice: Vec<usize> = labels.iter().chain(&labels).copied().collect();
        let em = Em::new(2).covariance(form).max_iterations(5).stopping(Stopping::MeanChange(0.0));
        let weights = vec![2.0; n];
        let weighted = em.fit_from(Samples::from(&x).with_weights(&weights), Start::Labels(&labels));
        let Ok(weighted) = weighted else { return Ok(()) };
        let doubled = em.fit_from(&doubled, Start::Labels(&twice)).unwrap();
        // A component that closes in on a line or a point is held or dropped: rounding decides when it comes to that.
        let n_alike = if repairs(&weighted) == repairs(&doubled) {
            usize::MAX
        } else {
            let all = [repairs(&weighted), repairs(&doubled)].concat();
            all.iter().map(|(iteration, _)| iteration - 1).min().unwrap_or(0)
        };
        let traces = weighted.report().trace.iter().zip(&doubled.report().trace);
        for (l, m) in traces.take(n_alike) {
            // Sums in another order; each of the five steps may amplify the last one's rounding.
            prop_assert!((l - m).abs() <= 100.0 * slack(&weighted, d), "{l} {m}");
        }
    }

    #[test]
    fn rows_of_weight_zero_are_left_out(seed in 0u64..1000, form in form()) {
        let x = data::separated(seed, 60, 2, 2).x;
        let weights: Vec<f64> = (0..60).map(|i| f64::from(u8::from(i % 3 != 0))).collect();
        let kept: Vec<usize> = (0..60).filter(|i| i % 3 != 0).collect();
        let removed = Mat::from_fn(kept.len(), 2, |i, j| x[(kept[i], j)]);
        let labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
        let kept_labels: Vec<usize> = kept.iter().map(|i| labels[*i]).collect();
        let em = Em::new(2).covariance(form).max_iterations(8);
        let a = em.fit_from(Samples::from(&x).with_weights(&weights), Start::Labels(&labels)).unwrap();
        let b = em.fit_from(&removed, Start::Labels(&kept_labels)).unwrap();
        prop_assert!((a.report().log_likelihood - b.report().log_likelihood).abs() <= 1e-10 * b.report().log_likelihood.abs());
        prop_assert_eq!(a.report().total_weight.to_bits(), b.report().total_weight.to_bits());
    }

    #[test]
    fn an_order_of_rows_or_components_has_no_meaning(seed in 0u64..1000, form in form(), order in strategies::permutation(3)) {
        let set = data::overlapping(seed, 120, 2, 3);
        let reversed = Mat::from_fn(120, 2, |i, j| set.x[(119 - i, j)]);
        let labels: Vec<usize> = (0..120).map(|i| i % 3).collect();
        let renamed: Vec<usize> = labels.iter().rev().map(|l| order[*l]).collect();
        let em = Em::new(3).covariance(form).max_iterations(10);
        let a = em.fit_from(&set.x, Start::Labels(&labels)).unwrap();
        let b = em.fit_from(&reversed, Start::Labels(&renamed)).unwrap();
        prop_assert!((a.report().log_likelihood - b.report().log_likelihood).abs() <= 1e-9 * a.report().log_likelihood.abs());
        for (k, renamed) in order.iter().enumerate() {
            prop_assert!((a.model().weights()[k] - b.model().weights()[*renamed]).abs() <= 1e-8);
        }
    }

    #[test]
    fn parts_of_the_data_add_up(
        seed in 0u64..1000,
        n in 2usize..=900,
        form in form(),
        cut in 0.0f64..1.0,
    ) {
        let set = data::overlapping(seed, n, 3, 2);
        let start = Em::new(2).covariance(form).max_iterations(3).fit(&data::overlapping(seed, 200, 3, 2).x).unwrap();
        let model: &GaussianMixture = start.model();
        let cut = (cut * n as f64) as usize;
        let mut whole = SufficientStatistics::zeros(model);
        whole.observe(model, &set.x).unwrap();
        let mut parts = SufficientStatistics::zeros(model);
        parts.observe(model, set.x.as_ref().subrows(0, cut)).unwrap();
        let mut rest = SufficientStatistics::zeros(model);
        rest.observe(model, set.x.as_ref().subrows(cut, n - cut)).unwrap();
        parts.merge(&rest).unwrap();
        prop_assert_eq!(parts.n_samples(), n);
        prop_assert_eq!(parts.total_weight().to_bits(), whole.total_weight().to_bits());
        // Sums of n terms in another order.
        let tolerance = 4.0 * n as f64 * f64::EPSILON;
        prop_assert!((parts.log_likelihood() - whole.log_likelihood()).abs() <= tolerance * whole.log_likelihood().abs());
        for (a, b) in parts.occupancy().iter().zip(whole.occupancy()) {
            prop_assert!((a - b).abs() <= tolerance * n as f64);
        }
        // Axes of singular scatters may lie anywhere, and volumes and shapes that components share are made of determinants and inverses.
        let is_free = form.is_shared() || form.volume() == Variation::Variable
            && (form.shape() != Variation::Equal)
            && (form.orientation() != Variation::Equal);
        if !is_free && whole.occupancy().iter().any(|n| *n < 10.0) {
            return Ok(());
        }
        let (Ok(a), Ok(b)) = (parts.estimate(Regularization::None), whole.estimate(Regularization::None)) else { return Ok(()) };
        for k in 0..2 {
            let (ca, cb) = (a.covariances.component(k), b.covariances.component(k));
            for i in 0..3 {
                prop_assert!((a.means[(k, i)] - b.means[(k, i)]).abs() <= tolerance * (1.0 + b.means[(k, i)].abs()) * 10.0);
                for j in 0..3 {
                    let size = (cb[(i, i)] * cb[(j, j)]).sqrt().max(1e-12);
                    prop_assert!((ca[(i, j)] - cb[(i, j)]).abs() <= 100.0 * tolerance * size, "{} {}", ca[(i, j)], cb[(i, j)]);
                }
            }
        }
    }
}

#[test]
fn tied_is_the_weighted_mean_of_full() {
    let set = data::overlapping(3, 300, 3, 3);
    let labels: Vec<usize> = (0..300).map(|i| i % 3).collect();
    let fit = |form| {
        let em = Em::new(3)
            .covariance(form)
            .max_iterations(1)
            .regularization(Regularization::None);
        em.fit_from(&set.x, Start::Labels(&labels))
            .unwrap()
            .into_model()
    };
    let (full, tied) = (fit(CovarianceType::Full), fit(CovarianceType::Tied));
    for i in 0..3 {
        for j in 0..3 {
            let pooled: f64 = (0..3)
                .map(|k| full.weights()[k] * full.covariances().component(k)[(i, j)])
                .sum();
            assert!(
                (pooled - tied.covariances().component(0)[(i, j)]).abs()
                    <= 1e-13 * pooled.abs().max(1.0)
            );
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    // Several leaves of the reduction tree, with a ragged end.
    let x = data::overlapping(11, 30_011, 3, 4).x;
    for form in CovarianceType::ALL {
        for start in Initialization::ALL {
            let em = Em::new(4)
                .covariance(form)
                .initialization(start)
                .seed(3)
                .max_iterations(6);
            same_for_any_number_of_threads(|| em.fit(&x).unwrap());
        }
    }
}

/// Rows that are much work are shared among threads where they are few: five blocks are several leaves.
#[test]
fn few_wide_rows_in_several_tasks() {
    let x = data::overlapping(12, 1100, 48, 2).x;
    for form in [CovarianceType::Full, CovarianceType::Tied] {
        for precision in [Precision::Double, Precision::Mixed] {
            let em = Em::new(2).covariance(form).precision(precision);
            let em = em.seed(3).max_iterations(4);
            same_for_any_number_of_threads(|| {
                let fit = em.fit(&x).unwrap();
                let density = fit.model().log_density(&x).unwrap();
                (fit, density)
            });
        }
    }
}

#[test]
fn strides_and_precision_of_the_view_do_not_matter() {
    let x = data::separated(5, 700, 3, 2).rounded(1.0 / 64.0).x;
    let em = Em::new(2).seed(1);
    let expected = em.fit(&x).unwrap();
    let row_major: Vec<f64> = (0..700)
        .flat_map(|i| (0..3).map(move |j| (i, j)))
        .map(|(i, j)| x[(i, j)])
        .collect();
    let view = gmm_core::faer::MatRef::from_row_major_slice(&row_major, 700, 3);
    assert_eq!(em.fit(view).unwrap(), expected);
    let upside_down = Mat::from_fn(700, 3, |i, j| x[(699 - i, j)]);
    assert_eq!(
        em.fit(upside_down.as_ref().reverse_rows()).unwrap(),
        expected
    );
    let single = Mat::from_fn(700, 3, |i, j| x[(i, j)] as f32);
    assert_eq!(em.fit(&single).unwrap(), expected);
}
