//! The settings: environment variables, read once. Every one that is missing or wrong is named in
//! one message.

use std::fmt;
use std::time::Duration;

use crate::auth::{ClaimNames, SigningKeys};
use crate::model::{PasswordHasher, RateLimit};

/// The settings of a function.
pub struct Config {
    /// `TABLE_NAME`: the DynamoDB table.
    pub table_name: String,
    /// How tokens are verified; `None` for a function that takes none.
    pub tokens: Option<TokenConfig>,
    /// `PASSWORD_HASH_MEMORY_KIB`, `PASSWORD_HASH_ITERATIONS`, `PASSWORD_HASH_PARALLELISM`: the costs
    /// of a password hash. The default, 19 MiB, 2 and 1, is the least that OWASP's Password Storage
    /// Cheat Sheet recommends for argon2id.
    pub password_hasher: PasswordHasher,
    /// `EXISTS_LIMIT_REQUESTS`, `EXISTS_LIMIT_WINDOW_SECONDS`: how often one client may ask whether
    /// an account exists; 10 in 60 s.
    pub exists_limit: RateLimit,
}

/// How tokens are verified.
pub struct TokenConfig {
    /// `TOKEN_ISSUER`: the `iss` that a token must have.
    pub issuer: String,
    /// `TOKEN_AUDIENCE`: the `aud` that a token must have, alone or among others.
    pub audience: String,
    /// `SIGNING_KEYS`: an inline JWK Set. Without it the keys are those that the table holds.
    pub signing_keys: Option<SigningKeys>,
    /// `SIGNING_KEYS_MAX_AGE_SECONDS`: when the table's keys are read again; 300.
    pub signing_keys_max_age: Duration,
    /// `CLAIM_USER_ID`, `CLAIM_ORGANIZATION_ID`, `CLAIM_EMAIL`, `CLAIM_ROLES`: the claims' names.
    pub claim_names: ClaimNames,
}

/// Everything that is wrong with the settings.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong settings: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// One setting that is wrong, and why.
    pub(crate) fn of(setting: &str, why: impl fmt::Display) -> Self {
        Self(vec![format!("{setting} {why}")])
    }
}

impl Config {
    /// Reads the settings of a function that does or does not take tokens. `variable` gives the
    /// value of an environment variable; an empty one counts as not given.
    pub fn read(takes_tokens: bool, variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Variables::new(variable);
        let table_name = reader.required("TABLE_NAME");
        let tokens = takes_tokens.then(|| reader.tokens());
        let password_hasher = reader.password_hasher();
        let exists_limit = RateLimit {
            name: "exists",
            limit: reader.number("EXISTS_LIMIT_REQUESTS", 10, 1, 50),
            window: Duration::from_secs(reader.number("EXISTS_LIMIT_WINDOW_SECONDS", 60, 1, 86_400)),
        };
        let complete = match (table_name, tokens, password_hasher) {
            (Some(table_name), None, Some(password_hasher)) => {
                Some(Self { table_name, tokens: None, password_hasher, exists_limit })
            }
            (Some(table_name), Some(Some(tokens)), Some(password_hasher)) => {
                Some(Self { table_name, tokens: Some(tokens), password_hasher, exists_limit })
            }
            _ => None,
        };
        reader.finish(complete)
    }
}

/// Reads settings and gathers everything that is wrong with them.
pub struct Variables<F> {
    variable: F,
    wrong: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    /// A reader of what `variable` gives for a name. An empty value counts as not given.
    pub fn new(variable: F) -> Self {
        Self { variable, wrong: Vec::new() }
    }

    /// A setting that may be absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A setting that must be there.
    pub fn required(&mut self, name: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.wrong.push(format!("{name} is missing"));
        }
        value
    }

    /// The text of a setting as the type that it must be of.
    pub fn parsed<T: std::str::FromStr<Err: fmt::Display>>(&mut self, name: &str, text: &str) -> Option<T> {
        text.parse().map_err(|why| self.wrong.push(format!("{name} {why}"))).ok()
    }

    /// What was read, if nothing was wrong.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, ConfigError> {
        settings.filter(|_| self.wrong.is_empty()).ok_or(ConfigError(self.wrong))
    }

    fn number<T>(&mut self, name: &str, default: T, least: T, most: T) -> T
    where
        T: Copy + PartialOrd + fmt::Display + std::str::FromStr,
    {
        let Some(text) = (self.variable)(name) else {
            return default;
        };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                self.wrong.push(format!("{name} must be a whole number from {least} to {most}"));
                default
            }
        }
    }

    fn tokens(&mut self) -> Option<TokenConfig> {
        let issuer = self.required("TOKEN_ISSUER");
        let audience = self.required("TOKEN_AUDIENCE");
        let signing_keys = self.optional("SIGNING_KEYS").and_then(|jwks| {
            SigningKeys::parse_inline(&jwks)
                .map_err(|why| self.wrong.push(format!("SIGNING_KEYS {why}")))
                .ok()
        });
        let max_age = self.number("SIGNING_KEYS_MAX_AGE_SECONDS", 300, 1, 86_400);
        let claim_names = self.claim_names();
        Some(TokenConfig {
            issuer: issuer?,
            audience: audience?,
            signing_keys,
            signing_keys_max_age: Duration::from_secs(max_age),
            claim_names,
        })
    }

    fn claim_names(&self) -> ClaimNames {
        let given = |name, default| self.optional(name).map_or(default, |name| vec![name]);
        let default = ClaimNames::default();
        ClaimNames {
            user_id: given("CLAIM_USER_ID", default.user_id),
            organization_id: given("CLAIM_ORGANIZATION_ID", default.organization_id),
            email: given("CLAIM_EMAIL", default.email),
            roles: given("CLAIM_ROLES", default.roles),
        }
    }

    fn password_hasher(&mut self) -> Option<PasswordHasher> {
        let memory_kib = self.number("PASSWORD_HASH_MEMORY_KIB", 19_456, 8, 1_048_576);
        let iterations = self.number("PASSWORD_HASH_ITERATIONS", 2, 1, 100);
        let parallelism = self.number("PASSWORD_HASH_PARALLELISM", 1, 1, 64);
        PasswordHasher::new(memory_kib, iterations, parallelism)
            .map_err(|why| {
                self.wrong.push(format!("PASSWORD_HASH_MEMORY_KIB and its companions {why}"));
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(takes_tokens: bool, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(takes_tokens, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_function_without_tokens_needs_the_table_alone() {
        let config = read(false, &[("TABLE_NAME", "users")]).unwrap();
        assert!(config.tokens.is_none());
        assert_eq!((config.exists_limit.limit, config.exists_limit.window.as_secs()), (10, 60));
    }

    #[test]
    fn every_wrong_setting_is_named_in_one_message() {
        let wrong = [
            ("TOKEN_AUDIENCE", ""),
            ("SIGNING_KEYS", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2hvcnQ\",\"alg\":\"HS256\"}]}"),
            ("EXISTS_LIMIT_REQUESTS", "0"),
            ("EXISTS_LIMIT_WINDOW_SECONDS", "a minute"),
            ("PASSWORD_HASH_ITERATIONS", "-1"),
        ];
        let message = read(true, &wrong).err().unwrap().to_string();
        assert_eq!(
            message,
            "wrong settings: TABLE_NAME is missing; TOKEN_ISSUER is missing; TOKEN_AUDIENCE is missing; \
             SIGNING_KEYS has an unusable key at index 0: it is shorter than 32 bytes; \
             PASSWORD_HASH_ITERATIONS must be a whole number from 1 to 100; \
             EXISTS_LIMIT_REQUESTS must be a whole number from 1 to 50; \
             EXISTS_LIMIT_WINDOW_SECONDS must be a whole number from 1 to 86400"
        );
    }

    #[test]
    fn claim_names_are_settings() {
        let tokens = |extra: (&str, &str)| {
            let base = [("TABLE_NAME", "t"), ("TOKEN_ISSUER", "i"), ("TOKEN_AUDIENCE", "a"), extra];
            read(true, &base).unwrap().tokens.unwrap().claim_names
        };
        assert_eq!(tokens(("", "")).user_id, ["sub", "UserId"]);
        assert_eq!(tokens(("CLAIM_USER_ID", "uid")).user_id, ["uid"]);
    }
}
