//! Small mixtures evaluated with 2400-bit arithmetic: `exact/public.json`.

use std::collections::BTreeMap;
use std::path::Path;

use super::json::{Node, read};
use crate::naive::{Form, Mixture};

/// One mixture, its data and what is true of them.
///
/// Covariances are blocks as their form stores them: K of D*D (full, row by row), one of D*D (tied), K of D (diag), K of 1
/// (spherical).
#[derive(Clone, Debug)]
pub struct Case {
    /// Such as `p-008-well-full-d2k2`.
    pub id: String,
    /// What makes it hard: well, offset1e+08, tail, ...
    pub family: String,
    /// The form of the covariance matrices.
    pub form: Form,
    /// Whether the inputs are values of f32 (held here as f64) and `attainable` is what arithmetic in f32 can hope for.
    pub is_f32: bool,
    /// What is special about it; empty if nothing. A case with a note need not meet the rule for passing.
    pub note: String,
    /// The data, n_samples x n_features.
    pub x: Vec<Vec<f64>>,
    /// One weight per sample, if the samples are weighted.
    pub sample_weights: Option<Vec<f64>>,
    /// πₖ.
    pub weights: Vec<f64>,
    /// μₖ.
    pub means: Vec<Vec<f64>>,
    /// Σₖ as blocks.
    pub covariances: Vec<Vec<f64>>,
    /// The values of the mixture and the EM step from it.
    pub expected: Expected,
    /// The responsibilities that are given to an M-step, and what it yields; two long cases have none.
    pub m_step: Option<(Vec<Vec<f64>>, Update)>,
    /// The error that rounding of the inputs alone causes, by output: see [`Case::tolerance`].
    pub attainable: BTreeMap<String, f64>,
}

/// The values of a mixture; the two long cases have no tables of n_samples x n_components.
#[derive(Clone, Debug)]
pub struct Expected {
    /// log N(xᵢ; μₖ, Σₖ).
    pub log_gauss: Option<Vec<Vec<f64>>>,
    /// log p(xᵢ).
    pub log_density: Vec<f64>,
    /// log rᵢₖ, -inf for a component of weight 0.
    pub log_responsibilities: Option<Vec<Vec<f64>>>,
    /// rᵢₖ.
    pub responsibilities: Option<Vec<Vec<f64>>>,
    /// The most probable component of each row, counted from 0.
    pub labels: Vec<usize>,
    /// Σᵢ sᵢ log p(xᵢ).
    pub log_likelihood: f64,
    /// Free parameters.
    pub n_parameters: usize,
    /// -2 log L + p log n, lower is better; n is Σᵢ sᵢ for weighted samples.
    pub bic: f64,
    /// -2 log L + 2 p.
    pub aic: f64,
    /// One EM step from the given parameters.
    pub em: Update,
}

/// What an M-step yields.
#[derive(Clone, Debug)]
pub struct Update {
    /// nₖ.
    pub occupancy: Vec<f64>,
    /// πₖ.
    pub weights: Vec<f64>,
    /// μₖ; none if a component has no occupancy.
    pub means: Option<Vec<Vec<f64>>>,
    /// Σₖ as blocks; none if a component has no occupancy.
    pub covariances: Option<Vec<Vec<f64>>>,
    /// The log-likelihood of the new parameters; none if they are singular, and for a lone M-step.
    pub log_likelihood_after: Option<f64>,
}

/// Reads the cases of `exact/public.json`.
///
/// # Panics
/// If the file is not what its readme says; the message names the field.
pub fn exact(path: &Path) -> Vec<Case> {
    Node::root(&read(path))
        .get("cases")
        .items()
        .iter()
        .map(case)
        .collect()
}

fn case(node: &Node<'_>) -> Case {
    let id = node.get("id").text().to_owned();
    let form = form(&node.get("cov_type"));
    let inputs = node.get("inputs");
    let expected = node.get("expected");
    let table = |field: &str| expected.find(field).map(|table| table.table());
    Case {
        family: node.get("family").text().to_owned(),
        form,
        is_f32: node.get("dtype").text() == "f32",
        note: node.get("note").text().to_owned(),
        x: inputs.get("x").table(),
        sample_weights: inputs.find("sample_weight").map(|s| s.numbers()),
        weights: inputs.get("weights").numbers(),
        means: inputs.get("means").table(),
        covariances: blocks(form, &inputs.get("covariances")),
        expected: Expected {
            log_gauss: table("log_gauss"),
            log_density: expected.get("log_density").numbers(),
            log_responsibilities: table("log_resp"),
            responsibilities: table("resp"),
            labels: expected.get("labels").counts(),
            log_likelihood: expected.get("loglik").number(),
            n_parameters: expected.get("n_params").count(),
            bic: expected.get("bic").number(),
            aic: expected.get("aic").number(),
            em: update(form, &expected.get("em")),
        },
        m_step: node
            .find("mstep")
            .map(|given| (given.get("resp").table(), update(form, &given))),
        attainable: node
            .get("attainable")
            .fields()
            .into_iter()
            .map(|(output, error)| (output.to_owned(), error.number()))
            .collect(),
        id,
    }
}

pub(super) fn form(node: &Node<'_>) -> Form {
    let name = node.text();
    Form::from_name(name).unwrap_or_else(|| panic!("the oracle has a covariance form {name}"))
}

/// A block is what stands in the outermost array, but for tied covariances, where the whole is one block.
pub(super) fn blocks(form: Form, node: &Node<'_>) -> Vec<Vec<f64>> {
    match form {
        Form::Tied => vec![node.flat_numbers()],
        Form::Full | Form::Diag | Form::Spherical => {
            node.items().iter().map(Node::flat_numbers).collect()
        }
    }
}

fn update(form: Form, node: &Node<'_>) -> Update {
    Update {
        occupancy: node.get("nk").numbers(),
        weights: node.get("weights").numbers(),
        means: node.find("means").map(|means| means.table()),
        covariances: node.find("covariances").map(|c| blocks(form, &c)),
        log_likelihood_after: node.find("loglik_after").map(|value| value.number()),
    }
}

impl Case {
    /// The mixture as the naive twin holds it.
    pub fn mixture(&self) -> Mixture {
        Mixture::from_blocks(self.form, &self.weights, &self.means, &self.covariances)
    }

    /// The largest error that passes: max(64 ε, 50 x attainable), with ε of the type of the case.
    ///
    /// An output has the name that `attainable` uses: `log_density`, `em.means`, ... A lone M-step (`mstep.means`) has no
    /// attainable errors of its own and takes 64 ε: given responsibilities there is nothing ill-conditioned left.
    pub fn tolerance(&self, output: &str) -> f64 {
        let epsilon = if self.is_f32 {
            f64::from(f32::EPSILON)
        } else {
            f64::EPSILON
        };
        self.rule(output, epsilon, 1.0)
    }

    /// [`Case::tolerance`] for code that widens f32 to f64 before it computes: the errors attainable in f32 are scaled by
    /// the ratio of the two ε, since they are errors of first order. The same as `tolerance` for a case in f64.
    pub fn tolerance_widened(&self, output: &str) -> f64 {
        let ratio = f64::EPSILON / f64::from(f32::EPSILON);
        self.rule(output, f64::EPSILON, if self.is_f32 { ratio } else { 1.0 })
    }

    fn rule(&self, output: &str, epsilon: f64, scale: f64) -> f64 {
        (64.0 * epsilon).max(50.0 * self.attainable(output).unwrap_or(0.0) * scale)
    }

    /// The error of an output that rounding of the inputs causes. Criteria take over that of -2 log L, in their own metric.
    fn attainable(&self, output: &str) -> Option<f64> {
        let criterion = match output {
            "bic" => self.expected.bic,
            "aic" => self.expected.aic,
            _ => return self.attainable.get(output).copied(),
        };
        let of_log_likelihood = self.attainable.get("loglik")?;
        let size = self.expected.log_likelihood.abs().max(1.0);
        Some(2.0 * of_log_likelihood * size / criterion.abs().max(1.0))
    }

    /// Whether an output has to meet its tolerance. Where the case has a note, or an error of 1e-2 is attainable at best,
    /// a clear error or any number will do: no NaN, no panic.
    ///
    /// `em.loglik_after` need not either: the oracle does not say which error is attainable, and a new covariance matrix may
    /// be so near to singular that the answer keeps 8 digits at best (`p-012-well-full-d3k4`: 20 rows for four components
    /// in 3 dimensions).
    pub fn is_strict(&self, output: &str) -> bool {
        self.note.is_empty()
            && output != "em.loglik_after"
            && self.attainable(output).unwrap_or(0.0) < 1e-2
    }
}
