//! The reference is right: against closed forms, against 2400-bit arithmetic, against mclust.
#![allow(
    clippy::unwrap_used,
    reason = "a test that unwraps fails with a line number"
)]

mod closed_forms;
mod cluster;
mod data;
mod exact;
mod faults;
mod identities;
mod mclust;
mod metrics;
mod strategies;
mod sum;

/// Asserts |q - c| <= tolerance x max(1, |c|); a NaN fails.
#[track_caller]
fn assert_close(q: f64, c: f64, tolerance: f64) {
    let error = gmm_testkit::oracle::metrics::log_values(&[q], &[c]);
    assert!(
        error <= tolerance,
        "{q} is not {c}: off by {error:.2e}, allowed are {tolerance:.2e}"
    );
}
