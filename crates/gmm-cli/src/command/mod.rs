//! The subcommands, one file each.

pub(crate) mod check;
pub(crate) mod combine;
pub(crate) mod describe;
pub(crate) mod fit;
mod fitted;
pub(crate) mod predict;
pub(crate) mod sample;
pub(crate) mod score;
pub(crate) mod select;
pub(crate) mod test;

/// How a command ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The user asked to stop, and the best so far was printed.
    Interrupted,
}
