//! What `fit` and `select` have in common: a fitted mixture is saved, and told of.

use std::path::Path;

use gmm_io::ModelFile;
use gmm_select::{Criterion, Diagnostics, Scores, Starts};

use super::Outcome;
use crate::console::Console;
use crate::data::Data;
use crate::doubt;
use crate::explain;
use crate::failure::Failure;
use crate::json;
use crate::model;
use crate::number::nats;
use crate::output;
use crate::precision::PrecisionAccount;
use crate::summary::{self, Assignment};
use crate::text::{counted, shell_word};
use crate::watch::Interrupt;

/// A fitted mixture with all there is to say about it.
pub(crate) struct Account<'a> {
    pub(crate) command: &'static str,
    pub(crate) data: &'a Data,
    pub(crate) starts: &'a Starts,
    pub(crate) scores: &'a Scores,
    /// The line below the headline: what was found.
    pub(crate) title: String,
    /// How clearly it won, if it was chosen.
    pub(crate) verdict: Option<String>,
    /// The table of candidates, if it was chosen.
    pub(crate) table: Option<String>,
    pub(crate) selection: Option<json::SelectionAccount>,
    /// Standard errors, if they were asked for.
    pub(crate) precision: Option<PrecisionAccount>,
    pub(crate) notes: Vec<String>,
}

impl Account<'_> {
    /// Saves the model if that was asked for, then prints the account.
    pub(crate) fn finish(
        mut self,
        out: Option<&Path>,
        interrupt: &Interrupt,
        console: &Console,
    ) -> Result<Outcome, Failure> {
        let model = self.starts.best().model();
        let refuse = |error| Failure::Refused(explain::core(&error, self.data));
        let assignment = Assignment::new(model, self.data).map_err(refuse)?;
        let diagnostics = Diagnostics::new(model, self.data.samples()).map_err(refuse)?;
        // With no more rows than parameters, of which is told, shapes say nothing.
        if (self.scores.n_free_parameters as f64) < self.scores.total_weight {
            self.notes.extend(doubt::notes(model, &diagnostics));
        }
        let file = model::describe_training(model, self.data)?;
        // Before anything is printed: a reader who stops reading must not cost the model.
        let saved = out.map(|path| model::save(path, &file)).transpose();
        // Nor must a full disk cost the report.
        let out = out.filter(|_| saved.is_ok());
        if out.is_some() && file.training().is_none() {
            self.notes.push(
                "a row is so far out that its density underflows: the model was saved without what `gmm score --anomalies` needs"
                    .to_owned(),
            );
        }
        if console.is_json() {
            output::json(None, &self.json(&assignment, &file, out)?)?;
        } else {
            let text = self.text(&assignment, out);
            output::to_stdout(|stdout| stdout.write_all(text.as_bytes()))?;
        }
        saved?;
        Ok(if interrupt.was_asked() {
            Outcome::Interrupted
        } else {
            Outcome::Done
        })
    }

    fn text(&self, assignment: &Assignment, out: Option<&Path>) -> String {
        let model = self.starts.best().model();
        let mut lines = vec![self.data.headline(), self.title.clone()];
        lines.extend(self.verdict.clone());
        lines.push(self.fit_line());
        lines.push(self.likelihood_line());
        lines.push(String::new());
        let groups = summary::groups(model, &self.data.names, Some(&assignment.n_rows));
        lines.push(groups.trim_end().to_owned());
        lines.push(assignment.line());
        if let Some(precision) = &self.precision {
            lines.push(String::new());
            lines.push(precision.text(&self.data.names));
        }
        if let Some(table) = &self.table {
            lines.push(String::new());
            lines.push(table.trim_end().to_owned());
        }
        if !self.notes.is_empty() {
            lines.push(String::new());
            lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        }
        lines.push(String::new());
        lines.push(self.next_line(out));
        lines.join("\n") + "\n"
    }

    fn fit_line(&self) -> String {
        let report = self.starts.best().report();
        let how = match report.stop {
            gmm_em::Stop::Converged => "converged after",
            gmm_em::Stop::MaxIterations => "not converged within",
            _ => "stopped after",
        };
        let n_starts = self.starts.starts().len();
        let agreement = match n_starts {
            1 => String::new(),
            n => format!("; {} of {n} starts agree", self.starts.n_agreeing()),
        };
        format!(
            "{how} {}{agreement}",
            counted(report.n_iterations, "iteration")
        )
    }

    fn likelihood_line(&self) -> String {
        format!(
            "log-likelihood {}, {}, BIC {}",
            nats(self.scores.log_likelihood),
            counted(self.scores.n_free_parameters, "parameter"),
            nats(Criterion::Bic.value(self.scores))
        )
    }

    /// What to type next.
    fn next_line(&self, out: Option<&Path>) -> String {
        let data = match self.data.source.as_str() {
            "standard input" => "DATA".to_owned(),
            path => shell_word(path),
        };
        match out {
            Some(path) => {
                let path = shell_word(&path.display().to_string());
                format!("saved: {path}\nnext: gmm predict {path} {data}")
            }
            None => format!(
                "next: add --out model.gmm to save this model, then: gmm predict model.gmm {data}"
            ),
        }
    }

    fn json(
        self,
        assignment: &Assignment,
        file: &ModelFile,
        out: Option<&Path>,
    ) -> Result<json::Fitted, Failure> {
        Ok(json::Fitted {
            command: self.command,
            data: json::DataAccount::new(self.data),
            selection: self.selection,
            fit: json::FitAccount::new(self.starts, self.scores),
            groups: json::groups(self.starts.best().model(), Some(&assignment.n_rows)),
            noise: json::noise(self.starts.best().model(), Some(&assignment.n_rows)),
            assignment: assignment.into(),
            precision: self.precision,
            notes: self.notes,
            saved: out.map(|path| path.display().to_string()),
            model: json::model_value(file)?,
        })
    }
}
