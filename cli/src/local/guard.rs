//! Who may ask the local system. Every request to every listener passes this check first.
//!
//! A web page can make its reader's browser send requests to this machine. Two headers reveal such a request, and a
//! page cannot forge them. `Origin` names the page's server. `Host` names the server that the page addresses, even if
//! that name was made to resolve to this machine (DNS rebinding).

use std::net::IpAddr;

use hyper::header::{HOST, ORIGIN};
use hyper::http::HeaderMap;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;

use super::origin::{Origin, has_user, ip_literal, is_loopback_host};

/// Why a request is refused. The sender gets this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It comes from another machine.
    Peer,
    /// Its `Host` is not this machine's.
    Host,
    /// It comes from a web page that may not send it.
    Page,
}

impl Refused {
    /// A sentence that says what is admitted.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Peer => "Only this machine may ask here.",
            Self::Host => "This server does not answer under that host name; use localhost or 127.0.0.1.",
            Self::Page => "A web page of this origin may not ask here; `users serve --help` says which may.",
        }
    }
}

/// Admits only this machine, under a name of its own, and no page of another server. For listeners that give out
/// tokens, or that show or change the table without one.
pub(super) fn check_private(head: &Parts, peer: IpAddr) -> Result<(), Refused> {
    if !peer.to_canonical().is_loopback() {
        return Err(Refused::Peer);
    }
    let host = host(head).filter(|host| is_loopback_host(host.host())).ok_or(Refused::Host)?;
    check_page(&head.headers, |origin| Origin::of_server(&host).as_ref() == Some(origin))
}

/// The name by which a container under Docker Desktop reaches the loopback addresses of its host.
const DOCKER_HOST: &str = "host.docker.internal";

/// Guards the DynamoDB API. Admits what [`check_private`] admits, and containers on this machine, which use Docker's
/// name for it. No page can be served under `.internal`; a browser's request under that name is refused anyway.
pub(super) fn check_table(head: &Parts, peer: IpAddr) -> Result<(), Refused> {
    let is_container = host(head).is_some_and(|host| host.host().eq_ignore_ascii_case(DOCKER_HOST));
    let is_page = head.headers.contains_key(ORIGIN) || head.headers.contains_key("sec-fetch-site");
    if is_container && !is_page && peer.to_canonical().is_loopback() {
        return Ok(());
    }
    check_private(head, peer)
}

/// Who may ask the API.
pub(super) struct ApiGuard {
    /// Whether other machines may ask too.
    pub(super) is_open: bool,
    /// The origins whose pages may ask, in addition to this machine's.
    pub(super) allowed_origins: Vec<Origin>,
}

impl ApiGuard {
    /// Admits this machine, and others if the API is open to them, under names that no foreign page can have. Admits
    /// pages of this machine and of the allowed origins.
    pub(super) fn check(&self, head: &Parts, peer: IpAddr) -> Result<(), Refused> {
        if !self.is_open && !peer.to_canonical().is_loopback() {
            return Err(Refused::Peer);
        }
        let host = host(head).filter(|host| self.admits_host(host.host())).ok_or(Refused::Host)?;
        check_page(&head.headers, |origin| {
            self.admits_origin(origin) || Origin::of_server(&host).as_ref() == Some(origin)
        })
    }

    /// Whether pages of the origin may ask, and, with CORS, read the answer.
    pub(super) fn admits_origin(&self, origin: &Origin) -> bool {
        origin.is_loopback() || self.allowed_origins.contains(origin)
    }

    /// DNS rebinding needs a name that the page's author can register. Nobody can register an address, or a name
    /// without a dot, which container networks use.
    fn admits_host(&self, host: &str) -> bool {
        is_loopback_host(host)
            || self.allowed_origins.iter().any(|origin| origin.host().eq_ignore_ascii_case(host))
            || self.is_open && (ip_literal(host).is_some() || !host.contains(['.', ':']))
    }
}

/// What the request calls this server; `None` unless it does so exactly once.
fn host(head: &Parts) -> Option<Authority> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (host, None) = (hosts.next()?, hosts.next()) else { return None };
    let host: Authority = host.to_str().ok()?.parse().ok()?;
    let same = |authority: &Authority| authority.host().eq_ignore_ascii_case(host.host());
    let is_clear = !has_user(&host) && head.uri.authority().is_none_or(|it| !has_user(it) && same(it));
    is_clear.then_some(host)
}

/// Checks the page that sent a request, if one did.
fn check_page(headers: &HeaderMap, admits: impl Fn(&Origin) -> bool) -> Result<(), Refused> {
    let mut origins = headers.get_all(ORIGIN).iter();
    if let Some(origin) = origins.next() {
        let origin = origin.to_str().ok().and_then(|origin| origin.parse().ok());
        let is_admitted = origins.next().is_none() && origin.as_ref().is_some_and(admits);
        return if is_admitted { Ok(()) } else { Err(Refused::Page) };
    }
    // The browser requests an embedded resource, such as a picture, without `Origin`. A link that the reader follows is
    // fine.
    let is = |name, value: &str| headers.get(name).is_some_and(|found| found.as_bytes() == value.as_bytes());
    if is("sec-fetch-site", "cross-site") && !is("sec-fetch-mode", "navigate") {
        return Err(Refused::Page);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

    use hyper::http::HeaderName;

    use super::*;

    const LOCAL: &str = "127.0.0.1";

    #[test]
    fn who_is_refused_learns_what_is_admitted() {
        for (refused, admitted) in [
            (Refused::Peer, "Only this machine"),
            (Refused::Host, "use localhost or 127.0.0.1"),
            (Refused::Page, "`users serve --help` says which may"),
        ] {
            assert!(refused.message().contains(admitted), "{refused:?}");
        }
    }

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::get(uri);
        for (name, value) in headers {
            request = request.header(name.parse::<HeaderName>().unwrap(), *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn private(headers: &[(&str, &str)], peer: &str) -> Result<(), Refused> {
        check_private(&head("/", headers), peer.parse().unwrap())
    }

    fn api(is_open: bool, headers: &[(&str, &str)], peer: &str) -> Result<(), Refused> {
        let allowed_origins = vec!["https://app.example.com".parse().unwrap()];
        ApiGuard { is_open, allowed_origins }.check(&head("/", headers), peer.parse().unwrap())
    }

    #[test]
    fn this_machine_is_admitted_under_its_own_names() {
        for host in ["localhost", "LocalHost:3000", "127.0.0.1:3000", "127.9.9.9", "[::1]:3000", "[::1]"] {
            for peer in [LOCAL, "::1", "::ffff:127.0.0.1"] {
                assert_eq!(private(&[("host", host)], peer), Ok(()), "{host} {peer}");
                assert_eq!(api(false, &[("host", host)], peer), Ok(()), "{host} {peer}");
                assert_eq!(api(true, &[("host", host)], peer), Ok(()), "{host} {peer}");
            }
        }
        let absolute = head("http://localhost:3000/", &[("host", "localhost:3000")]);
        assert_eq!(check_private(&absolute, LOCAL.parse().unwrap()), Ok(()));
    }

    #[test]
    fn other_machines_reach_only_an_open_api() {
        let host = [("host", "localhost:3000")];
        for peer in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "0.0.0.0"] {
            assert_eq!(private(&host, peer), Err(Refused::Peer), "{peer}");
            assert_eq!(api(false, &host, peer), Err(Refused::Peer), "{peer}");
            assert_eq!(api(true, &host, peer), Ok(()), "{peer}");
        }
    }

    #[test]
    fn names_that_a_page_could_have_are_refused() {
        for hosts in [
            &[][..],
            &[""],
            &["example.com"],
            &["example.com:3000"],
            &["localhost.example.com"],
            &["127.0.0.1.example.com"],
            &["localhost."],
            &["localhost@example.com"],
            &["example.com@localhost"],
            &["localhost/"],
            &["localhost", "example.com"],
            &["localhost", "localhost"],
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(private(&headers, LOCAL), Err(Refused::Host), "{hosts:?}");
            assert_eq!(api(false, &headers, LOCAL), Err(Refused::Host), "{hosts:?}");
            assert_eq!(api(true, &headers, LOCAL), Err(Refused::Host), "{hosts:?}");
        }
        let elsewhere = head("http://example.com/", &[("host", "localhost")]);
        assert_eq!(check_private(&elsewhere, LOCAL.parse().unwrap()), Err(Refused::Host));
    }

    #[test]
    fn a_container_reaches_the_table_under_dockers_name() {
        let table =
            |headers: &[(&str, &str)], peer: &str| check_table(&head("/", headers), peer.parse().unwrap());
        let host = ("host", "host.docker.internal:8000");
        assert_eq!(table(&[host], LOCAL), Ok(()));
        assert_eq!(table(&[("host", "localhost:8000")], LOCAL), Ok(()));
        assert_eq!(table(&[host], "172.17.0.2"), Err(Refused::Peer));
        assert_eq!(table(&[host, ("origin", "http://host.docker.internal:8000")], LOCAL), Err(Refused::Host));
        assert_eq!(table(&[host, ("sec-fetch-site", "none")], LOCAL), Err(Refused::Host));
        assert_eq!(table(&[host, host], LOCAL), Err(Refused::Host));
        assert_eq!(private(&[host], LOCAL), Err(Refused::Host));
    }

    #[test]
    fn an_open_api_answers_to_addresses_and_to_names_of_a_network() {
        for host in ["192.0.2.7:3000", "[2001:db8::1]:3000", "0.0.0.0:3000", "users:3000"] {
            let headers = [("host", host)];
            assert_eq!(api(true, &headers, "192.0.2.9"), Ok(()), "{host}");
            assert_eq!(api(false, &headers, LOCAL), Err(Refused::Host), "{host}");
            assert_eq!(private(&headers, LOCAL), Err(Refused::Host), "{host}");
        }
        let allowed = [("host", "app.example.com")];
        assert_eq!(api(true, &allowed, LOCAL), Ok(()));
        assert_eq!(private(&allowed, LOCAL), Err(Refused::Host));
    }

    #[test]
    fn pages_of_other_servers_are_refused() {
        let host = ("host", "localhost:3000");
        for origin in ["http://localhost:3000", "http://LOCALHOST:3000"] {
            assert_eq!(private(&[host, ("origin", origin)], LOCAL), Ok(()), "{origin}");
        }
        // Another program's page on this machine may call the API, and nothing else.
        for origin in
            ["http://localhost:5173", "http://127.0.0.1:3000", "https://localhost:3000", "http://[::1]"]
        {
            assert_eq!(private(&[host, ("origin", origin)], LOCAL), Err(Refused::Page), "{origin}");
            assert_eq!(api(false, &[host, ("origin", origin)], LOCAL), Ok(()), "{origin}");
        }
        let allowed = [host, ("origin", "https://app.example.com")];
        assert_eq!(api(false, &allowed, LOCAL), Ok(()));
        assert_eq!(private(&allowed, LOCAL), Err(Refused::Page));
        for origin in
            ["null", "", "https://example.com", "http://app.example.com", "http://localhost.example.com"]
        {
            for check in
                [private(&[host, ("origin", origin)], LOCAL), api(true, &[host, ("origin", origin)], LOCAL)]
            {
                assert_eq!(check, Err(Refused::Page), "{origin}");
            }
        }
        let two = [host, ("origin", "http://localhost:3000"), ("origin", "http://localhost:3000")];
        assert_eq!(private(&two, LOCAL), Err(Refused::Page));
    }

    #[test]
    fn what_a_foreign_page_embeds_is_refused_and_a_link_is_not() {
        let of = |site, mode| [("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)];
        for (headers, outcome) in [
            (of("cross-site", "no-cors"), Err(Refused::Page)),
            (of("cross-site", "navigate"), Ok(())),
            (of("same-origin", "no-cors"), Ok(())),
            (of("none", "navigate"), Ok(())),
        ] {
            assert_eq!(private(&headers, LOCAL), outcome, "{headers:?}");
            assert_eq!(api(false, &headers, LOCAL), outcome, "{headers:?}");
        }
    }
}
