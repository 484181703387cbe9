//! A user account.

use super::{Email, Invalid, UserId, text_type};

/// A first or last name: trimmed, 1 to 100 characters, no control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

text_type!(PersonName, debug: false);

impl TryFrom<String> for PersonName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        label(&text).map(Self)
    }
}

/// A text that a person wrote for a person: trimmed, 1 to 100 characters, no control characters.
pub(super) fn label(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 {
        return Err(Invalid("must be 1 to 100 characters long"));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid("must not contain control characters"));
    }
    Ok(text.to_owned())
}

/// A phone number as it was given: 3 to 32 of digits, space, `+`, `-`, `.`, `(`, `)`, `x`, `#`.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

text_type!(PhoneNumber, debug: false);

impl TryFrom<String> for PhoneNumber {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        if !text.bytes().all(|b| b.is_ascii_digit() || b" +-.()x#".contains(&b)) {
            return Err(Invalid("must consist of digits, spaces and + - . ( ) x #"));
        }
        if !(3..=32).contains(&text.len()) {
            return Err(Invalid("must be 3 to 32 characters long"));
        }
        Ok(Self(text))
    }
}

/// A user account as the table holds it.
#[derive(Clone, Debug)]
pub struct User {
    /// The account's id.
    pub id: UserId,
    /// The first name.
    pub first_name: PersonName,
    /// The last name.
    pub last_name: PersonName,
    /// The login identifier.
    pub email: Email,
    /// The address the user prefers to be written to, where there is one.
    pub preferred_email: Option<Email>,
    /// The phone number, where one was given.
    pub phone_number: Option<PhoneNumber>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(" Zoë \u{2009}".parse::<PersonName>().unwrap().as_str(), "Zoë");
        assert!("é".repeat(100).parse::<PersonName>().is_ok());
        for bad in ["", "  ", "a\nb", "a\0b", "\u{85}a\u{85}b", &"é".repeat(101)] {
            assert!(bad.parse::<PersonName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn phone_numbers_are_kept_as_given() {
        for good in ["561-555-1212", "+49 (0)30 1234 x5", "911", &"1".repeat(32)] {
            assert_eq!(good.parse::<PhoneNumber>().unwrap().as_str(), good);
        }
        for bad in ["", "12", "phone", "１２３", "123\n", &"1".repeat(33)] {
            assert!(bad.parse::<PhoneNumber>().is_err(), "{bad:?}");
        }
    }
}
