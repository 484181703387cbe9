//! Problem documents (RFC 9457), in the shape in which ASP.NET Core writes them. The one place
//! where an [`Error`] becomes HTTP.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

use super::Response;
use super::response::whole_seconds;
use crate::error::{Error, ErrorKind, UNAVAILABLE_RETRY_AFTER};

macro_rules! rfc9110 {
    ($section:literal) => {
        concat!("https://tools.ietf.org/html/rfc9110#section-", $section)
    };
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a BTreeMap<&'static str, Vec<String>>>,
    trace_id: &'a str,
}

/// The answer to the request `request_id` that failed with `error`.
pub(crate) fn response(error: &Error, request_id: &str) -> Response {
    let (status, r#type, title) = match error.kind() {
        ErrorKind::Invalid(_) => (400, rfc9110!("15.5.1"), "One or more validation errors occurred"),
        ErrorKind::TokenMissing | ErrorKind::TokenInvalid => (401, rfc9110!("15.5.2"), "Unauthorized"),
        ErrorKind::RoleMissing | ErrorKind::NotThroughFront => (403, rfc9110!("15.5.4"), "Forbidden"),
        ErrorKind::NotFound => (404, rfc9110!("15.5.5"), "Not Found"),
        ErrorKind::BodyTooLarge { .. } => (413, rfc9110!("15.5.14"), "Content Too Large"),
        ErrorKind::MediaTypeUnsupported => (415, rfc9110!("15.5.16"), "Unsupported Media Type"),
        // 429 and 431 are not in RFC 9110: they come from RFC 6585.
        ErrorKind::HeaderTooLarge { .. } => {
            (431, "https://tools.ietf.org/html/rfc6585#section-5", "Request Header Fields Too Large")
        }
        ErrorKind::RateLimited { .. } => {
            (429, "https://tools.ietf.org/html/rfc6585#section-4", "Too Many Requests")
        }
        ErrorKind::AnswerTooLarge | ErrorKind::Defect => {
            (500, rfc9110!("15.6.1"), "An error occurred while processing your request")
        }
        ErrorKind::Unavailable => (503, rfc9110!("15.6.4"), "Service Unavailable"),
    };
    let detail: Option<Cow<'static, str>> = match error.kind() {
        ErrorKind::TokenMissing => {
            Some("Send an access token in the header `Authorization: Bearer <token>`.".into())
        }
        // Not why: that would help whoever forges tokens.
        ErrorKind::TokenInvalid => {
            Some("The access token is not accepted. Get a new one and send the request again.".into())
        }
        ErrorKind::NotThroughFront => Some("Send the request to the API's public address.".into()),
        // The same for a record that is not there and for one of another organization.
        ErrorKind::NotFound => Some(
            "Nothing was found. Check the ids in the request, and that the access token is for the right user and \
             organization."
                .into(),
        ),
        ErrorKind::RateLimited { .. } => {
            Some("Too many requests. Wait as many seconds as the header `Retry-After` says.".into())
        }
        ErrorKind::BodyTooLarge { limit } => Some(format!("The body may have at most {limit} bytes.").into()),
        ErrorKind::HeaderTooLarge { limit } => {
            Some(format!("The header `Authorization` may have at most {limit} bytes.").into())
        }
        ErrorKind::MediaTypeUnsupported => Some("The body must be application/json in UTF-8.".into()),
        ErrorKind::AnswerTooLarge => Some("The list is too long for one answer.".into()),
        ErrorKind::Unavailable => Some("The same request may succeed later.".into()),
        _ => None,
    };
    let errors = match error.kind() {
        ErrorKind::Invalid(errors) => Some(errors.fields()),
        _ => None,
    };
    let problem = Problem { r#type, title, status, detail, errors, trace_id: request_id };
    // Texts and numbers alone always serialize.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::new(status, "application/problem+json", body).for_request(request_id);

    match error.kind() {
        // RFC 6750, section 3: no error code where no token was sent.
        ErrorKind::TokenMissing => response.set_header(WWW_AUTHENTICATE, "Bearer"),
        ErrorKind::TokenInvalid => {
            response.set_header(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"");
        }
        ErrorKind::RoleMissing => {
            response.set_header(WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\"");
        }
        ErrorKind::RateLimited { retry_after } => {
            response.set_header(RETRY_AFTER, &whole_seconds(*retry_after).max(1).to_string());
        }
        ErrorKind::Unavailable => {
            response.set_header(RETRY_AFTER, &UNAVAILABLE_RETRY_AFTER.as_secs().to_string());
        }
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lambda_http::http::HeaderName;
    use serde_json::Value;

    use super::*;
    use crate::error::FieldErrors;

    /// A kind, its status, the start of its detail, and its header.
    type Case = (ErrorKind, u16, Option<&'static str>, Option<(HeaderName, &'static str)>);

    #[test]
    fn each_kind_of_error_has_its_status_its_detail_and_its_header() {
        let mut errors = FieldErrors::default();
        errors.add("Email", "Email is required.");
        let retry_after = Duration::from_millis(1500);
        let bearer = |value| Some((WWW_AUTHENTICATE, value));
        let retry = |seconds| Some((RETRY_AFTER, seconds));
        let cases: [Case; 14] = [
            (ErrorKind::Invalid(errors), 400, None, None),
            (ErrorKind::TokenMissing, 401, Some("Send an access token"), bearer("Bearer")),
            (
                ErrorKind::TokenInvalid,
                401,
                Some("The access token is not accepted."),
                bearer("Bearer error=\"invalid_token\""),
            ),
            (ErrorKind::RoleMissing, 403, None, bearer("Bearer error=\"insufficient_scope\"")),
            (ErrorKind::NotThroughFront, 403, Some("Send the request to the API's public address."), None),
            (ErrorKind::NotFound, 404, Some("Nothing was found."), None),
            (ErrorKind::BodyTooLarge { limit: 7 }, 413, Some("The body may have at most 7 bytes."), None),
            (ErrorKind::MediaTypeUnsupported, 415, Some("The body must be application/json in UTF-8."), None),
            (
                ErrorKind::HeaderTooLarge { limit: 8 },
                431,
                Some("The header `Authorization` may have at most 8 bytes."),
                None,
            ),
            (ErrorKind::RateLimited { retry_after }, 429, Some("Too many requests."), retry("2")),
            (
                ErrorKind::RateLimited { retry_after: Duration::ZERO },
                429,
                Some("Too many requests."),
                retry("1"),
            ),
            (ErrorKind::AnswerTooLarge, 500, Some("The list is too long for one answer."), None),
            (ErrorKind::Defect, 500, None, None),
            (ErrorKind::Unavailable, 503, Some("The same request may succeed later."), retry("1")),
        ];
        for (kind, status, detail, header) in cases {
            let shown = format!("{kind:?}");
            let response = response(&kind.into(), "an id");
            assert_eq!(response.status(), status, "{shown}");
            let problem: Value = serde_json::from_str(&response.body).unwrap();
            assert_eq!(
                (&problem["status"], &problem["traceId"]),
                (&status.into(), &"an id".into()),
                "{shown}"
            );
            assert_eq!(problem.get("errors").is_some(), status == 400, "{shown}");
            let has = problem.get("detail").map(|detail| detail.as_str().unwrap());
            assert!(has.unwrap_or_default().starts_with(detail.unwrap_or_default()), "{shown} {has:?}");
            assert_eq!(has.is_some(), detail.is_some(), "{shown} {has:?}");
            for name in [WWW_AUTHENTICATE, RETRY_AFTER] {
                let expected = header.as_ref().filter(|(header, _)| *header == name).map(|(_, value)| *value);
                let value = response.headers.get(&name).map(|value| value.to_str().unwrap());
                assert_eq!(value, expected, "{shown}");
            }
        }
    }
}
