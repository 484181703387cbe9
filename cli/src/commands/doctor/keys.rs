//! The signing keys.

use std::time::Duration;

use operator::duration::in_words;
use operator::table::OperatorTable;
use operator::token::DescribedKey;
use shared::clock::Timestamp;
use shared::error::ErrorKind;
use shared::table::StoredSigningKeys;

use super::report::{Check, Report, State};
use crate::commands::Failure;

/// Keys are fetched every five minutes, so at this age two fetches were missed.
const LATE: Duration = Duration::from_mins(15);
/// The age at which the template's alarm fires by default.
const TOO_OLD: Duration = Duration::from_mins(30);

const REFRESH: &str =
    "invoke refresh-signing-keys and look at what it logs: docs/operations.md, \"Failed refreshes\"";
const RESTART: &str = "`users serve` writes them when it starts";

/// The keys of the settings.
pub(super) fn check_inline(jwks: &str, report: &mut Report) {
    report.add(Check::new("signing keys", State::Ok, "those of SIGNING_KEYS; the table's are not read"));
    describe(DescribedKey::all(jwks, true), "correct SIGNING_KEYS", report);
}

/// The keys of the table. An instance reads them again after `max_age`.
pub(super) async fn check_stored(
    table: &OperatorTable,
    is_local: bool,
    max_age: Option<Duration>,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), Failure> {
    let advice = if is_local { RESTART } else { REFRESH };
    let wrong = |found: String| Check::new("signing keys", State::Wrong, found).advise(advice);
    let stored = match table.signing_keys().await {
        Ok(Some(stored)) => stored,
        Ok(None) => {
            report.add(wrong("there are none: every token gets 503".to_owned()));
            return Ok(());
        }
        Err(error) if matches!(error.kind(), ErrorKind::Defect) => {
            report.add(wrong(error.log().unwrap_or("they cannot be read").to_owned()));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let again = max_age.map(|age| format!(", read again by each instance after {}", in_words(age)));
    report.add(age(&stored, is_local, &again.unwrap_or_default(), now));
    describe(DescribedKey::all(&stored.jwks, false), advice, report);
    Ok(())
}

fn age(stored: &StoredSigningKeys, is_local: bool, again: &str, now: Timestamp) -> Check {
    const CHECK: &str = "signing keys";
    let age = now.since(stored.fetched_at);
    if stored.fetched_at > now + Duration::from_mins(1) {
        let found = format!("fetched {} from now", in_words(stored.fetched_at.since(now)));
        return Check::new(CHECK, State::Warning, found).advise("some clock is wrong");
    }
    if is_local {
        let found = format!("made known {} ago, when the local system started{again}", in_words(age));
        return Check::new(CHECK, State::Ok, found);
    }
    let found = format!("fetched {} ago{again}", in_words(age));
    let state = match age {
        age if age > TOO_OLD => State::Wrong,
        age if age > LATE => State::Warning,
        _ => return Check::new(CHECK, State::Ok, found),
    };
    Check::new(CHECK, state, format!("{found}; due every five minutes")).advise(REFRESH)
}

/// Each key of a set, with whether it counts.
fn describe(keys: Result<Vec<DescribedKey>, &'static str>, advice: &str, report: &mut Report) {
    let keys = match keys {
        Ok(keys) => keys,
        Err(why) => {
            report.add(Check::new("signing keys", State::Wrong, format!("the set {why}")).advise(advice));
            return;
        }
    };
    if !keys.iter().any(|key| key.what.is_ok()) {
        let found = "no key counts: every token is refused";
        report.add(Check::new("signing keys", State::Wrong, found).advise(advice));
    }
    for DescribedKey { id, what } in keys {
        let id = id.as_deref().unwrap_or("without a kid");
        report.add(match what {
            Ok(what) => Check::new("signing key", State::Ok, format!("{id}: {what}")),
            Err(why) => Check::new("signing key", State::Warning, format!("{id} does not count: {why}"))
                .advise("its tokens are refused; others are not concerned"),
        });
    }
}
