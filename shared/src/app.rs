//! What a handler works with.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use crate::auth::{Caller, Policy, SigningKeySource, TokenVerifier};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::error::Error;
use crate::http::Request;
use crate::model::{Password, PasswordHash, PasswordHasher, UserId};
use crate::table::{RateLimiter, Table};

/// What a handler works with: the table, the tokens, the limiter, the clock. Made once a process.
pub struct App {
    /// The table.
    pub table: Table,
    /// Admits requests to the public endpoint.
    pub exists_limiter: RateLimiter,
    tokens: Option<TokenVerifier>,
    password_hasher: Arc<PasswordHasher>,
    /// As many hashes at once as there are processors: more would take their memory and be no faster.
    hashes: Semaphore,
    clock: Clock,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(config: Config, table: Table, clock: Clock) -> Self {
        let tokens = config.tokens.map(|tokens| {
            let keys = match tokens.signing_keys {
                Some(keys) => SigningKeySource::inline(keys, clock.clone()),
                None => SigningKeySource::table(table.clone(), tokens.signing_keys_max_age, clock.clone()),
            };
            TokenVerifier::new(keys, tokens.rules, clock.clone())
        });
        Self {
            exists_limiter: RateLimiter::new(table.clone(), config.exists_limit, clock.clone()),
            password_hasher: Arc::new(config.password_hasher),
            hashes: Semaphore::new(available_parallelism().map_or(1, NonZero::get)),
            table,
            tokens,
            clock,
        }
    }

    /// Does before the first request what can be done before it: reads the signing keys, which
    /// opens the connection to the table. A failure is left for the first request to meet.
    pub async fn warm_up(&self) {
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

    /// The bearer of the request's token, if it carries the policy's role: see [`TokenVerifier::authorize`].
    pub async fn authorize(&self, request: &Request, policy: Policy) -> Result<Caller, Error> {
        let tokens = self.tokens.as_ref().ok_or_else(|| Error::defect("this function takes no tokens"))?;
        tokens.authorize(request, policy).await
    }

    /// What verifies tokens; `None` in a function that takes none.
    #[must_use]
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
