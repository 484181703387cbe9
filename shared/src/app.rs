//! What a handler works with.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::auth::{SigningKeySource, TokenSettings, TokenVerifier};
use crate::clock::{Clock, Timestamp};
use crate::error::Error;
use crate::front::{Front, FrontSettings};
use crate::model::{Password, PasswordHash, PasswordHasher, RateLimit, UserId};
use crate::settings::{SettingsError, SettingsReader};
use crate::table::{RateLimiter, Table};

/// What a handler works with: the table, the tokens, the limiter, the clock. Made once a process.
pub struct App {
    /// The table.
    pub table: Table,
    /// Admits requests to the public endpoint.
    pub exists_limiter: RateLimiter,
    /// Lets requests in, and knows the client's address.
    pub front: Front,
    tokens: Option<TokenVerifier>,
    password_hasher: Arc<PasswordHasher>,
    /// As many hashes at once as there are processors: more would take their memory and be no faster.
    hashes: Semaphore,
    clock: Clock,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(settings: AppSettings, table: Table, clock: Clock) -> Self {
        let tokens = settings.tokens.map(|tokens| {
            let keys = match tokens.signing_keys {
                Some(keys) => SigningKeySource::inline(keys),
                None => SigningKeySource::table(table.clone(), tokens.signing_keys_max_age, clock.clone()),
            };
            TokenVerifier::new(keys, tokens.rules, clock.clone())
        });
        Self {
            front: Front::new(settings.front, table.client(), clock.clone()),
            exists_limiter: RateLimiter::new(table.clone(), settings.exists_limit, clock.clone()),
            password_hasher: Arc::new(settings.password_hasher),
            hashes: Semaphore::new(available_parallelism().map_or(1, NonZero::get)),
            table,
            tokens,
            clock,
        }
    }

    /// Does before the first request what can be done before it: reads the signing keys, which
    /// opens the connection to the table, and the front's secrets. A failure is left for the first request to meet.
    pub async fn warm_up(&self) {
        let ((), front) = tokio::join!(self.warm_up_table(), self.front.warm_up());
        if let Err(error) = front {
            tracing::warn!(cause = error.log(), "the front's secrets could not be read at start-up");
        }
    }

    async fn warm_up_table(&self) {
        // Each function reads what it may read anyway.
        let done = match &self.tokens {
            Some(tokens) if tokens.reads_table() => tokens.warm_up().await,
            Some(_) => self.table.signing_keys().await.map(drop),
            None => self.table.open_connection().await,
        };
        if let Err(error) = done {
            tracing::warn!(cause = error.log(), "the table could not be read at start-up");
        }
    }

    /// What verifies tokens; `None` in a function that takes none.
    #[must_use]
    #[allow(dead_code, reason = "`users doctor` explains tokens with it")]
    pub fn token_verifier(&self) -> Option<&TokenVerifier> {
        self.tokens.as_ref()
    }

    /// The time, by the clock that the app was made with.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new user id, of 128 random bits.
    pub fn new_user_id(&self) -> Result<UserId, Error> {
        UserId::random().map_err(|_| Error::unavailable("the operating system gave no randomness"))
    }

    /// Hashes a password, off the asynchronous thread; no more at once than there are processors.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Error> {
        let _turn = self.hashes.acquire().await;
        let hasher = self.password_hasher.clone();
        tokio::task::spawn_blocking(move || hasher.hash(&password))
            .await
            .map_err(|_| Error::defect("the hashing of a password ended early"))?
            .map_err(|error| Error::defect(format!("a password was not hashed: {error}")))
    }
}

/// The settings of a function that serves an endpoint.
pub struct AppSettings {
    /// `TABLE_NAME`: the DynamoDB table.
    pub table_name: String,
    /// How tokens are verified; `None` for a function that takes none.
    pub tokens: Option<TokenSettings>,
    /// `PASSWORD_HASH_MEMORY_KIB`, `PASSWORD_HASH_ITERATIONS`, `PASSWORD_HASH_PARALLELISM`: see [`PasswordHasher::read`].
    pub password_hasher: PasswordHasher,
    /// `EXISTS_LIMIT_REQUESTS`, `EXISTS_LIMIT_WINDOW_SECONDS`: see [`RateLimit::read_exists`].
    pub exists_limit: RateLimit,
    /// What stands in front of the functions; `None` if API Gateway does alone. See [`FrontSettings`].
    pub front: Option<FrontSettings>,
}

impl AppSettings {
    /// Reads the settings of a function that does or does not take tokens. `variable` returns the value of an
    /// environment variable.
    pub fn read(
        takes_tokens: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut reader = SettingsReader::new(variable);
        let table_name = reader.required("TABLE_NAME");
        let tokens = takes_tokens.then(|| TokenSettings::read(&mut reader));
        let password_hasher = PasswordHasher::read(&mut reader);
        let exists_limit = RateLimit::read_exists(&mut reader);
        let front = FrontSettings::read(&mut reader);
        let tokens_are_complete = tokens.as_ref().is_none_or(Option::is_some);
        let settings = table_name.zip(password_hasher).filter(|_| tokens_are_complete);
        reader.finish(settings.map(|(table_name, password_hasher)| Self {
            table_name,
            tokens: tokens.flatten(),
            password_hasher,
            exists_limit,
            front,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(takes_tokens: bool, variables: &[(&str, &str)]) -> Result<AppSettings, SettingsError> {
        AppSettings::read(takes_tokens, |name| {
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
}
