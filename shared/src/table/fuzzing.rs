//! The fuzzed properties of keys and items. Each takes bytes and panics if its property does not hold. Compiled only
//! for the fuzz targets and the tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a property that does not hold is a panic"
)]

use std::collections::HashMap;
use std::str::FromStr;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::storage::{Item, KEY_ATTRIBUTES, Key, KeyKind, NewItem, Range, timestamp_from_text};
use super::{
    customer_associations, email_claims, memberships, organizations, rate_limit, signing_keys, users,
};
use crate::auth::{PublishedKeys, SigningKeys};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::model::{
    ClientAddress, CustomerNumber, Email, OrganizationId, OrganizationName, PersonName, PhoneNumber, Slug,
    Stored, UserId,
};

type Attributes = HashMap<String, AttributeValue>;

/// A key reads back as what it was made of, no two spell the same, and a range has what it is for.
///
/// An input is, line by line, a user, an organization, an e-mail address and a client's address, and the
/// same again.
pub fn keys(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let lines: Vec<&str> = text.splitn(8, '\n').collect();
    let (one, other) = lines.split_at(lines.len().min(4));
    let (one, other) = (every_key(one), every_key(other));
    for (key, ids) in &one {
        let [partition, sort] = spelled(key);
        assert_eq!(Key::parse(&partition, &sort).as_ref(), Some(key));
        assert_eq!(key.clone().into_attributes().len(), KEY_ATTRIBUTES.len());
        match (key.kind(), ids.as_slice()) {
            (KeyKind::User | KeyKind::Organization | KeyKind::Credential, [id]) => {
                assert_eq!(key.partition_id(), id);
            }
            (KeyKind::Membership | KeyKind::CustomerAssociation, [user, organization]) => {
                assert_eq!((key.partition_id(), key.sort_id()), (user.as_str(), organization.as_str()));
            }
            (KeyKind::EmailClaim | KeyKind::RateLimit, [last]) => assert!(partition.ends_with(last.as_str())),
            (KeyKind::SigningKeys, []) => {}
            (kind, ids) => panic!("{kind:?} of {}", ids.len()),
        }
        for (another, others_ids) in one.iter().chain(&other) {
            let same = key.kind() == another.kind() && ids == others_ids;
            assert_eq!(spelled(key) == spelled(another), same);
        }
        if let (KeyKind::Membership, [user, organization]) = (key.kind(), ids.as_slice()) {
            check_ranges(user, organization, one.iter().chain(&other));
        }
    }
    if let [partition, sort, ..] = lines.as_slice()
        && let Some(key) = Key::parse(partition, sort)
    {
        assert_eq!(spelled(&key), [*partition, *sort]);
        assert!(partition.ends_with(key.partition_id()) && sort.ends_with(key.sort_id()));
    }
}

/// The keys of all kinds that these lines are enough for, each with what it is made of.
fn every_key(lines: &[&str]) -> Vec<(Key, Vec<String>)> {
    let line = |at: usize| lines.get(at).copied().unwrap_or_default();
    let (user, organization) = (line(0).parse::<UserId>(), line(1).parse::<OrganizationId>());
    let mut keys = vec![(Key::signing_keys(), vec![])];
    if let Ok(user) = &user {
        keys.push((Key::user(user), vec![user.to_string()]));
        keys.push((Key::credential(user), vec![user.to_string()]));
    }
    if let Ok(organization) = &organization {
        keys.push((Key::organization(organization), vec![organization.to_string()]));
    }
    if let (Ok(user), Ok(organization)) = (&user, &organization) {
        let ids = vec![user.to_string(), organization.to_string()];
        keys.push((Key::membership(user, organization), ids.clone()));
        keys.push((Key::customer_association(user, organization), ids));
    }
    if let Ok(email) = line(2).parse::<Email>() {
        let email = email.normalized();
        keys.push((Key::email_claim(email), vec![email.as_str().to_owned()]));
    }
    if let Ok(client) = line(3).parse::<ClientAddress>() {
        keys.push((Key::rate_limit("exists", client), vec![client.to_string()]));
    }
    keys
}

fn spelled(key: &Key) -> [String; 2] {
    let attributes = key.clone().into_attributes();
    KEY_ATTRIBUTES.map(|name| attributes[name].as_s().unwrap().clone())
}

fn check_ranges<'a>(
    user: &str,
    organization: &str,
    keys: impl Iterator<Item = &'a (Key, Vec<String>)> + Clone,
) {
    let (user_id, organization_id) = (user.parse().unwrap(), organization.parse().unwrap());
    let memberships_and_user = Range::memberships_and_user(&user_id).to_attributes();
    let associations_and_membership =
        Range::associations_and_membership(&user_id, &organization_id).to_attributes();
    let has = |range: &[AttributeValue; 3], key: &Key| {
        let [first, last] = [1, 2].map(|at| range[at].as_s().unwrap());
        let [partition, sort] = spelled(key);
        range[0].as_s() == Ok(&partition) && *first <= sort && sort <= *last
    };
    for (key, ids) in keys {
        let users_own = ids.first().is_some_and(|id| id == user);
        let expected = match key.kind() {
            KeyKind::User => (users_own, false),
            KeyKind::Membership => (users_own, users_own && ids[1].as_str() <= organization),
            KeyKind::CustomerAssociation => (false, users_own),
            _ => (false, false),
        };
        assert_eq!((has(&memberships_and_user, key), has(&associations_and_membership, key)), expected);
    }
}

/// An item of whatever attributes is read as what they say, or is a defect that names the kind of the item
/// and the attribute that is at fault, and no value.
///
/// An input is a line for each attribute: its name, its type as [`value`] has it, and its value.
pub fn stored_item(input: &[u8]) {
    let attributes = attributes(input);
    check_key(&attributes);

    let id: UserId = "kp_a".parse().unwrap();
    if let Some(user) = check(KeyKind::User, &attributes, |item| users::from_item(id.clone(), item)) {
        let new = users::to_item(&user, &id, Timestamp::from_millis(0)).unwrap();
        let again = users::from_item(id, &reread(new)).unwrap();
        assert_eq!(
            format!("{} {} {}", user.first_name, user.last_name, user.email),
            format!("{} {} {}", again.first_name, again.last_name, again.email)
        );
        assert_eq!(user.phone_number, again.phone_number);
        assert_eq!(
            user.preferred_email.map(|email| email.to_string()),
            again.preferred_email.map(|email| email.to_string())
        );
    }
    check(KeyKind::Organization, &attributes, organizations::from_item);
    check(KeyKind::CustomerAssociation, &attributes, customer_associations::from_item);
    check(KeyKind::Membership, &attributes, memberships::organization_id);
    check(KeyKind::EmailClaim, &attributes, email_claims::user_id);
    check(KeyKind::RateLimit, &attributes, |item| rate_limit::times(item, 10));
    if let Some(stored) = check(KeyKind::SigningKeys, &attributes, signing_keys::from_item)
        && let Ok(published) = PublishedKeys::parse(&stored.jwks)
    {
        // What is kept of a key set can be used, all of it.
        let again = PublishedKeys::parse(published.jwks()).unwrap();
        assert_eq!((again.kept(), again.left_out()), (published.kept(), 0));
        SigningKeys::parse_inline(published.jwks()).unwrap();
    }
}

/// An item that a query returns is of the kind that its key says.
fn check_key(attributes: &Attributes) {
    match Item::with_key(attributes.clone()) {
        Ok(item) => {
            let [partition, sort] = spelled(&item.key().unwrap());
            assert_eq!(attributes[KEY_ATTRIBUTES[0]].as_s(), Ok(&partition));
            assert_eq!(attributes[KEY_ATTRIBUTES[1]].as_s(), Ok(&sort));
        }
        Err(error) => {
            assert_eq!(error.log(), Some("the table holds an item whose key is of no kind"));
            assert!(matches!(error.kind(), ErrorKind::Defect));
        }
    }
}

/// Reads an item as one of a kind, and checks that it is read if all is right with it.
fn check<T>(kind: KeyKind, attributes: &Attributes, read: impl Fn(&Item) -> Result<T, Error>) -> Option<T> {
    let faults: Vec<&str> = parts_of(kind)
        .into_iter()
        .filter(|(name, is_right)| !is_right(attributes, name))
        .map(|(name, _)| name)
        .collect();
    match read(&Item::new(kind, attributes.clone())) {
        Ok(value) => {
            assert!(faults.is_empty(), "{faults:?}");
            Some(value)
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Defect), "{error:?}");
            let log = error.log().unwrap();
            let named = log.strip_prefix(&format!("the table holds a broken {kind:?} item: "));
            assert!(faults.contains(&named.unwrap()), "{log}");
            None
        }
    }
}

type IsRight = fn(&Attributes, &str) -> bool;

/// What an item of a kind consists of: an attribute, or its key, and whether it is right.
fn parts_of(kind: KeyKind) -> Vec<(&'static str, IsRight)> {
    const TIMES: [&str; 10] = ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10"];
    match kind {
        KeyKind::User => vec![
            ("FirstName", required::<Stored<PersonName>>),
            ("LastName", required::<Stored<PersonName>>),
            ("Email", required::<Stored<Email>>),
            ("PreferredEmail", optional::<Stored<Email>>),
            ("PhoneNumber", optional::<PhoneNumber>),
        ],
        KeyKind::Organization => vec![
            ("key", |attributes, _| part_is::<OrganizationId>(attributes, 0)),
            ("Name", required::<Stored<OrganizationName>>),
            ("Slug", required::<Slug>),
        ],
        KeyKind::CustomerAssociation => vec![
            ("key", |attributes, _| {
                part_is::<UserId>(attributes, 0) && part_is::<OrganizationId>(attributes, 1)
            }),
            ("CustomerNumber", required::<CustomerNumber>),
        ],
        KeyKind::Membership => vec![("key", |attributes, _| part_is::<OrganizationId>(attributes, 1))],
        KeyKind::EmailClaim => vec![("UserId", required::<UserId>)],
        KeyKind::SigningKeys => vec![
            ("Jwks", required::<String>),
            ("FetchedAt", |attributes, name| {
                required::<String>(attributes, name)
                    && timestamp_from_text(attributes[name].as_s().unwrap()).is_some()
            }),
        ],
        KeyKind::RateLimit => TIMES.map(|name| (name, counts as IsRight)).into(),
        KeyKind::Credential => vec![],
    }
}

fn optional<T: FromStr>(attributes: &Attributes, name: &str) -> bool {
    match attributes.get(name) {
        None | Some(AttributeValue::Null(_)) => true,
        Some(_) => required::<T>(attributes, name),
    }
}

fn required<T: FromStr>(attributes: &Attributes, name: &str) -> bool {
    matches!(attributes.get(name), Some(AttributeValue::S(text)) if text.parse::<T>().is_ok())
}

/// Whether the id in a part of the key, which is one that this service spells, is an id.
fn part_is<T: FromStr>(attributes: &Attributes, part: usize) -> bool {
    let text = |at: usize| attributes.get(KEY_ATTRIBUTES[at])?.as_s().ok();
    let known = text(0).zip(text(1)).is_some_and(|(partition, sort)| Key::parse(partition, sort).is_some());
    let id = text(part).and_then(|text| text.split_once('#'));
    known && id.is_some_and(|(_, id)| id.parse::<T>().is_ok())
}

/// Whether a counter's time is a whole number of milliseconds, or not there.
fn counts(attributes: &Attributes, name: &str) -> bool {
    match attributes.get(name) {
        None => true,
        Some(AttributeValue::N(number)) => number.parse::<i64>().is_ok(),
        Some(_) => false,
    }
}

fn reread(new: NewItem) -> Item {
    Item::new(new.kind(), new.into_attributes())
}

fn attributes(input: &[u8]) -> Attributes {
    let text = String::from_utf8_lossy(input);
    let attribute = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let (name, r#type) = (parts.next()?, parts.next()?);
        Some((name.to_owned(), value(r#type, parts.next().unwrap_or_default())))
    };
    text.split('\n').filter_map(attribute).collect()
}

/// An attribute's value, by the types of the DynamoDB API; `S` if it is none of the others.
fn value(r#type: &str, text: &str) -> AttributeValue {
    let list = || text.split(',').map(str::to_owned);
    match r#type {
        "N" => AttributeValue::N(text.to_owned()),
        "B" => AttributeValue::B(Blob::new(text)),
        "NULL" => AttributeValue::Null(true),
        "BOOL" => AttributeValue::Bool(text == "true"),
        "SS" => AttributeValue::Ss(list().collect()),
        "L" => AttributeValue::L(list().map(AttributeValue::S).collect()),
        "M" => AttributeValue::M(list().map(|name| (name, AttributeValue::Null(true))).collect()),
        _ => AttributeValue::S(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(corpus: &str, property: fn(&[u8])) {
        let folder = format!("{}/../fuzz/corpus/{corpus}", env!("CARGO_MANIFEST_DIR"));
        let mut replayed = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            property(&std::fs::read(path).unwrap());
            replayed += 1;
        }
        assert!(replayed > 10, "{replayed}");
    }

    #[test]
    fn every_known_key_reads_back_and_spells_as_no_other() {
        replay("keys", keys);
    }

    #[test]
    fn every_known_item_is_read_or_a_defect_that_shows_no_value() {
        replay("stored_item", stored_item);
    }
}
