//! Project Wycheproof's vectors for signatures and keys (`vectors/README.md`), put to the step that
//! verifies signatures. What is deliberately supported less is listed by case, with the reason.

use serde_json::Value;
use shared::auth::{Jws, SigningKeys};

/// The cases of which the vectors say otherwise, and why: the file's case number.
const SIGNATURE_EXCEPTIONS: &[(u64, &str)] = &[
    (346, "the key's own algorithm is PS256, the token's PS384: the algorithm comes from the key"),
    (347, "ES512 is not supported"),
    (350, "the key's own algorithm is PS256, the token's PS384: the algorithm comes from the key"),
    (351, "ES512 is not supported"),
    (367, "accepted: the padding that it speaks of is not in its text, which is a rightly signed token"),
    (370, "accepted: the same text as 367"),
    (372, "a character that is not base64url is refused, not skipped"),
    (373, "a character that is not base64url is refused, not skipped"),
];
const KEY_EXCEPTIONS: &[(u64, &str)] = &[(14, "HS384 is not supported"), (15, "HS512 is not supported")];

fn vectors(file: &str) -> Vec<(String, Value, Value)> {
    let file =
        std::fs::read_to_string(format!("{}/acceptance/security/vectors/{file}", env!("CARGO_MANIFEST_DIR")));
    let file: Value = serde_json::from_str(&file.unwrap()).unwrap();
    let groups = file["testGroups"].as_array().unwrap().clone();
    let cases = groups.into_iter().flat_map(|group| {
        let key = if group["public"].is_null() { &group["private"] } else { &group["public"] }.clone();
        let comment = group["comment"].as_str().unwrap().to_owned();
        let tests = group["tests"].as_array().unwrap().clone();
        tests.into_iter().map(move |test| (comment.clone(), key.clone(), test))
    });
    cases.collect()
}

/// Whether a token counts under a key or a set of keys, as an operator would give them inline.
fn accepted(key: &Value, jws: &str) -> Result<(), String> {
    let set = if key["keys"].is_array() { key.clone() } else { serde_json::json!({ "keys": [key] }) };
    let keys = SigningKeys::parse_inline(&set.to_string())?;
    Jws::parse(jws)?.verify(&keys)?;
    Ok(())
}

#[test]
fn signatures() {
    run("json_web_signature_test.json", 401, SIGNATURE_EXCEPTIONS);
}

#[test]
fn keys() {
    run("json_web_key_test.json", 26, KEY_EXCEPTIONS);
}

fn run(file: &str, count: usize, exceptions: &[(u64, &str)]) {
    let cases = vectors(file);
    assert_eq!(cases.len(), count);
    let mut surprises = Vec::new();
    for (group, key, test) in cases {
        let outcome = accepted(&key, test["jws"].as_str().unwrap_or(""));
        let case = format!("{group} {} {}", test["tcId"], test["comment"].as_str().unwrap());
        let exception = exceptions.iter().any(|(number, _)| test["tcId"] == *number);
        let accepted_by_vectors = match test["result"].as_str().unwrap() {
            "valid" => true,
            "invalid" => false,
            other => panic!("{case}: {other}"),
        };
        if outcome.is_ok() != (accepted_by_vectors != exception) {
            surprises.push(format!("{case}: {outcome:?}"));
        }
    }
    assert!(surprises.is_empty(), "{surprises:#?}");
}
