//! What is written is what is read, to the last bit.

use gmm_core::CovarianceType;
use gmm_io::{ModelError, ModelFile, decode, encode, from_json, load, save, to_json};
use proptest::prelude::*;

use crate::mixtures::{any_model, bits, small, small_of_version_2};

proptest! {
    #[test]
    fn the_binary_format_keeps_every_bit(model in any_model()) {
        let bytes = encode(&model).unwrap();
        let read = decode(&bytes).unwrap();
        prop_assert_eq!(bits(&read), bits(&model));
        prop_assert_eq!(encode(&read).unwrap(), bytes);
    }

    #[test]
    fn json_keeps_every_bit(model in any_model()) {
        let text = to_json(&model).unwrap();
        let read = from_json(&text).unwrap();
        prop_assert_eq!(bits(&read), bits(&model));
        prop_assert_eq!(to_json(&read).unwrap(), text);
    }

    #[test]
    fn readers_and_writers_do_as_bytes_do(model in any_model()) {
        let mut bytes = Vec::new();
        model.write_to(&mut bytes).unwrap();
        prop_assert_eq!(&bytes, &encode(&model).unwrap());
        prop_assert_eq!(bits(&ModelFile::read_from(bytes.as_slice()).unwrap()), bits(&model));
        let text = to_json(&model).unwrap();
        prop_assert_eq!(bits(&ModelFile::read_from(text.as_bytes()).unwrap()), bits(&model));
    }
}

#[test]
fn files_of_both_kinds_are_told_apart_by_content() {
    let folder = tempfile::tempdir().unwrap();
    for form in CovarianceType::ALL {
        let model = small(form);
        let (binary, json) = (folder.path().join("a.gmm"), folder.path().join("a.JSON"));
        save(&binary, &model).unwrap();
        save(&json, &model).unwrap();
        assert_eq!(
            std::fs::read(&json).unwrap(),
            to_json(&model).unwrap().as_bytes()
        );
        // Under each other's names.
        std::fs::rename(&binary, folder.path().join("b.json")).unwrap();
        std::fs::rename(&json, folder.path().join("b.gmm")).unwrap();
        for name in ["b.json", "b.gmm"] {
            assert_eq!(
                bits(&load(folder.path().join(name)).unwrap()),
                bits(&model),
                "{form} {name}"
            );
        }
    }
}

#[test]
fn fields_of_version_2_are_no_fields_of_version_1() {
    let model = small_of_version_2(CovarianceType::Diag, true, true);
    let text = to_json(&model).unwrap();
    assert!(text.contains("\"version\": 2") && text.contains("\"proportions\": \"equal\""));
    let older = text.replace("\"version\": 2", "\"version\": 1");
    assert_eq!(
        from_json(older).unwrap_err().to_string(),
        "the model file's version is 1, expected 2; write the model again"
    );
    let odd = text.replace("\"equal\"", "\"even\"");
    assert!(matches!(
        from_json(odd).unwrap_err(),
        ModelError::Proportions
    ));
    let heavy = text.replace("\"weight\": 0.1", "\"weight\": 1.5");
    assert!(matches!(
        from_json(heavy).unwrap_err(),
        ModelError::Invalid(_)
    ));
    // A model that needs nothing of version 2 may say that it is one.
    let plain = to_json(&small(CovarianceType::Diag)).unwrap();
    let newer = plain.replace("\"version\": 1", "\"version\": 2");
    assert_eq!(to_json(&from_json(newer).unwrap()).unwrap(), plain);
}

#[test]
fn a_bare_mixture_is_a_model_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bare.gmm");
    let mixture = small(CovarianceType::Full).into_model();
    save(&path, &mixture).unwrap();
    let read = load(&path).unwrap();
    assert_eq!((read.feature_names(), read.training()), (None, None));
    assert_eq!(read.model(), &mixture);
    save(&path, mixture).unwrap();
    assert_eq!(load(&path).unwrap(), read);
}
