//! The other documents at the API's address: the contract, and the health of the system.

use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use shared::table::Table;

use super::server::{Answer, answer};

/// The contract, and the table whose health is reported.
pub(super) struct Documents {
    pub(super) table: Table,
}

impl Documents {
    /// Answers a request for a document; `None` if it is for something else.
    pub(super) async fn answer(&self, head: &Parts) -> Option<Answer> {
        if ![Method::GET, Method::HEAD].contains(&head.method) {
            return None;
        }
        match head.uri.path() {
            "/openapi.yaml" => {
                Some(answer(StatusCode::OK, "application/yaml", include_str!("../../../openapi.yaml")))
            }
            "/openapi.json" => {
                let json = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
                Some(answer(StatusCode::OK, "application/json", json))
            }
            "/healthz" => Some(self.health().await),
            _ => None,
        }
    }

    async fn health(&self) -> Answer {
        match self.table.signing_keys().await {
            Ok(Some(_)) => answer(StatusCode::OK, "application/json", r#"{"status":"ok"}"#),
            _ => answer(
                StatusCode::SERVICE_UNAVAILABLE,
                "application/json",
                r#"{"status":"the table does not answer"}"#,
            ),
        }
    }
}
