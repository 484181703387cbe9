//! The client of an API: sends a call, with its retries and time-outs.
//!
//! It takes from the SDK how calls to DynamoDB are written and answers read, the endpoint rules and the signatures, and sends
//! requests with our own [`HttpClient`]. The SDK's own client makes the same calls, but for each it takes about as much
//! time as everything else in a request together (docs/performance.md).

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::config::endpoint::ParamsBuilder;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::config::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_dynamodb::error::{BoxError, BuildError, ConnectorError, ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use http::header::{DATE, HOST};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Full;

use super::errors::pause_before;
use super::operation::{CallError, OperationInput, SerializedCall};
use super::service::{Endpoint, Service};
use super::signing::Signer;
use crate::http_client::{HttpClient, HttpClientError};

/// How long one attempt of a call may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);
/// How many attempts a call has, the first one included.
const MAX_ATTEMPTS: u32 = 3;
/// What a process may spend on retries. Successful calls pay it back. Once it is spent, requests no longer retry against
/// a table that is down.
const RETRY_BUDGET: u32 = 100;
/// What a retry takes from the budget. A call that succeeds with it pays it back.
const RETRY_COST: u32 = 5;
/// The same for a retry after a time-out.
const TIMEOUT_RETRY_COST: u32 = 10;
/// What a call that succeeds at once pays back.
const SUCCESS_REWARD: u32 = 1;
/// More than any answer of DynamoDB has: 16 MB of items, as JSON ("Service, account, and table quotas").
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// How long before they expire credentials are replaced.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);
/// An answer that refuses a signature is due to the clock if that is this far off. DynamoDB accepts five minutes.
const MIN_CLOCK_SKEW_MILLIS: u64 = 4 * 60 * 1000;

/// The error codes that another attempt may change, beside the statuses 500, 502, 503 and 504 (AWS SDKs and Tools
/// Reference Guide, "Retry behavior"; DynamoDB Developer Guide, "Error handling with DynamoDB").
const RETRYABLE: &[&str] = &[
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "Throttling",
    "ThrottlingException",
    "TransactionInProgressException",
];
/// The error codes of a request that was signed with a wrong time, among other causes.
const SIGNATURE_REFUSED: &[&str] = &[
    "AccessDeniedException",
    "AuthFailure",
    "InvalidSignatureException",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// How to reach an API.
pub struct ClientSettings {
    /// Whose API it is.
    pub service: Service,
    /// What the SDK's endpoint rules go by, except for the account, which the credentials name.
    pub endpoint: ParamsBuilder,
    /// The region, for the signature. Without it every call fails, unless the endpoint rules name one.
    pub region: Option<String>,
    /// Who calls.
    pub credentials: SharedCredentialsProvider,
    /// Sends requests.
    pub http_client: HttpClient,
}

/// Sees the calls of a client.
pub trait CallObserver: Send + Sync {
    /// An attempt is about to be sent: the operation, such as `GetItem`, and its body, JSON as the DynamoDB API defines
    /// it. Runs in the task that makes the call.
    fn sending(&self, operation: &str, body: &[u8]);

    /// An answer came, with any status.
    fn answered(&self, headers: &HeaderMap) {
        let _ = headers;
    }
}

/// A client of an API. A clone shares connections, credentials and retry budget.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    attempt_timeout: Duration,
    observer: Option<Arc<dyn CallObserver>>,
}

struct Shared {
    settings: ClientSettings,
    server: RwLock<Option<Arc<Server>>>,
    /// Held while the credentials are read, so that many calls cause one read.
    reading: tokio::sync::Mutex<()>,
    retry_budget: AtomicU32,
    /// How far the server's clock is ahead of this one, if that is known to matter.
    clock_skew_millis: AtomicI64,
}

/// Where calls go and who signs them. Both depend on the credentials.
struct Server {
    uri: Uri,
    host: HeaderValue,
    signer: Signer,
}

impl Server {
    fn new(
        settings: &ClientSettings,
        credentials: aws_sdk_dynamodb::config::Credentials,
    ) -> Result<Self, BoxError> {
        let account = credentials.account_id().map(|id| id.as_str().to_owned());
        let parameters = settings.endpoint.clone().set_account_id(account).build()?;
        let Endpoint { url, signing_region } = settings.service.endpoint(&parameters)?;
        let uri: Uri = format!("{}/", url.trim_end_matches('/')).parse()?;
        let host = uri.authority().ok_or("the endpoint has no host")?.as_str().try_into()?;
        let region = signing_region.or_else(|| settings.region.clone()).ok_or("no region is set")?;
        let signer = Signer::new(credentials, region, settings.service.signing_name());
        Ok(Self { uri, host, signer })
    }

    fn expires_before(&self, time: SystemTime) -> bool {
        self.signer.credentials().expiry().is_some_and(|expiry| expiry <= time)
    }
}

impl Client {
    /// A client that gives each attempt 1.5 s.
    #[must_use]
    pub fn new(settings: ClientSettings) -> Self {
        let shared = Shared {
            settings,
            server: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            retry_budget: AtomicU32::new(RETRY_BUDGET),
            clock_skew_millis: AtomicI64::new(0),
        };
        Self { shared: Arc::new(shared), attempt_timeout: ATTEMPT_TIMEOUT, observer: None }
    }

    /// A client of another service, as the same user over the same HTTP client: of the region's endpoint or, if it is
    /// given, of this one.
    #[must_use]
    pub fn for_service(&self, service: Service, endpoint_url: Option<String>) -> Self {
        let ClientSettings { endpoint, region, credentials, http_client, .. } = &self.shared.settings;
        let other = Self::new(ClientSettings {
            service,
            endpoint: endpoint.clone().set_endpoint(endpoint_url),
            region: region.clone(),
            credentials: credentials.clone(),
            http_client: http_client.clone(),
        });
        Self { observer: self.observer.clone(), ..other }
    }

    /// The same client with another time-out per attempt.
    #[allow(dead_code, reason = "operators' calls have more time")]
    #[must_use]
    pub fn with_attempt_timeout(mut self, attempt_timeout: Duration) -> Self {
        self.attempt_timeout = attempt_timeout;
        self
    }

    /// The same client with another observer.
    #[allow(dead_code, reason = "the local system and the tests see the calls")]
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn CallObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Makes a call: at most three attempts, with pauses between them.
    pub async fn call<Call: OperationInput>(
        &self,
        input: Result<Call, BuildError>,
    ) -> Result<Call::Output, CallError<Call>> {
        let input = input.map_err(SdkError::construction_failure)?;
        let call = input.serialize().map_err(SdkError::construction_failure)?;
        let (mut attempt, mut cost) = (1, 0);
        loop {
            let error = match self.attempt::<Call>(&call).await {
                Ok(output) => {
                    self.refund(if attempt == 1 { SUCCESS_REWARD } else { cost });
                    return Ok(output);
                }
                Err(error) => error,
            };
            cost = match error {
                SdkError::TimeoutError(_) => TIMEOUT_RETRY_COST,
                _ => RETRY_COST,
            };
            if !self.is_worth_another_attempt::<Call>(&error) || attempt == MAX_ATTEMPTS || !self.spend(cost)
            {
                return Err(error);
            }
            // A random part of 50 ms, then of 100 ms.
            tokio::time::sleep(pause_before(attempt + 1)).await;
            attempt += 1;
        }
    }

    async fn attempt<Call: OperationInput>(
        &self,
        call: &SerializedCall,
    ) -> Result<Call::Output, CallError<Call>> {
        let answer = tokio::time::timeout(self.attempt_timeout, self.send(Call::OPERATION, call)).await;
        Call::deserialize(answer.map_err(SdkError::timeout_error)?.map_err(SdkError::dispatch_failure)?)
    }

    async fn send(&self, operation: &str, call: &SerializedCall) -> Result<HttpResponse, ConnectorError> {
        let other = |error: BoxError| ConnectorError::other(error, None);
        let server = self.server().await.map_err(other)?;
        let request = self.signed(&server, call).map_err(other)?;
        if let Some(observer) = &self.observer {
            observer.sending(operation, &call.body);
        }
        let http_client = &self.shared.settings.http_client;
        let answer = http_client.send(request, MAX_ANSWER_BYTES).await.map_err(connector_error)?;
        if let Some(observer) = &self.observer {
            observer.answered(answer.headers());
        }
        HttpResponse::try_from(answer.map(Into::into)).map_err(|error| other(error.into()))
    }

    fn signed(
        &self,
        server: &Server,
        call: &SerializedCall,
    ) -> Result<Request<Full<bytes::Bytes>>, BoxError> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = server.uri.clone();
        *request.headers_mut() = call.headers.clone();
        request.headers_mut().insert(HOST, server.host.clone());
        server.signer.sign(&mut request, &call.body, self.server_time())?;
        Ok(request)
    }

    /// Where calls go and who signs them, with credentials that are still good for a while.
    async fn server(&self) -> Result<Arc<Server>, BoxError> {
        let known = || {
            let known = self.shared.server.read().unwrap_or_else(PoisonError::into_inner).clone();
            known.filter(|server| !server.expires_before(SystemTime::now() + EXPIRY_MARGIN))
        };
        if let Some(server) = known() {
            return Ok(server);
        }
        let _turn = self.shared.reading.lock().await;
        if let Some(server) = known() {
            return Ok(server);
        }
        let settings = &self.shared.settings;
        let server = Arc::new(Server::new(settings, settings.credentials.provide_credentials().await?)?);
        *self.shared.server.write().unwrap_or_else(PoisonError::into_inner) = Some(server.clone());
        Ok(server)
    }

    fn is_worth_another_attempt<Call: OperationInput>(&self, error: &CallError<Call>) -> bool {
        let is_transient = |answer: &HttpResponse| matches!(answer.status().as_u16(), 500 | 502 | 503 | 504);
        match error {
            SdkError::TimeoutError(_) => true,
            SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
            SdkError::ServiceError(error) => {
                let code = error.err().code().unwrap_or_default();
                is_transient(error.raw())
                    || RETRYABLE.contains(&code)
                    || (SIGNATURE_REFUSED.contains(&code) && self.correct_clock(error.raw()))
            }
            _ => false,
        }
    }

    /// The time of the server's clock, as far as it is known to differ from this one.
    fn server_time(&self) -> SystemTime {
        let skew = self.shared.clock_skew_millis.load(Ordering::Relaxed);
        let (now, by) = (SystemTime::now(), Duration::from_millis(skew.unsigned_abs()));
        let time = if skew < 0 { now.checked_sub(by) } else { now.checked_add(by) };
        time.unwrap_or(now)
    }

    /// Goes by the clock of the server from now on if the time of the request was wrong by it. Returns whether it was.
    fn correct_clock(&self, answer: &HttpResponse) -> bool {
        let date = answer.headers().get(DATE.as_str());
        let date =
            date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok()?.to_millis().ok());
        let now = DateTime::from(SystemTime::now()).to_millis().ok();
        let Some((date, now)) = date.zip(now) else { return false };
        let skew = date.saturating_sub(now);
        let known = self.shared.clock_skew_millis.swap(skew, Ordering::Relaxed);
        skew.abs_diff(known) > MIN_CLOCK_SKEW_MILLIS
    }

    fn spend(&self, cost: u32) -> bool {
        let budget = &self.shared.retry_budget;
        budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost)).is_ok()
    }

    fn refund(&self, amount: u32) {
        let refunded = |left: u32| (left < RETRY_BUDGET).then_some((left + amount).min(RETRY_BUDGET));
        let _ = self.shared.retry_budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refunded);
    }
}

/// The SDK's kinds of errors of connections.
#[must_use]
pub fn connector_error(error: HttpClientError) -> ConnectorError {
    match error {
        HttpClientError::ConnectTimeout => ConnectorError::timeout(error.into()),
        HttpClientError::Connection(_) | HttpClientError::Interrupted(_) => ConnectorError::io(error.into()),
        HttpClientError::TooLarge | HttpClientError::NoServer => ConnectorError::other(error.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use aws_credential_types::credential_fn::provide_credentials_fn;
    use aws_sdk_dynamodb::config::endpoint::Params;
    use aws_sdk_dynamodb::config::{Credentials, ProvideCredentials};
    use aws_sdk_dynamodb::error::SdkError;
    use aws_sdk_dynamodb::operation::get_item::GetItemInput;
    use futures_util::future::join_all;

    use super::*;
    use crate::aws::from_sdk_error;
    use crate::http_client::{Proxies, TrustedRoots};
    use crate::table::storage::http_client;

    fn client(endpoint: ParamsBuilder, credentials: impl ProvideCredentials + 'static) -> Client {
        Client::new(ClientSettings {
            service: Service::DynamoDb,
            endpoint,
            region: Some("eu-west-1".to_owned()),
            credentials: SharedCredentialsProvider::new(credentials),
            http_client: http_client(TrustedRoots::mozilla(), Proxies::none()),
        })
    }

    fn credentials() -> Credentials {
        Credentials::new("id", "secret", None, None, "test")
    }

    #[tokio::test]
    async fn the_endpoint_is_the_one_that_the_sdks_rules_give() {
        let in_region = || Params::builder().region("eu-west-1");
        let of_account =
            Credentials::builder().access_key_id("id").secret_access_key("secret").account_id("123");
        let of_account = of_account.provider_name("test").build();
        for (endpoint, credentials, due) in [
            (in_region(), credentials(), "https://dynamodb.eu-west-1.amazonaws.com/"),
            (in_region().use_fips(true), credentials(), "https://dynamodb-fips.eu-west-1.amazonaws.com/"),
            (in_region().use_dual_stack(true), credentials(), "https://dynamodb.eu-west-1.api.aws/"),
            (in_region().endpoint("http://localhost:8000"), credentials(), "http://localhost:8000/"),
            (in_region().endpoint("http://localhost/a/"), credentials(), "http://localhost/a/"),
            (
                Params::builder().region("cn-north-1"),
                credentials(),
                "https://dynamodb.cn-north-1.amazonaws.com.cn/",
            ),
            (
                in_region().account_id_endpoint_mode("preferred"),
                of_account,
                "https://123.ddb.eu-west-1.amazonaws.com/",
            ),
        ] {
            let server = client(endpoint, credentials).server().await.unwrap();
            assert_eq!(server.uri, due);
            assert_eq!(server.host, server.uri.authority().unwrap().as_str());
        }
        let both = in_region().use_fips(true).endpoint("http://localhost:8000");
        let error = client(both, credentials()).server().await.err().unwrap();
        assert!(error.to_string().contains("FIPS and custom endpoint"), "{error}");
    }

    #[tokio::test]
    async fn secrets_manager_answers_beside_dynamodb() {
        let in_region = |region: &str| Params::builder().region(region);
        let own = Some("http://localhost:8001".to_owned());
        for (endpoint, own, due) in [
            (in_region("eu-west-1"), None, "https://secretsmanager.eu-west-1.amazonaws.com/"),
            // The table's own endpoint is not that of another service.
            (
                in_region("eu-west-1").endpoint("http://localhost:8000"),
                None,
                "https://secretsmanager.eu-west-1.amazonaws.com/",
            ),
            (in_region("eu-west-1"), own, "http://localhost:8001/"),
            (
                in_region("eu-west-1").use_fips(true),
                None,
                "https://secretsmanager-fips.eu-west-1.amazonaws.com/",
            ),
            (
                in_region("us-gov-west-1").use_fips(true),
                None,
                "https://secretsmanager-fips.us-gov-west-1.amazonaws.com/",
            ),
            (in_region("eu-west-1").use_dual_stack(true), None, "https://secretsmanager.eu-west-1.api.aws/"),
            (in_region("cn-north-1"), None, "https://secretsmanager.cn-north-1.amazonaws.com.cn/"),
        ] {
            let client = client(endpoint, credentials()).for_service(Service::SecretsManager, own);
            assert_eq!(client.server().await.unwrap().uri, due);
        }
    }

    #[tokio::test]
    async fn credentials_are_read_once_until_shortly_before_they_expire() {
        for (lifetime, reads) in [(Duration::from_hours(1), 1), (EXPIRY_MARGIN, 20)] {
            let read = Arc::<AtomicUsize>::default();
            let counter = read.clone();
            let provider = provide_credentials_fn(move || {
                counter.fetch_add(1, Ordering::SeqCst);
                let expiry = SystemTime::now() + lifetime;
                async move { Ok(Credentials::new("id", "secret", None, Some(expiry), "test")) }
            });
            let client = client(Params::builder().region("eu-west-1"), provider);
            for server in join_all((0..20).map(|_| client.server())).await {
                server.unwrap();
            }
            assert_eq!(read.load(Ordering::SeqCst), reads, "{lifetime:?}");
        }
    }

    #[tokio::test]
    async fn a_call_without_a_region_is_an_error_that_says_so() {
        let mut client = client(Params::builder(), credentials());
        Arc::get_mut(&mut client.shared).unwrap().settings.region = None;
        let error = client.call(GetItemInput::builder().build()).await.unwrap_err();
        assert!(matches!(error, SdkError::DispatchFailure(_)));
        let error = from_sdk_error("GetItem", &error);
        assert_eq!(error.log(), Some("GetItem did not get through: Invalid Configuration: Missing Region"));
    }

    #[tokio::test]
    async fn a_retry_after_a_time_out_costs_more() {
        // It accepts connections and answers nothing.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = client(Params::builder().endpoint(url), credentials());
        let client = client.with_attempt_timeout(Duration::from_millis(1));
        let error = client.call(GetItemInput::builder().build()).await.unwrap_err();
        assert!(matches!(error, SdkError::TimeoutError(_)));
        assert!(client.spend(RETRY_BUDGET - 2 * TIMEOUT_RETRY_COST));
        assert!(!client.spend(1));
    }

    #[test]
    fn retries_are_paid_for_and_successes_pay_back() {
        let client = client(Params::builder(), credentials());
        assert!((0..RETRY_BUDGET / RETRY_COST).all(|_| client.spend(RETRY_COST)));
        assert!(!client.spend(RETRY_COST));
        (0..RETRY_COST).for_each(|_| client.refund(SUCCESS_REWARD));
        assert!(client.spend(RETRY_COST) && !client.spend(RETRY_COST));
        (0..2 * RETRY_BUDGET).for_each(|_| client.refund(SUCCESS_REWARD));
        assert!((0..RETRY_BUDGET / TIMEOUT_RETRY_COST).all(|_| client.spend(TIMEOUT_RETRY_COST)));
        assert!(!client.spend(TIMEOUT_RETRY_COST));
    }
}
