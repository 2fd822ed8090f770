//! Units, axes and order are the observer's, not the data's: the whole path of a fit follows when they change.

use gmm_core::covariance::{Structure, Variation};
use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Proportions, Samples};
use gmm_em::{Em, Fit, NoiseVolume, Regularization, Start, Stopping, SufficientStatistics};
use gmm_testkit::{data, strategies};
use proptest::prelude::*;

use crate::laws::slack;

const N: usize = 120;
const D: usize = 3;
const K: usize = 3;
const N_ITERATIONS: usize = 8;

fn form() -> impl Strategy<Value = CovarianceType> {
    prop::sample::select(CovarianceType::ALL.to_vec())
}

/// Forms that a rotation keeps: all but those whose axes are the coordinates.
fn form_without_coordinates() -> impl Strategy<Value = CovarianceType> {
    let is_free = |form: &CovarianceType| {
        form.structure() == Structure::Isotropic || form.orientation() != Variation::Identity
    };
    let free: Vec<_> = CovarianceType::ALL.into_iter().filter(is_free).collect();
    assert_eq!(free.len(), 10);
    prop::sample::select(free)
}

/// What a fit maximizes over, but for the form.
#[derive(Clone, Copy, Debug)]
struct Classes {
    proportions: Proportions,
    noise: Option<NoiseVolume>,
}

fn classes() -> impl Strategy<Value = Classes> {
    let noise = prop_oneof![
        Just(None),
        Just(Some(NoiseVolume::Box)),
        (3.0f64..8.0).prop_map(|v| Some(NoiseVolume::Log(v))),
    ];
    let proportions = prop::sample::select(Proportions::ALL.to_vec());
    (proportions, noise).prop_map(|(proportions, noise)| Classes { proportions, noise })
}

impl Classes {
    /// The same in other units: a volume that was given is that many nats larger.
    fn in_units(self, log_jacobian: f64) -> Self {
        let noise = self.noise.map(|noise| match noise {
            NoiseVolume::Log(v) => NoiseVolume::Log(v + log_jacobian),
            other => other,
        });
        Self { noise, ..self }
    }

    /// With a volume that no axes of the coordinates decide.
    fn in_any_axes(self) -> Self {
        let noise = self.noise.map(|noise| match noise {
            NoiseVolume::Log(v) => NoiseVolume::Log(v),
            _ => NoiseVolume::Log(5.0),
        });
        Self { noise, ..self }
    }
}

/// Maximum likelihood for so many iterations from labels; a floor per feature would be one of the observer's.
fn fit<'a>(
    form: CovarianceType,
    classes: Classes,
    x: impl Into<Samples<'a>>,
    labels: &[usize],
) -> Fit {
    Em::new(K)
        .covariance(form)
        .proportions(classes.proportions)
        .noise(classes.noise)
        .regularization(Regularization::None)
        .stopping(Stopping::MeanChange(0.0))
        .max_iterations(N_ITERATIONS)
        .fit_from(x, Start::Labels(labels))
        .unwrap()
}

/// Labels that are right for two rows in three.
fn rough(labels: &[usize]) -> Vec<usize> {
    let wrong = |(i, l): (usize, &usize)| if i % 3 == 0 { i / 3 % K } else { *l };
    labels.iter().enumerate().map(wrong).collect()
}

/// The worst difference between the log-likelihoods of two paths, the second less `shift`.
fn worst(a: &Fit, b: &Fit, shift: f64) -> f64 {
    assert_eq!(a.report().trace.len(), b.report().trace.len());
    let pairs = a.report().trace.iter().zip(&b.report().trace);
    pairs
        .map(|(l, m)| (l - (m - shift)).abs())
        .fold(0.0, f64::max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_unit_moves_the_whole_path(exponents in prop::collection::vec(-150.0f64..150.0, D), form in form(), classes in classes(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let unit = |j: usize| 10f64.powf(exponents[if form.is_scale_free() { j } else { 0 }]);
        let scaled = Mat::from_fn(N, D, |i, j| set.x[(i, j)] * unit(j));
        let labels = rough(&set.labels);
        let log_jacobian: f64 = (0..D).map(|j| unit(j).ln()).sum();
        let (a, b) = (fit(form, classes, &set.x, &labels), fit(form, classes.in_units(log_jacobian), &scaled, &labels));
        // logL(aX) = logL(X) - n Σ ln aⱼ.
        let shift = -(N as f64) * log_jacobian;
        let off = worst(&a, &b, shift);
        // Rounding of the cells is one more rounding in every term; the constant is up to 1e5 nats and rounded at its own size.
        let bound = slack(&a, D) + 16.0 * f64::EPSILON * shift.abs();
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
    }

    #[test]
    fn a_unit_and_an_origin_move_the_whole_path(
        exponents in prop::collection::vec(-150.0f64..150.0, D),
        offsets in prop::collection::vec((0.0f64..10.0, any::<bool>()), D),
        form in form(),
        classes in classes(),
        seed in 0u64..1000,
    ) {
        let set = data::overlapping(seed, N, D, K);
        let unit = |j: usize| 10f64.powf(exponents[if form.is_scale_free() { j } else { 0 }]);
        // Up to 1e10 times the spread, on either side.
        let spread = |j: usize| {
            let column = (0..N).map(|i| set.x[(i, j)]);
            column.clone().fold(f64::NEG_INFINITY, f64::max) - column.fold(f64::INFINITY, f64::min)
        };
        let origin = |j: usize| {
            let (exponent, is_negative) = offsets[j];
            10f64.powf(exponent) * spread(j) * unit(j) * if is_negative { -1.0 } else { 1.0 }
        };
        let moved = Mat::from_fn(N, D, |i, j| set.x[(i, j)] * unit(j) + origin(j));
        // At 1e10 times the spread a cell has 6 digits left. What they say is taken back: the difference is exact where the
        // offset is larger than the value, and a rounding more elsewhere.
        let plain = Mat::from_fn(N, D, |i, j| (moved[(i, j)] - origin(j)) / unit(j));
        let labels = rough(&set.labels);
        let log_jacobian: f64 = (0..D).map(|j| unit(j).ln()).sum();
        let (a, b) = (fit(form, classes, &plain, &labels), fit(form, classes.in_units(log_jacobian), &moved, &labels));
        // logL(aX + b) = logL(X) - n Σ ln aⱼ.
        let shift = -(N as f64) * log_jacobian;
        let off = worst(&a, &b, shift);
        let bound = slack(&a, D) + 16.0 * f64::EPSILON * shift.abs();
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
    }

    #[test]
    fn an_order_of_features_has_no_meaning(order in strategies::permutation(D), form in form(), classes in classes(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let permuted = Mat::from_fn(N, D, |i, j| set.x[(i, order[j])]);
        let labels = rough(&set.labels);
        let (a, b) = (fit(form, classes, &set.x, &labels), fit(form, classes, &permuted, &labels));
        // The same sums in another order.
        let (off, bound) = (worst(&a, &b, 0.0), slack(&a, D));
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
    }

    #[test]
    fn an_order_of_rows_or_components_has_no_meaning(rows in strategies::permutation(N), names in strategies::permutation(K), form in form(), classes in classes(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let permuted = Mat::from_fn(N, D, |i, j| set.x[(rows[i], j)]);
        let labels = rough(&set.labels);
        let renamed: Vec<usize> = rows.iter().map(|row| names[labels[*row]]).collect();
        let (a, b) = (fit(form, classes, &set.x, &labels), fit(form, classes, &permuted, &renamed));
        let (off, bound) = (worst(&a, &b, 0.0), slack(&a, D));
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
        // And the components are the same under other names, to what 8 steps make of a rounding: the path agrees to `bound` nats,
        // and near a path of that curvature parameters do to the square root of its share.
        let tolerance = (bound / N as f64).sqrt();
        for (k, name) in names.iter().enumerate() {
            let (v, w) = (a.model().weights()[k], b.model().weights()[*name]);
            prop_assert!((v - w).abs() <= tolerance, "{v} {w}");
        }
    }

    #[test]
    fn rows_given_twice_are_weights_of_two(form in form(), classes in classes(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let doubled = Mat::from_fn(2 * N, D, |i, j| set.x[(i % N, j)]);
        let labels = rough(&set.labels);
        let twice = [&labels[..], &labels[..]].concat();
        let weights = vec![2.0; N];
        let weighted = fit(form, classes, Samples::from(&set.x).with_weights(&weights), &labels);
        let rows = fit(form, classes, &doubled, &twice);
        let (off, bound) = (worst(&weighted, &rows, 0.0), slack(&weighted, D));
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
        prop_assert_eq!(weighted.report().total_weight.to_bits(), rows.report().total_weight.to_bits());
        // Weights of two are no more than a factor: the path is twice that of weight 1, to the last bits.
        let single = fit(form, classes, &set.x, &labels);
        let pairs = single.report().trace.iter().zip(&weighted.report().trace);
        for (l, m) in pairs {
            prop_assert!((2.0 * l - m).abs() <= bound, "{l} {m}");
        }
    }

    #[test]
    fn a_rotation_turns_the_whole_path(angles in prop::collection::vec(-3.2f64..3.2, 3), form in form_without_coordinates(), classes in classes(), seed in 0u64..1000) {
        let set = data::overlapping(seed, N, D, K);
        let q = rotation(&angles);
        let turned = &set.x * q.transpose();
        let labels = rough(&set.labels);
        let classes = classes.in_any_axes();
        let (a, b) = (fit(form, classes, &set.x, &labels), fit(form, classes, &turned, &labels));
        // A cell of the turned table is rounded D times at the size of its row.
        let (off, bound) = (worst(&a, &b, 0.0), slack(&a, D));
        prop_assert!(off <= bound, "off by {off:e}, bound {bound:e}");
    }

    /// EM by hand, the rows gathered in parts and merged in any order, goes the way of the whole.
    #[test]
    fn parts_go_the_way_of_the_whole(cuts in prop::collection::vec(0usize..=900, 0..4), n in 100usize..=900, form in form(), classes in classes(), is_weighted in any::<bool>(), seed in 0u64..1000) {
        let set = data::overlapping(seed, n, D, K);
        let weights: Vec<f64> = (0..n).map(|i| if is_weighted { [0.3, 1.0, 0.0, 2.5][i % 4] } else { 1.0 }).collect();
        let samples = Samples::from(&set.x).with_weights(&weights);
        let start = Em::new(K).covariance(form).proportions(classes.proportions).noise(classes.noise).regularization(Regularization::None).max_iterations(1);
        let start = start.fit_from(samples, Start::Labels(&rough(&set.labels))).unwrap();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % n).chain([0, n]).collect();
        ends.sort_unstable();
        let mut whole = start.model().clone();
        let mut parts = whole.clone();
        let mut last = f64::NEG_INFINITY;
        for iteration in 0..N_ITERATIONS {
            let mut all = SufficientStatistics::zeros(&whole);
            all.observe(&whole, samples).unwrap();
            let mut merged = SufficientStatistics::zeros(&parts);
            for range in ends.windows(2).rev() {
                let mut part = SufficientStatistics::zeros(&parts);
                let rows = Mat::from_fn(range[1] - range[0], D, |i, j| set.x[(range[0] + i, j)]);
                part.observe(&parts, Samples::from(&rows).with_weights(&weights[range[0]..range[1]])).unwrap();
                merged.merge(&part).unwrap();
            }
            let bound = slack(&start, D);
            let (l, m) = (all.log_likelihood(), merged.log_likelihood());
            prop_assert!((l - m).abs() <= bound, "iteration {iteration}: {l} and {m}");
            // The likelihood never falls, however the rows are split.
            prop_assert!(m >= last - bound, "iteration {iteration}: {last} to {m}");
            last = m;
            whole = all.maximize_from(&whole, Regularization::None).unwrap();
            parts = merged.maximize_from(&parts, Regularization::None).unwrap();
        }
    }
}

/// Turns in the planes (0, 1), (1, 2) and (0, 2), one after the other.
fn rotation(angles: &[f64]) -> Mat<f64> {
    let mut q = Mat::identity(D, D);
    for (angle, (a, b)) in angles.iter().zip([(0, 1), (1, 2), (0, 2)]) {
        let (sin, cos) = angle.sin_cos();
        let mut plane = Mat::identity(D, D);
        plane[(a, a)] = cos;
        plane[(b, b)] = cos;
        plane[(a, b)] = -sin;
        plane[(b, a)] = sin;
        q = plane * q;
    }
    q
}
