//! The corpora of `fuzz/`, put to the properties of their targets. Those of keys and stored items are put
//! to theirs by `shared`.

use std::path::Path;

#[path = "../../../fuzz/src/lib.rs"]
mod properties;

#[test]
fn every_known_event_gets_a_valid_answer_of_its_endpoint() {
    replay("response", properties::response);
    // The examples are events too.
    replay("../../events", properties::response);
}

#[test]
fn every_known_address_is_one_account_however_it_is_spelled() {
    replay("email", properties::email);
}

#[test]
fn every_known_query_string_is_read_as_it_is_written() {
    replay("query", properties::query);
}

#[test]
fn every_known_token_counts_as_an_independent_reading_says() {
    replay("token", properties::token);
}

fn replay(corpus: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(corpus);
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            println!("{}", path.display());
            property(&std::fs::read(path).unwrap());
            replayed += 1;
        }
    }
    assert!(replayed > 10, "{replayed}");
}
