//! Calls of the DynamoDB API, signed by AWS Signature Version 4 with a key that is kept for the day.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use floor_client::Connection;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use lambda_http::Error;
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde::Deserialize;

/// The table.
pub struct Table {
    connection: Connection,
    host: String,
    name: String,
    region: String,
    key_id: String,
    secret: String,
    session_token: String,
    signing_key: Option<(String, hmac::Key)>,
}

/// An attribute that is a text or a number.
#[derive(Deserialize)]
pub struct Attribute<'a> {
    #[serde(rename = "S", alias = "N", borrow)]
    text: Cow<'a, str>,
}

impl Attribute<'_> {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Table {
    /// The table that the variables name which Lambda and the template set.
    pub fn from_environment() -> Result<Self, Error> {
        let connection = Connection::from_environment()?;
        Ok(Self {
            host: connection.host().to_owned(),
            connection,
            name: std::env::var("TABLE_NAME")?,
            region: std::env::var("AWS_REGION")?,
            key_id: std::env::var("AWS_ACCESS_KEY_ID")?,
            secret: std::env::var("AWS_SECRET_ACCESS_KEY")?,
            session_token: std::env::var("AWS_SESSION_TOKEN")?,
            signing_key: None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes a call; its body is JSON. The answer is the body, whatever its status.
    pub async fn call(&mut self, operation: &str, body: String) -> Result<Bytes, Error> {
        let time = iso_8601(SystemTime::now());
        let target = format!("DynamoDB_20120810.{operation}");
        let authorization = self.authorization(&time, &target, &body)?;
        let request = Request::post("/")
            .header("Host", &self.host)
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("X-Amz-Target", target)
            .header("X-Amz-Date", time)
            .header("X-Amz-Security-Token", &self.session_token)
            .header("Authorization", authorization)
            .body(Full::from(body))?;
        self.connection.send(request).await
    }

    fn authorization(&mut self, time: &str, target: &str, body: &str) -> Result<String, Error> {
        const NAMES: &str = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
        let day = time.get(..8).unwrap_or_default();
        let mut canonical = String::with_capacity(1536);
        write!(
            canonical,
            "POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{}\nx-amz-date:{time}\n\
             x-amz-security-token:{}\nx-amz-target:{target}\n\n{NAMES}\n",
            self.host, self.session_token
        )?;
        write_hex(&mut canonical, digest(&SHA256, body.as_bytes()).as_ref());
        let scope = format!("{day}/{}/dynamodb/aws4_request", self.region);
        let mut text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n");
        write_hex(&mut text, digest(&SHA256, canonical.as_bytes()).as_ref());
        let mut authorization =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={NAMES}, Signature=", self.key_id);
        write_hex(&mut authorization, hmac::sign(self.signing_key(day), text.as_bytes()).as_ref());
        Ok(authorization)
    }

    fn signing_key(&mut self, day: &str) -> &hmac::Key {
        if self.signing_key.as_ref().is_none_or(|(known, _)| known != day) {
            self.signing_key = None;
        }
        let (_, key) = self.signing_key.get_or_insert_with(|| {
            let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
            let first = key(format!("AWS4{}", self.secret).as_bytes());
            let parts = [day, &self.region, "dynamodb", "aws4_request"];
            let derived =
                parts.iter().fold(first, |last, part| key(hmac::sign(&last, part.as_bytes()).as_ref()));
            (day.to_owned(), derived)
        });
        key
    }
}

fn write_hex(text: &mut String, bytes: &[u8]) {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    text.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
}

/// A time in ISO 8601's basic format, such as `20260102T030405Z`. The day's date is computed as in Howard Hinnant's
/// `civil_from_days`.
fn iso_8601(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let second = seconds % 86_400;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}
