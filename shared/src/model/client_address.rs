//! The clients that a rate limit counts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Invalid;

/// A client of the public endpoint: an IPv4 address, or the /64 network of an IPv6 address.
///
/// One subscriber gets a /64 (RFC 6177) and can call from any of its addresses. An IPv4-mapped IPv6 address is its IPv4
/// address.
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_ipv6_client_is_its_64_in_every_spelling(bits: u128, host: u64, others in 1..=u64::MAX) {
            let client = |bits: u128| ClientAddress::from(IpAddr::V6(Ipv6Addr::from_bits(bits)));
            let of_the_host = bits >> 64 << 64 | u128::from(host);
            prop_assume!(bits >> 64 != 0);
            prop_assert!(client(bits) == client(of_the_host));
            prop_assert!(client(bits) != client(bits ^ u128::from(others) << 64));
            let address = Ipv6Addr::from_bits(bits);
            let full = address.segments().map(|segment| format!("{segment:04X}")).join(":");
            for spelling in [address.to_string(), full] {
                prop_assert!(spelling.parse::<ClientAddress>().unwrap() == client(bits), "{}", spelling);
            }
        }

        #[test]
        fn an_ipv4_client_is_its_address_in_every_spelling(bits: u32, others in 1..=u32::MAX) {
            let address = Ipv4Addr::from_bits(bits);
            let [a, b] = [bits >> 16, bits & 0xffff];
            for spelling in [
                address.to_string(),
                format!("::ffff:{address}"),
                format!("::FFFF:{a:x}:{b:x}"),
                format!("0:0:0:0:0:ffff:{a:04X}:{b:04X}"),
            ] {
                let client = spelling.parse::<ClientAddress>().unwrap();
                prop_assert!(client == ClientAddress::V4(address), "{}", spelling);
                prop_assert_eq!(client.to_string(), address.to_string());
            }
            prop_assert!(ClientAddress::V4(address) != ClientAddress::V4(Ipv4Addr::from_bits(bits ^ others)));
        }
    }

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
