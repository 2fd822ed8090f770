//! The binary format a second time, written from `FORMAT.md` alone: no bincode, no serde, no crc32fast.
//!
//! It pins what today's code writes, and it makes files with wrong contents and right checksums.

use gmm_core::faer::mat;
use gmm_core::{CovarianceType, Covariances, GaussianMixture, Proportions};
use gmm_io::{ModelFile, encode};
use proptest::prelude::*;

use crate::mixtures::any_model;

/// Puts a valid header in front of any payload.
pub(crate) fn file(payload: &[u8]) -> Vec<u8> {
    file_with_fields(payload, [1, 1, 1, 0])
}

/// The same with these values for version, kind, codec and the reserved field.
pub(crate) fn file_with_fields(payload: &[u8], fields: [u16; 4]) -> Vec<u8> {
    let mut bytes = vec![0x89, 0x47, 0x4d, 0x4d, 0x0d, 0x0a, 0x1a, 0x0a];
    fields
        .iter()
        .for_each(|field| bytes.extend(field.to_le_bytes()));
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(crc32(payload).to_le_bytes());
    bytes.extend(crc32(&bytes).to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// CRC-32 of IEEE 802.3, bit by bit.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

/// A length or number: one byte up to 250, otherwise a mark and the little-endian bytes.
pub(crate) fn integer(value: u64) -> Vec<u8> {
    let bytes = value.to_le_bytes();
    match value {
        0..=250 => vec![bytes[0]],
        251..=0xffff => [&[251], &bytes[..2]].concat(),
        0x1_0000..=0xffff_ffff => [&[252], &bytes[..4]].concat(),
        _ => [&[253], &bytes[..]].concat(),
    }
}

pub(crate) fn numbers(values: &[f64]) -> Vec<u8> {
    let mut bytes = integer(values.len() as u64);
    values
        .iter()
        .for_each(|value| bytes.extend(value.to_le_bytes()));
    bytes
}

fn optional(value: Option<Vec<u8>>) -> Vec<u8> {
    match value {
        Some(bytes) => [vec![1], bytes].concat(),
        None => vec![0],
    }
}

fn payload(file: &ModelFile) -> Vec<u8> {
    let model = file.model();
    let form = match model.covariance_type() {
        CovarianceType::Full => 0,
        CovarianceType::Tied => 1,
        CovarianceType::Diag => 2,
        CovarianceType::Spherical => 3,
        CovarianceType::Evv => 4,
        CovarianceType::Vev => 5,
        CovarianceType::Eev => 6,
        CovarianceType::Vve => 7,
        CovarianceType::Eve => 8,
        CovarianceType::Vee => 9,
        CovarianceType::Evi => 10,
        CovarianceType::Vei => 11,
        CovarianceType::Eei => 12,
        CovarianceType::Eii => 13,
        other => panic!("{other} has no number"),
    };
    let means: Vec<f64> = (0..model.n_components())
        .flat_map(|k| model.means().row(k).iter().copied().collect::<Vec<_>>())
        .collect();
    let names = file.feature_names().map(|names| {
        let text = names.join("\0");
        [integer(text.len() as u64), text.into_bytes()].concat()
    });
    let training = file.training().map(|training| {
        [
            integer(training.n_samples()),
            training.total_weight().to_le_bytes().to_vec(),
            training.log_likelihood().to_le_bytes().to_vec(),
            numbers(training.density_quantiles()),
        ]
        .concat()
    });
    let noise = model.noise().map(|noise| {
        let numbers = [noise.weight(), noise.log_density()];
        numbers.map(f64::to_le_bytes).concat()
    });
    let proportions = match model.proportions() {
        Proportions::Free => 0,
        Proportions::Equal => 1,
        other => panic!("{other:?} has no number"),
    };
    let version_2 = match version(file) {
        1 => Vec::new(),
        _ => [vec![proportions], optional(noise)].concat(),
    };
    [
        vec![form],
        numbers(model.weights()),
        numbers(&means),
        numbers(&model.covariances().blocks().concat()),
        optional(names),
        optional(training),
        version_2,
    ]
    .concat()
}

/// The oldest version that can hold a model.
fn version(file: &ModelFile) -> u16 {
    let model = file.model();
    if model.noise().is_some() || model.proportions() != Proportions::Free {
        2
    } else {
        1
    }
}

#[test]
fn the_checksum_is_the_common_one() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
}

#[test]
fn the_example_in_the_specification_is_a_model() {
    let document = include_str!("../../FORMAT.md");
    let (_, rest) = document.split_once("```text\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let byte = |digits| u8::from_str_radix(digits, 16).unwrap();
    let bytes: Vec<u8> = example.split_whitespace().map(byte).collect();

    let covariances = Covariances::spherical(&[1.0], 1).unwrap();
    let model = GaussianMixture::new(vec![1.0], mat![[0.0]], covariances).unwrap();
    assert_eq!(encode(&model.into()).unwrap(), bytes);
}

proptest! {
    #[test]
    fn the_bytes_are_those_of_the_specification(model in any_model()) {
        prop_assert_eq!(encode(&model).unwrap(), file_with_fields(&payload(&model), [version(&model), 1, 1, 0]));
    }
}
