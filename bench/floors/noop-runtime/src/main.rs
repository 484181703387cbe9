//! The least that a `lambda_runtime` function can do: it reads a small event and answers `{}`.

use std::convert::Infallible;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Event {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
    body: &'static str,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(|_: LambdaEvent<Event>| async {
        Ok::<_, Infallible>(Response { status_code: 200, body: "{}" })
    }))
    .await
}
