//! `GET /api/users/customer-associations`

use serde_json::{Value, json};

use super::{QUERY, Row};
use crate::endpoints::document::{example_request, example_response};
use crate::harness::reference::Model;
use crate::harness::{ACME, Answer, GLOBEX, JANE, JOHN, World, user};

const ROUTE: &str = "GET /api/users/customer-associations";
const PATH: &str = "/api/users/customer-associations";

pub const ROW: Row = Row {
    route: "GET /api/users/customer-associations",
    way: "list-customer-associations",
    role: Some("Admin"),
    reads: &["OrganizationId"],
    query: "UserId=kp_abc123def456",
    body: "",
    status: 200,
    waves: &[&[QUERY]],
    shows: &["CustomerNumber"],
    about: Some(Model::associations_of),
};

async fn of_query(world: &World, organization: &str, query: &str) -> Answer {
    world.get(&format!("{PATH}?{query}")).bearer(world.admin(organization)).send().await
}

async fn associations(world: &World, organization: &str, user: &str) -> Vec<Value> {
    let answer = of_query(world, organization, &format!("UserId={user}")).await;
    answer.assert_ok(200).as_array().unwrap().clone()
}

#[tokio::test]
async fn the_documents_example_gets_the_documents_answer() {
    let world = World::start().await;
    let answer = example_request(&world, ROUTE, &world.admin(ACME), "").send().await;
    assert_eq!(answer.assert_ok(200), example_response(ROUTE, ""));
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn lists_the_associations_sorted_by_organization_id() {
    let world = World::start().await;
    let ids = ["org_b", "org_10", "ORG_Z", "org_9"];
    for id in ids {
        world.put_organization(id, id, "slug").await;
        world.associate(JOHN, id, &format!("C-{id}")).await;
    }
    for _ in 0..2 {
        let found = associations(&world, ACME, JOHN).await;
        let expected = ["ORG_Z", "org_10", "org_9", "org_b"]
            .map(|id| json!({ "UserId": JOHN, "CustomerNumber": format!("C-{id}"), "OrganizationId": id }));
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_user_without_associations_has_an_empty_array() {
    let world = World::start().await;
    let answer = of_query(&world, ACME, &format!("UserId={JOHN}")).await;
    assert_eq!(answer.assert_ok(200), json!([]));
    insta::assert_json_snapshot!(answer.stable_json());
}

#[tokio::test]
async fn an_unknown_user_answers_like_one_that_does_not_exist() {
    let world = World::start().await;
    for id in ["org_aaa", "zzz_org"] {
        world.put_organization(id, "Stranger", "stranger").await;
        let stranger = of_query(&world, id, &format!("UserId={JANE}")).await;
        let unknown = of_query(&world, id, "UserId=kp_unknown").await;
        assert_eq!(stranger.assert_ok(200), json!([]));
        assert_eq!(stranger.body, unknown.body);
        let names = |answer: &Answer| {
            let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&stranger), names(&unknown));
    }
}

#[tokio::test]
async fn a_membership_alone_makes_a_user_known() {
    let world = World::start().await;
    // Organizations before, between and after those of the associations.
    for id in ["0_org", "6zzz", "zzz_org"] {
        world.put_organization(id, "Member", "member").await;
        assert_eq!(associations(&world, id, JANE).await, [Value::Null; 0]);
        world.join(JANE, id).await;
        assert_eq!(associations(&world, id, JANE).await.len(), 2, "{id}");
    }
    // A membership in an organization whose id begins with the reader's makes nobody known.
    assert_eq!(associations(&world, "0_or", JANE).await, [Value::Null; 0]);
    assert_eq!(associations(&world, "zzz_org1", JANE).await, [Value::Null; 0]);
}

#[tokio::test]
async fn an_association_alone_makes_a_user_known() {
    let world = World::start().await;
    world.put_user(user("kp_customer", "customer@example.com"), &[ACME]).await;
    world.associate("kp_customer", ACME, "C-1").await;
    assert_eq!(associations(&world, GLOBEX, "kp_customer").await, [Value::Null; 0]);
    world.associate("kp_customer", GLOBEX, "C-2").await;
    let found = associations(&world, GLOBEX, "kp_customer").await;
    let numbers: Vec<_> = found.iter().map(|one| one["CustomerNumber"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["C-1", "C-2"]);
}

#[tokio::test]
async fn is_400_where_the_user_id_is_missing_or_invalid() {
    let world = World::start().await;
    let missing = of_query(&world, ACME, "").await;
    missing.assert_invalid(&["UserId"]);
    let invalid = of_query(&world, ACME, "UserId=a%20b").await;
    invalid.assert_invalid(&["UserId"]);
    insta::assert_json_snapshot!([missing.stable_json(), invalid.stable_json()]);
    for query in [
        "userId=kp_abc123def456",
        "UserId=",
        "UserId=a%23b",
        "UserId=a%7Fb",
        "UserId=%C3%A4",
        "UserId=x&UserId=y",
        &format!("UserId={}", "x".repeat(129)),
    ] {
        of_query(&world, ACME, query).await.assert_invalid(&["UserId"]);
    }
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

#[tokio::test]
async fn a_thousand_associations_come_back_once_each_in_order() {
    let world = World::start().await;
    world.put_user(user("kp_many", "many@example.com"), &[ACME]).await;
    let organizations: Vec<_> = (0..1000).map(|n| format!("org_{n:03}")).collect();
    let (first, others) = organizations.split_first().unwrap();
    world.put_organization(first, "A name", "a-slug").await;
    world.associate("kp_many", first, &format!("C-{first}")).await;
    let sort = format!("CUSTOMER#{first}");
    world.multiply("USER#kp_many", &sort, first, others).await;
    world.assert_more_than_one_page("USER#kp_many").await;

    let expected = organizations
        .iter()
        .map(|id| json!({ "UserId": "kp_many", "CustomerNumber": format!("C-{id}"), "OrganizationId": id }));
    let found = associations(&world, ACME, "kp_many").await;
    assert_eq!(found, expected.collect::<Vec<_>>());
}
