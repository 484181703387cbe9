//! A request, read strictly.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{Event, Member};
use crate::error::{Error, ErrorKind, FieldErrors};
use crate::model::{ClientAddress, Invalid, OrganizationId, Quota, UserId};

/// The largest body that is read, in bytes after decoding.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// A request to an endpoint.
pub struct Request {
    id: String,
    source_ip: String,
    authorization: Option<String>,
    content_type: Option<String>,
    raw_query: String,
    body: Option<Zeroizing<String>>,
    is_base64_encoded: bool,
    caller: OnceLock<(Option<UserId>, Option<OrganizationId>)>,
    quota: Mutex<Option<Quota>>,
}

impl From<Event> for Request {
    fn from(event: Event) -> Self {
        Self {
            id: event.request_context.request_id,
            source_ip: event.request_context.http.source_ip,
            authorization: event.headers.authorization,
            content_type: event.headers.content_type,
            raw_query: event.raw_query_string,
            body: event.body,
            is_base64_encoded: event.is_base64_encoded,
            caller: OnceLock::new(),
            quota: Mutex::default(),
        }
    }
}

impl Request {
    /// API Gateway's id of the request: the one in its access log, ours and every answer.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client's address as API Gateway saw it; no header can change it.
    pub fn client_address(&self) -> Result<ClientAddress, Error> {
        self.source_ip.parse().map_err(|_| Error::defect("the event's sourceIp is no IP address"))
    }

    /// The `Authorization` header.
    #[must_use]
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Notes who called, for the log.
    pub(crate) fn note_caller(&self, user_id: Option<&UserId>, organization_id: Option<&OrganizationId>) {
        self.caller.get_or_init(|| (user_id.cloned(), organization_id.cloned()));
    }

    /// The user who called, once that is known.
    #[must_use]
    pub fn caller_user_id(&self) -> Option<&UserId> {
        self.caller.get().and_then(|(user_id, _)| user_id.as_ref())
    }

    /// The organization of the user who called, once that is known.
    #[must_use]
    pub fn caller_organization_id(&self) -> Option<&OrganizationId> {
        self.caller.get().and_then(|(_, organization_id)| organization_id.as_ref())
    }

    /// Notes what is left of the client's quota: whatever the answer will be, it says so.
    pub fn note_quota(&self, quota: Quota) {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner) = Some(quota);
    }

    /// What is left of the client's quota, on an endpoint that has one.
    pub(crate) fn quota(&self) -> Option<Quota> {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parameters of the query string, percent-decoded (RFC 3986, section 2.1).
    ///
    /// A `+` is a plus: `Email=jane+tag@example.com` is what it says.
    pub fn query(&self) -> Result<Query, Error> {
        let mut parameters = BTreeMap::<String, Vec<String>>::new();
        for pair in self.raw_query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(percent_decoded(name)?).or_default().push(percent_decoded(value)?);
        }
        Ok(Query(parameters))
    }

    /// The body, a JSON object (RFC 8259), as a type whose fields are its members.
    ///
    /// Unknown members are ignored, a member given twice is refused.
    pub fn json_object<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if !self.content_type.as_deref().is_some_and(is_json) {
            return Err(ErrorKind::MediaTypeUnsupported.into());
        }
        let body = self.body.as_deref().map_or("", String::as_str);
        // Base64 takes four characters for three bytes.
        let max_length = if self.is_base64_encoded { MAX_BODY_BYTES.div_ceil(3) * 4 } else { MAX_BODY_BYTES };
        let too_large = || Error::from(ErrorKind::BodyTooLarge { limit: MAX_BODY_BYTES });
        if body.len() > max_length {
            return Err(too_large());
        }
        let decoded;
        let bytes = if self.is_base64_encoded {
            decoded = Zeroizing::new(STANDARD.decode(body).map_err(|_| not_json("is not valid base64"))?);
            decoded.as_slice()
        } else {
            body.as_bytes()
        };
        if bytes.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
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

/// `application/json` or a type of its structure (`+json`, RFC 6839), in UTF-8.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let media_type = parts.next().unwrap_or_default();
    let structured = media_type.starts_with("application/") && media_type.ends_with("+json");
    (media_type == "application/json" || structured)
        && parts
            .filter_map(|part| Some(part.strip_prefix("charset=")?.trim_matches('"').to_owned()))
            .all(|charset| charset == "utf-8")
}

fn percent_decoded(text: &str) -> Result<String, Error> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&b| b == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => {
                rest = rest.get(at + 3..).unwrap_or(&[]);
            }
            _ => return Err(bad_query()),
        }
    }
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| bad_query())?.into_owned())
}

fn bad_query() -> Error {
    Error::invalid("query", "The query string is not percent-encoded UTF-8.")
}

/// The parameters of a query string. Names are case-sensitive; unknown ones are ignored.
pub struct Query(BTreeMap<String, Vec<String>>);

impl Query {
    /// A parameter that must be given, once.
    pub fn required<T: FromStr<Err = Invalid>>(&self, name: &'static str) -> Result<T, Error> {
        match self.0.get(name).map(Vec::as_slice) {
            None | Some([]) => Err(Error::invalid(name, format_args!("{name} is required."))),
            Some([text]) => text.parse().map_err(|why| Error::invalid(name, format_args!("{name} {why}."))),
            Some(_) => Err(Error::invalid(name, format_args!("{name} must be given once."))),
        }
    }
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

    fn request(query: &str, content_type: Option<&str>, body: &str, is_base64_encoded: bool) -> Request {
        let event = serde_json::json!({
            "rawQueryString": query,
            "headers": { "content-type": content_type },
            "requestContext": { "requestId": "r", "http": { "sourceIp": "203.0.113.7" } },
            "body": body,
            "isBase64Encoded": is_base64_encoded,
        });
        serde_json::from_value::<Event>(event).unwrap().into()
    }

    fn text(text: &str) -> Member {
        Member::Text(Zeroizing::new(text.to_owned()))
    }

    fn query(raw: &str) -> Result<Email, Error> {
        request(raw, None, "", false).query()?.required("Email")
    }

    fn fields(error: &Error) -> Vec<(&str, &str)> {
        match error.kind() {
            ErrorKind::Invalid(errors) => errors.fields().iter().map(|(n, m)| (*n, m[0].as_str())).collect(),
            _ => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_query_is_percent_decoded() {
        for raw in
            ["Email=jane%40x.com", "a&Email=jane@x.com&b=", "&&Email=%6aane@x.com", "%45mail=jane%40x.com"]
        {
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
            ("Email=%", "query", "The query string is not percent-encoded UTF-8."),
            ("Email=%4", "query", "The query string is not percent-encoded UTF-8."),
            ("Email=%zz", "query", "The query string is not percent-encoded UTF-8."),
            ("Email=%ff", "query", "The query string is not percent-encoded UTF-8."),
            ("%=1&Email=a@x.com", "query", "The query string is not percent-encoded UTF-8."),
        ] {
            assert_eq!(fields(&query(raw).unwrap_err()), [(field, message)], "{raw}");
        }
    }

    #[test]
    fn a_body_is_a_json_object_of_a_bounded_size() {
        let read = |content_type, body: &str| request("", content_type, body, false).json_object::<Body>();
        let json = Some("application/json");
        for content_type in
            ["application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json"]
        {
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
            ("\u{feff}{}", "The body is not valid JSON."),
            ("{\"Email\":1,\"Email\":2}", "The body has a member twice."),
            ("{\"Email\":\"\\ud800\"}", "The body is not valid JSON."),
        ] {
            assert_eq!(fields(&read(json, body).err().unwrap()), [("$", message)], "{body}");
        }
        let deep = format!("{{\"Email\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(fields(&read(json, &deep).err().unwrap()), [("$", "The body is not valid JSON.")]);
        assert!(read(json, &format!("{{}}{}", " ".repeat(MAX_BODY_BYTES - 2))).is_ok());
        let error = read(json, &format!("{{}}{}", " ".repeat(MAX_BODY_BYTES - 1))).err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::BodyTooLarge { .. }));
    }

    #[test]
    fn a_base64_body_is_decoded() {
        let read = |body: &str| request("", Some("application/json"), body, true).json_object::<Body>();
        assert!(read(&STANDARD.encode("{\"Email\":\"a@x.com\"}")).unwrap().email.is_some());
        assert_eq!(fields(&read("{}").err().unwrap()), [("$", "The body is not valid base64.")]);
        assert_eq!(
            fields(&read(&STANDARD.encode(b"{\"\xff\":1}")).err().unwrap()),
            [("$", "The body is not valid JSON.")]
        );
        let full = format!("{{}}{}", " ".repeat(MAX_BODY_BYTES - 2));
        assert!(read(&STANDARD.encode(&full)).is_ok());
        let error = read(&STANDARD.encode(full + " ")).err().unwrap();
        assert!(matches!(error.kind(), ErrorKind::BodyTooLarge { .. }));
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
        use std::cell::RefCell;
        use std::fmt;

        use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

        use super::*;
        use crate::memory::Place;
        use crate::model::Password;

        fn long_text() -> String {
            "a text that somebody sent, long enough to be seen in memory ".repeat(3)
        }

        #[test]
        fn a_body_is_wiped_with_its_request() {
            let request = request("", None, &long_text(), false);
            let place = Place::of(request.body.as_deref().unwrap());
            assert!(place.is_left());
            drop(request);
            assert!(!place.is_left());
        }

        thread_local! {
            static SEEN: RefCell<Option<Place>> = const { RefCell::new(None) };
        }

        /// Notes where the first name of an object lies in what is read.
        struct Noted;

        impl<'de> Deserialize<'de> for Noted {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Notes;

                impl<'de> Visitor<'de> for Notes {
                    type Value = Noted;

                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Noted, A::Error> {
                        while let Some((name, _)) = access.next_entry::<&str, IgnoredAny>()? {
                            SEEN.set(Some(Place::of(name)));
                        }
                        Ok(Noted)
                    }
                }

                deserializer.deserialize_map(Notes)
            }
        }

        #[test]
        fn a_decoded_body_is_wiped_once_it_is_read() {
            let json = format!("{{\"{}\":1}}", long_text());
            let request = request("", Some("application/json"), &STANDARD.encode(json), true);
            assert!(request.json_object::<Noted>().is_ok());
            assert!(!SEEN.take().unwrap().is_left());
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
