//! The table's answers: what DynamoDB returns for the demo data (`cli/src/local/demo.rs`), made once.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

const ACME: &str = "6d24ab9faf9e034e881fcd97";
const GLOBEX: &str = "7e35bc0abf0f145f992gde08";
const JANE: &str = "kp_abc123def456";
const CREATED_AT: &str = "2026-01-02T03:04:05Z";

/// The answers, as bytes with their checksums.
pub struct Answers {
    signing_keys: Canned,
    email_claim: Canned,
    no_item: Canned,
    association: Canned,
    user: Canned,
    member: Canned,
    organizations: Canned,
    memberships: Canned,
    associations: Canned,
    counter: Canned,
    written: Canned,
    unknown: Canned,
}

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

    fn items(items: &[Value]) -> Self {
        Self::new(&json!({ "Count": items.len(), "Items": items, "ScannedCount": items.len() }))
    }

    fn batch(items: &[Value]) -> Self {
        Self::new(&json!({ "Responses": { "users": items }, "UnprocessedKeys": {} }))
    }
}

impl Answers {
    /// The answers of a table that holds these signing keys.
    pub fn new(jwks: &str) -> Self {
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
        let [acme, globex] =
            [(ACME, "Acme Corp", "acme-corp"), (GLOBEX, "Globex", "globex")].map(|(id, name, slug)| {
                let pk = format!("ORG#{id}");
                item(&[("PK", &pk), ("SK", "ORG"), ("Name", name), ("Slug", slug)])
            });
        let [of_acme, of_globex] = [ACME, GLOBEX].map(|id| {
            let sk = format!("MEMBERSHIP#{id}");
            item(&[("PK", "USER#kp_abc123def456"), ("SK", &sk), ("JoinedAt", CREATED_AT), ("AddedBy", JANE)])
        });
        let [at_acme, at_globex] = [(ACME, "C-10042"), (GLOBEX, "C-20099")].map(|(id, number)| {
            let sk = format!("CUSTOMER#{id}");
            item(&[("PK", "USER#kp_abc123def456"), ("SK", &sk), ("CustomerNumber", number)])
        });
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
            association: one(&at_acme),
            user: one(&jane),
            member: Canned::batch(&[jane.clone(), of_acme.clone()]),
            organizations: Canned::batch(&[acme, globex]),
            memberships: Canned::items(&[of_acme.clone(), of_globex, jane]),
            associations: Canned::items(&[at_acme, at_globex, of_acme]),
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

    fn choose(&self, headers: &HeaderMap, body: &[u8]) -> &Canned {
        let target = headers.get("x-amz-target").map_or(&b""[..], |target| target.as_bytes());
        let names = |what: &str| body.windows(what.len()).any(|window| window == what.as_bytes());
        match target.rsplit(|&byte| byte == b'.').next().unwrap_or_default() {
            b"GetItem" if names("SIGNING_KEYS") => &self.signing_keys,
            b"GetItem" if names("EMAIL#john@") => &self.email_claim,
            b"GetItem" if names("CUSTOMER#") => &self.association,
            b"GetItem" if names("PROFILE") => &self.user,
            b"GetItem" => &self.no_item,
            b"BatchGetItem" if names("ORG#") => &self.organizations,
            b"BatchGetItem" => &self.member,
            b"Query" if names("CUSTOMER") => &self.associations,
            b"Query" => &self.memberships,
            b"UpdateItem" => &self.counter,
            b"TransactWriteItems" | b"PutItem" => &self.written,
            _ => &self.unknown,
        }
    }
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
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
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
        let answers = Answers::new("{}");
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
        assert_eq!(pointed("BatchGetItem", r#"{"S":"ORG#a"}"#, "/Responses/users/1/Slug/S"), "globex");
        assert_eq!(pointed("BatchGetItem", r#"{"S":"USER#a"}"#, "/Responses/users/0/SK/S"), "PROFILE");
        assert_eq!(pointed("Query", r#"{"S":"CUSTOMER#"}"#, "/Items/0/CustomerNumber/S"), "C-10042");
        assert_eq!(pointed("Query", r#"{"S":"PROFILE"}"#, "/Items/2/SK/S"), "PROFILE");
        assert_eq!(answer("Scan", "").0, 400);
    }
}
