//! What identity providers export, told in the document's field names.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD_NO_PAD as PHC_BASE64;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::ValueEnum;
use serde_json::{Value, json};
use shared::clock::Timestamp;
use shared::table::timestamp_to_text;

use super::Fields;
use super::account::{COLUMNS_READ, EMAIL_VERIFIED};

/// Who wrote a file.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// The document's field names, as `users export` writes them
    Users,
    /// An export of users, or of password hashes, from Auth0
    Auth0,
    /// A realm export of Keycloak
    Keycloak,
    /// `aws cognito-idp list-users`, or a CSV file with its user import's header
    Cognito,
}

/// Reads base64 whether it is padded or not: providers do both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Dialect {
    /// Recognises a dialect by the names of a row's fields.
    pub(super) fn of(names: &[&str]) -> Self {
        let has = |some: &[&str]| some.iter().any(|name| names.contains(name));
        if has(&["Attributes", "cognito:username"]) {
            Self::Cognito
        } else if has(&["emailVerified", "createdTimestamp"]) {
            Self::Keycloak
        } else if has(&["email_verified", "Email Verified", "user_id", "passwordHash"]) {
            Self::Auth0
        } else {
            Self::Users
        }
    }

    /// Whether a column of a CSV file of this dialect is read.
    pub(super) fn reads(self, column: &str) -> bool {
        match self {
            Self::Users => COLUMNS_READ.contains(&column),
            Self::Auth0 => AUTH0_COLUMNS.contains(&plain(column).as_str()),
            Self::Cognito => COGNITO_COLUMNS.contains(&column),
            Self::Keycloak => false,
        }
    }

    /// A row in the document's field names. What has no place there is left out.
    pub(super) fn translate(self, fields: Fields) -> Fields {
        match self {
            Self::Users => fields,
            Self::Auth0 => auth0(fields),
            Self::Keycloak => keycloak(&fields),
            Self::Cognito => cognito(&fields),
        }
    }
}

const AUTH0_COLUMNS: [&str; 10] = [
    "user_id",
    "id",
    "email",
    "email_verified",
    "given_name",
    "family_name",
    "name",
    "phone_number",
    "created_at",
    "passwordhash",
];

/// A user of Auth0 ("Bulk User Exports"; "Export Data", for password hashes).
fn auth0(fields: Fields) -> Fields {
    let fields: Fields = fields.into_iter().map(|(name, value)| (plain(&name), value)).collect();
    let mut user = Translation::of(&fields);
    user.take("UserId", &["user_id", "id"]);
    if let Some(id) = fields.get("_id").and_then(|id| id.get("$oid")).and_then(Value::as_str) {
        user.put("UserId", json!(format!("auth0|{id}")));
    }
    user.take("Email", &["email"]);
    user.verified(fields.get("email_verified"));
    user.names("given_name", "family_name", "name");
    user.take("PhoneNumber", &["phone_number"]);
    user.take("CreatedAt", &["created_at"]);
    user.take("PasswordHash", &["passwordhash"]);
    user.translated
}

/// The extension writes labels, `Email Verified`, where the API writes names, `email_verified`.
fn plain(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
}

const COGNITO_COLUMNS: [&str; 7] =
    ["sub", "email", "email_verified", "given_name", "family_name", "name", "phone_number"];

/// A user of Amazon Cognito (`ListUsers`; "Creating the user import .csv file"). Its passwords cannot be exported.
fn cognito(fields: &Fields) -> Fields {
    let mut attributes = fields.clone();
    for attribute in fields.get("Attributes").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(Value::String(name)), Some(value)) = (attribute.get("Name"), attribute.get("Value")) {
            attributes.insert(name.clone(), value.clone());
        }
    }
    let mut user = Translation::of(&attributes);
    user.take("UserId", &["sub"]);
    user.take("Email", &["email"]);
    user.verified(attributes.get("email_verified"));
    user.names("given_name", "family_name", "name");
    user.take("PhoneNumber", &["phone_number"]);
    match fields.get("UserCreateDate") {
        // Seconds, from older tools.
        Some(Value::Number(seconds)) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a time that is too large becomes the latest"
            )]
            user.time("CreatedAt", seconds.as_f64().map(|seconds| (seconds * 1000.0) as i64));
        }
        _ => user.take("CreatedAt", &["UserCreateDate"]),
    }
    user.translated
}

/// A user of Keycloak ("Importing and exporting realms"; `UserRepresentation`).
fn keycloak(fields: &Fields) -> Fields {
    let mut user = Translation::of(fields);
    user.take("UserId", &["id"]);
    user.take("Email", &["email"]);
    user.verified(fields.get("emailVerified"));
    user.take("FirstName", &["firstName"]);
    user.take("LastName", &["lastName"]);
    let attribute = |name: &&str| fields.get("attributes")?.get(name)?.get(0).cloned();
    if let Some(number) = ["phoneNumber", "phone_number", "phone"].iter().find_map(attribute) {
        user.put("PhoneNumber", number);
    }
    user.time("CreatedAt", fields.get("createdTimestamp").and_then(Value::as_i64));
    let credentials = fields.get("credentials").and_then(Value::as_array).into_iter().flatten();
    let is_password = |credential: &&Value| credential.get("type").is_some_and(|kind| kind == "password");
    if let Some(credential) = credentials.into_iter().find(is_password) {
        // What cannot be told in PHC is refused by its name, below.
        let hash = keycloak_hash(credential).unwrap_or_else(|| "of another kind".to_owned());
        user.put("PasswordHash", json!(hash));
    }
    user.translated
}

/// A password of Keycloak in the PHC string format.
fn keycloak_hash(credential: &Value) -> Option<String> {
    let inner = |name: &str| serde_json::from_str::<Value>(credential.get(name)?.as_str()?).ok();
    let (secret, data) = (inner("secretData")?, inner("credentialData")?);
    let phc_base64 = |name: &str| Some(PHC_BASE64.encode(BASE64.decode(secret.get(name)?.as_str()?).ok()?));
    let (salt, hash) = (phc_base64("salt")?, phc_base64("value")?);
    let iterations = data.get("hashIterations")?.as_u64()?;
    let parameter = |name: &str| data.get("additionalParameters")?.get(name)?.get(0)?.as_str();
    match data.get("algorithm")?.as_str()? {
        algorithm @ ("pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512") => {
            Some(format!("${algorithm}$i={iterations}${salt}${hash}"))
        }
        "argon2" if parameter("type") == Some("id") && parameter("version") == Some("1.3") => {
            let (memory, lanes) = (parameter("memory")?, parameter("parallelism")?);
            Some(format!("$argon2id$v=19$m={memory},t={iterations},p={lanes}${salt}${hash}"))
        }
        _ => None,
    }
}

/// A row on its way into the document's field names.
struct Translation<'a> {
    source: &'a Fields,
    translated: Fields,
}

impl<'a> Translation<'a> {
    fn of(source: &'a Fields) -> Self {
        // Only a provider that says so has verified an address: anybody can sign up with any.
        let translated = Fields::from_iter([(EMAIL_VERIFIED.to_owned(), json!(false))]);
        Self { source, translated }
    }

    fn put(&mut self, field: &str, value: Value) {
        self.translated.insert(field.to_owned(), value);
    }

    /// Takes a field over from the first of these that is there.
    fn take(&mut self, field: &str, names: &[&str]) {
        if let Some(value) = names.iter().find_map(|name| self.source.get(*name)) {
            self.put(field, value.clone());
        }
    }

    fn verified(&mut self, value: Option<&Value>) {
        let verified = match value {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        };
        self.put(EMAIL_VERIFIED, json!(verified));
    }

    /// Takes both names over; where they are not given, from the whole name, the last word of which is the last name.
    fn names(&mut self, first: &str, last: &str, whole: &str) {
        self.take("FirstName", &[first]);
        self.take("LastName", &[last]);
        let whole = self.source.get(whole).and_then(Value::as_str).filter(|name| !name.contains('@'));
        if let Some((first, last)) = whole.and_then(|name| name.trim().rsplit_once(' ')) {
            let (first, last) = (json!(first), json!(last));
            self.translated.entry("FirstName").or_insert(first);
            self.translated.entry("LastName").or_insert(last);
        }
    }

    fn time(&mut self, field: &str, millis: Option<i64>) {
        let text = millis.and_then(|millis| timestamp_to_text(Timestamp::from_millis(millis)).ok());
        if let Some(text) = text {
            self.put(field, json!(text));
        }
    }
}
