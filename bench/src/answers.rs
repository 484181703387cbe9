//! The table's answers: what DynamoDB returns for the demo data (`cli/src/local/demo.rs`), made once. The user may be in
//! more organizations than there.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

const ACME: &str = "6d24ab9faf9e034e881fcd97";
const GLOBEX: &str = "7e35bc0abf0f145f992gde08";
const JANE: &str = "kp_abc123def456";
/// How many organizations the user of the demo data is in.
pub const DEMO_LIST_LENGTH: usize = 2;
/// The most that a page of a query has, in bytes of items (DynamoDB API Reference, `Query`).
const MAX_PAGE_BYTES: usize = 1 << 20;
const CREATED_AT: &str = "2026-01-02T03:04:05Z";

/// The answers, as bytes with their checksums.
pub struct Answers {
    signing_keys: Canned,
    email_claim: Canned,
    no_item: Canned,
    association: Canned,
    user: Canned,
    member: Canned,
    /// By id.
    organizations: HashMap<String, Value>,
    memberships: Vec<Page>,
    associations: Vec<Page>,
    counter: Canned,
    written: Canned,
    unknown: Canned,
}

/// A page of a query.
struct Page {
    /// The sort key after which it starts; empty for the first page.
    after: String,
    answer: Canned,
}

#[derive(Clone)]
struct Canned {
    status: StatusCode,
    body: Bytes,
    checksum: String,
}

impl Canned {
    fn new(body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self { status: StatusCode::OK, checksum: crc32(&body).to_string(), body }
    }

    fn batch(items: &[&Value]) -> Self {
        Self::new(&json!({ "Responses": { "users": items }, "UnprocessedKeys": {} }))
    }
}

impl Answers {
    /// The answers of a table that holds these signing keys and a user who is in so many organizations.
    pub fn new(jwks: &str, list_length: usize) -> Self {
        let jane = item(&[
            ("PK", "USER#kp_abc123def456"),
            ("SK", "PROFILE"),
            ("FirstName", "Jane"),
            ("LastName", "Smith"),
            ("Email", "jane@example.com"),
            ("PhoneNumber", "561-555-1212"),
            ("CreatedAt", CREATED_AT),
            ("CreatedBy", JANE),
        ]);
        let membership = |number| {
            let sk = format!("MEMBERSHIP#{}", organization_id(number));
            item(&[("PK", "USER#kp_abc123def456"), ("SK", &sk), ("JoinedAt", CREATED_AT), ("AddedBy", JANE)])
        };
        let association = |number| {
            let [id, _, _, customer] = organization(number);
            let sk = format!("CUSTOMER#{id}");
            item(&[("PK", "USER#kp_abc123def456"), ("SK", &sk), ("CustomerNumber", &customer)])
        };
        let keys = item(&[
            ("PK", "SIGNING_KEYS"),
            ("SK", "SIGNING_KEYS"),
            ("Jwks", jwks),
            ("FetchedAt", CREATED_AT),
        ]);
        let claim =
            item(&[("PK", "EMAIL#john@example.com"), ("SK", "EMAIL"), ("UserId", "kp_john456doe789")]);
        let one = |item: &Value| Canned::new(&json!({ "Item": item }));
        Self {
            signing_keys: one(&keys),
            email_claim: one(&claim),
            no_item: Canned::new(&json!({})),
            association: one(&association(0)),
            user: one(&jane),
            member: Canned::batch(&[&jane, &membership(0)]),
            organizations: (0..list_length).map(organization_item).collect(),
            memberships: pages((0..list_length).map(membership).chain([jane])),
            associations: pages((0..list_length).map(association).chain([membership(0)])),
            counter: Canned::new(&counter()),
            written: Canned::new(&json!({})),
            unknown: Canned {
                status: StatusCode::BAD_REQUEST,
                ..Canned::new(&json!({ "__type": "com.amazon.coral.service#UnknownOperationException" }))
            },
        }
    }

    /// The answer to a call.
    pub fn to(&self, headers: &HeaderMap, body: &[u8]) -> Response<Full<Bytes>> {
        let canned = self.choose(headers, body);
        let mut response = Response::new(Full::new(canned.body.clone()));
        *response.status_mut() = canned.status;
        let headers = response.headers_mut();
        // The headers of the real DynamoDB. Some SDKs verify the checksum.
        for (name, value) in [
            ("server", "Server"),
            ("content-type", "application/x-amz-json-1.0"),
            ("connection", "keep-alive"),
            ("x-amzn-requestid", "0PC4QQ5D6CCRBO0QKJ4L7GA3BBVV4KQNSO5AEMVJF66Q9ASUAAJG"),
            ("x-amz-crc32", &canned.checksum),
        ] {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        response
    }

    fn choose(&self, headers: &HeaderMap, body: &[u8]) -> Canned {
        let target = headers.get("x-amz-target").map_or(&b""[..], |target| target.as_bytes());
        let names = |what: &str| body.windows(what.len()).any(|window| window == what.as_bytes());
        let page = |pages: &[Page]| {
            let later = pages.iter().skip(1).rfind(|page| names(&page.after)).or(pages.first());
            later.map_or_else(|| self.no_item.clone(), |page| page.answer.clone())
        };
        let canned = match target.rsplit(|&byte| byte == b'.').next().unwrap_or_default() {
            b"GetItem" if names("SIGNING_KEYS") => &self.signing_keys,
            b"GetItem" if names("EMAIL#john@") => &self.email_claim,
            b"GetItem" if names("CUSTOMER#") => &self.association,
            b"GetItem" if names("PROFILE") => &self.user,
            b"GetItem" => &self.no_item,
            b"BatchGetItem" if names("ORG#") => return self.organizations(body),
            b"BatchGetItem" => &self.member,
            b"Query" if names("CUSTOMER") => return page(&self.associations),
            b"Query" => return page(&self.memberships),
            b"UpdateItem" => &self.counter,
            b"TransactWriteItems" | b"PutItem" => &self.written,
            _ => &self.unknown,
        };
        canned.clone()
    }

    /// Those of the organizations that a batch names which the user is in.
    fn organizations(&self, body: &[u8]) -> Canned {
        let body = String::from_utf8_lossy(body);
        let ids = body.split("\"ORG#").skip(1).filter_map(|rest| rest.split('"').next());
        Canned::batch(&ids.filter_map(|id| self.organizations.get(id)).collect::<Vec<_>>())
    }
}

/// One of the organizations that the user is in, in the order of the ids: id, name, slug, and the user's customer
/// number there.
pub fn organization(number: usize) -> [String; 4] {
    match number {
        0 => [ACME, "Acme Corp", "acme-corp", "C-10042"].map(ToOwned::to_owned),
        1 => [GLOBEX, "Globex", "globex", "C-20099"].map(ToOwned::to_owned),
        _ => [
            format!("org_{number:020}"),
            format!("Organization {number}"),
            format!("organization-{number}"),
            format!("C-{number:05}"),
        ],
    }
}

fn organization_id(number: usize) -> String {
    let [id, ..] = organization(number);
    id
}

/// An organization's id and item.
fn organization_item(number: usize) -> (String, Value) {
    let [id, name, slug, _] = organization(number);
    let pk = format!("ORG#{id}");
    (id, item(&[("PK", &pk), ("SK", "ORG"), ("Name", &name), ("Slug", &slug)]))
}

/// The pages of a query that finds these items.
fn pages(items: impl Iterator<Item = Value>) -> Vec<Page> {
    let (mut pages, mut after, mut page, mut bytes) = (Vec::new(), String::new(), Vec::new(), 0);
    let mut items = items.peekable();
    while let Some(item) = items.next() {
        bytes += size(&item);
        page.push(item);
        if items.peek().is_some_and(|next| bytes + size(next) <= MAX_PAGE_BYTES) {
            continue;
        }
        let (count, last) = (page.len(), page.last().map(key).unwrap_or_default());
        let next = last.pointer("/SK/S").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut answer = json!({ "Count": count, "Items": page, "ScannedCount": count });
        if items.peek().is_some()
            && let Some(answer) = answer.as_object_mut()
        {
            answer.insert("LastEvaluatedKey".to_owned(), last);
        }
        let answer = Canned::new(&answer);
        pages.push(Page { after: std::mem::replace(&mut after, next), answer });
        (page, bytes) = (Vec::new(), 0);
    }
    pages
}

/// An item's key.
fn key(item: &Value) -> Value {
    let part = |name: &str| item.get(name).cloned().unwrap_or_default();
    json!({ "PK": part("PK"), "SK": part("SK") })
}

/// The size of an item whose attributes are texts: that of names and values, in bytes (DynamoDB Developer Guide,
/// "DynamoDB item sizes and formats").
fn size(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    attributes.map(|(name, value)| name.len() + value["S"].as_str().map_or(0, str::len)).sum()
}

fn item(attributes: &[(&str, &str)]) -> Value {
    let texts = attributes.iter().map(|&(name, text)| (name.to_owned(), json!({ "S": text })));
    Value::Object(texts.collect::<Map<_, _>>())
}

/// The counter of a client that asks every 7 s, with the request that was just admitted.
fn counter() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut item = item(&[("PK", "RATE#exists#203.0.113.7"), ("SK", "RATE")]);
    if let Some(attributes) = item.as_object_mut() {
        for n in 1..=10 {
            let time = now.as_millis() - (n - 1) * 7000;
            attributes.insert(format!("T{n}"), json!({ "N": time.to_string() }));
        }
        attributes.insert("ExpiresAt".to_owned(), json!({ "N": (now.as_secs() + 61).to_string() }));
    }
    json!({ "Attributes": item })
}

/// CRC-32 as in IEEE 802.3, which `x-amz-crc32` carries.
fn crc32(bytes: &[u8]) -> u32 {
    static OF_BYTES: LazyLock<[u32; 256]> = LazyLock::new(|| {
        let of_byte = |byte: usize| {
            let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
            (0..8).fold(u32::try_from(byte).unwrap_or_default(), step)
        };
        std::array::from_fn(of_byte)
    });
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        let of_byte = OF_BYTES.get(usize::from(crc.to_le_bytes()[0] ^ byte)).copied().unwrap_or_default();
        (crc >> 8) ^ of_byte
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_check_string_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn each_operation_and_key_has_its_own_answer() {
        let answers = Answers::new("{}", DEMO_LIST_LENGTH);
        let answer = |operation: &str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-amz-target", format!("DynamoDB_20120810.{operation}").parse().unwrap());
            let canned = answers.choose(&headers, body.as_bytes());
            (canned.status.as_u16(), serde_json::from_slice::<Value>(&canned.body).unwrap())
        };
        let pointed = |operation: &str, body: &str, pointer: &str| {
            answer(operation, body).1.pointer(pointer).cloned().unwrap_or_default()
        };
        assert_eq!(pointed("GetItem", r#"{"S":"EMAIL#john@example.com"}"#, "/Item/SK/S"), "EMAIL");
        assert_eq!(answer("GetItem", r#"{"S":"EMAIL#grace@example.com"}"#), (200, json!({})));
        assert_eq!(pointed("GetItem", r#"{"S":"SIGNING_KEYS"}"#, "/Item/Jwks/S"), "{}");
        let globex = r#"{"S":"ORG#a"},{"S":"ORG#7e35bc0abf0f145f992gde08"}"#;
        assert_eq!(pointed("BatchGetItem", globex, "/Responses/users/0/Slug/S"), "globex");
        assert_eq!(pointed("BatchGetItem", r#"{"S":"USER#a"}"#, "/Responses/users/0/SK/S"), "PROFILE");
        assert_eq!(pointed("Query", r#"{"S":"CUSTOMER#"}"#, "/Items/0/CustomerNumber/S"), "C-10042");
        assert_eq!(pointed("Query", r#"{"S":"PROFILE"}"#, "/Items/2/SK/S"), "PROFILE");
        assert_eq!(answer("Scan", "").0, 400);
    }

    #[test]
    fn a_long_list_has_pages_that_continue_where_the_last_one_ended() {
        let answers = Answers::new("{}", 10_000);
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", "DynamoDB_20120810.Query".parse().unwrap());
        let (mut sorts, mut body, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page: Value =
                serde_json::from_slice(&answers.choose(&headers, body.as_bytes()).body).unwrap();
            let items = page["Items"].as_array().unwrap();
            assert!(items.iter().map(size).sum::<usize>() <= MAX_PAGE_BYTES);
            sorts.extend(items.iter().map(|item| item["SK"]["S"].as_str().unwrap().to_owned()));
            pages += 1;
            match page.get("LastEvaluatedKey") {
                Some(last) => body = json!({ "ExclusiveStartKey": last }).to_string(),
                None => break,
            }
        }
        assert_eq!((pages, sorts.len()), (2, 10_001));
        assert!(sorts.is_sorted());
    }
}
