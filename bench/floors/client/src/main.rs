//! A bare hyper client with rustls and *ring* in a function that does nothing else: the least that the
//! connection to the table and `CALLS` calls a request, one after another, can cost. It signs
//! nothing and reads no answer. With `SIGNATURE` it also verifies one signature of ES256 a request.

use floor_client::Connection;
use http_body_util::Full;
use hyper::Request;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

const BODY: &str = r#"{"TableName":"users","Key":{"PK":{"S":"SIGNING_KEYS"},"SK":{"S":"SIGNING_KEYS"}},"ConsistentRead":true}"#;

#[derive(Deserialize)]
struct Event {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
    body: &'static str,
}

async fn call(connection: &mut Connection) -> Result<(), Error> {
    let request = Request::post("/")
        .header("Host", connection.host())
        .header("Content-Type", "application/x-amz-json-1.0")
        .header("X-Amz-Target", "DynamoDB_20120810.GetItem")
        .body(Full::from(BODY))?;
    connection.send(request).await?;
    Ok(())
}

/// A signature to be verified, as the bench hands it over: public key and signature of so many `x` as a
/// token has bytes, byte by byte.
struct Signature {
    key: UnparsedPublicKey<Vec<u8>>,
    signature: Vec<u8>,
}

impl Signature {
    fn parse(setting: &str) -> Option<Self> {
        let bytes = |list: &str| list.split(',').map(|byte| byte.parse().ok()).collect::<Option<Vec<u8>>>();
        let (key, signature) = setting.split_once(':')?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes(key)?);
        Some(Self { key, signature: bytes(signature)? })
    }

    fn verify(&self) -> Result<(), Error> {
        self.key.verify(&[b'x'; 300], &self.signature).map_err(|_| "the signature is wrong".into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let calls: u32 = std::env::var("CALLS")?.parse()?;
    let signature = match std::env::var("SIGNATURE") {
        Ok(setting) => Some(Signature::parse(&setting).ok_or("SIGNATURE is none")?),
        Err(_) => None,
    };
    let signature = signature.as_ref();
    let mut connection = Connection::from_environment()?;
    // As the functions do, it starts all the same where the table is not there.
    let _ = call(&mut connection).await;
    let connection = &Mutex::new(connection);
    lambda_runtime::run(service_fn(|_: LambdaEvent<Event>| async move {
        if let Some(signature) = signature {
            signature.verify()?;
        }
        for _ in 0..calls {
            call(&mut *connection.lock().await).await?;
        }
        Ok::<_, Error>(Response { status_code: 200, body: "{}" })
    }))
    .await
}
