//! The program from outside: what it prints, which files it leaves, and how it ends.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "helpers of tests stand beside them"
)]

mod common;
mod doubt;
mod ends;
mod errors;
mod faults;
mod fit;
#[path = "../../../../fuzz/replay.rs"]
mod fuzz_regressions;
mod noise;
mod places;
mod reading;
mod select;
mod using;
