//! The settings: environment variables, read once. Every one that is missing or wrong is named in
//! one message.

use std::fmt;
use std::time::Duration;

use crate::auth::{
    AudienceClaim, ClaimNames, ClaimPath, OrganizationSource, RoleNames, SigningKeys, TokenRules, TokenType,
};
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
    /// What a token must be.
    pub rules: TokenRules,
    /// `SIGNING_KEYS`: an inline JWK Set. Without it the keys are those that the table holds.
    pub signing_keys: Option<SigningKeys>,
    /// `SIGNING_KEYS_MAX_AGE_SECONDS`: when the table's keys are read again; 300.
    pub signing_keys_max_age: Duration,
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
    /// Each setting that is wrong, with why.
    #[must_use]
    pub fn each(&self) -> &[String] {
        &self.0
    }

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
            limit: reader.number("EXISTS_LIMIT_REQUESTS", 10, 1, RateLimit::MAX),
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
        let audience_claim = self.audience_claim();
        let token_type = self.token_type();
        let claim_names = self.claim_names();
        let role_names = self.role_names();
        Some(TokenConfig {
            rules: TokenRules {
                issuer: issuer?,
                audience: audience?,
                audience_claim,
                token_type,
                claim_names,
                role_names,
            },
            signing_keys,
            signing_keys_max_age: Duration::from_secs(max_age),
        })
    }

    fn audience_claim(&mut self) -> AudienceClaim {
        match self.optional("CLAIM_AUDIENCE").as_deref() {
            None | Some("aud") => AudienceClaim::Aud,
            Some("client_id") => AudienceClaim::ClientId,
            Some(_) => {
                self.wrong.push("CLAIM_AUDIENCE must be aud or client_id".to_owned());
                AudienceClaim::Aud
            }
        }
    }

    fn token_type(&mut self) -> Option<TokenType> {
        match (self.claim("CLAIM_TOKEN_TYPE"), self.optional("TOKEN_TYPE")) {
            (Some(claim), Some(value)) => Some(TokenType { claim, value }),
            (None, None) => None,
            _ => {
                self.wrong.push("CLAIM_TOKEN_TYPE and TOKEN_TYPE must be given together".to_owned());
                None
            }
        }
    }

    fn claim_names(&mut self) -> ClaimNames {
        let default = ClaimNames::default();
        let user_id = self.claim("CLAIM_USER_ID");
        let organization_id = match (self.claim("CLAIM_ORGANIZATION_ID"), self.optional("ORGANIZATION_ID")) {
            (None, None) => default.organization_id,
            (Some(claim), None) => OrganizationSource::Claims(vec![claim]),
            (None, Some(id)) => {
                let id = self.parsed("ORGANIZATION_ID", &id);
                id.map_or(default.organization_id, OrganizationSource::Fixed)
            }
            (Some(_), Some(_)) => {
                self.wrong
                    .push("CLAIM_ORGANIZATION_ID and ORGANIZATION_ID must not both be given".to_owned());
                default.organization_id
            }
        };
        // Whoever names the claim with the account's id has nobody looked up by an address, unless they
        // name that claim, too.
        let default_email = if user_id.is_some() { Vec::new() } else { default.email };
        let or = |given: Option<ClaimPath>, default| given.map_or(default, |claim| vec![claim]);
        ClaimNames {
            organization_id,
            email: or(self.claim("CLAIM_EMAIL"), default_email),
            roles: or(self.claim("CLAIM_ROLES"), default.roles),
            user_id: or(user_id, default.user_id),
        }
    }

    fn claim(&mut self, name: &str) -> Option<ClaimPath> {
        let text = self.optional(name)?;
        self.parsed(name, &text)
    }

    fn role_names(&mut self) -> RoleNames {
        let names = RoleNames::new(self.optional("ROLE_ADMIN"), self.optional("ROLE_CUSTOMER"));
        names.unwrap_or_else(|why| {
            self.wrong.push(format!("ROLE_ADMIN and ROLE_CUSTOMER {why}"));
            RoleNames::default()
        })
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
    use crate::auth::Policy;

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

    fn rules(extra: &[(&str, &str)]) -> Result<TokenRules, String> {
        let base = [("TABLE_NAME", "t"), ("TOKEN_ISSUER", "i"), ("TOKEN_AUDIENCE", "a")];
        let config = read(true, &[&base, extra].concat()).map_err(|error| error.to_string())?;
        Ok(config.tokens.unwrap().rules)
    }

    fn spelled(paths: &[ClaimPath]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn claims_are_settings() {
        let usual = rules(&[("CLAIM_USER_ID", " "), ("CLAIM_AUDIENCE", "aud")]).unwrap();
        assert_eq!(spelled(&usual.claim_names.user_id), ["sub", "UserId"]);
        assert_eq!(spelled(&usual.claim_names.email), ["email", "Email"]);
        assert_eq!(usual.audience_claim, AudienceClaim::Aud);
        assert_eq!(usual.role_names, RoleNames::default());
        assert!(usual.token_type.is_none());

        let other = rules(&[
            ("CLAIM_USER_ID", "uid"),
            ("CLAIM_ROLES", "/access/*/key"),
            ("CLAIM_AUDIENCE", "client_id"),
            ("CLAIM_TOKEN_TYPE", "typ"),
            ("TOKEN_TYPE", "Bearer"),
            ("ROLE_ADMIN", "users admins"),
        ]);
        let other = other.unwrap();
        assert_eq!(spelled(&other.claim_names.user_id), ["uid"]);
        assert_eq!(spelled(&other.claim_names.roles), ["/access/*/key"]);
        assert_eq!(other.audience_claim, AudienceClaim::ClientId);
        assert_eq!(other.token_type.unwrap().value, "Bearer");
        assert_eq!(other.role_names.of(Policy::Admin), "users admins");
        assert_eq!(other.role_names.of(Policy::Customer), "Customer");
    }

    #[test]
    fn a_claim_named_for_the_user_id_ends_the_look_up_by_email_unless_that_claim_is_named_too() {
        let email = |settings: &[(&str, &str)]| spelled(&rules(settings).unwrap().claim_names.email);
        assert!(email(&[("CLAIM_USER_ID", "uid")]).is_empty());
        assert!(email(&[("CLAIM_USER_ID", "sub")]).is_empty());
        assert_eq!(email(&[("CLAIM_USER_ID", "uid"), ("CLAIM_EMAIL", "mail")]), ["mail"]);
        assert_eq!(email(&[("CLAIM_EMAIL", "mail")]), ["mail"]);
    }

    #[test]
    fn what_is_wrong_with_the_tokens_settings_is_said() {
        let both_wrong = [
            ("CLAIM_AUDIENCE", "azp"),
            ("CLAIM_TOKEN_TYPE", "typ"),
            ("CLAIM_USER_ID", "/a//b"),
            ("CLAIM_ORGANIZATION_ID", "tid"),
            ("ORGANIZATION_ID", "org_1"),
            ("CLAIM_EMAIL", "/a~2"),
            ("CLAIM_ROLES", "/*/key"),
            ("ROLE_ADMIN", "users"),
            ("ROLE_CUSTOMER", "users"),
        ];
        assert_eq!(
            rules(&both_wrong).unwrap_err(),
            "wrong settings: CLAIM_AUDIENCE must be aud or client_id; CLAIM_TOKEN_TYPE and TOKEN_TYPE must be \
             given together; CLAIM_USER_ID must not have an empty step; CLAIM_ORGANIZATION_ID and ORGANIZATION_ID \
             must not both be given; CLAIM_EMAIL must have ~ only as ~0 and ~1 (RFC 6901); CLAIM_ROLES must begin \
             with a name, not with *; ROLE_ADMIN and ROLE_CUSTOMER must differ"
        );
        for (settings, why) in [
            (&[("TOKEN_TYPE", "access")] as &[_], "CLAIM_TOKEN_TYPE and TOKEN_TYPE must be given together"),
            (
                &[("ORGANIZATION_ID", "a b")],
                "ORGANIZATION_ID must be printable ASCII without white space or #",
            ),
            (&[("ROLE_CUSTOMER", "Admin")], "ROLE_ADMIN and ROLE_CUSTOMER must differ"),
            (&[("CLAIM_AUDIENCE", "Aud")], "CLAIM_AUDIENCE must be aud or client_id"),
        ] {
            assert_eq!(rules(settings).unwrap_err(), format!("wrong settings: {why}"));
        }
    }
}
