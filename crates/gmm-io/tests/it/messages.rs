//! The messages of errors, word for word: users read them, and programs show them.

use gmm_io::ModelError;

#[test]
fn model_errors_say_what_was_found_expected_and_how_to_mend_it() {
    for (error, message) in [
        (
            ModelError::NotAModel,
            "this is no model file: it is neither a binary model nor a JSON object of format \"gmm-model\"",
        ),
        (
            ModelError::NewerVersion {
                found: 7,
                supported: 1,
            },
            "the model was made by a newer version of gmm (format 7, known up to 1); update gmm",
        ),
        (
            ModelError::Proportions,
            "unknown proportions; known are free and equal",
        ),
        (
            ModelError::TooLarge {
                n_bytes: 20_000_000_000,
                limit: 17_179_869_184,
            },
            "the model takes 20000000000 bytes, more than the 17179869184 of a model file",
        ),
        (
            ModelError::Truncated {
                expected: 100,
                found: 99,
            },
            "the model file is cut short: found 99 bytes, expected 100; copy it again",
        ),
        (
            ModelError::TrailingBytes { expected: 100 },
            "the model file goes on behind its 100 bytes; remove what was appended",
        ),
        (
            ModelError::Checksum {
                part: "payload",
                found: 0x12,
                expected: 0xdead_beef,
            },
            "the model file is damaged: the checksum of its payload is 00000012, expected deadbeef; copy it again",
        ),
        (
            ModelError::Payload,
            "the model file's payload is not laid out as a model; write the model again",
        ),
        (
            ModelError::FeatureName { feature: 2 },
            "the name of feature 2 (counted from 0) holds a NUL character; rename it",
        ),
        (
            ModelError::QuantileCount {
                found: 3,
                expected: 21,
            },
            "found 3 density quantiles, expected 21 or none",
        ),
        (
            ModelError::QuantileOrder { position: 3 },
            "density quantile 3 (counted from 0) is less than the one before it; sort them",
        ),
    ] {
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn causes_can_be_asked_for() {
    use std::error::Error as _;

    let invalid = ModelError::Invalid(gmm_core::Error::NoComponents);
    assert_eq!(
        invalid.source().unwrap().to_string(),
        gmm_core::Error::NoComponents.to_string()
    );
    let stream = ModelError::Stream(std::io::ErrorKind::BrokenPipe.into());
    assert_eq!(stream.to_string(), "cannot read or write the model");
    assert!(stream.source().is_some());
}
