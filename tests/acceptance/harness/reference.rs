//! The reference model: the service as the contract and the decisions describe it, made of maps. It
//! knows nothing of the code. `table::model` and `security::tenants` hold answers and items against it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::text;

/// A status, and the body of a success; `null` for a problem.
pub type Due = (u16, Value);

/// A user's id and an organization's.
pub type Pair = (String, String);

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Model {
    /// Name and slug, by id.
    pub organizations: BTreeMap<String, (String, String)>,
    /// By id.
    pub accounts: BTreeMap<String, Account>,
    /// The id of the account that has an address, by the address's normalised form.
    pub claims: BTreeMap<String, String>,
    pub memberships: BTreeMap<Pair, Membership>,
    /// Customer numbers.
    pub associations: BTreeMap<Pair, String>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Account {
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub preferred_email: Option<String>,
    pub phone_number: Option<String>,
    pub has_password: bool,
    /// The id of a user.
    pub created_by: String,
    /// As items hold it.
    pub created_at: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Membership {
    /// The id of a user.
    pub added_by: String,
    /// As items hold it.
    pub joined_at: String,
}

/// Stands in place of every password hash.
pub const HASH: &str = "$argon2id$";

impl Model {
    pub fn add_account(&mut self, normalised: &str, id: &str, account: Account) {
        self.claims.insert(normalised.to_owned(), id.to_owned());
        self.accounts.insert(id.to_owned(), account);
    }

    /// Gives an account another address.
    pub fn readdress(&mut self, id: &str, normalised: &str, email: &str) {
        self.claims.retain(|_, holder| holder != id);
        self.claims.insert(normalised.to_owned(), id.to_owned());
        if let Some(account) = self.accounts.get_mut(id) {
            email.clone_into(&mut account.email);
        }
    }

    /// Deletes a person, from what others' items say too. Returns whether there was anything.
    pub fn delete(&mut self, id: &str) -> bool {
        let is_there = self.accounts.remove(id).is_some();
        self.claims.retain(|_, holder| holder != id);
        self.memberships.retain(|(user, _), _| user != id);
        self.associations.retain(|(user, _), _| user != id);
        let creators = self.accounts.values_mut().map(|account| &mut account.created_by);
        let adders = self.memberships.values_mut().map(|membership| &mut membership.added_by);
        for author in creators.chain(adders).filter(|author| *author == id) {
            "deleted-user".clone_into(author);
        }
        is_there
    }

    /// `POST /api/users` by an Admin of an organization; `new` is the account that it makes where the
    /// address is not registered.
    pub fn create(
        &mut self,
        organization: &str,
        normalised: &str,
        membership: Membership,
        new: impl FnOnce() -> (String, Account),
    ) -> Due {
        if !self.organizations.contains_key(organization) {
            return (400, Value::Null);
        }
        let registered = self.claims.get(normalised).cloned();
        let status = if registered.is_some() { 200 } else { 201 };
        let user = registered.unwrap_or_else(|| {
            let (id, account) = new();
            self.add_account(normalised, &id, account);
            id
        });
        let account = &self.accounts[&user];
        let view = account.view(&account.email);
        self.memberships.entry((user, organization.to_owned())).or_insert(membership);
        (status, view)
    }

    /// `GET /api/users/profile`.
    pub fn profile(&self, user: &str, organization: &str) -> Due {
        match self.accounts.get(user).filter(|_| self.memberships.contains_key(&pair(user, organization))) {
            Some(account) => {
                (200, account.view(account.preferred_email.as_deref().unwrap_or(&account.email)))
            }
            None => (404, Value::Null),
        }
    }

    /// `GET /api/users/exists`, where it is admitted.
    pub fn exists(&self, normalised: &str) -> bool {
        self.claims.contains_key(normalised)
    }

    /// `GET /api/users/organizations`, of the user by the id, else by the normalised address of a claim.
    pub fn organizations_of(&self, user: &str, claim: Option<&str>) -> Due {
        let by_claim = || self.claims.get(claim?).map(String::as_str);
        match Some(user).filter(|&user| self.accounts.contains_key(user)).or_else(by_claim) {
            Some(user) => {
                let organizations: Vec<_> =
                    self.organization_ids_of(user).map(|id| self.organization(id)).collect();
                (200, json!({ "Organizations": organizations }))
            }
            None => (400, Value::Null),
        }
    }

    /// `GET /api/users/customer-association`.
    pub fn association(&self, user: &str, organization: &str) -> Due {
        match self.associations.get(&pair(user, organization)) {
            Some(number) => (200, association(user, organization, number)),
            None => (404, Value::Null),
        }
    }

    /// `GET /api/users/customer-associations` by an Admin of an organization.
    pub fn associations_of(&self, user: &str, organization: &str) -> Due {
        let all =
            self.associations.iter().filter(|((of, _), _)| of == user && self.knows(organization, user));
        (200, all.map(|((user, organization), number)| association(user, organization, number)).collect())
    }

    /// Whether an organization knows a user: by a membership or a customer association.
    pub fn knows(&self, organization: &str, user: &str) -> bool {
        let pair = pair(user, organization);
        self.memberships.contains_key(&pair) || self.associations.contains_key(&pair)
    }

    pub fn organization(&self, id: &str) -> Value {
        let (name, slug) = &self.organizations[id];
        json!({ "OrganizationId": id, "Name": name, "Slug": slug })
    }

    pub fn organization_ids_of(&self, user: &str) -> impl Iterator<Item = &str> {
        self.memberships.keys().filter(move |(member, _)| member == user).map(|(_, id)| id.as_str())
    }

    /// The items that the table holds of it, by key, with [`HASH`] in place of every hash.
    pub fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut put = |partition: String, sort: String, attributes: &[(&str, Option<&str>)]| {
            let key = [("PK", Some(partition.as_str())), ("SK", Some(sort.as_str()))];
            let attributes = key.iter().chain(attributes);
            let attributes =
                attributes.filter_map(|(name, text)| Some(((*name).to_owned(), json!({ "S": (*text)? }))));
            items.push(Value::Object(attributes.collect::<Map<_, _>>()));
        };
        for (id, (name, slug)) in &self.organizations {
            put(format!("ORG#{id}"), "ORG".to_owned(), &[("Name", Some(name)), ("Slug", Some(slug))]);
        }
        for (normalised, id) in &self.claims {
            put(format!("EMAIL#{normalised}"), "EMAIL".to_owned(), &[("UserId", Some(id))]);
        }
        for (id, account) in &self.accounts {
            let attributes = [
                ("FirstName", Some(account.first_name.as_str())),
                ("LastName", Some(&account.last_name)),
                ("Email", Some(&account.email)),
                ("PreferredEmail", account.preferred_email.as_deref()),
                ("PhoneNumber", account.phone_number.as_deref()),
                ("CreatedBy", Some(&account.created_by)),
                ("CreatedAt", Some(&account.created_at)),
            ];
            put(format!("USER#{id}"), "PROFILE".to_owned(), &attributes);
            if account.has_password {
                let hash = [("PasswordHash", Some(HASH))];
                put(format!("CREDENTIAL#{id}"), "CREDENTIAL".to_owned(), &hash);
            }
        }
        for ((user, organization), membership) in &self.memberships {
            let attributes =
                [("AddedBy", Some(&*membership.added_by)), ("JoinedAt", Some(&*membership.joined_at))];
            put(format!("USER#{user}"), format!("MEMBERSHIP#{organization}"), &attributes);
        }
        for ((user, organization), number) in &self.associations {
            let attributes = [("CustomerNumber", Some(number.as_str()))];
            put(format!("USER#{user}"), format!("CUSTOMER#{organization}"), &attributes);
        }
        items.sort_by_key(|item| [text(item, "PK"), text(item, "SK")]);
        items
    }
}

impl Account {
    /// What the endpoints show of it, with the address that they choose.
    pub fn view(&self, email: &str) -> Value {
        json!({
            "FirstName": self.first_name, "LastName": self.last_name, "Email": email,
            "PhoneNumber": self.phone_number,
        })
    }
}

pub fn pair(user: &str, organization: &str) -> Pair {
    (user.to_owned(), organization.to_owned())
}

fn association(user: &str, organization: &str, number: &str) -> Value {
    json!({ "UserId": user, "CustomerNumber": number, "OrganizationId": organization })
}
