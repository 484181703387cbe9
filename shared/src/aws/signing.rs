//! Signs requests (AWS Signature Version 4).
//!
//! The crate `aws-sigv4` derives the key and computes the signature. Its own `sign` derives the key for each request,
//! which takes longer than the rest; a key is good for a day.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::primitives::{DateTime, DateTimeFormat};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderValue, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// What a path keeps as it is when it is encoded for the signature.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Signs with one user's credentials for one service in one region.
pub(super) struct Signer {
    credentials: Credentials,
    region: String,
    service: &'static str,
    key: Mutex<Option<DayKey>>,
}

/// The key of a day, such as `20260102`.
#[derive(Clone)]
struct DayKey {
    day: String,
    key: Arc<Zeroizing<Vec<u8>>>,
}

impl Signer {
    /// `service` is the service's name in the scope of a signature.
    pub(super) fn new(credentials: Credentials, region: String, service: &'static str) -> Self {
        Self { credentials, region, service, key: Mutex::default() }
    }

    /// The credentials.
    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Adds the headers of a signature that covers the path, every header and the body. The request must have a `Host`
    /// and no query.
    pub(super) fn sign<Body>(
        &self,
        request: &mut Request<Body>,
        body: &[u8],
        now: SystemTime,
    ) -> Result<(), BoxError> {
        let seconds = i64::try_from(now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())?;
        let time = DateTime::from_secs(seconds).fmt(DateTimeFormat::DateTime)?.replace(['-', ':'], "");
        let day = time.get(..8).unwrap_or_default();
        request.headers_mut().insert(DATE, time.as_str().try_into()?);
        if let Some(token) = self.credentials.session_token() {
            let mut token = HeaderValue::try_from(token)?;
            token.set_sensitive(true);
            request.headers_mut().insert(SESSION_TOKEN, token);
        }

        let mut headers = Vec::with_capacity(request.headers().len());
        for (name, value) in request.headers() {
            headers.push((name.as_str(), value.to_str()?.trim()));
        }
        headers.sort_unstable();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let mut canonical = String::with_capacity(1024);
        let path = utf8_percent_encode(request.uri().path(), PATH);
        writeln!(canonical, "{}\n{path}\n", request.method())?;
        for (name, value) in headers {
            writeln!(canonical, "{name}:{value}")?;
        }
        write!(canonical, "\n{names}\n{}", sha256_hex(body))?;

        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
        let signature = calculate_signature(self.key_of(day, now).as_slice(), text.as_bytes());
        let id = self.credentials.access_key_id();
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        request.headers_mut().insert(AUTHORIZATION, authorization.try_into()?);
        Ok(())
    }

    fn key_of(&self, day: &str, now: SystemTime) -> Arc<Zeroizing<Vec<u8>>> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.day == day) {
            return known.key.clone();
        }
        let secret = self.credentials.secret_access_key();
        let key = generate_signing_key(secret, now, &self.region, self.service);
        let key = Arc::new(Zeroizing::new(key.as_ref().to_vec()));
        *known = Some(DayKey { day: day.to_owned(), key: key.clone() });
        key
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;

    use super::*;

    /// 2015-08-30T12:36:00Z, the time of AWS's vectors.
    const TIME: Duration = Duration::from_mins(24_015_636);
    const SERVICE: &str = "dynamodb";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signer(token: Option<&str>, service: &'static str) -> Signer {
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test");
        Signer::new(credentials, "us-east-1".to_owned(), service)
    }

    fn signed(signer: &Signer, request: http::request::Builder, body: &str, time: Duration) -> Request<()> {
        let mut request = request.body(()).unwrap();
        signer.sign(&mut request, body.as_bytes(), UNIX_EPOCH + time).unwrap();
        request
    }

    fn authorization(request: &Request<()>) -> &str {
        request.headers().get(AUTHORIZATION).unwrap().to_str().unwrap()
    }

    /// AWS's test suite for Signature Version 4: `post-vanilla`, `post-x-www-form-urlencoded` and
    /// `post-sts-header-before`.
    #[test]
    fn signs_as_the_vectors_of_aws_say() {
        let token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo\
                     IYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5V\
                     SXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yj\
                     c8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        let post = || Request::post("/").header("Host", "example.amazonaws.com");
        let form = post().header("Content-Type", "application/x-www-form-urlencoded");
        for (request, body, token, headers, signature) in [
            (
                post(),
                "",
                None,
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                form,
                "Param1=value1",
                None,
                "content-type;host;x-amz-date",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                post(),
                "",
                Some(token),
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let request = signed(&signer(token, "service"), request, body, TIME);
            let due = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={headers}, Signature={signature}"
            );
            assert_eq!(authorization(&request), due);
        }
    }

    /// The same signature as the crate's own `sign` gives, on either side of midnight with one signer.
    #[test]
    fn signs_as_the_crate_does() {
        for token in [None, Some("a token")] {
            let signer = signer(token, SERVICE);
            for seconds in [0, 41_039, 41_040, 127_440] {
                for (uri, host) in [
                    ("https://dynamodb.us-east-1.amazonaws.com/", "dynamodb.us-east-1.amazonaws.com"),
                    ("http://localhost:8000/", "localhost:8000"),
                    ("http://[::1]:8000/a%20path/with~some-_.things", "[::1]:8000"),
                ] {
                    let time = TIME + Duration::from_secs(seconds);
                    let builder = || {
                        let request = Request::post(uri).header("Host", host).header("Content-Length", "2");
                        request.header("X-Amz-Target", "DynamoDB_20120810.GetItem").header("Spaced", "  a ")
                    };
                    let ours = signed(&signer, builder(), "{}", time);

                    let identity = signer.credentials().clone().into();
                    let parameters = SigningParams::builder()
                        .identity(&identity)
                        .region("us-east-1")
                        .name(SERVICE)
                        .time(UNIX_EPOCH + time)
                        .settings(SigningSettings::default())
                        .build()
                        .unwrap()
                        .into();
                    let mut theirs = builder().body(()).unwrap();
                    let headers =
                        theirs.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
                    let signable = SignableRequest::new("POST", uri, headers, SignableBody::Bytes(b"{}"));
                    let (instructions, _) = sign(signable.unwrap(), &parameters).unwrap().into_parts();
                    instructions.apply_to_request_http1x(&mut theirs);
                    assert_eq!(authorization(&ours), authorization(&theirs), "{uri}, {seconds}");
                    assert_eq!(ours.headers().get(SESSION_TOKEN), theirs.headers().get(SESSION_TOKEN));
                }
            }
        }
    }
}
