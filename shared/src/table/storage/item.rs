//! Items, read into types. An invalid item is a defect that names its kind.

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::types::AttributeValue;

use super::keys::{KEY_ATTRIBUTES, Key, KeyKind};
use crate::error::Error;

/// The attributes of an item, and what kind of item it is.
pub struct Item {
    kind: KeyKind,
    attributes: HashMap<String, AttributeValue>,
}

impl Item {
    /// An item of this kind.
    #[must_use]
    pub fn new(kind: KeyKind, attributes: HashMap<String, AttributeValue>) -> Self {
        Self { kind, attributes }
    }

    /// An item that a query or a batch returned: its key determines its kind.
    pub fn with_key(attributes: HashMap<String, AttributeValue>) -> Result<Self, Error> {
        let key = key_of(&attributes)
            .ok_or_else(|| Error::defect("the table holds an item whose key is of no kind"))?;
        Ok(Self::new(key.kind(), attributes))
    }

    /// What kind of item it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Reads its key.
    pub fn key(&self) -> Result<Key, Error> {
        key_of(&self.attributes).ok_or_else(|| self.broken("key"))
    }

    /// Reads an attribute that must be present.
    pub fn required<T: FromStr>(&self, name: &'static str) -> Result<T, Error> {
        self.optional(name)?.ok_or_else(|| self.broken(name))
    }

    /// Reads an attribute that may be absent or `NULL`.
    pub fn optional<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Error> {
        match self.attributes.get(name) {
            None | Some(AttributeValue::Null(_)) => Ok(None),
            Some(AttributeValue::S(text)) => text.parse().map(Some).map_err(|_| self.broken(name)),
            Some(_) => Err(self.broken(name)),
        }
    }

    /// Reads a whole number that may be absent.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Error> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(number)) => number.parse().map(Some).map_err(|_| self.broken(name)),
            Some(_) => Err(self.broken(name)),
        }
    }

    /// Parses a text of the key.
    pub fn parsed<T: FromStr>(&self, text: &str) -> Result<T, Error> {
        text.parse().map_err(|_| self.broken("key"))
    }

    /// The error for an attribute that cannot be read.
    #[must_use]
    pub fn broken(&self, attribute: &str) -> Error {
        Error::defect(format!("the table holds a broken {:?} item: {attribute}", self.kind))
    }
}

fn key_of(attributes: &HashMap<String, AttributeValue>) -> Option<Key> {
    let [partition, sort] = KEY_ATTRIBUTES.map(|name| attributes.get(name)?.as_s().ok());
    Key::parse(partition?, sort?)
}

/// The attributes of an item that is about to be written.
pub struct NewItem {
    kind: KeyKind,
    attributes: HashMap<String, AttributeValue>,
}

impl NewItem {
    /// An item with this key and no other attribute.
    #[must_use]
    pub fn new(key: Key) -> Self {
        Self { kind: key.kind(), attributes: key.into_attributes() }
    }

    /// Adds a text.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.insert(name.to_owned(), AttributeValue::S(value.into()));
        self
    }

    /// Adds a text, if there is one.
    #[must_use]
    pub fn with_optional(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The attributes, as the SDK takes them.
    #[must_use]
    pub fn into_attributes(self) -> HashMap<String, AttributeValue> {
        self.attributes
    }

    /// What kind of item it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }
}
