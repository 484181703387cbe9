//! `POST /api/users`

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

use super::{BATCH, OF_USER, Row, TRANSACTION};
use crate::endpoints::document::{example_request, example_response};
use crate::harness::{ACME, Answer, GLOBEX, JANE, World, text, user};

const ROUTE: &str = "POST /api/users";
const PATH: &str = "/api/users";
const PASSWORD: &str = "SecurePass123!";

pub const ROW: Row = Row {
    route: "POST /api/users",
    way: "create-user, e-mail registered",
    role: Some("Admin"),
    reads: &["sub", "OrganizationId"],
    query: "",
    body: r#"{"FirstName":"Jane","LastName":"Smith","Email":"jane@example.com"}"#,
    status: 200,
    waves: &[&[BATCH], &[OF_USER], &[TRANSACTION]],
    shows: &["FirstName", "LastName", "Email", "PhoneNumber"],
    about: None,
};

/// The document's body, with an e-mail address put in.
fn jane(email: &str) -> Value {
    json!({
        "FirstName": "Jane", "LastName": "Smith", "Email": email,
        "Password": PASSWORD, "PhoneNumber": "561-555-1212",
    })
}

/// The document's body with one member replaced; removed where the value is `None`.
fn with(member: &str, value: Option<Value>) -> Value {
    let mut body = jane("new@example.com");
    match value {
        Some(value) => body[member] = value,
        None => drop(body.as_object_mut().unwrap().remove(member)),
    }
    body
}

/// What a user's partition holds, by sort key.
async fn sort_keys(world: &World, user: &str) -> Vec<String> {
    let items = world.partition(&format!("USER#{user}")).await;
    items.iter().map(|item| text(item, "SK")).collect()
}

#[tokio::test]
async fn the_documents_example_creates_the_user() {
    let world = World::start().await;
    let email = "jane.smith@example.org";
    let answer = example_request(&world, ROUTE, &world.admin(ACME), email).send().await;
    assert_eq!(answer.assert_ok(201), example_response(ROUTE, email));
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn the_documents_example_reuses_a_registered_account() {
    let world = World::start().await;
    let email = "jane@example.com";
    let answer = example_request(&world, ROUTE, &world.admin(ACME), email).send().await;
    assert_eq!(answer.assert_ok(200), example_response(ROUTE, email));
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn the_new_user_is_a_member_of_the_admins_organization_alone() {
    let world = World::start().await;
    world.create(GLOBEX, &jane("new@example.com")).await.assert_ok(201);
    let id = world.user_id_of("new@example.com").await.unwrap();
    assert_eq!(world.organizations_of(&id).await, [GLOBEX]);
    let profile = |organization| {
        world.get("/api/users/profile").bearer(world.bearer("Customer", &id, organization)).send()
    };
    assert_eq!(profile(GLOBEX).await.assert_ok(200), example_response(ROUTE, "new@example.com"));
    profile(ACME).await.assert_problem(404);
}

#[tokio::test]
async fn the_email_is_from_then_on_the_one_of_an_account() {
    let world = World::start().await;
    let exists = || world.get("/api/users/exists?Email=new@example.com").send();
    assert_eq!(exists().await.json()["UserExists"], false);
    world.create(ACME, &jane("new@example.com")).await.assert_ok(201);
    assert_eq!(exists().await.json()["UserExists"], true);
}

#[tokio::test]
async fn a_new_user_gets_an_id_of_128_random_bits() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for email in ["one@example.com", "two@example.com"] {
        world.create(ACME, &jane(email)).await.assert_ok(201);
        let id = world.user_id_of(email).await.unwrap();
        let hex = id.strip_prefix("user_").unwrap();
        assert_eq!(hex.len(), 32);
        assert!(hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn the_records_say_who_made_them_and_when() {
    let world = World::start().await;
    world.create(ACME, &jane("new@example.com")).await.assert_ok(201);
    let id = world.user_id_of("new@example.com").await.unwrap();
    let mut items = world.partition(&format!("USER#{id}")).await;
    items.extend(world.partition("EMAIL#new@example.com").await);
    let items = Value::from(items).to_string().replace(&id, "<id>");
    let items: Value = serde_json::from_str(&items).unwrap();
    insta::assert_json_snapshot!(items);
}

#[tokio::test]
async fn a_required_field_that_is_missing_is_named() {
    let world = World::start().await;
    for field in ["FirstName", "LastName", "Email"] {
        for value in [None, Some(Value::Null)] {
            let answer = world.create(ACME, &with(field, value)).await;
            answer.assert_invalid(&[field]);
            assert_eq!(answer.json()["errors"][field], json!([format!("{field} is required.")]));
        }
    }
    let answer = world.create(ACME, &json!({})).await;
    answer.assert_invalid(&["FirstName", "LastName", "Email"]);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn every_field_that_is_invalid_is_named_in_one_400() {
    let world = World::start().await;
    let body = json!({
        "FirstName": " ", "LastName": 7, "Email": "jane", "Password": "short", "PhoneNumber": "none",
    });
    let answer = world.create(ACME, &body).await;
    answer.assert_invalid(&["FirstName", "LastName", "Email", "Password", "PhoneNumber"]);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn a_field_of_another_type_than_string_is_invalid() {
    let world = World::start().await;
    for field in ["FirstName", "LastName", "Email", "Password", "PhoneNumber"] {
        for value in [json!(1), json!(true), json!(["x"]), json!({ "x": 1 })] {
            let answer = world.create(ACME, &with(field, Some(value))).await;
            answer.assert_invalid(&[field]);
            assert_eq!(answer.json()["errors"][field], json!([format!("{field} must be a string.")]));
        }
    }
}

#[tokio::test]
async fn names_are_trimmed_and_have_1_to_100_visible_characters() {
    let world = World::start().await;
    for field in ["FirstName", "LastName"] {
        for bad in
            ["", " \t ", "a\nb", "a\u{0}b", "Ja\u{200b}ne", "\u{202e}Jane", "\u{3164}", &"é".repeat(101)]
        {
            world.create(ACME, &with(field, Some(bad.into()))).await.assert_invalid(&[field]);
        }
    }
    let mut body = jane("names@example.com");
    body["FirstName"] = "  Zoë-Ann \u{2009}".into();
    body["LastName"] = "é".repeat(100).into();
    let created = world.create(ACME, &body).await.assert_ok(201);
    assert_eq!(created["FirstName"], "Zoë-Ann");
    assert_eq!(created["LastName"], "é".repeat(100));
}

#[tokio::test]
async fn an_email_that_is_malformed_or_over_254_octets_is_invalid() {
    let world = World::start().await;
    let of_length = |length: usize| {
        let labels = format!("{0}.{0}.{0}.example", "d".repeat(60));
        format!("{}@{labels}", "l".repeat(length - labels.len() - 1))
    };
    for bad in [
        "",
        "jane",
        "jane@",
        "@example.com",
        "jane@example",
        "jane doe@example.com",
        "Jane <jane@example.com>",
        "jane@example.com, joe@example.com",
        "jane@exa\u{200b}mple.com",
        "ja\u{ad}ne@example.com",
        &of_length(255),
    ] {
        world.create(ACME, &with("Email", Some(bad.into()))).await.assert_invalid(&["Email"]);
    }
    world.create(ACME, &jane(&of_length(254))).await.assert_ok(201);
}

#[tokio::test]
async fn a_phone_number_is_kept_as_usually_written() {
    let world = World::start().await;
    for bad in ["12", "phone", "12\u{200b}3", "１２３", &"1".repeat(33)] {
        world.create(ACME, &with("PhoneNumber", Some(bad.into()))).await.assert_invalid(&["PhoneNumber"]);
    }
    let longest = "1".repeat(32);
    for (n, (written, kept)) in [
        ("911", json!("911")),
        ("+49 (0)30 12.34-5 x6#", json!("+49 (0)30 12.34-5 x6#")),
        (longest.as_str(), json!(longest)),
        (" 561\u{a0}555\u{2011}1212 ext. 5\n", json!("561 555-1212 x5")),
        ("", Value::Null),
        ("  ", Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = jane(&format!("phone{n}@example.com"));
        body["PhoneNumber"] = written.into();
        let created = world.create(ACME, &body).await.assert_ok(201);
        assert_eq!(created["PhoneNumber"], kept);
    }
}

#[tokio::test]
async fn a_password_has_8_to_128_characters_and_is_not_a_common_one() {
    let world = World::start().await;
    for bad in ["", "1234567", "éééé123", "password", "PassWord1", &"x".repeat(129)] {
        world.create(ACME, &with("Password", Some(bad.into()))).await.assert_invalid(&["Password"]);
    }
    for (n, good) in ["aaaaaaab", "密码密码密码密码", &"é".repeat(128), "  spaces  "].into_iter().enumerate()
    {
        let mut body = jane(&format!("password{n}@example.com"));
        body["Password"] = good.into();
        world.create(ACME, &body).await.assert_ok(201);
    }
}

#[tokio::test]
async fn password_and_phone_number_are_optional() {
    let world = World::start().await;
    let mut body = json!({ "FirstName": "Jane", "LastName": "Smith", "Email": "one@example.com" });
    let absent = world.create(ACME, &body).await;
    body["Email"] = "two@example.com".into();
    body["Password"] = Value::Null;
    body["PhoneNumber"] = Value::Null;
    world.create(ACME, &body).await.assert_ok(201);
    absent.assert_ok(201);
    insta::assert_json_snapshot!(absent.stable_json());

    let items = world.items().await;
    assert!(!items.iter().any(|item| text(item, "PK").starts_with("CREDENTIAL#")));
    let of_created = items.iter().filter(|item| text(item, "Email").starts_with(['o', 't']));
    for item in of_created.clone() {
        assert!(item.get("PhoneNumber").is_none(), "{item}");
    }
    assert_eq!(of_created.count(), 2);
}

#[tokio::test]
async fn a_password_is_stored_only_as_argon2id_in_its_own_partition() {
    let world = World::start().await;
    for email in ["one@example.com", "two@example.com"] {
        world.create(ACME, &jane(email)).await.assert_ok(201);
    }
    let mut hashes = Vec::new();
    for email in ["one@example.com", "two@example.com"] {
        let id = world.user_id_of(email).await.unwrap();
        let credential = world.partition(&format!("CREDENTIAL#{id}")).await;
        assert_eq!(credential.len(), 1);
        assert_eq!(text(&credential[0], "SK"), "CREDENTIAL");
        assert_eq!(credential[0].as_object().unwrap().len(), 3, "{credential:?}");
        hashes.push(text(&credential[0], "PasswordHash"));
    }
    for hash in &hashes {
        let parts: Vec<_> = hash.split('$').collect();
        assert_eq!(parts[..4], ["", "argon2id", "v=19", "m=19456,t=2,p=1"], "{hash}");
        assert_eq!(parts.len(), 6);
    }
    // Each has a salt of its own.
    assert_ne!(hashes[0], hashes[1]);

    let items = world.items().await;
    assert!(!serde_json::to_string(&items).unwrap().contains(PASSWORD));
    let holders = items.iter().filter(|item| item.to_string().to_lowercase().contains("password"));
    assert!(holders.clone().all(|item| text(item, "PK").starts_with("CREDENTIAL#")));
    assert_eq!(holders.count(), 2);
}

#[tokio::test]
async fn no_answer_ever_holds_the_password_or_its_hash() {
    let world = World::start().await;
    let mut bodies = vec![jane("new@example.com"), jane("new@example.com")];
    bodies.push(with("Email", None));
    bodies.push(with("FirstName", Some(PASSWORD.len().into())));
    let mut answers = Vec::new();
    for body in &bodies {
        answers.push(world.create(ACME, body).await);
    }
    answers.push(world.create("org_nowhere", &jane("other@example.com")).await);
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [201, 200, 400, 400, 400]);
    for too_short in ["Secr3t!", "Password1!"] {
        let answer = world.create(ACME, &with("Password", Some(too_short.into()))).await;
        answer.assert_invalid(&["Password"]);
        assert!(!format!("{answer:?}").contains(too_short));
    }
    let id = world.user_id_of("new@example.com").await.unwrap();
    let profile = world.get("/api/users/profile").bearer(world.bearer("Customer", &id, ACME));
    answers.push(profile.send().await);
    for answer in answers {
        let all = format!("{answer:?}");
        assert!(!all.contains(PASSWORD) && !all.contains("argon2"), "{all}");
    }
}

#[tokio::test]
async fn a_registered_account_gains_only_the_membership() {
    let world = World::start().await;
    world.create(ACME, &jane("new@example.com")).await.assert_ok(201);
    let before = world.items().await;
    let id = world.user_id_of("new@example.com").await.unwrap();

    let other = json!({
        "FirstName": "Eve", "LastName": "Other", "Email": "NEW@example.com",
        "Password": "another password", "PhoneNumber": "000-000-0000",
    });
    let answer = world.create(GLOBEX, &other).await;
    assert_eq!(answer.assert_ok(200), example_response(ROUTE, "new@example.com"));
    insta::assert_json_snapshot!(answer.stable_json());

    let mut after = world.items().await;
    let membership = format!("MEMBERSHIP#{GLOBEX}");
    let added = after
        .iter()
        .position(|item| text(item, "PK") == format!("USER#{id}") && text(item, "SK") == membership);
    after.remove(added.unwrap());
    assert_eq!(before, after);
    assert_eq!(world.organizations_of(&id).await, [ACME, GLOBEX]);
}

#[tokio::test]
async fn a_second_creation_adds_no_password() {
    let world = World::start().await;
    world.create(ACME, &jane("john@example.com")).await.assert_ok(200);
    let items = world.items().await;
    assert!(!items.iter().any(|item| text(item, "PK").starts_with("CREDENTIAL#")));
}

#[tokio::test]
async fn a_registered_account_has_its_login_email_and_nulls() {
    let world = World::start().await;
    let mut someone = user("kp_pref", "login@example.com");
    someone.preferred_email = Some("preferred@example.com".parse().unwrap());
    world.put_user(someone, &[ACME]).await;
    let answer = world.create(ACME, &jane("login@example.com")).await;
    answer.assert_ok(200);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn the_same_post_twice_is_201_then_200_and_changes_nothing() {
    let world = World::start().await;
    let body = jane("twice@example.com");
    let first = world.create(ACME, &body).await;
    let between = world.items().await;
    world.clock.advance(std::time::Duration::from_secs(1));
    let second = world.create(ACME, &body).await;
    assert_eq!(first.assert_ok(201), second.assert_ok(200));
    assert_eq!(world.items().await, between);
}

#[tokio::test]
async fn fifty_creations_of_one_email_at_once_make_one_account() {
    let world = World::start().await;
    let before = world.items().await.len();
    let creations = (0..50).map(|n| {
        let email = if n % 3 == 0 { "Race@Example.com" } else { "race@example.com" };
        let mut body = jane(email);
        body["FirstName"] = format!("Racer {n}").into();
        let organization = if n % 2 == 0 { ACME } else { GLOBEX };
        let world = &world;
        async move { world.create(organization, &body).await }
    });
    let answers: Vec<_> = stream::iter(creations).buffer_unordered(50).collect().await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 1, "{answers:?}");
    for answer in &answers {
        answer.assert_well_formed();
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        // Everyone is told of the one account.
        assert_eq!(answer.json(), created[0].json());
    }

    let id = world.user_id_of("race@example.com").await.unwrap();
    assert_eq!(world.organizations_of(&id).await, [ACME, GLOBEX]);
    let membership = |organization| format!("MEMBERSHIP#{organization}");
    assert_eq!(sort_keys(&world, &id).await, [membership(ACME), membership(GLOBEX), "PROFILE".to_owned()]);
    // An e-mail claim, a user, a credential and two memberships: nobody left a trace who lost.
    assert_eq!(world.items().await.len(), before + 5);
}

#[tokio::test]
async fn creations_of_different_emails_at_once_all_succeed() {
    let world = World::start().await;
    let creations = (0..20).map(|n| {
        let mut body = jane(&format!("crowd{n}@example.com"));
        body["Password"] = Value::Null;
        let world = &world;
        async move { world.create(ACME, &body).await.status }
    });
    assert_eq!(join_all(creations).await, [201; 20]);
}

/// Creates an account under one spelling and again under another: the status of the second.
async fn created_under(world: &World, one: &str, other: &str) -> u16 {
    let body = |email: &str| json!({ "FirstName": "A", "LastName": "B", "Email": email });
    let first = world.create(ACME, &body(one)).await;
    assert_eq!(first.assert_ok(201)["Email"], one.trim());
    let second = world.create(ACME, &body(other)).await;
    let answered = if second.status == 200 { one } else { other };
    assert_eq!(second.assert_ok(second.status)["Email"], answered.trim());
    second.status
}

#[tokio::test]
async fn spellings_of_one_address_are_one_account() {
    let world = World::start().await;
    for (one, other) in [
        ("Jane@X.com", "jane@x.com"),
        (" trimmed@x.com\n", "trimmed@x.com"),
        ("\u{c4}RGER@x.com", "\u{e4}rger@x.com"),
        ("nfc\u{e4}@x.com", "nfca\u{308}@x.com"),
        ("idn@B\u{dc}CHER.example", "idn@xn--bcher-kva.example"),
        ("idn2@XN--BCHER-KVA.example", "idn2@bu\u{308}cher.example"),
    ] {
        assert_eq!(created_under(&world, one, other).await, 200, "{one} {other}");
    }
}

#[tokio::test]
async fn addresses_that_differ_in_dots_or_plus_tags_are_two_accounts() {
    let world = World::start().await;
    for (one, other) in [
        ("jane.doe@gmail.com", "janedoe@gmail.com"),
        ("jane+tag@gmail.com", "jane@gmail.com"),
        ("jane@x.com", "jane@x.org"),
        ("stra\u{df}e@x.com", "strasse@x.com"),
    ] {
        assert_eq!(created_under(&world, one, other).await, 201, "{one} {other}");
    }
}

#[tokio::test]
async fn an_email_is_stored_as_given_and_in_normalised_form() {
    let world = World::start().await;
    let created = world.create(ACME, &jane(" J\u{c4}ne@B\u{fc}cher.Example ")).await;
    assert_eq!(created.assert_ok(201)["Email"], "J\u{c4}ne@B\u{fc}cher.Example");
    let claim = world.partition("EMAIL#j\u{e4}ne@xn--bcher-kva.example").await;
    assert_eq!(claim.len(), 1);
    let profile = world.partition(&format!("USER#{}", text(&claim[0], "UserId"))).await;
    let profile = profile.iter().find(|item| text(item, "SK") == "PROFILE").unwrap();
    assert_eq!(text(profile, "Email"), "J\u{c4}ne@B\u{fc}cher.Example");
}

#[tokio::test]
async fn a_missing_organization_is_a_400_and_nothing_is_written() {
    let world = World::start().await;
    let before = world.items().await;
    let mut answers = Vec::new();
    for email in ["new@example.com", "jane@example.com"] {
        let answer = world.create("org_nowhere", &jane(email)).await;
        answer.assert_invalid(&["OrganizationId"]);
        answers.push(answer.stable_json());
    }
    assert_eq!(answers[0], answers[1]);
    insta::assert_json_snapshot!(answers[0]);
    assert_eq!(world.items().await, before);
}

#[tokio::test]
async fn an_unexpected_error_is_a_500_that_tells_nothing_of_its_cause() {
    let world = World::start().await;
    // An item that this service would never write.
    let broken = json!({ "PK": { "S": "EMAIL#broken@example.com" }, "SK": { "S": "EMAIL" } });
    world.put_item(&broken).await;
    let before = world.items().await;
    let answer = world.create(ACME, &jane("broken@example.com")).await;
    answer.assert_problem(500);
    insta::assert_json_snapshot!(answer.stable_json());
    assert_eq!(world.items().await, before);
    // And the next one is served.
    world.create(ACME, &jane("whole@example.com")).await.assert_ok(201);
}

#[tokio::test]
async fn is_403_without_the_admin_role_and_nothing_is_written() {
    let world = World::start().await;
    let before = world.items().await;
    for role in ["Customer", "SalesRep", "admin", "Administrator", ""] {
        let answer: Answer = world
            .post(PATH, jane("new@example.com").to_string())
            .bearer(world.bearer(role, JANE, ACME))
            .send()
            .await;
        answer.assert_problem(403);
    }
    assert_eq!(world.items().await, before);
}
