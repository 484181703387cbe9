//! E-mail addresses: the login identifier, unique across the platform.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use icu_normalizer::ComposingNormalizerBorrowed;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::{Invalid, Stored, text_type, visible};

/// An e-mail address as it was given, without surrounding white space.
///
/// At most 254 octets (RFC 5321, erratum 1690), with a domain of at least two labels; local parts and domains may be
/// internationalised (RFC 6531). Display names, address literals and invisible characters are refused, so that the text
/// shown and the text compared agree.
#[derive(Clone)]
pub struct Email {
    text: String,
    normalized: NormalizedEmail,
}

text_type!(Email.text, debug: false);

impl TryFrom<String> for Email {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        // UTS #46 would drop such a character from the normalized domain, but the address would still show it.
        visible::check_address(text.trim()).map_err(|_| INVALID)?;
        let Stored(email): Stored<Self> = text.parse()?;
        // Normalising reorders marks, so a joiner may end up where no script needs it.
        visible::check_address(email.normalized.as_str()).map_err(|_| INVALID)?;
        Ok(email)
    }
}

impl FromStr for Stored<Email> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.len() > 254 {
            return Err(Invalid("must be at most 254 octets long"));
        }
        let (local, given_domain) = split(text);
        // Hyphens in the third and fourth place are registered too. Such a label is no punycode but with `xn`.
        let domain = Uts46::new()
            .to_ascii(
                given_domain.as_bytes(),
                AsciiDenyList::STD3,
                Hyphens::CheckFirstLast,
                DnsLength::Verify,
            )
            .map_err(|_| INVALID)?;
        // RFC 5321, section 4.1.2 allows a quoted space. The parser also accepts a tab.
        if local.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')) {
            return Err(INVALID);
        }
        // RFC 6531, section 3.3 allows a character beyond ASCII wherever a letter is allowed. The parser accepts only
        // some of them, so each is replaced by one letter per octet. Three are other codes for ASCII characters, such
        // as the Greek question mark for the semicolon.
        let stand_in = |c: char| {
            let canonical = nfc(c.encode_utf8(&mut [0; 4]));
            if canonical.is_ascii() { canonical } else { "x".repeat(c.len_utf8()) }
        };
        let ascii = format!("{}@{domain}", local.chars().map(stand_in).collect::<String>());
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        EmailAddress::parse_with_options(&ascii, options).map_err(|_| INVALID)?;
        let domain = idna::domain_to_ascii(given_domain).map_err(|_| INVALID)?;
        let normalized = NormalizedEmail(format!("{}@{domain}", nfc(&local.to_lowercase())));
        Ok(Self(Email { text: text.to_owned(), normalized }))
    }
}

/// The local part and the domain. The last `@` separates them, because a quoted local part may contain others.
fn split(address: &str) -> (&str, &str) {
    address.rsplit_once('@').unwrap_or((address, ""))
}

fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

const INVALID: Invalid = Invalid("must be a valid e-mail address");

impl Email {
    /// The form under which addresses are compared; see [`NormalizedEmail`].
    #[must_use]
    pub fn normalized(&self) -> &NormalizedEmail {
        &self.normalized
    }
}

/// The identity of an e-mail address: two addresses with equal normalized forms are one account.
///
/// The local part in Unicode lower case and NFC, the domain in its ASCII (punycode) form by UTS #46. Rules of single
/// providers (dots, plus tags) are not applied.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct NormalizedEmail(String);

impl NormalizedEmail {
    /// The text of the normalized form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NormalizedEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NormalizedEmail(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normalized(text: &str) -> String {
        text.parse::<Email>().unwrap_or_else(|e| panic!("{text}: {e}")).normalized().0.clone()
    }

    #[test]
    fn addresses_that_are_one_account() {
        for (one, other) in [
            ("Jane@X.com", "jane@x.com"),
            (" jane@x.com\n", "jane@x.com"),
            ("ÄRGER@x.com", "ärger@x.com"),
            ("a\u{308}rger@x.com", "\u{e4}rger@x.com"),
            ("jane@BÜCHER.example", "jane@xn--bcher-kva.example"),
            ("jane@bu\u{308}cher.example", "jane@XN--BCHER-KVA.example"),
            ("संपर्क@डाटामेल.भारत", "संपर्क@xn--c2bd4bq1db8d.xn--h2brj9c"),
            ("👩@x.com", "👩@X.com"),
            ("jane@ex--ample.com", "Jane@EX--ample.com"),
            ("jane@r3---sn.example.com", "jane@r3---SN.example.com"),
            ("\"a@B\"@x.com", "\"A@b\"@x.com"),
            ("例え@例え.テスト", "例え@xn--r8jz45g.xn--zckzah"),
        ] {
            assert_eq!(normalized(one), normalized(other), "{one} {other}");
        }
    }

    #[test]
    fn addresses_that_are_two_accounts() {
        for (one, other) in [
            ("jane.doe@gmail.com", "janedoe@gmail.com"),
            ("jane+tag@x.com", "jane@x.com"),
            ("straße@x.com", "strasse@x.com"),
            ("jane@x.com", "jane@x.org"),
        ] {
            assert_ne!(normalized(one), normalized(other), "{one} {other}");
        }
    }

    #[test]
    fn texts_that_are_no_address() {
        let long = format!("{}@example.com", "x".repeat(250));
        for bad in [
            "",
            " ",
            "jane",
            "jane@",
            "@x.com",
            "jane@x",
            "jane@@x.com",
            "jane doe@x.com",
            "jane@x..com",
            "jane@-x.com",
            "jane@x.com.",
            "Jane <jane@x.com>",
            "jane@[127.0.0.1]",
            "jane@x.com\0",
            ".jane@x.com",
            "jane@x_y.com",
            "a\n@x.com",
            "jane@xn--a.com",
            "a\u{a0}b@x.com",
            "a\u{85}@x.com",
            "\"a\tb\"@x.com",
            "a\u{37e}b@x.com",
            "<jane@x.com>",
            "ja\u{200b}ne@x.com",
            "jane@x\u{200b}.com",
            "jane@ex\u{ad}ample.com",
            "jane@\u{2060}x.com",
            "\u{202e}jane@x.com",
            "jane\u{fe0f}@x.com",
            "👩\u{200d}💻@x.com",
            "j\u{2800}ane@x.com",
            "jane@x\u{2800}.com",
            "jane\u{e000}@x.com",
            "\u{130}\u{94d}\u{200d}y@x.com",
            &long,
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_stored_address_stays_readable() {
        let Stored(email) = "jane@x\u{200b}.com".parse::<Stored<Email>>().unwrap();
        assert_eq!((email.as_str(), email.normalized().as_str()), ("jane@x\u{200b}.com", "jane@x.com"));
    }

    #[test]
    fn the_address_is_kept_as_given() {
        assert_eq!(" Jane@X.com ".parse::<Email>().unwrap().as_str(), "Jane@X.com");
    }

    #[test]
    fn debug_shows_no_address() {
        assert_eq!(format!("{:?}", "jane@x.com".parse::<Email>().unwrap()), "Email(…)");
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing(text in "[a-zA-Z0-9äÄßΣσςİ.+_-]{1,20}@[a-zA-ZäÄß0-9-]{1,12}\\.[a-z]{2,5}") {
            if let Ok(email) = text.parse::<Email>() {
                let once = email.normalized().0.clone();
                if let Ok(again) = once.parse::<Email>() {
                    prop_assert_eq!(&again.normalized().0, &once);
                }
            }
        }
    }
}
