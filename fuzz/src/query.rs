use std::fmt::Write as _;
use std::str::FromStr;

use shared::error::ErrorKind;
use shared::http::{RawQuery, Request};
use shared::model::Invalid;

/// Any text: what a parameter is before it is parsed.
struct Text(String);

impl FromStr for Text {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(Self(text.to_owned()))
    }
}

/// What the query string `raw` gives for a name; otherwise the field that is wrong.
fn read(raw: &str, name: &'static str) -> Result<String, &'static str> {
    let mut request = lambda_http::Request::default();
    request.extensions_mut().insert(RawQuery(raw.to_owned()));
    let request = Request::from(request);
    let error = match request.parameter::<Text>(name) {
        Ok(Text(text)) => return Ok(text),
        Err(error) => error,
    };
    let ErrorKind::Invalid(errors) = error.kind() else { panic!("{error:?}") };
    let fields: Vec<_> = errors.fields().iter().collect();
    let [(field, sentences)] = fields.as_slice() else { panic!("{fields:?}") };
    assert_eq!(sentences.len(), 1);
    Err(*field)
}

/// A parameter is read as RFC 3986 has it, every octet can be sent, and a value that is no UTF-8 or half
/// encoded is refused. Other parameters do not matter.
pub fn query(input: &[u8]) {
    let mut encoded = String::new();
    for byte in input {
        write!(encoded, "%{byte:02x}").expect("a String takes it");
    }
    let sent = str::from_utf8(input).map(ToOwned::to_owned).map_err(|_| "UserId");
    assert_eq!(read(&format!("a=b&UserId={encoded}"), "UserId"), sent);

    let Ok(raw) = str::from_utf8(input) else { return };
    let pairs = decoded(raw.as_bytes());
    for name in ["UserId", "Email"] {
        let mut values =
            pairs.iter().filter(|(known, _)| known.as_deref() == Some(name)).map(|(_, value)| value);
        let expected = match (values.next(), values.next()) {
            (Some(Some(value)), None) => Ok(value.clone()),
            _ => Err(name),
        };
        assert_eq!(read(raw, name), expected);
    }
}

/// The names and values of a query string, octet by octet; `None` for one that is not percent-encoded UTF-8.
fn decoded(raw: &[u8]) -> Vec<(Option<String>, Option<String>)> {
    let pairs = raw.split(|&byte| byte == b'&').map(|pair| {
        let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
        (unescaped(&pair[..end]), unescaped(pair.get(end + 1..).unwrap_or_default()))
    });
    pairs.collect()
}

fn unescaped(text: &[u8]) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = text.iter();
    while let Some(&octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let digit = |octet: Option<&u8>| char::from(*octet?).to_digit(16);
                u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?
            }
            _ => octet,
        });
    }
    String::from_utf8(octets).ok()
}
