//! `GET /api/users/organizations`

use serde_json::{Value, json};

use super::{BATCH, QUERY, Row};
use crate::endpoints::document::{example_request, example_response};
use crate::harness::{ACME, Answer, GLOBEX, JANE, JOHN, World, user};

const ROUTE: &str = "GET /api/users/organizations";
const PATH: &str = "/api/users/organizations";

pub const ROW: Row = Row {
    route: "GET /api/users/organizations",
    way: "list-organizations, two of them",
    role: Some("Admin"),
    reads: &["sub"],
    query: "",
    body: "",
    status: 200,
    waves: &[&[QUERY], &[BATCH]],
    shows: &[],
    about: None,
};

async fn of_claims(world: &World, claims: &[(&str, Value)]) -> Answer {
    let mut payload = world.payload();
    payload.as_object_mut().unwrap().remove("sub");
    for (name, value) in claims {
        payload[*name] = value.clone();
    }
    world.get(PATH).bearer(world.signed(&payload)).send().await
}

#[track_caller]
fn ids(answer: &Answer) -> Vec<String> {
    let json = answer.assert_ok(200);
    let organizations = json["Organizations"].as_array().unwrap().iter();
    organizations.map(|organization| organization["OrganizationId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_documents_example_gets_the_documents_answer() {
    let world = World::start().await;
    let answer = example_request(&world, ROUTE, &world.bearer("Admin", JOHN, ACME), "").send().await;
    assert_eq!(answer.assert_ok(200), example_response(ROUTE, ""));
}

#[tokio::test]
async fn lists_every_organization_of_the_user_and_no_other() {
    let world = World::start().await;
    world.put_organization("org_other", "Other", "other").await;
    // An association is no membership.
    world.associate(JANE, "org_other", "C-1").await;
    let answer = world.get(PATH).bearer(world.bearer("Admin", JANE, ACME)).send().await;
    answer.assert_ok(200);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn the_organizations_come_by_organization_id() {
    let world = World::start().await;
    let joined = ["org_b", "org_10", "ORG_Z", "org_9", "org_B", "org_"];
    for id in joined {
        world.put_organization(id, &format!("Name {id}"), "same-slug").await;
    }
    world.put_user(user("kp_many", "many@example.com"), &joined).await;
    let admin = world.bearer("Admin", "kp_many", "org_b");
    let expected = ["ORG_Z", "org_", "org_10", "org_9", "org_B", "org_b"];
    for _ in 0..2 {
        let answer = world.get(PATH).bearer(&admin).send().await;
        assert_eq!(ids(&answer), expected);
    }
}

#[tokio::test]
async fn the_user_is_the_one_of_the_claims_whatever_the_query_says() {
    let world = World::start().await;
    for query in [
        format!("?UserId={JANE}"),
        format!("?sub={JANE}"),
        "?Email=jane@example.com&email=jane@example.com".to_owned(),
    ] {
        let answer =
            world.get(&format!("{PATH}{query}")).bearer(world.bearer("Admin", JOHN, ACME)).send().await;
        assert_eq!(ids(&answer), [ACME], "{query}");
    }
}

#[tokio::test]
async fn the_user_id_decides_and_the_email_only_without_one() {
    let world = World::start().await;
    let (jane, john) = (json!("Jane@Example.com"), json!("john@example.com"));
    // The user id counts before the e-mail address.
    let answer = of_claims(&world, &[("sub", json!(JOHN)), ("email", jane.clone())]).await;
    assert_eq!(ids(&answer), [ACME]);
    // No record of the user id: the e-mail address, under either name and in any spelling.
    for (name, email, expected) in [
        ("email", &jane, [ACME, GLOBEX].as_slice()),
        ("Email", &jane, &[ACME, GLOBEX]),
        ("email", &john, &[ACME]),
    ] {
        let claims = [("sub", json!("kp_unknown")), (name, email.clone())];
        assert_eq!(ids(&of_claims(&world, &claims).await), expected, "{name} {email}");
    }
}

#[tokio::test]
async fn is_400_where_neither_user_id_nor_email_claim_finds_a_user() {
    let world = World::start().await;
    let unknown = ("sub", json!("kp_unknown"));
    let answer = of_claims(&world, std::slice::from_ref(&unknown)).await;
    answer.assert_invalid(&["UserId"]);
    insta::assert_json_snapshot!(answer.stable_json());
    for email in [
        json!("nobody@example.com"),
        json!("nonsense"),
        json!(""),
        json!("#"),
        json!("jane@example.com#EMAIL"),
        json!("jane\0@example.com"),
        json!("jane@exam\r\nple.com"),
        json!("x".repeat(5000)),
        json!(["jane@example.com"]),
        json!(7),
        Value::Null,
    ] {
        let other = of_claims(&world, &[unknown.clone(), ("email", email)]).await;
        assert_eq!(other.status, 400);
        assert_eq!(other.stable_json(), answer.stable_json());
    }
}

#[tokio::test]
async fn an_email_that_the_token_does_not_call_verified_finds_nobody() {
    let world = World::start().await;
    let claims = |verified: &Value| {
        let email = ("email", json!("jane@example.com"));
        [("sub", json!("kp_unknown")), email, ("email_verified", verified.clone())]
    };
    for verified in [json!(false), json!("true"), json!("false"), json!(1), json!([true]), Value::Null] {
        of_claims(&world, &claims(&verified)).await.assert_invalid(&["UserId"]);
    }
    assert_eq!(ids(&of_claims(&world, &claims(&json!(true))).await), [ACME, GLOBEX]);
}

#[tokio::test]
async fn is_401_without_a_user_id_claim_even_with_an_email() {
    let world = World::start().await;
    let answer = of_claims(&world, &[("email", json!("jane@example.com"))]).await;
    answer.assert_problem(401);
}

#[tokio::test]
async fn a_membership_shows_as_soon_as_it_is_answered() {
    let world = World::start().await;
    let body = json!({ "FirstName": "John", "LastName": "Doe", "Email": "john@example.com" });
    world.create(GLOBEX, &body).await.assert_ok(200);
    let answer = world.get(PATH).bearer(world.bearer("Admin", JOHN, ACME)).send().await;
    assert_eq!(ids(&answer), [ACME, GLOBEX]);
}

#[tokio::test]
async fn is_403_without_the_admin_role() {
    let world = World::start().await;
    for role in ["Customer", "SalesRep"] {
        let answer = world.get(PATH).bearer(world.bearer(role, JANE, ACME)).send().await;
        answer.assert_problem(403);
        insta::allow_duplicates! { insta::assert_json_snapshot!(answer.stable_json()) }
    }
}

#[tokio::test]
async fn a_thousand_organizations_come_back_once_each_in_order() {
    let world = World::start().await;
    let organizations: Vec<_> = (0..1000).map(|n| format!("org_{n:03}")).collect();
    let (first, others) = organizations.split_first().unwrap();
    world.put_organization(first, "A name", "a-slug").await;
    world.put_user(user("kp_many", "many@example.com"), &[first]).await;
    let partition = format!("ORG#{first}");
    world.multiply(&partition, "ORG", first, others).await;
    let sort = format!("MEMBERSHIP#{first}");
    world.multiply("USER#kp_many", &sort, first, others).await;
    world.assert_more_than_one_page("USER#kp_many").await;

    let admin = world.bearer("Admin", "kp_many", first);
    let answer = world.get(PATH).bearer(admin).send().await;
    assert_eq!(ids(&answer), organizations);
}
