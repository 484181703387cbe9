//! `users health`

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::Empty;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;

use super::{Failure, Output};

/// How long the system may take to answer.
const TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Args)]
pub(super) struct Health {
    /// The API's port
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    status: &'static str,
}

pub(super) async fn run(Health { port }: Health, output: Output) -> Result<(), Failure> {
    let no_answer = |why: String| Failure::refused(format!("no local system answers on port {port}: {why}"));
    let status = match tokio::time::timeout(TIMEOUT, ask(port)).await {
        Ok(status) => status.map_err(|error| no_answer(error.to_string()))?,
        Err(_) => return Err(no_answer(format!("it took longer than {} s", TIMEOUT.as_secs()))),
    };
    if status != StatusCode::OK {
        return Err(Failure::refused(format!(
            "the local system on port {port} is not well: /healthz answers {status}"
        )));
    }
    output.record(&View { status: "ok" })
}

async fn ask(port: u16) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/healthz").header(HOST, "localhost").body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
