//! Translates exports of identity providers into the document's field names.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD_NO_PAD as PHC_BASE64;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::ValueEnum;
use serde_json::{Value, json};

use super::Fields;
use super::account::{COLUMNS_READ, EMAIL_VERIFIED};
use super::user::{Translation, User, plain};

/// Who wrote a file.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dialect {
    /// The document's field names, as `users export` writes them
    Users,
    /// An export of users, or of password hashes, from Auth0; or what its bulk import reads
    Auth0,
    /// Users in a realm export of Keycloak
    Keycloak,
    /// `aws cognito-idp list-users`, or a CSV file with its user import's header
    Cognito,
    /// `firebase auth:export`
    Firebase,
    /// The users' CSV from Clerk's dashboard, or its API's user objects
    Clerk,
    /// A CSV file with the columns of Okta's import, or its API's user objects
    Okta,
    /// What Kinde's import reads
    Kinde,
    /// Users of FusionAuth's search, or what its import reads
    Fusionauth,
}

/// Reads base64 whether it is padded or not: providers do both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The columns of a Firebase CSV file, which has no header.
pub(super) const FIREBASE_COLUMNS: [&str; 28] = [
    "localId",
    "email",
    "emailVerified",
    "passwordHash",
    "salt",
    "displayName",
    "photoUrl",
    "Google ID",
    "Google email",
    "Google display name",
    "Google photo URL",
    "Facebook ID",
    "Facebook email",
    "Facebook display name",
    "Facebook photo URL",
    "Twitter ID",
    "Twitter email",
    "Twitter display name",
    "Twitter photo URL",
    "GitHub ID",
    "GitHub email",
    "GitHub display name",
    "GitHub photo URL",
    "createdAt",
    "lastSignedInAt",
    "phoneNumber",
    "disabled",
    "customAttributes",
];

/// Names that only one provider uses, in the form of [`plain`]: `profile.email` is the member `email` of `profile`.
const MARKS: [(Dialect, &[&str]); 7] = [
    (
        Dialect::Keycloak,
        &["createdtimestamp", "serviceaccountclientid", "requiredactions", "disableablecredentialtypes"],
    ),
    (Dialect::Cognito, &["attributes.value", "cognito:username", "usercreatedate"]),
    (Dialect::Firebase, &["localid"]),
    (Dialect::Clerk, &["primaryemailaddress", "primaryemailaddressid", "passwordhasher"]),
    (
        Dialect::Fusionauth,
        &["insertinstant", "encryptionscheme", "usernamestatus", "tenantid", "registrations.applicationid"],
    ),
    (Dialect::Okta, &["login", "profile.login", "profile.email"]),
    (
        Dialect::Kinde,
        &[
            "hashedpassword",
            "hashingmethod",
            "providedid",
            "externalorganizationid",
            "password.hashedpassword",
            "identities.identity",
        ],
    ),
];

/// Names that Auth0 uses; some of ours are like them.
const AUTH0_MARKS: [&str; 4] = ["emailverified", "userid", "passwordhash", "custompasswordhash"];

/// Names that we use and Auth0 does not.
const NOT_AUTH0: [&str; 10] = [
    "firstname",
    "lastname",
    "preferredemail",
    "password",
    "organizationid",
    "customernumber",
    "memberships",
    "customerassociations",
    "createdby",
    "disabled",
];

/// Names of ours that Keycloak uses too.
const LIKE_KEYCLOAK: [&str; 4] = ["FirstName", "LastName", "Email", EMAIL_VERIFIED];

/// The columns of Kinde's import that are no marks.
const KINDE_COLUMNS: [&str; 7] =
    ["id", "email", "first_name", "last_name", "phone", "username", "email_verified"];

/// Whether a file may be Kinde's although it has no mark.
pub(super) fn has_only_kindes_columns(names: &[&str]) -> bool {
    names.contains(&"id") && names.iter().all(|name| KINDE_COLUMNS.contains(name))
}

/// The names of members that may hold a user's address, in the form of [`plain`].
const ADDRESSES: [&str; 7] =
    ["email", "slug", "attributes", "profile", "identities", "primaryemailaddress", "emailaddresses"];

/// Members with which files say that an address is verified.
const VERIFIED: [&str; 4] = [EMAIL_VERIFIED, "Verified", "EmailConfirmed", "Confirmed"];
/// Members that hold the time at which an address was verified.
const VERIFIED_AT: [&str; 4] = ["EmailVerifiedAt", "VerifiedAt", "EmailConfirmedAt", "ConfirmedAt"];

/// Whether a member says that an address is verified.
pub(super) fn is_about_verification(name: &str) -> bool {
    let name = plain(name);
    VERIFIED.iter().chain(&VERIFIED_AT).any(|known| name.strip_prefix("is").unwrap_or(&name) == plain(known))
}

impl Dialect {
    /// Recognises a dialect by the names of rows' members, and of members in these: `profile.email`.
    pub(super) fn of(names: &[&str]) -> Self {
        let plain_names: BTreeSet<_> = names.iter().map(|name| plain(name)).collect();
        let has = |name: &str| plain_names.contains(name);
        let has_any = |some: &[&str]| some.iter().any(|name| has(name));
        let is_ours = has_any(&NOT_AUTH0);
        let has_of_auth0 =
            |mark: &str| names.iter().any(|name| plain(name) == mark && !COLUMNS_READ.contains(name));
        // Its users also have members of the providers that they sign in with, such as GitHub's `login`.
        let is_user = has_of_auth0("userid") && has_of_auth0("emailverified") && !is_ours;
        if is_user || has("identities.connection") {
            return Self::Auth0;
        }
        if let Some((dialect, _)) = MARKS.iter().find(|(dialect, marks)| {
            has_any(marks) && (*dialect != Self::Okta || !has_any(&["userid", "emailverified"]))
        }) {
            return *dialect;
        }
        if has_only_kindes_columns(names) {
            return Self::Kinde;
        }
        let is_unlike_keycloak = |name: &&str| !LIKE_KEYCLOAK.contains(name) && has(&plain(name));
        if names.contains(&"emailVerified")
            && !COLUMNS_READ.iter().any(is_unlike_keycloak)
            && !has("disabled")
        {
            return Self::Keycloak;
        }
        let has_mark = AUTH0_MARKS.into_iter().any(has_of_auth0);
        if has_mark && !is_ours { Self::Auth0 } else { Self::Users }
    }

    /// Whether rows with these names can be users or organizations at all.
    pub(super) fn has_users(self, names: &[&str]) -> bool {
        let is_technical = self == Self::Keycloak && names.contains(&"serviceAccountClientId");
        is_technical || names.iter().any(|name| ADDRESSES.contains(&plain(name).as_str()))
    }

    /// A user in the document's field names; or what is wrong with the row.
    pub(super) fn translate(self, fields: Fields) -> Result<User, String> {
        let user = Translation::new(fields);
        let mut user = match self {
            Self::Users => users(user),
            Self::Auth0 => auth0(user),
            Self::Keycloak => keycloak(user),
            Self::Cognito => cognito(user),
            Self::Firebase => firebase(user),
            Self::Clerk => clerk(user),
            Self::Okta => okta(user),
            Self::Kinde => kinde(user),
            Self::Fusionauth => fusionauth(user),
        };
        user.states();
        user.finish()
    }
}

fn users(mut user: Translation) -> Translation {
    user.verified_if_said(&VERIFIED, &VERIFIED_AT);
    if user.has("Password") && (user.has("Salt") || user.has("PasswordSalt")) {
        user.is_wrong(
            "has a salt beside its Password, which must be a hash then: name the provider with --from"
                .to_owned(),
        );
    }
    for field in COLUMNS_READ.into_iter().filter(|field| *field != EMAIL_VERIFIED) {
        if let Some(value) = user.get(&[field]) {
            user.put(field, value);
        }
    }
    user
}

/// A user of Auth0 ("Bulk User Exports"; "Export Data", for password hashes; "Bulk User Import Database Schema and
/// Examples").
fn auth0(mut user: Translation) -> Translation {
    let hash = user.text(&["passwordHash", "password_hash"]);
    let custom = user.get(&["custom_password_hash"]);
    let is_bulk_import = hash.is_some() || custom.is_some();
    match user.get(&["user_id", "id"]) {
        // The import puts this before an id.
        Some(Value::String(id)) if is_bulk_import && !id.contains('|') => {
            user.put("UserId", format!("auth0|{id}"));
        }
        // `_id` of an export of hashes.
        Some(id) => match id.get("$oid").and_then(Value::as_str) {
            Some(id) => user.put("UserId", format!("auth0|{id}")),
            None => user.put("UserId", id),
        },
        None => {}
    }
    user.take("Email", &["email"]);
    user.verified(&["email_verified"]);
    // An export may name its columns anew.
    user.names(&["given_name", "first_name"], &["family_name", "last_name"], "name");
    user.take("PhoneNumber", &["phone_number"]);
    user.take("CreatedAt", &["created_at"]);
    user.disabled_if(&["blocked"], true);
    if let Some(hash) = hash.filter(|hash| !hash.is_empty()) {
        user.self_describing_hash(hash);
        user.add(custom.map(|custom| ("custom_password_hash".to_owned(), custom)));
    } else if let Some(custom) = custom {
        let text = |pointer: &str| custom.pointer(pointer).and_then(Value::as_str);
        let algorithm = text("/algorithm").unwrap_or_default();
        // A hash does not show that the password was re-encoded before it was hashed.
        let is_plain = text("/password/encoding").is_none_or(|encoding| encoding == "utf8");
        let hash = text("/hash/value").filter(|_| is_plain && custom.get("salt").is_none());
        user.hash(algorithm, hash.map(ToOwned::to_owned));
    }
    user
}

/// A user of Amazon Cognito (`ListUsers`; "Creating the user import .csv file"). Its passwords cannot be exported.
fn cognito(mut user: Translation) -> Translation {
    let mut attributes = Vec::new();
    if let Some(Value::Array(pairs)) = user.get(&["Attributes"]) {
        for attribute in &pairs {
            if let (Some(Value::String(name)), Some(value)) = (attribute.get("Name"), attribute.get("Value"))
            {
                attributes.push((name.clone(), value.clone()));
            }
        }
    }
    user.add(attributes);
    user.take("UserId", &["sub"]);
    user.take("Email", &["email"]);
    user.verified(&["email_verified"]);
    user.names(&["given_name"], &["family_name"], "name");
    user.take("PhoneNumber", &["phone_number"]);
    user.disabled_if(&["Enabled"], false);
    match user.get(&["UserCreateDate"]) {
        // Seconds, from older tools.
        Some(Value::Number(seconds)) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a time that is too large becomes the latest"
            )]
            let millis = seconds.as_f64().map(|seconds| (seconds * 1000.0) as i64);
            user.add([("created millis".to_owned(), json!(millis))]);
            user.millis("CreatedAt", &["created millis"]);
        }
        Some(time) => user.put("CreatedAt", time),
        None => {}
    }
    user
}

/// A user of Keycloak ("Importing and exporting realms"; `UserRepresentation`).
fn keycloak(mut user: Translation) -> Translation {
    user.take("UserId", &["id"]);
    user.take("Email", &["email"]);
    user.verified(&["emailVerified"]);
    user.take("FirstName", &["firstName"]);
    user.take("LastName", &["lastName"]);
    user.disabled_if(&["enabled"], false);
    let client = user.get(&["serviceAccountClientId"]);
    user.is_technical(client.is_some());
    if let Some(Value::Object(mut attributes)) = user.get(&["attributes"]) {
        let phone =
            ["phoneNumber", "phone_number", "phone"].into_iter().find(|name| attributes.contains_key(*name));
        // Only the first number is read; the others stay.
        if let Some(Value::Array(numbers)) = phone.and_then(|name| attributes.get_mut(name))
            && !numbers.is_empty()
        {
            user.put("PhoneNumber", numbers.remove(0));
        }
        user.add(attributes.into_iter().map(|(name, value)| (format!("attributes.{name}"), value)));
    }
    user.millis("CreatedAt", &["createdTimestamp"]);
    let credentials = user.get(&["credentials"]);
    let credentials = credentials.as_ref().and_then(Value::as_array).into_iter().flatten();
    let (passwords, others): (Vec<_>, Vec<_>) =
        credentials.partition(|credential| credential.get("type").is_some_and(|kind| kind == "password"));
    user.add(others.iter().chain(passwords.iter().skip(1)).map(|credential| {
        let kind = credential.get("type").and_then(Value::as_str).unwrap_or("other");
        (format!("credentials.{kind}"), Value::Bool(true))
    }));
    if let Some(credential) = passwords.first() {
        let data = inner(credential, "credentialData");
        let algorithm = data.as_ref().and_then(|data| data.get("algorithm")?.as_str()).unwrap_or_default();
        user.hash(algorithm, keycloak_hash(credential));
    } else if user.get(&["federationLink"]).is_some() {
        user.password_is_elsewhere("it is in the directory that Keycloak asks");
    }
    user
}

/// JSON in a text.
fn inner(credential: &Value, name: &str) -> Option<Value> {
    serde_json::from_str(credential.get(name)?.as_str()?).ok()
}

/// A password of Keycloak in the PHC string format.
fn keycloak_hash(credential: &Value) -> Option<String> {
    let (secret, data) = (inner(credential, "secretData")?, inner(credential, "credentialData")?);
    let (salt, hash) = (secret.get("salt")?.as_str()?, secret.get("value")?.as_str()?);
    let iterations = data.get("hashIterations")?.as_u64()?;
    let parameter = |name: &str| data.get("additionalParameters")?.get(name)?.get(0)?.as_str();
    match data.get("algorithm")?.as_str()? {
        algorithm @ ("pbkdf2" | "pbkdf2-sha256" | "pbkdf2-sha512") => phc(algorithm, iterations, salt, hash),
        "argon2" if parameter("type") == Some("id") && parameter("version") == Some("1.3") => {
            let (memory, lanes) = (parameter("memory")?, parameter("parallelism")?);
            let (salt, hash) = (phc_base64(salt)?, phc_base64(hash)?);
            Some(format!("$argon2id$v=19$m={memory},t={iterations},p={lanes}${salt}${hash}"))
        }
        _ => None,
    }
}

/// A PBKDF2 hash in the PHC string format, from salt and hash in base64.
fn phc(algorithm: &str, iterations: u64, salt: &str, hash: &str) -> Option<String> {
    Some(format!("${algorithm}$i={iterations}${}${}", phc_base64(salt)?, phc_base64(hash)?))
}

fn phc_base64(text: &str) -> Option<String> {
    Some(PHC_BASE64.encode(BASE64.decode(text).ok()?))
}

/// A user of Firebase ("Firebase CLI reference: auth:import and auth:export").
fn firebase(mut user: Translation) -> Translation {
    user.take("UserId", &["localId"]);
    user.take("Email", &["email"]);
    user.verified(&["emailVerified"]);
    user.names(&["firstName"], &["lastName"], "displayName");
    user.take("PhoneNumber", &["phoneNumber"]);
    user.millis("CreatedAt", &["createdAt"]);
    user.disabled_if(&["disabled"], true);
    let (hash, _salt) = (user.text(&["passwordHash"]), user.get(&["salt"]));
    if hash.is_some_and(|hash| !hash.is_empty()) {
        user.hash("Firebase's scrypt", None);
    }
    user
}

/// A user of Clerk ("Export your users"; the `User` object of its API).
fn clerk(mut user: Translation) -> Translation {
    user.take("UserId", &["id"]);
    user.take("FirstName", &["first_name"]);
    user.take("LastName", &["last_name"]);
    user.millis("CreatedAt", &["created_at"]);
    user.disabled_if(&["banned"], true);
    let address = clerk_primary(&mut user, "email_address", "email_addresses");
    let verified = user.text(&["verified_email_addresses"]).unwrap_or_default();
    if let Some((address, is_verified)) = address {
        let (own, others): (Vec<_>, Vec<_>) = verified
            .split([',', ';', '|', ' '])
            .filter(|one| !one.is_empty())
            .partition(|one| one.eq_ignore_ascii_case(&address));
        let is_listed = !own.is_empty();
        user.add([("verified_email_addresses".to_owned(), json!(others))]);
        user.put("Email", address);
        user.put(EMAIL_VERIFIED, is_verified || is_listed);
    }
    if let Some((number, _)) = clerk_primary(&mut user, "phone_number", "phone_numbers") {
        user.put("PhoneNumber", number);
    }
    let (digest, hasher) = (user.text(&["password_digest"]), user.text(&["password_hasher"]));
    let has_password = user.truth(&["password_enabled"]) == Some(true);
    if digest.as_ref().is_none_or(String::is_empty) && has_password {
        user.password_is_elsewhere("Clerk's API does not show it");
    }
    if let Some(digest) = digest.filter(|digest| !digest.is_empty()) {
        let hasher = hasher.unwrap_or_default();
        let hash = match hasher.as_str() {
            "" | "bcrypt" | "argon2id" => Some(digest),
            // Some others look like bcrypt, but are not of the password alone.
            _ => clerk_pbkdf2(&hasher, &digest),
        };
        user.hash(&hasher, hash);
    }
    user
}

/// A PBKDF2 hash of Clerk in the PHC string format. Django's salt is a text, the others' is in base64.
fn clerk_pbkdf2(hasher: &str, digest: &str) -> Option<String> {
    let parts: Vec<_> = digest.split('$').collect();
    let [_, iterations, salt, hash] = parts.as_slice() else { return None };
    let iterations = iterations.parse().ok()?;
    match hasher {
        "pbkdf2_sha256" => phc("pbkdf2-sha256", iterations, salt, hash),
        "pbkdf2_sha512" => phc("pbkdf2-sha512", iterations, salt, hash),
        "pbkdf2_sha256_django" => phc("pbkdf2-sha256", iterations, &PHC_BASE64.encode(salt), hash),
        _ => None,
    }
}

/// The primary address or number of a user of Clerk, and whether its entry is verified.
fn clerk_primary(user: &mut Translation, kind: &str, list: &str) -> Option<(String, bool)> {
    if let Some(primary) = user.text(&[&format!("primary_{kind}")]) {
        return (!primary.is_empty()).then_some((primary, false));
    }
    let id = user.text(&[&format!("primary_{kind}_id")])?;
    let Some(Value::Array(mut entries)) = user.get(&[list]) else { return None };
    let place = entries.iter().position(|entry| entry.get("id").is_some_and(|own| *own == id.as_str()));
    let entry = place.map(|place| entries.remove(place));
    user.add([(list.to_owned(), Value::Array(entries))]);
    let entry = entry?;
    let is_verified = entry.pointer("/verification/status").is_some_and(|status| status == "verified");
    Some((entry.get(kind)?.as_str()?.to_owned(), is_verified))
}

/// A user of Okta ("Import users from a CSV file"; the `User` object of its API).
fn okta(mut user: Translation) -> Translation {
    let mut credentials = match user.get(&["credentials"]) {
        Some(Value::Object(credentials)) => credentials,
        _ => Fields::new(),
    };
    // Before those of the profile, which may be called the same.
    user.states();
    if let Some(Value::Object(profile)) = user.get(&["profile"]) {
        user.take("UserId", &["id"]);
        user.add(profile);
    }
    let address = user.get(&["email"]).unwrap_or_default();
    let mut is_verified = false;
    if let Some(Value::Array(emails)) = credentials.get_mut("emails") {
        let own = address.as_str().unwrap_or_default();
        let is_own = |email: &Value| {
            email.get("value").and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(own))
        };
        is_verified = emails
            .iter()
            .any(|email| is_own(email) && email.get("status").is_some_and(|status| status == "VERIFIED"));
        emails.retain(|email| !is_own(email));
    }
    user.put("Email", address);
    user.put(EMAIL_VERIFIED, is_verified);
    user.take("FirstName", &["firstName"]);
    user.take("LastName", &["lastName"]);
    user.take("PhoneNumber", &["mobilePhone", "primaryPhone"]);
    user.take("CreatedAt", &["created"]);
    if let Some(Value::Object(mut password)) = credentials.remove("password") {
        if password.is_empty() {
            user.password_is_elsewhere("Okta's API does not show it");
        }
        if let Some(hash) = password.remove("hash") {
            let algorithm = hash.get("algorithm").and_then(Value::as_str).unwrap_or_default();
            user.hash(algorithm, okta_hash(algorithm, &hash));
        }
        if let Some(password) = password.remove("value") {
            user.put("Password", password);
        }
        user.add(password.into_iter().map(|(name, value)| (format!("credentials.password.{name}"), value)));
    }
    user.add(credentials.into_iter().map(|(name, value)| (format!("credentials.{name}"), value)));
    user
}

/// A password of Okta in bcrypt's own format or the PHC string format.
fn okta_hash(algorithm: &str, hash: &Value) -> Option<String> {
    let text = |name: &str| hash.get(name).and_then(Value::as_str);
    let (salt, value) = (text("salt")?, text("value")?);
    let pbkdf2 = |name| phc(name, hash.get("iterationCount")?.as_u64()?, salt, value);
    match (algorithm, text("digestAlgorithm")) {
        ("BCRYPT", _) => Some(format!("$2a${:02}${salt}{value}", hash.get("workFactor")?.as_u64()?)),
        ("PBKDF2", Some("SHA256_HMAC")) => pbkdf2("pbkdf2-sha256"),
        ("PBKDF2", Some("SHA512_HMAC")) => pbkdf2("pbkdf2-sha512"),
        _ => None,
    }
}

/// A user of Kinde ("Import users in bulk", CSV and NDJSON; "Move users", for exports).
fn kinde(mut user: Translation) -> Translation {
    user.take("UserId", &["id", "provided_id"]);
    user.take("FirstName", &["first_name"]);
    user.take("LastName", &["last_name"]);
    user.take("CreatedAt", &["created_on"]);
    user.disabled_if(&["is_suspended"], true);
    kinde_identities(&mut user);
    match user.get(&["password"]) {
        Some(Value::Object(password)) => user.add(password),
        other => user.add(other.map(|password| ("password".to_owned(), password))),
    }
    let (hash, method) =
        (user.text(&["hashed_password"]), user.text(&["hashing_method", "hashing_algorithm"]));
    if let Some(hash) = hash.filter(|hash| !hash.is_empty()) {
        let (salt, _) = (user.get(&["salt"]), user.get(&["salt_position"]));
        user.get(&["salt_format"]);
        // With a salt of its own, the hash is not of the password alone.
        let is_plain = salt.is_none_or(|salt| salt == "");
        user.hash(&method.unwrap_or_default(), Some(hash).filter(|_| is_plain));
    }
    user
}

/// Takes the address, whether it is verified, and a number: from the columns, or from the identities. If both say whether
/// the address is verified, both must say that it is.
fn kinde_identities(user: &mut Translation) {
    let address = user.text(&["email"]).filter(|address| !address.is_empty());
    let mut verified: Vec<bool> = user.truth(&["email_verified"]).into_iter().collect();
    let mut others = match user.get(&["identities"]) {
        Some(Value::Array(identities)) => identities,
        other => other.into_iter().collect(),
    };
    let text = |identity: &Value, name: &str| identity.get(name)?.as_str().map(ToOwned::to_owned);
    let is_own = |identity: &Value| {
        let own = text(identity, "identity").unwrap_or_default();
        text(identity, "type").is_some_and(|kind| kind == "email")
            && address.as_ref().is_none_or(|address| own.eq_ignore_ascii_case(address))
    };
    let own = others.iter().position(is_own).map(|place| others.remove(place));
    verified.extend(own.iter().map(|identity| identity.get("is_verified") == Some(&Value::Bool(true))));
    if let Some(address) = address.clone().or_else(|| text(own.as_ref()?, "identity")) {
        user.put("Email", address);
    }
    user.put(EMAIL_VERIFIED, !verified.is_empty() && !verified.contains(&false));
    user.take("PhoneNumber", &["phone"]);
    let is_phone = |identity: &Value| text(identity, "type").is_some_and(|kind| kind == "phone");
    if !user.has_field("PhoneNumber")
        && let Some(place) = others.iter().position(is_phone)
        && let Some(number) = text(&others.remove(place), "identity")
    {
        user.put("PhoneNumber", number);
    }
    user.add([("identities".to_owned(), Value::Array(others))]);
}

/// A user of FusionAuth ("Search for Users"; "Import Users").
fn fusionauth(mut user: Translation) -> Translation {
    user.take("UserId", &["id"]);
    user.take("Email", &["email"]);
    user.verified(&["verified"]);
    user.names(&["firstName"], &["lastName"], "fullName");
    user.take("PhoneNumber", &["mobilePhone"]);
    user.millis("CreatedAt", &["insertInstant"]);
    user.disabled_if(&["active"], false);
    let scheme = user.text(&["encryptionScheme"]).unwrap_or_default();
    let (password, salt) = (user.text(&["password"]), user.text(&["salt"]).unwrap_or_default());
    let factor = user.get(&["factor"]).and_then(|factor| factor.as_u64());
    if let Some(password) = password {
        let hash = factor.and_then(|factor| match scheme.as_str() {
            "bcrypt" => Some(format!("$2a${factor:02}${salt}{password}")),
            "salted-pbkdf2-hmac-sha256" | "salted-pbkdf2-hmac-sha256-512" => {
                phc("pbkdf2-sha256", factor, &salt, &password)
            }
            "salted-pbkdf2-hmac-sha512-512" => phc("pbkdf2-sha512", factor, &salt, &password),
            _ => None,
        });
        user.hash(&scheme, hash);
    }
    user
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_is_recognised_by_its_names() {
        for (names, dialect) in [
            (&["FirstName", "LastName", "Email", "EmailVerified"][..], Dialect::Users),
            (&["first_name", "last_name", "email", "email_verified"], Dialect::Users),
            (&["user_id", "email"], Dialect::Auth0),
            (&["email", "custom_password_hash"], Dialect::Auth0),
            (&["Id", "Given Name", "Email", "Email Verified"], Dialect::Auth0),
            (&["id", "username", "firstName", "createdTimestamp"], Dialect::Keycloak),
            (&["Username", "Attributes", "Attributes.Name", "Attributes.Value"], Dialect::Cognito),
            (&["localId", "email", "emailVerified"], Dialect::Firebase),
            (&["id", "first_name", "primary_email_address"], Dialect::Clerk),
            (&["login", "firstName", "lastName", "email"], Dialect::Okta),
            (&["id", "status", "profile", "profile.login"], Dialect::Okta),
            (&["FirstName", "LastName", "Email", "Profile"], Dialect::Users),
            (&["email", "first_name", "hashed_password"], Dialect::Kinde),
            (&["email", "firstName", "insertInstant", "verified"], Dialect::Fusionauth),
            // Auth0 beside members of other providers.
            (&["user_id", "email", "email_verified", "login", "tenantid", "profile"], Dialect::Auth0),
            (&["user_id", "email", "first_name", "identities", "identities.connection"], Dialect::Auth0),
            (&["UserId", "Email", "EmailVerified", "PasswordHash"], Dialect::Users),
            // Kinde's columns that have no mark, and ids that may be anybody's.
            (&["email", "id", "first_name", "last_name"], Dialect::Kinde),
            (&["email", "first_name", "last_name"], Dialect::Users),
            (&["Email", "Id", "First Name", "Last Name"], Dialect::Users),
            // Ours, as programs spell them.
            (&["firstName", "lastName", "email", "emailVerified", "userId", "passwordHash"], Dialect::Users),
            (&["firstName", "lastName", "email", "emailVerified", "organizationId"], Dialect::Users),
            (&["id", "firstName", "lastName", "email", "emailVerified"], Dialect::Keycloak),
        ] {
            assert!(Dialect::of(names) == dialect, "{names:?}");
        }
    }

    #[test]
    fn marks_count_in_any_spelling() {
        for (mark, dialect) in [
            ("Login", Dialect::Okta),
            ("HASHED_PASSWORD", Dialect::Kinde),
            ("Hashed Password", Dialect::Kinde),
            ("Primary Email Address", Dialect::Clerk),
            ("Cognito:Username", Dialect::Cognito),
            ("Local ID", Dialect::Firebase),
            ("Insert Instant", Dialect::Fusionauth),
            ("created_timestamp", Dialect::Keycloak),
            ("USER_ID", Dialect::Auth0),
        ] {
            assert!(Dialect::of(&["Email", mark]) == dialect, "{mark}");
        }
    }
}
