//! An organization: a tenant.

use std::str::FromStr;

use super::user::{label, stored_label};
use super::{Invalid, OrganizationId, Stored, text_type};

/// An organization's name: trimmed, 1 to 100 characters, all of them visible.
#[derive(Clone, PartialEq, Eq)]
pub struct OrganizationName(String);

text_type!(OrganizationName, debug: true);

impl TryFrom<String> for OrganizationName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        label(&text).map(Self)
    }
}

impl FromStr for Stored<OrganizationName> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        stored_label(text).map(|text| Self(OrganizationName(text)))
    }
}

/// An organization's short name for addresses: 1 to 63 of `a`–`z`, `0`–`9` and `-`, as a DNS label.
#[derive(Clone, PartialEq, Eq)]
pub struct Slug(String);

text_type!(Slug, debug: true);

impl TryFrom<String> for Slug {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let allowed = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if allowed && (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-') {
            Ok(Self(text))
        } else {
            Err(Invalid("must be 1 to 63 of a-z, 0-9 and -, with no - at either end"))
        }
    }
}

/// An organization as the table holds it.
#[derive(Clone, Debug)]
pub struct Organization {
    /// The organization's id.
    pub id: OrganizationId,
    /// The name that people read.
    pub name: OrganizationName,
    /// The short name that addresses carry.
    pub slug: Slug,
}
