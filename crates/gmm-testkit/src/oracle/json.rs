//! A JSON value that knows where it stands, so that a field of another shape is reported by its path.

use std::path::Path;

use serde_json::Value;

/// A value and the path that leads to it.
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
}

/// Reads a file; panics if it is not JSON.
pub(super) fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} is not JSON: {error}", path.display()))
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    /// A field that has to be there.
    pub(super) fn get(&self, field: &str) -> Node<'a> {
        self.find(field)
            .unwrap_or_else(|| panic!("the oracle has no value at {}.{field}", self.path))
    }

    /// A field that may be missing or null.
    pub(super) fn find(&self, field: &str) -> Option<Node<'a>> {
        let value = self.value.get(field).filter(|value| !value.is_null())?;
        Some(Node {
            value,
            path: format!("{}.{field}", self.path),
        })
    }

    pub(super) fn items(&self) -> Vec<Node<'a>> {
        let items = self
            .value
            .as_array()
            .unwrap_or_else(|| self.fail("an array"));
        (items.iter().enumerate())
            .map(|(i, value)| Node {
                value,
                path: format!("{}[{i}]", self.path),
            })
            .collect()
    }

    pub(super) fn fields(&self) -> Vec<(&'a str, Node<'a>)> {
        let fields = self
            .value
            .as_object()
            .unwrap_or_else(|| self.fail("an object"));
        fields
            .keys()
            .map(|name| (name.as_str(), self.get(name)))
            .collect()
    }

    pub(super) fn text(&self) -> &'a str {
        self.value.as_str().unwrap_or_else(|| self.fail("a string"))
    }

    /// A number, which stands as a string with all its digits.
    pub(super) fn number(&self) -> f64 {
        self.text()
            .parse()
            .unwrap_or_else(|_| self.fail("a number in a string"))
    }

    pub(super) fn count(&self) -> usize {
        self.value
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or_else(|| self.fail("a count"))
    }

    pub(super) fn numbers(&self) -> Vec<f64> {
        self.items().iter().map(Self::number).collect()
    }

    pub(super) fn counts(&self) -> Vec<usize> {
        self.items().iter().map(Self::count).collect()
    }

    /// A table as rows.
    pub(super) fn table(&self) -> Vec<Vec<f64>> {
        self.items().iter().map(Self::numbers).collect()
    }

    /// All numbers below this value in reading order, however deep.
    pub(super) fn flat_numbers(&self) -> Vec<f64> {
        if self.value.is_array() {
            self.items().iter().flat_map(Self::flat_numbers).collect()
        } else {
            vec![self.number()]
        }
    }

    fn fail(&self, expected: &str) -> ! {
        panic!(
            "the oracle has {} at {}, expected {expected}",
            self.value, self.path
        )
    }
}
