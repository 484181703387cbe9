//! The Lambda Runtime API (AWS Lambda Developer Guide, "Using the Lambda runtime API for custom
//! runtimes") on loopback, for one process at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

/// How long a process may take to start or to answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// What an invocation may take; the deadline that a function is told.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The Runtime API of one process.
pub struct RuntimeApi {
    /// Host and port, as `AWS_LAMBDA_RUNTIME_API` gives them.
    pub address: String,
    events: mpsc::UnboundedSender<Bytes>,
    asked: mpsc::UnboundedReceiver<Instant>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

/// What a function sent back.
struct Answer {
    at: Instant,
    /// The last part of the path: `response`, or `error`.
    kind: String,
    body: Bytes,
}

#[derive(Clone)]
struct Server {
    queue: Arc<Mutex<mpsc::UnboundedReceiver<Bytes>>>,
    asked: mpsc::UnboundedSender<Instant>,
    answers: mpsc::UnboundedSender<Answer>,
    invocations: Arc<AtomicU64>,
}

impl RuntimeApi {
    /// Starts it on a free port.
    pub async fn start() -> Result<Self, String> {
        let fault = |error| format!("the Runtime API: {error}");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?.to_string();
        let (events, queue) = mpsc::unbounded_channel();
        let (ask, asked) = mpsc::unbounded_channel();
        let (answer, answers) = mpsc::unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let server = Server { queue, asked: ask, answers: answer, invocations: Arc::default() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let server = server.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| server.serve(request));
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self { address, events, asked, answers })
    }

    /// Waits until the process asks for an event. Returns when it did.
    pub async fn asked(&mut self) -> Result<Instant, String> {
        tokio::select! {
            asked = tokio::time::timeout(PATIENCE, self.asked.recv()) => {
                asked.ok().flatten().ok_or_else(|| "did not ask for an event".to_owned())
            }
            Some(answer) = self.answers.recv() => {
                Err(format!("{}: {}", answer.kind, String::from_utf8_lossy(&answer.body)))
            }
        }
    }

    /// Gives an event to the process that asked for one. Returns its answer and the time that it took.
    pub async fn invoke(&mut self, event: Bytes) -> Result<(Bytes, Duration), String> {
        let sent = Instant::now();
        self.events.send(event).map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, self.answers.recv()).await;
        let answer = answer.ok().flatten().ok_or("did not answer")?;
        match answer.kind.as_str() {
            "response" => Ok((answer.body, answer.at - sent)),
            kind => Err(format!("{kind}: {}", String::from_utf8_lossy(&answer.body))),
        }
    }
}

impl Server {
    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let path = request.uri().path();
        if path.ends_with("/invocation/next") {
            let _ = self.asked.send(Instant::now());
            // As Lambda does, it answers once there is an event.
            let Some(event) = self.queue.lock().await.recv().await else {
                return std::future::pending().await;
            };
            return Ok(self.invocation(event));
        }
        let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        let _ = self.answers.send(Answer { at: Instant::now(), kind, body });
        let mut accepted = Response::new(Full::from(r#"{"status":"OK"}"#));
        *accepted.status_mut() = hyper::StatusCode::ACCEPTED;
        Ok(accepted)
    }

    fn invocation(&self, event: Bytes) -> Response<Full<Bytes>> {
        let number = self.invocations.fetch_add(1, Ordering::Relaxed);
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + TIMEOUT;
        let mut response = Response::new(Full::new(event));
        let headers = response.headers_mut();
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", format!("8476a536-e9f4-11e8-9739-{number:012x}")),
            ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
            (
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:bench:live".to_owned(),
            ),
            (
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
            ),
        ] {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        response
    }
}
