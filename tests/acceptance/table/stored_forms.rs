//! Every kind of item in the form in which it is stored. The files in `stored/` are tables that were written by some
//! version. This and every later version must read them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use operator::table::{Disagreement, ImportOutcome, ImportedAccount};
use serde_json::{Value, json};
use shared::model::{Email, PhoneNumber};
use shared::table::storage::KeyKind;
use shared::table::{NewMembership, StoredSigningKeys};
use users::local::{SigningKey, TokenClaims};

use crate::harness::{Invocation, START, World, endpoint, text, updates, user};

const FULL: &str = "kp_full";
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZS1zYWx0LTAwMDAwMQ$4ebNy1PfgtqmDQrdi9PFxOHmzctT34LapQ0K3YvTxcU";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("acceptance/table/stored")
}

/// The key that signs for the stored key set.
fn key() -> SigningKey {
    SigningKey::kept_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/demo-key")).unwrap()
}

/// The tables, the oldest first.
fn fixtures() -> BTreeMap<u32, Vec<Value>> {
    let files = std::fs::read_dir(folder()).into_iter().flatten().map(|entry| entry.unwrap().path());
    files
        .map(|file| {
            let number = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            (number, serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
        })
        .collect()
}

/// The kind of an item, as its key says.
fn kind(item: &Value) -> KeyKind {
    shared::table::storage::Key::parse(&text(item, "PK"), &text(item, "SK")).unwrap().kind()
}

/// The items that this version writes: at least one of each kind, with and without what is optional.
async fn written() -> Vec<Value> {
    let world = World::start().await;
    let membership = |organization: &str| NewMembership {
        organization_id: organization.parse().unwrap(),
        added_by: "kp_admin".parse().unwrap(),
        joined_at: START,
    };
    let (acme, globex) = (crate::harness::ACME, crate::harness::GLOBEX);
    let account = |user| ImportedAccount {
        user,
        has_own_id: true,
        password: None,
        is_password_lost: false,
        created_at: START,
        created_by: "kp_admin".parse().unwrap(),
        password_hash: None,
        memberships: vec![membership(acme)],
        customer_accounts: vec![],
    };
    let mut full = account(user(FULL, "Zoë.Ångström@Exämple.COM"));
    full.user.preferred_email = Some("zoe@example.org".parse::<Email>().unwrap());
    full.user.phone_number = Some("+49 30 123456 x7".parse::<PhoneNumber>().unwrap());
    full.password_hash = Some(HASH.parse().unwrap());
    full.memberships.push(membership(globex));
    full.customer_accounts.push((acme.parse().unwrap(), "C-1".parse().unwrap()));
    let least = account(user("kp_least", "least@example.com"));
    for outcome in world.table().import(&[full, least], Disagreement::Refuse).await.unwrap() {
        assert_eq!(outcome, ImportOutcome::Created);
    }
    world.get("/api/users/exists?Email=least%40example.com").send().await.assert_ok(200);
    world.clock.advance(std::time::Duration::from_millis(1500));
    world.get("/api/users/exists?Email=least%40example.com").send().await.assert_ok(200);
    let keys = StoredSigningKeys { jwks: key().jwks(), fetched_at: START };
    // In place of those of the world, which are newer by chance or the same.
    world.delete_item("SIGNING_KEYS", "SIGNING_KEYS").await;
    assert!(world.functions_table().put_newer_signing_keys(&keys).await.unwrap());
    world.items().await
}

#[tokio::test]
async fn what_is_stored_has_the_form_of_the_newest_fixture() {
    let written = written().await;
    let kinds: BTreeSet<_> = written.iter().map(|item| format!("{:?}", kind(item))).collect();
    assert_eq!(kinds.len(), 8, "an item of each kind: {kinds:?}");
    let fixtures = fixtures();
    let newest = fixtures.last_key_value();
    if newest.is_some_and(|(_, stored)| *stored == written) {
        return;
    }
    let file = folder().join(format!("{}.json", newest.map_or(1, |(number, _)| number + 1)));
    if updates() {
        std::fs::create_dir_all(folder()).unwrap();
        let lines: Vec<_> = written.iter().map(Value::to_string).collect();
        std::fs::write(&file, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        return;
    }
    let stored = newest.map(|(_, stored)| stored.as_slice()).unwrap_or_default();
    let changed: Vec<_> = written.iter().filter(|item| !stored.contains(item)).collect();
    panic!(
        "items are stored in another form than in the newest fixture: {changed:#?}\n\
         Tables in the old form exist. Keep the old fixtures as they are, and add a new one beside them: \
         `cargo accept stored_forms` writes {}",
        file.display()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_that_was_ever_written_is_read() {
    let key = key();
    for (number, items) in fixtures() {
        let world = World::start().await;
        for item in world.items().await {
            world.delete_item(&text(&item, "PK"), &text(&item, "SK")).await;
        }
        for item in &items {
            world.put_item(item).await;
        }
        let examination = world.table().examine(|_, _| {}).await.unwrap();
        assert_eq!((examination.items, examination.violations.len()), (items.len() as u64, 0), "{number}");
        assert_eq!(
            world.table().all_organizations().await.unwrap().len(),
            of(&items, KeyKind::Organization).len()
        );

        // As requests do, by functions that have just started.
        let app = world.app(&[]);
        let token = |role: &str, user: &str, organization: &str| {
            let claims = TokenClaims {
                user_id: user.to_owned(),
                organization_id: organization.to_owned(),
                roles: vec![role.to_owned()],
                ..TokenClaims::default()
            };
            format!("Bearer {}", key.token(&claims, START))
        };
        let get = |path: &str| Invocation::of(endpoint(&format!("GET /api/users/{path}")));
        for membership in of(&items, KeyKind::Membership) {
            let (id, organization) = (second(membership, "PK"), second(membership, "SK"));
            let stored = of(&items, KeyKind::User).into_iter().find(|user| second(user, "PK") == id).unwrap();
            let profile = get("profile").bearer(&token("Customer", &id, &organization)).answer(&app).await;
            let profile = profile.assert_ok(200);
            let preferred = ["PreferredEmail", "Email"].map(|name| text(stored, name));
            let email = preferred.into_iter().find(|email| !email.is_empty()).unwrap();
            let phone = stored.get("PhoneNumber").map_or(Value::Null, |_| json!(text(stored, "PhoneNumber")));
            let expected = json!({
                "FirstName": text(stored, "FirstName"), "LastName": text(stored, "LastName"),
                "Email": email, "PhoneNumber": phone,
            });
            assert_eq!(profile, expected, "{number}");
            let organizations =
                get("organizations").bearer(&token("Admin", &id, &organization)).answer(&app).await;
            let organizations = organizations.assert_ok(200);
            let listed = organizations["Organizations"].as_array().unwrap();
            let listed =
                listed.iter().find(|listed| listed["OrganizationId"] == organization.as_str()).unwrap();
            let stored = of(&items, KeyKind::Organization);
            let stored = stored.into_iter().find(|stored| second(stored, "PK") == organization).unwrap();
            assert_eq!(
                (listed["Name"].clone(), listed["Slug"].clone()),
                (json!(text(stored, "Name")), json!(text(stored, "Slug")))
            );
        }
        for association in of(&items, KeyKind::CustomerAssociation) {
            let (id, organization) = (second(association, "PK"), second(association, "SK"));
            let admin = token("Admin", "kp_admin", &organization);
            let asked = get("customer-association").query(&format!("UserId={id}")).bearer(&admin);
            let found = asked.answer(&app).await.assert_ok(200);
            assert_eq!(found["CustomerNumber"], text(association, "CustomerNumber"));
        }
        for claim in of(&items, KeyKind::EmailClaim) {
            let email = second(claim, "PK");
            let query: String =
                email.bytes().fold(String::new(), |query, byte| format!("{query}%{byte:02X}"));
            let exists = get("exists").query(&format!("Email={query}")).at_address("198.51.100.9");
            assert_eq!(exists.answer(&app).await.assert_ok(200)["UserExists"], true, "{email}");
            // Its account is found and joined.
            let body = json!({ "FirstName": "X", "LastName": "Y", "Email": email }).to_string();
            let admin = token("Admin", "kp_admin", crate::harness::GLOBEX);
            let created = Invocation::of(endpoint("POST /api/users")).body(&body).bearer(&admin);
            created.answer(&app).await.assert_ok(200);
        }
        for limit in of(&items, KeyKind::RateLimit) {
            let client = text(limit, "PK").rsplit('#').next().unwrap().to_owned();
            let times = limit
                .as_object()
                .unwrap()
                .iter()
                .filter(|(name, time)| name.starts_with('T') && time["N"] != "0")
                .count();
            let exists = get("exists").query("Email=x%40example.com").at_address(&client).answer(&app).await;
            let remaining = format!("\"exists\";r={};", 9 - times);
            assert!(
                exists.header("ratelimit").unwrap().starts_with(&remaining),
                "{:?}",
                exists.header("ratelimit")
            );
        }
        for credential in of(&items, KeyKind::Credential) {
            let id = second(credential, "PK").parse().unwrap();
            let hashes = world.table().password_hashes(std::slice::from_ref(&id)).await.unwrap();
            assert_eq!(hashes[&id].as_str(), text(credential, "PasswordHash"));
        }
    }
}

fn of(items: &[Value], wanted: KeyKind) -> Vec<&Value> {
    items.iter().filter(|item| kind(item) == wanted).collect()
}

/// What comes after the `#` in a part of a key.
fn second(item: &Value, attribute: &str) -> String {
    text(item, attribute).split_once('#').unwrap().1.to_owned()
}
