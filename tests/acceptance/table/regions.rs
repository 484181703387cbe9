//! Two regions: two engines, and between them replication as of a DynamoDB global table with eventual consistency.
//!
//! DynamoDB replicates each item by itself, also those of one transaction, in no certain order. Conditions see only the
//! region's own items. If both regions write an item, the last writer wins (DynamoDB Developer Guide, "How global tables
//! work"; Prescriptive Guidance, "Using DynamoDB global tables"). `docs/operations.md` stands on what is shown here.

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::{Value, json};

use crate::harness::{ACME, Answer, GLOBEX, Invocation, World, endpoint, text};
use crate::tooling::command_line::users;

/// The active region, until a fail-over.
const HOME: usize = 0;
/// The other one.
const AWAY: usize = 1;

/// What a creation writes, in the order of the bits of a subset.
const WRITTEN: [&str; 4] = ["EMAIL#", "PROFILE", "MEMBERSHIP#", "CREDENTIAL#"];
const CLAIM: usize = 1;
const USER: usize = 2;
const CREDENTIAL: usize = 8;
const SUBSETS: usize = 16;

/// Partition and sort key.
type Key = [String; 2];

/// An item as it was last written.
#[derive(Clone)]
struct Write {
    /// `None` if it was deleted.
    item: Option<Value>,
    /// The number of the write: a later one has a greater one.
    number: usize,
}

/// A table in two regions.
struct GlobalTable {
    regions: [World; 2],
    /// The items of each region, and what was deleted.
    writes: [BTreeMap<Key, Write>; 2],
    number: usize,
}

impl GlobalTable {
    /// The demo data in both regions.
    async fn start() -> Self {
        let regions = [World::start_now().await, World::start_now().await];
        let mut table = Self { regions, writes: Default::default(), number: 0 };
        // The other region begins with a copy, and with nothing of its own.
        for item in table.regions[AWAY].items().await {
            table.regions[AWAY].delete_item(&text(&item, "PK"), &text(&item, "SK")).await;
        }
        table.settle().await;
        table
    }

    /// Takes down what a region has written since the last time.
    async fn note(&mut self, region: usize) {
        self.number += 1;
        let items = self.regions[region].items().await;
        let mut items: BTreeMap<Key, Value> =
            items.into_iter().map(|item| ([text(&item, "PK"), text(&item, "SK")], item)).collect();
        for (key, write) in &mut self.writes[region] {
            let item = items.remove(key);
            if item != write.item {
                *write = Write { item, number: self.number };
            }
        }
        for (key, item) in items {
            self.writes[region].insert(key, Write { item: Some(item), number: self.number });
        }
    }

    /// The writes of a region that have not reached the other.
    fn pending(&self, from: usize) -> Vec<(Key, Write)> {
        let to = &self.writes[1 - from];
        let known = |key: &Key| to.get(key).map_or(0, |write: &Write| write.number);
        let all = self.writes[from].iter().filter(|(key, write)| write.number > known(key));
        all.map(|(key, write)| (key.clone(), write.clone())).collect()
    }

    /// Brings to the other region those of a region's pending writes that are chosen.
    async fn replicate(&mut self, from: usize, mut chosen: impl FnMut(&Key) -> bool) {
        for (key, write) in self.pending(from) {
            if chosen(&key) {
                let to = &self.regions[1 - from];
                match &write.item {
                    Some(item) => to.put_item(item).await,
                    None => to.delete_item(&key[0], &key[1]).await,
                }
                self.writes[1 - from].insert(key, write);
            }
        }
    }

    /// Brings everything everywhere.
    async fn settle(&mut self) {
        for region in [HOME, AWAY] {
            self.note(region).await;
        }
        for region in [HOME, AWAY] {
            self.replicate(region, |_| true).await;
        }
        assert_eq!(self.regions[HOME].items().await, self.regions[AWAY].items().await);
    }

    /// `POST /api/users` in a region, by an Admin with a token of the one identity provider.
    async fn create(&mut self, region: usize, organization: &str, first_name: &str, email: &str) -> Answer {
        let body = json!({
            "FirstName": first_name, "LastName": "X", "Email": email, "Password": "correct horse battery",
        });
        let cheap = [("PASSWORD_HASH_MEMORY_KIB", "8"), ("PASSWORD_HASH_ITERATIONS", "1")];
        let answer = Invocation::of(endpoint("POST /api/users"))
            .bearer(&self.regions[HOME].admin(organization))
            .body(&body.to_string())
            .answer(&self.regions[region].app(&cheap))
            .await;
        self.note(region).await;
        answer
    }

    /// How many of eleven look-ups a region admits.
    async fn look_up(&mut self, region: usize) -> usize {
        let app = self.regions[region].app(&[]);
        let mut admitted = 0;
        for _ in 0..11 {
            let look_up = Invocation::of(endpoint("GET /api/users/exists")).query("Email=jane%40example.com");
            let answer = look_up.answer(&app).await;
            if answer.status == 200 { admitted += 1 } else { answer.assert_problem(429) }
        }
        self.note(region).await;
        admitted
    }

    /// The command `users` on a region's table.
    async fn users(&mut self, region: usize, arguments: &[&str]) -> Output {
        let world = &self.regions[region];
        let to = ["--json", "--endpoint-url", &world.system.dynamodb_url, "--table", world.table().name()];
        let output = users(&[arguments, &to].concat()).await;
        self.note(region).await;
        output
    }

    /// What `users doctor` calls wrong.
    async fn doctor(&mut self, region: usize, arguments: &[&str]) -> Vec<(String, String)> {
        let output = self.users(region, &[&["doctor"], arguments].concat()).await;
        let checks: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let wrong = checks.iter().filter(|check| check["State"] == "wrong");
        let told = |check: &Value, member: &str| check[member].as_str().unwrap().to_owned();
        let wrong: Vec<_> = wrong.map(|check| (told(check, "Check"), told(check, "Found"))).collect();
        assert_eq!(output.status.code(), Some(i32::from(!wrong.is_empty())), "{output:?}");
        wrong
    }

    async fn assert_well(&mut self, region: usize) {
        assert_eq!(self.doctor(region, &["--scan"]).await, []);
    }

    async fn delete(&mut self, region: usize, id: &str) {
        let output = self.users(region, &["delete", "--id", id, "--yes"]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }

    async fn id_of(&self, region: usize, email: &str) -> String {
        self.regions[region].user_id_of(email).await.unwrap()
    }

    /// The ids of all accounts of an address, claimed or not.
    async fn accounts(&self, region: usize, email: &str) -> Vec<String> {
        let items = self.regions[region].items().await;
        let of = items.iter().filter(|item| text(item, "SK") == "PROFILE" && text(item, "Email") == email);
        of.map(|item| text(item, "PK").trim_start_matches("USER#").to_owned()).collect()
    }

    async fn has_password(&self, region: usize, id: &str) -> bool {
        !self.regions[region].partition(&format!("CREDENTIAL#{id}")).await.is_empty()
    }
}

fn email(subset: usize) -> String {
    format!("subset{subset}@example.com")
}

/// Creates an account for each subset of what a creation writes, and the active region is lost before more than that
/// subset has reached the other. Gives the accounts' ids.
async fn lose_the_active_region(table: &mut GlobalTable) -> Vec<String> {
    let mut ids = Vec::new();
    for subset in 0..SUBSETS {
        let created = table.create(HOME, ACME, "Before", &email(subset)).await;
        created.assert_ok(201);
        let id = table.id_of(HOME, &email(subset)).await;
        let is_of_it = |key: &Key| key[0].ends_with(&id) || key[0].ends_with(&email(subset));
        assert_eq!(table.pending(HOME).iter().filter(|(key, _)| is_of_it(key)).count(), WRITTEN.len());
        let arrives = |key: &Key| {
            let bit = WRITTEN.iter().position(|part| key.iter().any(|key| key.starts_with(part)));
            is_of_it(key) && bit.is_some_and(|bit| subset >> bit & 1 == 1)
        };
        table.replicate(HOME, arrives).await;
        ids.push(id);
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writing_regions_make_two_accounts_of_one_address() {
    let mut table = GlobalTable::start().await;
    table.create(HOME, ACME, "Home", "twice@example.com").await.assert_ok(201);
    table.create(AWAY, GLOBEX, "Away", "twice@example.com").await.assert_ok(201);
    let (loser, winner) =
        (table.id_of(HOME, "twice@example.com").await, table.id_of(AWAY, "twice@example.com").await);
    assert_ne!(loser, winner);
    for region in [HOME, AWAY] {
        table.assert_well(region).await;
    }

    table.settle().await;
    let found = format!("twice@example.com, the address of {loser}, is claimed for {winner}");
    for region in [HOME, AWAY] {
        assert_eq!(table.accounts(region, "twice@example.com").await.len(), 2);
        for arguments in [&["--scan"][..], &["--repair", "--yes"]] {
            let wrong = table.doctor(region, arguments).await;
            assert_eq!(wrong, [("user with another's claim".to_owned(), found.clone())]);
        }
    }

    // A person decides, here for the one who has the address.
    table.delete(HOME, &loser).await;
    table.settle().await;
    for region in [HOME, AWAY] {
        table.assert_well(region).await;
        assert_eq!(table.accounts(region, "twice@example.com").await, std::slice::from_ref(&winner));
        assert_eq!(
            table.create(region, ACME, "Again", "twice@example.com").await.assert_ok(200)["FirstName"],
            "Away"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_region_admits_ten_look_ups_of_its_own() {
    let mut table = GlobalTable::start().await;
    assert_eq!([table.look_up(HOME).await, table.look_up(AWAY).await], [10, 10]);
    // Of two counts one is left.
    table.settle().await;
    assert_eq!([table.look_up(HOME).await, table.look_up(AWAY).await], [0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_fail_over_to_a_passive_region_loses_nothing() {
    let mut table = GlobalTable::start().await;
    let mut answers = Vec::new();
    for n in 0..24 {
        let organization = if n % 5 < 3 { ACME } else { GLOBEX };
        let email = format!("person{}@example.com", n % 7);
        let answer = table.create(HOME, organization, &format!("Name {n}"), &email).await;
        let body = answer.assert_ok(if n < 7 { 201 } else { 200 });
        assert_eq!(body["FirstName"], format!("Name {}", n % 7));
        // Some of it arrives, and some is late.
        let mut late = n;
        table
            .replicate(HOME, |_| {
                late += 1;
                late % 3 == 0
            })
            .await;
        answers.push((email, organization, body));
    }
    assert_eq!(table.look_up(HOME).await, 10);
    assert!(!table.pending(HOME).is_empty());
    assert!(table.pending(AWAY).is_empty());

    // Nobody writes, all has arrived: the other region takes over.
    table.settle().await;
    table.assert_well(AWAY).await;
    assert_eq!(table.look_up(AWAY).await, 0);
    for (email, organization, body) in answers {
        assert_eq!(table.create(AWAY, organization, "Other", &email).await.assert_ok(200), body);
    }
    // A repeated request has changed nothing, so back is the same way.
    assert!(table.pending(AWAY).is_empty());
    table.create(AWAY, ACME, "New", "new@example.com").await.assert_ok(201);
    table.settle().await;
    table.create(HOME, ACME, "Other", "new@example.com").await.assert_ok(200);
    table.assert_well(HOME).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_lost_unplanned_leaves_parts_that_the_doctor_mends() {
    let mut table = GlobalTable::start().await;
    assert_eq!(table.look_up(HOME).await, 10);
    let ids = lose_the_active_region(&mut table).await;
    // The count had not arrived: twice ten look-ups in a minute.
    assert_eq!(table.look_up(AWAY).await, 10);

    let kinds = |wrong: Vec<(String, String)>| {
        let mut kinds = BTreeMap::<String, usize>::new();
        for (kind, _) in wrong {
            *kinds.entry(kind).or_default() += 1;
        }
        kinds.into_iter().map(|(kind, number)| format!("{number} {kind}")).collect::<Vec<_>>()
    };
    let found = [
        "4 claim without user",
        "4 credential without user",
        "4 membership without user",
        "4 user without claim",
    ];
    assert_eq!(kinds(table.doctor(AWAY, &["--scan"]).await), found);
    // Without the repair, a claim without user is a 500.
    table.create(AWAY, ACME, "After", &email(CLAIM)).await.assert_problem(500);
    assert_eq!(
        table.doctor(AWAY, &["--repair", "--delete-orphans", "--yes"]).await,
        [] as [(String, String); 0]
    );

    for (subset, id) in ids.iter().enumerate() {
        let is_kept = subset & USER > 0;
        let answer = table.create(AWAY, ACME, "After", &email(subset)).await;
        let body = answer.assert_ok(if is_kept { 200 } else { 201 });
        assert_eq!(body["FirstName"], if is_kept { "Before" } else { "After" }, "{subset}");
        let now = table.id_of(AWAY, &email(subset)).await;
        assert_eq!(now == *id, is_kept);
        assert_eq!(table.accounts(AWAY, &email(subset)).await, std::slice::from_ref(&now));
        // The password of an account that was kept may be lost.
        assert_eq!(table.has_password(AWAY, &now).await, !is_kept || subset & CREDENTIAL > 0, "{subset}");
        assert_eq!(table.regions[AWAY].organizations_of(&now).await, [ACME]);
    }
    table.assert_well(AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_before_the_doctors_repair_make_second_accounts() {
    let mut table = GlobalTable::start().await;
    let ids = lose_the_active_region(&mut table).await;
    table.create(AWAY, ACME, "After", &email(USER)).await.assert_ok(201);
    assert_eq!(table.accounts(AWAY, &email(USER)).await.len(), 2);
    let wrong = table.doctor(AWAY, &["--repair", "--delete-orphans", "--yes"]).await;
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].1.contains(&format!("the address of {}, is claimed for", ids[USER])), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_region_brings_back_is_decided_before_the_fail_back() {
    let mut table = GlobalTable::start().await;
    let ids = lose_the_active_region(&mut table).await;
    table.doctor(AWAY, &["--repair", "--delete-orphans", "--yes"]).await;
    for subset in 0..SUBSETS {
        table.create(AWAY, ACME, "After", &email(subset)).await;
    }

    // The lost region is back, and what it had not sent arrives.
    table.settle().await;
    let second = |subset: &usize| subset & USER == 0;
    let wrong = table.doctor(AWAY, &["--repair", "--yes"]).await;
    let others: Vec<_> = wrong.iter().filter(|(kind, _)| kind == "user with another's claim").collect();
    assert_eq!(others.len(), (0..SUBSETS).filter(second).count(), "{wrong:?}");
    for subset in (0..SUBSETS).filter(second) {
        assert!(others.iter().any(|(_, found)| found.contains(&ids[subset])), "{subset}");
        table.delete(AWAY, &ids[subset]).await;
    }
    table.settle().await;

    // Both regions hold the same, and the active one can change.
    for region in [AWAY, HOME] {
        table.assert_well(region).await;
        for subset in 0..SUBSETS {
            let answer = table.create(region, ACME, "Later", &email(subset)).await;
            let first_name = if subset & USER > 0 { "Before" } else { "After" };
            assert_eq!(answer.assert_ok(200)["FirstName"], first_name, "{subset}");
            assert_eq!(table.accounts(region, &email(subset)).await.len(), 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_was_lost_comes_back_with_its_region() {
    let mut table = GlobalTable::start().await;
    table.create(HOME, ACME, "Deleted", "deleted@example.com").await.assert_ok(201);
    table.settle().await;
    let id = table.id_of(HOME, "deleted@example.com").await;
    table.delete(HOME, &id).await;

    // The active region is lost. In the other one the account is there, and joins an organization.
    table.assert_well(AWAY).await;
    table.create(AWAY, GLOBEX, "Again", "deleted@example.com").await.assert_ok(200);
    table.settle().await;
    let found = format!("membership of {id} in {GLOBEX}: the user is not there");
    for region in [HOME, AWAY] {
        assert_eq!(table.accounts(region, "deleted@example.com").await, [""; 0]);
        let wrong = table.doctor(region, &["--scan"]).await;
        assert_eq!(wrong, [("membership without user".to_owned(), found.clone())]);
    }
    table.delete(AWAY, &id).await;
    table.settle().await;
    table.assert_well(HOME).await;
}
