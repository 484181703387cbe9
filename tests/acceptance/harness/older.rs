//! The older version, compiled beside this one by `.ci/mixed`: a share of a test's requests goes to its functions. They
//! are on the same table and follow the same clock.
//!
//! | `VERSIONS` | who answers |
//! |---|---|
//! | `mixed` | each request at random: a canary |
//! | `alternating` | this version and the older one in turns |
//! | `rolled-back` | this version up to a random request of each [`World`], then the older one on what this one wrote |
//! | `older` | always the older one |
//!
//! `VERSIONS_SEED=<n>` draws other random numbers. A test that sends its requests one after the other then gets the
//! same versions again. Endpoints that the older version lacks, and everything beside the endpoints, are this one's.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::mem::discriminant;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use older_operator::table::{CallObserver, local_table, observed};
use older_shared::app::AppSettings;
use older_shared::clock as older_clock;
use older_users::local::{ENDPOINTS, FunctionObserver, LocalSystem, Options, invoke};
use serde_json::Value;
use shared::clock::ManualClock;
use shared::{App, Endpoint};

use super::World;

/// The older version's system on a world's table, and who answers in that world.
pub struct Older {
    system: LocalSystem,
    /// Where this version's API answers.
    newer: SocketAddr,
    clock: Follower,
    draws: Draws,
}

/// A clock of the older version that follows a world's.
struct Follower {
    world: ManualClock,
    hand: older_clock::ManualClock,
}

/// An instance of this version, and its counterpart.
struct Twins {
    newer: Weak<App>,
    older: Arc<older_shared::App>,
    clock: Arc<Follower>,
    of: Weak<Older>,
}

static WORLDS: Mutex<Vec<Weak<Older>>> = Mutex::new(Vec::new());
static TWINS: Mutex<Vec<Arc<Twins>>> = Mutex::new(Vec::new());

impl Older {
    /// Starts it. The table's signing keys are then the older system's, until the caller puts its own back.
    pub async fn start(
        newer: &users::local::LocalSystem,
        observer: FunctionObserver,
        clock: ManualClock,
    ) -> Arc<Self> {
        // It reads its keys now. Days later it reads them again, and finds those that sign the world's tokens.
        let start = clock.now() - Duration::from_hours(48);
        let (older, hand) = older_clock::Clock::manual(older_clock::Timestamp::from_millis(start.millis()));
        let options = Options {
            clock: older,
            dynamodb_url: Some(newer.dynamodb_url.clone()),
            table_name: newer.table.name().to_owned(),
            observer: Some(observer),
            ..Options::default()
        };
        let system = LocalSystem::start(options).await.unwrap();
        let clock = Follower { world: clock, hand };
        let older = Arc::new(Self { system, newer: newer.api_address, clock, draws: Draws::new() });
        push(&WORLDS, Arc::downgrade(&older), |older| older.strong_count() > 0);
        older
    }

    /// Gives an instance of this version its counterpart.
    pub fn pair(
        self: &Arc<Self>,
        app: &Arc<App>,
        url: &str,
        settings: &[(&str, &str)],
        observer: Option<CallObserver>,
    ) {
        let mut table = local_table(self.system.table.name(), url);
        if let Some(observer) = observer {
            table = observed(&table, observer);
        }
        let usual = [
            ("TABLE_NAME", table.name()),
            ("TOKEN_ISSUER", older_users::local::ISSUER),
            ("TOKEN_AUDIENCE", older_users::local::AUDIENCE),
        ];
        let config = AppSettings::read(true, |name| {
            let mut all = settings.iter().chain(&usual);
            all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let now = self.clock.world.now().millis();
        let (clock, hand) = older_clock::Clock::manual(older_clock::Timestamp::from_millis(now));
        let older = Arc::new(older_shared::App::new(config.unwrap(), table.clone(), clock));
        let clock = Arc::new(Follower { world: self.clock.world.clone(), hand });
        let twins = Twins { newer: Arc::downgrade(app), older, clock, of: Arc::downgrade(self) };
        push(&TWINS, Arc::new(twins), |twins| twins.newer.strong_count() > 0);
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        let [newer, older] = self.draws.answered.each_ref().map(|answered| answered.load(Ordering::SeqCst));
        // `.ci/mixed` adds these up.
        println!("answered by this version: {newer}, by the older one: {older}");
    }
}

/// Where a request to an API goes.
pub fn address(of: SocketAddr, path: &str) -> SocketAddr {
    let mut worlds = lock(&WORLDS).clone().into_iter().filter_map(|world| world.upgrade());
    match worlds.find(|world| world.newer == of) {
        Some(world) if ENDPOINTS.iter().any(|endpoint| endpoint.path == path) && world.draws.draw() => {
            world.clock.follow();
            world.system.api_address
        }
        _ => of,
    }
}

/// What the older version answers to an event; `None` if this one is to answer.
pub async fn answer(endpoint: Endpoint, app: &Arc<App>, event: &Value, time_left: Duration) -> Option<Value> {
    let twins = twins(app)?;
    // A handler of a test's own is nobody else's.
    let is_own = |known: &Endpoint| {
        known.name == endpoint.name && discriminant(&known.access) == discriminant(&endpoint.access)
    };
    if !super::ENDPOINTS.iter().any(is_own) {
        return None;
    }
    let older = ENDPOINTS.into_iter().find(|older| older.name == endpoint.name)?;
    if !twins.of.upgrade()?.draws.draw() {
        return None;
    }
    twins.clock.follow();
    Some(invoke(older, &twins.older, event, time_left).await)
}

/// Prepares the counterpart for its first request.
pub async fn warm_up(app: &Arc<App>) {
    if let Some(twins) = twins(app) {
        twins.older.warm_up().await;
    }
}

fn twins(app: &Arc<App>) -> Option<Arc<Twins>> {
    let twins = lock(&TWINS);
    twins.iter().find(|twins| twins.newer.as_ptr() == Arc::as_ptr(app)).cloned()
}

impl Follower {
    fn follow(&self) {
        self.hand.set(older_clock::Timestamp::from_millis(self.world.now().millis()));
    }
}

/// Who answers a world's requests.
struct Draws {
    plan: Plan,
    seed: u64,
    drawn: AtomicUsize,
    /// By this version, by the older one.
    answered: [AtomicUsize; 2],
}

enum Plan {
    Mixed,
    Alternating,
    /// The older one answers from this request on.
    RolledBack(u64),
    Older,
}

impl Draws {
    fn new() -> Self {
        let seed: u64 = std::env::var("VERSIONS_SEED").map_or(0, |seed| seed.parse().unwrap());
        let mut hasher = DefaultHasher::new();
        (seed, std::thread::current().name()).hash(&mut hasher);
        let seed = hasher.finish();
        let plan = match std::env::var("VERSIONS").as_deref() {
            Ok("mixed") => Plan::Mixed,
            Ok("alternating") => Plan::Alternating,
            Ok("rolled-back") => Plan::RolledBack(random(seed, 0) % 16),
            Ok("older") => Plan::Older,
            other => panic!("VERSIONS is mixed, alternating, rolled-back or older, not {other:?}"),
        };
        Self { plan, seed, drawn: AtomicUsize::new(0), answered: Default::default() }
    }

    /// Whether the older version answers the next request.
    fn draw(&self) -> bool {
        let n = self.drawn.fetch_add(1, Ordering::SeqCst) as u64;
        let older = match self.plan {
            Plan::Mixed => random(self.seed, n + 1).is_multiple_of(2),
            Plan::Alternating => n % 2 == 1,
            Plan::RolledBack(at) => n >= at,
            Plan::Older => true,
        };
        self.answered[usize::from(older)].fetch_add(1, Ordering::SeqCst);
        older
    }
}

fn random(seed: u64, n: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, n).hash(&mut hasher);
    hasher.finish()
}

/// Adds a value, and drops those that are over.
fn push<T>(all: &Mutex<Vec<T>>, value: T, is_current: impl Fn(&T) -> bool) {
    let mut all = lock(all);
    all.retain(is_current);
    all.push(value);
}

fn lock<T>(all: &Mutex<T>) -> MutexGuard<'_, T> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::test]
async fn the_older_version_answers_its_share() {
    let world = World::start().await;
    let answered = |by: usize| world.older.draws.answered[by].load(Ordering::SeqCst);
    let admin = world.admin(super::ACME);
    for _ in 0..32 {
        let organizations = world.get("/api/users/organizations").bearer(&admin);
        organizations.send().await.assert_problem(400);
    }
    assert_eq!(answered(0) + answered(1), 32);
    assert!(answered(1) > 0);
    // A request of the older version's own system knows nothing of this version's draws.
    let direct = super::Client::of(world.older.system.api_address);
    let jane = world.bearer("Customer", super::JANE, super::ACME);
    direct.get("/api/users/profile").bearer(&jane).send().await.assert_ok(200);
    assert_eq!(answered(0) + answered(1), 32);
}
