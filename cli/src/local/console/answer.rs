//! The console's answers: pages and files, each with the headers that protect it.

use askama::Template;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use shared::Error;

pub(in crate::local) use crate::local::server::Answer as HttpAnswer;

/// What a page may load, and from where. Everything else is forbidden.
#[derive(Clone, Copy)]
pub(super) enum Policy {
    /// The style sheet and the icon.
    Page,
    /// The same, Swagger UI with the pictures inside its style sheet, and requests to this server.
    Reference,
}

impl Policy {
    fn text(self) -> &'static str {
        match self {
            Self::Page => {
                "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'"
            }
            Self::Reference => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                 form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            }
        }
    }
}

/// Why a page is not shown.
pub(super) enum Refusal {
    /// The request is wrong: a sentence that says why.
    Invalid(String),
    /// Nothing was found: a sentence that says what.
    NotFound(String),
    /// The table, or a defect.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A page.
pub(super) fn page(
    status: StatusCode,
    policy: Policy,
    template: &impl Template,
) -> Result<HttpAnswer, Refusal> {
    let html = template.render();
    let html = html.map_err(|error| Error::defect(format!("a page was not made: {error}")))?;
    Ok(answer(status, "text/html; charset=utf-8", policy, html.into()))
}

/// Redirects the reader to a page.
pub(super) fn redirect(to: &str) -> Result<HttpAnswer, Refusal> {
    let location = HeaderValue::from_str(to).map_err(|_| Error::defect("a link was no header's value"))?;
    let mut answer = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Policy::Page, Bytes::new());
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}

/// The answer to a request that the guard refuses.
pub(super) fn forbidden(why: &str) -> HttpAnswer {
    let message = format!("The console answers this machine alone. {why}\n");
    answer(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", Policy::Page, message.into())
}

/// A file that pages load. All of them are in this binary.
pub(super) fn asset(path: &str) -> Option<HttpAnswer> {
    let css = "text/css; charset=utf-8";
    let javascript = "text/javascript; charset=utf-8";
    let (content_type, content): (_, &[u8]) = match path {
        "/console/console.css" => (css, include_bytes!("assets/console.css")),
        "/console/reference.js" => (javascript, include_bytes!("assets/reference.js")),
        "/console/icon.svg" => ("image/svg+xml", include_bytes!("assets/icon.svg")),
        "/console/openapi.yaml" => ("application/yaml", include_bytes!("../../../../openapi.yaml")),
        "/console/swagger-ui.css" => (css, include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"))),
        "/console/swagger-ui.js" => {
            (javascript, include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")))
        }
        _ => return None,
    };
    let mut answer = answer(StatusCode::OK, content_type, Policy::Page, Bytes::from_static(content));
    if content.starts_with(&[0x1f, 0x8b]) {
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Some(answer)
}

fn answer(status: StatusCode, content_type: &'static str, policy: Policy, body: Bytes) -> HttpAnswer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy.text()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // No page of another origin may embed the answer as a script or a picture.
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
