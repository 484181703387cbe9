//! The table's keys: the only place that spells `PK` and `SK`.
//!
//! An id contains no `#`, so the parts of a key are unambiguous. A value that may contain one (a normalized e-mail
//! address, a client's address) is always the last part.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::model::{NormalizedEmail, OrganizationId, UserId};

/// The attributes that hold the partition key and the sort key.
pub const KEY_ATTRIBUTES: [&str; 2] = ["PK", "SK"];
/// The attribute after whose time (seconds since 1970) DynamoDB may delete an item.
pub const TTL_ATTRIBUTE: &str = "ExpiresAt";
const EMAIL: &str = "EMAIL";
const USER: &str = "USER";
const PROFILE: &str = "PROFILE";
const MEMBERSHIP: &str = "MEMBERSHIP";
const CUSTOMER: &str = "CUSTOMER";
const ORGANIZATION: &str = "ORG";
const CREDENTIAL: &str = "CREDENTIAL";
const RATE: &str = "RATE";
const SIGNING_KEYS: &str = "SIGNING_KEYS";

/// Conditions on a key.
pub struct Condition;

impl Condition {
    /// No item has the key.
    pub const ABSENT: &str = "attribute_not_exists(PK)";
    /// An item has the key.
    pub const PRESENT: &str = "attribute_exists(PK)";
}

/// The kind of item that a key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub enum KeyKind {
    EmailClaim,
    User,
    Membership,
    CustomerAssociation,
    Organization,
    Credential,
    RateLimit,
    SigningKeys,
}

/// The key of an item.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    kind: KeyKind,
    partition: String,
    sort: String,
}

impl Key {
    fn new(kind: KeyKind, partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { kind, partition: partition.into(), sort: sort.into() }
    }

    /// The key of the claim of an e-mail address.
    #[must_use]
    pub fn email_claim(email: &NormalizedEmail) -> Self {
        Self::email_claim_of(email.as_str())
    }

    /// The key of a claim that was read, whatever address it is of.
    #[must_use]
    pub fn email_claim_of(partition_id: &str) -> Self {
        Self::new(KeyKind::EmailClaim, format!("{EMAIL}#{partition_id}"), EMAIL)
    }

    /// A key under which no e-mail claim can be: reading it only opens the connection.
    #[must_use]
    pub fn no_email_claim() -> Self {
        Self::email_claim_of("")
    }

    /// The key of a user.
    #[must_use]
    pub fn user(user: &UserId) -> Self {
        Self::new(KeyKind::User, user_partition(user), PROFILE)
    }

    /// The key of a user's membership in an organization.
    #[must_use]
    pub fn membership(user: &UserId, organization: &OrganizationId) -> Self {
        Self::new(KeyKind::Membership, user_partition(user), format!("{MEMBERSHIP}#{organization}"))
    }

    /// The key of a user's customer account in an organization.
    #[must_use]
    pub fn customer_association(user: &UserId, organization: &OrganizationId) -> Self {
        Self::new(KeyKind::CustomerAssociation, user_partition(user), format!("{CUSTOMER}#{organization}"))
    }

    /// The key of an organization.
    #[must_use]
    pub fn organization(organization: &OrganizationId) -> Self {
        Self::new(KeyKind::Organization, format!("{ORGANIZATION}#{organization}"), ORGANIZATION)
    }

    /// The key of a user's password.
    #[must_use]
    pub fn credential(user: &UserId) -> Self {
        Self::new(KeyKind::Credential, format!("{CREDENTIAL}#{user}"), CREDENTIAL)
    }

    /// The key of a client's rate limit.
    #[must_use]
    pub fn rate_limit(name: &str, client: impl fmt::Display) -> Self {
        Self::new(KeyKind::RateLimit, format!("{RATE}#{name}#{client}"), RATE)
    }

    /// The key of the signing keys.
    #[must_use]
    pub fn signing_keys() -> Self {
        Self::new(KeyKind::SigningKeys, SIGNING_KEYS, SIGNING_KEYS)
    }

    /// The filter that selects the organizations of a scan, and the value of its `:organization`.
    #[allow(dead_code, reason = "operator scans with it, and only this file spells keys")]
    #[must_use]
    pub fn organizations_filter() -> (&'static str, AttributeValue) {
        ("SK = :organization", AttributeValue::S(ORGANIZATION.to_owned()))
    }

    /// Parses a key. `None` if this module does not write such keys.
    #[must_use]
    pub fn parse(partition: &str, sort: &str) -> Option<Self> {
        let kind = match (partition.split_once('#'), sort.split_once('#')) {
            (Some((EMAIL, _)), None) if sort == EMAIL => KeyKind::EmailClaim,
            (Some((USER, _)), None) if sort == PROFILE => KeyKind::User,
            (Some((USER, _)), Some((MEMBERSHIP, _))) => KeyKind::Membership,
            (Some((USER, _)), Some((CUSTOMER, _))) => KeyKind::CustomerAssociation,
            (Some((ORGANIZATION, _)), None) if sort == ORGANIZATION => KeyKind::Organization,
            (Some((CREDENTIAL, _)), None) if sort == CREDENTIAL => KeyKind::Credential,
            (Some((RATE, _)), None) if sort == RATE => KeyKind::RateLimit,
            (None, None) if partition == SIGNING_KEYS && sort == SIGNING_KEYS => KeyKind::SigningKeys,
            _ => return None,
        };
        Some(Self::new(kind, partition, sort))
    }

    /// What kind of item the key is of.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The id in the partition key: the user's of a user's items, the organization's of its own.
    #[must_use]
    pub fn partition_id(&self) -> &str {
        self.partition.split_once('#').map_or("", |(_, id)| id)
    }

    /// The organization's id in the sort key of a membership or customer association.
    #[must_use]
    pub fn sort_id(&self) -> &str {
        self.sort.split_once('#').map_or("", |(_, id)| id)
    }

    /// The limit's name and the client in the partition key of a rate limit.
    #[allow(dead_code, reason = "operator reads it, and only this file spells keys")]
    #[must_use]
    pub fn rate_limit_parts(&self) -> (&str, &str) {
        self.partition_id().split_once('#').unwrap_or((self.partition_id(), ""))
    }

    /// The attributes, as the SDK takes them.
    #[must_use]
    pub fn into_attributes(self) -> HashMap<String, AttributeValue> {
        KEY_ATTRIBUTES
            .map(str::to_owned)
            .into_iter()
            .zip([self.partition, self.sort].map(AttributeValue::S))
            .collect()
    }
}

/// A key may contain an e-mail address or a client's address, so it is not shown.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.kind)
    }
}

fn user_partition(user: &UserId) -> String {
    format!("{USER}#{user}")
}

/// A range of sort keys in one partition, both ends included.
pub struct Range {
    partition: String,
    first: String,
    last: String,
}

impl Range {
    /// The condition that selects a range, with the values of [`Range::to_attributes`].
    pub const CONDITION: &str = "PK = :partition AND SK BETWEEN :first AND :last";

    /// A user and all its memberships: `MEMBERSHIP#…` to `PROFILE`.
    #[must_use]
    pub fn memberships_and_user(user: &UserId) -> Self {
        Self::of(user, format!("{MEMBERSHIP}#"), PROFILE.to_owned())
    }

    /// A user's customer associations, and of its memberships those up to one organization's:
    /// `CUSTOMER#…` to `MEMBERSHIP#<organization>`.
    #[must_use]
    pub fn associations_and_membership(user: &UserId, organization: &OrganizationId) -> Self {
        Self::of(user, format!("{CUSTOMER}#"), format!("{MEMBERSHIP}#{organization}"))
    }

    /// Everything in a user's partition: `CUSTOMER#…` to `PROFILE`.
    #[allow(dead_code, reason = "operator reads it, and only this file spells keys")]
    #[must_use]
    pub fn everything_of(user: &UserId) -> Self {
        Self::of(user, format!("{CUSTOMER}#"), PROFILE.to_owned())
    }

    fn of(user: &UserId, first: String, last: String) -> Self {
        Self { partition: user_partition(user), first, last }
    }

    /// The values of [`Range::CONDITION`]: partition, first and last sort key.
    #[must_use]
    pub fn to_attributes(&self) -> [AttributeValue; 3] {
        [&self.partition, &self.first, &self.last].map(|text| AttributeValue::S(text.clone()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ClientAddress, Email};

    fn every_kind(id: &str, organization: &str) -> Vec<Key> {
        let user: UserId = id.parse().unwrap();
        let organization: OrganizationId = organization.parse().unwrap();
        let email = "a#b@example.com".parse::<Email>().unwrap();
        vec![
            Key::email_claim(email.normalized()),
            Key::user(&user),
            Key::membership(&user, &organization),
            Key::customer_association(&user, &organization),
            Key::organization(&organization),
            Key::credential(&user),
            Key::rate_limit("exists", "2001:db8::1".parse::<ClientAddress>().unwrap()),
            Key::signing_keys(),
        ]
    }

    proptest! {
        #[test]
        fn a_key_reads_back_as_it_was_written(id in "[!-\"$-~]{1,128}", organization in "[!-\"$-~]{1,128}") {
            for key in every_kind(&id, &organization) {
                prop_assert_eq!(Key::parse(&key.partition, &key.sort), Some(key));
            }
            let membership = Key::membership(&id.parse().unwrap(), &organization.parse().unwrap());
            prop_assert_eq!((membership.partition_id(), membership.sort_id()), (&*id, &*organization));
        }

        #[test]
        fn no_two_keys_spell_the_same(
            one in ("[!-\"$-~]{1,4}", "[!-\"$-~]{1,4}"),
            other in ("[!-\"$-~]{1,4}", "[!-\"$-~]{1,4}"),
        ) {
            prop_assume!(one != other);
            for a in every_kind(&one.0, &one.1) {
                for b in every_kind(&other.0, &other.1) {
                    let same_text = a.partition == b.partition && a.sort == b.sort;
                    prop_assert_eq!(same_text, a == b);
                }
            }
        }
    }

    #[test]
    fn debug_shows_what_kind_a_key_is_of_alone() {
        let shown: Vec<_> = every_kind("kp_1", "org_1").iter().map(|key| format!("{key:?}")).collect();
        assert_eq!(shown[0], "Key(EmailClaim)");
        assert_eq!(shown[6], "Key(RateLimit)");
    }

    #[test]
    fn what_is_not_a_key_is_none() {
        let keys = every_kind("kp_1", "org_1");
        for (one, other) in keys.iter().flat_map(|one| keys.iter().map(move |other| (one, other))) {
            let kind = Key::parse(&one.partition, &other.sort).map(|key| key.kind());
            // Only a user's partition has items of several kinds.
            let of_one = one == other || (one.partition == other.partition);
            assert_eq!(kind, of_one.then_some(other.kind()), "{} {}", one.partition, other.sort);
        }
        for (partition, sort) in
            [("", ""), ("USER", "PROFILE"), ("USER#a", "OTHER"), ("SIGNING_KEYS", "OTHER")]
        {
            assert_eq!(Key::parse(partition, sort), None);
        }
    }
}
