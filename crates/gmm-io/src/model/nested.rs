//! Numbers in lists within lists, kept as one list of numbers and its shape: `Vec<Vec<f64>>` would let `[],[],[]` ask for many times its own
//! memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Numbers in `DEPTH` lists within each other; those of the same depth have the same length, which is not 0.
pub(super) struct Nested<const DEPTH: usize> {
    /// The lengths, the outermost first.
    pub(super) shape: [usize; DEPTH],
    /// In the order of the text.
    pub(super) values: Vec<f64>,
}

impl<const DEPTH: usize> Serialize for Nested<DEPTH> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (shape, values) = (&self.shape, &self.values);
        Lists { shape, values }.serialize(serializer)
    }
}

impl<'de, const DEPTH: usize> Deserialize<'de> for Nested<DEPTH> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (mut shape, mut values) = ([0; DEPTH], Vec::new());
        let lists = ReadLists {
            shape: &mut shape,
            values: &mut values,
        };
        lists.deserialize(deserializer)?;
        Ok(Self { shape, values })
    }
}

/// A part of nested numbers that is written: lists, or one number where the shape is empty.
struct Lists<'a> {
    shape: &'a [usize],
    values: &'a [f64],
}

impl Serialize for Lists<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self.shape {
            [] => self.values.first().serialize(serializer),
            [len, ref shape @ ..] => {
                let parts = self.values.chunks((self.values.len() / len.max(1)).max(1));
                serializer.collect_seq(parts.map(|values| Lists { shape, values }))
            }
        }
    }
}

/// A part of nested numbers that is read; a length of 0 is not known yet.
struct ReadLists<'a> {
    shape: &'a mut [usize],
    values: &'a mut Vec<f64>,
}

impl<'de> DeserializeSeed<'de> for ReadLists<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.shape.is_empty() {
            self.values.push(f64::deserialize(deserializer)?);
            Ok(())
        } else {
            deserializer.deserialize_seq(self)
        }
    }
}

impl<'de> Visitor<'de> for ReadLists<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.shape {
            [] | [_] => "a list of numbers",
            [_, _] => "a list of lists of numbers",
            _ => "a list of matrices",
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { shape, values } = self;
        let Some((expected, shape)) = shape.split_first_mut() else {
            return Ok(());
        };
        let mut found = 0;
        while list
            .next_element_seed(ReadLists { shape, values })?
            .is_some()
        {
            found += 1;
        }
        match *expected {
            _ if found == 0 => Err(Error::custom("found an empty list")),
            0 => {
                *expected = found;
                Ok(())
            }
            expected if expected == found => Ok(()),
            expected => Err(Error::custom(format_args!(
                "found a list of {found}, expected {expected} as in the one before"
            ))),
        }
    }
}
