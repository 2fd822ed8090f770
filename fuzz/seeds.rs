//! The inputs that are kept for a fuzz target, in one file: each behind its length, four bytes with the lowest first.
//!
//! Read by `cargo xtask fuzz` and by the tests that replay the inputs.

/// The inputs of such a file, in order; what is cut off at its end is left out.
pub(super) fn unpack(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((input, rest)) = rest.split_at_checked(length) else {
            break;
        };
        inputs.push(input.to_vec());
        bytes = rest;
    }
    inputs
}
