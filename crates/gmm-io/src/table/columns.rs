//! Columns as a user names them: by number from 1, by name, or as a list of both.

use std::fmt;
use std::str::FromStr;

use super::error::{SelectorError, TableError};

/// One column of a table, by its number (counted from 1) or its name.
///
/// Parsed from text, digits are a number and anything else is a name; quotes make a name of digits.
///
/// ```
/// use gmm_io::table::Column;
///
/// assert_eq!("3".parse(), Ok(Column::Number(3)));
/// assert_eq!("petal width".parse(), Ok(Column::Name("petal width".into())));
/// assert_eq!("\"2019\"".parse(), Ok(Column::Name("2019".into())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Column {
    /// The column's number, counted from 1.
    Number(usize),
    /// The column's name, as the header has it.
    Name(String),
}

impl Column {
    /// The index (from 0) of this column among columns of these names.
    pub(super) fn resolve(&self, header: &HeaderNames<'_>) -> Result<usize, TableError> {
        match self {
            Self::Number(number) => header.index_of_number(*number),
            Self::Name(name) => header.index_of_name(name),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl FromStr for Column {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('"') {
            let name = rest.strip_suffix('"').ok_or(SelectorError::UnclosedQuote)?;
            return Ok(Self::Name(name.to_owned()));
        }
        match parse_number(text)? {
            Some(number) => Ok(Self::Number(number)),
            None if text.is_empty() => Err(SelectorError::Empty),
            None => Ok(Self::Name(text.to_owned())),
        }
    }
}

/// Several columns of a table, in the order in which they are asked for.
///
/// Parsed from text, the parts are separated by commas: a number, a range of numbers (`4-6`, or `4-` up to the last
/// column) or a name. Quotes around a name keep its commas, hyphens and digits from being read as anything else.
///
/// ```
/// use gmm_io::table::ColumnSelector;
///
/// let columns: ColumnSelector = "2,4-6,petal width".parse()?;
/// assert_eq!(columns.to_string(), "2,4-6,\"petal width\"");
/// # Ok::<(), gmm_io::table::SelectorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnSelector {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    One(Column),
    /// Both ends belong to the range; without a last number it goes up to the last column.
    Range {
        first: usize,
        last: Option<usize>,
    },
}

impl ColumnSelector {
    /// The indices (from 0) that this selection stands for, in its order.
    pub(super) fn resolve(&self, header: &HeaderNames<'_>) -> Result<Vec<usize>, TableError> {
        let mut indices = Vec::new();
        for part in &self.parts {
            match part {
                Part::One(column) => indices.push(column.resolve(header)?),
                Part::Range { first, last } => {
                    let last = last.unwrap_or(header.len().max(*first));
                    // The last number is looked up first: a range such as 1-999999999999 must not be walked.
                    let last = header.index_of_number(last)?;
                    indices.extend(header.index_of_number(*first)?..=last);
                }
            }
        }
        Ok(indices)
    }

    /// The names that this selection mentions.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::One(Column::Name(name)) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl From<Column> for ColumnSelector {
    fn from(column: Column) -> Self {
        Self::from_iter([column])
    }
}

impl FromIterator<Column> for ColumnSelector {
    fn from_iter<I: IntoIterator<Item = Column>>(columns: I) -> Self {
        Self {
            parts: columns.into_iter().map(Part::One).collect(),
        }
    }
}

impl fmt::Display for ColumnSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match part {
                Part::One(column) => write!(f, "{column}")?,
                Part::Range { first, last: None } => write!(f, "{first}-")?,
                Part::Range {
                    first,
                    last: Some(last),
                } => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for ColumnSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let parts = split_outside_quotes(text)?
            .into_iter()
            .map(parse_part)
            .collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }
}

fn parse_part(text: &str) -> Result<Part, SelectorError> {
    if let Some((first, last)) = text.split_once('-')
        && let Some(first) = parse_number(first)?
    {
        let open = last.trim().is_empty();
        let last = parse_number(last)?;
        match last {
            Some(last) if last < first => return Err(SelectorError::Reversed { first, last }),
            Some(_) => return Ok(Part::Range { first, last }),
            None if open => return Ok(Part::Range { first, last }),
            // Such as "2-methylbutane": a name after all.
            None => {}
        }
    }
    text.parse().map(Part::One)
}

/// A number of a column, or `None` if the text is no number at all.
fn parse_number(text: &str) -> Result<Option<usize>, SelectorError> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse() {
        Ok(0) => Err(SelectorError::Zero),
        // Too long for a number of a column: no table has it, and the look-up will say so.
        Err(_) => Ok(Some(usize::MAX)),
        Ok(number) => Ok(Some(number)),
    }
}

fn split_outside_quotes(text: &str) -> Result<Vec<&str>, SelectorError> {
    let mut parts = Vec::new();
    let mut in_quotes = false;
    let mut start = 0;
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => in_quotes = !in_quotes,
            b',' if !in_quotes => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    if in_quotes {
        return Err(SelectorError::UnclosedQuote);
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// The columns of a table that selections are looked up in.
pub(super) struct HeaderNames<'a> {
    /// One name for each column, made up where the table has none.
    pub(super) names: &'a [String],
    /// Whether the names come from the table.
    pub(super) present: bool,
    /// For each column whether the header's cell is empty.
    pub(super) unnamed: &'a [bool],
}

impl HeaderNames<'_> {
    fn len(&self) -> usize {
        self.names.len()
    }

    fn index_of_number(&self, number: usize) -> Result<usize, TableError> {
        if number == 0 || number > self.len() {
            return Err(TableError::ColumnNumber {
                number,
                n_columns: self.len(),
            });
        }
        Ok(number - 1)
    }

    fn index_of_name(&self, name: &str) -> Result<usize, TableError> {
        if !self.present {
            return Err(TableError::NoHeader { name: name.into() });
        }
        let mut same = (0..self.len()).filter(|&i| self.names[i] == name);
        match (same.next(), same.next()) {
            (Some(index), None) => Ok(index),
            (Some(first), Some(second)) => Err(TableError::AmbiguousColumn {
                name: name.into(),
                first: first + 1,
                second: second + 1,
            }),
            (None, _) => Err(TableError::UnknownColumn {
                name: name.into(),
                known: self.names.to_vec(),
            }),
        }
    }
}
