//! Files written by each released version of the format, read by today's code.
//!
//! Files of a released version are never rewritten. While a version is in the making,
//! `GMM_IO_WRITE_ARTEFACTS=1 cargo test -p gmm-io artefacts` writes those of the current one.

use std::path::PathBuf;

use gmm_core::CovarianceType;
use gmm_io::{encode, load, to_json};

use crate::mixtures::{bits, small};

fn path(form: CovarianceType, extension: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/artefacts/v1");
    folder.join(format!("{form}.{extension}"))
}

#[test]
fn version_1_is_read_and_still_written_the_same() {
    for form in CovarianceType::ALL {
        let model = small(form);
        let (binary, json) = (path(form, "gmm"), path(form, "json"));
        let today = encode(&model).unwrap();
        if std::env::var_os("GMM_IO_WRITE_ARTEFACTS").is_some() {
            std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
            std::fs::write(&binary, &today).unwrap();
            std::fs::write(&json, to_json(&model).unwrap()).unwrap();
        }
        for path in [&binary, &json] {
            assert_eq!(
                bits(&load(path).unwrap()),
                bits(&model),
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
}
