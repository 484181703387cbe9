//! The limits: ratios of medians of one run, so that they apply on any machine.

use crate::figures::Figures;
use crate::subjects::{Language, Role, Subject};

/// The memory that argon2id uses for one password by default (`PASSWORD_HASH_MEMORY_KIB`).
const HASH_MEMORY: f64 = 19_456.0 * 1024.0;
/// The function that verifies no token.
const PUBLIC: &str = "check-user-exists";
/// The function that can hash a password. It is compiled for speed.
const HASHING: &str = "create-user";

/// A figure that has a limit.
#[derive(Clone, Copy, PartialEq)]
enum Figure {
    Start,
    First,
    Warm,
    Processor,
    Ours,
    Memory,
    Hash,
    Binary,
    Zip,
}

/// The subjects to which a limit applies.
#[derive(Clone, Copy, PartialEq)]
enum Whose {
    /// The function that opens no connection at its start.
    Scheduled,
    /// Those on the request path.
    OnRequestPath,
    /// The same, without those that hash a password.
    WithoutHash,
    /// Those that hash a password.
    WithHash,
    /// The function that can hash a password, with one and without.
    Hashing,
    /// All others.
    NotHashing,
    /// All of them.
    All,
}

/// What it is compared with.
#[derive(Clone, Copy, PartialEq)]
enum Against {
    /// The no-op of `lambda_http`.
    Floor,
    /// The bare client with the same number of calls.
    Client,
    /// A hash of the bench's own, by the same library, fully optimised.
    OwnHash,
    /// The same work in another language: how many times better it must be, at least.
    Peer(Language),
    /// Nothing: the limit is in microseconds or bytes.
    Nothing,
}

struct Limit {
    what: &'static str,
    figure: Figure,
    whose: Whose,
    against: Against,
    bound: f64,
    /// If the bound is not reached: the value that is reached, which must be kept.
    reached: Option<f64>,
}

const fn limit(what: &'static str, figure: Figure, whose: Whose, against: Against, bound: f64) -> Limit {
    Limit { what, figure, whose, against, bound, reached: None }
}

impl Limit {
    const fn reached(self, reached: f64) -> Self {
        Self { reached: Some(reached), ..self }
    }
}

/// All of them.
#[rustfmt::skip]
const LIMITS: &[Limit] = &[
    limit("start, no connection / no-op", Figure::Start, Whose::Scheduled, Against::Floor, 1.3),
    limit("start / bare client", Figure::Start, Whose::OnRequestPath, Against::Client, 1.2),
    limit("first request / bare client", Figure::First, Whose::WithoutHash, Against::Client, 1.5).reached(4.0),
    limit("our time on a warm request, µs", Figure::Ours, Whose::WithoutHash, Against::Nothing, 100.0).reached(300.0),
    limit("CPU of a warm request / bare client", Figure::Processor, Whose::WithoutHash, Against::Client, 1.8).reached(5.0),
    limit("peak memory / no-op", Figure::Memory, Whose::All, Against::Floor, 2.0).reached(2.2),
    limit("CPU of a password's hash / the bench's own", Figure::Hash, Whose::WithHash, Against::OwnHash, 1.3),
    limit("binary, bytes", Figure::Binary, Whose::NotHashing, Against::Nothing, 5e6),
    limit("binary of create-user, bytes", Figure::Binary, Whose::Hashing, Against::Nothing, 5e6).reached(5.4e6),
    limit("zip, bytes", Figure::Zip, Whose::All, Against::Nothing, 2.5e6),
    limit("Node's start / ours", Figure::Start, Whose::OnRequestPath, Against::Peer(Language::Node), 20.0),
    limit("Node's warm request / ours", Figure::Warm, Whose::OnRequestPath, Against::Peer(Language::Node), 4.0),
    limit("Node's memory / ours", Figure::Memory, Whose::OnRequestPath, Against::Peer(Language::Node), 6.0),
    limit("Python's start / ours", Figure::Start, Whose::OnRequestPath, Against::Peer(Language::Python), 20.0),
    limit("Python's warm request / ours", Figure::Warm, Whose::OnRequestPath, Against::Peer(Language::Python), 4.0),
    limit("Python's memory / ours", Figure::Memory, Whose::OnRequestPath, Against::Peer(Language::Python), 6.0),
    limit("Go's start / ours", Figure::Start, Whose::OnRequestPath, Against::Peer(Language::Go), 1.0),
    limit("Go's warm request / ours", Figure::Warm, Whose::OnRequestPath, Against::Peer(Language::Go), 1.0),
    limit("Go's memory / ours", Figure::Memory, Whose::OnRequestPath, Against::Peer(Language::Go), 1.0),
];

/// A subject and its figures; none if it failed.
pub struct Measured<'a> {
    /// The subject.
    pub subject: &'a Subject,
    /// Its figures.
    pub figures: Option<Figures>,
}

/// A limit, and a subject's result.
pub struct Verdict {
    /// What is limited.
    pub what: &'static str,
    /// Who was measured.
    pub subject: &'static str,
    /// What was measured.
    pub measured: f64,
    /// The limit: the most, or against a peer the least.
    pub bound: f64,
    /// The value to keep if the bound is not reached.
    reached: Option<f64>,
    /// Whether the limit is a minimum.
    pub at_least: bool,
    /// Whether no margin applies: a size is the same on every machine, and memory and the ratio of hashes almost.
    exact: bool,
}

impl Verdict {
    /// Whether the bound is reached.
    pub fn is_reached(&self) -> bool {
        if self.at_least { self.measured > self.bound } else { self.measured <= self.bound }
    }

    /// Whether the bound, or what was reached of it, is kept, or would be if it were looser by `margin`.
    pub fn is_kept(&self, margin: f64) -> bool {
        let margin = if self.exact { 1.0 } else { margin };
        let bound = self.reached.unwrap_or(self.bound);
        if self.at_least { self.measured * margin > bound } else { self.measured <= bound * margin }
    }
}

/// Compares all measured subjects with their limits. Leaves out limits against subjects that were not measured, such as
/// a peer that is not installed.
///
/// `verification` and `own_hash` are times in microseconds.
pub fn verdicts(all: &[Measured], verification: f64, own_hash: f64) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for limit in LIMITS {
        for measured in all.iter().filter(|measured| is_meant(limit, measured.subject)) {
            let Some(value) = value(limit, measured, all, verification, own_hash) else { continue };
            verdicts.push(Verdict {
                what: limit.what,
                subject: measured.subject.name,
                measured: value,
                bound: limit.bound,
                reached: limit.reached,
                at_least: matches!(limit.against, Against::Peer(_)),
                exact: matches!(limit.figure, Figure::Binary | Figure::Zip | Figure::Hash)
                    || (limit.figure == Figure::Memory && limit.against == Against::Floor),
            });
        }
    }
    verdicts
}

/// The time to verify a token's signature, in microseconds: the difference between the bare client with and without it.
pub fn verification(all: &[Measured]) -> f64 {
    let processor = |role| {
        let measured = all.iter().find(|measured| measured.subject.role == role)?;
        Some(measured.figures?.warm?.processor.median)
    };
    match (processor(Role::Verifier), processor(Role::Client(1))) {
        (Some(with), Some(without)) => with - without,
        _ => 0.0,
    }
}

/// A function's own time on a warm request: without the table, the no-op and the verification of a token.
pub fn our_time(measured: &Measured, all: &[Measured], verification: f64) -> Option<f64> {
    let floor = floor(all)?.figures?.warm?;
    let warm = measured.figures?.warm?;
    Some(warm.besides_table - floor.p50.median - verification_of(measured.subject, verification))
}

fn is_meant(limit: &Limit, subject: &Subject) -> bool {
    match (limit.whose, subject.role) {
        (Whose::Scheduled | Whose::NotHashing | Whose::All, Role::Scheduled)
        | (Whose::OnRequestPath | Whose::All, Role::Function) => true,
        (Whose::WithoutHash, Role::Function) => !subject.hashes,
        (Whose::WithHash, Role::Function) => subject.hashes,
        (Whose::Hashing, Role::Function) => subject.work() == HASHING,
        (Whose::NotHashing, Role::Function) => subject.work() != HASHING,
        _ => false,
    }
}

fn value(
    limit: &Limit,
    measured: &Measured,
    all: &[Measured],
    verification: f64,
    own_hash: f64,
) -> Option<f64> {
    let figure = |measured: &Measured| -> Option<f64> {
        let figures = measured.figures?;
        Some(match limit.figure {
            Figure::Start => figures.start.median,
            Figure::First => figures.first.median,
            Figure::Warm => figures.warm?.p50.median,
            Figure::Processor => {
                figures.warm?.processor.median - verification_of(measured.subject, verification)
            }
            Figure::Ours => our_time(measured, all, verification)?,
            Figure::Hash => {
                let same_without = |other: &&Measured| {
                    matches!(other.subject.role, Role::Function)
                        && other.subject.work() == measured.subject.name
                        && !other.subject.hashes
                };
                let without = all.iter().find(same_without)?.figures?.warm?;
                figures.warm?.processor.median - without.processor.median
            }
            Figure::Memory if measured.subject.hashes => figures.peak_memory.median - HASH_MEMORY,
            Figure::Memory => figures.peak_memory.median,
            #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
            Figure::Binary => measured.subject.sizes?.unpacked as f64,
            #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
            Figure::Zip => measured.subject.sizes?.zipped as f64,
        })
    };
    let ours = figure(measured)?;
    match limit.against {
        Against::Nothing => Some(ours),
        Against::OwnHash => Some(ours / own_hash),
        Against::Floor => Some(ours / figure(floor(all)?)?),
        Against::Client => {
            let calls = measured.figures.as_ref()?.warm.as_ref()?.calls;
            let same_calls = |other: &&Measured| matches!(other.subject.role, Role::Client(number) if (f64::from(number) - calls).abs() < 0.5);
            Some(ours / figure(all.iter().find(same_calls)?)?)
        }
        Against::Peer(language) => {
            let same_work = |other: &&Measured| {
                matches!(other.subject.role, Role::Peer(other, _) if other == language)
                    && other.subject.work() == measured.subject.name
            };
            Some(figure(all.iter().find(same_work)?)? / ours)
        }
    }
}

fn floor<'a, 'b>(all: &'a [Measured<'b>]) -> Option<&'a Measured<'b>> {
    all.iter().find(|measured| measured.subject.role == Role::Floor)
}

fn verification_of(subject: &Subject, verification: f64) -> f64 {
    let verifies = matches!(subject.role, Role::Function) && subject.work() != PUBLIC;
    if verifies { verification } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::WarmFigures;
    use crate::statistics::Summary;
    use crate::subjects::Sizes;

    fn exactly(median: f64) -> Summary {
        Summary { median, low: median, high: median }
    }

    /// A subject of which so many bytes are deployed, zipped and not.
    fn subject(name: &'static str, role: Role, bytes: u64) -> Subject {
        Subject {
            name,
            role,
            program: "".into(),
            arguments: Vec::new(),
            folder: "".into(),
            settings: Vec::new(),
            event: None,
            hashes: name == "create-user",
            log: "".into(),
            sizes: Some(Sizes { unpacked: bytes, zipped: bytes }),
        }
    }

    fn measured(subject: &Subject, value: f64) -> Measured<'_> {
        let warm = WarmFigures {
            p50: exactly(value),
            p99: value,
            besides_table: value,
            table: 0.0,
            processor: exactly(value),
            calls: 1.0,
            bytes: 1.0,
        };
        let figures = Figures {
            start: exactly(value),
            start_processor: exactly(value),
            start_calls: exactly(1.0),
            first: exactly(value),
            first_processor: exactly(value),
            warm: Some(warm),
            peak_memory: exactly(value),
        };
        Measured { subject, figures: Some(figures) }
    }

    /// The limits that a function misses whose figures are so many times those of floor and client,
    /// and the peers' so many times the function's.
    fn not(kept: impl Fn(&Verdict) -> bool, times: f64, peer_times: f64, bytes: u64) -> Vec<&'static str> {
        let floor = subject("no-op, lambda_http", Role::Floor, 0);
        let client = subject("bare client", Role::Client(1), 0);
        let function = subject("get-profile", Role::Function, bytes);
        let peer = subject("get-profile, Node", Role::Peer(Language::Node, 1), 0);
        let all = [
            measured(&floor, 50.0),
            measured(&client, 50.0),
            measured(&function, 50.0 * times),
            measured(&peer, 50.0 * times * peer_times),
        ];
        let verdicts = verdicts(&all, 0.0, 1.0);
        verdicts.iter().filter(|verdict| !kept(verdict)).map(|verdict| verdict.what).collect()
    }

    #[test]
    fn each_limit_is_missed_just_above_it() {
        let missed = |times, bytes| not(Verdict::is_reached, times, 30.0, bytes);
        assert_eq!(missed(1.2, 2_500_000), [""; 0]);
        assert_eq!(missed(1.21, 2_500_000), ["start / bare client"]);
        assert_eq!(missed(1.51, 0), ["start / bare client", "first request / bare client"]);
        let too_slow = [
            "start / bare client",
            "first request / bare client",
            "our time on a warm request, µs",
            "CPU of a warm request / bare client",
            "peak memory / no-op",
        ];
        assert_eq!(missed(3.1, 0), too_slow);
        assert_eq!(missed(1.0, 2_500_001), ["zip, bytes"]);
        assert_eq!(missed(1.0, 5_000_001), ["binary, bytes", "zip, bytes"]);
    }

    #[test]
    fn a_peer_must_be_beaten_by_the_factor() {
        let missed = |peer_times| not(Verdict::is_reached, 1.0, peer_times, 0);
        assert_eq!(missed(6.1), ["Node's start / ours"]);
        assert_eq!(missed(5.9), ["Node's start / ours", "Node's memory / ours"]);
    }

    #[test]
    fn what_was_reached_is_kept_where_the_limit_is_not() {
        let exactly = |verdict: &Verdict| verdict.is_kept(1.0);
        assert_eq!(not(exactly, 4.0, 30.0, 0), ["start / bare client", "peak memory / no-op"]);
        let one_more = ["start / bare client", "first request / bare client", "peak memory / no-op"];
        assert_eq!(not(exactly, 4.1, 30.0, 0), one_more);
    }

    #[test]
    fn a_margin_loosens_times_but_no_size_and_no_memory() {
        let missed = |times, bytes| not(|verdict| verdict.is_kept(2.0), times, 14.0, bytes);
        assert_eq!(missed(2.0, 5_000_001), ["binary, bytes", "zip, bytes"]);
        assert_eq!(missed(2.3, 0), ["peak memory / no-op"]);
    }

    #[test]
    fn verification_and_the_hash_are_not_held_against_a_function() {
        let floor = subject("no-op, lambda_http", Role::Floor, 0);
        let profile = subject("get-profile", Role::Function, 0);
        let exists = subject("check-user-exists", Role::Function, 0);
        let create = subject("create-user", Role::Function, 0);
        let all = [
            measured(&floor, 50.0),
            measured(&profile, 120.0),
            measured(&exists, 120.0),
            measured(&create, 120.0 + HASH_MEMORY),
        ];
        assert_eq!(our_time(&all[1], &all, 30.0), Some(40.0));
        assert_eq!(our_time(&all[2], &all, 30.0), Some(70.0));
        let of_create = |what: &str| {
            let verdicts = verdicts(&all, 30.0, 1.0);
            verdicts.iter().find(|it| it.subject == "create-user" && it.what == what).map(|it| it.measured)
        };
        assert_eq!(of_create("peak memory / no-op"), Some(2.4));
        assert_eq!(of_create("our time on a warm request, µs"), None);
    }

    #[test]
    fn a_hash_is_compared_with_the_benchs_own() {
        let without = subject("create-user, no password", Role::Function, 0);
        let with = subject("create-user", Role::Function, 0);
        let all = [measured(&without, 400.0), measured(&with, 26_400.0)];
        let of_hash = |own_hash| {
            let verdicts = verdicts(&all, 0.0, own_hash);
            let [verdict] = verdicts.iter().filter(|it| it.what.contains("hash")).collect::<Vec<_>>()[..]
            else {
                panic!("one limit on hashes")
            };
            (verdict.measured, verdict.is_kept(3.0))
        };
        assert_eq!(of_hash(20_000.0), (1.3, true));
        assert_eq!(of_hash(13_000.0), (2.0, false));
    }
}
