//! Files that were cut, changed, joined or made to do harm: each is an error, none is a panic or a flood of memory.

use gmm_core::CovarianceType;
use gmm_io::{ModelError, ModelFile, decode, encode, from_json, to_json};
use proptest::prelude::*;

use crate::by_hand::{file, file_with_fields, integer, numbers};
use crate::mixtures::{any_model, small, small_of_version_2};

fn error(bytes: &[u8]) -> ModelError {
    let from_bytes = decode(bytes).unwrap_err();
    let from_reader = ModelFile::read_from(bytes).unwrap_err();
    // JSON is for `read_from` alone; with everything else the two agree.
    if !bytes.starts_with(b"{") {
        assert_eq!(from_bytes.to_string(), from_reader.to_string());
    }
    from_bytes
}

/// Files of every form in version 1, and one of each form in version 2.
fn of_both_versions() -> impl Iterator<Item = (CovarianceType, Vec<u8>)> {
    CovarianceType::ALL.into_iter().flat_map(|form| {
        let models = [small(form), small_of_version_2(form, true, true)];
        models.map(|model| (form, encode(&model).unwrap()))
    })
}

#[test]
fn every_cut_is_an_error() {
    for (form, bytes) in of_both_versions() {
        for len in 0..bytes.len() {
            let error = error(&bytes[..len]);
            let expected = match len {
                0 => matches!(error, ModelError::NotAModel),
                _ => matches!(error, ModelError::Truncated { found, .. } if found == len as u64),
            };
            assert!(expected, "{form} cut to {len} bytes: {error:?}");
        }
    }
}

#[test]
fn every_changed_bit_is_an_error() {
    for (form, bytes) in of_both_versions() {
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let error = error(&changed);
            let expected = match bit / 8 {
                0..8 => matches!(error, ModelError::NotAModel),
                8..10 => matches!(
                    error,
                    ModelError::NewerVersion { .. } | ModelError::Checksum { .. }
                ),
                _ => matches!(error, ModelError::Checksum { .. }),
            };
            assert!(expected, "{form} bit {bit}: {error:?}");
        }
    }
}

#[test]
fn what_is_appended_is_noticed() {
    let mut bytes = encode(&small(CovarianceType::Diag)).unwrap();
    let expected = bytes.len() as u64;
    for extra in [b"\n".as_slice(), b"\0\0\0\0", &bytes.clone()] {
        let longer = [&bytes, extra].concat();
        assert!(
            matches!(error(&longer), ModelError::TrailingBytes { expected: e } if e == expected)
        );
    }
    // Within the payload, under a right checksum.
    bytes.drain(..32);
    bytes.push(0);
    assert!(matches!(error(&file(&bytes)), ModelError::Payload));
}

#[test]
fn files_of_other_kinds_are_no_models() {
    for bytes in [
        b"".as_slice(),
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        b"\x93NUMPY\x01\x00",
        b"1,2\n3,4\n",
        b"\x89GMM\n\x1a\n and so on: a transfer as text has eaten the carriage return",
    ] {
        assert!(matches!(error(bytes), ModelError::NotAModel), "{bytes:?}");
    }
    for text in ["", "[1, 2]", "null", "{}", "{\"format\": \"other\"}"] {
        assert!(
            matches!(from_json(text).unwrap_err(), ModelError::NotAModel),
            "{text:?}"
        );
    }
}

#[test]
fn newer_versions_are_told_before_anything_else() {
    let payload = &encode(&small(CovarianceType::Full)).unwrap()[32..];
    for version in [3, 4, u16::MAX] {
        let newer = file_with_fields(payload, [version, 9, 9, 9]);
        // Whatever stands behind the version may be laid out in another way.
        for bytes in [
            newer.as_slice(),
            &newer[..10],
            &[&newer[..10], &[0xff; 50]].concat(),
        ] {
            assert!(
                matches!(error(bytes), ModelError::NewerVersion { found, supported: 2 } if found == u64::from(version))
            );
        }
    }
    let json = to_json(&small(CovarianceType::Full)).unwrap();
    let newer = json.replace("\"version\": 1", "\"version\": 3, \"unheard_of\": {}");
    assert!(matches!(
        from_json(newer).unwrap_err(),
        ModelError::NewerVersion {
            found: 3,
            supported: 2
        }
    ));
}

#[test]
fn header_fields_without_meaning_are_named() {
    let payload = &encode(&small(CovarianceType::Full)).unwrap()[32..];
    for (fields, message) in [
        (
            [0, 1, 1, 0],
            "the model file's format version is 0, expected 1; write the model again",
        ),
        (
            [1, 2, 1, 0],
            "the model file's kind is 2, expected 1; write the model again",
        ),
        (
            [1, 1, 7, 0],
            "the model file's codec is 7, expected 1; write the model again",
        ),
        (
            [1, 1, 1, 1],
            "the model file's reserved field is 1, expected 0; write the model again",
        ),
    ] {
        assert_eq!(
            error(&file_with_fields(payload, fields)).to_string(),
            message
        );
    }
}

#[test]
fn a_payload_length_is_not_believed() {
    // (length claimed, whether it is refused for itself or for the bytes that are missing)
    for (claimed, too_large) in [
        (u64::MAX, true),
        (1 << 60, true),
        (1 << 34, false),
        (1 << 20, false),
    ] {
        let mut bytes = file(b"short");
        bytes[16..24].copy_from_slice(&claimed.to_le_bytes());
        let crc = crate::by_hand::crc32(&bytes[..28]);
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        match error(&bytes) {
            ModelError::TooLarge { n_bytes, .. } if too_large => assert_eq!(n_bytes, claimed),
            ModelError::Truncated { expected, found } if !too_large => {
                assert_eq!((expected, found), (claimed + 32, bytes.len() as u64));
            }
            other => panic!("{claimed}: {other:?}"),
        }
    }
}

/// The parts of a small payload, to be put together wrongly.
fn parts() -> [Vec<u8>; 6] {
    [
        vec![2],
        numbers(&[0.5, 0.5]),
        numbers(&[0.0, 1.0, 2.0, 3.0]),
        numbers(&[1.0, 1.0, 1.0, 1.0]),
        [vec![1], integer(3), b"a\0b".to_vec()].concat(),
        [
            vec![1],
            integer(10),
            10_f64.to_le_bytes().to_vec(),
            (-5_f64).to_le_bytes().to_vec(),
            numbers(&[]),
        ]
        .concat(),
    ]
}

fn with_part(position: usize, part: Vec<u8>) -> Vec<u8> {
    let mut parts = parts();
    parts[position] = part;
    file(&parts.concat())
}

#[test]
fn lengths_within_the_payload_are_not_believed() {
    assert!(decode(&file(&parts().concat())).is_ok());
    // A list or text that claims to be this long would end the process if it were given the memory.
    for length in [1 << 20, 1 << 34, 1 << 40, 1 << 60, u64::MAX] {
        for position in 1..4 {
            let error = error(&with_part(position, integer(length)));
            assert!(
                matches!(error, ModelError::Payload),
                "part {position}: {error:?}"
            );
        }
        let names = [vec![1], integer(length)].concat();
        assert!(matches!(error(&with_part(4, names)), ModelError::Payload));
        let training = [vec![1], integer(1), vec![0; 16], integer(length)].concat();
        assert!(matches!(
            error(&with_part(5, training)),
            ModelError::Payload
        ));
    }
    for wrong in [vec![14], vec![255]] {
        assert!(
            matches!(error(&with_part(0, wrong)), ModelError::Payload),
            "a form that is none"
        );
    }
    assert!(
        matches!(error(&with_part(4, vec![2])), ModelError::Payload),
        "neither some nor none"
    );
    let not_utf8 = [vec![1], integer(3), vec![b'a', 0, 0xff]].concat();
    assert!(matches!(
        error(&with_part(4, not_utf8)),
        ModelError::Payload
    ));
    let many_names = [vec![1], integer(1 << 20), vec![0; 1 << 20]].concat();
    let error = error(&with_part(4, many_names));
    assert!(
        matches!(
            error,
            ModelError::FeatureNames {
                found: 1_048_577,
                expected: 2
            }
        ),
        "{error:?}"
    );
}

#[test]
fn parameters_that_make_no_mixture_are_refused() {
    let invalid = |bytes: Vec<u8>| match error(&bytes) {
        ModelError::Invalid(error) => error,
        other => panic!("expected invalid parameters, found {other:?}"),
    };
    assert_eq!(
        invalid(with_part(1, numbers(&[]))),
        gmm_core::Error::NoComponents
    );
    assert!(matches!(
        invalid(with_part(1, numbers(&[0.5, 0.6]))),
        gmm_core::Error::WeightSum { .. }
    ));
    assert!(matches!(
        invalid(with_part(1, numbers(&[-0.5, 1.5]))),
        gmm_core::Error::Weight { component: 0, .. }
    ));
    assert!(matches!(
        invalid(with_part(1, numbers(&[f64::NAN, 1.0]))),
        gmm_core::Error::Weight { component: 0, .. }
    ));
    assert!(matches!(
        invalid(with_part(2, numbers(&[0.0, 1.0, f64::INFINITY, 3.0]))),
        gmm_core::Error::Mean {
            component: 1,
            feature: 0,
            ..
        }
    ));
    assert!(matches!(
        invalid(with_part(3, numbers(&[1.0, 1.0, 1.0, -1.0]))),
        gmm_core::Error::NotPositiveDefinite { component: 1, .. }
    ));
    assert!(matches!(
        invalid(with_part(3, numbers(&[1.0, f64::NAN, 1.0, 1.0]))),
        gmm_core::Error::CovarianceEntry { component: 0, .. }
    ));
}

#[test]
fn noise_and_proportions_that_are_none_are_refused() {
    let with_classes = |weights: [f64; 2], classes: &[u8]| {
        let mut parts = parts();
        parts[1] = numbers(&weights);
        file_with_fields(&[&parts.concat(), classes].concat(), [2, 1, 1, 0])
    };
    let noise = |weight: f64, log_density: f64| {
        let floats = [weight.to_le_bytes(), log_density.to_le_bytes()].concat();
        [vec![0, 1], floats].concat()
    };
    assert!(decode(&with_classes([0.5, 0.25], &noise(0.25, -1.0))).is_ok());
    assert!(decode(&with_classes([0.5, 0.5], &[1, 0])).is_ok());
    assert!(decode(&with_classes([0.75, 0.25], &[0, 0])).is_ok());
    // Bytes of version 2 behind a header of version 1, and the other way round.
    let payload = [parts().concat(), vec![1, 0]].concat();
    assert!(matches!(error(&file(&payload)), ModelError::Payload));
    for classes in [&[][..], &[0], &[2, 0], &[0, 2], &[0, 1, 0], &[1, 0, 0]] {
        let bytes = with_classes([0.5, 0.5], classes);
        assert!(matches!(error(&bytes), ModelError::Payload), "{classes:?}");
    }
    let invalid = |weights, classes: &[u8]| match error(&with_classes(weights, classes)) {
        ModelError::Invalid(error) => error,
        other => panic!("expected invalid parameters, found {other:?}"),
    };
    assert!(matches!(
        invalid([0.75, 0.25], &[1, 0]),
        gmm_core::Error::UnequalWeights { component: 0, .. }
    ));
    assert!(matches!(
        invalid([0.5, 0.5], &noise(0.25, -1.0)),
        gmm_core::Error::WeightSum { .. }
    ));
    for weight in [-0.25, 1.0, f64::NAN] {
        assert!(matches!(
            invalid([0.5, 0.25], &noise(weight, -1.0)),
            gmm_core::Error::NoiseWeight { .. }
        ));
    }
    assert!(matches!(
        invalid([0.5, 0.25], &noise(0.25, f64::INFINITY)),
        gmm_core::Error::NoiseDensity { .. }
    ));
}

#[test]
fn lists_that_do_not_fit_each_other_are_refused() {
    assert_eq!(
        error(&with_part(2, numbers(&[0.0, 1.0, 2.0]))).to_string(),
        "found 3 numbers in the means, expected 2"
    );
    assert_eq!(
        error(&with_part(2, numbers(&[]))).to_string(),
        "found 0 numbers in the means, expected 2"
    );
    assert_eq!(
        error(&with_part(3, numbers(&[1.0]))).to_string(),
        "found 1 numbers in the covariances, expected 4"
    );
    assert_eq!(
        error(&with_part(4, [vec![1], integer(1), b"a".to_vec()].concat())).to_string(),
        "found 1 feature names for 2 features; name every feature or none"
    );
    let training = |n: u64, total: f64, log_likelihood: f64, quantiles: &[f64]| {
        let floats = [total.to_le_bytes(), log_likelihood.to_le_bytes()].concat();
        with_part(
            5,
            [vec![1], integer(n), floats, numbers(quantiles)].concat(),
        )
    };
    assert!(matches!(
        error(&training(0, 1.0, 1.0, &[])),
        ModelError::NoSamples
    ));
    for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        assert!(matches!(
            error(&training(1, bad, 1.0, &[])),
            ModelError::TrainingNumber { .. }
        ));
    }
    assert!(matches!(
        error(&training(1, 1.0, f64::NAN, &[])),
        ModelError::TrainingNumber { .. }
    ));
    assert!(matches!(
        error(&training(1, 1.0, 1.0, &[1.0])),
        ModelError::QuantileCount { found: 1, .. }
    ));
    let mut falling = [0.0; 21];
    falling[20] = -1.0;
    assert!(matches!(
        error(&training(1, 1.0, 1.0, &falling)),
        ModelError::QuantileOrder { position: 20 }
    ));
    falling[20] = f64::INFINITY;
    assert!(matches!(
        error(&training(1, 1.0, 1.0, &falling)),
        ModelError::TrainingNumber { .. }
    ));
}

proptest! {
    #[test]
    fn any_payload_is_a_model_or_an_error(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(model) = decode(&file(&payload)) {
            prop_assert!(decode(&encode(&model).unwrap()).is_ok());
        }
    }

    #[test]
    fn a_changed_payload_under_a_right_checksum_is_a_model_or_an_error(
        model in any_model(), position in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()
    ) {
        let whole = encode(&model).unwrap();
        let version = u16::from_le_bytes([whole[8], whole[9]]);
        let file = |payload: &[u8]| file_with_fields(payload, [version, 1, 1, 0]);
        let mut payload = whole[32..].to_vec();
        prop_assert_eq!(&file(&payload), &whole);
        let (position, cut) = (position.index(payload.len()), cut.index(payload.len()));
        payload[position] = byte;
        if let Ok(model) = decode(&file(&payload)) {
            prop_assert!(decode(&encode(&model).unwrap()).is_ok());
        }
        // The length of a payload is fixed by its version and contents, so a part of one is never one.
        if position >= cut {
            prop_assert!(decode(&file(&payload[..cut])).is_err());
        }
    }

    #[test]
    fn any_bytes_behind_a_brace_are_a_model_or_an_error(
        model in any_model(), position in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut text = to_json(&model).unwrap().into_bytes();
        let position = position.index(text.len());
        text[position] = byte;
        if let Ok(model) = from_json(&text) {
            prop_assert!(from_json(to_json(&model).unwrap()).is_ok());
        }
    }
}

#[test]
fn every_cut_of_json_is_an_error() {
    for form in CovarianceType::ALL {
        let text = to_json(&small(form)).unwrap();
        let whole = text.trim_end().len();
        for len in 0..whole {
            assert!(
                from_json(&text.as_bytes()[..len]).is_err(),
                "{form} cut to {len} bytes"
            );
        }
    }
}
