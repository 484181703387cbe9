//! Reads every item of the table into a record.

use std::fmt;
use std::str::FromStr;

use aws_sdk_dynamodb::operation::scan::ScanInput;
use shared::aws::from_sdk_error;
use shared::clock::Timestamp;
use shared::error::Error;
use shared::model::{
    CustomerAssociation, Invalid, Organization, OrganizationId, PasswordHash, RateLimit, User, UserId,
};
use shared::table::storage::{Item, KEY_ATTRIBUTES, Key, KeyKind, PageStart, timestamp_from_text};
use shared::table::{
    StoredSigningKeys, credentials, customer_associations, email_claims, memberships, organizations,
    rate_limit, signing_keys, users,
};

use super::OperatorTable;

/// The content of an item of the table.
#[derive(Debug)]
pub enum Record {
    /// An e-mail claim: the account that has an address.
    EmailClaim {
        /// The normalized address; see [`shared::model::NormalizedEmail`].
        email: String,
        /// The account.
        user_id: UserId,
    },
    /// A user.
    User {
        /// The account.
        user: Box<User>,
        /// When it was created.
        created_at: Timestamp,
        /// By whom.
        created_by: UserId,
    },
    /// A user belongs to an organization.
    Membership {
        /// The user.
        user_id: UserId,
        /// The organization.
        organization_id: OrganizationId,
        /// Since when.
        joined_at: Timestamp,
        /// By whom.
        added_by: UserId,
    },
    /// A user is linked with a customer account.
    CustomerAssociation(CustomerAssociation),
    /// An organization.
    Organization(Organization),
    /// A user's password.
    Credential {
        /// The user.
        user_id: UserId,
        /// The hash.
        password_hash: PasswordHash,
    },
    /// What a rate limit has counted of a client.
    RateLimit {
        /// Which limit.
        name: String,
        /// The client: its IPv4 address, or the /64 network of its IPv6 address.
        client: String,
        /// When its last requests were admitted, the newest first.
        admitted: Vec<Timestamp>,
    },
    /// The identity provider's keys.
    SigningKeys(StoredSigningKeys),
    /// What cannot be read.
    Broken {
        /// The partition key and the sort key, as far as they are texts.
        key: [String; 2],
        /// What is wrong with it, without any personal datum.
        why: String,
    },
}

/// Some of the table's items, and where the next page starts.
#[derive(Debug)]
pub struct RecordPage {
    /// The records. The items of one user are adjacent, but may be on two pages.
    pub records: Vec<Record>,
    /// Where to continue; `None` at the end.
    pub next: Option<RecordPageStart>,
}

/// Where a scan of the table continues. Its text is the key of the previous item, which may contain an e-mail address.
#[derive(Clone, Debug)]
pub struct RecordPageStart(PageStart);

impl RecordPageStart {
    /// The position right after a record. Only for kinds of record from which the key follows.
    #[must_use]
    pub fn after(record: &Record) -> Option<Self> {
        let key = match record {
            Record::User { user, .. } => Key::user(&user.id),
            Record::Membership { user_id, organization_id, .. } => Key::membership(user_id, organization_id),
            Record::CustomerAssociation(CustomerAssociation { user_id, organization_id, .. }) => {
                Key::customer_association(user_id, organization_id)
            }
            Record::Organization(organization) => Key::organization(&organization.id),
            Record::RateLimit { name, client, .. } => Key::rate_limit(name, client),
            _ => return None,
        };
        Some(Self(key.into_attributes()))
    }
}

/// The partition key and the sort key, which has no space.
impl fmt::Display for RecordPageStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [partition, sort] = KEY_ATTRIBUTES.map(|name| text(&self.0, name));
        write!(f, "{partition} {sort}")
    }
}

impl FromStr for RecordPageStart {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (partition, sort) = text.rsplit_once(' ').ok_or(Invalid("must be the two parts of a key"))?;
        let key = Key::parse(partition, sort).ok_or(Invalid("must be the key of an item"))?;
        Ok(Self(key.into_attributes()))
    }
}

impl OperatorTable {
    /// Reads the next page of the whole table, at most 1 MB, with one `Scan`. It costs one read unit per 4 KB.
    pub async fn records(&self, start: Option<RecordPageStart>) -> Result<RecordPage, Error> {
        let input = ScanInput::builder()
            .table_name(self.name())
            .consistent_read(true)
            .set_exclusive_start_key(start.map(|RecordPageStart(key)| key))
            .build();
        let output = self.client().call(input).await.map_err(|error| from_sdk_error("Scan", &error))?;
        let records = output.items.into_iter().flatten().map(|attributes| {
            let key = KEY_ATTRIBUTES.map(|name| text(&attributes, name));
            let record = Item::with_key(attributes).and_then(|item| read(&item));
            record.unwrap_or_else(|error| {
                let why = error.log().unwrap_or("cannot be read").to_owned();
                Record::Broken { key, why }
            })
        });
        Ok(RecordPage { records: records.collect(), next: output.last_evaluated_key.map(RecordPageStart) })
    }
}

fn text(attributes: &PageStart, name: &str) -> String {
    attributes.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

pub(super) fn read(item: &Item) -> Result<Record, Error> {
    let key = item.key()?;
    Ok(match item.kind() {
        KeyKind::EmailClaim => {
            Record::EmailClaim { email: key.partition_id().to_owned(), user_id: email_claims::user_id(item)? }
        }
        KeyKind::User => {
            let user = users::from_item(item.parsed(key.partition_id())?, item)?;
            let (created_at, created_by) = (instant(item, "CreatedAt")?, item.required("CreatedBy")?);
            Record::User { user: Box::new(user), created_at, created_by }
        }
        KeyKind::Membership => Record::Membership {
            user_id: item.parsed(key.partition_id())?,
            organization_id: memberships::organization_id(item)?,
            joined_at: instant(item, "JoinedAt")?,
            added_by: item.required("AddedBy")?,
        },
        KeyKind::CustomerAssociation => Record::CustomerAssociation(customer_associations::from_item(item)?),
        KeyKind::Organization => Record::Organization(organizations::from_item(item)?),
        KeyKind::Credential => Record::Credential {
            user_id: item.parsed(key.partition_id())?,
            password_hash: item.required(credentials::PASSWORD_HASH)?,
        },
        KeyKind::RateLimit => {
            let (name, client) = key.rate_limit_parts();
            let (name, client) = (name.to_owned(), client.to_owned());
            Record::RateLimit { name, client, admitted: admitted_times(item)? }
        }
        KeyKind::SigningKeys => Record::SigningKeys(signing_keys::from_item(item)?),
    })
}

/// The times in an item of any limit, the newest first.
fn admitted_times(item: &Item) -> Result<Vec<Timestamp>, Error> {
    let never = Timestamp::from_millis(0);
    let times = rate_limit::times(item, RateLimit::MAX)?;
    Ok(times.into_iter().filter(|time| *time > never).collect())
}

fn instant(item: &Item, attribute: &'static str) -> Result<Timestamp, Error> {
    let text: String = item.required(attribute)?;
    timestamp_from_text(&text).ok_or_else(|| item.broken(attribute))
}
