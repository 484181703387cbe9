//! The `Authorization` header around a good token.

use super::{Attack, Outcome, Stage, Way};

const SCHEME: Outcome = Outcome::Accepted("the scheme's case is free (RFC 9110, section 11.1)");
const TRIMMED: Outcome =
    Outcome::Accepted("HTTP itself takes white space around a value away (RFC 9110, section 5.5)");

pub fn all(stage: &Stage, role: &str) -> Vec<Attack> {
    use Outcome::{Malformed, Refused};
    use Way::{Both, Event, Http};
    let token = stage.good(role);
    let good = format!("Bearer {token}");
    let row = |name: &str, outcome, way, value: &str| {
        Attack::by_header(name, outcome, way, &[&value.replace("TOKEN", &token)])
    };
    let lines = |name: &str, lines: &[&str]| Attack::by_header(name, Malformed, Both, lines);
    vec![
        row("`bearer` in lower case", SCHEME, Both, "bearer TOKEN"),
        row("`BEARER` in upper case", SCHEME, Both, "BEARER TOKEN"),
        row("an empty header", Refused, Both, ""),
        row("the scheme alone", Refused, Both, "Bearer"),
        row("the scheme and a space", Refused, Both, "Bearer "),
        row("the token alone", Refused, Both, "TOKEN"),
        row("`Basic`", Refused, Both, "Basic TOKEN"),
        row("`Token`", Refused, Both, "Token TOKEN"),
        row("`DPoP`", Refused, Both, "DPoP TOKEN"),
        row("`Bearer` with a Cyrillic letter", Refused, Both, "B\u{435}arer TOKEN"),
        row("`Bearers`", Refused, Both, "Bearers TOKEN"),
        row("the scheme twice", Refused, Both, "Bearer Bearer TOKEN"),
        row("a colon behind the scheme", Refused, Both, "Bearer: TOKEN"),
        row("a colon for the space", Refused, Both, "Bearer:TOKEN"),
        row("a comma for the space", Refused, Both, "Bearer,TOKEN"),
        row("no space", Refused, Both, "BearerTOKEN"),
        // RFC 6750 allows them; nobody writes them, and what stands before us may read them otherwise.
        row("two spaces", Refused, Both, "Bearer  TOKEN"),
        row("a tab for the space", Refused, Both, "Bearer\tTOKEN"),
        row("a tab behind the space", Refused, Both, "Bearer \tTOKEN"),
        row("a tab before the space", Refused, Both, "Bearer\t TOKEN"),
        row("a no-break space for the space", Refused, Both, "Bearer\u{a0}TOKEN"),
        row("a line feed for the space", Refused, Event, "Bearer\nTOKEN"),
        row("a NUL behind the scheme", Refused, Event, "Bearer\0 TOKEN"),
        row("a NUL behind the token", Refused, Event, "Bearer TOKEN\0"),
        row("a line behind the token", Refused, Event, "Bearer TOKEN\r\nX-Role: Admin"),
        row("white space before the scheme, in an event", Refused, Event, " Bearer TOKEN"),
        row("white space behind the token, in an event", Refused, Event, "Bearer TOKEN "),
        row("white space around the value, over HTTP", TRIMMED, Http, " \tBearer TOKEN\t "),
        row("a token in quotes", Refused, Both, "Bearer \"TOKEN\""),
        row("a token in angle brackets", Refused, Both, "Bearer <TOKEN>"),
        row("`token=`", Refused, Both, "Bearer token=TOKEN"),
        row("a parameter behind the token", Refused, Both, "Bearer TOKEN realm=\"x\""),
        row("a semicolon behind the token", Refused, Both, "Bearer TOKEN;"),
        row("two tokens with a comma", Malformed, Both, "Bearer TOKEN,Bearer TOKEN"),
        row("two tokens with a comma and a space", Malformed, Both, "Bearer TOKEN, Bearer TOKEN"),
        row("two tokens with a space", Refused, Both, "Bearer TOKEN TOKEN"),
        lines("two headers, the same", &[&good, &good]),
        lines("two headers, the second of another scheme", &[&good, "Basic eDp5"]),
        lines("two headers, the first of another scheme", &["Basic eDp5", &good]),
        lines("two headers, the second no token", &[&good, "Bearer x"]),
        lines("two headers, the first no token", &["Bearer x", &good]),
        lines("two headers, the second empty", &[&good, ""]),
        lines("two headers, the first empty", &["", &good]),
        lines("three headers", &[&good, &good, &good]),
    ]
}
