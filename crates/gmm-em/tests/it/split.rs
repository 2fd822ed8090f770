//! Starts by splitting: they find what k-means misses, whatever the units, the offset and the weights.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Samples};
use gmm_em::{Em, Initialization, derived_seed};
use gmm_testkit::data;
use gmm_testkit::naive::adjusted_rand_index;

#[test]
fn parallel_cigars_of_any_aspect_are_found() {
    for aspect in [1.0, 2.0, 5.0, 10.0, 20.0, 40.0] {
        for seed in 0..4 {
            let cigars = data::cigars(seed, 900, 3, aspect);
            for form in [CovarianceType::Full, CovarianceType::Tied] {
                let fit = Em::new(3)
                    .covariance(form)
                    .seed(seed)
                    .fit(&cigars.x)
                    .unwrap();
                let labels = fit.model().predict(&cigars.x).unwrap();
                let index = adjusted_rand_index(&labels, &cigars.labels);
                assert!(
                    index > 0.99,
                    "{form}, aspect {aspect}, seed {seed}: {index}"
                );
            }
        }
    }
}

#[test]
fn one_split_start_finds_what_ten_k_means_starts_find_or_better() {
    for (seed, n_components, n_features) in
        [(2, 5, 5), (0, 10, 5), (1, 10, 5), (0, 8, 10), (3, 8, 10)]
    {
        let x = data::separated(seed, 2000, n_features, n_components).x;
        let fit = |start, seed| {
            let em = Em::new(n_components).initialization(start).seed(seed);
            em.fit(&x).unwrap().report().mean_log_likelihood()
        };
        let ten = (0..10)
            .map(|i| fit(Initialization::KMeans, derived_seed(1, i)))
            .fold(f64::NEG_INFINITY, f64::max);
        let one = fit(Initialization::Split, 1);
        assert!(one >= ten - 1e-6, "seed {seed}: {one}, k-means has {ten}");
    }
}

#[test]
fn units_do_not_matter() {
    let x = data::overlapping(31, 500, 3, 4).x;
    let units = [3.0, 1e-5, 7e9];
    let other = Mat::from_fn(500, 3, |i, j| x[(i, j)] * units[j]);
    let log_jacobian: f64 = 500.0 * units.iter().map(|u| u.ln()).sum::<f64>();
    for form in [
        CovarianceType::Full,
        CovarianceType::Tied,
        CovarianceType::Diag,
    ] {
        let em = Em::new(4).covariance(form);
        let one = em.fit(&x).unwrap().report().log_likelihood;
        let two = em.fit(&other).unwrap().report().log_likelihood + log_jacobian;
        // Twice what the stopping rule leaves.
        assert!((one - two).abs() < 2e-3, "{form}: {one} {two}");
    }
}

#[test]
fn the_size_of_weights_does_not_matter() {
    let x = data::overlapping(32, 400, 2, 3).x;
    let em = Em::new(3);
    let plain = em.fit(&x).unwrap();
    for weight in [1e-100, 0.001, 1e100] {
        let weights = vec![weight; 400];
        let fit = em.fit(Samples::from(&x).with_weights(&weights)).unwrap();
        let difference = fit.report().mean_log_likelihood() - plain.report().mean_log_likelihood();
        assert!(difference.abs() < 1e-5, "{weight:e}: {difference:e}");
    }
}

/// A part of a large table leads to the fit of the whole.
#[test]
fn large_tables_are_searched_in_part() {
    let large = data::separated(33, 30_000, 4, 6);
    let fit = Em::new(6).fit(&large.x).unwrap();
    let labels = fit.model().predict(&large.x).unwrap();
    assert!(adjusted_rand_index(&labels, &large.labels) > 0.99);
}

#[test]
fn rows_that_repeat_and_columns_without_spread_are_no_obstacle() {
    let grid = data::integer_grid(8, 2).x;
    let constant = Mat::from_fn(100, 2, |i, j| if j == 0 { (i % 10) as f64 } else { 4.0 });
    for form in CovarianceType::ALL {
        let fit = Em::new(4).covariance(form).fit(&grid).unwrap();
        assert!(fit.report().log_likelihood.is_finite(), "{form}");
    }
    let round = Em::new(3).covariance(CovarianceType::Spherical);
    assert!(
        round
            .fit(&constant)
            .unwrap()
            .report()
            .log_likelihood
            .is_finite()
    );
}
