//! The opaque identifiers: bounded, never parsed.

use super::{Invalid, text_type};

fn opaque(text: String) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > 128 {
        return Err(Invalid("must be 1 to 128 characters long"));
    }
    // `#` separates the parts of a key in the table.
    if text.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        Ok(text)
    } else {
        Err(Invalid("must be printable ASCII without white space or #"))
    }
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $type:ident, debug: $debug:literal) => {
        $(#[$doc])*
        ///
        /// 1 to 128 printable ASCII characters without white space and without `#`.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl TryFrom<String> for $type {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                opaque(text).map(Self)
            }
        }

        text_type!($type, debug: $debug);
    };
}

opaque_id!(
    /// A user's id: this service's own (`user_…`) or an identity provider's (`kp_…`).
    UserId, debug: true
);
opaque_id!(
    /// An organization's id. Every tenant is an organization.
    OrganizationId, debug: true
);
opaque_id!(
    /// The number of a customer account in a tenant's own books, such as `C-10042`.
    CustomerNumber, debug: false
);

impl UserId {
    /// A new id: `user_` and 128 random bits in lower-case hexadecimal.
    ///
    /// # Errors
    /// Fails if the operating system gives no random bytes.
    pub fn random() -> Result<Self, ring::error::Unspecified> {
        let bits: [u8; 16] = ring::rand::generate(&ring::rand::SystemRandom::new())?.expose();
        Ok(Self(format!("user_{:032x}", u128::from_be_bytes(bits))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_bounded_and_otherwise_opaque() {
        for good in ["kp_abc123def456", "6d24ab9faf9e034e881fcd97", "a", "|/..%00\"'", &"x".repeat(128)] {
            assert_eq!(good.parse::<UserId>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a#b", "a\tb", "a\0", "ä", "a\u{7f}", &"x".repeat(129)] {
            assert!(bad.parse::<UserId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn new_ids_differ_and_are_ids() {
        let id = UserId::random().unwrap();
        assert_ne!(id, UserId::random().unwrap());
        assert_eq!(id.as_str().len(), "user_".len() + 32);
        assert_eq!(id.as_str().parse::<UserId>().unwrap(), id);
    }
}
