//! The creation race under random faults: several writers create one e-mail address at once, each in
//! an organization and an instance of its own, while a proxy between them and the table draws faults.
//!
//! A race is drawn from its number, so the same number is the same race but for the order in which
//! things happen. `CREATION_RACES=<n>` asks for more than the usual hundred.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use serde_json::json;

use crate::endpoints::TRANSACTION;
use crate::harness::{ACME, Answer, GLOBEX, Invocation, World, endpoint, text};
use crate::table::faults::{Fault, KEYS, Proxy, is};

const ORGANIZATIONS: [&str; 4] = [ACME, GLOBEX, "org_third", "org_fourth"];
/// How many races run at once. Most of a race's time is waiting: for time-outs, and between tries.
const AT_ONCE: usize = 25;
/// What is left of each invocation's time: enough on a machine that is busy with other things.
const TIME_LEFT: Duration = Duration::from_mins(1);

const FAULTS: [Fault; 15] = [
    Fault::ClosedBeforeRequest,
    Fault::ClosedAfterRequest,
    // What is written and not known to be is the heart of it.
    Fault::ClosedInAnswer,
    Fault::ClosedInAnswer,
    Fault::AppliedAnswerLost,
    Fault::AppliedAnswerLost,
    Fault::AppliedAnswerLate,
    Fault::BlackHole,
    Fault::Throttled,
    Fault::ThroughputExceeded,
    Fault::Error500,
    Fault::Error503,
    Fault::TruncatedJson,
    Fault::Html,
    Fault::Conflict,
];

/// The `n`-th of a race's random numbers (`SplitMix64`).
fn random(race: usize, n: usize) -> usize {
    let mut z = (race as u64 * 1000 + n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 32).unwrap()
}

#[derive(Clone, Copy)]
struct Race(usize);

impl Race {
    fn writers(self) -> usize {
        2 + random(self.0, 990) % (ORGANIZATIONS.len() - 1)
    }

    fn gives_password(self, writer: usize) -> bool {
        random(self.0, 980 + writer).is_multiple_of(2)
    }

    /// What happens to the `n`-th request.
    fn fault(self, n: usize, is_transaction: bool) -> Option<Fault> {
        let fault = FAULTS[random(self.0, 2 * n) % FAULTS.len()];
        let possible = is_transaction || fault != Fault::Conflict;
        (possible && random(self.0, 2 * n + 1) % 100 < 35).then_some(fault)
    }

    async fn proxy(self, world: &World) -> Proxy {
        let requests = AtomicUsize::new(0);
        let schedule = move |request: &[u8]| {
            // The race is about what comes after the signing keys.
            if is(KEYS, request) {
                return None;
            }
            self.fault(requests.fetch_add(1, Ordering::SeqCst), is(TRANSACTION, request))
        };
        Proxy::scheduled(world.dynamodb_address(), schedule).await
    }

    fn email(self) -> String {
        format!("racer{}@example.com", self.0)
    }

    /// A creation by one of the writers, through a new instance.
    async fn create(self, world: &World, writer: usize, table_url: &str) -> Answer {
        let email = if writer.is_multiple_of(2) { self.email() } else { self.email().to_uppercase() };
        let mut body = json!({ "FirstName": format!("Writer {writer}"), "LastName": "X", "Email": email });
        if self.gives_password(writer) {
            body["Password"] = "correct horse battery".into();
        }
        // The least that a hash may cost: it is not what this is about.
        let cheap = [("PASSWORD_HASH_MEMORY_KIB", "8"), ("PASSWORD_HASH_ITERATIONS", "1")];
        let app = world.app_at(table_url, &cheap);
        Invocation::of(endpoint("POST /api/users"))
            .bearer(&world.admin(ORGANIZATIONS[writer]))
            .body(&body.to_string())
            .time_left(TIME_LEFT)
            .answer(&app)
            .await
    }

    /// What the writers are answered, all at once and with faults in their way.
    async fn run(self, world: &World) -> (Self, Vec<Answer>) {
        let proxy = self.proxy(world).await;
        let answers = join_all((0..self.writers()).map(|writer| self.create(world, writer, &proxy.url)));
        (self, answers.await)
    }

    /// Holds the account, if there is one, against what the writers were told.
    fn assert_told(self, accounts: &BTreeMap<String, Account>, answers: &[Answer]) {
        let told = format!("race {}: {answers:?}", self.0);
        let of = |status| (0..answers.len()).filter(move |&writer| answers[writer].status == status);
        assert_eq!(of(200).count() + of(201).count() + of(503).count(), answers.len(), "{told}");
        let Some(account) = accounts.get(&self.email()) else {
            assert_eq!(of(503).count(), answers.len(), "{told}");
            return;
        };
        let winner: usize = account.first_name.strip_prefix("Writer ").unwrap().parse().unwrap();
        // Whoever made the account was told so, or nothing; and nobody else was.
        assert!([201, 503].contains(&answers[winner].status), "{told}");
        assert!(of(201).all(|writer| writer == winner), "{told}");
        assert!(of(200).all(|writer| answers[writer].json()["FirstName"] == account.first_name), "{told}");
        for writer in of(200).chain([winner]) {
            assert!(account.organizations.contains(ORGANIZATIONS[writer]), "{told}");
        }
        assert_eq!(account.has_credential, self.gives_password(winner), "{told}");
    }
}

/// What the table holds of an account.
#[derive(Default, Debug)]
struct Account {
    emails: Vec<String>,
    first_name: String,
    organizations: BTreeSet<String>,
    has_credential: bool,
}

/// Every account of the table, by its address. Each item belongs to one, and each one is whole.
async fn accounts(world: &World) -> BTreeMap<String, Account> {
    let mut accounts: BTreeMap<String, Account> = BTreeMap::new();
    for item in world.items().await {
        let (partition, sort) = (text(&item, "PK"), text(&item, "SK"));
        let Some((kind, id)) = partition.split_once('#').filter(|(kind, _)| *kind != "ORG") else {
            continue;
        };
        let user = if kind == "EMAIL" { text(&item, "UserId") } else { id.to_owned() };
        let account = accounts.entry(user).or_default();
        match (kind, sort.split_once('#')) {
            ("EMAIL", None) => account.emails.push(id.to_owned()),
            ("USER", None) => account.first_name = text(&item, "FirstName"),
            ("USER", Some(("MEMBERSHIP", organization))) => {
                account.organizations.insert(organization.to_owned());
            }
            ("USER", Some(("CUSTOMER", _))) => {}
            ("CREDENTIAL", None) => account.has_credential = true,
            _ => panic!("{item}"),
        }
    }
    let mut by_email = BTreeMap::new();
    for (id, mut account) in accounts {
        let whole = !account.first_name.is_empty() && !account.organizations.is_empty();
        assert!(whole && account.emails.len() == 1, "{id}: {account:?}");
        by_email.insert(account.emails.remove(0), account);
    }
    by_email
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_race_under_faults_makes_one_whole_account() {
    let races = std::env::var("CREATION_RACES").map_or(100, |races| races.parse().unwrap());
    let world = &World::start().await;
    for (organization, slug) in [("org_third", "third"), ("org_fourth", "fourth")] {
        world.put_organization(organization, "Another", slug).await;
    }
    let ended: Vec<_> =
        stream::iter(0..races).map(|race| Race(race).run(world)).buffer_unordered(AT_ONCE).collect().await;
    let then = accounts(world).await;
    for (race, answers) in &ended {
        race.assert_told(&then, answers);
    }

    // What was lost is made good by sending it again.
    for (race, answers) in &ended {
        for writer in (0..answers.len()).filter(|&writer| answers[writer].status == 503) {
            let again = race.create(world, writer, &world.system.dynamodb_url).await;
            assert!([200, 201].contains(&again.status), "race {}: {again:?}", race.0);
        }
    }
    let now = accounts(world).await;
    for (race, answers) in &ended {
        let all = ORGANIZATIONS.into_iter().take(answers.len()).map(str::to_owned).collect();
        assert_eq!(now[&race.email()].organizations, all, "race {}", race.0);
    }

    // Faults were met, and mended, and not.
    let all = || ended.iter().flat_map(|(_, answers)| answers);
    let tally = [201, 200, 503].map(|status| all().filter(|answer| answer.status == status).count());
    println!("{races} races, answered 201, 200, 503: {tally:?}");
    assert!(tally.iter().all(|&answered| answered > 0), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_written_unseen_is_its_writers_201() {
    let world = World::start().await;
    let transactions = AtomicUsize::new(0);
    let schedule = move |request: &[u8]| {
        // The conflict makes the next try a new transaction to DynamoDB, which finds the account there.
        let faults = [Fault::AppliedAnswerLost, Fault::Conflict];
        let n = is(TRANSACTION, request).then(|| transactions.fetch_add(1, Ordering::SeqCst))?;
        faults.get(n).copied()
    };
    let proxy = Proxy::scheduled(world.dynamodb_address(), schedule).await;
    let answer = Race(0).create(&world, 0, &proxy.url).await;
    answer.assert_ok(201);
    assert_eq!(accounts(&world).await[&Race(0).email()].first_name, "Writer 0");
}
