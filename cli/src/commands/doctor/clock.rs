//! This machine's clock.

use std::time::Duration;

use operator::duration::in_words;
use operator::table::ClockSkew;

use super::report::{Check, State};

/// The usual difference between clocks that are set over the network.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skew_is_right_to_5_s_and_wrong_beyond_the_leeway() {
        let of = |seconds, ahead| {
            let check = check(Some(ClockSkew { at_least: Duration::from_secs(seconds), ahead }));
            serde_json::to_value(check).unwrap()
        };
        assert_eq!(of(5, true)["State"], "ok");
        assert_eq!(of(6, true)["State"], "warning");
        assert_eq!(of(60, false)["Found"], "this machine's is 60 s behind that of the table's server");
        assert_eq!(of(60, false)["State"], "warning");
        assert_eq!(of(61, false)["State"], "wrong");
        assert_eq!(serde_json::to_value(check(None)).unwrap()["State"], "note");
    }
}
