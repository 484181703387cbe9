//! Scheduled, every few minutes: fetches the identity provider's signing keys and stores them in the
//! table, so that no request ever waits for the provider.
//!
//! [`RefreshSigningKeys`] is what a run does; [`shared::auth::PublishedKeys`] says which keys are kept.

mod https;

use std::time::Duration;

use serde::Deserialize;
use shared::Error;
use shared::auth::PublishedKeys;
use shared::clock::{Clock, Timestamp};
use shared::http_client::{Proxies, TrustedRoots};
use shared::lambda::ScheduledTask;
use shared::settings::{SettingsError, SettingsReader};
use shared::table::storage::table_client;
use shared::table::{StoredSigningKeys, Table};

pub use https::{HttpsClient, HttpsUrl};

/// The largest document that is read, in bytes. A provider's key set has some 2 to 20 KiB.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;
/// How long the fetch of one document may take: two of them fit into the time that a run has.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the identity provider's signing keys are found.
pub enum Provider {
    /// `JWKS_URL`: at this address.
    KeysAt(HttpsUrl),
    /// `TOKEN_ISSUER`: where this issuer's discovery document says.
    Issuer(String),
}

/// Brings the identity provider's signing keys into the table.
pub struct RefreshSigningKeys {
    provider: Provider,
    https: HttpsClient,
    table: Table,
    clock: Clock,
}

impl ScheduledTask for RefreshSigningKeys {
    fn start(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut settings = SettingsReader::new(variable);
        let table_name = settings.required("TABLE_NAME");
        let jwks_url = settings.optional("JWKS_URL");
        let provider = match jwks_url {
            Some(url) => settings.parsed("JWKS_URL", &url).map(Provider::KeysAt),
            None => settings.required("TOKEN_ISSUER").map(Provider::Issuer),
        };
        let client = table_client(&mut settings);
        let roots = TrustedRoots::read(&mut settings, "JWKS_CA_BUNDLE");
        let proxies = Proxies::read(&mut settings);
        let read = table_name.zip(provider).zip(client).zip(roots.zip(proxies));
        let (((table_name, provider), client), (roots, proxies)) = settings.finish(read)?;
        let https = HttpsClient::new(roots, proxies, FETCH_TIMEOUT);
        Ok(Self::new(provider, https, Table::new(client, &table_name), Clock::system()))
    }

    async fn run(&self) -> Result<(), Error> {
        // An item that cannot be read, a broken one say, is no reason not to write a good one.
        let stored = self.table.signing_keys().await.unwrap_or_else(|error| {
            tracing::warn!(cause = error.log(), "the stored signing keys could not be read");
            None
        });
        let refreshed = self.refresh(stored.as_ref()).await;
        // Of keys that could not be fetched, the age goes on growing: that is what the alarm sees.
        let fetched_at = refreshed.as_ref().ok().copied().or(stored.map(|stored| stored.fetched_at));
        tracing::info!(
            signing_keys_age_seconds =
                fetched_at.map(|fetched_at| self.clock.now().since(fetched_at).as_secs()),
            refresh_failures = u64::from(refreshed.is_err()),
            cause = refreshed.as_ref().err().and_then(Error::log),
            "refreshed the signing keys"
        );
        refreshed.map(drop)
    }
}

impl RefreshSigningKeys {
    /// Puts the parts together.
    #[must_use]
    pub fn new(provider: Provider, https: HttpsClient, table: Table, clock: Clock) -> Self {
        Self { provider, https, table, clock }
    }

    /// Fetches the keys and stores them. Whatever goes wrong on the way, the stored ones stay.
    async fn refresh(&self, stored: Option<&StoredSigningKeys>) -> Result<Timestamp, Error> {
        let url = match &self.provider {
            Provider::KeysAt(url) => url.clone(),
            Provider::Issuer(issuer) => self.discover(issuer).await?,
        };
        let fetched_at = self.clock.now();
        let published = PublishedKeys::parse(&self.fetch(&url).await?)
            .map_err(|why| Error::unavailable(format!("the provider's key set {why}")))?;
        let changed = stored.is_none_or(|stored| stored.jwks != published.jwks());
        let (kept, left_out) = (published.kept(), published.left_out());
        tracing::info!(changed, kept, left_out, "fetched the signing keys");
        let keys = StoredSigningKeys { jwks: published.into_jwks(), fetched_at };
        if !self.table.put_newer_signing_keys(&keys).await? {
            tracing::info!("another run has stored newer signing keys meanwhile: they stay");
        }
        Ok(fetched_at)
    }

    /// Where the provider says its keys are (OpenID Connect Discovery 1.0, section 4).
    async fn discover(&self, issuer: &str) -> Result<HttpsUrl, Error> {
        #[derive(Deserialize)]
        struct ProviderMetadata {
            issuer: String,
            jwks_uri: String,
        }

        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let url = url.parse().map_err(|why| Error::defect(format!("TOKEN_ISSUER {why}")))?;
        let metadata: ProviderMetadata = serde_json::from_str(&self.fetch(&url).await?)
            .map_err(|_| Error::unavailable("the provider's discovery document is not one"))?;
        // Section 4.3: otherwise one provider could speak for another.
        if metadata.issuer != issuer {
            return Err(Error::unavailable("the provider's discovery document is another issuer's"));
        }
        metadata.jwks_uri.parse().map_err(|why| Error::unavailable(format!("the provider's jwks_uri {why}")))
    }

    async fn fetch(&self, url: &HttpsUrl) -> Result<String, Error> {
        self.https
            .get(url, MAX_DOCUMENT_BYTES)
            .await
            .map_err(|why| Error::unavailable(format!("{} {why}", url.host())))
    }
}
