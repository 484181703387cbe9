//! A local system of one test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Method;
use operator::table::{CallObserver, OperatorTable};
use serde_json::{Value, json};
use shared::App;
use shared::app::AppSettings;
use shared::clock::{Clock, ManualClock, Timestamp};
use shared::http::LIST_BUDGET;
use shared::model::{CustomerAssociation, Email, Organization, User};
use shared::table::{CreateOutcome, JoinOutcome, NewMembership, Table};
use users::local::{ACME, FunctionObserver, JANE, LocalSystem, Options, SigningKey, TokenClaims};

use super::Answer;
use super::client::{Call, Client};
use super::engine::engine;
use crate::security::log::Watch;
use crate::security::policies::Policies;

/// The demo user John Doe, a member of Acme Corp alone, without a phone number or an association.
pub const JOHN: &str = "kp_john456doe789";

/// 2026-01-02T03:04:05Z
pub const START: Timestamp = Timestamp::from_millis(1_767_323_045_000);

/// A local system with a table, a signing key and a clock of its own.
pub struct World {
    pub system: LocalSystem,
    pub clock: ManualClock,
    client: Client,
    #[cfg(feature = "older")]
    pub(super) older: Arc<super::older::Older>,
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
            observer: Some(observer.clone()),
            ..Options::default()
        };
        let system = LocalSystem::start(options).await.unwrap();
        let client = Client::of(system.api_address);
        #[cfg(feature = "older")]
        let older = super::older::Older::start(&system, observer, hand.clone()).await;
        let world = Self {
            client,
            clock: hand,
            #[cfg(feature = "older")]
            older,
            _log: log,
            system,
        };
        #[cfg(feature = "older")]
        world.put_signing_keys().await;
        if engine().url.is_some() && time == START {
            // It would delete by its own clock what is current by this world's.
            let off = json!({ "Enabled": false, "AttributeName": shared::table::storage::TTL_ATTRIBUTE });
            let input = json!({ "TableName": world.table().name(), "TimeToLiveSpecification": off });
            world.dynamodb("UpdateTimeToLive", &input).await;
        }
        world
    }

    /// Puts the keys that verify its tokens where the older system put its own.
    #[cfg(feature = "older")]
    async fn put_signing_keys(&self) {
        let (jwks, fetched_at) = (self.system.signing_key.jwks(), self.clock.now());
        let keys = shared::table::StoredSigningKeys { jwks, fetched_at };
        self.table().put_signing_keys(&keys).await.unwrap();
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
        self.app_at(&self.system.dynamodb_url, settings)
    }

    /// The same, on the way to its table through this URL.
    pub fn app_at(&self, url: &str, settings: &[(&str, &str)]) -> Arc<App> {
        let table = operator::table::local_table(self.table().name(), url);
        let app = app(table, self.system.clock().clone(), settings);
        #[cfg(feature = "older")]
        self.older.pair(&app, url, settings, None);
        app
    }

    /// The same, and its calls to the table are shown.
    pub fn app_observed(&self, observer: &CallObserver, settings: &[(&str, &str)]) -> Arc<App> {
        let table = operator::table::observed(&self.functions_table(), observer.clone());
        let app = app(table, self.system.clock().clone(), settings);
        #[cfg(feature = "older")]
        self.older.pair(&app, &self.system.dynamodb_url, settings, Some(observer.clone()));
        app
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
        let ids = self.table().organization_ids_of(&user.parse().unwrap(), None, LIST_BUDGET).await;
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

/// Prepares an instance for its first request.
pub async fn warm_up(app: &Arc<App>) {
    app.warm_up().await;
    #[cfg(feature = "older")]
    super::older::warm_up(app).await;
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

fn joining(organization: &str) -> NewMembership {
    NewMembership {
        organization_id: organization.parse().unwrap(),
        added_by: "kp_admin".parse().unwrap(),
        joined_at: START,
    }
}
