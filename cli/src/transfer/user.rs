//! Translates a provider's user into the document's field names.

use serde_json::{Value, json};
use shared::clock::Timestamp;
use shared::model::PasswordHash;
use shared::table::timestamp_to_text;

use super::Fields;
use super::account::EMAIL_VERIFIED;

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
    /// Its hash uses an algorithm that is too weak or not supported.
    fn hashed_by(algorithm: &str) -> Self {
        let name: String = algorithm.chars().filter(|c| matches!(c, ' '..='~')).take(40).collect();
        let lower = name.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        let is_slow = has(&["pbkdf2", "scrypt", "bcrypt", "argon2"]);
        Self(if name.is_empty() {
            "its hash is of an unknown kind".to_owned()
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
    twice: Option<String>,
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
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

impl Translation {
    pub(super) fn new(fields: Fields) -> Self {
        let source = fields.into_iter().map(Member::new).collect();
        Self { source, user: User::default(), twice: None }
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
                self.twice.get_or_insert_with(|| again.name.clone());
            }
            found.into_iter().next().map(|member| member.value)
        })
    }

    pub(super) fn text(&mut self, names: &[&str]) -> Option<String> {
        self.get(names)?.as_str().map(ToOwned::to_owned)
    }

    pub(super) fn put(&mut self, field: &str, value: impl Into<Value>) {
        self.user.fields.insert(field.to_owned(), value.into());
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
        let verified = self.get(names).is_some_and(|value| is_true(&value));
        self.put(EMAIL_VERIFIED, verified);
    }

    pub(super) fn disabled_if(&mut self, names: &[&str], expected: bool) {
        self.user.is_disabled |= self.get(names).is_some_and(|value| is_true(&value) == expected);
    }

    pub(super) fn is_disabled(&mut self, is_disabled: bool) {
        self.user.is_disabled |= is_disabled;
    }

    pub(super) fn is_technical(&mut self, is_technical: bool) {
        self.user.is_technical |= is_technical;
    }

    /// Sets both names. If one is missing, it comes from the whole name, whose last word is the last name.
    pub(super) fn names(&mut self, first: &str, last: &str, whole: &str) {
        self.take("FirstName", &[first]);
        self.take("LastName", &[last]);
        let Some(whole) = self.text(&[whole]).filter(|name| !name.contains('@')) else { return };
        let whole = whole.trim();
        let (first, last) = whole.rsplit_once(' ').map_or((whole, None), |(first, last)| (first, Some(last)));
        let mut fill = |field: &str, name: &str| {
            let is_missing = !self.user.fields.contains_key(field);
            if is_missing && !name.is_empty() {
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

    /// The user; or the name of a duplicate member.
    pub(super) fn finish(self) -> Result<User, String> {
        let Self { source, mut user, twice } = self;
        if let Some(name) = twice {
            return Err(name);
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

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => *value == json!(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
