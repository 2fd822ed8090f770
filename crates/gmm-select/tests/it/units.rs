//! What is chosen doesn't depend on the units of the data.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, GaussianMixture, Proportions};
use gmm_em::{Em, NoiseVolume, Stopping};
use gmm_select::{Criterion, Search, Selection};
use gmm_testkit::data;

fn scaled(x: &Mat<f64>, units: &[f64]) -> Mat<f64> {
    Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] * units[j])
}

fn run(x: &Mat<f64>, forms: &[CovarianceType], em: &Em) -> Selection {
    let em = em.clone().stopping(Stopping::RemainingGain(1e-8));
    let search = Search::over(1..=4).covariances(forms.iter().copied());
    search.starts(3).em(em).run(x).unwrap()
}

/// Each candidate's criterion is moved by 2 n Σ ln aⱼ, so that differences and the choice stay.
fn assert_same_choice(x: &Mat<f64>, forms: &[CovarianceType], units: &[f64]) {
    assert_same_choice_of(x, &scaled(x, units), forms, units, &Em::new(1));
}

/// `other` is the table `x` in those units, and maybe from another origin.
fn assert_same_choice_of(
    x: &Mat<f64>,
    other: &Mat<f64>,
    forms: &[CovarianceType],
    units: &[f64],
    em: &Em,
) {
    let (plain, other) = (run(x, forms, em), run(other, forms, em));
    let (a, b) = (plain.best_candidate(), other.best_candidate());
    assert_eq!(
        (a.n_components, a.covariance),
        (b.n_components, b.covariance),
        "{units:?}"
    );
    let shift = 2.0 * x.nrows() as f64 * units.iter().map(|u| u.ln()).sum::<f64>();
    for (a, b) in plain.candidates().iter().zip(other.candidates()) {
        let what = format!("{} {} {units:?}", a.n_components, a.covariance);
        let (Some(before), Some(after)) = (plain.value(a), other.value(b)) else {
            assert_eq!(a.fitted.is_err(), b.fitted.is_err(), "{what}");
            continue;
        };
        // Both fits stop within 1e-8 nats of what Aitken's estimate says is left, which is right to a factor of a hundred.
        let bound = 2e-6 + 1e-12 * (before.abs() + shift.abs());
        let off = (after - before - shift).abs();
        assert!(off <= bound, "{what}: {before} and {after}, off by {off:e}");
    }
}

#[test]
fn a_common_unit_changes_no_choice() {
    let x = data::separated(21, 150, 2, 3).x;
    // Powers of two change no bit of a path, others its rounding: inches to centimetres, and the ends of the range.
    for unit in [2.54, 0.25, 2f64.powi(400), 1e-145, 1e145] {
        assert_same_choice(&x, &CovarianceType::ALL, &[unit; 2]);
    }
}

#[test]
fn units_of_their_own_change_no_choice_of_scale_free_forms() {
    let x = data::separated(22, 150, 2, 3).x;
    let forms: Vec<_> = (CovarianceType::ALL.into_iter())
        .filter(|form| form.is_scale_free())
        .collect();
    assert_eq!(forms.len(), 8);
    for units in [[2.54, 0.4536], [1e-145, 1e145], [1e6, 1e-9]] {
        assert_same_choice(&x, &forms, &units);
    }
}

/// Another origin, a class of noise and equal weights: the choice is that of the same rows in their own units.
#[test]
fn an_origin_changes_no_choice_with_noise_or_equal_weights_either() {
    let x = data::separated(24, 150, 2, 3).x;
    for (em, unit, origin) in [
        (Em::new(1), 1.0, 1e9),
        (Em::new(1), 1e145, 4e150),
        (Em::new(1).noise(NoiseVolume::Box), 2.54, -3e6),
        (Em::new(1).proportions(Proportions::Equal), 1e-145, 1e-137),
    ] {
        let moved = Mat::from_fn(150, 2, |i, j| x[(i, j)] * unit + origin);
        // What is left of a cell at an offset: the difference is exact.
        let plain = Mat::from_fn(150, 2, |i, j| (moved[(i, j)] - origin) / unit);
        assert_same_choice_of(&plain, &moved, &CovarianceType::ALL, &[unit; 2], &em);
    }
}

/// Every criterion moves as BIC does.
#[test]
fn criteria_move_by_the_same_constant() {
    let x = data::separated(23, 120, 2, 2).x;
    let model = gmm_em::Em::new(2).fit(&x).unwrap().into_model();
    let unit = 2f64.powi(-37);
    let small = scaled(&x, &[unit; 2]);
    let other = gmm_em::Em::new(2).fit(&small).unwrap().into_model();
    let scores = gmm_select::Scores::new(&model, &x).unwrap();
    let moved = gmm_select::Scores::new(&other, &small).unwrap();
    let shift = 2.0 * 120.0 * 2.0 * unit.ln();
    for criterion in (Criterion::ALL.into_iter()).filter(|c| c.is_penalized_deviance()) {
        let off = criterion.value(&moved) - criterion.value(&scores) - shift;
        // The constant is 12 000 nats, rounded at its own size in two sums.
        assert!(
            off.abs() <= 16.0 * f64::EPSILON * shift.abs(),
            "{criterion:?}: {off:e}"
        );
    }
    // Entropies and gains are the same in any units, so that NEC doesn't move.
    let nec = |model: &GaussianMixture, x: &Mat<f64>| {
        let one = gmm_em::Em::new(1).fit(x).unwrap().into_model();
        let of_one = gmm_select::Scores::new(&one, x).unwrap();
        let scores = gmm_select::Scores::new(model, x).unwrap();
        Criterion::Nec.value(&scores.with_one_component(&of_one))
    };
    let (a, b) = (nec(&model, &x), nec(&other, &small));
    // The gain is a difference of numbers of 6000 nats.
    assert!((a - b).abs() <= 1e-9 * a.abs(), "{a:e} {b:e}");
}
