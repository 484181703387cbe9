//! The limiter's proof in `docs/architecture.md`, put to the test: whatever requests come and clocks
//! do, how close to each other the admitted ones of a client may lie.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::clock::{Clock, ManualClock, Timestamp};
use shared::model::{ClientAddress, Quota, RateLimit};
use shared::table::RateLimiter;

use crate::harness::property;
use crate::harness::{START, World};

const LIMIT: usize = 10;
const WINDOW: i64 = 60_000;

/// An instance of the function with a clock of its own.
struct Instance {
    limiter: RateLimiter,
    clock: ManualClock,
}

impl Instance {
    fn of(world: &World) -> Self {
        let (clock, hand) = Clock::manual(START);
        Self { limiter: limiter(world, clock), clock: hand }
    }

    /// Sets the clock to so many milliseconds after [`START`].
    fn set(&self, millis: i64) {
        self.clock.set(Timestamp::from_millis(START.millis() + millis));
    }

    async fn admits(&self, client: ClientAddress) -> bool {
        self.limiter.admit(client).await.1.is_ok()
    }

    /// How many of so many requests, one after the other, are admitted.
    async fn admitted(&self, client: ClientAddress, requests: usize) -> usize {
        let mut admitted = 0;
        for _ in 0..requests {
            admitted += usize::from(self.admits(client).await);
        }
        admitted
    }
}

fn limiter(world: &World, clock: Clock) -> RateLimiter {
    let window = Duration::from_millis(WINDOW.unsigned_abs());
    RateLimiter::new(world.functions_table(), RateLimit { name: "exists", limit: 10, window }, clock)
}

/// A client that has not asked yet.
fn new_client() -> ClientAddress {
    static CLIENTS: AtomicU32 = AtomicU32::new(0);
    ClientAddress::V4(CLIENTS.fetch_add(1, Ordering::SeqCst).into())
}

/// What TTL does to a client's count: deletes it if, by DynamoDB's clock, its time has come.
async fn sweep(world: &World, client: ClientAddress, millis: i64) {
    let partition = format!("RATE#exists#{client}");
    let key = json!({ "PK": { "S": partition }, "SK": { "S": "RATE" } });
    let input = json!({ "TableName": world.table().name(), "Key": key });
    let output = world.dynamodb("GetItem", &input).await;
    let expires_at = |item: &Value| item["ExpiresAt"]["N"].as_str().unwrap().parse::<i64>().unwrap();
    if output.get("Item").is_some_and(|item| START.millis() + millis >= expires_at(item) * 1000) {
        world.delete_item(&partition, "RATE").await;
    }
}

/// Checks that among requests, admitted at these times, any `10 k + 1` span `k` windows less what the
/// clocks differ by.
#[track_caller]
fn assert_spaced(admitted: &[i64], difference: i64) {
    for (n, &first) in admitted.iter().enumerate() {
        for (windows, &last) in (1..).zip(admitted.iter().skip(n + LIMIT).step_by(LIMIT)) {
            assert!(last - first >= windows * WINDOW - difference, "{admitted:?}, {difference} ms");
        }
    }
}

/// A pause, in milliseconds, at the edges of a window more often than not.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![
        2 => Just(0),
        1 => Just(1),
        1 => Just(59_999),
        1 => Just(60_000),
        2 => 57_900..62_100_i64,
        1 => 118_000..122_000_i64,
        2 => 0..62_000_i64,
    ]
}

#[test]
fn every_sixty_seconds_admit_ten_and_refuse_only_beyond_ten() {
    let bursts = prop::collection::vec((pause(), 1..=13_usize), 1..10);
    property::check(file!(), 10, &bursts, World::start, async |world, bursts| {
        let (client, clock) = (new_client(), Clock::manual(START));
        let instances = [(); 3].map(|()| limiter(world, clock.0.clone()));
        let (mut now, mut admitted) = (0, Vec::new());
        for (pause, requests) in bursts {
            now += pause;
            clock.1.set(Timestamp::from_millis(START.millis() + now));
            let in_window = |admitted: &[i64]| admitted.iter().filter(|&&time| time > now - WINDOW).count();
            let free = LIMIT - in_window(&admitted);

            let at_once = instances.iter().cycle().take(requests).map(|instance| instance.admit(client));
            let answers = join_all(at_once).await;
            let mut left: Vec<_> = answers.iter().filter(|(_, admitted)| admitted.is_ok()).collect();
            left.sort_by_key(|(quota, _)| std::cmp::Reverse(quota.remaining));
            admitted.extend(left.iter().map(|_| now));
            assert_eq!(left.len(), requests.min(free), "{admitted:?}");
            for ((quota, _), taken) in left.iter().zip(1..) {
                assert_eq!(usize::from(quota.remaining), free - taken);
            }
            for (quota, _) in answers.iter().filter(|(_, admitted)| admitted.is_err()) {
                let oldest = admitted[admitted.len() - LIMIT];
                assert_eq!(
                    (quota.remaining, quota.reset),
                    (0, Duration::from_millis((oldest + WINDOW - now).unsigned_abs()))
                );
            }
        }
        assert_spaced(&admitted, 0);
    });
}

/// Requests to an instance.
#[derive(Clone, Debug)]
struct Burst {
    pause: i64,
    /// One of three, or a new one, which remembers nothing.
    instance: usize,
    /// How far ahead of the slowest clock possible that instance's clock is, and DynamoDB's, in
    /// hundredths of the greatest difference.
    ahead: (i64, i64),
    requests: usize,
    sweep: bool,
}

fn bursts() -> impl Strategy<Value = Vec<Burst>> {
    let ahead = || prop_oneof![Just(0), Just(100), 0..=100_i64];
    let requests = prop_oneof![Just(1_usize), Just(10), 1..=12_usize];
    let burst = (pause(), 0..6_usize, (ahead(), ahead()), requests, any::<bool>()).prop_map(
        |(pause, instance, ahead, requests, sweep)| Burst { pause, instance, ahead, requests, sweep },
    );
    prop::collection::vec(burst, 1..12)
}

#[test]
fn clock_skew_shortens_the_window_by_no_more_than_itself() {
    let differences = prop_oneof![3 => Just(2_000), 1 => Just(0), 2 => 0..=20_000_i64, 2 => 0..60_000_i64];
    property::check(
        file!(),
        16,
        &(differences, bursts()),
        World::start,
        async |world, (difference, bursts)| {
            let (client, instances) = (new_client(), [(); 3].map(|()| Instance::of(world)));
            let (mut now, mut admitted) = (0, Vec::new());
            for burst in bursts {
                now += burst.pause;
                // Each clock may be anywhere between the slowest and the fastest, and be set on the way.
                let new = Instance::of(world);
                let instance = instances.get(burst.instance).unwrap_or(&new);
                instance.set(now + difference * burst.ahead.0 / 100);
                if burst.sweep && difference <= 20_000 {
                    sweep(world, client, now + difference * burst.ahead.1 / 100).await;
                }
                for _ in 0..burst.requests {
                    if instance.admits(client).await {
                        admitted.push(now);
                    } else {
                        let recent = admitted.iter().filter(|&&time| time > now - WINDOW - difference);
                        assert!(recent.count() >= LIMIT, "refused for no reason at {now}: {admitted:?}");
                    }
                }
            }
            assert_spaced(&admitted, difference);
        },
    );
}

#[tokio::test]
async fn clocks_two_seconds_apart_admit_ten_in_58_s_and_not_one_more() {
    let world = World::start().await;
    let (client, slow, fast) = (new_client(), Instance::of(&world), Instance::of(&world));
    assert_eq!(slow.admitted(client, 11).await, 10);
    fast.set(57_999 + 2_000);
    assert_eq!(fast.admitted(client, 1).await, 0);
    fast.set(58_000 + 2_000);
    assert_eq!(fast.admitted(client, 11).await, 10);
    // The difference is paid once: the next ten wait for a whole window.
    for millis in [58_000, 60_000, 117_999] {
        slow.set(millis);
        fast.set(millis + 2_000);
        assert_eq!((slow.admitted(client, 1).await, fast.admitted(client, 1).await), (0, 0), "{millis}");
    }
    fast.set(118_000 + 2_000);
    assert_eq!(fast.admitted(client, 11).await, 10);
}

#[tokio::test]
async fn a_sweep_two_seconds_ahead_forgets_nothing_that_counts() {
    let world = World::start().await;
    let client = new_client();
    assert_eq!(Instance::of(&world).admitted(client, 10).await, 10);
    for (millis, admits) in [(58_000, false), (59_000, false), (59_999, false), (60_000, true)] {
        sweep(&world, client, millis + 2_000).await;
        // One that has no memory of its own.
        let slow = Instance::of(&world);
        slow.set(millis);
        assert_eq!(slow.admits(client).await, admits, "{millis}");
    }
}

#[tokio::test]
async fn a_refusal_that_the_clock_ended_is_not_remembered() {
    let world = World::start().await;
    let (client, instance) = (new_client(), Instance::of(&world));
    assert_eq!(instance.admitted(client, 11).await, 10);
    // More than a window before what is counted, which so is beyond where clocks go.
    instance.set(-61_000);
    assert_eq!(instance.admitted(client, 10).await, 10);
    instance.set(10_000);
    assert_eq!(instance.admitted(client, 11).await, 10);
}

/// A clock set anywhere, right or wrong, and a number of requests.
fn wild_steps() -> impl Strategy<Value = Vec<(i64, usize)>> {
    let edges =
        prop::sample::select(vec![-120_001, -60_001, -60_000, -59_999, 0, 1, 60_000, 60_001, 120_001]);
    let millis = prop_oneof![2 => edges, 2 => -150_000..150_000_i64, 1 => -100_000_000..100_000_000_i64];
    prop::collection::vec((millis, prop_oneof![Just(10), 1..=4_usize, 1..=12_usize]), 1..8)
}

#[test]
fn the_quota_headers_are_right_under_any_clock() {
    property::check(file!(), 10, &wild_steps(), World::start, async |world, steps| {
        let client = new_client();
        let mut instance = Instance::of(world);
        for (millis, requests) in steps {
            // Without a memory of its own: what the table says.
            instance = Instance::of(world);
            instance.set(millis);
            instance.admitted(client, requests).await;
        }
        let (Quota { remaining, reset, .. }, _) = instance.limiter.admit(client).await;
        assert!(reset <= Duration::from_millis(2 * WINDOW.unsigned_abs()), "{reset:?}");
        let all = usize::from(remaining);
        assert_eq!(instance.admitted(client, all + 1).await, all, "r={remaining} t={reset:?}");
        instance.clock.set(Timestamp::from_millis(instance.clock.now().millis() - 1) + reset);
        assert!(!instance.admits(client).await, "before t={reset:?}");
        instance.clock.advance(Duration::from_millis(1));
        assert!(instance.admits(client).await, "at t={reset:?}");
    });
}

#[test]
fn remembered_refusals_change_no_answer_under_any_clock() {
    property::check(file!(), 10, &wild_steps(), World::start, async |world, steps| {
        let (one, other) = (new_client(), new_client());
        let remembering = Instance::of(world);
        for (millis, requests) in steps {
            remembering.set(millis);
            let forgetful = Instance::of(world);
            forgetful.set(millis);
            for _ in 0..requests {
                let (remembered, asked) =
                    (remembering.limiter.admit(one).await, forgetful.limiter.admit(other).await);
                assert_eq!((remembered.0, remembered.1.is_ok()), (asked.0, asked.1.is_ok()), "at {millis}");
            }
        }
    });
}
