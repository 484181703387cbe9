//! The limits: ratios of medians of one run, so that they apply on any machine.

use crate::events::TokenUse;
use crate::figures::Figures;
use crate::subjects::{Language, Role, Subject};

/// The memory that argon2id uses for one password by default (`PASSWORD_HASH_MEMORY_KIB`).
const HASH_MEMORY: f64 = 19_456.0 * 1024.0;
/// The function that verifies no token.
const PUBLIC: &str = "check-user-exists";

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
    FirstHash,
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
    /// The same, without those that hash a password or get one token again and again.
    WithoutHash,
    /// Those that hash a password.
    WithHash,
    /// Those that get one token again and again.
    OneToken,
    /// All that are deployed.
    All,
}

/// What it is compared with.
#[derive(Clone, Copy, PartialEq)]
enum Against {
    /// The no-op.
    Noop,
    /// The bare client with the same number of calls.
    Client,
    /// The same work written by hand, or other work with as many calls. It verifies every token.
    Fair,
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
    limit("start, no connection / no-op", Figure::Start, Whose::Scheduled, Against::Noop, 1.3),
    limit("start / bare client", Figure::Start, Whose::OnRequestPath, Against::Client, 1.1).reached(1.8),
    limit("first request / by hand", Figure::First, Whose::WithoutHash, Against::Fair, 1.5).reached(4.0),
    limit("our time on a warm request, µs", Figure::Ours, Whose::WithoutHash, Against::Nothing, 100.0).reached(250.0),
    limit("CPU of a warm request, new token / by hand", Figure::Processor, Whose::WithoutHash, Against::Fair, 1.5).reached(1.8),
    limit("CPU of a warm request, one token / by hand", Figure::Processor, Whose::OneToken, Against::Fair, 1.2),
    limit("peak memory / no-op", Figure::Memory, Whose::All, Against::Noop, 2.0),
    limit("CPU of a password's hash / the bench's own", Figure::Hash, Whose::WithHash, Against::OwnHash, 1.3),
    limit("CPU of the first request with a hash / a warm one", Figure::FirstHash, Whose::WithHash, Against::Nothing, 1.3).reached(1.9),
    limit("binary, bytes", Figure::Binary, Whose::All, Against::Nothing, 4.2e6).reached(4.4e6),
    limit("zip, bytes", Figure::Zip, Whose::All, Against::Nothing, 2e6).reached(2.1e6),
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
            verdicts.push(verdict(limit, measured.subject, value));
        }
    }
    verdicts
}

fn verdict(limit: &Limit, subject: &Subject, measured: f64) -> Verdict {
    Verdict {
        what: limit.what,
        subject: subject.name,
        measured,
        bound: limit.bound,
        reached: limit.reached,
        at_least: matches!(limit.against, Against::Peer(_)),
        exact: matches!(limit.figure, Figure::Binary | Figure::Zip | Figure::Hash)
            || (limit.figure == Figure::Memory && limit.against == Against::Noop),
    }
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

/// A function's own time on a warm request: without the table, the bare client's time and the verification of a token,
/// which is known for ES256. `None` for a floor.
pub fn our_time(measured: &Measured, all: &[Measured], verification: f64) -> Option<f64> {
    if measured.subject.is_floor() {
        return None;
    }
    let verification = match measured.subject.tokens {
        _ if measured.subject.work() == PUBLIC => 0.0,
        TokenUse::NewEs256 => verification,
        TokenUse::Repeated => 0.0,
        TokenUse::NewRs256 => return None,
    };
    let client = client(measured, all)?.figures?.warm?;
    Some(measured.figures?.warm?.besides_table - client.besides_table - verification)
}

/// The bare client with as many calls.
fn client<'a, 'b>(measured: &Measured, all: &'a [Measured<'b>]) -> Option<&'a Measured<'b>> {
    let calls = calls(measured)?;
    all.iter().find(|other| matches!(other.subject.role, Role::Client(number) if number == calls))
}

/// The same work written by hand, or if that is not measured, other work with as many calls and a token.
pub fn fair<'a, 'b>(measured: &Measured, all: &'a [Measured<'b>]) -> Option<&'a Measured<'b>> {
    let tokens = match measured.subject.tokens {
        TokenUse::NewEs256 | TokenUse::Repeated => TokenUse::NewEs256,
        TokenUse::NewRs256 => TokenUse::NewRs256,
    };
    let fair = || all.iter().filter(|it| it.subject.role == Role::Fair && it.subject.tokens == tokens);
    let similar = |other: &&Measured| other.subject.work() != PUBLIC && calls(other) == calls(measured);
    fair().find(|other| other.subject.work() == measured.subject.work()).or_else(|| fair().find(similar))
}

/// How many calls a request makes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
fn calls(measured: &Measured) -> Option<u32> {
    Some(measured.figures?.warm?.calls.round() as u32)
}

fn is_meant(limit: &Limit, subject: &Subject) -> bool {
    match (limit.whose, subject.role) {
        (Whose::Scheduled | Whose::All, Role::Scheduled) => true,
        (Whose::OnRequestPath | Whose::All, Role::Function) => subject.tokens == TokenUse::NewEs256,
        (Whose::WithoutHash, Role::Function) => !subject.hashes && subject.tokens != TokenUse::Repeated,
        (Whose::WithHash, Role::Function) => subject.hashes,
        (Whose::OneToken, Role::Function) => subject.tokens == TokenUse::Repeated,
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
            Figure::Processor => figures.warm?.processor.median,
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
            Figure::FirstHash => figures.first_processor.median / figures.warm?.processor.median,
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
        Against::Noop => Some(ours / figure(noop(all)?)?),
        Against::Client => Some(ours / figure(client(measured, all)?)?),
        Against::Fair => Some(ours / figure(fair(measured, all)?)?),
        Against::Peer(language) => {
            let same_work = |other: &&Measured| {
                matches!(other.subject.role, Role::Peer(other, _) if other == language)
                    && other.subject.work() == measured.subject.name
            };
            Some(figure(all.iter().find(same_work)?)? / ours)
        }
    }
}

fn noop<'a, 'b>(all: &'a [Measured<'b>]) -> Option<&'a Measured<'b>> {
    all.iter().find(|measured| measured.subject.role == Role::Noop)
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
            tokens: TokenUse::NewEs256,
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

    /// The limits that a function misses whose figures are so many times those of the floors,
    /// and the peers' so many times the function's.
    fn not(kept: impl Fn(&Verdict) -> bool, times: f64, peer_times: f64, bytes: u64) -> Vec<&'static str> {
        let noop = subject("no-op", Role::Noop, 0);
        let client = subject("bare client", Role::Client(1), 0);
        let fair = subject("get-profile, by hand", Role::Fair, 0);
        let function = subject("get-profile", Role::Function, bytes);
        let peer = subject("get-profile, Node", Role::Peer(Language::Node, 1), 0);
        let all = [
            measured(&noop, 100.0),
            measured(&client, 100.0),
            measured(&fair, 100.0),
            measured(&function, 100.0 * times),
            measured(&peer, 100.0 * times * peer_times),
        ];
        let verdicts = verdicts(&all, 0.0, 1.0);
        verdicts.iter().filter(|verdict| !kept(verdict)).map(|verdict| verdict.what).collect()
    }

    #[test]
    fn each_limit_is_missed_just_above_it() {
        let missed = |times, bytes| not(Verdict::is_reached, times, 30.0, bytes);
        assert_eq!(missed(1.1, 2_000_000), [""; 0]);
        assert_eq!(missed(1.11, 2_000_000), ["start / bare client"]);
        let slow = "CPU of a warm request, new token / by hand";
        assert_eq!(missed(1.51, 0), ["start / bare client", "first request / by hand", slow]);
        let ours = "our time on a warm request, µs";
        assert_eq!(missed(2.01, 0)[..3], ["start / bare client", "first request / by hand", ours]);
        assert_eq!(missed(2.01, 0)[3..], [slow, "peak memory / no-op"]);
        assert_eq!(missed(1.0, 2_000_001), ["zip, bytes"]);
        assert_eq!(missed(1.0, 4_200_001), ["binary, bytes", "zip, bytes"]);
    }

    #[test]
    fn a_peer_must_be_beaten_by_the_factor() {
        let missed = |peer_times| not(Verdict::is_reached, 1.0, peer_times, 0);
        assert_eq!(missed(6.1), ["Node's start / ours"]);
        assert_eq!(missed(5.9), ["Node's start / ours", "Node's memory / ours"]);
    }

    #[test]
    fn what_was_reached_is_kept_where_the_limit_is_not() {
        let subject = subject("get-profile", Role::Function, 0);
        let verdict = |measured, reached| {
            let bound = limit("x", Figure::Start, Whose::All, Against::Nothing, 1.0).reached(reached);
            verdict(&bound, &subject, measured)
        };
        assert!(verdict(3.0, 3.0).is_kept(1.0) && !verdict(3.0, 3.0).is_reached());
        assert!(!verdict(3.1, 3.0).is_kept(1.0));
    }

    #[test]
    fn a_margin_loosens_times_but_no_size_and_no_memory() {
        let subject = subject("get-profile", Role::Function, 0);
        let is_kept = |figure, against| {
            verdict(&limit("x", figure, Whose::All, against, 2.0), &subject, 2.1).is_kept(2.0)
        };
        assert!(is_kept(Figure::First, Against::Fair));
        assert!(is_kept(Figure::Memory, Against::Peer(Language::Node)));
        assert!(!is_kept(Figure::Memory, Against::Noop));
        assert!(!is_kept(Figure::Binary, Against::Nothing));
        assert!(!is_kept(Figure::Hash, Against::OwnHash));
    }

    #[test]
    fn our_time_is_without_the_bare_client_and_a_token_that_is_verified() {
        let noop = subject("no-op", Role::Noop, 0);
        let client = subject("bare client", Role::Client(1), 0);
        let profile = subject("get-profile", Role::Function, 0);
        let one_token = Subject { tokens: TokenUse::Repeated, ..subject("get-profile", Role::Function, 0) };
        let exists = subject("check-user-exists", Role::Function, 0);
        let create = subject("create-user", Role::Function, 0);
        let all = [
            measured(&noop, 50.0),
            measured(&client, 50.0),
            measured(&profile, 120.0),
            measured(&one_token, 120.0),
            measured(&exists, 120.0),
            measured(&create, 120.0 + HASH_MEMORY),
        ];
        assert_eq!(our_time(&all[1], &all, 30.0), None);
        assert_eq!(our_time(&all[2], &all, 30.0), Some(40.0));
        assert_eq!(our_time(&all[3], &all, 30.0), Some(70.0));
        assert_eq!(our_time(&all[4], &all, 30.0), Some(70.0));
        let of_create = |what: &str| {
            let verdicts = verdicts(&all, 30.0, 1.0);
            verdicts.iter().find(|it| it.subject == "create-user" && it.what == what).map(|it| it.measured)
        };
        assert_eq!(of_create("peak memory / no-op"), Some(2.4));
        assert_eq!(of_create("our time on a warm request, µs"), None);
    }

    #[test]
    fn work_that_nobody_wrote_by_hand_is_compared_with_other_work_of_as_many_calls() {
        let exists = subject("check-user-exists, by hand", Role::Fair, 0);
        let rs256 =
            Subject { tokens: TokenUse::NewRs256, ..subject("get-profile, by hand, RS256", Role::Fair, 0) };
        let profile = subject("get-profile, by hand", Role::Fair, 0);
        let all = [measured(&exists, 1.0), measured(&rs256, 1.0), measured(&profile, 1.0)];
        for (name, tokens, due) in [
            ("get-profile", TokenUse::NewEs256, Some("get-profile, by hand")),
            ("get-profile, one token", TokenUse::Repeated, Some("get-profile, by hand")),
            ("get-profile, RS256", TokenUse::NewRs256, Some("get-profile, by hand, RS256")),
            ("check-user-exists", TokenUse::NewEs256, Some("check-user-exists, by hand")),
            ("get-customer-association", TokenUse::NewEs256, Some("get-profile, by hand")),
        ] {
            let function = Subject { tokens, ..subject(name, Role::Function, 0) };
            let found = fair(&measured(&function, 1.0), &all).map(|found| found.subject.name);
            assert_eq!(found, due, "{name}");
        }
    }

    #[test]
    fn a_hash_is_compared_with_the_benchs_own() {
        let without = subject("create-user, no password", Role::Function, 0);
        let with = subject("create-user", Role::Function, 0);
        let all = [measured(&without, 400.0), measured(&with, 26_400.0)];
        let of_hash = |own_hash| {
            let verdicts = verdicts(&all, 0.0, own_hash);
            let hash =
                verdicts.iter().find(|it| it.what == "CPU of a password's hash / the bench's own").unwrap();
            (hash.measured, hash.is_kept(3.0))
        };
        assert_eq!(of_hash(20_000.0), (1.3, true));
        assert_eq!(of_hash(13_000.0), (2.0, false));
    }
}
