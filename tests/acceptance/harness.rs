//! A local system for one test, and clients of it.

use std::error::Error;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use operator::table::OperatorTable;
use serde_json::{Value, json};
use shared::app::AppSettings;
use shared::clock::{Clock, ManualClock, Timestamp};
use shared::http::LIST_BUDGET;
use shared::model::{CustomerAssociation, Email, Organization, User};
use shared::table::{CreateOutcome, JoinOutcome, NewMembership, Table};
use shared::{App, Endpoint};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, SupportedProtocolVersion};
use users::local::{FunctionObserver, LocalSystem, Options, SigningKey, TokenClaims};

use crate::contract::{Sent, assert_kept};
use crate::engine::engine;
use crate::log::{Watch, assert_clean};
use crate::policies::Policies;

pub use users::local::{ACME, ENDPOINTS, GLOBEX, JANE};

/// The demo user John Doe, a member of Acme Corp alone, without a phone number or an association.
pub const JOHN: &str = "kp_john456doe789";

/// 2026-01-02T03:04:05Z
pub const START: Timestamp = Timestamp::from_millis(1_767_323_045_000);

/// A local system with a table, a signing key and a clock of its own.
pub struct World {
    pub system: LocalSystem,
    pub clock: ManualClock,
    client: Client,
    _log: Watch,
}

impl World {
    /// A world in which it is [`START`].
    pub async fn start() -> Self {
        Self::start_with(START, None).await
    }

    /// A world in which it is now, for a process that has the system's clock.
    pub async fn start_now() -> Self {
        Self::start_with(Clock::system().now(), None).await
    }

    /// A world in which it is now and whose data is kept.
    pub async fn start_in(data_dir: &Path) -> Self {
        Self::start_with(Clock::system().now(), Some(data_dir.to_owned())).await
    }

    /// A world in which it is [`START`] and whose functions' calls to the table are shown.
    pub async fn start_observed(observer: FunctionObserver) -> Self {
        Self::start_as(START, None, observer).await
    }

    async fn start_with(time: Timestamp, data_dir: Option<PathBuf>) -> Self {
        let may = Policies::of_the_template();
        let observer = |function, operation: &str, body: &[u8]| may.assert_allowed(function, operation, body);
        Self::start_as(time, data_dir, Arc::new(observer)).await
    }

    async fn start_as(time: Timestamp, data_dir: Option<PathBuf>, observer: FunctionObserver) -> Self {
        let log = Watch::start();
        let (clock, hand) = Clock::manual(time);
        let options = Options {
            clock,
            dynamodb_url: engine().url.clone(),
            table_name: engine().table_name(data_dir.as_deref()),
            data_dir,
            observer: Some(observer),
            ..Options::default()
        };
        let system = LocalSystem::start(options).await.unwrap();
        let client = Client::of(system.api_address);
        let world = Self { system, clock: hand, client, _log: log };
        if engine().url.is_some() && time == START {
            // It would delete by its own clock what is current by this world's.
            let off = json!({ "Enabled": false, "AttributeName": shared::table::storage::TTL_ATTRIBUTE });
            let input = json!({ "TableName": world.table().name(), "TimeToLiveSpecification": off });
            world.dynamodb("UpdateTimeToLive", &input).await;
        }
        world
    }

    pub fn table(&self) -> &OperatorTable {
        &self.system.table
    }

    /// The same table, with the time-outs of a function.
    pub fn functions_table(&self) -> Table {
        operator::table::local_table(self.table().name(), &self.system.dynamodb_url)
    }

    /// Where the DynamoDB API of its table answers.
    pub fn dynamodb_address(&self) -> SocketAddr {
        self.system.dynamodb_url.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// A bearer of one role in an organization.
    pub fn bearer(&self, role: &str, user: &str, organization: &str) -> String {
        self.token(&TokenClaims {
            user_id: user.into(),
            organization_id: organization.into(),
            roles: vec![role.into()],
            ..TokenClaims::default()
        })
    }

    /// An Admin of an organization.
    pub fn admin(&self, organization: &str) -> String {
        self.bearer("Admin", "kp_admin", organization)
    }

    pub fn token(&self, claims: &TokenClaims) -> String {
        format!("Bearer {}", self.system.token(claims))
    }

    /// A token with a payload of the test's own making, rightly signed.
    pub fn signed(&self, payload: &Value) -> String {
        format!("Bearer {}", self.system.signing_key.sign(payload))
    }

    /// The payload of a good Admin token, to be spoiled.
    pub fn payload(&self) -> Value {
        json!({
            "iss": users::local::ISSUER, "aud": users::local::AUDIENCE, "sub": JANE, "OrganizationId": ACME,
            "role": "Admin", "iat": self.clock.now().seconds(), "exp": self.clock.now().seconds() + 3600,
        })
    }

    /// A token with a good payload and the signature of a stranger's key of the same id.
    pub fn wrongly_signed(&self, role: &str) -> String {
        let good = self.bearer(role, JANE, ACME);
        let (message, _) = good.rsplit_once('.').unwrap();
        let stranger = SigningKey::generate().unwrap().sign(&json!({}));
        format!("{message}.{}", stranger.rsplit_once('.').unwrap().1)
    }

    pub fn get(&self, path_and_query: &str) -> Call {
        self.client.get(path_and_query)
    }

    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> Call {
        self.client.post(path, body)
    }

    pub fn call(&self, method: Method, path_and_query: &str) -> Call {
        self.client.call(method, path_and_query)
    }

    /// `POST /api/users` by an Admin of the organization.
    pub async fn create(&self, organization: &str, body: &Value) -> Answer {
        self.post("/api/users", body.to_string()).bearer(self.admin(organization)).send().await
    }

    pub async fn put_organization(&self, id: &str, name: &str, slug: &str) {
        let organization = Organization {
            id: id.parse().unwrap(),
            name: name.parse().unwrap(),
            slug: slug.parse().unwrap(),
        };
        self.table().put_organization(&organization).await.unwrap();
    }

    /// A user, put straight into the table, a member of the organizations.
    pub async fn put_user(&self, user: User, organizations: &[&str]) {
        let (first, others) = organizations.split_first().unwrap();
        let created = self.table().create_account(&user, None, &joining(first)).await.unwrap();
        assert!(matches!(created, CreateOutcome::Created), "{created:?}");
        for organization in others {
            self.join(user.id.as_str(), organization).await;
        }
    }

    /// A membership, put straight into the table.
    pub async fn join(&self, user: &str, organization: &str) {
        let joined = self.table().join(&user.parse().unwrap(), None, &joining(organization)).await.unwrap();
        assert!(matches!(joined, JoinOutcome::Member(_)), "{joined:?}");
    }

    pub async fn associate(&self, user: &str, organization: &str, number: &str) {
        let association = CustomerAssociation {
            user_id: user.parse().unwrap(),
            customer_number: number.parse().unwrap(),
            organization_id: organization.parse().unwrap(),
        };
        self.table().associate(&association).await.unwrap().unwrap();
    }

    /// Another instance of the functions on this world's table, with its clock.
    pub fn app(&self, settings: &[(&str, &str)]) -> Arc<App> {
        app(self.functions_table(), self.system.clock().clone(), settings)
    }

    /// An operation of the DynamoDB API, past all of the service's own code.
    pub async fn dynamodb(&self, operation: &str, input: &Value) -> Value {
        let (status, body) = self.try_dynamodb("local", operation, input).await;
        assert_eq!(status, 200, "{operation}: {body}");
        body
    }

    /// The same by any access key id, whatever its status is; `null` for a body that is not JSON.
    pub async fn try_dynamodb(&self, key_id: &str, operation: &str, input: &Value) -> (u16, Value) {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/20260102/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let request = hyper::Request::post(&self.system.dynamodb_url)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", "20260102T030405Z")
            .header("authorization", authorization)
            .body(Full::new(Bytes::from(input.to_string())))
            .unwrap();
        let response = self.client.http.request(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Every item of the table, by key, as the DynamoDB API gives it.
    pub async fn items(&self) -> Vec<Value> {
        self.items_of_table(self.table().name()).await
    }

    /// The same of another table of its DynamoDB API.
    pub async fn items_of_table(&self, table: &str) -> Vec<Value> {
        let mut scan = json!({ "TableName": table, "ConsistentRead": true });
        let mut items = Vec::new();
        loop {
            let mut output = self.dynamodb("Scan", &scan).await;
            items.append(output["Items"].as_array_mut().unwrap());
            match output.get("LastEvaluatedKey") {
                Some(key) => scan["ExclusiveStartKey"] = key.clone(),
                None => break,
            }
        }
        items.sort_by_key(|item| [text(item, "PK"), text(item, "SK")]);
        items
    }

    /// The items of a partition.
    pub async fn partition(&self, key: &str) -> Vec<Value> {
        let mut items = self.items().await;
        items.retain(|item| text(item, "PK") == key);
        items
    }

    pub async fn put_item(&self, item: &Value) {
        let input = json!({ "TableName": self.table().name(), "Item": item });
        self.dynamodb("PutItem", &input).await;
    }

    pub async fn delete_item(&self, partition: &str, sort: &str) {
        let key = json!({ "PK": { "S": partition }, "SK": { "S": sort } });
        let input = json!({ "TableName": self.table().name(), "Key": key });
        self.dynamodb("DeleteItem", &input).await;
    }

    /// Copies the item that is about `id` for each of `others`: the fast way to very many items.
    pub async fn multiply(&self, partition: &str, sort: &str, id: &str, others: &[String]) {
        let key = json!({ "PK": { "S": partition }, "SK": { "S": sort } });
        let input = json!({ "TableName": self.table().name(), "Key": key });
        let template = self.dynamodb("GetItem", &input).await["Item"].to_string();
        for batch in others.chunks(25) {
            let put = |other: &String| {
                let mut item: Value = serde_json::from_str(&template.replace(id, other)).unwrap();
                item["Padding"] = json!({ "S": "x".repeat(2000) });
                json!({ "PutRequest": { "Item": item } })
            };
            let puts: Vec<_> = batch.iter().map(put).collect();
            let input = json!({ "RequestItems": { self.table().name(): puts } });
            let output = self.dynamodb("BatchWriteItem", &input).await;
            assert_eq!(output["UnprocessedItems"], json!({}));
        }
    }

    /// Checks that no query gets all items of a partition in one page.
    pub async fn assert_more_than_one_page(&self, partition: &str) {
        let query = json!({
            "TableName": self.table().name(),
            "KeyConditionExpression": "PK = :partition",
            "ExpressionAttributeValues": { ":partition": { "S": partition } },
        });
        let page = self.dynamodb("Query", &query).await;
        assert!(page.get("LastEvaluatedKey").is_some());
    }

    pub async fn organizations_of(&self, user: &str) -> Vec<String> {
        let ids = self.table().organization_ids_of(&user.parse().unwrap(), LIST_BUDGET).await;
        ids.unwrap().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    pub async fn user_id_of(&self, email: &str) -> Option<String> {
        let email: Email = email.parse().unwrap();
        self.table().user_id_of(&email).await.unwrap().map(|id| id.to_string())
    }
}

/// A user without a preferred e-mail address and without a phone number.
pub fn user(id: &str, email: &str) -> User {
    User {
        id: id.parse().unwrap(),
        first_name: "Some".parse().unwrap(),
        last_name: "One".parse().unwrap(),
        email: email.parse().unwrap(),
        preferred_email: None,
        phone_number: None,
    }
}

/// A text attribute of an item in the DynamoDB API's spelling; empty where there is none.
pub fn text(item: &Value, attribute: &str) -> String {
    item[attribute]["S"].as_str().unwrap_or_default().to_owned()
}

/// Functions on a table, as start-up makes them of these settings.
pub fn app(table: Table, clock: Clock, settings: &[(&str, &str)]) -> Arc<App> {
    let usual = [
        ("TABLE_NAME", table.name()),
        ("TOKEN_ISSUER", users::local::ISSUER),
        ("TOKEN_AUDIENCE", users::local::AUDIENCE),
    ];
    let config = AppSettings::read(true, |name| {
        let mut all = settings.iter().chain(&usual);
        all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    });
    Arc::new(App::new(config.unwrap(), table, clock))
}

/// The endpoint of a method and a path, such as `GET /api/users/exists`.
pub fn endpoint(route: &str) -> Endpoint {
    let mut endpoints = users::local::ENDPOINTS.into_iter();
    endpoints
        .find(|endpoint| format!("{} {}", endpoint.method, endpoint.path) == route)
        .unwrap_or_else(|| panic!("there is no {route}"))
}

/// A function's invocation in the making: no HTTP, no API Gateway, any client address.
#[must_use]
pub struct Invocation {
    endpoint: Endpoint,
    event: Value,
    time_left: Duration,
}

/// The request id of every [`Invocation`].
pub const REQUEST_ID: &str = "acceptance-1";

impl Invocation {
    pub fn of(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            event: json!({
                "version": "2.0",
                "rawQueryString": "",
                "headers": {},
                "rawPath": endpoint.path,
                "requestContext": {
                    "requestId": REQUEST_ID,
                    "http": { "method": endpoint.method, "path": endpoint.path, "sourceIp": "203.0.113.7" },
                },
                "isBase64Encoded": false,
            }),
            time_left: Duration::from_secs(10),
        }
    }

    pub fn at_address(mut self, source_ip: &str) -> Self {
        self.event["requestContext"]["http"]["sourceIp"] = source_ip.into();
        self
    }

    pub fn query(mut self, raw: &str) -> Self {
        self.event["rawQueryString"] = raw.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.event["headers"][name] = value.into();
        self
    }

    pub fn bearer(self, authorization: &str) -> Self {
        self.header("authorization", authorization)
    }

    /// A JSON body.
    pub fn body(mut self, body: &str) -> Self {
        self.event["body"] = body.into();
        self.header("content-type", "application/json")
    }

    pub fn base64_body(mut self, body: &str) -> Self {
        self.event["isBase64Encoded"] = true.into();
        self.body(body)
    }

    /// Any part of the event.
    pub fn part(mut self, name: &str, value: Value) -> Self {
        self.event[name] = value;
        self
    }

    pub fn time_left(mut self, time_left: Duration) -> Self {
        self.time_left = time_left;
        self
    }

    pub async fn answer(self, app: &Arc<App>) -> Answer {
        respond(self.endpoint, app, self.event, self.time_left).await
    }
}

/// What a function answers to an event, held against the contract.
pub async fn respond(endpoint: Endpoint, app: &Arc<App>, event: Value, time_left: Duration) -> Answer {
    Answer::of(&respond_in_json(endpoint, app, event, time_left).await)
}

/// The same, as Lambda gets it.
pub async fn respond_in_json(endpoint: Endpoint, app: &Arc<App>, event: Value, time_left: Duration) -> Value {
    let _log = Watch::start();
    let response = users::local::invoke(endpoint, app, &event, time_left).await;
    let body = event["body"].as_str().unwrap_or_default();
    let body = match event["isBase64Encoded"].as_bool() {
        Some(true) => BASE64.decode(body).unwrap_or_default(),
        _ => body.into(),
    };
    let headers = event["headers"].as_object();
    let header = |name: &str| {
        let (_, value) = headers?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        value.as_str()
    };
    let sent = Sent {
        query: event["rawQueryString"].as_str().unwrap_or_default(),
        authorization: header("authorization"),
        content_type: header("content-type"),
        body: &body,
    };
    assert_kept(endpoint.method, endpoint.path, &sent, &Answer::of(&response));
    response
}

fn joining(organization: &str) -> NewMembership {
    NewMembership {
        organization_id: organization.parse().unwrap(),
        added_by: "kp_admin".parse().unwrap(),
        joined_at: START,
    }
}

/// A client of an API.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { address, http: legacy::Client::builder(TokioExecutor::new()).build_http() }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn get(&self, path_and_query: &str) -> Call {
        self.call(Method::GET, path_and_query)
    }

    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> Call {
        let mut call = self.call(Method::POST, path).header("content-type", "application/json");
        call.body = body.into();
        call
    }

    pub fn call(&self, method: Method, path_and_query: &str) -> Call {
        let (client, path) = (self.clone(), path_and_query.into());
        Call { client, method, path, headers: Vec::new(), body: Bytes::new() }
    }
}

/// A request in the making.
#[must_use]
pub struct Call {
    client: Client,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    pub fn method(&self) -> &Method {
        &self.method
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// One more line of a header that may be there already.
    pub fn line(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    pub fn bearer(self, authorization: impl Into<String>) -> Self {
        self.header("authorization", authorization)
    }

    pub async fn send(self) -> Answer {
        self.try_send().await.unwrap()
    }

    /// The answer, or why there is none.
    pub async fn try_send(self) -> Result<Answer, Box<dyn Error + Send + Sync>> {
        let uri = format!("http://{}{}", self.client.address, self.path);
        let mut request = hyper::Request::builder().method(&self.method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = self.client.http.request(request.body(Full::new(self.body.clone()))?).await?;
        let (head, body) = response.into_parts();
        let body = String::from_utf8(body.collect().await?.to_bytes().into())?;
        assert_clean();
        let answer = Answer { status: head.status.as_u16(), headers: head.headers, body };
        let header = |name: &str| {
            let mut lines = self.headers.iter().filter(|(known, _)| known == name);
            lines.next().map(|(_, value)| value.as_str())
        };
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let sent = Sent {
            query,
            authorization: header("authorization"),
            content_type: header("content-type"),
            body: &self.body,
        };
        assert_kept(self.method.as_str(), path, &sent, &answer);
        Ok(answer)
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The answer that API Gateway makes of what a function hands to Lambda.
    pub fn of(response: &Value) -> Self {
        let mut headers = HeaderMap::new();
        for members in ["headers", "multiValueHeaders"] {
            for (name, value) in response[members].as_object().into_iter().flatten() {
                let lines = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                for line in lines {
                    let name: hyper::header::HeaderName = name.parse().unwrap();
                    headers.append(name, line.as_str().unwrap().parse().unwrap());
                }
            }
        }
        let status = response["statusCode"].as_u64().unwrap().try_into().unwrap();
        Self { status, headers, body: response["body"].as_str().unwrap().to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body without what differs from run to run.
    pub fn stable_json(&self) -> Value {
        let mut json = self.json();
        if let Some(trace_id) = json.get_mut("traceId") {
            *trace_id = "…".into();
        }
        json
    }

    /// Checks what the decision table promises of any answer, and of a problem.
    #[track_caller]
    pub fn assert_well_formed(&self) {
        let problem = self.status >= 400;
        let expected = if problem { "application/problem+json" } else { "application/json" };
        assert_eq!(self.header("content-type"), Some(expected), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        let id = self.header("x-request-id").unwrap_or_else(|| panic!("no request id: {self:?}"));
        assert!(!id.is_empty());
        for name in self.headers.keys() {
            assert_eq!(self.headers.get_all(name).iter().count(), 1, "{name} {self:?}");
        }
        let json = self.json();
        if problem {
            assert_eq!(json["traceId"], id);
            assert_eq!(json["status"], self.status);
            assert!(
                json["type"].as_str().unwrap().starts_with("https://tools.ietf.org/html/rfc"),
                "{self:?}"
            );
            assert!(!json["title"].as_str().unwrap().is_empty());
        }
    }

    /// Checks an error answer in all its parts.
    #[track_caller]
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        self.assert_well_formed();
        match status {
            401 | 403 => assert!(self.header("www-authenticate").is_some(), "{self:?}"),
            429 | 503 => assert!(self.header("retry-after").is_some(), "{self:?}"),
            _ => {}
        }
    }

    /// Checks a 400 that names exactly these fields.
    #[track_caller]
    pub fn assert_invalid(&self, fields: &[&str]) {
        self.assert_problem(400);
        let json = self.json();
        let mut named: Vec<_> = json["errors"].as_object().unwrap().keys().map(String::as_str).collect();
        named.sort_unstable();
        let mut fields = fields.to_vec();
        fields.sort_unstable();
        assert_eq!(named, fields, "{self:?}");
    }

    /// Checks a success.
    #[track_caller]
    pub fn assert_ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.assert_well_formed();
        self.json()
    }
}

/// What a TLS server needs to be `localhost`, and the root certificate that vouches for it, in PEM.
pub fn tls_server(versions: &[&'static SupportedProtocolVersion]) -> (String, Arc<ServerConfig>) {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    let provider = tokio_rustls::rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(provider.into())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (root, Arc::new(config))
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..1200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("this never came: {what}");
}

/// Whether what is recorded is to be written anew, as `insta` does with snapshots: by `cargo accept`.
pub fn updates() -> bool {
    std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always")
}

/// The folder of the workspace's binaries, built with what this test run has compiled already.
pub fn built_binaries() -> &'static Path {
    static BINARIES: OnceLock<PathBuf> = OnceLock::new();
    BINARIES.get_or_init(|| {
        let mut build = std::process::Command::new(env!("CARGO"));
        build
            .args(["build", "--workspace", "--bins", "--locked", "--offline", "--quiet"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        // What cargo tells a test about its package: ring's build script watches these, and whatever
        // stands on ring would be built again, now and at the next `cargo test`.
        let told = |name: &OsString| {
            let name = name.to_string_lossy();
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        };
        for name in std::env::vars_os().map(|(name, _)| name).filter(told) {
            build.env_remove(name);
        }
        let built = build.status().unwrap();
        assert!(built.success());
        // This test lies in target/<profile>/deps.
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().parent().unwrap().to_owned()
    })
}
