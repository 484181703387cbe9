//! What an operator does with one person's data: `users delete`, `users user set`, `users member`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use operator::table::DeleteOutcome;

use crate::harness::{ACME, GLOBEX, JANE, JOHN, text};
use crate::table::faults::{Fault, Proxy};
use crate::tooling::command_line::{Cli, users};

const NOBODY: &str = "there is no such user";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_leaves_nothing_of_a_person() {
    let cli = Cli::start().await;
    let before = cli.world.items().await;
    let body = json!({ "FirstName": "Ada", "LastName": "Lovelace", "Email": "Ada@example.com",
        "Password": "SecurePass123!", "PhoneNumber": "561-555-1212" });
    assert_eq!(cli.world.create(ACME, &body).await.status, 201);
    assert_eq!(cli.world.create(GLOBEX, &body).await.status, 200);
    let id = cli.world.user_id_of("ada@example.com").await.unwrap();
    cli.world.associate(&id, GLOBEX, "C-7").await;
    assert_eq!(cli.world.items().await.len(), before.len() + 6);

    let unasked = ["delete", "--email", "ada@example.com"];
    cli.refused(&unasked, "nothing is deleted without a terminal to ask on: --yes deletes").await;
    cli.refused(&[&unasked[..], &["--json"]].concat(), "nothing is deleted").await;
    assert_eq!(cli.world.items().await.len(), before.len() + 6);

    let deleted = cli.json(&["delete", "--email", "ada@example.com", "--yes"]).await;
    assert_eq!(
        deleted,
        json!({
            "UserId": id, "FirstName": "Ada", "LastName": "Lovelace", "Email": "Ada@example.com",
            "PreferredEmail": null, "PhoneNumber": "561-555-1212", "OrganizationIds": [ACME, GLOBEX],
            "CustomerAssociations": [{ "OrganizationId": GLOBEX, "CustomerNumber": "C-7" }], "HasPassword": true,
            "Unreadable": 0, "ReplacedIn": 0,
        })
    );
    assert_eq!(cli.world.items().await, before);
    cli.refused(&["delete", "--email", "ada@example.com", "--yes"], NOBODY).await;
    cli.refused(&["delete", "--id", &id, "--yes"], NOBODY).await;
    // The address is anybody's again.
    assert_eq!(cli.world.create(ACME, &body).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_is_interrupted_is_finished_by_the_id() {
    let cli = Cli::start().await;
    for n in 0..230 {
        let key = json!({ "PK": { "S": format!("USER#{JOHN}") }, "SK": { "S": format!("MEMBERSHIP#org_{n}") },
            "JoinedAt": { "S": "2026-01-01T00:00:00Z" }, "AddedBy": { "S": JANE } });
        cli.world.put_item(&key).await;
    }
    let transactions = AtomicUsize::new(0);
    let proxy = Proxy::scheduled(cli.world.dynamodb_address(), move |request| {
        let is_transaction = request.windows(18).any(|part| part == b"TransactWriteItems");
        (is_transaction && transactions.fetch_add(1, Ordering::SeqCst) > 0).then_some(Fault::Throttled)
    })
    .await;
    let through = ["--endpoint-url", &proxy.url, "--table", cli.world.table().name()];
    let output = users(&[&["delete", "--id", JOHN, "--yes"], &through[..]].concat()).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    // The account went first: nobody can find it, or add to it, any more.
    cli.refused(&["user", "get", "--email", "john@example.com"], NOBODY).await;
    cli.refused(&["member", "add", "--id", JOHN, "--organization", GLOBEX], NOBODY).await;
    let left = cli.json(&["delete", "--id", JOHN, "--yes"]).await;
    assert_eq!(left["Email"], Value::Null);
    assert_eq!(left["OrganizationIds"].as_array().unwrap().len(), 231 - 97);
    let items = cli.world.items().await;
    assert!(!items.iter().any(|item| item.to_string().contains(JOHN)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_covers_what_items_of_others_say() {
    let cli = Cli::start().await;
    let jane = cli.world.bearer("Admin", JANE, ACME);
    for (email, status) in [("one@example.com", 201), ("two@example.com", 201), ("john@example.com", 200)] {
        let body = json!({ "FirstName": "A", "LastName": "B", "Email": email }).to_string();
        cli.world.post("/api/users", body).bearer(jane.clone()).send().await.assert_ok(status);
    }
    let others: Vec<_> = cli.world.items().await;
    let is_hers = |item: &&Value| text(item, "PK").contains(JANE);
    let names_her =
        |item: &&Value| ["AddedBy", "CreatedBy"].iter().any(|attribute| text(item, attribute) == JANE);
    let named = others.iter().filter(|item| names_her(item) && !is_hers(item)).count();
    assert!(named >= 4, "two users with a membership each: {named}");
    // The table fails after the account is gone.
    let scans = AtomicUsize::new(0);
    let proxy = Proxy::scheduled(cli.world.dynamodb_address(), move |request| {
        let is_scan = request.windows(17).any(|part| part == b"DynamoDB_20120810")
            && request.windows(5).any(|part| part == b".Scan");
        (is_scan && scans.fetch_add(1, Ordering::SeqCst) < 100).then_some(Fault::Throttled)
    })
    .await;
    let through = ["--endpoint-url", &proxy.url, "--table", cli.world.table().name()];
    let output = users(&[&["delete", "--id", JANE, "--yes"], &through[..]].concat()).await;
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(cli.world.items().await.iter().any(|item| item.to_string().contains(JANE)));
    // The same command finishes it.
    let deleted = cli.json(&["delete", "--id", JANE, "--yes"]).await;
    assert_eq!((&deleted["Email"], &deleted["ReplacedIn"]), (&Value::Null, &json!(named)));
    let after = cli.world.items().await;
    assert!(!after.iter().any(|item| item.to_string().contains(JANE)));
    // Nothing else about the others has changed.
    let replaced: Vec<_> = others
        .iter()
        .filter(|item| {
            !text(item, "PK").contains(JANE)
                && text(item, "UserId") != JANE
                && text(item, "SK") != "SIGNING_KEYS"
        })
        .map(|item| item.to_string().replace(JANE, "deleted-user"))
        .collect();
    let after: Vec<_> =
        after.iter().filter(|item| text(item, "SK") != "SIGNING_KEYS").map(ToString::to_string).collect();
    assert_eq!(after, replaced);
    cli.refused(&["delete", "--id", JANE, "--yes"], NOBODY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_covers_what_cannot_be_read() {
    let cli = Cli::start().await;
    let item = |partition: &str, sort: &str, attributes: &[(&str, &str)]| {
        let keys = [("PK", partition), ("SK", sort)];
        let item = keys.iter().chain(attributes);
        item.map(|(name, value)| ((*name).to_owned(), json!({ "S": value }))).collect::<Value>()
    };
    let (jane, created) = (format!("USER#{JANE}"), "2026-01-02T03:04:05Z");
    for item in [
        item(&jane, "MEMBERSHIP#org_broken", &[("AddedBy", JANE)]),
        item(&jane, "CUSTOMER#org_broken", &[]),
        item(&jane, "NOTE", &[]),
        item("SOMETHING#else", "X", &[("AddedBy", JANE)]),
        item("EMAIL#old@example.com", "EMAIL", &[("UserId", JANE)]),
        // A user without an address, and one whose claim names nobody.
        item("USER#kp_x", "PROFILE", &[("FirstName", "X"), ("CreatedAt", created), ("CreatedBy", "kp_x")]),
        item("EMAIL#x@example.com", "EMAIL", &[("UserId", "kp_x")]),
        item("USER#kp_y", "PROFILE", &[("Email", "Y@example.com")]),
        item("EMAIL#y@example.com", "EMAIL", &[]),
    ] {
        cli.world.put_item(&item).await;
    }
    let left = async |traces: &[&str]| {
        let items = cli.world.items().await;
        let is_trace = |item: &&Value| traces.iter().any(|trace| item.to_string().contains(trace));
        items.iter().filter(is_trace).map(|item| text(item, "PK")).collect::<Vec<_>>()
    };
    let output = cli.run(&["delete", "--email", "jane@example.com", "--yes", "--json"]).await;
    let deleted: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((&deleted["UserId"], &deleted["Unreadable"]), (&json!(JANE), &json!(2)));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("items that this program does not know name the person too"), "{told}");
    assert_eq!(left(&[JANE, "jane@", "old@"]).await, ["SOMETHING#else", &jane]);
    cli.refused(&["delete", "--id", JANE, "--yes"], NOBODY).await;

    let cannot =
        "the account of this e-mail address cannot be read (the table holds a broken User item: LastName)";
    cli.refused(&["delete", "--email", "x@example.com", "--yes"], cannot).await;
    for id in ["kp_x", "kp_y"] {
        let deleted = cli.json(&["delete", "--id", id, "--yes"]).await;
        assert_eq!((&deleted["Email"], &deleted["Unreadable"]), (&Value::Null, &json!(1)), "{id}");
    }
    assert_eq!(left(&["kp_x", "x@example", "kp_y", "y@example"]).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_for_nobody_is_not_rewritten_by_a_deletion() {
    let cli = Cli::start().await;
    cli.json(&["member", "add", "--id", JOHN, "--organization", GLOBEX]).await;
    let body = json!({ "FirstName": "A", "LastName": "B", "Email": "one@example.com" }).to_string();
    let jane = cli.world.bearer("Admin", JANE, ACME);
    cli.world.post("/api/users", body).bearer(jane).send().await.assert_ok(201);
    cli.json(&["delete", "--id", JANE, "--yes"]).await;
    let before = cli.world.items().await;
    let names = |author: &str| before.iter().filter(|item| text(item, "AddedBy") == author).count();
    assert_eq!((names("operator"), names("deleted-user")), (1, 2), "{before:?}");
    for id in ["operator", "deleted-user"] {
        cli.refused(&["delete", "--id", id, "--yes"], NOBODY).await;
        assert_eq!(cli.world.items().await, before);
        // Somebody who got such an id from an earlier version can be deleted, and nothing else changes.
        let claim =
            json!({ "PK": { "S": "EMAIL#a@example.com" }, "SK": { "S": "EMAIL" }, "UserId": { "S": id } });
        cli.world.put_item(&claim).await;
        assert_eq!(cli.json(&["delete", "--id", id, "--yes"]).await["ReplacedIn"], 0);
        assert_eq!(cli.world.items().await, before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_deleted_while_others_add_is_whole_or_gone() {
    let cli = Arc::new(Cli::start().await);
    let body = json!({ "FirstName": "Ada", "LastName": "Lovelace", "Email": "ada@example.com" });
    for _ in 0..10 {
        assert!([200, 201].contains(&cli.world.create(ACME, &body).await.status));
        let id = cli.world.user_id_of("ada@example.com").await.unwrap();
        let id = id.parse().unwrap();
        let add = async {
            for organization in [GLOBEX, ACME, GLOBEX] {
                let status = cli.world.create(organization, &body).await.status;
                assert!([200, 201, 503].contains(&status), "{status}");
            }
        };
        let (deleted, ()) = tokio::join!(cli.world.table().delete_personal_data(&id, None), add);
        assert_eq!(deleted.unwrap(), DeleteOutcome::Deleted);
        let items = cli.world.items().await;
        assert!(!items.iter().any(|item| text(item, "PK").contains(id.as_str())), "{items:?}");
        if let Some(new) = cli.world.user_id_of("ada@example.com").await {
            assert!(cli.world.table().user(&new.parse().unwrap()).await.unwrap().is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_is_set_and_the_rest_stays() {
    let cli = Cli::start().await;
    let before = cli.json(&["user", "get", "--id", JANE]).await;
    let with = |changes: &[(&str, Value)]| {
        let mut user = before.clone();
        for (name, value) in changes {
            user[name] = value.clone();
        }
        user
    };
    let set = |arguments: &'static [&'static str]| {
        let cli = &cli;
        async move { cli.json(&[&["user", "set", "--id", JANE], arguments].concat()).await }
    };
    assert_eq!(set(&["--first-name", " Janet "]).await, with(&[("FirstName", json!("Janet"))]));
    assert_eq!(
        set(&["--first-name", "Jane", "--last-name", "Doe"]).await,
        with(&[("LastName", json!("Doe"))])
    );
    assert_eq!(
        set(&["--last-name", "Smith", "--no-phone-number"]).await,
        with(&[("PhoneNumber", Value::Null)])
    );
    let preferred = set(&["--phone-number", "911", "--preferred-email", "J@work.example.com"]).await;
    let expected = with(&[("PhoneNumber", json!("911")), ("PreferredEmail", json!("J@work.example.com"))]);
    assert_eq!(preferred, expected);
    let profile = cli.world.get("/api/users/profile").bearer(cli.world.bearer("Customer", JANE, ACME));
    assert_eq!(profile.send().await.assert_ok(200)["Email"], "J@work.example.com");
    assert_eq!(set(&["--phone-number", "561-555-1212", "--no-preferred-email"]).await, before);

    let nobody = ["user", "set", "--id", "kp_none", "--first-name", "A"];
    cli.refused(&nobody, NOBODY).await;
    for wrong in [&[][..], &["--phone-number", "9"], &["--phone-number", "911", "--no-phone-number"]] {
        let output = users(&[&["user", "set", "--id", JANE], wrong].concat()).await;
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_replaced_and_removed() {
    let cli = Cli::start().await;
    let hash = "$2b$10$CSZ2JarG4XYbGa.JkfpqnO2wrlbfp5eb5LScHSGo9XGeZ.a.Ic54S";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hash");
    let file = file.to_str().unwrap();
    let stored = async || {
        let items = cli.world.partition(&format!("CREDENTIAL#{JANE}")).await;
        items.first().map(|item| text(item, "PasswordHash"))
    };
    std::fs::write(file, format!("{hash}\n")).unwrap();
    let set = ["user", "set", "--email", "jane@example.com", "--password-hash-file", file];
    assert_eq!(cli.json(&set).await["HasPassword"], true);
    assert_eq!(stored().await.as_deref(), Some(hash));
    std::fs::write(file, "correct horse battery").unwrap();
    cli.refused(&set, "it must be a hash by argon2id, bcrypt or PBKDF2").await;
    let output = users(&[&set[..], &["--no-password"]].concat()).await;
    assert_eq!(output.status.code(), Some(2));
    let removed = cli.json(&["user", "set", "--id", JANE, "--no-password", "--first-name", "Janet"]).await;
    assert_eq!((&removed["HasPassword"], &removed["FirstName"]), (&json!(false), &json!("Janet")));
    assert_eq!(stored().await, None);
    cli.refused(&["user", "set", "--id", "kp_none", "--no-password"], NOBODY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_goes_over_with_its_claim() {
    let cli = Cli::start().await;
    let holder = |email: &'static str| cli.world.user_id_of(email);
    let set = |user: &'static str, email: &'static str| ["user", "set", "--id", user, "--new-email", email];
    cli.json(&set(JANE, "janet@example.com")).await;
    assert_eq!(
        (holder("jane@example.com").await, holder("janet@example.com").await),
        (None, Some(JANE.into()))
    );
    // Another spelling is the same address.
    assert_eq!(cli.json(&set(JANE, "JANET@example.com")).await["Email"], "JANET@example.com");
    assert_eq!(holder("janet@example.com").await, Some(JANE.into()));
    let items = cli.world.items().await;
    cli.refused(&set(JANE, "John@Example.com"), &format!("{JOHN} has that e-mail address")).await;
    assert_eq!(cli.world.items().await, items);

    // Of two who want one address, one gets it, and no claim is left over.
    for round in 0..10 {
        let email = format!("wanted{round}@example.com");
        let change = |id: &str| {
            let (table, id) = (cli.world.table().clone(), id.parse().unwrap());
            let changes =
                operator::table::UserChanges { email: Some(email.parse().unwrap()), ..Default::default() };
            async move { format!("{:?}", table.change_user(&id, None, &changes).await.unwrap()) }
        };
        let (jane, john) = tokio::join!(change(JANE), change(JOHN));
        let changed = [&jane, &john].iter().filter(|outcome| outcome.starts_with("Changed")).count();
        assert_eq!(changed, 1, "{jane} {john}");
        let items = cli.world.items().await;
        let claims: Vec<_> = items.iter().filter(|item| text(item, "SK") == "EMAIL").collect();
        let users: Vec<_> = items.iter().filter(|item| text(item, "SK") == "PROFILE").collect();
        assert_eq!((claims.len(), users.len()), (2, 2));
        for user in users {
            let claim = format!("EMAIL#{}", text(user, "Email").to_lowercase());
            let claim = claims.iter().find(|item| text(item, "PK") == claim).unwrap();
            assert_eq!(format!("USER#{}", text(claim, "UserId")), text(user, "PK"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_added_once_and_removed() {
    let cli = Cli::start().await;
    let member =
        |what, organization| ["member", what, "--email", "john@example.com", "--organization", organization];
    let is_member = |yes: bool| json!({ "UserId": JOHN, "OrganizationId": GLOBEX, "IsMember": yes });
    assert_eq!(cli.json(&member("add", GLOBEX)).await, is_member(true));
    let items = cli.world.items().await;
    assert_eq!(cli.json(&member("add", GLOBEX)).await, is_member(true));
    assert_eq!(cli.world.items().await, items);
    assert_eq!(cli.world.organizations_of(JOHN).await, [ACME, GLOBEX]);
    assert_eq!(cli.json(&member("remove", GLOBEX)).await, is_member(false));
    assert_eq!(cli.world.organizations_of(JOHN).await, [ACME]);
    cli.refused(&member("remove", GLOBEX), "is not a member of").await;
    cli.refused(&member("add", "org_none"), "there is no organization org_none").await;
    let profile = cli.world.get("/api/users/profile").bearer(cli.world.bearer("Customer", JOHN, GLOBEX));
    profile.send().await.assert_problem(404);
}
