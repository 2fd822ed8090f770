//! Rows that are held out together.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::Error;
use crate::resampling::shuffled;

/// A partition of rows into folds, each of which is held out once.
///
/// ```
/// use gmm_select::Folds;
///
/// let folds = Folds::of_groups(&[7, 7, 3, 3, 3, 9], 3, 0)?; // rows of one patient stay together
/// assert_eq!(folds.of_rows()[0], folds.of_rows()[1]);
/// assert_eq!(folds.n_folds(), 3);
/// # Ok::<(), gmm_select::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    of_rows: Vec<usize>,
    n_folds: usize,
}

impl Folds {
    /// Rows in random order, dealt in turn: sizes differ by at most one.
    ///
    /// # Errors
    /// [`Error::Folds`] for fewer than two folds or more folds than rows.
    pub fn of_rows_at_random(n_rows: usize, n_folds: usize, seed: u64) -> Result<Self, Error> {
        check_folds(n_folds, n_rows)?;
        let order = shuffled(n_rows, &mut Xoshiro256PlusPlus::seed_from_u64(seed));
        let mut of_rows = vec![0; n_rows];
        for (place, row) in order.into_iter().enumerate() {
            of_rows[row] = place % n_folds;
        }
        Ok(Self { of_rows, n_folds })
    }

    /// Rows that have a label in common stay together: for rows that aren't independent, such as those of one patient or day. Groups are
    /// taken in random order, the larger ones first, each to the fold that has fewest rows.
    ///
    /// # Errors
    /// [`Error::Folds`] for fewer than two folds or more folds than groups.
    pub fn of_groups(labels: &[usize], n_folds: usize, seed: u64) -> Result<Self, Error> {
        let mut names = labels.to_vec();
        names.sort_unstable();
        names.dedup();
        check_folds(n_folds, names.len())?;
        let group = |label: &usize| names.partition_point(|name| name < label);
        let mut sizes = vec![0_usize; names.len()];
        labels.iter().for_each(|label| sizes[group(label)] += 1);
        let mut order = shuffled(names.len(), &mut Xoshiro256PlusPlus::seed_from_u64(seed));
        order.sort_by(|a, b| sizes[*b].cmp(&sizes[*a]));
        let mut n_rows = vec![0; n_folds];
        let mut fold_of_group = vec![0; names.len()];
        for g in order {
            let lightest =
                (0..n_folds).fold(0, |best, f| if n_rows[f] < n_rows[best] { f } else { best });
            n_rows[lightest] += sizes[g];
            fold_of_group[g] = lightest;
        }
        let of_rows = labels.iter().map(|l| fold_of_group[group(l)]).collect();
        Ok(Self { of_rows, n_folds })
    }

    /// The fold of each row.
    pub fn of_rows(&self) -> &[usize] {
        &self.of_rows
    }

    /// Number of folds.
    pub fn n_folds(&self) -> usize {
        self.n_folds
    }

    /// Whether these are folds of so many rows.
    pub(crate) fn check(&self, n_rows: usize) -> Result<(), Error> {
        if self.of_rows.len() == n_rows {
            return Ok(());
        }
        Err(Error::FoldRows {
            found: self.of_rows.len(),
            expected: n_rows,
        })
    }
}

fn check_folds(n_folds: usize, n_units: usize) -> Result<(), Error> {
    if (2..=n_units).contains(&n_folds) {
        Ok(())
    } else {
        Err(Error::Folds {
            found: n_folds,
            n_units,
        })
    }
}
