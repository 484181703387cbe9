//! This machine's clock.

use std::time::Duration;

use shared::clock::in_words;
use shared::table::ClockSkew;

use super::report::{Check, State};

/// What is usual between clocks that are set by the network.
const USUAL: Duration = Duration::from_secs(5);
/// The leeway of tokens.
const LEEWAY: Duration = Duration::from_mins(1);

pub(super) fn check(skew: Option<ClockSkew>) -> Check {
    let Some(ClockSkew { at_least, ahead }) = skew else {
        return Check::new("clock", State::Note, "not known: the table's server does not tell its time");
    };
    if at_least <= USUAL {
        return Check::new("clock", State::Ok, "this machine's is that of the table's server, within 5 s");
    }
    let direction = if ahead { "ahead of" } else { "behind" };
    let found = format!("this machine's is {} {direction} that of the table's server", in_words(at_least));
    let state = if at_least > LEEWAY { State::Wrong } else { State::Warning };
    Check::new("clock", state, found).advise(
        "set it by NTP: beyond 60 s what is said here of a token's times is wrong, beyond 5 min AWS refuses requests",
    )
}
