//! Maximum-likelihood fits of real data with all digits certified: `exact/certified_mle.json`.

use std::path::Path;

use super::exact::{blocks, form};
use super::json::{Node, read};
use super::mclust;
use crate::naive::{Form, Mixture};

/// The local maximum that EM reaches from hard labels, computed with 220 bits until the step was below 1e-40.
#[derive(Clone, Debug)]
pub struct Certified {
    /// Such as `iris-k3-full`.
    pub id: String,
    /// The file with the data: see [`Certified::table`].
    pub data: String,
    /// The columns that were used.
    pub columns: Vec<String>,
    /// The form of the covariance matrices.
    pub form: Form,
    /// Number of samples.
    pub n_samples: usize,
    /// The start: an M-step on these labels, which count from 0.
    pub start_labels: Vec<usize>,
    /// M-steps until the step was below 1e-40.
    pub n_steps: usize,
    /// The rate of convergence: each step is this times the one before.
    pub rate: f64,
    /// Log-likelihoods after the first M-steps, at most five.
    pub first_log_likelihoods: Vec<f64>,
    /// log L at the maximum.
    pub log_likelihood: f64,
    /// Free parameters.
    pub n_parameters: usize,
    /// -2 log L + p log n.
    pub bic: f64,
    /// -2 log L + 2 p.
    pub aic: f64,
    /// πₖ.
    pub weights: Vec<f64>,
    /// μₖ.
    pub means: Vec<Vec<f64>>,
    /// Σₖ as blocks of its form.
    pub covariances: Vec<Vec<f64>>,
}

/// Reads the fits of `exact/certified_mle.json`.
///
/// # Panics
/// If the file is not what its readme says; the message names the field.
pub fn certified(path: &Path) -> Vec<Certified> {
    Node::root(&read(path))
        .get("fits")
        .items()
        .iter()
        .map(fit)
        .collect()
}

fn fit(node: &Node<'_>) -> Certified {
    let form = form(&node.get("cov_type"));
    // Rows shifted by an offset would need a table of their own; no fit has one.
    assert!(
        node.get("offset").number() == 0.0,
        "an offset is not supported"
    );
    Certified {
        id: node.get("id").text().to_owned(),
        data: node.get("data").text().to_owned(),
        columns: node
            .get("columns")
            .items()
            .iter()
            .map(|c| c.text().to_owned())
            .collect(),
        form,
        n_samples: node.get("n").count(),
        start_labels: node.get("start_labels").counts(),
        n_steps: node.get("em_steps").count(),
        rate: node.get("rate").number(),
        first_log_likelihoods: node.get("loglik_first5").numbers(),
        log_likelihood: node.get("loglik").number(),
        n_parameters: node.get("n_params").count(),
        bic: node.get("bic").number(),
        aic: node.get("aic").number(),
        weights: node.get("weights").numbers(),
        means: node.get("means").table(),
        covariances: blocks(form, &node.get("covariances")),
    }
}

impl Certified {
    /// The data of the fit from the oracle's mclust folder.
    ///
    /// The galaxies stand there in units of 1000 km/s; the fit has km/s, which are whole numbers.
    ///
    /// # Panics
    /// If the folder has no such data set, or it has other columns.
    pub fn table(&self, mclust_folder: &Path) -> Vec<Vec<f64>> {
        let name = self.data.split(['.', '_']).next().unwrap_or_default();
        let data = mclust::data_set(mclust_folder, name);
        assert_eq!(
            data.columns, self.columns,
            "{}: other columns than its data",
            self.id
        );
        if name == "galaxies" {
            let in_units = |row: &Vec<f64>| row.iter().map(|v| (v * 1000.0).round()).collect();
            data.x.iter().map(in_units).collect()
        } else {
            data.x
        }
    }

    /// The fit as the naive twin holds it.
    pub fn mixture(&self) -> Mixture {
        Mixture::from_blocks(self.form, &self.weights, &self.means, &self.covariances)
    }
}
