//! Results for all rows of a table, block by block in parallel.

use faer::prelude::ReborrowMut;
use faer::{Mat, MatMut};
use rayon::prelude::*;

use super::{GaussianMixture, Scratch};
use crate::block::{BLOCK_ROWS, Block, Frame};
use crate::tree::Tree;
use crate::{Error, Samples};

impl GaussianMixture {
    /// So many columns of numbers, from what `evaluate` leaves in the first rows of `scratch.joint`.
    pub(super) fn table(
        &self,
        x: Samples<'_>,
        columns: usize,
        evaluate: impl Fn(&Self, &Block, &mut Scratch) + Sync,
    ) -> Result<Mat<f64>, Error> {
        x.check_shape(self.n_features())?;
        let rows = x.n_samples();
        self.check_lanes()?;
        let too_large = Error::TooLarge { rows, columns };
        rows.checked_mul(columns).ok_or(too_large.clone())?;
        let mut out = Mat::new();
        out.try_reserve(rows, columns).map_err(|_| too_large)?;
        out.resize_with(rows, columns, |_, _| 0.0);
        self.fill_table(x, out.as_mut(), &evaluate)?;
        Ok(out)
    }

    /// Fills a table of the right shape in parallel. The lanes of a block are a part of a column as they are.
    pub(super) fn fill_table(
        &self,
        x: Samples<'_>,
        out: MatMut<'_, f64>,
        evaluate: &(impl Fn(&Self, &Block, &mut Scratch) + Sync),
    ) -> Result<(), Error> {
        x.check_shape(self.n_features())?;
        let frame = Frame::identity(self.n_features());
        let memory = || (Block::new(self.n_features()), Scratch::new(self));
        let leaf = |(block, scratch): &mut (Block, Scratch),
                    first: usize,
                    mut out: MatMut<'_, f64>| {
            for index in first..first + Block::count(out.nrows()) {
                block.fill(&x, index, &frame)?;
                block.look_ahead(&x);
                evaluate(self, block, scratch);
                let mut part = out
                    .rb_mut()
                    .subrows_mut((index - first) * BLOCK_ROWS, block.len());
                for (k, lanes) in (0..part.ncols()).zip(scratch.joint.chunks_exact(BLOCK_ROWS)) {
                    let column = part.rb_mut().col_mut(k);
                    match column.try_as_col_major_mut() {
                        Some(column) => {
                            column.as_slice_mut().copy_from_slice(&lanes[..block.len()])
                        }
                        None => (0..block.len()).for_each(|i| part[(i, k)] = lanes[i]),
                    }
                }
            }
            Ok(())
        };
        let tree = Tree::new(
            Block::count(out.nrows()),
            self.n_components(),
            self.n_free_parameters(),
        );
        match tree.fill(&memory, out, &leaf) {
            // Of several bad cells the first one is reported, whichever thread meets one first.
            Err(Error::NonFinite { .. }) => Err(x.first_non_finite()),
            other => other,
        }
    }

    /// Refuses rows so wide that a block of them, and the working memory beside it, don't fit into memory.
    fn check_lanes(&self) -> Result<(), Error> {
        let n_features = self.n_features();
        let numbers = (3 * n_features + self.n_classes()).checked_mul(BLOCK_ROWS);
        let has_room = |n: usize| Vec::<f64>::new().try_reserve_exact(n).is_ok();
        if numbers.is_some_and(has_room) {
            Ok(())
        } else {
            Err(Error::TooWide { n_features })
        }
    }

    /// Room for `width` values per row. The shape is checked first: a table without columns may claim any number of rows.
    pub(super) fn output<T: Clone>(
        &self,
        x: Samples<'_>,
        width: usize,
        value: T,
    ) -> Result<Vec<T>, Error> {
        x.check_shape(self.n_features())?;
        self.check_lanes()?;
        let too_large = Error::TooLarge {
            rows: x.n_samples(),
            columns: width,
        };
        let Some(size) = x.n_samples().checked_mul(width) else {
            return Err(too_large);
        };
        let mut out = Vec::new();
        out.try_reserve_exact(size).map_err(|_| too_large)?;
        out.resize(size, value);
        Ok(out)
    }

    /// Runs over the blocks in parallel; each writes its own part of `out`, `width` values per row.
    pub(super) fn by_block<T: Send>(
        &self,
        x: Samples<'_>,
        width: usize,
        out: &mut [T],
        write: impl Fn(&Self, &Block, &mut Scratch, &mut [T]) + Sync,
    ) -> Result<(), Error> {
        x.check_shape(self.n_features())?;
        if out.len() != x.n_samples() * width {
            return Err(Error::OutputSize {
                found: out.len(),
                expected: x.n_samples() * width,
            });
        }
        let frame = Frame::identity(self.n_features());
        let result = out
            .par_chunks_mut(BLOCK_ROWS * width)
            .enumerate()
            .try_for_each_init(
                || (Block::new(self.n_features()), Scratch::new(self)),
                |(block, scratch), (index, out)| {
                    // Of several bad cells the first one is reported, whichever thread meets one first.
                    block.fill(&x, index, &frame)?;
                    block.look_ahead(&x);
                    write(self, block, scratch, out);
                    Ok(())
                },
            );
        match result {
            Err(Error::NonFinite { .. }) => Err(x.first_non_finite()),
            other => other,
        }
    }
}
