//! In what the engines differ: each is asked the same, and does what docs/architecture.md says of it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::World;
use crate::harness::engine::engine;

/// What was asked, in the words of the table, and what came of it.
type Finding = (&'static str, String);

struct Asked {
    world: World,
    findings: Vec<Finding>,
}

impl Asked {
    fn found(&mut self, what: &'static str, outcome: impl Into<String>) {
        self.findings.push((what, outcome.into()));
    }

    /// An operation on the world's table; its answer, or the exception's name.
    async fn call(&self, operation: &str, mut input: Value) -> Result<Value, String> {
        input["TableName"] = self.world.table().name().into();
        answer(self.world.try_dynamodb("local", operation, &input).await)
    }

    async fn transact(&self, token: Option<&str>, parts: Vec<Value>) -> Result<Value, String> {
        let mut input = json!({ "TransactItems": parts, "ReturnConsumedCapacity": "TOTAL" });
        if let Some(token) = token {
            input["ClientRequestToken"] = token.into();
        }
        answer(self.world.try_dynamodb("local", "TransactWriteItems", &input).await)
    }

    /// A part of a transaction that adds one to the item's `Occurrences`.
    fn increment(&self, name: &str) -> Value {
        json!({ "Update": {
            "TableName": self.world.table().name(), "Key": key(name), "UpdateExpression": "ADD Occurrences :one",
            "ExpressionAttributeValues": { ":one": { "N": "1" } },
        }})
    }

    async fn increments(&self, name: &str) -> usize {
        let item = self.call("GetItem", json!({ "Key": key(name), "ConsistentRead": true })).await.unwrap();
        item["Item"]["Occurrences"]["N"].as_str().unwrap_or("0").parse().unwrap()
    }

    async fn put(&self, name: &str, attribute: Value) -> Result<Value, String> {
        let mut item = key(name);
        item["A"] = attribute;
        self.call("PutItem", json!({ "Item": item, "ReturnConsumedCapacity": "TOTAL" })).await
    }

    /// An attribute as it comes back.
    async fn kept(&self, name: &str, attribute: Value) -> Result<Value, String> {
        self.put(name, attribute).await?;
        let read = json!({ "Key": key(name), "ReturnConsumedCapacity": "TOTAL" });
        self.call("GetItem", read).await.map(|output| output["Item"]["A"].clone())
    }
}

fn key(name: &str) -> Value {
    json!({ "PK": { "S": name }, "SK": { "S": "SK" } })
}

fn answer((status, body): (u16, Value)) -> Result<Value, String> {
    if status == 200 {
        return Ok(body);
    }
    let name = body["__type"].as_str().unwrap_or_else(|| panic!("{status} {body}"));
    if name.ends_with("TransactionCanceledException") {
        // The reasons are what was asked for.
        return Err(body["CancellationReasons"].to_string());
    }
    Err(format!("`{}`", name.rsplit('#').next().unwrap()))
}

fn or_exception<T>(result: Result<T, String>, well: &str) -> String {
    result.map_or_else(|exception| exception, |_| well.to_owned())
}

fn times(count: usize) -> String {
    match count {
        1 => "applied once".to_owned(),
        count => format!("applied {count} times"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_engine_does_what_the_table_of_differences_says() {
    let mut asked = Asked { world: World::start_now().await, findings: Vec::new() };
    transactions(&mut asked).await;
    sizes(&mut asked).await;
    values(&mut asked).await;
    bookkeeping(&mut asked).await;

    let document = include_str!("../../../docs/architecture.md");
    let (_, section) = document.split_once("\n## Two engines\n").unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<_> = rows.take_while(|line| line.starts_with('|')).collect();
    let column = engine().name as usize + 2;
    let written: Vec<Vec<_>> = rows.iter().map(|row| row.split('|').map(str::trim).collect()).collect();
    let written: Vec<_> = written.iter().map(|cells| (cells[1], cells[column].to_owned())).collect();
    assert_eq!(asked.findings, written, "{:?} and docs/architecture.md", engine().name);
}

async fn transactions(asked: &mut Asked) {
    for _ in 0..2 {
        asked.transact(Some("again"), vec![asked.increment("AGAIN")]).await.unwrap();
    }
    let applied = asked.increments("AGAIN").await;
    asked.found("a transaction sent again with its token", times(applied));

    let other = asked.transact(Some("again"), vec![asked.increment("OTHER")]).await;
    asked.found("another transaction with that token", or_exception(other, "applied"));

    let at_once = (0..10).map(|_| asked.transact(Some("at once"), vec![asked.increment("AT ONCE")]));
    assert!(join_all(at_once).await.iter().all(Result::is_ok));
    let applied = asked.increments("AT ONCE").await;
    asked.found("ten times the same at once, with one token", times(applied));

    let at_once = (0..20).map(|_| asked.transact(None, vec![asked.increment("CONFLICT")]));
    let conflicts = join_all(at_once).await.into_iter().find_map(Result::err);
    asked.found("twenty transactions on one item at once", conflicts.unwrap_or("all applied".to_owned()));
    assert_eq!(asked.increments("CONFLICT").await, 20);

    asked.put("THERE", json!({ "S": "old" })).await.unwrap();
    let part = |returned: &str, name: &str| {
        json!({ "Put": {
            "TableName": asked.world.table().name(), "Item": key(name),
            "ConditionExpression": "attribute_not_exists(PK)", "ReturnValuesOnConditionCheckFailure": returned,
        }})
    };
    asked.put("THERE TOO", json!({ "S": "old" })).await.unwrap();
    let refused = asked.transact(None, vec![part("ALL_OLD", "THERE"), part("NONE", "THERE TOO")]).await;
    let reasons: Value = serde_json::from_str(&refused.unwrap_err()).unwrap();
    let gives = |part: usize| match reasons[part]["Item"]["A"]["S"].as_str() {
        Some("old") => "its item",
        Some(_) => "another item",
        None => "none",
    };
    assert!(reasons.as_array().unwrap().iter().all(|reason| reason["Code"] == "ConditionalCheckFailed"));
    asked.found("a part refused with `ALL_OLD`, one with `NONE`", format!("{}, {}", gives(0), gives(1)));

    let units = asked.transact(None, vec![asked.increment("ONE"), asked.increment("TWO")]).await.unwrap();
    let units = units["ConsumedCapacity"][0]["CapacityUnits"].as_f64();
    let units = units.map_or("not counted".to_owned(), |units| units.to_string());
    asked.found("write units of a transaction of two small items", units);
}

async fn sizes(asked: &mut Asked) {
    let item = |n: usize| {
        json!({ "PutRequest": { "Item": {
            "PK": { "S": "PAGES" }, "SK": { "S": format!("{n:02}") }, "A": { "S": "x".repeat(50_000) },
        }}})
    };
    for batch in [0..15, 15..30] {
        let puts: Vec<_> = batch.map(item).collect();
        let input = json!({ "RequestItems": { asked.world.table().name(): puts } });
        asked.world.dynamodb("BatchWriteItem", &input).await;
    }
    let query = json!({
        "KeyConditionExpression": "PK = :p", "ExpressionAttributeValues": { ":p": { "S": "PAGES" } },
    });
    let page = asked.call("Query", query.clone()).await.unwrap();
    assert!(page["LastEvaluatedKey"].is_object());
    asked.found("the first page of a Query for 30 items of 50 kB", format!("{} items", page["Count"]));

    let mut filtered = query;
    filtered["FilterExpression"] = "A = :p".into();
    let page = asked.call("Query", filtered).await.unwrap();
    assert_eq!(page["Count"], 0);
    let more = page["LastEvaluatedKey"].is_object();
    asked.found("the same with a filter that nothing passes", if more { "empty" } else { "empty, the last" });

    let keys: Vec<_> = (0..101).map(|n| key(&format!("K{n}"))).collect();
    let input = json!({ "RequestItems": { asked.world.table().name(): { "Keys": keys } } });
    let batch = answer(asked.world.try_dynamodb("local", "BatchGetItem", &input).await);
    asked.found("a BatchGetItem of 101 keys", or_exception(batch, "answered"));

    let mut outcomes = Vec::new();
    for size in [409_600, 409_601] {
        let names_and_keys = "PK".len() + "SIZE".len() + "SK".len() + "SK".len() + "A".len();
        let put = asked.put("SIZE", json!({ "S": "x".repeat(size - names_and_keys) })).await;
        outcomes.push(or_exception(put, "taken"));
    }
    asked.found("an item of 409,600 bytes, and of one more", outcomes.join(", "));
}

async fn values(asked: &mut Asked) {
    let empty_key = asked.put("", json!({ "S": "a" })).await;
    asked.found("an empty string in a key", or_exception(empty_key, "taken"));
    let empty = asked.kept("EMPTY", json!({ "S": "" })).await;
    asked.found(
        "an empty string elsewhere",
        or_exception(empty.map(|kept| assert_eq!(kept["S"], "")), "kept"),
    );
    let long = asked.kept("LONG", json!({ "N": "9".repeat(39) })).await;
    asked.found("a number of 39 digits", or_exception(long, "kept"));
    let exact = asked.kept("EXACT", json!({ "N": "9".repeat(38) })).await.unwrap();
    asked.found("a number of 38 digits", if exact["N"] == "9".repeat(38) { "kept" } else { "rounded" });
    let zeros = asked.kept("ZEROS", json!({ "N": "007" })).await.unwrap();
    asked.found("`007` as a number", format!("`{}`", zeros["N"].as_str().unwrap()));

    let wrong = json!({ "Key": { "PK": { "N": "1" }, "SK": { "S": "SK" } } });
    let wrong = asked.call("GetItem", wrong).await;
    asked.found("a key of the wrong type", or_exception(wrong, "nothing found"));
    let reversed = json!({
        "KeyConditionExpression": "PK = :p AND SK BETWEEN :z AND :a",
        "ExpressionAttributeValues": { ":p": { "S": "P" }, ":z": { "S": "z" }, ":a": { "S": "a" } },
    });
    let reversed = asked.call("Query", reversed).await;
    asked.found("`BETWEEN` with its ends reversed", or_exception(reversed, "nothing found"));
    let mut item = json!({ "Item": key("UNUSED"), "ConditionExpression": "attribute_not_exists(PK)" });
    item["ExpressionAttributeValues"] = json!({ ":unused": { "S": "x" } });
    let unused = asked.call("PutItem", item).await;
    asked.found("a value that no expression names", or_exception(unused, "overlooked"));
    asked.put("COMPARED", json!({ "S": "soon" })).await.unwrap();
    let compared = json!({
        "TableName": asked.world.table().name(), "Item": key("COMPARED"), "ConditionExpression": "A < :now",
        "ExpressionAttributeValues": { ":now": { "N": "1" } },
    });
    let outcome = match asked.world.try_dynamodb("local", "PutItem", &compared).await {
        // Its body is not DynamoDB's.
        (500, _) => "500".to_owned(),
        other => or_exception(answer(other), "holds"),
    };
    asked.found("a condition that compares a text with a number", outcome);
}

async fn bookkeeping(asked: &mut Asked) {
    let mut stale = 0;
    for n in 0..20 {
        let written = json!({ "N": n.to_string() });
        stale += usize::from(asked.kept("READ", written.clone()).await.unwrap() != written);
    }
    let read = if stale == 0 { "what was written" } else { "what was there before" };
    asked.found("a read without `ConsistentRead` after a write", read);
    let read = json!({ "Key": key("READ"), "ConsistentRead": true, "ReturnConsumedCapacity": "TOTAL" });
    let read = asked.call("GetItem", read).await.unwrap();
    let units = read["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap().to_string();
    asked.found("read units of a small item, `ConsistentRead`", units);

    let at_once = (0..20).map(|n| asked.put("HOT", json!({ "N": n.to_string() })));
    let throttled = join_all(at_once).await.into_iter().find_map(Result::err);
    asked.found("twenty writes of one key at once", throttled.unwrap_or("all applied".to_owned()));

    let ttl = json!({ "Enabled": true, "AttributeName": shared::table::storage::TTL_ATTRIBUTE });
    let twice = asked.call("UpdateTimeToLive", json!({ "TimeToLiveSpecification": ttl })).await;
    asked.found("TTL switched on where it is on", or_exception(twice, "taken"));

    let describe = json!({ "TableName": asked.world.table().name() });
    let other = answer(asked.world.try_dynamodb("other", "DescribeTable", &describe).await);
    asked.found("the table, by another access key id", or_exception(other, "is there"));
}
