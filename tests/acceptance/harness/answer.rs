//! Answers, and what is checked of them.

use hyper::HeaderMap;
use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    /// The answer that API Gateway makes of what a function hands to Lambda.
    pub fn of(response: &Value) -> Self {
        let mut headers = HeaderMap::new();
        for members in ["headers", "multiValueHeaders"] {
            for (name, value) in response[members].as_object().into_iter().flatten() {
                let lines = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                for line in lines {
                    let name: hyper::header::HeaderName = name.parse().unwrap();
                    headers.append(name, line.as_str().unwrap().parse().unwrap());
                }
            }
        }
        let status = response["statusCode"].as_u64().unwrap().try_into().unwrap();
        Self { status, headers, body: response["body"].as_str().unwrap().to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The body without what differs from run to run.
    pub fn stable_json(&self) -> Value {
        let mut json = self.json();
        if let Some(trace_id) = json.get_mut("traceId") {
            *trace_id = "…".into();
        }
        json
    }

    /// Checks what the decision table promises of any answer, and of a problem.
    #[track_caller]
    pub fn assert_well_formed(&self) {
        let problem = self.status >= 400;
        let expected = if problem { "application/problem+json" } else { "application/json" };
        assert_eq!(self.header("content-type"), Some(expected), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        let id = self.header("x-request-id").unwrap_or_else(|| panic!("no request id: {self:?}"));
        assert!(!id.is_empty());
        for name in self.headers.keys() {
            assert_eq!(self.headers.get_all(name).iter().count(), 1, "{name} {self:?}");
        }
        let json = self.json();
        if problem {
            assert_eq!(json["traceId"], id);
            assert_eq!(json["status"], self.status);
            assert!(
                json["type"].as_str().unwrap().starts_with("https://tools.ietf.org/html/rfc"),
                "{self:?}"
            );
            assert!(!json["title"].as_str().unwrap().is_empty());
        }
    }

    /// Checks an error answer in all its parts.
    #[track_caller]
    pub fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        self.assert_well_formed();
        match status {
            // That of a request that did not come through the front says what to do.
            403 if self.json()["detail"].is_string() => {
                assert!(self.header("www-authenticate").is_none(), "{self:?}");
            }
            401 | 403 => assert!(self.header("www-authenticate").is_some(), "{self:?}"),
            429 | 503 => assert!(self.header("retry-after").is_some(), "{self:?}"),
            _ => {}
        }
    }

    /// Checks a 400 that names exactly these fields.
    #[track_caller]
    pub fn assert_invalid(&self, fields: &[&str]) {
        self.assert_problem(400);
        let json = self.json();
        let mut named: Vec<_> = json["errors"].as_object().unwrap().keys().map(String::as_str).collect();
        named.sort_unstable();
        let mut fields = fields.to_vec();
        fields.sort_unstable();
        assert_eq!(named, fields, "{self:?}");
    }

    /// Checks a success.
    #[track_caller]
    pub fn assert_ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.assert_well_formed();
        self.json()
    }
}
