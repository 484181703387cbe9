//! The page that replaces one that cannot be shown.

use askama::Template;
use hyper::StatusCode;
use shared::error::ErrorKind;

use super::answer::{self, HttpAnswer, Policy, Refusal};
use super::layout::Layout;
use crate::local::server;

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    layout: Layout<'a>,
    heading: &'a str,
    text: &'a str,
}

/// Says why a page is not shown.
pub(super) fn page(refusal: Refusal) -> HttpAnswer {
    let (status, heading, text) = match refusal {
        Refusal::Invalid(text) => (StatusCode::BAD_REQUEST, "This cannot be looked up", text),
        Refusal::NotFound(text) => (StatusCode::NOT_FOUND, "Not found", text),
        Refusal::Failed(error) => {
            let log = error.log().unwrap_or("no more is known");
            match error.kind() {
                ErrorKind::Unavailable => {
                    (StatusCode::SERVICE_UNAVAILABLE, "The table cannot be used now", format!("{log}."))
                }
                _ => (StatusCode::INTERNAL_SERVER_ERROR, "This cannot be shown", format!("{log}.")),
            }
        }
    };
    let message = Message { layout: Layout::of(""), heading, text: &text };
    answer::page(status, Policy::Page, &message)
        .unwrap_or_else(|_| server::empty(StatusCode::INTERNAL_SERVER_ERROR))
}
