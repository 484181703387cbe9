//! The members of a body.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A member of a JSON body: a text, wiped from memory when dropped, or anything else, not kept.
pub enum Member {
    /// A string.
    Text(Zeroizing<String>),
    /// A value of another type.
    Other,
}

impl Member {
    /// Whether it is a string of nothing but white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().is_empty())
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_unit<E>(self) -> Result<Member, E> {
        Ok(Member::Other)
    }

    // Read and not skipped: what is no valid JSON inside is no valid JSON.
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Member, A::Error> {
        while access.next_element::<Member>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Member, A::Error> {
        while access.next_entry::<Member, Member>()?.is_some() {}
        Ok(Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(json: &str) -> Option<Member> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_member_is_a_text_or_none() {
        assert!(matches!(member("\"a\\u00e9\""), Some(Member::Text(text)) if *text == "aé"));
        for other in ["true", "-1", "18446744073709551615", "1e300", "[[null]]", "{\"a\":[\"b\"]}"] {
            assert!(matches!(member(other), Some(Member::Other)), "{other}");
        }
        assert!(member("null").is_none());
        for bad in ["[\"\\ud800\"]", "{\"\\ud800\":1}", &"[".repeat(5000)] {
            assert!(serde_json::from_str::<Member>(bad).is_err(), "{bad}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_text_is_wiped_when_dropped() {
        use crate::memory::Place;

        let text = "a text that somebody sent, long enough to be seen in memory ".repeat(2);
        let Some(Member::Text(member)) = member(&serde_json::to_string(&text).unwrap()) else { panic!() };
        let place = Place::of(&member);
        assert!(place.is_left());
        drop(member);
        assert!(!place.is_left());
    }
}
