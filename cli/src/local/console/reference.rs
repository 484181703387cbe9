//! The reference of the API: Swagger UI on the contract, with tokens of the demo data.

use askama::Template;
use hyper::StatusCode;
use hyper::header::HOST;
use hyper::http::request::Parts;

use super::Console;
use super::answer::{self, HttpAnswer, Policy, Refusal};
use super::layout::Layout;
use crate::local::{Example, claims_of_jane, examples};

#[derive(Template)]
#[template(path = "reference.html")]
struct Reference {
    layout: Layout<'static>,
    /// Each role with a token that carries it.
    tokens: [(&'static str, String); 2],
    examples: Vec<Example>,
    swagger_ui: SwaggerUi,
}

struct SwaggerUi {
    version: &'static str,
    notice: &'static str,
}

pub(super) fn page(console: &Console, head: &Parts) -> Result<HttpAnswer, Refusal> {
    let token =
        |role: &'static str| (role, console.signing_key.token(&claims_of_jane(role), console.clock.now()));
    // The address by which the browser reaches the API: the guard has admitted it.
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let page = Reference {
        examples: examples(&format!("http://{host}"), &console.signing_key, console.clock.now()),
        layout: Layout::of("/"),
        tokens: ["Admin", "Customer"].map(token),
        swagger_ui: SwaggerUi {
            version: env!("SWAGGER_UI_VERSION"),
            notice: include_str!(concat!(env!("OUT_DIR"), "/NOTICE")),
        },
    };
    answer::page(StatusCode::OK, Policy::Reference, &page)
}
