//! What the fuzz targets do, as plain functions of bytes.
//!
//! Each body turns bytes into a call, makes the call and checks properties that hold for every input. The programs of
//! fuzz_targets/ feed the bodies with what libFuzzer invents; `replay.rs` feeds them, as ordinary tests on stable, with
//! the regressions, with pseudo-random bytes and with valid inputs that were damaged. The files are also included by
//! those tests, so they name each other by `super` and depend on nothing but the gmm crates and rand_xoshiro.
#![allow(
    unreachable_pub,
    reason = "as a module of the replaying tests nobody outside reaches these functions"
)]

mod bytes;
mod csv;
mod density;
mod fit;
mod json;
mod kernels;
mod load;
mod merge;
mod model;
mod npy;
mod precision;
mod search;
mod sums;

pub use self::csv::csv;
pub use self::density::density;
pub use self::fit::fit;
pub use self::json::json;
pub use self::kernels::kernels;
pub use self::load::load;
pub use self::merge::merge;
pub use self::npy::npy;
pub use self::precision::precision;
pub use self::search::search;

/// How far an input came. A body that refuses nearly everything checks nearly nothing: the replay counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The input was refused with a typed error, as it may be.
    Refused,
    /// The call came to a result and the result has the promised properties.
    Checked,
}

/// An error speaks in the style of this project: a part of a sentence.
pub(crate) fn check_message(error: &dyn std::error::Error) {
    let message = error.to_string();
    assert!(
        !message.is_empty() && !message.ends_with('.'),
        "message: {message:?}"
    );
    // Two lists of eight columns with names of 40 characters are the most there is to say; a character has up to four bytes.
    assert!(
        !message.contains('\n') && message.chars().count() < 1200,
        "message: {message:?}"
    );
}
