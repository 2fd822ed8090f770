//! How well groups are told apart for what their likelihood gained.

use crate::Scores;

impl Scores {
    /// The normalized entropy criterion NEC = E_K / (log L_K - log L_1), lower is better: the entropy of the responsibilities in units of what
    /// K components gained over one (Celeux and Soromenho 1996).
    ///
    /// One component has 0 / 0, for which 1 is taken: K components are better than one where their NEC is below 1 (Biernacki, Celeux and
    /// Govaert 1999). Of unlike covariance forms it compares the numbers of components, not the forms. +inf where K components gained nothing.
    ///
    /// `of_one` are the scores of one component on the same rows, of the same form.
    pub fn normalized_entropy(&self, of_one: &Self) -> f64 {
        let gain = self.log_likelihood - of_one.log_likelihood;
        if gain > 0.0 {
            self.entropy / gain
        } else if self.n_free_parameters == of_one.n_free_parameters {
            1.0
        } else {
            f64::INFINITY
        }
    }
}
