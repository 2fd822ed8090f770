//! Fits whose weights are held equal.

use gmm_core::{CovarianceType, GaussianMixture, Proportions};
use gmm_em::{Em, Event, NoiseVolume, Precision, Start};
use gmm_testkit::data;

/// Weights are 1/K of what noise leaves, to the last bit alike.
pub(crate) fn is_equal(model: &GaussianMixture) -> bool {
    let share = 1.0 - model.noise().map_or(0.0, |noise| noise.weight());
    let each = share / model.n_components() as f64;
    let first = model.weights()[0];
    model
        .weights()
        .iter()
        .all(|w| w.to_bits() == first.to_bits())
        && (first - each).abs() <= 4.0 * f64::EPSILON
        && model.proportions() == Proportions::Equal
}

#[test]
fn equal_weights_are_all_that_equal_proportions_change_in_a_step() {
    let set = data::unbalanced(2, 300, 2, 3, 5.0);
    for form in CovarianceType::ALL {
        let em = Em::new(3).covariance(form).max_iterations(1);
        let free = em.fit_from(&set.x, Start::Labels(&set.labels)).unwrap();
        let em = em.proportions(Proportions::Equal);
        let equal = em.fit_from(&set.x, Start::Labels(&set.labels)).unwrap();
        assert!(free.model().means() == equal.model().means());
        assert_eq!(free.model().covariances(), equal.model().covariances());
        assert_eq!(equal.model().weights(), [1.0 / 3.0; 3]);
        assert!(free.report().log_likelihood > equal.report().log_likelihood);
    }
}

#[test]
fn the_living_share_the_weight_of_the_dead() {
    let set = data::separated(4, 200, 2, 2);
    // Nothing belongs to the third component.
    for noise in [None, Some(NoiseVolume::Box)] {
        let em = Em::new(3).proportions(Proportions::Equal).noise(noise);
        let fit = em.fit_from(&set.x, Start::Labels(&set.labels)).unwrap();
        assert!(matches!(
            fit.report().events[..],
            [Event::Dropped { component: 2, .. }]
        ));
        assert_eq!(fit.model().n_components(), 2);
        assert!(is_equal(fit.model()));
    }
}

#[test]
fn shortcuts_respect_equal_proportions() {
    // Tied fits by the scatter of the data, many components by blocks that lie together, and single precision.
    let set = data::separated(5, 4000, 2, 40);
    for (form, k, precision) in [
        (CovarianceType::Tied, 4, Precision::Double),
        (CovarianceType::Full, 40, Precision::Double),
        (CovarianceType::Diag, 4, Precision::Mixed),
    ] {
        let em = Em::new(k)
            .covariance(form)
            .precision(precision)
            .proportions(Proportions::Equal);
        let fit = em.fit(&set.x).unwrap();
        assert!(is_equal(fit.model()), "{form} {k}");
        assert!(
            fit.report()
                .trace
                .windows(2)
                .all(|pair| pair[1] > pair[0] - 1e-3)
        );
    }
}
