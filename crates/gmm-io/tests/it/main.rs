//! The tests of gmm-io, one binary for all.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a panic is how a test fails, and files must give back the very same bits"
)]

mod artefacts;
mod by_hand;
mod columns;
mod csv;
mod damage;
mod dialects;
mod json;
mod messages;
mod mixtures;
mod npy;
mod read_table;
mod round_trip;
mod row_names;
mod saving;
mod training;
