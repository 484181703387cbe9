//! What an operator's calls make of answers that the engines here do not give.

use std::sync::{Arc, Mutex};

use operator::table::{
    AssociateError, Disagreement, ImportOutcome, ImportedAccount, OperatorTable, Phase, Record,
    RecordPageStart, Violation,
};
use serde_json::{Value, json};
use shared::model::{CustomerAssociation, User};
use shared::table::NewMembership;

use crate::endpoints::requests::{cancelled, exception, scripted_table};
use crate::harness::{ACME, Invocation, JANE, START, World, endpoint};

async fn table(
    script: impl Fn(&str, usize) -> (u16, Value) + Send + Sync + 'static,
) -> (OperatorTable, Arc<Mutex<Vec<String>>>) {
    let (address, asked) = scripted_table(move |operation, before, _| script(operation, before)).await;
    (OperatorTable::local("users", &format!("http://{address}")), asked)
}

fn described(status: &str) -> (u16, Value) {
    (200, json!({ "Table": { "TableName": "users", "TableStatus": status } }))
}

#[tokio::test(start_paused = true)]
async fn a_table_is_created_and_waited_for() {
    let (table, asked) = table(|operation, before| match (operation, before) {
        ("DescribeTable", 0) => (400, exception("ResourceNotFoundException")),
        ("DescribeTable", 1..3) => described("CREATING"),
        ("DescribeTable", _) => described("ACTIVE"),
        _ => (200, json!({})),
    })
    .await;
    assert!(table.create().await.unwrap());
    let asked = asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|asked| *asked == "DescribeTable").count(), 4, "{asked:?}");
    assert_eq!(asked.last().unwrap(), "UpdateTimeToLive");
}

#[tokio::test(start_paused = true)]
async fn a_ttl_that_is_on_already_is_not_switched_on() {
    for (status, is_on) in [("ENABLED", true), ("ENABLING", true), ("DISABLED", false), ("DISABLING", false)]
    {
        let (table, _) = table(move |operation, before| match (operation, before) {
            ("DescribeTable", 0) => (400, exception("ResourceNotFoundException")),
            ("DescribeTable", _) => described("ACTIVE"),
            ("DescribeTimeToLive", _) => {
                let ttl = json!({ "TimeToLiveStatus": status, "AttributeName": "ExpiresAt" });
                (200, json!({ "TimeToLiveDescription": ttl }))
            }
            ("UpdateTimeToLive", _) => (400, exception("ValidationException")),
            _ => (200, json!({})),
        })
        .await;
        assert_eq!(table.create().await.is_ok(), is_on, "{status}");
        assert_eq!(table.describe().await.unwrap().unwrap().ttl_attribute.is_some(), is_on, "{status}");
    }
}

#[tokio::test]
async fn point_in_time_recovery_is_on_or_off() {
    for (status, is_on) in [("ENABLED", true), ("DISABLED", false)] {
        let recovery = json!({ "PointInTimeRecoveryStatus": status });
        let backups =
            json!({ "ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery });
        let (table, _) = table(move |_, _| (200, json!({ "ContinuousBackupsDescription": backups }))).await;
        assert_eq!(table.point_in_time_recovery().await.unwrap(), is_on);
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_being_written_is_looked_at_again() {
    let claim = json!({
        "PK": { "S": "EMAIL#jane@example.com" }, "SK": { "S": "EMAIL" }, "UserId": { "S": JANE },
    });
    for (refusal, waits) in [("TransactionCanceledException", true), ("ValidationException", false)] {
        let claim = claim.clone();
        let (table, asked) = table(move |operation, before| match (operation, before) {
            ("Scan", _) => (200, json!({ "Items": [claim] })),
            (_, 0) => (400, exception(refusal)),
            _ => (200, json!({ "Responses": [{ "Item": claim }, {}] })),
        })
        .await;
        let mut progress = Vec::new();
        let found = table.examine(|phase, items| progress.push((phase, items))).await;
        assert_eq!(found.is_ok(), waits, "{refusal}");
        if let Ok(found) = found {
            assert!(matches!(&found.violations[..], [Violation::ClaimWithoutUser { .. }]));
            let phases = [(Phase::Reading, 1), (Phase::Finding, 1), (Phase::LookingAgain(1), 1)];
            assert_eq!(progress, phases);
            assert_eq!(*asked.lock().unwrap(), ["Scan", "Scan", "TransactGetItems", "TransactGetItems"]);
        }
    }
}

#[tokio::test]
async fn a_sound_table_is_read_once() {
    let (table, asked) = table(|_, _| (200, json!({ "Items": [] }))).await;
    assert!(table.examine(|_, _| {}).await.unwrap().violations.is_empty());
    assert_eq!(*asked.lock().unwrap(), ["Scan"]);
}

#[tokio::test]
async fn a_refused_association_names_what_is_missing() {
    let association = CustomerAssociation {
        user_id: JANE.parse().unwrap(),
        organization_id: ACME.parse().unwrap(),
        customer_number: "C-1".parse().unwrap(),
    };
    for missing in 1..3 {
        let (table, _) = table(move |_, _| {
            let code = |part| if part == missing { "ConditionalCheckFailed" } else { "None" };
            cancelled(&[0, 1, 2].map(|part| json!({ "Code": code(part) })))
        })
        .await;
        let refused = table.associate(&association).await.unwrap().unwrap_err();
        assert_eq!(matches!(refused, AssociateError::UserMissing), missing == 1, "{missing}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_changes_while_it_is_imported_is_looked_up_again() {
    let keys = |partition: &str, sort: &str| json!({ "PK": { "S": partition }, "SK": { "S": sort } });
    let mut claim = keys("EMAIL#jane@example.com", "EMAIL");
    claim["UserId"] = json!({ "S": JANE });
    let mut user = keys(&format!("USER#{JANE}"), "PROFILE");
    user["Email"] = json!({ "S": "jane@example.com" });
    let account = ImportedAccount {
        user: User {
            id: JANE.parse().unwrap(),
            first_name: "Jane".parse().unwrap(),
            last_name: "Smith".parse().unwrap(),
            email: "jane@example.com".parse().unwrap(),
            preferred_email: None,
            phone_number: None,
        },
        has_own_id: true,
        created_at: START,
        created_by: JANE.parse().unwrap(),
        password_hash: None,
        password: None,
        is_password_lost: false,
        memberships: vec![NewMembership {
            organization_id: ACME.parse().unwrap(),
            joined_at: START,
            added_by: JANE.parse().unwrap(),
        }],
        customer_accounts: Vec::new(),
    };
    // The user, its address, its membership, the organization: which one is not as it was.
    for (refused, outcome, transactions) in [
        (0, ImportOutcome::Created, 2),
        (1, ImportOutcome::Created, 2),
        (3, ImportOutcome::OrganizationMissing, 1),
    ] {
        let (claim, user) = (claim.clone(), user.clone());
        let (table, asked) = table(move |operation, before| match (operation, before) {
            ("BatchGetItem", 0) => (200, json!({ "Responses": { "users": [claim] } })),
            ("BatchGetItem", _) => (200, json!({ "Responses": { "users": [user] } })),
            ("TransactWriteItems", 0) => {
                let code = |part| if part == refused { "ConditionalCheckFailed" } else { "None" };
                cancelled(&[0, 1, 2, 3].map(|part| json!({ "Code": code(part) })))
            }
            _ => (200, json!({})),
        })
        .await;
        let imported = table.import(std::slice::from_ref(&account), Disagreement::Refuse).await.unwrap();
        assert_eq!(imported, [outcome], "{refused}");
        let asked = asked.lock().unwrap();
        let made = asked.iter().filter(|asked| *asked == "TransactWriteItems").count();
        assert_eq!(made, transactions, "{refused}");
    }
}

#[tokio::test]
async fn a_scan_continues_after_any_record_that_is_listed() {
    let world = World::start().await;
    let exists = Invocation::of(endpoint("GET /api/users/exists")).query("Email=a@example.com");
    exists.answer(&world.app(&[])).await.assert_ok(200);
    let all = world.table().records(None).await.unwrap().records;
    let admitted = all.iter().find_map(|record| match record {
        Record::RateLimit { admitted, .. } => Some(admitted.len()),
        _ => None,
    });
    assert_eq!(admitted, Some(1));
    for (index, record) in all.iter().enumerate() {
        let listed =
            !matches!(record, Record::EmailClaim { .. } | Record::Credential { .. } | Record::SigningKeys(_));
        let start = RecordPageStart::after(record);
        assert_eq!(start.is_some(), listed, "{record:?}");
        if let Some(start) = start {
            let rest = world.table().records(Some(start)).await.unwrap().records;
            assert_eq!(rest.len(), all.len() - index - 1, "{record:?}");
        }
    }
}
