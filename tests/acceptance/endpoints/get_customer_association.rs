//! `GET /api/users/customer-association`

use super::{OF_USER, Row};
use crate::endpoints::document::{example_request, example_response};
use crate::harness::reference::Model;
use crate::harness::{ACME, Answer, GLOBEX, JANE, JOHN, World};

const ROUTE: &str = "GET /api/users/customer-association";
const PATH: &str = "/api/users/customer-association";

pub const ROW: Row = Row {
    route: ROUTE,
    way: "get-customer-association",
    role: Some("Admin"),
    reads: &["OrganizationId"],
    query: "UserId=kp_abc123def456",
    body: "",
    status: 200,
    waves: &[&[OF_USER]],
    shows: &["CustomerNumber"],
    about: Some(Model::association),
};

async fn of_query(world: &World, organization: &str, query: &str) -> Answer {
    world.get(&format!("{PATH}?{query}")).bearer(world.admin(organization)).send().await
}

#[tokio::test]
async fn the_documents_example_gets_the_documents_answer() {
    let world = World::start().await;
    let answer = example_request(&world, ROUTE, &world.admin(ACME), "").send().await;
    assert_eq!(answer.assert_ok(200), example_response(ROUTE, ""));
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn the_organization_comes_from_the_claims_not_the_query() {
    let world = World::start().await;
    for (organization, number) in [(ACME, "C-10042"), (GLOBEX, "C-20099")] {
        for other in [ACME, GLOBEX] {
            let query = format!("UserId={JANE}&OrganizationId={other}");
            let association = of_query(&world, organization, &query).await.assert_ok(200);
            assert_eq!(association["OrganizationId"], organization);
            assert_eq!(association["CustomerNumber"], number);
        }
    }
}

#[tokio::test]
async fn a_new_association_shows_at_once_and_replaces_the_old() {
    let world = World::start().await;
    for number in ["C-1", "x/?|\"'~"] {
        world.associate(JOHN, ACME, number).await;
        let association = of_query(&world, ACME, &format!("UserId={JOHN}")).await;
        assert_eq!(association.assert_ok(200)["CustomerNumber"], number);
    }
}

#[tokio::test]
async fn a_user_who_is_no_member_may_have_an_association() {
    let world = World::start().await;
    world.associate(JOHN, GLOBEX, "C-7").await;
    let association = of_query(&world, GLOBEX, &format!("UserId={JOHN}")).await;
    assert_eq!(association.assert_ok(200)["CustomerNumber"], "C-7");
}

#[tokio::test]
async fn is_404_where_the_organization_has_no_association() {
    let world = World::start().await;
    world.put_organization("org_third", "Third", "third").await;
    // A member without one, a user of another organization's, a user that does not exist.
    let member = of_query(&world, ACME, &format!("UserId={JOHN}")).await;
    let elsewhere = of_query(&world, "org_third", &format!("UserId={JANE}")).await;
    let unknown = of_query(&world, ACME, "UserId=kp_unknown").await;
    for answer in [&member, &elsewhere, &unknown] {
        answer.assert_problem(404);
        assert_eq!(answer.stable_json(), member.stable_json());
    }
    insta::assert_json_snapshot!(member.stable_json());
}

#[tokio::test]
async fn is_400_where_the_user_id_is_missing() {
    let world = World::start().await;
    let missing = of_query(&world, ACME, "").await;
    missing.assert_invalid(&["UserId"]);
    insta::assert_json_snapshot!(missing.stable_json());
    for query in ["userid=kp_abc123def456", "USERID=kp_abc123def456", "UserId%20=x"] {
        let answer = of_query(&world, ACME, query).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.stable_json(), missing.stable_json(), "{query}");
    }
}

#[tokio::test]
async fn is_400_where_the_user_id_is_no_identifier_or_given_twice() {
    let world = World::start().await;
    for query in [
        "UserId",
        "UserId=",
        "UserId=%20",
        "UserId=a%20b",
        "UserId=a%23b",
        "UserId=a%00",
        "UserId=%C3%A4",
        "UserId=kp_abc123def456&UserId=kp_abc123def456",
        &format!("UserId={}", "x".repeat(129)),
    ] {
        of_query(&world, ACME, query).await.assert_invalid(&["UserId"]);
    }
    // The longest one that there can be.
    let longest = of_query(&world, ACME, &format!("UserId={}", "x".repeat(128))).await;
    longest.assert_problem(404);
}

#[tokio::test]
async fn is_403_without_the_admin_role() {
    let world = World::start().await;
    for role in ["Customer", "SalesRep"] {
        let answer =
            world.get(&format!("{PATH}?UserId={JANE}")).bearer(world.bearer(role, JANE, ACME)).send().await;
        answer.assert_problem(403);
    }
}
