//! A user account.

use std::str::FromStr;

use icu_properties::CodePointSetData;
use icu_properties::props::BidiControl;

use super::{Email, Invalid, Stored, UserId, text_type, visible};

/// A first or last name: trimmed, 1 to 100 characters, all of them visible.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

text_type!(PersonName, debug: false);

impl TryFrom<String> for PersonName {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        label(&text).map(Self)
    }
}

impl FromStr for Stored<PersonName> {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        stored_label(text).map(|text| Self(PersonName(text)))
    }
}

/// A text that a person wrote for a person: trimmed, 1 to 100 characters, all of them visible.
pub(super) fn label(text: &str) -> Result<String, Invalid> {
    let text = stored_label(text)?;
    visible::check_name(&text)?;
    Ok(text)
}

/// The rules of [`label`] that every version has had.
pub(super) fn stored_label(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 100 {
        return Err(Invalid("must be 1 to 100 characters long"));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid("must not contain control characters or invisible characters"));
    }
    Ok(text.to_owned())
}

/// A phone number: 3 to 32 of digits, space, `+`, `-`, `.`, `(`, `)`, `x`, `#`.
///
/// It is kept as a person would write it: every kind of white space is one space, every kind of hyphen and `/` are `-`,
/// and `ext.` is `x`. Marks of direction, which come with a number from a list of contacts, go.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

text_type!(PhoneNumber, debug: false);

impl TryFrom<String> for PhoneNumber {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let text = as_usually_written(&text);
        if !text.bytes().all(|b| b.is_ascii_digit() || b" +-.()x#".contains(&b)) {
            return Err(Invalid("must consist of digits, spaces and + - . ( ) x #"));
        }
        if !(3..=32).contains(&text.len()) {
            return Err(Invalid("must be 3 to 32 characters long"));
        }
        Ok(Self(text))
    }
}

fn as_usually_written(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|&c| !CodePointSetData::new::<BidiControl>().contains(c))
        .map(|c| match c {
            c if c.is_whitespace() => ' ',
            // Hyphens and dashes, the minus sign, wide forms, and what separates an area code in some countries.
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' | '\u{ff0d}' | '/' => '-',
            c => c.to_ascii_lowercase(),
        })
        .collect();
    let words = plain.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    // The longer ones first.
    ["extension. ", "extension.", "extension ", "extension", "ext. ", "ext.", "ext ", "ext"]
        .iter()
        .fold(words, |text, word| text.replace(word, "x"))
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
    /// The address at which the user prefers to get e-mail, if there is one.
    pub preferred_email: Option<Email>,
    /// The phone number, if one was given.
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
    fn phone_numbers_are_kept_as_usually_written() {
        for good in ["561-555-1212", "+49 (0)30 1234 x5", "911", &"1".repeat(32)] {
            assert_eq!(good.parse::<PhoneNumber>().unwrap().as_str(), good);
        }
        for (written, kept) in [
            (" 561\u{a0}555\u{2011}1212 ", "561 555-1212"),
            ("561-555-1212 ext. 5", "561-555-1212 x5"),
            ("561-555-1212 Ext 5", "561-555-1212 x5"),
            ("561-555-1212ext.5", "561-555-1212x5"),
            ("561-555-1212 Extension 5", "561-555-1212 x5"),
            ("561-555-1212 X5", "561-555-1212 x5"),
            ("+49\u{2009}30\t1234\n", "+49 30 1234"),
            ("561\u{2013}555\u{2212}1212", "561-555-1212"),
            ("561\u{2014}555/1212", "561-555-1212"),
            ("561-555-1212 extension. 5", "561-555-1212 x5"),
            ("\u{202a}+1 (561) 555-1212\u{202c}\u{200e}", "+1 (561) 555-1212"),
        ] {
            assert_eq!(written.parse::<PhoneNumber>().unwrap().as_str(), kept);
        }
        for bad in ["", " ", "12", "phone", "１２３", "12\u{200b}3", "next 123", "123\0", &"1".repeat(33)]
        {
            assert!(bad.parse::<PhoneNumber>().is_err(), "{bad:?}");
        }
    }
}
