//! Secrets and personal data: planted once, looked for wherever they do not belong, after every
//! endpoint has answered in every way that it can. The log is searched by `log.rs` in all tests.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use shared::model::{
    ClientAddress, CustomerAssociation, CustomerNumber, Email, Password, PasswordHasher, PersonName,
    PhoneNumber, User,
};
use shared::table::{JoinOutcome, StoredSigningKeys};
use shared::{App, Endpoint};
use users::local::{ENDPOINTS, SigningKey, TokenClaims};

use crate::endpoints::requests::{endpoint_of, exception, scripted_table};
use crate::endpoints::rows;
use crate::harness::{ACME, Answer, GLOBEX, Invocation, START, World, app, endpoint, respond, text};
use crate::security::log;
use crate::security::read_sources;

const ID: &str = "kp_planted";
const FIRST_NAME: &str = "Canary-First";
const LAST_NAME: &str = "Canary-Last";
const EMAIL: &str = "Canary.Login@secrets.example";
const PREFERRED_EMAIL: &str = "canary.preferred@secrets.example";
const PHONE_NUMBER: &str = "707-555-0177";
const PASSWORD: &str = "canary password of 32 characters";
const CUSTOMER_NUMBER: &str = "CANARY-10042";
/// Of the client; TEST-NET-2 (RFC 5737).
const ADDRESS: &str = "198.51.100.77";

/// All of them but the tokens, which are found by their `eyJ`.
const PLANTED: [&str; 8] =
    [FIRST_NAME, LAST_NAME, EMAIL, PREFERRED_EMAIL, PHONE_NUMBER, PASSWORD, CUSTOMER_NUMBER, ADDRESS];

/// What of the planted a text holds; a token as `eyJ`, a password's hash as `argon2`.
fn planted_in(text: &str) -> BTreeSet<&'static str> {
    let text = text.to_lowercase();
    let known = PLANTED.iter().chain(["eyJ", "argon2"].iter());
    known.filter(|planted| text.contains(&planted.to_lowercase())).copied().collect()
}

/// What is planted as a datum of a user.
fn planted_as(datum: &str) -> &'static str {
    match datum {
        "FirstName" => FIRST_NAME,
        "LastName" => LAST_NAME,
        "Email" => EMAIL,
        "PreferredEmail" => PREFERRED_EMAIL,
        "PhoneNumber" => PHONE_NUMBER,
        "CustomerNumber" => CUSTOMER_NUMBER,
        other => panic!("nothing is planted as {other}"),
    }
}

fn new_user() -> Value {
    json!({
        "FirstName": FIRST_NAME, "LastName": LAST_NAME, "Email": EMAIL, "Password": PASSWORD,
        "PhoneNumber": PHONE_NUMBER,
    })
}

fn planted_user() -> User {
    User {
        id: ID.parse().unwrap(),
        first_name: FIRST_NAME.parse().unwrap(),
        last_name: LAST_NAME.parse().unwrap(),
        email: EMAIL.parse().unwrap(),
        preferred_email: Some(PREFERRED_EMAIL.parse().unwrap()),
        phone_number: Some(PHONE_NUMBER.parse().unwrap()),
    }
}

/// An endpoint's function asked from [`ADDRESS`].
struct Asked<'a> {
    app: &'a Arc<App>,
    /// A bearer of all roles.
    bearer: String,
}

/// A right request of an endpoint with planted input.
fn right(endpoint: Endpoint) -> Invocation {
    let query = match endpoint.path {
        "/api/users/exists" => format!("Email={EMAIL}"),
        "/api/users" => String::new(),
        _ => format!("UserId={ID}&Email={EMAIL}"),
    };
    Invocation::of(endpoint).query(&query).body(&new_user().to_string())
}

impl Asked<'_> {
    /// Sends a request of a new id, and holds the answer and the log's lines against what they may
    /// hold. Returns the answer.
    async fn due(&self, status: u16, planted: &[&'static str], invocation: Invocation) -> Answer {
        let id = request_id();
        let context = json!({ "requestId": id, "http": { "sourceIp": ADDRESS } });
        let answer = invocation.part("requestContext", context).answer(self.app).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let expected = planted.iter().copied().collect();
        assert_eq!(
            planted_in(&format!("{:?} {}", answer.headers, answer.body)),
            expected,
            "{status}: {answer:?}"
        );
        let lines = log::lines_of(&id);
        let answered = lines.iter().filter(|line| line.contains("\"answered\"")).count();
        assert_eq!(answered, 1, "the line of an answer: {lines:?}");
        for line in &lines {
            assert_eq!(planted_in(line), BTreeSet::new(), "{line}");
        }
        answer
    }

    async fn ask(&self, status: u16, planted: &[&'static str], invocation: Invocation) -> Answer {
        self.due(status, planted, invocation.bearer(&self.bearer)).await
    }
}

fn request_id() -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("secrets-{}-", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn claims() -> TokenClaims {
    TokenClaims {
        user_id: ID.into(),
        organization_id: ACME.into(),
        roles: vec!["Admin".into(), "Customer".into()],
        email: Some(EMAIL.into()),
        ..TokenClaims::default()
    }
}

/// The planted user in the table, a member of Acme with a customer number there.
async fn planted_world() -> World {
    let world = World::start().await;
    world.put_user(planted_user(), &[ACME]).await;
    world.associate(ID, ACME, CUSTOMER_NUMBER).await;
    world
}

/// The fields of the planted user that `POST /api/users` answers.
const FIELDS: [&str; 4] = [FIRST_NAME, LAST_NAME, EMAIL, PHONE_NUMBER];

#[tokio::test]
async fn answers_and_logs_hold_only_what_the_document_gives() {
    let world = planted_world().await;
    let app = world.app(&[]);
    let asked = Asked { app: &app, bearer: world.token(&claims()) };
    for row in rows() {
        let (endpoint, name) = (row.endpoint(), row.endpoint().name);
        let planted: Vec<_> = row.shows.iter().map(|datum| planted_as(datum)).collect();
        asked.ask(row.status, &planted, right(endpoint)).await;
        // Whoever is not let in, and whoever belongs elsewhere.
        if endpoint.takes_token() {
            let signed = |change: &dyn Fn(&mut Value)| {
                let mut payload = world.payload();
                payload["email"] = EMAIL.into();
                payload["role"] = json!(["Admin", "Customer"]);
                change(&mut payload);
                world.signed(&payload)
            };
            for wrong in [
                format!("Bearer {EMAIL}"),
                format!("Basic {PASSWORD}"),
                format!("{}x", asked.bearer),
                world.token(&TokenClaims { expires_in: Some(-61), ..claims() }),
                signed(&|payload| payload["iss"] = format!("https://{EMAIL}").into()),
                signed(&|payload| payload["aud"] = PASSWORD.into()),
                signed(&|payload| payload["exp"] = EMAIL.into()),
                signed(&|payload| payload["nbf"] = PHONE_NUMBER.into()),
                // Ids that are none.
                signed(&|payload| {
                    payload["OrganizationId"] = json!({ "of": EMAIL });
                    payload["sub"] = json!([EMAIL, PHONE_NUMBER]);
                }),
                signed(&|payload| {
                    payload["OrganizationId"] = format!("{FIRST_NAME} {LAST_NAME}").into();
                    payload["sub"] = format!("{EMAIL} {PHONE_NUMBER}").into();
                }),
            ] {
                asked.due(401, &[], right(endpoint).bearer(&wrong)).await;
            }
            asked.due(401, &[], right(endpoint)).await;
            let role = signed(&|payload| payload["role"] = json!([LAST_NAME, EMAIL]));
            asked.due(403, &[], right(endpoint).bearer(&role)).await;
            let elsewhere = world.token(&TokenClaims { organization_id: GLOBEX.into(), ..claims() });
            let status = match name {
                "get-profile" | "get-customer-association" => 404,
                _ => 200,
            };
            if name != "create-user" {
                asked.due(status, &[], right(endpoint).bearer(&elsewhere)).await;
            }
            let nowhere = world.token(&TokenClaims { organization_id: "org_nowhere".into(), ..claims() });
            if name == "create-user" {
                asked.due(400, &[], right(endpoint).bearer(&nowhere)).await;
            }
        }
        if endpoint.takes_token() {
            let twice = format!("Bearer {EMAIL}, Bearer {PASSWORD}");
            asked.due(400, &[], right(endpoint).bearer(&twice)).await;
        } else {
            asked.ask(400, &[], right(endpoint).query(&format!("Email=%zz{EMAIL}{PASSWORD}"))).await;
        }
    }
    for row in rows().iter().filter(|row| row.query.starts_with("UserId=")) {
        let of_query = |query: String| right(row.endpoint()).query(&query);
        asked.ask(400, &[], of_query(format!("UserId={EMAIL}%20{LAST_NAME}"))).await;
        asked.ask(400, &[], of_query(format!("UserId={EMAIL}&UserId={PHONE_NUMBER}"))).await;
    }
    let exists = of_name("check-user-exists");
    asked.ask(400, &[], right(exists).query(&format!("Email={EMAIL}{PASSWORD}"))).await;
    for _ in 0..7 {
        asked.ask(200, &[], right(exists)).await;
    }
    for _ in 0..2 {
        asked.ask(429, &[], right(exists)).await;
    }
}

fn of_name(name: &str) -> Endpoint {
    ENDPOINTS.into_iter().find(|endpoint| endpoint.name == name).unwrap()
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_without_the_body() {
    let world = World::start().await;
    let app = world.app(&[]);
    let asked = Asked { app: &app, bearer: world.token(&claims()) };
    let create = endpoint("POST /api/users");
    let whole = new_user();
    let all = [FIRST_NAME, LAST_NAME, EMAIL, PASSWORD, PHONE_NUMBER].join(" ");
    for field in ["FirstName", "LastName", "Email", "Password", "PhoneNumber"] {
        let long = format!("{all}\u{0}{}", all.repeat(3));
        for wrong in [json!(long), json!([all]), json!({ all.clone(): all }), json!("ca")] {
            if wrong == "ca" && field.ends_with("Name") {
                continue;
            }
            let mut body = whole.clone();
            body[field] = wrong;
            let answer = asked.ask(400, &[], Invocation::of(create).body(&body.to_string())).await;
            answer.assert_invalid(&[field]);
        }
    }
    let text = whole.to_string();
    for body in [
        format!("{text}{all}"),
        text.replace("\"Email\":", "\"Email\":\"a@example.com\",\"Email\":"),
        format!("[{text}]"),
        json!(all).to_string(),
        text.trim_end_matches('}').to_owned(),
        text.replace(FIRST_NAME, "\\ud800"),
    ] {
        asked.ask(400, &[], Invocation::of(create).body(&body)).await.assert_invalid(&["$"]);
    }
    asked.ask(400, &[], Invocation::of(create).base64_body(&text)).await.assert_invalid(&["$"]);
    asked
        .ask(413, &[], Invocation::of(create).body(&text.replace(FIRST_NAME, &FIRST_NAME.repeat(2000))))
        .await;
    let typed = Invocation::of(create).body(&text).header("content-type", &format!("text/{FIRST_NAME}"));
    asked.ask(415, &[], typed).await;
    assert!(world.user_id_of(EMAIL).await.is_none());
}

#[tokio::test]
async fn the_table_holds_a_password_only_as_its_hash() {
    let world = planted_world().await;
    let app = world.app(&[]);
    let asked = Asked { app: &app, bearer: world.token(&claims()) };
    let before = world.items().await;
    asked.ask(200, &FIELDS, right(endpoint("POST /api/users"))).await;
    asked.ask(200, &[], right(endpoint("GET /api/users/exists"))).await;
    world.delete_item(&format!("EMAIL#{}", EMAIL.to_lowercase()), "EMAIL").await;
    asked.ask(201, &FIELDS, right(endpoint("POST /api/users"))).await;
    let mut found = BTreeSet::new();
    for item in world.items().await.iter().filter(|item| !before.contains(item)).chain(&before) {
        let (partition, sort) = (text(item, "PK"), text(item, "SK"));
        let kind = format!("{} {}", partition.split('#').next().unwrap(), sort.split('#').next().unwrap());
        for (attribute, value) in item.as_object().unwrap() {
            for planted in planted_in(&value.to_string()) {
                found.insert(format!("{kind}: {attribute} holds {planted}"));
            }
        }
    }
    let due = [
        "CREDENTIAL CREDENTIAL: PasswordHash holds argon2".to_owned(),
        format!("EMAIL EMAIL: PK holds {EMAIL}"),
        format!("RATE RATE: PK holds {ADDRESS}"),
        format!("USER CUSTOMER: CustomerNumber holds {CUSTOMER_NUMBER}"),
        format!("USER PROFILE: Email holds {EMAIL}"),
        format!("USER PROFILE: FirstName holds {FIRST_NAME}"),
        format!("USER PROFILE: LastName holds {LAST_NAME}"),
        format!("USER PROFILE: PhoneNumber holds {PHONE_NUMBER}"),
        format!("USER PROFILE: PreferredEmail holds {PREFERRED_EMAIL}"),
    ];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), due);
}

/// Functions on a table at an address, with keys of their own; and a token of all roles.
fn app_on(address: std::net::SocketAddr) -> (Arc<App>, String) {
    let key = SigningKey::generate().unwrap();
    let (clock, _) = shared::clock::Clock::manual(START);
    let table = operator::table::local_table("users", &format!("http://{address}"));
    let bearer = format!("Bearer {}", key.token(&claims(), START));
    (app(table, clock, &[("SIGNING_KEYS", &key.jwks())]), bearer)
}

#[tokio::test(start_paused = true)]
async fn what_the_table_says_when_it_fails_is_told_to_nobody() {
    let quoting = format!("{EMAIL} {PASSWORD} {PHONE_NUMBER} {ADDRESS} Bearer eyJ");
    for (status, code, due) in [
        (400, "ValidationException", 500),
        (400, "SerializationException", 500),
        (400, "ThrottlingException", 503),
        (400, "AccessDeniedException", 503),
        (400, "ExpiredTokenException", 503),
        (500, "InternalServerError", 503),
        (200, "", 503),
    ] {
        let mut answer = exception(code);
        for message in ["message", "Message"] {
            answer[message] = quoting.clone().into();
        }
        if status == 200 {
            // No answer that can be read.
            answer = json!([quoting]);
        }
        let (address, _) = scripted_table(move |_, _, _| (status, answer.clone())).await;
        let (app, bearer) = app_on(address);
        let asked = Asked { app: &app, bearer };
        for endpoint in ENDPOINTS {
            asked.ask(due, &[], right(endpoint)).await;
        }
    }
    // A transaction that is refused with the item that stood in the way, a broken one.
    for code in ["ConditionalCheckFailed", "TransactionConflict", "ValidationError", "ThrottlingError"] {
        let (quoting, code) = (quoting.clone(), code.to_owned());
        let due = if ["TransactionConflict", "ThrottlingError"].contains(&code.as_str()) { 503 } else { 500 };
        let (address, _) = scripted_table(move |operation, _, _| {
            if operation == "BatchGetItem" {
                let organization = json!({ "PK": { "S": format!("ORG#{ACME}") }, "SK": { "S": "ORG" } });
                return (200, json!({ "Responses": { "users": [organization] } }));
            }
            let (item, none) = (json!({ "UserId": { "S": quoting } }), json!({ "Code": "None" }));
            let mut body = exception("TransactionCanceledException");
            body["CancellationReasons"] =
                json!([{ "Code": code, "Message": quoting, "Item": item }, none, none, none, none]);
            body["Message"] = quoting.clone().into();
            (400, body)
        })
        .await;
        let (app, bearer) = app_on(address);
        Asked { app: &app, bearer }.ask(due, &[], right(endpoint("POST /api/users"))).await;
    }
}

#[tokio::test]
async fn a_broken_item_is_told_by_its_kind_alone() {
    let item = |partition: String, sort: String, attributes: Value| {
        let mut item = json!({ "PK": { "S": partition }, "SK": { "S": sort } });
        item.as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        item
    };
    let broken = format!("{EMAIL} {PHONE_NUMBER} {PASSWORD}");
    let s = |text: &str| json!({ "S": text });
    let user =
        |email: &str| json!({ "FirstName": s(FIRST_NAME), "LastName": s(LAST_NAME), "Email": s(email) });
    let of_user = format!("USER#{ID}");
    for (item, broken_for) in [
        (
            item(format!("EMAIL#{}", EMAIL.to_lowercase()), "EMAIL".into(), json!({ "UserId": s(&broken) })),
            ["create-user", "check-user-exists"].as_slice(),
        ),
        (item(of_user.clone(), "PROFILE".into(), user(&broken)), &["create-user", "get-profile"]),
        (
            item(of_user.clone(), format!("CUSTOMER#{ACME}"), json!({ "CustomerNumber": s(&broken) })),
            &["get-customer-association", "list-customer-associations"],
        ),
        (item(of_user.clone(), format!("MEMBERSHIP#{ACME}#{EMAIL} x"), json!({})), &["list-organizations"]),
        (
            item(format!("ORG#{ACME}"), "ORG".into(), json!({ "Name": s(&broken), "Slug": s(&broken) })),
            &["list-organizations"],
        ),
        (
            item(format!("RATE#exists#{ADDRESS}"), "RATE".into(), json!({ "T10": s(&broken) })),
            &["check-user-exists"],
        ),
    ] {
        let world = planted_world().await;
        world.put_item(&item).await;
        let app = world.app(&[]);
        let asked = Asked { app: &app, bearer: world.token(&claims()) };
        for name in broken_for {
            asked.ask(500, &[], right(of_name(name))).await;
        }
    }

    let world = planted_world().await;
    let keys = StoredSigningKeys { jwks: format!("{{\"keys\":[\"{broken}"), fetched_at: START };
    world.table().put_signing_keys(&keys).await.unwrap();
    let app = world.app(&[]);
    let asked = Asked { app: &app, bearer: world.token(&claims()) };
    for endpoint in ENDPOINTS.into_iter().filter(Endpoint::takes_token) {
        asked.ask(500, &[], right(endpoint)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_and_a_time_out_are_told_without_what_was_being_read() {
    let world_of = scripted_table(|_, _, _| (200, json!({}))).await.0;
    let (app, bearer) = app_on(world_of);
    let asked = Asked { app: &app, bearer };
    let at_once = endpoint_of(|_, request| panic!("{EMAIL} {PASSWORD} {:?}", request.authorization()));
    let later = endpoint_of(|_, request| {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let wrong: Result<u64, _> = format!("{PASSWORD} {:?}", request.authorization()).parse();
            wrong.map_err(|error| format!("{PASSWORD} {error}")).unwrap();
            unreachable!()
        })
    });
    for panics in [at_once, later] {
        asked.ask(500, &[], right(panics)).await;
    }
    let never = endpoint_of(|_, _| Box::pin(std::future::pending()));
    asked.ask(503, &[], right(never).time_left(Duration::from_secs(1))).await;
}

#[tokio::test]
async fn no_value_that_holds_a_datum_shows_it_for_debugging() {
    let world = planted_world().await;
    let password = Password::try_from(PASSWORD.to_owned()).unwrap();
    let hash = PasswordHasher::new(8, 1, 1).unwrap().hash(&password).unwrap();
    let email: Email = EMAIL.parse().unwrap();
    let association = world
        .table()
        .customer_association(&ID.parse().unwrap(), &ACME.parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    let event = json!({
        "rawQueryString": "", "headers": { "authorization": world.token(&claims()) },
        "requestContext": { "requestId": "secrets-debug", "http": { "sourceIp": ADDRESS } },
    });
    let profile = endpoint("GET /api/users/profile");
    let response = respond(profile, &world.app(&[]), event, Duration::from_secs(10)).await;
    assert!(response.body.contains(PREFERRED_EMAIL));
    let shown = [
        format!("{:?}", planted_user()),
        format!("{:?}", FIRST_NAME.parse::<PersonName>()),
        format!("{:?}", PHONE_NUMBER.parse::<PhoneNumber>()),
        format!("{:?}", CUSTOMER_NUMBER.parse::<CustomerNumber>()),
        format!("{:?}", ADDRESS.parse::<ClientAddress>()),
        format!("{email:?} {:?}", email.normalized()),
        format!("{password:?} {hash:?}"),
        format!("{association:?} {:?}", Some::<CustomerAssociation>(association.clone())),
        format!("{:?}", JoinOutcome::Member(Box::new(planted_user()))),
        format!("{:?}", shared::http::Response::ok(&PREFERRED_EMAIL)),
        // What is wrong with a value is said without it.
        format!("{:?}", Password::try_from("canary".to_owned())),
        format!("{:?}", format!("{PHONE_NUMBER} canary").parse::<PhoneNumber>()),
        format!("{:?}", format!("{EMAIL} canary").parse::<Email>()),
    ];
    for shown in shown {
        assert_eq!(planted_in(&shown), BTreeSet::new(), "{shown}");
        assert!(!shown.to_lowercase().contains("canary"), "{shown}");
    }
}

/// Every type of the sources whose `Debug` is derived. None of them holds a secret or a personal datum
/// but in a type that hides it itself. One that is not here has not been looked at.
const SHOWN: &str = "About Account AssociateError AudienceClaim ByteBudget Cause ChangeOutcome ClaimNames ClaimPath ClockSkew \
    ConnectionOptions Connector CreateOutcome CustomerAssociation DeleteOutcome DescribedKey Disagreement Error ErrorKind \
    ExitStatus Failure FieldErrors GetSecretValue HttpClientError HttpsClient HttpsUrl ImportOutcome ImportedAccount \
    Invalid InvalidOrigin JoinOutcome KeyKind LeaveOutcome ManualClock NewMembership Organization OrganizationSource PasswordHasher \
    PersonalData Phase Policy PublishedKeys Quota RateLimit Record RecordPage RecordPageStart Refused \
    Registration RepairOutcome RoleNames SettingsError SigningKey SigningKeys Standing StartError \
    StoredSigningKeys TableDescription Timestamp TokenRules TokenType Traces User UserChanges Wrong";

#[test]
fn a_type_that_derives_its_debug_output_has_been_looked_at() {
    let mut found = BTreeSet::new();
    for folder in ["shared", "operator", "cli", "functions"] {
        read_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut |source| {
            let mut derived = false;
            for line in source.lines().map(str::trim_start) {
                derived |= line.starts_with("#[derive(") && line.contains("Debug");
                let words: Vec<_> = line.split(|c: char| !c.is_alphanumeric()).collect();
                if let Some(at) = words.iter().position(|word| ["struct", "enum"].contains(word))
                    && std::mem::take(&mut derived)
                {
                    found.insert(words[at + 1].to_owned());
                }
            }
        });
    }
    assert_eq!(found.into_iter().collect::<Vec<_>>(), SHOWN.split_whitespace().collect::<Vec<_>>());
}
