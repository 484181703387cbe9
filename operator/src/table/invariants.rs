//! Checks the invariants between items over the whole table, and repairs violations.
//!
//! - Each user has the claim of its e-mail address, and each claim names a user with that address.
//! - Each credential, membership and customer association is of a user, and the last two of an organization.
//!
//! A scan is no snapshot, and the table may be in use. So a scan only gives suspicions. Each is checked again at one
//! moment, and a repair is a transaction on the condition that the violation still exists.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use aws_sdk_dynamodb::operation::transact_get_items::{TransactGetItemsError, TransactGetItemsInput};
use aws_sdk_dynamodb::types::{Get, TransactGetItem};
use futures_util::stream::{self, StreamExt as _};

use shared::aws::{from_sdk_error, pause_before};
use shared::error::Error;
use shared::model::{CustomerAssociation, Email, OrganizationId, Stored, UserId};
use shared::table::email_claims::{self, USER_ID};
use shared::table::storage::{CommitOutcome, Item, Key, KeyKind, MAX_CONFLICT_ROUNDS, NewItem, Transaction};
use shared::table::users;

use super::transaction::OperatorTransaction as _;
use super::{OperatorTable, Record};

/// How many suspicions are checked at the same time.
const AT_ONCE: usize = 8;

/// The result of an examination of the table.
pub struct Examination {
    /// The number of items.
    pub items: u64,
    /// What does not hold.
    pub violations: Vec<Violation>,
}

/// What an examination is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// It reads the whole table.
    Reading,
    /// There is an inconsistency: it reads the table again to find where.
    Finding,
    /// It checks this many suspicions again.
    LookingAgain(usize),
}

/// A violation of an invariant. It may name an e-mail address.
pub enum Violation {
    /// A claim names a user that does not exist.
    ClaimWithoutUser {
        /// The address, as the claim has it.
        email: String,
        /// The user that is not there.
        user_id: UserId,
    },
    /// A claim names a user with another address.
    ClaimOfAnotherAddress {
        /// The address, as the claim has it.
        email: String,
        /// The user.
        user_id: UserId,
        /// The user's address.
        own: Email,
    },
    /// A user's address has no claim.
    UserWithoutClaim {
        /// The user.
        user_id: UserId,
        /// Its address.
        email: Email,
    },
    /// A user's address has no claim, and other users have the same address.
    UserWithSharedAddress {
        /// The user.
        user_id: UserId,
        /// Its address.
        email: Email,
        /// One of the others.
        other: UserId,
    },
    /// The claim of a user's address names another user.
    UserWithAnothersClaim {
        /// The user.
        user_id: UserId,
        /// Its address.
        email: Email,
        /// The user that the claim names.
        holder: UserId,
    },
    /// A credential belongs to a user that does not exist.
    CredentialWithoutUser {
        /// The user that is not there.
        user_id: UserId,
    },
    /// A membership or a customer association belongs to a user that does not exist.
    LinkWithoutUser(Link),
    /// A membership or a customer association belongs to an organization that does not exist.
    LinkWithoutOrganization(Link),
    /// An item cannot be read.
    Broken {
        /// The partition key and the sort key, as far as they are texts.
        key: [String; 2],
        /// What is wrong with it.
        why: String,
    },
}

/// A membership or a customer association.
#[derive(Clone)]
pub struct Link {
    /// Which of the two.
    pub kind: KeyKind,
    /// The user.
    pub user_id: UserId,
    /// The organization.
    pub organization_id: OrganizationId,
}

impl Link {
    fn key(&self) -> Key {
        match self.kind {
            KeyKind::CustomerAssociation => Key::customer_association(&self.user_id, &self.organization_id),
            _ => Key::membership(&self.user_id, &self.organization_id),
        }
    }
}

/// The outcome of a repair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RepairOutcome {
    /// The violation is repaired.
    Done,
    /// Nothing was written: the violation no longer exists.
    Changed,
    /// Nothing was written: a person has to decide.
    ByHand,
}

impl OperatorTable {
    /// Looks for violations. Reads the whole table, and once more if there is an inconsistency. It keeps 8 bytes per
    /// item, or none. `progress` gets the current phase and the number of items so far.
    pub async fn examine(&self, mut progress: impl FnMut(Phase, u64)) -> Result<Examination, Error> {
        let (mut fingerprints, mut violations) = (Fingerprints::default(), Vec::new());
        let items = self
            .each_record(|items, record| {
                fingerprints.add(&record);
                if let Record::Broken { key, why } = record {
                    violations.push(Violation::Broken { key, why });
                }
                progress(Phase::Reading, items);
            })
            .await?;
        let misfits = fingerprints.misfits();
        let mut suspects = Vec::new();
        if !misfits.is_empty() {
            self.each_record(|items, record| {
                suspects.extend(misfits.suspect(record));
                progress(Phase::Finding, items);
            })
            .await?;
        }
        let phase = Phase::LookingAgain(suspects.len());
        let mut looked_at = stream::iter(suspects).map(|suspect| self.look_again(suspect)).buffered(AT_ONCE);
        let mut done = 0;
        while let Some(violation) = looked_at.next().await {
            violations.extend(violation?);
            done += 1;
            progress(phase, done);
        }
        drop(looked_at);
        Ok(Examination { items, violations: with_shared_addresses(violations) })
    }

    async fn each_record(&self, mut see: impl FnMut(u64, Record)) -> Result<u64, Error> {
        let (mut items, mut start) = (0, None);
        loop {
            let page = self.records(start).await?;
            for record in page.records {
                items += 1;
                see(items, record);
            }
            start = page.next;
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// What is wrong, from a read of all items concerned at one moment. `None` if it has changed, or if one of the
    /// items cannot be read, which is a violation of its own.
    async fn look_again(&self, suspect: Suspect) -> Result<Option<Violation>, Error> {
        match suspect {
            Suspect::Claim { email, user_id } => {
                let keys = [Key::email_claim_of(&email), Key::user(&user_id)];
                let [claim, user] = self.at_one_moment(keys).await?;
                let named = claim.and_then(|claim| email_claims::user_id(&claim).ok());
                if named.as_ref() != Some(&user_id) {
                    return Ok(None);
                }
                let Some(user) = user else {
                    return Ok(Some(Violation::ClaimWithoutUser { email, user_id }));
                };
                let own = user.required::<Stored<Email>>(users::EMAIL).ok().map(|Stored(email)| email);
                let other = own.filter(|own| own.normalized().as_str() != email);
                Ok(other.map(|own| Violation::ClaimOfAnotherAddress { email, user_id, own }))
            }
            Suspect::User { user_id, email } => {
                let keys = [Key::email_claim(email.normalized()), Key::user(&user_id)];
                let [claim, user] = self.at_one_moment(keys).await?;
                let stored = user.and_then(|user| Some(user.required::<Stored<Email>>(users::EMAIL).ok()?.0));
                if stored.is_none_or(|stored| stored.as_str() != email.as_str()) {
                    return Ok(None);
                }
                let Some(claim) = claim else {
                    return Ok(Some(Violation::UserWithoutClaim { user_id, email }));
                };
                let holder = email_claims::user_id(&claim).ok().filter(|holder| *holder != user_id);
                Ok(holder.map(|holder| Violation::UserWithAnothersClaim { user_id, email, holder }))
            }
            Suspect::Credential { user_id } => {
                let keys = [Key::user(&user_id), Key::credential(&user_id)];
                let orphan = matches!(self.at_one_moment(keys).await?, [None, Some(_)]);
                Ok(orphan.then_some(Violation::CredentialWithoutUser { user_id }))
            }
            Suspect::Link(link) => {
                let keys = [Key::user(&link.user_id), Key::organization(&link.organization_id), link.key()];
                Ok(match self.at_one_moment(keys).await? {
                    [None, _, Some(_)] => Some(Violation::LinkWithoutUser(link)),
                    [_, None, Some(_)] => Some(Violation::LinkWithoutOrganization(link)),
                    _ => None,
                })
            }
        }
    }

    /// Reads these items as they are at one moment.
    async fn at_one_moment<const N: usize>(&self, keys: [Key; N]) -> Result<[Option<Item>; N], Error> {
        let kinds = keys.each_ref().map(Key::kind);
        let gets = keys.into_iter().map(|key| {
            let get = Get::builder().table_name(self.name()).set_key(Some(key.into_attributes())).build();
            get.map(|get| TransactGetItem::builder().get(get).build())
        });
        let gets = gets.collect::<Result<Vec<_>, _>>();
        let gets = gets.map_err(|error| Error::defect(format!("TransactGetItems was not built: {error}")))?;
        for round in 0..MAX_CONFLICT_ROUNDS {
            if round > 0 {
                tokio::time::sleep(pause_before(round)).await;
            }
            let input = TransactGetItemsInput::builder().set_transact_items(Some(gets.clone())).build();
            match self.client().call(input).await {
                Ok(output) => {
                    let mut items = output.responses.into_iter().flatten().map(|response| response.item);
                    return Ok(kinds.map(|kind| {
                        let attributes = items.next().flatten().filter(|attributes| !attributes.is_empty());
                        attributes.map(|attributes| Item::new(kind, attributes))
                    }));
                }
                // Somebody is writing one of them.
                Err(error)
                    if matches!(
                        error.as_service_error(),
                        Some(TransactGetItemsError::TransactionCanceledException(_))
                    ) => {}
                Err(error) => return Err(from_sdk_error("TransactGetItems", &error)),
            }
        }
        Err(Error::unavailable("TransactGetItems met another transaction, round after round"))
    }

    /// Repairs a violation, if it still exists. Deletes items that belong to nobody. Gives a user the claim of its
    /// address, if nobody has it.
    pub async fn repair(&self, violation: &Violation) -> Result<RepairOutcome, Error> {
        let transaction = Transaction::new(self);
        let transaction = match violation {
            Violation::ClaimWithoutUser { email, user_id } => transaction
                .delete_if(Key::email_claim_of(email), (USER_ID, user_id.as_str()))
                .demand_absent(Key::user(user_id)),
            Violation::ClaimOfAnotherAddress { email, user_id, own } => transaction
                .delete_if(Key::email_claim_of(email), (USER_ID, user_id.as_str()))
                .demand_that(Key::user(user_id), (users::EMAIL, own.as_str()))
                .demand_that(Key::email_claim(own.normalized()), (USER_ID, user_id.as_str())),
            Violation::UserWithoutClaim { user_id, email } => {
                let claim = NewItem::new(Key::email_claim(email.normalized()));
                transaction
                    .put_new(claim.with(USER_ID, user_id.as_str()))
                    .demand_that(Key::user(user_id), (users::EMAIL, email.as_str()))
            }
            Violation::CredentialWithoutUser { user_id } => {
                transaction.delete(Key::credential(user_id)).demand_absent(Key::user(user_id))
            }
            Violation::LinkWithoutUser(link) => {
                transaction.delete(link.key()).demand_absent(Key::user(&link.user_id))
            }
            Violation::LinkWithoutOrganization(link) => {
                transaction.delete(link.key()).demand_absent(Key::organization(&link.organization_id))
            }
            Violation::UserWithSharedAddress { .. }
            | Violation::UserWithAnothersClaim { .. }
            | Violation::Broken { .. } => {
                return Ok(RepairOutcome::ByHand);
            }
        };
        Ok(match transaction.commit().await? {
            CommitOutcome::Committed => RepairOutcome::Done,
            CommitOutcome::Refused(_) => RepairOutcome::Changed,
        })
    }
}

/// Finds the users without a claim that have one address. Which of them gets the claim is for a person to decide.
fn with_shared_addresses(violations: Vec<Violation>) -> Vec<Violation> {
    // Two users of each address are enough to name another one for every user.
    let mut holders = HashMap::<String, Vec<UserId>>::new();
    for violation in &violations {
        if let Violation::UserWithoutClaim { user_id, email } = violation {
            let holders = holders.entry(email.normalized().as_str().to_owned()).or_default();
            if holders.len() < 2 {
                holders.push(user_id.clone());
            }
        }
    }
    let decide = |violation| match violation {
        Violation::UserWithoutClaim { user_id, email } => {
            let holders = holders.get(email.normalized().as_str());
            match holders.into_iter().flatten().find(|holder| **holder != user_id).cloned() {
                Some(other) => Violation::UserWithSharedAddress { user_id, email, other },
                None => Violation::UserWithoutClaim { user_id, email },
            }
        }
        other => other,
    };
    violations.into_iter().map(decide).collect()
}

/// An item that may violate something.
enum Suspect {
    Claim { email: String, user_id: UserId },
    User { user_id: UserId, email: Email },
    Credential { user_id: UserId },
    Link(Link),
}

/// Links between items, stored as 64-bit hashes: some 40 bytes per user. With a million users, a collision hides a
/// violation about once in ten million examinations.
#[derive(Default)]
struct Fingerprints {
    hasher: RandomState,
    users: Vec<u64>,
    /// The users that have a credential, a membership or an association.
    users_named: Vec<u64>,
    /// Each user with its address, from the user's item and from the claim.
    holders: Vec<u64>,
    organizations: HashSet<u64>,
    organizations_named: HashSet<u64>,
}

impl Fingerprints {
    fn add(&mut self, record: &Record) {
        match record {
            Record::EmailClaim { email, user_id } => self.holders.push(holder(&self.hasher, email, user_id)),
            Record::User { user, .. } => {
                self.users.push(self.hasher.hash_one(&user.id));
                self.holders.push(holder(&self.hasher, user.email.normalized().as_str(), &user.id));
            }
            Record::Credential { user_id, .. } => self.name_user(user_id),
            Record::Membership { user_id, organization_id, .. }
            | Record::CustomerAssociation(CustomerAssociation { user_id, organization_id, .. }) => {
                self.name_user(user_id);
                self.organizations_named.insert(self.hasher.hash_one(organization_id));
            }
            Record::Organization(organization) => {
                self.organizations.insert(self.hasher.hash_one(&organization.id));
            }
            Record::RateLimit { .. } | Record::SigningKeys(_) | Record::Broken { .. } => {}
        }
    }

    fn name_user(&mut self, user: &UserId) {
        let fingerprint = self.hasher.hash_one(user);
        // A user's items come one after the other.
        if self.users_named.last() != Some(&fingerprint) {
            self.users_named.push(fingerprint);
        }
    }

    fn misfits(mut self) -> Misfits {
        self.users.sort_unstable();
        let missing = |user: &u64| self.users.binary_search(user).is_err();
        let users = self.users_named.into_iter().filter(missing).collect();
        // A claim and its user agree.
        self.holders.sort_unstable();
        let holders = self.holders.chunk_by(|one, other| one == other);
        let holders = holders.filter_map(|same| <[u64; 1]>::try_from(same).ok()).flatten().collect();
        let organizations = self.organizations_named.difference(&self.organizations).copied().collect();
        Misfits { hasher: self.hasher, users, holders, organizations }
    }
}

fn holder(hasher: &RandomState, email: &str, user: &UserId) -> u64 {
    hasher.hash_one((email, user))
}

/// The users, addresses and organizations for which the items disagree.
struct Misfits {
    hasher: RandomState,
    users: HashSet<u64>,
    holders: HashSet<u64>,
    organizations: HashSet<u64>,
}

impl Misfits {
    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.holders.is_empty() && self.organizations.is_empty()
    }

    fn suspect(&self, record: Record) -> Option<Suspect> {
        let alone = |email: &str, user: &UserId| self.holders.contains(&holder(&self.hasher, email, user));
        let link = |kind, user_id: UserId, organization_id: OrganizationId| {
            let suspicious = self.users.contains(&self.hasher.hash_one(&user_id))
                || self.organizations.contains(&self.hasher.hash_one(&organization_id));
            suspicious.then_some(Suspect::Link(Link { kind, user_id, organization_id }))
        };
        match record {
            Record::EmailClaim { email, user_id } if alone(&email, &user_id) => {
                Some(Suspect::Claim { email, user_id })
            }
            Record::User { user, .. } if alone(user.email.normalized().as_str(), &user.id) => {
                Some(Suspect::User { user_id: user.id, email: user.email })
            }
            Record::Credential { user_id, .. } if self.users.contains(&self.hasher.hash_one(&user_id)) => {
                Some(Suspect::Credential { user_id })
            }
            Record::Membership { user_id, organization_id, .. } => {
                link(KeyKind::Membership, user_id, organization_id)
            }
            Record::CustomerAssociation(CustomerAssociation { user_id, organization_id, .. }) => {
                link(KeyKind::CustomerAssociation, user_id, organization_id)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::clock::Timestamp;
    use shared::model::{Organization, User};

    fn records_of(number: usize) -> [Record; 6] {
        let id: UserId = format!("user_{number}").parse().unwrap();
        let organization_id: OrganizationId = "org_1".parse().unwrap();
        let email = format!("U{number}@Example.com");
        let user = User {
            id: id.clone(),
            first_name: "Some".parse().unwrap(),
            last_name: "One".parse().unwrap(),
            email: email.parse().unwrap(),
            preferred_email: None,
            phone_number: None,
        };
        let (time, nobody) = (Timestamp::from_millis(0), id.clone());
        [
            Record::EmailClaim { email: email.to_lowercase(), user_id: id.clone() },
            Record::User { user: Box::new(user), created_at: time, created_by: nobody.clone() },
            Record::Membership {
                user_id: id.clone(),
                organization_id: organization_id.clone(),
                joined_at: time,
                added_by: nobody,
            },
            Record::CustomerAssociation(CustomerAssociation {
                user_id: id.clone(),
                customer_number: "C-1".parse().unwrap(),
                organization_id: organization_id.clone(),
            }),
            Record::Organization(Organization {
                id: organization_id,
                name: "One".parse().unwrap(),
                slug: "one".parse().unwrap(),
            }),
            Record::Credential {
                user_id: id,
                password_hash: "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"
                    .parse()
                    .unwrap(),
            },
        ]
    }

    /// The suspicions about a table of ten users that lacks some records of the fourth.
    fn suspected_without(left_out: &[usize]) -> (usize, Vec<usize>) {
        let records = || {
            let all = (0..10)
                .flat_map(|number| records_of(number).into_iter().enumerate().map(move |r| (number, r)));
            all.filter(|(number, (index, _))| *number != 3 || !left_out.contains(index))
        };
        let mut fingerprints = Fingerprints::default();
        for (_, (_, record)) in records() {
            fingerprints.add(&record);
        }
        let kept = fingerprints.users.len() + fingerprints.users_named.len() + fingerprints.holders.len();
        let misfits = fingerprints.misfits();
        let suspects = records().filter_map(|(_, (index, record))| misfits.suspect(record).map(|_| index));
        (kept, suspects.collect())
    }

    #[test]
    fn a_sound_table_has_no_findings_and_costs_8_bytes_a_relation() {
        // The user, its name in its other items, and its address as user and claim say.
        assert_eq!(suspected_without(&[]), (40, vec![]));
    }

    #[test]
    fn what_is_left_of_a_user_is_suspected() {
        assert_eq!(suspected_without(&[0]).1, [1], "without the claim");
        assert_eq!(suspected_without(&[1]).1, [0, 2, 3, 5], "without the user");
        assert_eq!(suspected_without(&[0, 1]).1, [2, 3, 5], "without both");
        assert_eq!(suspected_without(&[2, 3, 5]).1, [0; 0], "without what need not be there");
    }
}
