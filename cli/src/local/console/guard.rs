//! Who may see the console. It hands out tokens, so: this machine alone, and no page of another origin that had a name
//! of its own resolve to this machine (DNS rebinding), which the browser's `Host` header gives away.

use std::net::IpAddr;

use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;

/// Whether the peer is this machine and the request names it so.
pub(super) fn admits(head: &Parts, peer: IpAddr) -> bool {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    peer.to_canonical().is_loopback()
        && hosts.next().is_none()
        && host.as_ref().is_some_and(names_this_machine)
        && head.uri.authority().is_none_or(names_this_machine)
}

fn names_this_machine(authority: &Authority) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let named = host.eq_ignore_ascii_case("localhost");
    !authority.as_str().contains('@') && address.map_or(named, |address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

    use super::*;

    fn admits(uri: &str, hosts: &[&str], peer: &str) -> bool {
        let mut request = hyper::Request::get(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        super::admits(&request.body(()).unwrap().into_parts().0, peer.parse().unwrap())
    }

    #[test]
    fn this_machine_under_a_name_of_its_own_is_admitted() {
        for host in ["localhost", "LocalHost:3000", "127.0.0.1:3000", "127.9.9.9", "[::1]:3000", "[::1]"] {
            for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
                assert!(admits("/", &[host], peer), "{host} {peer}");
            }
        }
        assert!(admits("http://localhost:3000/", &["localhost:3000"], "127.0.0.1"));
    }

    #[test]
    fn other_machines_and_other_names_are_not() {
        for peer in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "0.0.0.0"] {
            assert!(!admits("/", &["localhost:3000"], peer), "{peer}");
        }
        for hosts in [
            &[][..],
            &[""],
            &["example.com"],
            &["example.com:3000"],
            &["localhost.example.com"],
            &["127.0.0.1.example.com"],
            &["192.0.2.7:3000"],
            &["0.0.0.0:3000"],
            &["[::]:3000"],
            &["localhost@example.com"],
            &["example.com@localhost"],
            &["localhost/"],
            &["localhost", "example.com"],
            &["localhost", "localhost"],
        ] {
            assert!(!admits("/", hosts, "127.0.0.1"), "{hosts:?}");
        }
        assert!(!admits("http://example.com/", &["localhost"], "127.0.0.1"));
    }
}
