//! Reads a row into an organization or an account.

use std::str::FromStr;

use operator::table::{DELETED_USER, ImportedAccount, OPERATOR, is_reserved};
use serde::Deserialize;
use serde_json::Value;
use shared::clock::Timestamp;
use shared::model::{
    CustomerNumber, Email, Invalid, Organization, OrganizationId, Password, PasswordHash, PersonName,
    PhoneNumber, User, UserId,
};
use shared::table::{NewMembership, timestamp_from_text};

use super::Fields;

/// Whether the source has verified the address. If the source does not say, the address counts as verified.
pub(super) const EMAIL_VERIFIED: &str = "EmailVerified";

/// The columns that are read of a file with the document's field names.
pub(super) const COLUMNS_READ: [&str; 17] = [
    "UserId",
    "FirstName",
    "LastName",
    "Email",
    EMAIL_VERIFIED,
    "PreferredEmail",
    "PhoneNumber",
    "Password",
    "PasswordHash",
    "CreatedAt",
    "CreatedBy",
    "OrganizationId",
    "CustomerNumber",
    "Memberships",
    "CustomerAssociations",
    "Name",
    "Slug",
];

/// The content of a row.
pub(crate) enum Entry {
    /// An organization.
    Organization(Organization),
    /// An account. A password in plain text is not hashed yet.
    Account(Box<ImportedAccount>),
}

/// The defaults for what a row lacks.
pub(crate) struct Defaults {
    /// The organization that each user joins.
    pub(crate) organization_id: Option<OrganizationId>,
    /// Who imports.
    pub(crate) operator: UserId,
    /// When.
    pub(crate) now: Timestamp,
    /// Whether to accept addresses that the source has not verified.
    pub(crate) accept_unverified: bool,
    /// What users without a name are called.
    pub(crate) missing_names: MissingNames,
}

/// What users without a name are called.
#[derive(Clone)]
pub(crate) enum MissingNames {
    /// They are refused.
    Refuse,
    /// Each missing name becomes this text.
    Name(String),
    /// The names come from the part before the `@` of the address, split at a dot, hyphen or underscore.
    FromAddress,
}

/// What is wrong with a row: the field, and a sentence about it that does not contain the value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrong {
    pub(crate) field: &'static str,
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MembershipFields {
    organization_id: String,
    joined_at: Option<String>,
    added_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CustomerAssociationFields {
    organization_id: String,
    customer_number: String,
}

impl Entry {
    /// Reads a row. One with a slug is an organization.
    pub(crate) fn parse(fields: Fields, defaults: &Defaults) -> Result<Self, Vec<Wrong>> {
        let mut reader = Reader { fields, wrong: Vec::new() };
        let entry = if reader.has("Slug") {
            reader.organization().map(Self::Organization)
        } else {
            reader.account(defaults).map(|account| Self::Account(Box::new(account)))
        };
        match entry {
            Some(entry) if reader.wrong.is_empty() => Ok(entry),
            _ => Err(reader.wrong),
        }
    }
}

/// Takes fields out of a row and collects the errors in them.
struct Reader {
    fields: Fields,
    wrong: Vec<Wrong>,
}

impl Reader {
    fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    fn is_wrong(&mut self, field: &'static str, reason: impl Into<String>) {
        self.wrong.push(Wrong { field, reason: reason.into() });
    }

    fn text(&mut self, field: &'static str) -> Option<String> {
        match self.fields.remove(field)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            _ => {
                self.is_wrong(field, "must be a text");
                None
            }
        }
    }

    fn optional<T: TryFrom<String, Error = Invalid>>(&mut self, field: &'static str) -> Option<T> {
        let text = self.text(field)?;
        self.parsed(field, T::try_from(text))
    }

    fn required<T: TryFrom<String, Error = Invalid>>(&mut self, field: &'static str) -> Option<T> {
        if !self.has(field) {
            self.is_wrong(field, "is required");
        }
        self.optional(field)
    }

    fn parsed<T>(&mut self, field: &'static str, parsed: Result<T, Invalid>) -> Option<T> {
        parsed.map_err(|why| self.is_wrong(field, why.to_string())).ok()
    }

    fn time(&mut self, field: &'static str, text: Option<String>) -> Option<Timestamp> {
        let time = timestamp_from_text(&text?);
        if time.is_none() {
            self.is_wrong(field, "must be a time such as 2026-01-02T03:04:05Z");
        }
        time
    }

    /// A list: of JSON, or in a CSV file its text.
    fn list<T: for<'a> Deserialize<'a>>(&mut self, field: &'static str) -> Option<Vec<T>> {
        let list = match self.fields.remove(field)? {
            Value::Null => return None,
            Value::String(text) => serde_json::from_str(&text),
            value => serde_json::from_value(value),
        };
        list.map_err(|_| self.is_wrong(field, "must be a JSON array of objects with the fields of one")).ok()
    }

    fn organization(&mut self) -> Option<Organization> {
        let (id, name, slug) =
            (self.required("OrganizationId"), self.required("Name"), self.required("Slug"));
        Some(Organization { id: id?, name: name?, slug: slug? })
    }

    fn account(&mut self, defaults: &Defaults) -> Option<ImportedAccount> {
        let id: Option<UserId> = self.optional("UserId");
        if id.as_ref().is_some_and(is_reserved) {
            self.is_wrong(
                "UserId",
                format!("must not be {OPERATOR} or {DELETED_USER}, which are nobody's ids"),
            );
        }
        self.fill_names(&defaults.missing_names);
        let first_name: Option<PersonName> = self.required("FirstName");
        let last_name: Option<PersonName> = self.required("LastName");
        let email: Option<Email> = self.required("Email");
        self.check_verified(defaults);
        let preferred_email = self.optional("PreferredEmail");
        let phone_number: Option<PhoneNumber> = self.optional("PhoneNumber");
        let (password, password_hash) = (self.password(), self.password_hash());
        if password.is_some() && password_hash.is_some() {
            self.is_wrong("Password", "must not be given beside PasswordHash");
        }
        let created_at = self.text("CreatedAt");
        let created_at = self.time("CreatedAt", created_at).unwrap_or(defaults.now);
        let created_by = self.optional("CreatedBy").unwrap_or_else(|| defaults.operator.clone());
        let (memberships, customer_accounts) = self.belongings(defaults);
        let has_own_id = id.is_some();
        let id = id.map_or_else(UserId::random, Ok);
        let id =
            id.map_err(|_| self.is_wrong("UserId", "cannot be made: the system gave no randomness")).ok()?;
        let user = User {
            id,
            first_name: first_name?,
            last_name: last_name?,
            email: email?,
            preferred_email,
            phone_number,
        };
        Some(ImportedAccount {
            user,
            has_own_id,
            created_at,
            created_by,
            password_hash,
            password,
            is_password_lost: false,
            memberships,
            customer_accounts,
        })
    }

    fn fill_names(&mut self, missing_names: &MissingNames) {
        let (first, last) = match missing_names {
            MissingNames::Refuse => return,
            MissingNames::Name(name) => (name.clone(), name.clone()),
            MissingNames::FromAddress => {
                let address = self.fields.get("Email").and_then(Value::as_str).unwrap_or_default();
                let local = address.split('@').next().unwrap_or_default().trim();
                let (first, last) = local.split_once(['.', '_', '-']).unwrap_or((local, local));
                (first.to_owned(), last.to_owned())
            }
        };
        for (field, name) in [("FirstName", first), ("LastName", last)] {
            let is_blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
            if !self.has(field) || self.fields.get(field).is_some_and(is_blank) {
                self.fields.insert(field.to_owned(), Value::String(name));
            }
        }
    }

    fn check_verified(&mut self, defaults: &Defaults) {
        let verified = match self.fields.remove(EMAIL_VERIFIED) {
            None | Some(Value::Null) => true,
            Some(verified) => verified == true,
        };
        if !verified && !defaults.accept_unverified {
            let reason = "was not verified where it comes from: whoever signed up with it may not have it";
            self.is_wrong("Email", reason);
        }
    }

    fn password(&mut self) -> Option<Password> {
        let text = zeroize::Zeroizing::new(self.text("Password")?);
        if is_like_a_hash(&text) {
            self.is_wrong("Password", "looks like a hash: name the column PasswordHash");
            return None;
        }
        self.parsed("Password", Password::try_from(text.to_string()))
    }

    fn password_hash(&mut self) -> Option<PasswordHash> {
        let text = zeroize::Zeroizing::new(self.text("PasswordHash")?);
        self.parsed("PasswordHash", PasswordHash::from_str(&text))
    }

    /// Memberships and customer accounts: those of the lists, and that of the plain columns.
    fn belongings(
        &mut self,
        defaults: &Defaults,
    ) -> (Vec<NewMembership>, Vec<(OrganizationId, CustomerNumber)>) {
        let organization_id: Option<OrganizationId> = self.optional("OrganizationId");
        let number: Option<CustomerNumber> = self.optional("CustomerNumber");
        let listed = self.list::<MembershipFields>("Memberships");
        // A list is complete, even an empty one.
        let default =
            defaults.organization_id.as_ref().filter(|_| listed.is_none() && organization_id.is_none());
        let own = organization_id.as_ref().or(default).cloned();
        if own.is_none() && listed.is_none() {
            self.is_wrong("OrganizationId", "is required here, or --organization for all");
        }
        let mut memberships: Vec<_> = own
            .iter()
            .map(|organization_id| NewMembership {
                organization_id: organization_id.clone(),
                added_by: defaults.operator.clone(),
                joined_at: defaults.now,
            })
            .collect();
        for fields in listed.into_iter().flatten() {
            let organization_id = self.parsed("Memberships", fields.organization_id.parse());
            let added_by = fields.added_by.and_then(|id| self.parsed("Memberships", id.parse()));
            let joined_at = self.time("Memberships", fields.joined_at);
            let Some(organization_id) = organization_id else { continue };
            if memberships.iter().any(|known| known.organization_id == organization_id) {
                self.is_wrong("Memberships", "must not name an organization twice");
                continue;
            }
            memberships.push(NewMembership {
                organization_id,
                added_by: added_by.unwrap_or_else(|| defaults.operator.clone()),
                joined_at: joined_at.unwrap_or(defaults.now),
            });
        }
        let mut customer_accounts = Vec::new();
        match (number, own) {
            (Some(number), Some(organization_id)) => customer_accounts.push((organization_id, number)),
            (Some(_), None) => self.is_wrong("CustomerNumber", "must be given with an OrganizationId"),
            (None, _) => {}
        }
        for fields in self.list::<CustomerAssociationFields>("CustomerAssociations").into_iter().flatten() {
            let organization_id: Option<OrganizationId> =
                self.parsed("CustomerAssociations", fields.organization_id.parse());
            let number = self.parsed("CustomerAssociations", fields.customer_number.parse());
            let (Some(organization_id), Some(number)) = (organization_id, number) else { continue };
            if customer_accounts.iter().any(|(known, _)| *known == organization_id) {
                self.is_wrong("CustomerAssociations", "must not name an organization twice");
            } else {
                customer_accounts.push((organization_id, number));
            }
        }
        (memberships, customer_accounts)
    }
}

/// Whether a text is a hash rather than a password: `$2b$…`, `pbkdf2_sha256$…`, `{SSHA}…`, or a digest in hexadecimal.
fn is_like_a_hash(text: &str) -> bool {
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let is_crypt = text.len() >= 30
        && text.trim_start_matches('$').split_once('$').is_some_and(|(name, rest)| {
            is_name(name) && !name.is_empty() && (text.starts_with('$') || rest.contains('$'))
        });
    let is_ldap = text.strip_prefix('{').and_then(|rest| rest.split_once('}')).is_some_and(|(name, hash)| {
        is_name(name) && name.chars().any(|c| c.is_ascii_uppercase()) && hash.len() >= 20
    });
    // MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512.
    let is_digest =
        [32, 40, 56, 64, 96, 128].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_crypt || is_ldap || is_digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_told_from_a_password() {
        for hash in [
            "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S",
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$Y2VydGFpbmx5IGEgaGFzaA",
            "$P$BqTnFyWxkFvKb0yLhJ8vU1zGd3sR5e/",
            "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
            "pbkdf2_sha256$24000$salt$4ebNy1PfgtqmDQrdi9PFxOHmzctT34LapQ0K3YvTxcU=",
            "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr",
            "5f4dcc3b5aa765d61d8327deb882cf99",
        ] {
            assert!(is_like_a_hash(hash), "{hash}");
        }
        for password in [
            "correct horse battery staple",
            "$ecret$money$and$more",
            "my {Curly} Password of 2024 is long",
            "cost 10 $ or 20 $, whichever is less",
            "deadbeef",
        ] {
            assert!(!is_like_a_hash(password), "{password}");
        }
    }
}
