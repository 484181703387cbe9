//! Least privilege, held against real calls: every call that a function makes to the table, in every
//! test of this binary, is put to the policies of `template.yaml` as IAM would; and every grant there
//! is used by some call.
//!
//! The model of IAM is the part that the template uses, and nothing else parses: a statement with
//! another effect, resource, operator or condition key fails the test that reads it. Sources: DynamoDB
//! Developer Guide, "Using IAM policy conditions for fine-grained access control" and "Using IAM with
//! DynamoDB transactions"; IAM User Guide, "Multivalued context keys".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use crate::endpoints::{Row, assert_table, row, rows};
use crate::harness::{ACME, GLOBEX, JANE, World};
use crate::security::front::SecretsManager;

const TEMPLATE: &str = include_str!("../../../template.yaml");
/// The front's secret, as the template refers to it, in place of its ARN.
const FRONT_SECRET: &str = "FrontSecret";
const TABLE: &str = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${TableName}";

/// What each function may do, by its name.
#[derive(Clone, Debug)]
pub struct Policies(BTreeMap<String, Vec<Statement>>);

#[derive(Clone, Debug)]
struct Statement {
    action: String,
    /// Patterns of partition keys; of the front's secret, its one resource.
    leading_keys: Vec<String>,
    attributes: Option<Vec<String>>,
    return_values: Option<String>,
}

/// What IAM is asked about a call, or about one part of a transaction.
#[derive(Debug)]
struct Question {
    action: String,
    leading_keys: Vec<String>,
    attributes: BTreeSet<String>,
    return_values: String,
}

impl Policies {
    /// Those of `template.yaml`.
    pub fn of_the_template() -> &'static Self {
        static POLICIES: OnceLock<Policies> = OnceLock::new();
        POLICIES.get_or_init(|| Self::parse(TEMPLATE))
    }

    fn parse(template: &str) -> Self {
        let template = YamlLoader::load_from_str(template).unwrap().remove(0);
        let resources = template["Resources"].as_hash().unwrap();
        let roles = roles_without_table(&template);
        let mut policies = BTreeMap::new();
        for (name, resource) in resources {
            if resource["Type"].as_str() != Some("AWS::Serverless::Function") {
                continue;
            }
            let function = resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
            let own = name.as_str().unwrap().strip_suffix("Function").unwrap();
            assert_eq!(resource["Properties"]["Role"].as_str(), Some(&*format!("{own}Role.Arn")));
            assert!(
                resource["Properties"]["Policies"].is_badvalue(),
                "{function} has a policy beside its role"
            );
            assert!(roles.contains(&own), "{function} has no role");
            let policy = format!("{own}Policy");
            let policy = &template["Resources"][&*policy]["Properties"];
            assert_eq!(policy["RoleName"].as_str(), Some(&*format!("{own}Role")));
            let statements = policy["PolicyDocument"]["Statement"].as_vec().unwrap();
            let statements = statements.iter().filter_map(Statement::parse);
            policies.insert(function.to_owned(), statements.collect());
        }
        Self(policies)
    }

    /// The grants, each an action and a pattern of leading keys, that allow a call; or what is asked
    /// and not allowed.
    fn grants_for(&self, function: &str, operation: &str, body: &Value) -> Result<Vec<Grant>, String> {
        let statements =
            self.0.get(function).ok_or_else(|| format!("template.yaml: {function} has no policy"))?;
        let mut grants = Vec::new();
        for question in questions(operation, body) {
            let allowed: Vec<_> = statements.iter().filter(|statement| statement.allows(&question)).collect();
            if allowed.is_empty() {
                return Err(format!("template.yaml: {function} may not {question:?}"));
            }
            for statement in allowed {
                for pattern in &statement.leading_keys {
                    if question.leading_keys.iter().any(|key| matches(pattern, key)) {
                        grants.push((function.to_owned(), statement.action.clone(), pattern.clone()));
                    }
                }
            }
        }
        Ok(grants)
    }

    /// Fails where a call is not allowed.
    #[track_caller]
    pub fn assert_allowed(&self, function: &str, operation: &str, body: &[u8]) {
        let body = serde_json::from_slice(body).unwrap();
        if let Err(denied) = self.grants_for(function, operation, &body) {
            panic!("{denied}");
        }
    }

    fn all_grants(&self) -> BTreeSet<Grant> {
        let grants = self.0.iter().flat_map(|(function, statements)| {
            statements.iter().flat_map(move |statement| {
                statement
                    .leading_keys
                    .iter()
                    .map(move |pattern| (function.clone(), statement.action.clone(), pattern.clone()))
            })
        });
        grants.collect()
    }
}

/// The functions whose role the template makes in one loop. Fails if that role may do anything with the table.
fn roles_without_table(template: &Yaml) -> Vec<&str> {
    let names_and_body = &template["Resources"]["Fn::ForEach::Roles"];
    let role = &names_and_body[2]["${Function}Role"]["Properties"];
    assert!(role["ManagedPolicyArns"].is_badvalue(), "the roles have a managed policy");
    for policy in role["Policies"].as_vec().unwrap() {
        for statement in policy["PolicyDocument"]["Statement"].as_vec().unwrap() {
            assert!(Statement::parse(statement).is_none(), "every function gets {statement:?}");
        }
    }
    names_and_body[1].as_vec().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// A function, an action, a pattern of leading keys.
type Grant = (String, String, String);

impl Statement {
    /// `None` for what is not about the table or the front's secret.
    fn parse(statement: &Yaml) -> Option<Self> {
        // `!If [condition, statement, no value]`: X-Ray, the key of the table and the front's secret.
        if let Some(conditional) = statement.as_vec() {
            return assert_conditional(conditional);
        }
        assert_eq!(statement["Effect"].as_str(), Some("Allow"), "{statement:?}");
        if statement["Sid"].as_str() == Some("WriteLog") {
            let actions: Vec<_> =
                statement["Action"].as_vec().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
            assert_eq!(actions, ["logs:CreateLogStream", "logs:PutLogEvents"]);
            return None;
        }
        assert_eq!(statement["Resource"].as_str(), Some(TABLE), "{statement:?}");
        let action = statement["Action"].as_str().expect("one action").to_owned();
        assert!(action.starts_with("dynamodb:") && !action.contains('*'), "{action}");
        let (mut leading_keys, mut attributes, mut return_values, mut guarded) =
            (Vec::new(), None, None, false);
        for (operator, condition) in statement["Condition"].as_hash().expect("a condition") {
            for (key, value) in condition.as_hash().unwrap() {
                let texts = || -> Vec<String> {
                    value.as_vec().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
                };
                match (operator.as_str().unwrap(), key.as_str().unwrap()) {
                    ("ForAllValues:StringLike" | "ForAllValues:StringEquals", "dynamodb:LeadingKeys") => {
                        leading_keys = texts();
                    }
                    ("ForAllValues:StringEquals", "dynamodb:Attributes") => attributes = Some(texts()),
                    ("StringEqualsIfExists", "dynamodb:ReturnValues") => {
                        return_values = Some(value.as_str().unwrap().to_owned());
                    }
                    // Without it, ForAllValues is true of a request that has no leading keys at all.
                    ("Null", "dynamodb:LeadingKeys") => guarded = value.as_str() == Some("false"),
                    other => panic!("this model of IAM does not know {other:?}"),
                }
            }
        }
        assert!(guarded && !leading_keys.is_empty(), "{statement:?}");
        assert!(leading_keys.iter().all(|pattern| !pattern.starts_with('*')), "{statement:?}");
        Some(Self { action, leading_keys, attributes, return_values })
    }

    fn allows(&self, question: &Question) -> bool {
        let keys = &question.leading_keys;
        self.action == question.action
            && !keys.is_empty()
            && keys.iter().all(|key| self.leading_keys.iter().any(|pattern| matches(pattern, key)))
            && self
                .attributes
                .as_ref()
                .is_none_or(|allowed| question.attributes.iter().all(|a| allowed.contains(a)))
            && self.return_values.as_ref().is_none_or(|allowed| *allowed == question.return_values)
    }
}

/// Fails if a conditional statement grants more than its condition needs. Gives what its condition grants about the front's
/// secret.
fn assert_conditional(conditional: &[Yaml]) -> Option<Statement> {
    assert_eq!(conditional[2].as_str(), Some("AWS::NoValue"));
    let statement = &conditional[1];
    if conditional[0].as_str() == Some("HasDistribution") {
        assert_eq!(statement["Sid"].as_str(), Some("ReadFrontSecret"));
        assert_eq!(statement["Effect"].as_str(), Some("Allow"));
        assert_eq!(statement["Resource"].as_str(), Some(FRONT_SECRET), "the one secret: {statement:?}");
        let action = statement["Action"].as_str().unwrap().to_owned();
        assert_eq!(action, "secretsmanager:GetSecretValue");
        let leading_keys = vec![FRONT_SECRET.to_owned()];
        return Some(Statement { action, leading_keys, attributes: None, return_values: None });
    }
    let actions: Vec<_> = statement["Action"].as_vec().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
    match (conditional[0].as_str().unwrap(), statement["Sid"].as_str().unwrap()) {
        ("IsTraced", "Trace") => assert_eq!(actions, ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]),
        ("HasTableKey", "ReadWithTableKey") => assert_eq!(actions, ["kms:Decrypt", "kms:DescribeKey"]),
        ("HasTableKey", "WriteWithTableKey") => {
            assert!(actions.iter().all(|action| action.starts_with("kms:")), "{actions:?}");
            assert!(!actions.contains(&"kms:Decrypt") && !actions.contains(&"kms:*"), "{actions:?}");
        }
        other => panic!("this model of IAM does not know {other:?}"),
    }
    if conditional[0].as_str() == Some("HasTableKey") {
        assert!(!statement["Condition"]["StringEquals"]["kms:ViaService"].is_badvalue(), "{statement:?}");
        assert!(statement["Resource"].as_vec().is_some(), "the key of the settings: {statement:?}");
    }
    None
}

/// `StringLike` with nothing but a `*` at the end; `StringEquals` without one.
fn matches(pattern: &str, key: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => key.starts_with(prefix),
        None => key == pattern,
    }
}

/// What IAM is asked about a call: each part of a transaction on its own.
fn questions(operation: &str, body: &Value) -> Vec<Question> {
    match operation {
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().unwrap().iter();
            parts
                .flat_map(|part| part.as_object().unwrap())
                .map(|(kind, part)| {
                    let action = match kind.as_str() {
                        "Put" => "PutItem",
                        "Update" => "UpdateItem",
                        "Delete" => "DeleteItem",
                        "ConditionCheck" => "ConditionCheckItem",
                        other => panic!("{other}"),
                    };
                    question(action, part)
                })
                .collect()
        }
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().unwrap().values();
            let keys =
                tables.flat_map(|table| table["Keys"].as_array().unwrap()).map(partition_key).collect();
            vec![Question { leading_keys: keys, ..question(operation, &json!({})) }]
        }
        "GetSecretValue" => vec![Question {
            action: "secretsmanager:GetSecretValue".to_owned(),
            leading_keys: vec![body["SecretId"].as_str().unwrap().to_owned()],
            ..question(operation, &json!({}))
        }],
        _ => vec![question(operation, body)],
    }
}

fn question(action: &str, part: &Value) -> Question {
    let partition = [&part["Key"], &part["Item"]].into_iter().find(|key| key.is_object()).map(partition_key);
    let queried = part["ExpressionAttributeValues"][":partition"]["S"].as_str().map(str::to_owned);
    let returned = part.get("ReturnValuesOnConditionCheckFailure").or(part.get("ReturnValues"));
    Question {
        action: format!("dynamodb:{action}"),
        leading_keys: partition.or(queried).into_iter().collect(),
        attributes: named_attributes(part),
        return_values: returned.and_then(Value::as_str).unwrap_or("NONE").to_owned(),
    }
}

fn partition_key(key: &Value) -> String {
    key["PK"]["S"].as_str().unwrap().to_owned()
}

/// The top-level attributes that a call names: of its key, its item and its expressions.
fn named_attributes(part: &Value) -> BTreeSet<String> {
    const SYNTAX: [&str; 7] =
        ["SET", "AND", "OR", "BETWEEN", "if_not_exists", "attribute_exists", "attribute_not_exists"];
    let mut named: BTreeSet<String> = BTreeSet::new();
    for object in [&part["Key"], &part["Item"]] {
        named.extend(object.as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    for expression in ["UpdateExpression", "ConditionExpression", "KeyConditionExpression"] {
        let words = part[expression]
            .as_str()
            .unwrap_or("")
            .split(|c: char| !c.is_alphanumeric() && !"_:#".contains(c));
        let names = words.filter(|word| !word.is_empty() && !word.starts_with(':') && !SYNTAX.contains(word));
        named.extend(names.map(|name| {
            assert!(!name.starts_with('#'), "a placeholder: this model does not resolve it");
            name.to_owned()
        }));
    }
    named
}

/// The calls of the functions of one world.
type Calls = Arc<Mutex<Vec<(&'static str, String, Value)>>>;

async fn recorded_world() -> (World, Calls) {
    let calls = Calls::default();
    let record = calls.clone();
    let world = World::start_observed(Arc::new(move |function, operation, body| {
        let body = serde_json::from_slice(body).unwrap();
        record.lock().unwrap().push((function, operation.to_owned(), body));
    }));
    (world.await, calls)
}

/// Sends every endpoint down each of its paths, the start included.
async fn drive_every_path(world: &World, calls: &Calls) {
    for row in rows() {
        ask_right(world, row).await;
    }
    let new = |email: &str| json!({ "FirstName": "A", "LastName": "B", "Email": email, "Password": "SecurePass123!", "PhoneNumber": "911" });
    world.create(ACME, &new("new@example.com")).await.assert_ok(201);
    world.create(GLOBEX, &new("new@example.com")).await.assert_ok(200);
    world.create("org_none", &new("other@example.com")).await.assert_problem(400);
    let mut by_email = world.payload();
    by_email["sub"] = "kp_of_the_provider".into();
    by_email["email"] = "jane@example.com".into();
    world.get("/api/users/organizations").bearer(world.signed(&by_email)).send().await.assert_ok(200);
    let stranger = world.get("/api/users/customer-associations?UserId=kp_unknown");
    stranger.bearer(world.admin(ACME)).send().await.assert_ok(200);
    let reads_secret = |(_, operation, _): &(_, String, _)| operation == "GetSecretValue";
    assert!(!calls.lock().unwrap().iter().any(reads_secret), "without a front there is no secret");
    drive_front(world, calls).await;
}

/// The start of each function behind a front.
async fn drive_front(world: &World, calls: &Calls) {
    let secrets = SecretsManager::start().await;
    for row in rows() {
        let (function, record) = (row.endpoint().name, calls.clone());
        let observer = move |operation: &str, body: &[u8]| {
            let body = serde_json::from_slice(body).unwrap();
            record.lock().unwrap().push((function, operation.to_owned(), body));
        };
        let table = operator::table::observed(&world.functions_table(), Arc::new(observer));
        secrets.app_on(table, world).front.warm_up().await.unwrap();
    }
}

/// Sends the right request of an endpoint.
async fn ask_right(world: &World, row: &Row) {
    let bearer = world.bearer(row.role.unwrap_or("Admin"), JANE, ACME);
    row.call(world).bearer(bearer).send().await.assert_ok(row.status);
}

/// The calls of `refresh-signing-keys`, which no gateway serves: as its own test makes them.
async fn drive_refresh(world: &World, calls: &Calls) {
    let record = calls.clone();
    let table = operator::table::observed(
        world.table(),
        Arc::new(move |operation, body| {
            let body = serde_json::from_slice(body).unwrap();
            record.lock().unwrap().push(("refresh-signing-keys", operation.to_owned(), body));
        }),
    );
    crate::endpoints::refresh_signing_keys::refresh_once(world, table).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_allowed_and_every_grant_is_used() {
    let (world, calls) = recorded_world().await;
    drive_every_path(&world, &calls).await;
    drive_refresh(&world, &calls).await;
    let policies = Policies::of_the_template();
    let calls = calls.lock().unwrap().clone();
    let mut used = BTreeSet::new();
    for (function, operation, body) in &calls {
        used.extend(
            policies.grants_for(function, operation, body).unwrap_or_else(|denied| panic!("{denied}")),
        );
    }
    let unused: Vec<_> = policies.all_grants().difference(&used).cloned().collect();
    assert!(unused.is_empty(), "granted and never used: {unused:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_too_few_and_a_grant_too_many_are_seen() {
    let (world, calls) = recorded_world().await;
    drive_every_path(&world, &calls).await;
    let calls = calls.lock().unwrap().clone();
    let whole = Policies::of_the_template();
    let denied = |policies: &Policies| {
        calls
            .iter()
            .filter(|(function, operation, body)| policies.grants_for(function, operation, body).is_err())
            .count()
    };
    assert_eq!(denied(whole), 0);
    for (function, statements) in whole.0.iter().filter(|(function, _)| *function != "refresh-signing-keys") {
        for (taken, statement) in statements.iter().enumerate() {
            let mut fewer = whole.clone();
            fewer.0.get_mut(function).unwrap().remove(taken);
            assert!(denied(&fewer) > 0, "{function} works without {statement:?}");
        }
    }
    // A grant too many is one that no call uses.
    let mut more = whole.clone();
    let superfluous = Statement {
        action: "dynamodb:GetItem".into(),
        leading_keys: vec!["CREDENTIAL#*".into()],
        attributes: None,
        return_values: None,
    };
    more.0.get_mut("get-profile").unwrap().push(superfluous);
    assert_eq!(more.all_grants().len(), whole.all_grants().len() + 1);
    let used: BTreeSet<_> = calls.iter().flat_map(|(f, o, b)| more.grants_for(f, o, b).unwrap()).collect();
    assert!(!used.contains(&("get-profile".into(), "dynamodb:GetItem".into(), "CREDENTIAL#*".into())));
}

#[test]
fn only_create_user_puts_credentials_and_only_refresh_puts_keys() {
    let grants = Policies::of_the_template().all_grants();
    let who = |prefix: &str, reads: bool| {
        let of = grants.iter().filter(|(_, action, pattern)| {
            let reading =
                ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"].contains(&action.as_str());
            pattern.starts_with(prefix) && (reads || !reading)
        });
        of.map(|(function, action, _)| (function.as_str(), action.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(who("CREDENTIAL", true), [("create-user", "dynamodb:PutItem")]);
    assert_eq!(who("SIGNING_KEYS", false), [("refresh-signing-keys", "dynamodb:PutItem")]);
}

/// A usual path of an endpoint, as it was recorded.
struct UsualPath {
    way: String,
    /// What is called; the calls of one group are made at once.
    calls: Vec<Vec<String>>,
    read_units: usize,
    write_units: usize,
    /// What the costs assume: 5 ms, 5 more for each call that waits for the one before, 10 if it is a transaction, and 40
    /// for a password's hash.
    milliseconds: u32,
}

impl UsualPath {
    fn new(way: &str, waves: &[usize], calls: &[(&'static str, String, Value)]) -> Self {
        let mut path =
            Self { way: way.into(), calls: Vec::new(), read_units: 0, write_units: 0, milliseconds: 5 };
        let mut calls = calls.iter();
        for length in waves {
            let wave: Vec<_> = calls.by_ref().take(*length).collect();
            let wait = |operation: &str| if operation == "TransactWriteItems" { 10 } else { 5 };
            path.milliseconds += wave.iter().map(|(_, operation, _)| wait(operation)).max().unwrap_or(0);
            for (_, operation, body) in &wave {
                let (read, write) = capacity(operation, body);
                path.read_units += read;
                path.write_units += write;
                path.milliseconds += if body.to_string().contains("PasswordHash") { 40 } else { 0 };
            }
            path.calls.push(wave.iter().map(|(_, operation, body)| described(operation, body)).collect());
        }
        path
    }

    fn function(&self) -> &str {
        self.way.split(", ").next().unwrap()
    }

    /// Its row of docs/architecture.md. A semicolon is a wait.
    fn calls_row(&self) -> String {
        let waves: Vec<_> = self.calls.iter().map(|wave| wave.join(", at the same time ")).collect();
        let calls = if waves.is_empty() { "none: refused from memory".to_owned() } else { waves.join("; ") };
        format!("| {} | {calls} | {} | {} |", self.way, self.read_units, self.write_units)
    }

    /// Its row of docs/operations.md: USD for a million requests.
    fn costs_row(&self) -> String {
        let (way, milliseconds, memory) = (&self.way, self.milliseconds, memory_of(self.function()));
        let (read, write) = (self.read_units, self.write_units);
        let units = |number: usize| f64::from(u32::try_from(number).unwrap());
        let gb_seconds = f64::from(memory) / 1024.0 * f64::from(milliseconds) * 1000.0;
        let (x86_64, arm64) = (gb_seconds * 0.000_016_666_7, gb_seconds * 0.000_013_333_4);
        let table = units(read) * 0.125 + units(write) * 0.625;
        let requests = 1.20 + table;
        format!(
            "| {way} | {} | {milliseconds} | {} | {x86_64:.2} | {arm64:.2} | {read} | {write} | {table:.3} | **{:.2}** | {:.2} |",
            thousands(&memory.to_string()),
            thousands(&format!("{gb_seconds:.0}")),
            requests + x86_64,
            requests + arm64
        )
    }
}

fn thousands(digits: &str) -> String {
    match digits.len().checked_sub(3) {
        Some(start @ 1..) => format!("{},{}", thousands(&digits[..start]), &digits[start..]),
        _ => digits.to_owned(),
    }
}

/// A function's memory in MB, by `template.yaml`.
fn memory_of(function: &str) -> u32 {
    let template = YamlLoader::load_from_str(TEMPLATE).unwrap().remove(0);
    let resources = template["Resources"].as_hash().unwrap();
    let binary =
        |resource: &Yaml| resource["Metadata"]["BuildProperties"]["Binary"].as_str() == Some(function);
    let resource = resources.values().find(|resource| binary(resource)).unwrap();
    let own = resource["Properties"]["MemorySize"].as_i64();
    own.or(template["Globals"]["Function"]["MemorySize"].as_i64()).unwrap().try_into().unwrap()
}

/// A call, and the items that it is about.
fn described(operation: &str, body: &Value) -> String {
    let items = match operation {
        "Query" => {
            let bound = |name: &str| {
                let bound = body["ExpressionAttributeValues"][name]["S"].as_str().unwrap();
                match bound.split_once('#') {
                    Some((kind, id)) if !id.is_empty() => format!("{kind}#…"),
                    _ => bound.to_owned(),
                }
            };
            format!("`{}` to `{}`", bound(":first"), bound(":last"))
        }
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().unwrap().values();
            listed(tables.flat_map(|table| table["Keys"].as_array().unwrap()).map(item_of))
        }
        "TransactWriteItems" => {
            let parts = body["TransactItems"].as_array().unwrap().iter();
            listed(parts.flat_map(|part| part.as_object().unwrap()).map(|(kind, part)| {
                let check = if kind == "ConditionCheck" { "check of " } else { "" };
                check.to_owned() + &item_of(part.get("Item").unwrap_or(&part["Key"]))
            }))
        }
        _ => item_of(body.get("Item").unwrap_or(&body["Key"])),
    };
    format!("{operation} {items}")
}

/// Each once.
fn listed(items: impl Iterator<Item = String>) -> String {
    let mut listed: Vec<String> = Vec::new();
    for item in items {
        if !listed.contains(&item) {
            listed.push(item);
        }
    }
    listed.join(", ")
}

/// What an item is, by its key.
fn item_of(key: &Value) -> String {
    let part = |name: &str| key[name]["S"].as_str().unwrap().split('#').next().unwrap();
    let item = match (part("PK"), part("SK")) {
        ("EMAIL", _) => "claim",
        ("USER", "PROFILE") => "user",
        ("USER", "MEMBERSHIP") => "membership",
        ("USER", "CUSTOMER") => "association",
        ("ORG", _) => "organization",
        ("CREDENTIAL", _) => "credential",
        ("RATE", _) => "counter",
        other => panic!("what is {other:?}?"),
    };
    item.to_owned()
}

/// The calls of each endpoint on its usual paths, with the capacity that DynamoDB counts for them: what the design allows
/// at most, and what a million requests cost by them. `cargo accept` writes both tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_calls_and_capacity_of_each_usual_path() {
    let (world, calls) = recorded_world().await;
    let mut paths = Vec::new();
    let taken = || std::mem::take(&mut *calls.lock().unwrap());
    let one_by_one = |way: &str| {
        let calls = taken();
        UsualPath::new(way, &vec![1; calls.len()], &calls)
    };
    let new = |email: &str, password: Value| json!({ "FirstName": "A", "LastName": "B", "Email": email, "Password": password });
    taken();
    world.create(ACME, &new("one@example.com", "SecurePass123!".into())).await.assert_ok(201);
    paths.push(one_by_one("create-user, new, with a password"));
    world.create(ACME, &new("two@example.com", Value::Null)).await.assert_ok(201);
    paths.push(one_by_one("create-user, new, without a password"));
    for row in rows() {
        ask_right(&world, row).await;
        let waves: Vec<_> = row.waves.iter().map(|wave| wave.len()).collect();
        let calls = taken();
        assert_eq!(calls.len(), waves.iter().sum::<usize>(), "{}: {calls:?}", row.way);
        paths.push(UsualPath::new(row.way, &waves, &calls));
    }
    let exists = row("check-user-exists");
    for _ in 1..10 {
        ask_right(&world, exists).await;
    }
    taken();
    exists.call(&world).send().await.assert_problem(429);
    paths.push(one_by_one("check-user-exists, first refused"));
    exists.call(&world).send().await.assert_problem(429);
    paths.push(one_by_one("check-user-exists, refused again"));

    let place = |path: &UsualPath| rows().iter().position(|row| row.endpoint().name == path.function());
    paths.sort_by_key(place);
    let calls: Vec<_> = paths.iter().map(UsualPath::calls_row).collect();
    assert_table("docs/architecture.md", "| path | calls | read units | write units |", &calls);
    let costs: Vec<_> = paths.iter().map(UsualPath::costs_row).collect();
    assert_table("docs/operations.md", "| path | MB | ms (assumed) |", &costs);
}

/// The units of a call (DynamoDB Developer Guide, "DynamoDB read and write operations"): a consistent
/// read counts one for each item of up to 4 KB, a query one for each 4 KB of all its items, a write one
/// for each item of up to 1 KB, and a part of a transaction twice. All items here are that small; a
/// refused conditional write counts too.
fn capacity(operation: &str, body: &Value) -> (usize, usize) {
    match operation {
        "GetItem" | "Query" => {
            assert_eq!(body["ConsistentRead"], true);
            (1, 0)
        }
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().unwrap().values();
            (tables.map(|table| table["Keys"].as_array().unwrap().len()).sum(), 0)
        }
        "UpdateItem" | "PutItem" => (0, 1),
        "TransactWriteItems" => (0, 2 * body["TransactItems"].as_array().unwrap().len()),
        other => panic!("{other}"),
    }
}
