//! A class of noise beside the components, and weights that are held equal.

use gmm_core::block::Frame;
use gmm_core::faer::{Mat, mat};
use gmm_core::{Covariances, Error, GaussianMixture, Noise, Proportions};
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::{bits_of, matrix, mixture_of, mixture_with_rows};

const EPS: f64 = f64::EPSILON;

fn two() -> GaussianMixture {
    let covariances = Covariances::spherical(&[1.0, 2.0], 2).unwrap();
    GaussianMixture::new(vec![0.75, 0.25], mat![[0.0, 1.0], [5.0, 3.0]], covariances).unwrap()
}

fn noisy() -> GaussianMixture {
    two().with_noise(Noise::new(0.1, -5.0).unwrap()).unwrap()
}

proptest! {
    /// log p = log(π₀ / V + (1 - π₀) p') for the mixture p' without noise, and r₀ = π₀ / V / p.
    #[test]
    fn noise_adds_a_constant_to_the_density((m, x) in mixture_with_rows(1..=4, 1..=4, 1..=20), weight in 0.0..0.99, log_density in -20.0..20.0f64) {
        let (plain, x) = (mixture_of(&m), matrix(&x));
        let noisy = plain.with_noise(Noise::new(weight, log_density).unwrap()).unwrap();
        let k = plain.n_components();
        prop_assert_eq!(noisy.n_classes(), k + 1);
        let (of_plain, of_noisy) = (plain.log_density(&x).unwrap(), noisy.log_density(&x).unwrap());
        let (joint, r) = (noisy.log_joint(&x).unwrap(), noisy.responsibilities(&x).unwrap());
        let (labels, uncertainty) = (noisy.predict(&x).unwrap(), noisy.uncertainty(&x).unwrap());
        prop_assert_eq!((joint.ncols(), r.ncols()), (k + 1, k + 1));
        for i in 0..x.nrows() {
            let (a, b) = (weight.ln() + log_density, (1.0 - weight).ln() + of_plain[i]);
            let expected = a.max(b) + (-(a - b).abs()).exp().ln_1p();
            // Each logarithm and sum rounds at the size of what goes in.
            let tolerance = 32.0 * EPS * (k as f64 + of_plain[i].abs() + log_density.abs());
            prop_assert!((of_noisy[i] - expected).abs() <= tolerance, "{} {expected}", of_noisy[i]);
            prop_assert!((r[(i, k)] - (a - of_noisy[i]).exp()).abs() <= 4.0 * tolerance);
            let sum: f64 = r.row(i).iter().sum();
            prop_assert!((sum - 1.0).abs() <= (k + 1) as f64 * EPS);
            let largest = r.row(i).iter().copied().fold(0.0, f64::max);
            prop_assert_eq!(r[(i, labels[i])].to_bits(), largest.to_bits());
            let others: f64 = (0..=k).filter(|c| *c != labels[i]).map(|c| r[(i, c)]).sum();
            prop_assert_eq!(uncertainty[i].to_bits(), others.to_bits());
            prop_assert!((1.0 - largest - uncertainty[i]).abs() <= (k + 1) as f64 * EPS);
        }
        prop_assert_eq!(noisy.mahalanobis_squared(&x).unwrap().ncols(), k);
    }

    /// Noise without weight changes no density, and dropping noise gives back the mixture.
    #[test]
    fn noise_that_is_not_there_changes_nothing((m, x) in mixture_with_rows(1..=3, 1..=4, 1..=20)) {
        let (plain, x) = (mixture_of(&m), matrix(&x));
        let none = plain.with_noise(Noise::new(0.0, 3.0).unwrap()).unwrap();
        for (a, b) in plain.log_density(&x).unwrap().iter().zip(&none.log_density(&x).unwrap()) {
            prop_assert!((a - b).abs() <= 8.0 * EPS * (1.0 + a.abs()));
        }
        let back = plain.with_noise(Noise::new(0.5, 3.0).unwrap()).unwrap().without_noise().unwrap();
        prop_assert_eq!(back.noise(), None);
        for (a, b) in plain.weights().iter().zip(back.weights()) {
            prop_assert!((a - b).abs() <= 4.0 * EPS);
        }
    }

    /// In other coordinates the density of the noise has the same factor as all others, so that nothing else changes a bit.
    #[test]
    fn frames_move_the_density_of_noise(low in -1e3..1e3f64, width in 1e-3..1e6f64, seed in 0usize..100) {
        // Full, so that each feature may have a unit of its own.
        let model = noisy().to_full().unwrap();
        let frame = Frame::of_ranges(&[(low, low + width), (-1.0, width)]);
        let inside = model.to_frame(&frame).unwrap();
        let jacobian = frame.log_jacobian();
        let density = inside.noise().unwrap().log_density();
        prop_assert!((density + 5.0 + jacobian).abs() <= 4.0 * EPS * (5.0 + jacobian.abs()));
        prop_assert_eq!(inside.noise().unwrap().weight().to_bits(), 0.1f64.to_bits());
        let back = inside.from_frame(&frame).unwrap();
        prop_assert!((back.noise().unwrap().log_density() + 5.0).abs() <= 8.0 * EPS * (5.0 + jacobian.abs()));
        let x = Mat::from_fn(5, 2, |i, j| ((seed + i * 3 + j) % 17) as f64 / 4.0);
        let there = Mat::from_fn(5, 2, |i, j| frame.to_frame(j, x[(i, j)]));
        let (a, b) = (model.log_density(&x).unwrap(), inside.log_density(&there).unwrap());
        for (a, b) in a.iter().zip(&b) {
            // Means and rows are rounded at their size in the frame, of units that may be a millionth of a standard deviation's.
            prop_assert!((a - (b + jacobian)).abs() <= 1e-9 * (1.0 + a.abs() + jacobian.abs()), "{a} {b} {jacobian}");
        }
    }
}

#[test]
fn a_row_far_from_everything_is_noise() {
    let model = noisy();
    // Squared distances overflow in the last row.
    let x = mat![[0.0, 1.0], [50.0, -50.0], [1e200, 0.0]];
    assert_eq!(model.predict(&x).unwrap(), [0, 2, 2]);
    let floor = 0.1f64.ln() - 5.0;
    let density = model.log_density(&x).unwrap();
    assert!((density[1] - floor).abs() <= 4.0 * EPS * floor.abs());
    assert_eq!(density[1].to_bits(), density[2].to_bits());
    assert_eq!(model.responsibilities(&x).unwrap()[(2, 2)], 1.0);
    // Without noise such a row belongs to the nearest component.
    assert_eq!(two().predict(&x).unwrap()[2], 1);
    let mut small = Mat::zeros(3, 2);
    let refused = model.responsibilities_into(&x, small.as_mut());
    assert_eq!(
        refused,
        Err(Error::OutputSize {
            found: 6,
            expected: 9
        })
    );
    let mut wide = Mat::zeros(3, 3);
    model.responsibilities_into(&x, wide.as_mut()).unwrap();
    assert_eq!(
        bits_of(&wide),
        bits_of(&model.responsibilities(&x).unwrap())
    );
}

#[test]
fn parameters_are_counted() {
    // Spherical: 2 variances, 4 coordinates, 1 weight; noise has a weight and a volume.
    assert_eq!(two().n_free_parameters(), 7);
    assert_eq!(noisy().n_free_parameters(), 9);
    assert_eq!(two().with_equal_weights().n_free_parameters(), 6);
    assert_eq!(noisy().with_equal_weights().n_free_parameters(), 8);
}

#[test]
fn derived_mixtures_keep_noise_and_proportions() {
    let equal = noisy().with_equal_weights();
    assert_eq!(equal.weights(), [0.45, 0.45]);
    assert_eq!(equal.proportions(), Proportions::Equal);
    assert_ne!(equal, equal.with_proportions(Proportions::Free).unwrap());
    for derived in [
        equal.sorted(),
        equal.select(&[1, 0]).unwrap(),
        equal.to_full().unwrap(),
        equal.extrapolate(&equal, 3.0).unwrap(),
        equal.to_frame(&Frame::identity(2)).unwrap(),
    ] {
        assert_eq!(derived.noise(), equal.noise());
        assert_eq!(derived.weights(), equal.weights());
        assert_eq!(derived.proportions(), Proportions::Equal);
    }
    // A part of the features says nothing of where noise is, so that only mixtures without it have one.
    let bare = equal.without_noise().unwrap();
    let again = bare.with_noise(Noise::new(0.3, -2.0).unwrap()).unwrap();
    for derived in [&bare, &again, &bare.marginal(&[1]).unwrap()] {
        assert_eq!(derived.proportions(), Proportions::Equal);
    }
    // Of a matrix that all share there are as many as components that are left.
    let tied = Covariances::tied(Mat::<f64>::identity(2, 2).as_ref(), 3).unwrap();
    let three = GaussianMixture::new(vec![0.25, 0.25, 0.5], Mat::zeros(3, 2), tied).unwrap();
    let left = three.select(&[2, 0]).unwrap();
    assert_eq!(left.covariances().n_components(), 2);
    let one = equal.select(&[1]).unwrap();
    assert!((one.weights()[0] - 0.9).abs() <= 2.0 * EPS);
    assert_eq!(one.noise(), equal.noise());
    // Noise has no mean; that of the components is what it was.
    let (a, b) = (two(), noisy());
    for j in 0..2 {
        assert!((a.mean()[j] - b.mean()[j]).abs() <= 8.0 * EPS * 5.0);
        assert!((a.covariance()[(j, j)] - b.covariance()[(j, j)]).abs() <= 8.0 * EPS * 25.0);
    }
}

/// Weights that are held equal are equal, to a part in a million.
#[test]
fn proportions_are_what_the_weights_allow() {
    let held = noisy().with_equal_weights();
    let free = held.with_proportions(Proportions::Free).unwrap();
    assert_eq!(free.proportions(), Proportions::Free);
    assert_eq!(free.with_proportions(Proportions::Equal).unwrap(), held);
    match two().with_proportions(Proportions::Equal) {
        Err(Error::UnequalWeights {
            component,
            value,
            expected,
        }) => assert_eq!(
            (component, value, expected),
            (
                0,
                two().weights()[0],
                0.5 * (two().weights()[0] + two().weights()[1])
            )
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn longer_steps_move_noise_as_a_class() {
    let to = two().with_noise(Noise::new(0.2, -5.0).unwrap()).unwrap();
    let beyond = noisy().extrapolate(&to, 2.0).unwrap();
    // Weights go on geometrically: 0.1, 0.2, 0.4 for noise and 0.9, 0.8, 0.8²/0.9 for the rest, divided by their sum.
    let rest = 0.64 / 0.9;
    let w0 = beyond.noise().unwrap().weight();
    assert!((w0 - 0.4 / (0.4 + rest)).abs() <= 8.0 * EPS);
    assert!((beyond.weights()[0] - 0.75 * (1.0 - w0)).abs() <= 8.0 * EPS);
    assert_eq!(
        two()
            .extrapolate(&to, 1.0)
            .unwrap()
            .noise()
            .unwrap()
            .weight(),
        0.2 / 1.0
    );
}

#[test]
fn what_needs_the_place_of_noise_is_refused() {
    let model = noisy();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
    let message = |error: Error| error.to_string();
    assert_eq!(
        message(model.sample(3, &mut rng).unwrap_err()),
        "a mixture with noise has no sample, since the place of the noise is not known; take the mixture without noise"
    );
    let marginal = model.marginal(&[0]).unwrap_err();
    assert_eq!(
        marginal,
        Error::Noise {
            operation: "marginal"
        }
    );
    let conditional = model.conditional(&[(0, 1.0)]).unwrap_err();
    assert_eq!(
        conditional,
        Error::Noise {
            operation: "conditional"
        }
    );
    assert!(model.without_noise().unwrap().marginal(&[0]).is_ok());
    assert_eq!(
        message(Noise::new(1.0, 0.0).unwrap_err()),
        "the weight of the noise is 1; it must be 0 or more and below 1, so that something is left to the components"
    );
    assert!(Noise::new(f64::NAN, 0.0).is_err() && Noise::new(-0.1, 0.0).is_err());
    assert_eq!(
        message(Noise::new(0.5, f64::INFINITY).unwrap_err()),
        "the log-density of the noise is inf; it must be finite, minus the logarithm of a volume"
    );
    assert_eq!(
        message(two().with_proportions(Proportions::Equal).unwrap_err()),
        "the weight of component 0 is 0.75 where equal weights are 0.5; equal proportions need equal weights"
    );
    let noise = Noise::new(0.25, 0.0).unwrap();
    let whole = GaussianMixture::new_with_noise(
        vec![0.75, 0.25],
        mat![[0.0], [1.0]],
        Covariances::spherical(&[1.0, 1.0], 1).unwrap(),
        noise,
    );
    assert_eq!(whole.unwrap_err(), Error::WeightSum { sum: 1.25 });
}
