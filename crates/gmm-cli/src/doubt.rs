//! What speaks against the groups of a mixture: shapes that are not Gaussian, and groups of too few rows.

use gmm_core::GaussianMixture;
use gmm_core::covariance::Structure;
use gmm_select::{ComponentShape, Diagnostics, Finding};

use crate::number::fixed;

/// A finding in a word or two.
pub(crate) fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Gaussian => "Gaussian",
        Finding::HeavyTails => "heavy tails",
        Finding::LightTails => "light tails",
        Finding::OtherShape => "other shape",
        Finding::TooFewRows => "too few rows",
        _ => "other",
    }
}

/// A note for each group that is not what it claims to be, and what to do about it.
pub(crate) fn notes(model: &GaussianMixture, diagnostics: &Diagnostics) -> Vec<String> {
    let groups = diagnostics.components().iter().enumerate();
    groups
        .filter_map(|(group, shape)| note(model, shape).map(|n| format!("group {} {n}", group + 1)))
        .collect()
}

fn note(model: &GaussianMixture, shape: &ComponentShape) -> Option<String> {
    let kurtosis = || {
        format!(
            "kurtosis {} times that of Gaussian rows",
            fixed(shape.kurtosis_ratio, 2)
        )
    };
    match shape.finding {
        Finding::HeavyTails => Some(format!(
            "is not Gaussian: its tails are heavy ({}); look for outliers, or allow more groups and combine them (gmm combine)",
            kurtosis()
        )),
        Finding::LightTails => Some(format!(
            "is not Gaussian: its tails are light ({}), as those of a group with edges or of a part of one; see gmm combine",
            kurtosis()
        )),
        Finding::OtherShape => Some(format!(
            "is not Gaussian: the distances from its centre are distributed otherwise (by up to {}); allow more groups and combine \
             them (gmm combine){}",
            fixed(shape.distance, 2),
            if model.covariance_type().structure() == Structure::Dense {
                ""
            } else {
                ", or allow for correlations (--covariance full)"
            }
        )),
        Finding::TooFewRows => Some(format!(
            "has {} rows, and its covariance needs {}: {}",
            fixed(shape.occupancy, 1),
            fixed(shape.rows_needed, 0),
            match model.n_components() {
                1 => "leave out columns, or take a simpler form (--covariance diag)",
                _ => "ask for fewer groups (-k), or a simpler form (--covariance tied)",
            }
        )),
        _ => None,
    }
}
