//! The readable format: how it looks, and what it refuses.

use gmm_core::CovarianceType;
use gmm_io::{ModelError, from_json, to_json};

use crate::mixtures::{bits, small};

/// The text of a model; whether exponents have a plus sign is left to the writer of floats.
fn text_of(form: CovarianceType) -> String {
    to_json(&small(form)).unwrap().replace("e+", "e")
}

#[test]
fn it_reads_like_a_table_of_parameters() {
    let text = text_of(CovarianceType::Full);
    let start = r#"{
  "format": "gmm-model",
  "version": 1,
  "covariance_type": "full",
  "weights": [0.36, 0.64],
  "means": [
    [0.1, -0.0],
    [5e-324, 1.7976931348623157e308]
  ],
  "covariances": [
    [
      [0.07, 0.44],
      [0.44, 33.7]
    ],
    [
      [0.17, 0.94],
      [0.94, 36.0]
    ]
  ],
  "feature_names": ["éruptions", "waiting, \"min\""],
  "training": {
    "n_samples": 272,
    "total_weight": 272.0,
    "log_likelihood": -3685.6000000000004,
    "density_quantiles": [-27.1, "#;
    assert!(text.starts_with(start), "{text}");
    assert!(text.ends_with("]\n  }\n}\n"), "{text}");
}

#[test]
fn covariances_are_nested_as_their_form_needs() {
    for (form, covariances) in [
        (
            CovarianceType::Tied,
            "\"covariances\": [\n    [0.125, -0.5],\n    [-0.5, 35.1]\n  ],",
        ),
        (
            CovarianceType::Diag,
            "\"covariances\": [\n    [0.07, 33.7],\n    [0.17, 36.0]\n  ],",
        ),
        (
            CovarianceType::Spherical,
            "\"covariances\": [1e-300, 1e300],",
        ),
        (CovarianceType::Eei, "\"covariances\": [0.125, 35.1],"),
        (CovarianceType::Eii, "\"covariances\": 0.125,"),
    ] {
        let text = text_of(form);
        assert!(text.contains(covariances), "{text}");
    }
}

#[test]
fn text_from_other_hands_is_read() {
    let model = small(CovarianceType::Diag).into_model();
    let text = r#"
        {"version": 1, "format": "gmm-model", "covariance_type": "VVI",
         "means": [[1e-1, -0.0], [5e-324, 1.7976931348623157E+308]],
         "weights": [0.36, 0.64], "covariances": [[0.07, 33.7], [0.17, 36]]}"#;
    for text in [
        text.to_owned(),
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
    ] {
        assert_eq!(bits(&from_json(text).unwrap()), bits(&model.clone().into()));
    }
}

#[test]
fn slips_are_named_with_their_place() {
    let text = to_json(&small(CovarianceType::Diag)).unwrap();
    for (from, to, message) in [
        (
            "\"feature_names\"",
            "\"feature_name\"",
            "line 14, column 16 of the JSON model: unknown field `feature_name`, expected one of `format`, `version`, \
             `covariance_type`, `weights`, `means`, `covariances`, `proportions`, `noise`, `feature_names`, `training`",
        ),
        (
            "\"weights\": [0.36, 0.64],",
            "",
            "line 21, column 1 of the JSON model: missing field `weights`",
        ),
        (
            "[0.36, 0.64]",
            "[0.36, \"0.64\"]",
            "line 5, column 26 of the JSON model: invalid type: string \"0.64\", expected f64",
        ),
        (
            "[0.36, 0.64]",
            "[0.36, 1e999]",
            "line 5, column 25 of the JSON model: number out of range",
        ),
        (
            "[0.07, 33.7]",
            "[0.07]",
            "line 12, column 16 of the JSON model: found a list of 2, expected 1 as in the one before",
        ),
        (
            "[0.07, 33.7]",
            "0.07",
            "line 11, column 8 of the JSON model: invalid type: floating point `0.07`, expected a list of numbers",
        ),
        (
            "[0.1, -0.0]",
            "[0.1]",
            "line 8, column 37 of the JSON model: found a list of 2, expected 1 as in the one before",
        ),
        (
            "[0.1, -0.0]",
            "[]",
            "line 7, column 6 of the JSON model: found an empty list",
        ),
        (
            "[0.1, -0.0],",
            "[0.1, -0.0], [0.1, -0.0],",
            "found 6 numbers in the means, expected 4",
        ),
        (
            "[0.07, 33.7],",
            "",
            "found 2 numbers in the covariances, expected 4",
        ),
        (
            "waiting, ",
            "waiting\\u0000",
            "line 14, column 57 of the JSON model: the name of feature 1 (counted from 0) holds a NUL character; rename it",
        ),
        (
            "\"version\": 1",
            "\"version\": 0",
            "the model file's version is 0, expected 1; write the model again",
        ),
        (
            "\"diag\"",
            "\"round\"",
            "the parameters are not those of a mixture",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(
            from_json(text.replacen(from, to, 1))
                .unwrap_err()
                .to_string(),
            message
        );
    }
}

#[test]
fn crooked_matrices_are_refused() {
    // The right number of numbers in the wrong rows.
    let uneven =
        "line 12, column 32 of the JSON model: found a list of 3, expected 1 as in the one before";
    let even =
        |n| format!("found {n} numbers in the rows or columns of the covariances, expected 2");
    for (form, from, to, message) in [
        (
            CovarianceType::Full,
            "[0.07, 0.44],\n      [0.44, 33.7]",
            "[0.07], [0.44, 0.44, 33.7]",
            uneven.to_owned(),
        ),
        (
            CovarianceType::Tied,
            "[0.125, -0.5],\n    [-0.5, 35.1]",
            "[0.125, -0.5, -0.5, 35.1]",
            even(1),
        ),
        (
            CovarianceType::Tied,
            "[0.125, -0.5],\n    [-0.5, 35.1]",
            "[0.125], [-0.5], [-0.5], [35.1]",
            even(4),
        ),
        (
            CovarianceType::Diag,
            "[0.07, 33.7],\n    [0.17, 36.0]",
            "[0.07, 33.7, 0.17, 36.0]",
            "found 4 numbers in the variances of a component, expected 2".to_owned(),
        ),
    ] {
        let text = to_json(&small(form)).unwrap();
        assert!(text.contains(from), "{text}");
        let error = from_json(text.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let text = to_json(&small(CovarianceType::Full)).unwrap();
    let error = from_json(text.replacen("[0.44, 33.7]", "[0.45, 33.7]", 1)).unwrap_err();
    assert!(
        matches!(
            error,
            ModelError::Invalid(gmm_core::Error::Asymmetric { component: 0, .. })
        ),
        "{error:?}"
    );
}

/// A slip may stand in a text of any length: the error quotes its beginning.
#[test]
fn long_slips_are_quoted_in_short() {
    let text = to_json(&small(CovarianceType::Full)).unwrap();
    let long = format!("\"{}\"", "é\u{7f}".repeat(100_000));
    for from in ["[0.36, 0.64]", "\"feature_names\""] {
        let message = from_json(text.replacen(from, &long, 1))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("é\\u{7f}é") || message.contains("é\u{7f}é"),
            "{message}"
        );
        assert!(message.contains("..."), "{message}");
        assert!(message.len() < 1000, "{}", message.len());
    }
}
