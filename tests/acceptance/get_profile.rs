//! `GET /api/users/profile`

use crate::harness::{ACME, GLOBEX, JANE, World, user};

const PATH: &str = "/api/users/profile";

#[tokio::test]
async fn returns_the_profile_of_the_authenticated_user() {
    let world = World::start().await;
    let answer = world.get(PATH).bearer(world.bearer("Customer", JANE, ACME)).send().await;
    answer.assert_ok(200);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn prefers_the_preferred_email_and_gives_null_for_what_was_never_given() {
    let world = World::start().await;
    let mut someone = user("kp_pref", "login@example.com");
    someone.preferred_email = Some("preferred@example.com".parse().unwrap());
    world.put_user(someone, &[GLOBEX]).await;
    let answer = world.get(PATH).bearer(world.bearer("Customer", "kp_pref", GLOBEX)).send().await;
    answer.assert_ok(200);
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn is_404_where_no_user_record_exists_and_for_a_user_of_another_organization() {
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
    world.get("/api/users/profile?x=%zz").bearer(customer).send().await.assert_invalid(&["query"]);
}

#[tokio::test]
async fn is_401_where_the_token_lacks_a_claim_or_has_expired() {
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
async fn an_admin_token_without_the_customer_role_does_not_open_the_profile() {
    let world = World::start().await;
    world.get(PATH).bearer(world.bearer("Admin", JANE, ACME)).send().await.assert_problem(403);
}
