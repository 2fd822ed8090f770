//! The target `load`: no bytes harm the reader of models, and what is read is kept to the bit.

use std::io::{self, Read};

use gmm_io::{ModelError, ModelFile, Training, decode, encode, from_json, to_json};

use super::bytes::Bytes;
use super::{Outcome, check_message, model};

/// Reads the input as a model file: as it is, as the payload behind a header that is in order, or as a model to be
/// written first. Checks
/// - that reading ends with a model or an error, the same from memory and from a reader that hands out pieces;
/// - that a model that was read is written, in either format, and read back as it was;
/// - that writing it again gives the same bytes, those of the file where the file was written by these rules;
/// - that a file with a changed byte is refused.
pub fn load(data: &[u8]) -> Outcome {
    let mut bytes = Bytes::new(data);
    match bytes.byte() % 4 {
        0 => read(bytes.rest()),
        1 => read(&with_header(bytes.rest())),
        2 => json(bytes.rest()),
        _ => written(&mut bytes),
    }
}

fn read(bytes: &[u8]) -> Outcome {
    let pieces = ModelFile::read_from(Pieces(bytes));
    match decode(bytes) {
        Ok(file) => {
            assert_eq!(pieces.expect("what is read whole is read in pieces"), file);
            round_trip(&file);
            let again = encode(&file).expect("a small model can be written");
            // Lengths may be written longer than needed, and the triangles of a matrix may differ by rounding.
            if again.len() == bytes.len() && decode_is_exact(&file) {
                assert_eq!(again, bytes, "a file changes when it is written again");
            }
            Outcome::Checked
        }
        Err(error) => {
            check_message(&error);
            if !matches!(error, ModelError::NotAModel) {
                let other = pieces.expect_err("what is refused whole is refused in pieces");
                // What is cut short or goes on is known by its true length in memory only.
                assert!(
                    other.to_string() == error.to_string()
                        || matches!(other, ModelError::Truncated { .. }),
                    "whole: {error}, in pieces: {other}"
                );
            }
            Outcome::Refused
        }
    }
}

/// Whether every number of the file is kept as it stands: the triangles of a dense matrix are averaged.
fn decode_is_exact(file: &ModelFile) -> bool {
    file.model()
        .covariances()
        .blocks()
        .iter()
        .all(|block| block.len() <= file.model().n_features())
}

fn json(text: &[u8]) -> Outcome {
    match from_json(text) {
        Ok(file) => {
            round_trip(&file);
            Outcome::Checked
        }
        Err(error) => {
            check_message(&error);
            Outcome::Refused
        }
    }
}

/// A model from the bytes of the input, written, and damaged at a place from the input.
fn written(bytes: &mut Bytes<'_>) -> Outcome {
    let Ok(model) = model::mixture(bytes) else {
        return Outcome::Refused;
    };
    let names: Vec<String> = (0..model.n_features()).map(|_| name(bytes)).collect();
    let n_log_densities = bytes.count(0, 8);
    let log_densities = bytes.numbers(n_log_densities);
    let mut file = ModelFile::from(model);
    match file.clone().with_feature_names(names) {
        Ok(named) => file = named,
        Err(error) => check_message(&error),
    }
    match Training::from_log_densities(&log_densities, None) {
        Ok(training) => file = file.with_training(training),
        Err(error) => check_message(&error),
    }
    round_trip(&file);

    let mut damaged = encode(&file).expect("a small model can be written");
    let at = (bytes.bits() % damaged.len() as u64) as usize;
    damaged[at] ^= bytes.byte().max(1);
    let error = decode(&damaged).expect_err("a checksum notices every changed byte");
    check_message(&error);
    Outcome::Checked
}

/// Up to four letters, of which some need quoting, take several bytes, or are not allowed.
fn name(bytes: &mut Bytes<'_>) -> String {
    let len = bytes.count(0, 4);
    (0..len)
        .map(|_| {
            bytes.pick([
                'a',
                'b',
                ' ',
                '"',
                '\\',
                '\n',
                'é',
                '\u{1F600}',
                '\u{7f}',
                ',',
                '\0',
            ])
        })
        .collect()
}

fn round_trip(file: &ModelFile) {
    let bytes = encode(file).expect("a small model can be written");
    let again = decode(&bytes).expect("what was written can be read");
    assert_eq!(&again, file, "the binary format changed the model");
    assert_eq!(
        encode(&again).expect("as before"),
        bytes,
        "the binary format is not stable"
    );
    let text = to_json(file).expect("a small model can be written");
    let again = from_json(&text).expect("what was written can be read");
    assert_eq!(&again, file, "JSON changed the model");
    assert_eq!(
        to_json(&again).expect("as before"),
        text,
        "JSON is not stable"
    );
    assert_eq!(
        &ModelFile::read_from(text.as_bytes()).expect("the content tells the format"),
        file
    );
}

/// A payload behind a header that is in order, so that it is looked at at all. Written from the specification of the
/// format, not with the code that is tested.
fn with_header(payload: &[u8]) -> Vec<u8> {
    let mut file = b"\x89GMM\r\n\x1a\n\x01\0\x01\0\x01\0\0\0".to_vec();
    file.extend((payload.len() as u64).to_le_bytes());
    file.extend(crc32(payload).to_le_bytes());
    file.extend(crc32(&file).to_le_bytes());
    file.extend(payload);
    file
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| shift(crc))
    })
}

/// A reader that hands out three bytes at a time.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.len().min(buffer.len()).min(3);
        buffer[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}
