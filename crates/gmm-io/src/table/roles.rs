//! Which column of a file is what: feature, id, groups, weights or left out.

use super::columns::{Column, ColumnSelector, HeaderNames};
use super::detect::Layout;
use super::error::{ColumnId, TableError};
use super::options::{CsvOptions, TextColumns};

/// The purpose of each column that is read, by index (from 0) in the file.
#[derive(Debug)]
pub(super) struct Roles {
    /// In the order of the table to be made.
    pub(super) features: Vec<usize>,
    pub(super) id: Option<usize>,
    pub(super) groups: Option<usize>,
    pub(super) weights: Option<usize>,
    /// Left out because they hold text.
    pub(super) text: Vec<usize>,
    /// Features that nobody chose by hand and that the header has no name for.
    pub(super) unnamed: Vec<usize>,
    /// Whether the first column holds row names and was left out for that.
    pub(super) leaves_row_names: bool,
}

impl Roles {
    /// Gives the columns of a file their purposes.
    pub(super) fn resolve(
        options: &CsvOptions,
        header: &HeaderNames<'_>,
        layout: &Layout,
    ) -> Result<Self, TableError> {
        let single = |column: &Option<Column>| {
            column
                .as_ref()
                .map(|column| column.resolve(header))
                .transpose()
        };
        let several = |columns: &Option<ColumnSelector>| {
            let columns = columns.as_ref();
            columns.map(|columns| columns.resolve(header)).transpose()
        };
        let id = single(&options.id)?;
        let groups = single(&options.groups)?;
        let weights = single(&options.weights)?;
        let excluded = marked(header, several(&options.exclude)?.unwrap_or_default());
        let chosen = several(&options.columns)?;

        // A column that is asked for twice is a slip of the user's, whatever the two purposes are.
        let single = [id, groups, weights].into_iter().flatten();
        let asked_for = chosen.iter().flatten().copied().chain(single);
        let mut seen = vec![false; header.names.len()];
        for index in asked_for {
            if std::mem::replace(&mut seen[index], true) {
                return Err(TableError::ColumnTwice {
                    column: header.id(index),
                });
            }
        }

        let by_default = chosen.is_none();
        let mut features =
            chosen.unwrap_or_else(|| (0..header.names.len()).filter(|&i| !seen[i]).collect());
        features.retain(|&index| !excluded[index]);
        let leaves_row_names = by_default && layout.row_names && features.first() == Some(&0);
        if leaves_row_names {
            features.remove(0);
        }
        let mut text = Vec::new();
        if by_default {
            let is_text = |index: usize| layout.text_columns.get(index).copied().unwrap_or(false);
            (text, features) = features.into_iter().partition(|&index| is_text(index));
        }
        if !text.is_empty() && options.text_columns == TextColumns::Error {
            let ids = |indices: &[usize]| indices.iter().map(|&index| header.id(index)).collect();
            return Err(TableError::TextColumns {
                text: ids(&text),
                numeric: ids(&features),
            });
        }
        if features.is_empty() {
            return Err(TableError::NoColumns);
        }
        let is_unnamed = |index: &usize| by_default && header.unnamed.get(*index) == Some(&true);
        let unnamed = features.iter().copied().filter(is_unnamed).collect();
        Ok(Self {
            features,
            id,
            groups,
            weights,
            text,
            unnamed,
            leaves_row_names,
        })
    }
}

impl HeaderNames<'_> {
    /// How messages name a column.
    pub(super) fn id(&self, index: usize) -> ColumnId {
        ColumnId {
            number: index + 1,
            name: self.present.then(|| self.names[index].clone()),
        }
    }
}

fn marked(header: &HeaderNames<'_>, indices: Vec<usize>) -> Vec<bool> {
    let mut marks = vec![false; header.names.len()];
    for index in indices {
        marks[index] = true;
    }
    marks
}
