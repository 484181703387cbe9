//! `openapi.yaml`, held against every request and every answer of every test of this binary: an answer
//! with a status, a header or a member that the contract lacks fails the test that got it, and so does a
//! request that was fulfilled and is none of the contract's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use shared::{Access, Endpoint};
use yaml_rust2::{Yaml, YamlLoader};

use crate::endpoints::document;
use crate::endpoints::{assert_table, route};
use crate::harness::{ACME, Answer, ENDPOINTS, Invocation, JANE, World};

const OPENAPI: &str = include_str!("../../../openapi.yaml");
/// Headers that are the connection's or, as the media type, described elsewhere.
const TRANSPORT: [&str; 4] = ["content-type", "content-length", "date", "vary"];

/// A request, as its client sent it.
pub struct Sent<'a> {
    pub query: &'a str,
    pub authorization: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
}

struct Contract {
    document: Value,
    /// By route, such as `GET /api/users/exists`.
    operations: BTreeMap<String, Operation>,
}

struct Operation {
    id: String,
    /// The roles that a token must carry; `None` where none is taken.
    roles: Option<Vec<String>>,
    parameters: BTreeMap<String, Validator>,
    bodies: BTreeMap<String, Content>,
    responses: BTreeMap<u16, Response>,
}

struct Response {
    headers: BTreeMap<String, Header>,
    contents: BTreeMap<String, Content>,
}

struct Header {
    is_integer: bool,
    is_required: bool,
    validator: Validator,
}

struct Content {
    examples: BTreeMap<String, Value>,
    validator: Validator,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::parse(OPENAPI));

/// Fails where an answer is not the contract's, or a request that was fulfilled is not. What is no route
/// of the contract, such as a test's own, is not looked at.
#[track_caller]
pub fn assert_kept(method: &str, path: &str, sent: &Sent, answer: &Answer) {
    if let Some(operation) = CONTRACT.operations.get(&format!("{method} {path}"))
        && let Err(violation) = operation.check(sent, answer)
    {
        panic!("openapi.yaml, {}: {violation}: {answer:?}", operation.id);
    }
}

impl Contract {
    fn parse(openapi: &str) -> Self {
        let document = to_json(&YamlLoader::load_from_str(openapi).unwrap()[0]);
        let reader = Reader(&document);
        let mut operations = BTreeMap::new();
        for (path, item) in members(&document["paths"]) {
            for (method, operation) in members(item) {
                let route = format!("{} {path}", method.to_uppercase());
                operations.insert(route, reader.operation(operation));
            }
        }
        Self { document, operations }
    }
}

/// Reads the parts of a contract. What the contract does not use, it does not know.
struct Reader<'a>(&'a Value);

impl Reader<'_> {
    fn operation(&self, operation: &Value) -> Operation {
        let security = operation["security"].as_array().unwrap();
        let roles = security.first().map(|requirement| texts(&requirement["accessToken"]));
        let parameters = operation["parameters"].as_array().into_iter().flatten().map(|parameter| {
            let parameter = self.resolved(parameter);
            assert_eq!((&parameter["in"], &parameter["required"]), (&json!("query"), &json!(true)));
            (text(&parameter["name"]), self.validator(&parameter["schema"]))
        });
        let responses = members(&operation["responses"]).map(|(status, response)| {
            let response = self.resolved(response);
            let headers = members(&response["headers"]).map(|(name, header)| {
                let header = self.resolved(header);
                let schema = &header["schema"];
                let (is_integer, validator) = (schema["type"] == "integer", self.validator(schema));
                let is_required = header["required"].as_bool().unwrap();
                (name.to_lowercase(), Header { is_integer, is_required, validator })
            });
            let (headers, contents) = (headers.collect(), self.contents(response));
            (status.parse().unwrap(), Response { headers, contents })
        });
        Operation {
            id: text(&operation["operationId"]),
            roles,
            parameters: parameters.collect(),
            bodies: self.contents(&operation["requestBody"]),
            responses: responses.collect(),
        }
    }

    fn contents(&self, of: &Value) -> BTreeMap<String, Content> {
        let contents = members(&of["content"]).map(|(media_type, content)| {
            let examples = members(&content["examples"]);
            let examples =
                examples.map(|(name, example)| (name.clone(), self.resolved(example)["value"].clone()));
            let (examples, validator) = (examples.collect(), self.validator(&content["schema"]));
            (media_type.clone(), Content { examples, validator })
        });
        contents.collect()
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        jsonschema::draft202012::new(&schema).unwrap()
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref") {
            Some(reference) => {
                self.0.pointer(reference.as_str().unwrap().strip_prefix('#').unwrap()).unwrap()
            }
            None => value,
        }
    }
}

impl Operation {
    fn check(&self, sent: &Sent, answer: &Answer) -> Result<(), String> {
        let response = self.responses.get(&answer.status).ok_or("has no such status")?;
        response.check(answer)?;
        if answer.status < 300 { self.check_fulfilled(sent) } else { Ok(()) }
    }

    fn check_fulfilled(&self, sent: &Sent) -> Result<(), String> {
        if self.roles.is_some() && sent.authorization.is_none() {
            return Err("demands a token".to_owned());
        }
        for (name, validator) in &self.parameters {
            let mut values = sent.query.split('&').filter_map(|pair| {
                let (known, value) = pair.split_once('=')?;
                (decoded(known) == *name).then(|| decoded(value))
            });
            let value = values.next().ok_or(format!("demands {name}"))?;
            check(validator, &value.into())?;
        }
        if self.bodies.is_empty() {
            return Ok(());
        }
        let media_type = media_type(sent.content_type.unwrap_or_default());
        // As the description of the body says.
        let structured = media_type.starts_with("application/") && media_type.ends_with("+json");
        let media_type = if structured { "application/json" } else { &media_type };
        let content = self.bodies.get(media_type).ok_or("has no such request body")?;
        // A byte order mark is ignored.
        let body = sent.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(sent.body);
        check(&content.validator, &serde_json::from_slice(body).map_err(|_| "demands JSON")?)
    }
}

impl Response {
    fn check(&self, answer: &Answer) -> Result<(), String> {
        for (name, value) in &answer.headers {
            if TRANSPORT.contains(&name.as_str()) {
                continue;
            }
            let value = value.to_str().unwrap();
            let header = self.headers.get(name.as_str()).ok_or(format!("has no header {name}"))?;
            let value: Value = if header.is_integer {
                value.parse::<u64>().map_err(|_| format!("demands a number in {name}"))?.into()
            } else {
                value.into()
            };
            check(&header.validator, &value).map_err(|violation| format!("{name}: {violation}"))?;
        }
        let mut required = self.headers.iter().filter(|(_, header)| header.is_required);
        if let Some((name, _)) = required.find(|(name, _)| answer.header(name).is_none()) {
            return Err(format!("demands the header {name}"));
        }
        let content = self.contents.get(answer.header("content-type").unwrap_or_default());
        let content = content.ok_or("has no such content type")?;
        let body = serde_json::from_str(&answer.body).map_err(|_| "demands JSON")?;
        check(&content.validator, &body)?;
        if answer.status < 400 {
            return Ok(());
        }
        let example = content.examples.values().next().ok_or("has no example of this problem")?;
        match ["type", "title", "status"].into_iter().find(|member| body[member] != example[member]) {
            Some(member) => Err(format!("has another {member}")),
            None => Ok(()),
        }
    }
}

fn check(validator: &Validator, value: &Value) -> Result<(), String> {
    validator.validate(value).map_err(|error| format!("{} at '{}'", error.masked(), error.instance_path()))
}

fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

pub fn to_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) => text.as_str().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Boolean(boolean) => (*boolean).into(),
        Yaml::Null => Value::Null,
        Yaml::Array(values) => values.iter().map(to_json).collect(),
        Yaml::Hash(members) => {
            let members =
                members.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), to_json(value)));
            Value::Object(members.collect())
        }
        other => panic!("{other:?}"),
    }
}

/// The members of an object; none of what is not there.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

fn operation(endpoint: &Endpoint) -> &'static Operation {
    &CONTRACT.operations[&route(endpoint)]
}

#[test]
fn the_contract_has_every_endpoint_with_its_name_and_role() {
    let routes: BTreeSet<_> = ENDPOINTS.iter().map(route).collect();
    assert_eq!(routes, CONTRACT.operations.keys().cloned().collect());
    for endpoint in ENDPOINTS {
        let operation = operation(&endpoint);
        let hyphenated = |c: char| if c.is_uppercase() { format!("-{}", c.to_lowercase()) } else { c.into() };
        let id: String = operation.id.chars().map(hyphenated).collect();
        assert_eq!(id, endpoint.name);
        let role = endpoint.policy().map(|policy| vec![policy.role().to_owned()]);
        assert_eq!(operation.roles, role, "{}", endpoint.name);
    }
    assert_eq!(CONTRACT.document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

/// No status is missing, for every answer of every test is held against the contract; and here, none is
/// there that is never answered.
#[tokio::test]
async fn every_status_of_every_operation_is_answered() {
    let world = World::start().await;
    let app = world.app(&[]);
    let without_table = world.app_at("http://127.0.0.1:1", &[]);
    let body = |email: &str| json!({ "FirstName": "A", "LastName": "B", "Email": email }).to_string();
    for endpoint in ENDPOINTS {
        let role = endpoint.policy().map_or("Admin", |policy| policy.role());
        let right = |user: &str| {
            Invocation::of(endpoint)
                .bearer(&world.bearer(role, JANE, ACME))
                .query(&format!("UserId={user}&Email=jane@example.com"))
                .body(&body("jane@example.com"))
        };
        for &status in operation(&endpoint).responses.keys() {
            let right = right(JANE);
            let invocation = match (status, endpoint.name) {
                // The 503 is one of an app whose table is out of reach.
                (200 | 503, _) => right,
                (201, _) => right.body(&body("new@example.com")),
                (400, "create-user") => right.body("{"),
                (400, "check-user-exists") => right.query("Email=%"),
                (400, _) => right.bearer("Bearer x,Bearer y"),
                (401, _) => right.bearer("Bearer x"),
                (403, "check-user-exists") => {
                    // No header proves anything while no secret is known.
                    let front = [("CLIENT_ADDRESS_HEADER", "x-viewer"), ("FRONT_SECRET_ID", "front")];
                    right.answer(&world.app(&front)).await.assert_problem(403);
                    continue;
                }
                (403, _) => right.bearer(&world.bearer("SalesRep", JANE, ACME)),
                (404, "get-profile") => right.bearer(&world.bearer(role, "kp_nobody", ACME)),
                (404, _) => right.query("UserId=kp_nobody"),
                (413, _) => right.body(&"x".repeat(16 * 1024 + 1)),
                (415, _) => right.header("content-type", "text/plain"),
                (429, _) => {
                    for _ in 0..10 {
                        let _ = Invocation::of(endpoint).at_address("192.0.2.1").answer(&app).await;
                    }
                    right.at_address("192.0.2.1")
                }
                (431, _) => right.bearer(&format!("Bearer {}", "x".repeat(10 * 1024))),
                (500, "check-user-exists") => right.at_address("no address"),
                (500, _) => {
                    Invocation::of(Endpoint { access: Access::Public(|_, _| panic!("a defect")), ..endpoint })
                }
                _ => panic!("what is a {status} of {}?", endpoint.name),
            };
            let answer = invocation.answer(if status == 503 { &without_table } else { &app }).await;
            assert_eq!(answer.status, status, "{}: {answer:?}", endpoint.name);
        }
    }
}

#[test]
fn every_member_of_an_answer_is_listed() {
    fn open<'a>(name: &'a str, schema: &'a Value, found: &mut Vec<&'a str>) {
        if schema.get("properties").is_some() && schema["unevaluatedProperties"] != false {
            found.push(name);
        }
        for (_, part) in members(schema) {
            open(name, part, found);
        }
    }
    let mut found = Vec::new();
    for (name, schema) in members(&CONTRACT.document["components"]["schemas"]) {
        open(name, schema, &mut found);
    }
    // Unknown members of a request are ignored.
    assert_eq!(found, ["NewUser"]);
}

#[test]
fn the_examples_are_the_documents_and_what_they_are_examples_of() {
    for endpoint in ENDPOINTS {
        let operation = operation(&endpoint);
        let contents = operation.responses.values().flat_map(|response| response.contents.values());
        for content in contents.chain(operation.bodies.values()) {
            assert!(!content.examples.is_empty(), "{}", endpoint.name);
            for (name, example) in &content.examples {
                check(&content.validator, example).unwrap_or_else(|why| panic!("{name}: {why}"));
            }
        }
        let (section, email) = (route(&endpoint), "jane@example.com");
        // An endpoint that the customer's document does not know has examples of its own.
        if !document::has(&section) {
            continue;
        }
        let shown =
            |contents: &BTreeMap<String, Content>| contents["application/json"].examples["document"].clone();
        let status = if endpoint.name == "create-user" { 201 } else { 200 };
        let response = &operation.responses[&status].contents;
        assert_eq!(shown(response), document::example_response(&section, email));
        if let Some(body) = document::example_request_body(&section, email) {
            assert_eq!(shown(&operation.bodies), serde_json::from_str::<Value>(&body).unwrap());
        }
    }
}

#[test]
fn the_readme_lists_every_endpoint_with_its_statuses() {
    let mut endpoints = ENDPOINTS;
    endpoints.sort_by_key(|endpoint| endpoint.path);
    let row = |endpoint: &Endpoint| {
        let role = match endpoint.access {
            Access::Role(policy, _) => policy.role(),
            Access::RateLimited(_) => "none; 10 requests per client address in any 60 s",
            Access::Public(_) => "none",
        };
        // 500 and 503 are named once for all.
        let statuses = operation(endpoint).responses.keys().filter(|status| ![500, 503].contains(*status));
        let statuses: Vec<_> = statuses.map(ToString::to_string).collect();
        format!("| `{}` | `{}` | {role} | {} |", route(endpoint), endpoint.name, statuses.join(", "))
    };
    let rows: Vec<_> = endpoints.iter().map(row).collect();
    assert_table("README.md", "| endpoint | function | role | answers |", &rows);
}

#[tokio::test]
async fn what_the_contract_lacks_is_seen() {
    let world = World::start().await;
    let app = world.app(&[]);
    let body = r#"{"FirstName":"A","LastName":"B","Email":"new@example.com"}"#;
    let create = Invocation::of(crate::harness::endpoint("POST /api/users")).bearer(&world.admin(ACME));
    let created = create.body(body).answer(&app).await;
    let limited = Invocation::of(crate::harness::endpoint("GET /api/users/exists"));
    let missing = limited.answer(&app).await;
    assert_eq!((created.status, missing.status), (201, 400));

    let json = Some("application/json");
    let sent = |body| Sent { query: "", authorization: Some("Bearer x"), content_type: json, body };
    let creation = sent(body.as_bytes());
    let anonymous = Sent { authorization: None, ..sent(body.as_bytes()) };
    let plain = Sent { content_type: Some("text/plain"), ..sent(body.as_bytes()) };
    let nameless = sent(br#"{"LastName":"B","Email":"new@example.com"}"#);
    let null = sent(br#"{"FirstName":null,"LastName":"B","Email":"new@example.com"}"#);
    let (create, exists) = ("POST /api/users", "GET /api/users/exists");
    let user = "    User:\n      description: A user.\n";
    // An edit of the contract, what was sent and answered, and what is found.
    let cases: [(&str, &str, &str, &Sent, &Answer, &str); 14] = [
        ("", "", create, &creation, &created, ""),
        ("", "", exists, &creation, &missing, ""),
        ("        '201':", "        '202':", create, &creation, &created, "has no such status"),
        ("            X-Request-Id:", "            X-Id:", create, &creation, &created, "has no header"),
        ("            RateLimit:", "            RateLimits:", exists, &creation, &missing, "has no header"),
        (
            "            RateLimit:",
            "            Location: {$ref: '#/components/headers/RateLimit'}\n            RateLimit:",
            exists,
            &creation,
            &missing,
            "demands the header location",
        ),
        ("const: nosniff", "const: sniff", create, &creation, &created, "x-content-type-options: "),
        (
            "            application/json:\n              schema: {$ref: '#/components/schemas/User'}",
            "            application/jsonl:\n              schema: {$ref: '#/components/schemas/User'}",
            create,
            &creation,
            &created,
            "has no such content type",
        ),
        (user, "    User:\n      required: [Slug]\n    AnyUser:\n", create, &creation, &created, "Slug"),
        ("LastName, Email, Password", "LastName, Password", exists, &creation, &missing, "errors"),
        ("", "", create, &anonymous, &created, "demands a token"),
        ("", "", create, &plain, &created, "has no such request body"),
        ("", "", create, &nameless, &created, "FirstName"),
        ("", "", create, &null, &created, "FirstName"),
    ];
    for (from, to, route, sent, answer, found) in cases {
        assert!(OPENAPI.contains(from), "{from}");
        let edited = (!from.is_empty()).then(|| Contract::parse(&OPENAPI.replace(from, to)));
        let operation = &edited.as_ref().unwrap_or(&CONTRACT).operations[route];
        let violation = operation.check(sent, answer).err().unwrap_or_default();
        assert_eq!(violation.is_empty(), found.is_empty(), "{from}: {violation}");
        assert!(violation.contains(found), "{from}: {violation}");
    }
}
