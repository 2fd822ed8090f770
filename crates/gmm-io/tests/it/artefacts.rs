//! Files written by each released version of the format, read by today's code.
//!
//! Files of a released version are never rewritten. While a version is in the making,
//! `GMM_IO_WRITE_ARTEFACTS=v2 cargo test -p gmm-io artefacts` writes those of the current one.

use std::path::PathBuf;

use gmm_core::CovarianceType;
use gmm_io::{ModelFile, encode, load, to_json};

use crate::mixtures::{bits, small, small_of_version_2};

fn path(version: &str, name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/artefacts");
    folder.join(version).join(name)
}

/// Both files of a model are read as it, and the binary one is written the same today.
fn check(version: &str, name: &str, model: &ModelFile) {
    let (binary, json) = (
        path(version, &format!("{name}.gmm")),
        path(version, &format!("{name}.json")),
    );
    let today = encode(model).unwrap();
    if std::env::var("GMM_IO_WRITE_ARTEFACTS").is_ok_and(|wanted| wanted == version) {
        std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
        std::fs::write(&binary, &today).unwrap();
        std::fs::write(&json, to_json(model).unwrap()).unwrap();
    }
    for path in [&binary, &json] {
        assert_eq!(
            bits(&load(path).unwrap()),
            bits(model),
            "{}",
            path.display()
        );
    }
    // JSON may change in its spaces and signs of exponents, the binary format in nothing.
    assert_eq!(
        std::fs::read(&binary).unwrap(),
        today,
        "{}",
        binary.display()
    );
}

#[test]
fn version_1_is_read_and_still_written_the_same() {
    for form in CovarianceType::ALL {
        check("v1", &form.to_string(), &small(form));
    }
}

#[test]
fn version_2_is_read_and_still_written_the_same() {
    let form = CovarianceType::Full;
    for (name, equal, noisy) in [
        ("noise", false, true),
        ("equal", true, false),
        ("equal-noise", true, true),
    ] {
        check("v2", name, &small_of_version_2(form, equal, noisy));
    }
}
