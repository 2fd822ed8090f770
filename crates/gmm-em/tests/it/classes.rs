//! Fits with a class of noise, and fits whose weights are held equal.

use gmm_core::faer::Mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Noise, Proportions, Samples};
use gmm_em::{
    Acceleration, ConjugatePrior, Em, Error, Event, Fit, Initialization, NoiseVolume, Precision,
    Regularization, Rescue, Start, Stopping, SufficientStatistics,
};
use gmm_testkit::oracle::{self, mclust};
use gmm_testkit::{data, same_for_any_number_of_threads, strategies};
use proptest::prelude::*;
use rand::Rng;

use crate::laws::slack;
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
        assert!((volume - theirs.volume).abs() <= 1e-12 * theirs.volume, "{form}: {volume}");
        assert_eq!(fit.model().n_free_parameters(), expected.n_parameters);
        let gain = fit.report().log_likelihood - expected.log_likelihood;
        // mclust's VVE is no maximum.
        if form == CovarianceType::Vve {
            assert!(gain >= -1e-6, "{gain:e}");
            continue;
        }
        assert!(gain.abs() <= 1e-6, "{form}: {gain:e}, {}", fit.report());
        worst = worst.max(gain.abs());
        let weights = fit.model().weights().iter().copied().chain([noise.weight()]);
        for (ours, theirs) in weights.zip(&expected.weights) {
            assert!((ours - theirs).abs() <= 1e-5, "{form}: {ours} {theirs}");
        }
    }
    assert_eq!(theirs.fits.len(), 14);
    eprintln!("noise: largest deviation {worst:.2e} nats");
}
