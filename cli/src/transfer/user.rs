//! Translates a provider's user into the document's field names.

use serde_json::Value;
use shared::clock::Timestamp;
use shared::model::PasswordHash;
use shared::table::timestamp_to_text;

use super::Fields;
use super::account::EMAIL_VERIFIED;
use super::source::has_twice;

/// A user of a file.
#[derive(Default)]
pub(crate) struct User {
    /// By the document's names.
    pub(crate) fields: Fields,
    /// Whether the provider has disabled the user.
    pub(crate) is_disabled: bool,
    /// Whether it is a program, not a person.
    pub(crate) is_technical: bool,
    /// How the password was hashed, if the hash cannot be imported.
    pub(crate) lost_password: Option<LostPassword>,
    /// The names of members that have a value but no field here.
    pub(crate) unread: Vec<String>,
}

/// A password that cannot be imported.
#[derive(Clone)]
pub(crate) struct LostPassword(String);

impl LostPassword {
    /// Its hash uses an algorithm that is too weak or not supported, or has a form that cannot be read.
    fn hashed_by(algorithm: &str) -> Self {
        let name = match algorithm {
            "1" => "md5crypt",
            "5" => "sha256crypt",
            "6" => "sha512crypt",
            "2a" | "2b" | "2y" => "bcrypt",
            _ => algorithm,
        };
        let name: String = name.chars().filter(|c| matches!(c, ' '..='~')).take(40).collect();
        let lower = name.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        let is_slow = has(&["pbkdf2", "scrypt", "bcrypt", "argon2"]);
        Self(if name.is_empty() {
            "its hash is of an unknown kind".to_owned()
        } else if has(&["pbkdf2"]) || ["bcrypt", "argon2id"].contains(&lower.as_str()) {
            format!("its {name} hash is salted or written in a way that cannot be kept")
        } else if !is_slow && has(&["md4", "md5", "sha", "crc32", "ldap", "plain"]) {
            format!("{name} is too weak to be kept")
        } else {
            format!("{name} is not kept here, only argon2id, bcrypt and PBKDF2 are")
        })
    }

    /// It is not in the file at all.
    fn elsewhere(reason: &str) -> Self {
        Self(reason.to_owned())
    }

    /// The sentence for the report.
    pub(crate) fn sentence(&self) -> String {
        format!("The password was not taken over: {}.", self.0)
    }
}

/// Reads members out of a row. Members that nobody reads are reported.
pub(super) struct Translation {
    source: Vec<Member>,
    user: User,
    wrong: Option<String>,
}

struct Member {
    name: String,
    plain: String,
    value: Value,
}

impl Member {
    fn new((name, value): (String, Value)) -> Self {
        Self { plain: plain(&name), name, value }
    }
}

/// A name without differences in spelling: `First Name`, `first_name` and `firstName` are the same.
pub(super) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

impl Translation {
    pub(super) fn new(fields: Fields) -> Self {
        let source = fields.into_iter().map(Member::new).collect();
        Self { source, user: User::default(), wrong: None }
    }

    /// Adds members that are not at the top of a row.
    pub(super) fn add(&mut self, members: impl IntoIterator<Item = (String, Value)>) {
        self.source.extend(members.into_iter().map(Member::new));
    }

    /// Reads a member by the first of these names that it has and that holds something.
    pub(super) fn get(&mut self, names: &[&str]) -> Option<Value> {
        names.iter().find_map(|name| {
            let name = plain(name);
            let found = self.source.extract_if(.., |member| member.plain == name);
            let found: Vec<_> = found.filter(|member| !member.value.is_null()).collect();
            if let [_, again, ..] = found.as_slice() {
                self.wrong.get_or_insert_with(|| has_twice(&again.name));
            }
            found.into_iter().next().map(|member| member.value)
        })
    }

    /// Reads a truth value. An empty one counts as absent; one that is not understood is wrong.
    pub(super) fn truth(&mut self, names: &[&str]) -> Option<bool> {
        let name = names.iter().find(|name| self.has(name))?;
        let value = self.get(names).filter(|value| *value != "")?;
        let truth = truth(&value);
        if truth.is_none() {
            self.is_wrong(format!("has a value in {name} that is neither true nor false"));
        }
        truth
    }

    /// Whether a member holds a time. What databases write for none counts as none; what is not understood is wrong.
    fn has_time(&mut self, name: &str) -> bool {
        let Some(value) = self.get(&[name]) else { return false };
        let text = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_lowercase());
        let is_none =
            ["", "null", "\\n", "none", "false", "0"].contains(&text.as_str()) || text.starts_with("0000");
        let is_time = text == "true" || text.starts_with(|c: char| c.is_ascii_digit());
        if !is_none && !is_time {
            self.is_wrong(format!("has a value in {name} that is no time"));
        }
        is_time && !is_none
    }

    pub(super) fn has(&self, name: &str) -> bool {
        let name = plain(name);
        self.source.iter().any(|member| member.plain == name)
    }

    pub(super) fn is_wrong(&mut self, reason: String) {
        self.wrong.get_or_insert(reason);
    }

    pub(super) fn text(&mut self, names: &[&str]) -> Option<String> {
        self.get(names)?.as_str().map(ToOwned::to_owned)
    }

    pub(super) fn put(&mut self, field: &str, value: impl Into<Value>) {
        self.user.fields.insert(field.to_owned(), value.into());
    }

    pub(super) fn has_field(&self, field: &str) -> bool {
        self.user.fields.contains_key(field)
    }

    /// Sets a field from the first of these members that exists. Providers write an empty text for an absent value.
    pub(super) fn take(&mut self, field: &str, names: &[&str]) {
        if let Some(value) = self.get(names).filter(|value| *value != "") {
            self.put(field, value);
        }
    }

    /// Whether the provider has verified the address. If it does not say, it has not: anybody can sign up with any
    /// address.
    pub(super) fn verified(&mut self, names: &[&str]) {
        let verified = self.truth(names).unwrap_or(false);
        self.put(EMAIL_VERIFIED, verified);
    }

    /// Whether the address is verified, if one of these members says so: each of them must. Some hold the time of it.
    pub(super) fn verified_if_said(&mut self, names: &[&str], times: &[&str]) {
        for name in with_is(names).iter().filter(|name| self.has(name)).cloned().collect::<Vec<_>>() {
            let verified = self.truth(&[&name]).unwrap_or(false);
            self.verified_too(verified);
        }
        for name in times {
            if self.has(name) {
                let verified = self.has_time(name);
                self.verified_too(verified);
            }
        }
    }

    fn verified_too(&mut self, verified: bool) {
        let before = self.user.fields.get(EMAIL_VERIFIED) != Some(&Value::Bool(false));
        self.put(EMAIL_VERIFIED, before && verified);
    }

    pub(super) fn disabled_if(&mut self, names: &[&str], expected: bool) {
        self.user.is_disabled |= self.truth(names) == Some(expected);
    }

    /// Reads what else says that a user is disabled, by any of the usual names.
    pub(super) fn states(&mut self) {
        for (names, expected) in [(&DISABLED[..], true), (&ENABLED, false)] {
            for name in with_is(names) {
                self.disabled_if(&[&name], expected);
            }
        }
        for name in DISABLED_AT {
            self.user.is_disabled |= self.has_time(name);
        }
        for name in ["Status", "AccountStatus"] {
            let Some(status) = self.get(&[name]).filter(|status| *status != "") else { continue };
            let word = plain(status.as_str().unwrap_or_default());
            if ACTIVE_STATUS.contains(&word.as_str()) {
                continue;
            }
            match truth(&status) {
                Some(is_active) => self.user.is_disabled |= !is_active,
                None if DISABLED_STATUS.contains(&word.as_str()) => self.user.is_disabled = true,
                None => self.is_wrong(format!(
                    "has a value in {name} that says neither that the user is active nor that it is disabled"
                )),
            }
        }
    }

    pub(super) fn is_technical(&mut self, is_technical: bool) {
        self.user.is_technical |= is_technical;
    }

    /// Sets both names. If one is missing, it comes from the whole name, whose last word is the last name.
    pub(super) fn names(&mut self, first: &[&str], last: &[&str], whole: &str) {
        self.take("FirstName", first);
        self.take("LastName", last);
        let Some(whole) = self.text(&[whole]).filter(|name| !name.contains('@')) else { return };
        let whole = whole.trim();
        let (first, last) = whole.rsplit_once(' ').map_or((whole, None), |(first, last)| (first, Some(last)));
        let mut fill = |field: &str, name: &str| {
            if !self.has_field(field) && !name.is_empty() {
                self.put(field, name);
            }
        };
        fill("FirstName", first);
        if let Some(last) = last {
            fill("LastName", last);
        }
    }

    /// Sets a time from text or from milliseconds.
    pub(super) fn millis(&mut self, field: &str, names: &[&str]) {
        let millis = match self.get(names) {
            Some(Value::Number(millis)) => millis.as_i64(),
            Some(Value::String(text)) => match text.parse() {
                Ok(millis) => Some(millis),
                Err(_) => return self.put(field, text),
            },
            _ => None,
        };
        let text = millis.and_then(|millis| timestamp_to_text(Timestamp::from_millis(millis)).ok());
        if let Some(text) = text {
            self.put(field, text);
        }
    }

    /// Sets the hash if its algorithm is supported; otherwise notes that the password is lost.
    pub(super) fn hash(&mut self, algorithm: &str, hash: Option<String>) {
        match hash.filter(|hash| hash.parse::<PasswordHash>().is_ok()) {
            Some(hash) => self.put("PasswordHash", hash),
            None => self.user.lost_password = Some(LostPassword::hashed_by(algorithm)),
        }
    }

    /// Sets a hash that names its own algorithm.
    pub(super) fn self_describing_hash(&mut self, hash: String) {
        let algorithm =
            hash.split('$').nth(1).filter(|_| hash.starts_with('$')).unwrap_or_default().to_owned();
        self.hash(&algorithm, Some(hash));
    }

    /// Notes that the password is not in the file.
    pub(super) fn password_is_elsewhere(&mut self, reason: &str) {
        self.user.lost_password = Some(LostPassword::elsewhere(reason));
    }

    /// The user; or what is wrong with the row.
    pub(super) fn finish(self) -> Result<User, String> {
        let Self { source, mut user, wrong } = self;
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let is_empty = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(values) => values.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        user.unread
            .extend(source.into_iter().filter(|member| !is_empty(&member.value)).map(|member| member.name));
        Ok(user)
    }
}

/// Members that are true for a user who is disabled.
const DISABLED: [&str; 10] = [
    "Disabled",
    "Blocked",
    "Banned",
    "Suspended",
    "Locked",
    "LockedOut",
    "Deactivated",
    "Inactive",
    "Archived",
    "Deleted",
];
/// Members that are false for a user who is disabled.
const ENABLED: [&str; 4] = ["Enabled", "Active", "AccountEnabled", "Activated"];
/// Members that hold the time at which a user was disabled.
const DISABLED_AT: [&str; 7] =
    ["DisabledAt", "BlockedAt", "BannedAt", "SuspendedAt", "DeactivatedAt", "ArchivedAt", "DeletedAt"];
/// What a status says of a user who is not disabled, in the form of [`plain`]: Okta's words, and the usual ones.
const ACTIVE_STATUS: [&str; 7] =
    ["active", "activated", "enabled", "staged", "provisioned", "recovery", "passwordexpired"];
/// What it says of one who is.
const DISABLED_STATUS: [&str; 12] = [
    "suspended",
    "deprovisioned",
    "lockedout",
    "locked",
    "disabled",
    "inactive",
    "deactivated",
    "blocked",
    "banned",
    "archived",
    "deleted",
    "removed",
];

/// Names, each also with `is` before it.
fn with_is(names: &[&str]) -> Vec<String> {
    names.iter().flat_map(|name| [(*name).to_owned(), format!("Is{name}")]).collect()
}

/// A truth value as programs write it, or as spreadsheets do in the language of their user.
fn truth(value: &Value) -> Option<bool> {
    let text = match value {
        Value::Bool(truth) => return Some(*truth),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_lowercase(),
        _ => return None,
    };
    match text.as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" | "1.0" | "wahr" | "ja" | "vrai" | "oui" | "verdadero"
        | "sí" | "si" | "vero" | "sì" | "verdadeiro" | "sim" | "waar" | "prawda" | "tak" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" | "0.0" | "falsch" | "nein" | "faux" | "non" | "falso"
        | "não" | "onwaar" | "nee" | "fałsz" | "nie" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn truth_values_are_read_in_any_spelling() {
        for (value, expected) in [
            (json!(true), Some(true)),
            (json!(1), Some(true)),
            (json!("TRUE "), Some(true)),
            (json!("yes"), Some(true)),
            (json!("WAHR"), Some(true)),
            (json!("VRAI"), Some(true)),
            (json!(false), Some(false)),
            (json!(0), Some(false)),
            (json!("No"), Some(false)),
            (json!("FAŁSZ"), Some(false)),
            (json!("x"), None),
            (json!(2), None),
            (json!(["true"]), None),
        ] {
            assert_eq!(truth(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_lost_password_says_why() {
        for (algorithm, expected) in [
            ("md5", "md5 is too weak to be kept"),
            ("SHA-256", "SHA-256 is too weak to be kept"),
            ("salted-sha256", "salted-sha256 is too weak to be kept"),
            ("ldap_ssha", "ldap_ssha is too weak to be kept"),
            ("scrypt_firebase", "scrypt_firebase is not kept here, only argon2id, bcrypt and PBKDF2 are"),
            (
                "bcrypt_sha256_django",
                "bcrypt_sha256_django is not kept here, only argon2id, bcrypt and PBKDF2 are",
            ),
            ("6", "sha512crypt is too weak to be kept"),
            ("1", "md5crypt is too weak to be kept"),
            ("PBKDF2", "its PBKDF2 hash is salted or written in a way that cannot be kept"),
            ("pbkdf2_sha1", "its pbkdf2_sha1 hash is salted or written in a way that cannot be kept"),
            ("bcrypt", "its bcrypt hash is salted or written in a way that cannot be kept"),
            ("argon2", "argon2 is not kept here, only argon2id, bcrypt and PBKDF2 are"),
            ("\u{1b}[2Jé", "[2J is not kept here, only argon2id, bcrypt and PBKDF2 are"),
            ("", "its hash is of an unknown kind"),
        ] {
            assert_eq!(
                LostPassword::hashed_by(algorithm).sentence(),
                format!("The password was not taken over: {expected}.")
            );
        }
    }
}
