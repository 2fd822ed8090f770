//! The header of an npy file: what is in the array behind it.

use std::io::Read;

use super::super::error::TableError;
use super::element::Element;
use super::error::NpyError;
use super::read_up_to;

/// How every npy file starts.
pub(in super::super) const MAGIC: &[u8] = b"\x93NUMPY";

/// Headers are about a hundred bytes; one beyond this is no array of numbers.
pub(super) const MAX_HEADER_LEN: usize = 1 << 16;

/// What the header of a file says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub(super) element: Element,
    pub(super) big_endian: bool,
    pub(super) by_columns: bool,
    pub(super) n_rows: usize,
    pub(super) n_columns: usize,
}

impl Header {
    /// Reads from the start of a file up to its array.
    pub(super) fn read(reader: &mut impl Read) -> Result<Self, TableError> {
        let start = read_up_to(reader, MAGIC.len() + 2)?;
        let Some((magic, [major, minor])) = start.split_last_chunk::<2>() else {
            return Err(NpyError::NotNpy.into());
        };
        if magic != MAGIC {
            return Err(NpyError::NotNpy.into());
        }
        let (major, minor) = (*major, *minor);
        let length_len = match (major, minor) {
            (1, 0) => 2,
            (2 | 3, 0) => 4,
            _ => return Err(NpyError::Version { major, minor }.into()),
        };
        let length_bytes = read_exactly(reader, length_len)?;
        let found = length_bytes
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        if found > MAX_HEADER_LEN as u64 {
            return Err(NpyError::HeaderTooLong { found }.into());
        }
        let text = read_exactly(reader, found as usize)?;
        Ok(Self::parse(&text)?)
    }

    fn parse(text: &[u8]) -> Result<Self, NpyError> {
        let dictionary = Dictionary::parse(text)?;
        let (big_endian, element) =
            parse_element(&dictionary.descr).ok_or_else(|| NpyError::ElementType {
                descr: dictionary.descr.clone(),
            })?;
        let (n_rows, n_columns) = match *dictionary.shape {
            [n_rows] => (n_rows, 1),
            [n_rows, n_columns] => (n_rows, n_columns),
            ref other => return Err(NpyError::Dimensions { found: other.len() }),
        };
        if n_rows == 0 || n_columns == 0 {
            return Err(NpyError::NoCells { n_rows, n_columns });
        }
        let n_bytes = n_rows
            .checked_mul(n_columns)
            .and_then(|n_cells| n_cells.checked_mul(element.len() as u64));
        let fits = n_bytes.is_some_and(|n_bytes| usize::try_from(n_bytes).is_ok());
        match (usize::try_from(n_rows), usize::try_from(n_columns)) {
            (Ok(n_rows), Ok(n_columns)) if fits => Ok(Self {
                element,
                big_endian,
                by_columns: dictionary.fortran_order,
                n_rows,
                n_columns,
            }),
            _ => Err(NpyError::TooLarge { n_rows, n_columns }),
        }
    }
}

/// Byte order (true for big-endian) and type of a description such as `<f8`.
fn parse_element(descr: &str) -> Option<(bool, Element)> {
    let [order, kind, len] = *descr.as_bytes() else {
        return None;
    };
    let len = usize::from(len.checked_sub(b'0')?);
    let element = match (kind, len) {
        (b'f', 8) => Element::F64,
        (b'f', 4) => Element::F32,
        (b'b', 1) => Element::Bool,
        (b'i', 1 | 2 | 4 | 8) => Element::Signed { len },
        (b'u', 1 | 2 | 4 | 8) => Element::Unsigned { len },
        _ => return None,
    };
    match order {
        b'<' => Some((false, element)),
        b'>' => Some((true, element)),
        b'|' if len == 1 => Some((false, element)),
        _ => None,
    }
}

/// The three entries of a header, a Python dictionary such as
/// `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }`.
struct Dictionary {
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

impl Dictionary {
    fn parse(text: &[u8]) -> Result<Self, NpyError> {
        let mut scanner = Scanner { text, position: 0 };
        let parsed = scanner.dictionary();
        parsed.ok_or(NpyError::Header {
            position: scanner.position,
        })
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    position: usize,
}

impl Scanner<'_> {
    fn dictionary(&mut self) -> Option<Dictionary> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.symbol(b'{')?;
        while self.symbol(b'}').is_none() {
            let key = self.string()?;
            self.symbol(b':')?;
            // A key that comes twice is refused: which of the two counts would be a guess.
            let is_new = match key.as_str() {
                "descr" => descr.replace(self.descr()?).is_none(),
                "fortran_order" => fortran_order.replace(self.boolean()?).is_none(),
                "shape" => shape.replace(self.tuple()?).is_none(),
                _ => false,
            };
            if !is_new {
                return None;
            }
            if self.symbol(b',').is_none() {
                self.symbol(b'}')?;
                break;
            }
        }
        self.skip_spaces();
        if self.position != self.text.len() {
            return None;
        }
        Some(Dictionary {
            descr: descr?,
            fortran_order: fortran_order?,
            shape: shape?,
        })
    }

    /// The type of elements: a string, or for records a list, which is kept as it is for the message.
    fn descr(&mut self) -> Option<String> {
        self.skip_spaces();
        if self.text.get(self.position) != Some(&b'[') {
            return self.string();
        }
        let end = self.text[self.position..]
            .iter()
            .rposition(|&byte| byte == b']')?;
        let list = &self.text[self.position..=self.position + end];
        self.position += end + 1;
        Some(String::from_utf8_lossy(list).into_owned())
    }

    fn string(&mut self) -> Option<String> {
        self.skip_spaces();
        let quote = *self.text.get(self.position)?;
        if quote != b'\'' && quote != b'"' {
            return None;
        }
        let rest = &self.text[self.position + 1..];
        let end = rest.iter().position(|&byte| byte == quote)?;
        self.position += end + 2;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    fn boolean(&mut self) -> Option<bool> {
        self.skip_spaces();
        let rest = &self.text[self.position..];
        let value = rest.starts_with(b"True");
        if !value && !rest.starts_with(b"False") {
            return None;
        }
        self.position += if value { 4 } else { 5 };
        Some(value)
    }

    fn tuple(&mut self) -> Option<Vec<u64>> {
        let mut numbers = Vec::new();
        self.symbol(b'(')?;
        while self.symbol(b')').is_none() {
            numbers.push(self.number()?);
            if self.symbol(b',').is_none() {
                self.symbol(b')')?;
                break;
            }
        }
        Some(numbers)
    }

    fn number(&mut self) -> Option<u64> {
        self.skip_spaces();
        let rest = &self.text[self.position..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += len;
        std::str::from_utf8(&rest[..len]).ok()?.parse().ok()
    }

    /// Steps over a symbol, if it comes next.
    fn symbol(&mut self, symbol: u8) -> Option<()> {
        self.skip_spaces();
        if *self.text.get(self.position)? != symbol {
            return None;
        }
        self.position += 1;
        Some(())
    }

    fn skip_spaces(&mut self) {
        let rest = &self.text[self.position..];
        self.position += rest.len() - rest.trim_ascii_start().len();
    }
}

/// This number of bytes of a header.
fn read_exactly(reader: &mut impl Read, len: usize) -> Result<Vec<u8>, TableError> {
    let bytes = read_up_to(reader, len)?;
    if bytes.len() < len {
        return Err(NpyError::Header {
            position: bytes.len(),
        }
        .into());
    }
    Ok(bytes)
}
