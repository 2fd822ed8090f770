//! Fits with a class of noise, and fits whose weights are held equal.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Noise, Proportions, Samples};
use gmm_em::{
    Acceleration, ConjugatePrior, Em, Error, Fit, Initialization, NoiseVolume, Precision,
    Regularization, Rescue, Start, Stopping, SufficientStatistics,
};
use gmm_testkit::oracle::{self, mclust};
use gmm_testkit::{data, same_for_any_number_of_threads, strategies};
use proptest::prelude::*;

use crate::laws::{assert_ascent, slack};
use crate::proportions::is_equal;
use crate::{matrix, tight};

#[test]
fn with_noise_fits_equal_mclusts() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    let theirs = mclust::noise_fits(&folder);
    let x = matrix(&theirs.x);
    let mut worst = 0.0f64;
    for expected in &theirs.fits {
        let form: CovarianceType = expected.model.parse().unwrap();
        let fit = tight(2, form)
            .noise(NoiseVolume::Box)
            .fit_from(&x, Start::Labels(&theirs.labels))
            .unwrap();
        let noise = fit.model().noise().unwrap();
        let volume = (-noise.log_density()).exp();
        assert!(
            (volume - theirs.volume).abs() <= 1e-12 * theirs.volume,
            "{form}: {volume}"
        );
        assert_eq!(fit.model().n_free_parameters(), expected.n_parameters);
        let gain = fit.report().log_likelihood - expected.log_likelihood;
        // mclust's VVE is no maximum.
        if form == CovarianceType::Vve {
            assert!(gain >= -1e-6, "{gain:e}");
            continue;
        }
        assert!(gain.abs() <= 1e-6, "{form}: {gain:e}, {}", fit.report());
        worst = worst.max(gain.abs());
        let weights = fit
            .model()
            .weights()
            .iter()
            .copied()
            .chain([noise.weight()]);
        for (ours, theirs) in weights.zip(&expected.weights) {
            assert!((ours - theirs).abs() <= 1e-5, "{form}: {ours} {theirs}");
        }
    }
    assert_eq!(theirs.fits.len(), 14);
    eprintln!("noise: largest deviation {worst:.2e} nats");
}

/// Groups, and rows that belong to none.
fn contaminated(seed: u64, [n, d, k]: [usize; 3], n_noise: usize) -> (Mat<f64>, Vec<usize>) {
    let set = data::separated(seed, n, d, k).contaminated(n_noise, seed + 1000);
    (set.x, set.labels)
}

#[test]
fn groups_are_found_amid_noise() {
    for (d, k) in [(2, 1), (2, 3), (5, 4), (3, 8)] {
        for n_noise in [15, 60, 200] {
            for seed in 0..3 {
                let (x, labels) = contaminated(seed, [600, d, k], n_noise);
                let em = Em::new(k).noise(NoiseVolume::Box);
                let truth = em.fit_from(&x, Start::Labels(&labels)).unwrap();
                let own = em.fit(&x).unwrap();
                // The stopping rule leaves a thousandth of a nat.
                let gain = own.report().log_likelihood - truth.report().log_likelihood;
                assert!(
                    gain > -0.1,
                    "{d} {k} {n_noise} {seed}: {gain} {}",
                    own.report()
                );
                // Of n rows a share of w₀ is noise: within 4 standard errors.
                let share = n_noise as f64 / x.nrows() as f64;
                let noise = own.model().noise().unwrap();
                let error = 4.0 * (share / x.nrows() as f64).sqrt();
                assert!(
                    (noise.weight() - share).abs() < error,
                    "{} {share}",
                    noise.weight()
                );
            }
        }
    }
}

#[test]
fn outliers_may_be_as_far_out_as_they_like() {
    for (distance, form) in [1e2, 1e4, 1e6].into_iter().zip([
        CovarianceType::Full,
        CovarianceType::Diag,
        CovarianceType::Spherical,
    ]) {
        let set = data::separated(8, 300, 2, 3);
        let x = Mat::from_fn(312, 2, |i, j| match i {
            0..300 => set.x[(i, j)],
            // On a circle.
            _ => distance * [f64::sin(i as f64), f64::cos(i as f64)][j],
        });
        let em = Em::new(3).covariance(form).noise(NoiseVolume::Box);
        let fit = em.fit(&x).unwrap();
        let labels: Vec<usize> = set.labels.iter().copied().chain([3; 12]).collect();
        let truth = em.fit_from(&x, Start::Labels(&labels)).unwrap();
        let gain = fit.report().log_likelihood - truth.report().log_likelihood;
        assert!(gain > -0.1, "{distance:e} {form}: {gain} {}", fit.report());
        assert_eq!(fit.model().predict(&x).unwrap()[300..], [3; 12]);
    }
}

#[test]
fn noise_that_is_left_out_inflates_a_component() {
    let (x, _) = contaminated(3, [600, 2, 3], 40);
    let with = Em::new(3).noise(NoiseVolume::Box).fit(&x).unwrap();
    let without = Em::new(3).fit(&x).unwrap();
    let widest = |fit: &Fit| {
        (0..3)
            .flat_map(|k| fit.model().covariances().variances(k))
            .fold(0.0, f64::max)
    };
    assert!(widest(&without) > 2.0 * widest(&with));
    // Two parameters more, and 40 rows of a density that they have.
    let bic = |fit: &Fit| {
        fit.model().n_free_parameters() as f64 * 640f64.ln() - 2.0 * fit.report().log_likelihood
    };
    assert!(bic(&with) < bic(&without) - 100.0);
}

#[test]
fn parameters_are_counted_as_mclust_counts_them() {
    let Some(folder) = oracle::shared_oracle("mclust") else {
        return;
    };
    let rows = mclust::parameter_counts(&folder);
    assert_eq!(rows.len(), 504);
    for row in rows {
        let form: CovarianceType = row.model.parse().unwrap();
        let (k, d) = (row.n_components, row.n_features);
        let block = match form.block_len(d) {
            len if len == d * d => (0..len)
                .map(|e| f64::from(u8::from(e / d == e % d)))
                .collect(),
            len => vec![1.0; len],
        };
        let covariances = Covariances::new(form, k, d, vec![block; form.n_blocks(k)]).unwrap();
        let model =
            GaussianMixture::new(vec![1.0 / k as f64; k], Mat::zeros(k, d), covariances).unwrap();
        let equal = model.with_proportions(Proportions::Equal).unwrap();
        let noise = Noise::new(0.25, -1.0).unwrap();
        assert_eq!(model.n_free_parameters(), row.all, "{row:?}");
        assert_eq!(equal.n_free_parameters(), row.with_equal_weights, "{row:?}");
        let with_noise = |m: &GaussianMixture| m.with_noise(noise).unwrap().n_free_parameters();
        assert_eq!(with_noise(&model), row.with_noise, "{row:?}");
        assert_eq!(with_noise(&equal), row.with_equal_weights + 2, "{row:?}");
    }
}

fn form() -> impl Strategy<Value = CovarianceType> {
    prop::sample::select(CovarianceType::ALL.to_vec())
}

pub(crate) fn proportions() -> impl Strategy<Value = Proportions> {
    prop::sample::select(Proportions::ALL.to_vec())
}

pub(crate) fn noise() -> impl Strategy<Value = Option<NoiseVolume>> {
    prop_oneof![
        Just(None),
        Just(Some(NoiseVolume::Box)),
        (-3.0f64..12.0).prop_map(|v| Some(NoiseVolume::Log(v))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_likelihood_never_falls(
        x in strategies::table(4..=60, 1..=4),
        k in 1usize..=4,
        form in form(),
        start in prop::sample::select(Initialization::ALL.to_vec()),
        regularization in prop_oneof![
            Just(Regularization::None),
            Just(Regularization::default()),
            Just(Regularization::Floor(1e-2)),
            Just(Regularization::Prior(ConjugatePrior::default())),
        ],
        rescue in prop::sample::select(vec![Rescue::Drop, Rescue::Reseed]),
        proportions in proportions(),
        noise in noise(),
        accelerated in any::<bool>(),
        precision in prop::sample::select(vec![Precision::Double, Precision::Mixed]),
        seed in any::<u64>(),
    ) {
        let x = matrix(&x);
        let d = x.ncols();
        let weights: Vec<f64> = (0..x.nrows()).map(|i| [0.5, 1.0, 3.0, 0.0][(i + seed as usize % 7) % 4]).collect();
        let samples = if seed % 2 == 0 { Samples::from(&x).with_weights(&weights) } else { Samples::from(&x) };
        let acceleration = if accelerated { Acceleration::OverRelaxation } else { Acceleration::None };
        let em = Em::new(k).covariance(form).initialization(start).regularization(regularization).rescue(rescue)
            .acceleration(acceleration).precision(precision).proportions(proportions).noise(noise).seed(seed).max_iterations(60);
        let Ok(fit) = em.fit(samples) else { return Ok(()) };
        assert_ascent(&em, samples, &fit, precision);
        let again = fit.model().log_likelihood(samples).unwrap();
        prop_assert!((again - fit.report().log_likelihood).abs() <= slack(&fit, d).max(1e-9 * again.abs()));
        let w0 = fit.model().noise().map_or(0.0, |noise| noise.weight());
        prop_assert!((fit.model().weights().iter().sum::<f64>() + w0 - 1.0).abs() < 1e-12);
        prop_assert_eq!(fit.model().noise().is_some(), noise.is_some());
        prop_assert_eq!(fit.model().proportions(), proportions);
        prop_assert!(proportions == Proportions::Free || is_equal(fit.model()));
    }

    #[test]
    fn a_power_of_two_scale_changes_no_bit(
        exponents in prop::collection::vec(-200i32..=200, 2),
        form in form(),
        start in prop::sample::select(Initialization::ALL.to_vec()),
        proportions in proportions(),
        seed in 0u64..50,
    ) {
        let (x, _) = contaminated(seed, [90, 2, 3], 10);
        let exponent = |j: usize| if form.is_scale_free() { exponents[j] } else { exponents[0] };
        let scaled = Mat::from_fn(100, 2, |i, j| x[(i, j)] * 2f64.powi(exponent(j)));
        let em = Em::new(3).covariance(form).initialization(start).proportions(proportions).noise(NoiseVolume::Box).seed(seed).max_iterations(30);
        let (a, b) = (em.fit(&x).unwrap(), em.fit(&scaled).unwrap());
        prop_assert_eq!(a.model().weights(), b.model().weights());
        prop_assert_eq!(a.report().n_iterations, b.report().n_iterations);
        let (m, n) = (a.model().noise().unwrap(), b.model().noise().unwrap());
        prop_assert_eq!(m.weight().to_bits(), n.weight().to_bits());
        // log(1/V) moves with the Jacobian, and log L with 100 times that.
        let shift = std::f64::consts::LN_2 * f64::from(exponent(0) + exponent(1));
        let close = |a: f64, b: f64| (a - b).abs() <= 16.0 * f64::EPSILON * (a.abs() + b.abs());
        prop_assert!(close(m.log_density(), n.log_density() + shift) || (m.log_density() - n.log_density() - shift).abs() <= 16.0 * f64::EPSILON * shift.abs());
        for (l, m) in a.report().trace.iter().zip(&b.report().trace) {
            prop_assert!((l - (m + 100.0 * shift)).abs() <= 16.0 * f64::EPSILON * (l.abs() + m.abs() + 100.0 * shift.abs()));
        }
        prop_assert_eq!(a.model().predict(&x).unwrap(), b.model().predict(&scaled).unwrap());
    }

    #[test]
    fn an_exact_offset_changes_next_to_nothing(offset in prop::sample::select(vec![1e3, -1e6, 1e8]), form in form(), seed in 0u64..20) {
        // Multiples of 1/1024 stay exact when 1e8 is added.
        let (x, labels) = contaminated(seed, [90, 2, 3], 10);
        let x = Mat::from_fn(100, 2, |i, j| (x[(i, j)] * 1024.0).round() / 1024.0);
        let moved = Mat::from_fn(100, 2, |i, j| x[(i, j)] + offset);
        let em = Em::new(3).covariance(form).noise(NoiseVolume::Box).max_iterations(15).stopping(Stopping::RelativeChange(1e-12));
        let (a, b) = (em.fit_from(&x, Start::Labels(&labels)).unwrap(), em.fit_from(&moved, Start::Labels(&labels)).unwrap());
        for (i, (l, m)) in a.report().trace.iter().zip(&b.report().trace).enumerate() {
            // Both fits round their means differently, by ε of the spread; EM iterations may amplify that.
            prop_assert!((l - m).abs() <= 1e-10 * l.abs(), "iteration {i}: {l} {m}");
        }
    }

    #[test]
    fn weights_of_two_are_rows_given_twice(x in strategies::table(12..=80, 1..=3), form in form(), proportions in proportions(), seed in any::<u64>()) {
        let x = matrix(&x);
        let (n, d) = (x.nrows(), x.ncols());
        let labels: Vec<usize> = (0..n).map(|i| (i + seed as usize % 3) % 3).collect();
        let doubled = Mat::from_fn(2 * n, d, |i, j| x[(i % n, j)]);
        let twice: Vec<usize> = labels.iter().chain(&labels).copied().collect();
        let em = Em::new(2).covariance(form).proportions(proportions).noise(NoiseVolume::Box).max_iterations(5).stopping(Stopping::MeanChange(0.0));
        let weights = vec![2.0; n];
        let weighted = em.fit_from(Samples::from(&x).with_weights(&weights), Start::Labels(&labels));
        let Ok(weighted) = weighted else { return Ok(()) };
        // Of a covariance at the floor rounding has chosen the axes: two rows in a plane have only one.
        prop_assume!(weighted.report().events.is_empty());
        let doubled = em.fit_from(&doubled, Start::Labels(&twice)).unwrap();
        for (l, m) in weighted.report().trace.iter().zip(&doubled.report().trace) {
            // Sums in another order; each of the five steps may amplify the last one's rounding.
            prop_assert!((l - m).abs() <= 100.0 * slack(&weighted, d), "{l} {m}");
        }
    }

    #[test]
    fn parts_of_the_data_add_up(seed in 0u64..1000, n in 20usize..=900, form in form(), proportions in proportions(), cut in 0.0f64..1.0) {
        let (x, _) = contaminated(seed, [n, 2, 2], n / 10);
        let em = Em::new(2).covariance(form).proportions(proportions).noise(NoiseVolume::Box).max_iterations(3);
        let start = em.fit(&contaminated(seed, [200, 2, 2], 20).0).unwrap();
        let model = start.model();
        let cut = (cut * x.nrows() as f64) as usize;
        let observed = |from: usize, to: usize| {
            let mut statistics = SufficientStatistics::zeros(model);
            statistics.observe(model, x.as_ref().subrows(from, to - from)).unwrap();
            statistics
        };
        let (whole, rest) = (observed(0, x.nrows()), observed(cut, x.nrows()));
        let mut parts = observed(0, cut);
        parts.merge(&rest).unwrap();
        // Sums of n terms in another order.
        let tolerance = 4.0 * x.nrows() as f64 * f64::EPSILON;
        let (a, b) = (parts.noise_occupancy().unwrap(), whole.noise_occupancy().unwrap());
        prop_assert!((a - b).abs() <= tolerance * x.nrows() as f64);
        prop_assert!((parts.log_likelihood() - whole.log_likelihood()).abs() <= tolerance * whole.log_likelihood().abs());
        // Responsibilities sum to 1.
        let total = whole.occupancy().iter().sum::<f64>() + b;
        prop_assert!((total - x.nrows() as f64).abs() <= tolerance * x.nrows() as f64);
        let next = whole.maximize_from(model, Regularization::None);
        if let Ok(next) = next {
            prop_assert!((next.noise().unwrap().weight() - b / total).abs() <= tolerance);
            prop_assert_eq!(next.noise().unwrap().log_density().to_bits(), model.noise().unwrap().log_density().to_bits());
            prop_assert!(next.log_likelihood(&x).unwrap() >= whole.log_likelihood() - 1e-9 * whole.log_likelihood().abs());
            prop_assert!(proportions == Proportions::Free || is_equal(&next));
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (x, _) = contaminated(11, [30_011, 3, 4], 900);
    for form in CovarianceType::ALL {
        let em = Em::new(4)
            .covariance(form)
            .noise(NoiseVolume::Box)
            .seed(3)
            .max_iterations(4);
        same_for_any_number_of_threads(|| em.fit(&x).unwrap());
        let equal = em.noise(None).proportions(Proportions::Equal);
        same_for_any_number_of_threads(|| equal.fit(&x).unwrap());
    }
}

#[test]
fn starts_say_what_is_noise_or_leave_it_to_the_fit() {
    let (x, labels) = contaminated(9, [300, 2, 2], 30);
    let em = Em::new(2).noise(NoiseVolume::Box);
    let by_labels = em.fit_from(&x, Start::Labels(&labels)).unwrap();
    let hard = Mat::from_fn(330, 3, |i, k| f64::from(u8::from(labels[i] == k)));
    let by_responsibilities = em
        .fit_from(&x, Start::Responsibilities(hard.as_ref()))
        .unwrap();
    assert_eq!(by_labels, by_responsibilities);
    // Labels without noise, and responsibilities without its column.
    let groups: Vec<usize> = labels.iter().map(|l| l % 2).collect();
    let two = Mat::from_fn(330, 2, |i, k| f64::from(u8::from(groups[i] == k)));
    let silent = em.fit_from(&x, Start::Labels(&groups)).unwrap();
    assert_eq!(
        silent,
        em.fit_from(&x, Start::Responsibilities(two.as_ref()))
            .unwrap()
    );
    assert!((silent.report().log_likelihood - by_labels.report().log_likelihood).abs() < 0.1);
    // A mixture, with noise of its own or without; the settings decide.
    let goes_on = em.fit_from(&x, Start::Mixture(by_labels.model())).unwrap();
    assert!(goes_on.report().trace[0] >= by_labels.report().log_likelihood - 1e-9);
    let begins = em
        .clone()
        .max_iterations(0)
        .fit_from(
            &x,
            Start::Mixture(&by_labels.model().without_noise().unwrap()),
        )
        .unwrap();
    assert!((begins.model().noise().unwrap().weight() - 0.05).abs() < 1e-15);
    let loses = Em::new(2)
        .fit_from(&x, Start::Mixture(by_labels.model()))
        .unwrap();
    assert_eq!(loses.model().noise(), None);
    let error = em.fit_from(&x, Start::Labels(&vec![3; 330])).unwrap_err();
    assert!(matches!(error, Error::StartLabel { label: 3, .. }));
    let error = Em::new(2).fit_from(&x, Start::Labels(&labels)).unwrap_err();
    assert!(matches!(error, Error::StartLabel { label: 2, .. }));
}

#[test]
fn the_volume_is_the_smaller_box_in_any_units() {
    // A thin diagonal: the box along the axes is much smaller than the one along the features. 30 rows are in the middle of it, so that it
    // isn't all noise.
    let x = Mat::from_fn(80, 2, |i, j| {
        let along = if i < 50 {
            i as f64 - 25.0
        } else {
            (i as f64 - 65.0) / 50.0
        };
        let across = [0.1 * (i % 2) as f64, -0.1 * (i % 3) as f64][j];
        (along + across) * [1.0, 1000.0][j]
    });
    let volume = |x: &Mat<f64>, form| {
        let em = Em::new(1).covariance(form).noise(NoiseVolume::Box);
        (-em.fit(x).unwrap().model().noise().unwrap().log_density()).exp()
    };
    let small = volume(&x, CovarianceType::Full);
    assert!(small < 0.05 * 49.0 * 49_000.0, "{small}");
    let other_units = Mat::from_fn(80, 2, |i, j| x[(i, j)] / [3.0, 700.0][j]);
    for form in CovarianceType::ALL {
        // Sums of 80 terms, and eigenvectors of a matrix of condition 1e4.
        let ratio = volume(&other_units, form) * 3.0 * 700.0 / small;
        assert!((ratio - 1.0).abs() < 1e-9, "{form}: {ratio}");
    }
    // Data that are flat along an axis have no box there.
    let flat = Mat::from_fn(80, 2, |i, j| (i as f64).min(40.0) * [1.0, 2.0][j]);
    assert!((volume(&flat, CovarianceType::Full) - 40.0 * 80.0).abs() < 1e-9);
    let given = Em::new(1).noise(NoiseVolume::Log(7.0)).fit(&x).unwrap();
    assert!((given.model().noise().unwrap().log_density() + 7.0).abs() < 1e-14);
}

#[test]
fn a_fit_that_is_all_noise_is_an_error() {
    // Evenly spread rows in their own box: no Gaussian is as dense.
    let x = Mat::from_fn(400, 2, |i, j| [i / 20, i % 20][j] as f64);
    let em = Em::new(1)
        .noise(NoiseVolume::Box)
        .stopping(Stopping::MeanChange(0.0));
    let error = em.max_iterations(100_000).fit(&x).unwrap_err();
    assert!(
        matches!(error, Error::Empty { component: 0, .. }),
        "{error}"
    );
}

#[test]
fn noise_without_a_volume_is_an_error() {
    let constant = Mat::from_fn(20, 2, |i, j| if j == 0 { i as f64 } else { 3.0 });
    let em = Em::new(1).covariance(CovarianceType::Spherical);
    assert!(em.fit(&constant).is_ok());
    let error = em
        .clone()
        .noise(NoiseVolume::Box)
        .fit(&constant)
        .unwrap_err();
    assert_eq!(
        error,
        Error::ConstantFeature {
            feature: 1,
            value: 3.0
        }
    );
    assert!(
        em.clone()
            .noise(NoiseVolume::Log(2.0))
            .fit(&constant)
            .is_ok()
    );
    let error = em
        .noise(NoiseVolume::Log(f64::NAN))
        .fit(&constant)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("log-volume of the noise is NaN")
    );
}

#[test]
fn statistics_with_other_classes_do_not_go_together() {
    let (x, _) = contaminated(1, [100, 2, 2], 10);
    let plain = Em::new(2).fit(&x).unwrap().into_model();
    let noisy = Em::new(2)
        .noise(NoiseVolume::Box)
        .fit(&x)
        .unwrap()
        .into_model();
    let denser = Em::new(2)
        .noise(NoiseVolume::Log(3.0))
        .fit(&x)
        .unwrap()
        .into_model();
    let equal = plain.with_equal_weights();
    let of = SufficientStatistics::zeros;
    for (a, b) in [(&plain, &noisy), (&noisy, &denser), (&plain, &equal)] {
        assert_eq!(of(a).merge(&of(b)), Err(Error::StatisticsClasses));
        assert_eq!(of(a).observe(b, &x), Err(Error::StatisticsClasses));
    }
}
