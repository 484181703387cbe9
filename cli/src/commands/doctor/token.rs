//! Explains a token claim by claim, and shows each endpoint's verdict.

use lambda_http::Body;
use lambda_http::http::Request;
use operator::token::{Explanation, Standing};
use shared::endpoint::Admission;
use shared::error::{Error, ErrorKind};
use shared::{App, Endpoint};

use super::report::{Check, Report, State};
use crate::local::ENDPOINTS;

pub(super) async fn check(app: &App, token: &str, report: &mut Report) {
    let token = bare(token);
    let Some(verifier) = app.token_verifier() else { return };
    let Explanation { findings, verdict } = operator::token::explain(verifier, token).await;
    report.add(match verdict {
        Ok(_) => Check::new("token", State::Ok, "counts"),
        Err(error) => {
            let found = format!("is refused: {}", error.log().unwrap_or("no more is known"));
            Check::new("token", State::Wrong, found).advise("see what is wrong below")
        }
    });
    for finding in findings {
        let state = match finding.standing {
            Standing::Right => State::Ok,
            Standing::Noted => State::Note,
            Standing::Doubtful => State::Warning,
            Standing::Lacking | Standing::Refused => State::Wrong,
        };
        let check = Check::new(format!("token, {}", finding.subject), state, finding.found);
        report.add(match finding.advice {
            Some(advice) => check.advise(advice),
            None => check,
        });
    }
    for endpoint in ENDPOINTS.into_iter().filter(Endpoint::takes_token) {
        report.add(ask(app, endpoint, token).await);
    }
}

/// A token alone, as people copy it.
fn bare(token: &str) -> &str {
    let token = token.trim();
    match token.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim_start(),
        _ => token,
    }
}

/// Asks an endpoint's own handler, with nothing but the token: without a body nothing is created.
async fn ask(app: &App, endpoint: Endpoint, token: &str) -> Check {
    let check = format!("{} {}", endpoint.method, endpoint.path);
    let request = Request::builder().header("authorization", format!("Bearer {token}")).body(Body::Empty);
    let Ok(request) = request else {
        return Check::new(check, State::Warning, "not asked: no request can hold the token");
    };
    let answer = endpoint.answer(app, &request.into(), &mut Admission::new(&endpoint, app)).await;
    let (state, found) = match answer {
        Ok(_) => (State::Ok, "opens: 200".to_owned()),
        Err(error) => of_error(&error),
    };
    Check::new(check, state, found)
}

fn of_error(error: &Error) -> (State, String) {
    let why = error.log().unwrap_or("no more is known");
    match error.kind() {
        ErrorKind::TokenMissing | ErrorKind::TokenInvalid => (State::Note, format!("refuses it, 401: {why}")),
        ErrorKind::RoleMissing => (State::Note, format!("refuses it, 403: {why}")),
        ErrorKind::NotFound => {
            (State::Ok, "opens: 404, because the table has no such member of the organization".to_owned())
        }
        ErrorKind::Invalid(errors) => {
            let said = errors.fields().iter().map(|(field, said)| format!("{field}: {}", said.join(" ")));
            let said: Vec<_> = said.collect();
            (State::Ok, format!("opens; asked with nothing else: 400, {}", said.join("; ")))
        }
        ErrorKind::Unavailable => (State::Warning, format!("cannot answer, 503: {why}")),
        ErrorKind::Defect => (State::Warning, format!("fails, 500: {why}")),
        _ => (State::Ok, "opens".to_owned()),
    }
}
