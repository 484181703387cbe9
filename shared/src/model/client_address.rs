//! Whom a rate limit counts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Invalid;

/// A client of the public endpoint: an IPv4 address, or the /64 network of an IPv6 address.
///
/// A /64 is what one subscriber is given (RFC 6177), so whoever holds one can call from any of its
/// addresses. An IPv4-mapped IPv6 address is its IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientAddress {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// The first address of an IPv6 /64 network.
    V6Network(Ipv6Addr),
}

impl FromStr for ClientAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let address: IpAddr = text.parse().map_err(|_| Invalid("must be an IP address"))?;
        Ok(address.into())
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6Network(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6Network(network) => write!(f, "{network}/64"),
        }
    }
}

/// An address is personal data, so it is not shown.
impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_counts_as_one_client() {
        let client = |text: &str| text.parse::<ClientAddress>().unwrap().to_string();
        assert_eq!(client("203.0.113.7"), "203.0.113.7");
        assert_eq!(client("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(client("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(client("2001:db8:1:2::9"), "2001:db8:1:2::/64");
        assert_eq!(client("2001:db8:1:3::9"), "2001:db8:1:3::/64");
        for bad in ["", "localhost", "203.0.113.7:80", "203.0.113", "[::1]"] {
            assert!(bad.parse::<ClientAddress>().is_err(), "{bad}");
        }
    }
}
