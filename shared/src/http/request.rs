//! A request, read strictly.

use std::borrow::Cow;
use std::str::FromStr;

use lambda_http::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use lambda_http::request::RequestContext;
use lambda_http::{Body, RequestExt as _};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Member;
use crate::error::{Error, ErrorKind, FieldErrors};
use crate::model::Invalid;

/// The largest body that is read, in bytes after decoding.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// A request to an endpoint.
pub struct Request {
    id: String,
    source_ip: Option<String>,
    headers: HeaderMap,
    authorization: Option<String>,
    content_type: Option<String>,
    raw_query: String,
    body: RawBody,
}

/// A body as it came.
enum RawBody {
    Bytes(Zeroizing<Vec<u8>>),
    NotBase64(NotBase64),
}

/// The query as the caller wrote it. In the extensions of a [`lambda_http::Request`] it counts in place of the
/// URI's.
#[derive(Clone)]
pub struct RawQuery(pub String);

/// A body that was called base64 and is not. In the extensions of a [`lambda_http::Request`] it counts in place
/// of the request's body.
#[derive(Clone, Copy)]
pub(crate) struct NotBase64 {
    /// How long it is, in bytes.
    pub(crate) length: usize,
}

impl From<lambda_http::Request> for Request {
    fn from(request: lambda_http::Request) -> Self {
        let (mut parts, body) = request.into_parts();
        let body = match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        };
        let (id, source_ip) = match parts.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => (&context.request_id, &context.http.source_ip),
            Some(RequestContext::ApiGatewayV1(context)) => (&context.request_id, &context.identity.source_ip),
            _ => (&None, &None),
        };
        // The id becomes a header.
        let id = id.as_ref().filter(|id| !id.is_empty() && HeaderValue::from_str(id).is_ok());
        let id = id.or_else(|| parts.lambda_context_ref().map(|context| &context.request_id));
        Self {
            id: id.cloned().unwrap_or_default(),
            source_ip: source_ip.clone(),
            authorization: header(&parts.headers, &AUTHORIZATION),
            content_type: header(&parts.headers, &CONTENT_TYPE),
            raw_query: match parts.extensions.remove() {
                Some(RawQuery(query)) => query,
                None => parts.uri.query().unwrap_or_default().to_owned(),
            },
            body: match parts.extensions.remove() {
                Some(body) => RawBody::NotBase64(body),
                None => RawBody::Bytes(Zeroizing::new(body)),
            },
            headers: parts.headers,
        }
    }
}

/// A header's lines, joined as API Gateway's HTTP APIs join them.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let first = lines.next()?.into_owned();
    Some(lines.fold(first, |joined, line| joined + "," + &line))
}

impl Request {
    /// API Gateway's id of the request: the one in its access log, ours and every answer.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The address that API Gateway was called from: the client's, or that of a proxy in front. No header can change it.
    pub(crate) fn source_ip(&self) -> Option<&str> {
        self.source_ip.as_deref()
    }

    /// A header's lines, joined with commas.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<String> {
        header(&self.headers, name)
    }

    /// The `Authorization` header.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// A parameter of the query string that must be given, once; percent-decoded (RFC 3986, section 2.1).
    ///
    /// Names are case-sensitive. A `+` is a plus: `Email=jane+tag@example.com` is what it says. Other parameters
    /// are ignored, even if they are badly encoded.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], which names the parameter.
    pub fn parameter<T: FromStr<Err = Invalid>>(&self, name: &'static str) -> Result<T, Error> {
        let invalid = |why: &str| Error::invalid(name, format_args!("{name} {why}."));
        let pairs = self.raw_query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut values = pairs
            .filter(|(known, _)| percent_decoded(known).as_deref() == Some(name))
            .map(|(_, value)| value);
        let value = values.next().ok_or_else(|| invalid("is required"))?;
        if values.next().is_some() {
            return Err(invalid("must be given once"));
        }
        let text = percent_decoded(value).ok_or_else(|| invalid("must be percent-encoded UTF-8"))?;
        text.parse().map_err(|why: Invalid| invalid(&why.to_string()))
    }

    /// The body, a JSON object (RFC 8259), as a type whose fields are its members.
    ///
    /// Unknown members are ignored, a member given twice is refused.
    pub fn json_object<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if !self.content_type.as_deref().is_some_and(is_json) {
            return Err(ErrorKind::MediaTypeUnsupported.into());
        }
        let too_large = || Error::from(ErrorKind::BodyTooLarge { limit: MAX_BODY_BYTES });
        let bytes = match &self.body {
            RawBody::Bytes(bytes) if bytes.len() > MAX_BODY_BYTES => return Err(too_large()),
            // Base64 takes four characters for three bytes.
            RawBody::NotBase64(body) if body.length > MAX_BODY_BYTES.div_ceil(3) * 4 => {
                return Err(too_large());
            }
            RawBody::NotBase64(_) => return Err(not_json("is not valid base64")),
            // RFC 8259, section 8.1, lets a parser ignore a byte order mark.
            RawBody::Bytes(bytes) => bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes),
        };
        // A derived `Deserialize` would take an array for an object.
        match bytes.trim_ascii_start().first() {
            Some(b'{') => serde_json::from_slice(bytes).map_err(|error| not_json(why(&error))),
            Some(_) if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok() => {
                Err(not_json("must be a JSON object"))
            }
            _ => Err(not_json("is not valid JSON")),
        }
    }
}

/// The name under which ASP.NET Core reports what is wrong with a body as a whole.
const BODY: &str = "$";

fn not_json(message: &'static str) -> Error {
    Error::invalid(BODY, format_args!("The body {message}."))
}

/// The parser's own message may quote the body.
fn why(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "has a member twice",
        _ => "is not valid JSON",
    }
}

/// `application/json` or a type of its structure (`+json`, RFC 6839), in UTF-8 or its part ASCII.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let media_type = parts.next().unwrap_or_default();
    let structured = media_type.starts_with("application/") && media_type.ends_with("+json");
    (media_type == "application/json" || structured)
        && parts
            .filter_map(|part| Some(part.strip_prefix("charset=")?.replace(['"', '\'', '-', '_'], "")))
            .all(|charset| charset == "utf8" || charset == "usascii")
}

/// `None` if a `%` is not followed by two hexadecimal digits, or the octets are not UTF-8.
fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&b| b == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {
                rest = rest.get(at + 3..).unwrap_or(&[]);
            }
            _ => return None,
        }
    }
    percent_decode_str(text).decode_utf8().ok()
}

/// Reads the members of a body into their types and gathers everything that is wrong.
#[derive(Default)]
pub struct BodyFields {
    errors: FieldErrors,
}

impl BodyFields {
    /// A member that must be there; `None` where it is wrong. `null` counts as not there.
    pub fn required<T: TryFrom<String, Error = Invalid>>(
        &mut self,
        name: &'static str,
        value: Option<Member>,
    ) -> Option<T> {
        if value.is_none() {
            self.errors.add(name, format_args!("{name} is required."));
        }
        self.optional(name, value)
    }

    /// A member that may be absent or `null`; `None` where it is, and where it is wrong.
    pub fn optional<T: TryFrom<String, Error = Invalid>>(
        &mut self,
        name: &'static str,
        value: Option<Member>,
    ) -> Option<T> {
        let parsed = match value? {
            // The text itself and no copy of it.
            Member::Text(mut text) => T::try_from(std::mem::take(&mut text)),
            Member::Other => Err(Invalid("must be a string")),
        };
        parsed.map_err(|why| self.errors.add(name, format_args!("{name} {why}."))).ok()
    }

    /// Everything that was wrong with the fields read so far.
    #[must_use]
    pub fn into_errors(self) -> FieldErrors {
        self.errors
    }

    /// Whether every field read so far is right.
    #[must_use]
    pub fn are_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Email;

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Body {
        email: Option<Member>,
    }

    fn request(query: &str, content_type: Option<&str>, body: &str) -> Request {
        let mut request = lambda_http::Request::new(lambda_http::Body::Text(body.to_owned()));
        request.extensions_mut().insert(RawQuery(query.to_owned()));
        if let Some(content_type) = content_type {
            request.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        request.into()
    }

    fn text(text: &str) -> Member {
        Member::Text(Zeroizing::new(text.to_owned()))
    }

    fn query(raw: &str) -> Result<Email, Error> {
        request(raw, None, "").parameter("Email")
    }

    fn fields(error: &Error) -> Vec<(&str, &str)> {
        match error.kind() {
            ErrorKind::Invalid(errors) => errors.fields().iter().map(|(n, m)| (*n, m[0].as_str())).collect(),
            _ => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_query_is_percent_decoded() {
        for raw in [
            "Email=jane%40x.com",
            "a&Email=jane@x.com&b=",
            "&&Email=%6aane@x.com",
            "%45mail=jane%40x.com",
            "%=1&Email=jane@x.com&x=%ff",
        ] {
            assert_eq!(query(raw).unwrap().as_str(), "jane@x.com", "{raw}");
        }
        assert_eq!(query("Email=jane+tag@x.com").unwrap().as_str(), "jane+tag@x.com");
        assert_eq!(query("Email=%C3%A4@x.com").unwrap().as_str(), "ä@x.com");
    }

    #[test]
    fn a_query_that_is_wrong_says_so() {
        for (raw, field, message) in [
            ("", "Email", "Email is required."),
            ("email=jane@x.com", "Email", "Email is required."),
            ("Email", "Email", "Email must be a valid e-mail address."),
            ("Email=", "Email", "Email must be a valid e-mail address."),
            ("Email=a@x.com&Email=b@x.com", "Email", "Email must be given once."),
            ("Email=a@x.com,b@x.com", "Email", "Email must be a valid e-mail address."),
            ("Email=%", "Email", "Email must be percent-encoded UTF-8."),
            ("Email=%4", "Email", "Email must be percent-encoded UTF-8."),
            ("Email=%zz", "Email", "Email must be percent-encoded UTF-8."),
            ("Email=%ff", "Email", "Email must be percent-encoded UTF-8."),
            ("Email=%ff&Email=a@x.com", "Email", "Email must be given once."),
        ] {
            assert_eq!(fields(&query(raw).unwrap_err()), [(field, message)], "{raw}");
        }
    }

    #[test]
    fn a_body_is_a_json_object_of_a_bounded_size() {
        let read = |content_type, body: &str| request("", content_type, body).json_object::<Body>();
        let json = Some("application/json");
        for content_type in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=utf8",
            "application/json; charset='utf_8'",
            "application/json; charset=US-ASCII",
            "application/merge-patch+json",
        ] {
            assert!(read(Some(content_type), "{}").is_ok(), "{content_type}");
        }
        for content_type in [None, Some(""), Some("text/plain"), Some("application/json; charset=utf-16")] {
            let error = read(content_type, "{}").err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::MediaTypeUnsupported), "{content_type:?}");
        }
        for (body, message) in [
            ("", "The body is not valid JSON."),
            ("{", "The body is not valid JSON."),
            ("{}}", "The body is not valid JSON."),
            ("[\"a@x.com\"]", "The body must be a JSON object."),
            ("null", "The body must be a JSON object."),
            ("\u{feff}\u{feff}{}", "The body is not valid JSON."),
            ("{\"Email\":1,\"Email\":2}", "The body has a member twice."),
            ("{\"Email\":\"\\ud800\"}", "The body is not valid JSON."),
        ] {
            assert_eq!(fields(&read(json, body).err().unwrap()), [("$", message)], "{body}");
        }
        assert!(read(json, "\u{feff}{}").is_ok());
        assert!(read(json, "{\"Email\":\"a@x.com\",\"Other\":1}").unwrap().email.is_some());
        let deep = format!("{{\"Email\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(fields(&read(json, &deep).err().unwrap()), [("$", "The body is not valid JSON.")]);
        assert!(read(json, &format!("{{}}{}", " ".repeat(MAX_BODY_BYTES - 2))).is_ok());
        let error = read(json, &format!("{{}}{}", " ".repeat(MAX_BODY_BYTES - 1))).err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::BodyTooLarge { .. }));
    }

    #[test]
    fn a_body_that_is_not_base64_is_bounded_by_what_it_would_decode_to() {
        let read = |length| {
            let mut request = lambda_http::Request::default();
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.extensions_mut().insert(NotBase64 { length });
            Request::from(request).json_object::<Body>().err().unwrap()
        };
        let longest = MAX_BODY_BYTES.div_ceil(3) * 4;
        for length in [1, MAX_BODY_BYTES / 3 + 5, longest] {
            assert_eq!(fields(&read(length)), [("$", "The body is not valid base64.")], "{length}");
        }
        assert!(matches!(read(longest + 1).kind(), ErrorKind::BodyTooLarge { .. }));
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let mut fields = BodyFields::default();
        assert!(fields.required::<Email>("Email", None).is_none());
        assert!(fields.required::<Email>("Second", Some(Member::Other)).is_none());
        assert!(fields.optional::<Email>("Third", Some(text("x"))).is_none());
        assert!(fields.optional::<Email>("Fourth", None).is_none());
        let errors = fields.into_errors();
        assert_eq!(errors.fields().keys().copied().collect::<Vec<_>>(), ["Email", "Second", "Third"]);
        assert_eq!(errors.fields()["Second"], ["Second must be a string."]);
    }

    #[cfg(target_os = "linux")]
    mod memory {
        use super::*;
        use crate::memory::Place;
        use crate::model::Password;

        fn long_text() -> String {
            "a text that somebody sent, long enough to be seen in memory ".repeat(3)
        }

        #[test]
        fn a_body_is_wiped_with_its_request() {
            let request = request("", None, &long_text());
            let RawBody::Bytes(body) = &request.body else { panic!() };
            let place = Place::of(str::from_utf8(body).unwrap());
            assert!(place.is_left());
            drop(request);
            assert!(!place.is_left());
        }

        #[test]
        fn a_password_that_is_refused_is_wiped() {
            let Member::Text(refused) = text(&long_text()) else { panic!() };
            let place = Place::of(&refused);
            let mut fields = BodyFields::default();
            assert!(fields.required::<Password>("Password", Some(Member::Text(refused))).is_none());
            assert!(!place.is_left());
        }
    }
}
