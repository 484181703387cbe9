//! Web origins: which pages may call the API from a browser.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::http::uri::{Authority, Scheme, Uri};

/// A web origin, such as `https://app.example.com`, spelled as a browser spells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    text: String,
    host: String,
}

/// Why a text is no origin.
#[derive(Debug)]
pub struct InvalidOrigin;

impl fmt::Display for InvalidOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an origin is a scheme, a host and perhaps a port, such as https://app.example.com")
    }
}

impl std::error::Error for InvalidOrigin {}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Uri = text.parse().map_err(|_| InvalidOrigin)?;
        let scheme = uri.scheme().ok_or(InvalidOrigin)?;
        let usual_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return Err(InvalidOrigin),
        };
        let authority = uri.authority().filter(|authority| !has_user(authority)).ok_or(InvalidOrigin)?;
        if authority.host().is_empty() || uri.path() != "/" || uri.query().is_some() || text.contains('#') {
            return Err(InvalidOrigin);
        }
        let host = authority.host().to_ascii_lowercase();
        let port = match authority.port_u16() {
            Some(port) if port != usual_port => format!(":{port}"),
            // Only a port, a number of 16 bits, may follow the host.
            None if authority.as_str() != authority.host() => return Err(InvalidOrigin),
            _ => String::new(),
        };
        Ok(Self { text: format!("{scheme}://{host}{port}"), host })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Origin {
    /// The origin of pages from a server that is called by this name over HTTP.
    pub(super) fn of_server(authority: &Authority) -> Option<Self> {
        format!("{}://{authority}", Scheme::HTTP).parse().ok()
    }

    /// Whether it is a server of this machine, on any port.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

/// Whether a host of a URL or a `Host` header is this machine. No DNS can point such a host elsewhere.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let address = ip_literal(host).map(|address| address.to_canonical().is_loopback());
    address.unwrap_or_else(|| host.eq_ignore_ascii_case("localhost"))
}

/// The address that a host is, if it is no name.
pub(super) fn ip_literal(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().filter(IpAddr::is_ipv4),
    }
}

/// Whether a user name, with or without a password, precedes the host.
pub(super) fn has_user(authority: &Authority) -> bool {
    authority.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

    use super::Origin;

    #[test]
    fn is_spelled_as_a_browser_spells_it() {
        for (given, spelled) in [
            ("http://localhost:5173", "http://localhost:5173"),
            ("HTTP://LocalHost:80", "http://localhost"),
            ("https://App.Example.com:443/", "https://app.example.com"),
            ("https://app.example.com:80", "https://app.example.com:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(given.parse::<Origin>().unwrap().to_string(), spelled, "{given}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "*",
            "null",
            "localhost",
            "localhost:3000",
            "file:///",
            "ftp://example.com",
            "http://",
            "http://:80",
            "http://example.com:",
            "http://example.com:99999",
            "http://example.com:x",
            "http://example.com/path",
            "http://example.com/?q",
            "http://example.com/#f",
            "http://user@example.com",
            "http://a.example http://b.example",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for text in ["http://localhost:5173", "http://127.0.0.1", "https://127.9.9.9:1", "http://[::1]:3000"]
        {
            assert!(text.parse::<Origin>().unwrap().is_loopback(), "{text}");
        }
        for text in [
            "http://example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://192.0.2.7",
            "http://0.0.0.0:3000",
        ] {
            assert!(!text.parse::<Origin>().unwrap().is_loopback(), "{text}");
        }
    }
}
