//! Names of features, kept as one text: a list of strings would let `"","",""` ask for many times its own memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::error::ModelError;

/// What stands between two names.
const BETWEEN: char = '\0';

/// Names in their order, joined by NUL characters, which none of them holds.
#[derive(Default)]
pub(super) struct Names {
    joined: String,
    n_names: usize,
}

impl Names {
    /// The names in a text that joins at least one.
    pub(super) fn of_joined(joined: &str) -> Self {
        Self {
            joined: joined.to_owned(),
            n_names: joined.split(BETWEEN).count(),
        }
    }

    /// The text that joins them.
    pub(super) fn joined(&self) -> &str {
        &self.joined
    }

    /// The names one by one, if there is one for each feature; they are counted before they are taken apart.
    pub(super) fn for_features(&self, n_features: usize) -> Result<Vec<String>, ModelError> {
        if self.n_names != n_features {
            return Err(ModelError::FeatureNames {
                found: self.n_names,
                expected: n_features,
            });
        }
        Ok(self.iter().map(str::to_owned).collect())
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.joined.split(BETWEEN).take(self.n_names)
    }

    fn push(&mut self, name: &str) {
        if self.n_names > 0 {
            self.joined.push(BETWEEN);
        }
        self.joined.push_str(name);
        self.n_names += 1;
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut joined = Self::default();
        names.into_iter().for_each(|name| joined.push(name));
        joined
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ReadNames)
    }
}

struct ReadNames;

impl<'de> Visitor<'de> for ReadNames {
    type Value = Names;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
        let mut names = Names::default();
        while list.next_element_seed(ReadName(&mut names))?.is_some() {}
        Ok(names)
    }
}

/// A name that is added to those before it.
struct ReadName<'a>(&'a mut Names);

impl<'de> DeserializeSeed<'de> for ReadName<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.contains(BETWEEN) {
            let feature = self.0.n_names;
            return Err(D::Error::custom(ModelError::FeatureName { feature }));
        }
        self.0.push(&name);
        Ok(())
    }
}
