//! `GET /api/users/profile`

use std::time::Duration;

use super::{BATCH, Row};
use crate::endpoints::document::{example_request, example_response};
use crate::harness::{ACME, GLOBEX, JANE, JOHN, World, user};

const ROUTE: &str = "GET /api/users/profile";
const PATH: &str = "/api/users/profile";

pub const ROW: Row = Row {
    route: "GET /api/users/profile",
    way: "get-profile",
    role: Some("Customer"),
    reads: &["sub", "OrganizationId"],
    query: "",
    body: "",
    status: 200,
    waves: &[&[BATCH]],
    shows: &["FirstName", "LastName", "PreferredEmail", "PhoneNumber"],
    about: None,
};

#[tokio::test]
async fn the_documents_example_gets_the_documents_answer() {
    let world = World::start().await;
    let answer = example_request(&world, ROUTE, &world.bearer("Customer", JANE, ACME), "").send().await;
    assert_eq!(answer.assert_ok(200), example_response(ROUTE, "jane@example.com"));
}

#[tokio::test]
async fn returns_the_profile_of_the_authenticated_user() {
    let world = World::start().await;
    let answer = world.get(PATH).bearer(world.bearer("Customer", JANE, ACME)).send().await;
    answer.assert_ok(200);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn prefers_the_preferred_email_and_answers_null_for_no_phone() {
    let world = World::start().await;
    let mut someone = user("kp_pref", "login@example.com");
    someone.preferred_email = Some("preferred@example.com".parse().unwrap());
    world.put_user(someone, &[GLOBEX]).await;
    let answer = world.get(PATH).bearer(world.bearer("Customer", "kp_pref", GLOBEX)).send().await;
    answer.assert_ok(200);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn is_404_without_a_user_record_or_for_another_organization() {
    let world = World::start().await;
    world.put_user(user("kp_globex", "globex@example.com"), &[GLOBEX]).await;
    let unknown = world.get(PATH).bearer(world.bearer("Customer", "kp_unknown", ACME)).send().await;
    let stranger = world.get(PATH).bearer(world.bearer("Customer", "kp_globex", ACME)).send().await;
    unknown.assert_problem(404);
    stranger.assert_problem(404);
    assert_eq!(unknown.stable_json(), stranger.stable_json());
    insta::assert_json_snapshot!(unknown.stable_json());
}

#[tokio::test]
async fn is_400_for_a_malformed_request() {
    let world = World::start().await;
    let customer = world.bearer("Customer", JANE, ACME);
    let twice = world.get(PATH).bearer(&customer).line("authorization", &customer);
    let answer = twice.send().await;
    answer.assert_invalid(&["Authorization"]);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn is_401_where_the_token_lacks_a_claim_it_needs() {
    let world = World::start().await;
    for claim in ["sub", "OrganizationId"] {
        let mut payload = world.payload();
        payload["role"] = "Customer".into();
        payload.as_object_mut().unwrap().remove(claim);
        let answer = world.get(PATH).bearer(world.signed(&payload)).send().await;
        answer.assert_problem(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn is_403_for_an_admin_without_the_customer_role() {
    let world = World::start().await;
    world.get(PATH).bearer(world.bearer("Admin", JANE, ACME)).send().await.assert_problem(403);
}

#[tokio::test]
async fn user_and_organization_come_from_the_claims_not_the_query() {
    let world = World::start().await;
    let customer = world.bearer("Customer", JOHN, ACME);
    let of_claims = world.get(PATH).bearer(&customer).send().await.assert_ok(200);
    assert_eq!(of_claims["FirstName"], "John");
    for query in [
        format!("?UserId={JANE}&OrganizationId={GLOBEX}"),
        format!("?sub={JANE}"),
        "?Email=jane@example.com".to_owned(),
    ] {
        let answer = world.get(&format!("{PATH}{query}")).bearer(&customer).send().await;
        assert_eq!(answer.assert_ok(200), of_claims, "{query}");
    }
    // A user of two organizations has one profile in each of them.
    for (organization, status) in [(ACME, 200), (GLOBEX, 200), ("org_nowhere", 404)] {
        let jane = world.bearer("Customer", JANE, organization);
        assert_eq!(world.get(PATH).bearer(jane).send().await.status, status);
    }
}

#[tokio::test]
async fn is_401_where_the_token_is_missing_or_expired() {
    let world = World::start().await;
    let missing = world.get(PATH).send().await;
    missing.assert_problem(401);
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    insta::assert_json_snapshot!(missing.stable_json());

    let customer = world.bearer("Customer", JANE, ACME);
    world.clock.advance(Duration::from_mins(24 * 60 + 1));
    let expired = world.get(PATH).bearer(customer).send().await;
    expired.assert_problem(401);
    assert_eq!(expired.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    insta::assert_json_snapshot!(expired.stable_json());
}

#[tokio::test]
async fn an_association_without_a_membership_makes_no_profile() {
    let world = World::start().await;
    world.associate(JOHN, GLOBEX, "C-1").await;
    world.get(PATH).bearer(world.bearer("Customer", JOHN, GLOBEX)).send().await.assert_problem(404);
}
