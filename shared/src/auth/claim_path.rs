//! Where a payload carries a claim.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::model::Invalid;

/// The name of a claim, taken literally; or, beginning with `/`, a path into nested members: a JSON Pointer (RFC 6901)
/// in which one `*` may stand for each element of an array. No other step enters an array, because positions in these
/// arrays have no meaning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimPath {
    /// As the setting spells it.
    text: String,
    name: String,
    /// The members to enter, one after the other.
    members: Vec<String>,
    /// The members to enter in each element, if there is a `*`.
    in_each: Option<Vec<String>>,
}

impl ClaimPath {
    /// The claim of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { text: name.to_owned(), name: name.to_owned(), members: Vec::new(), in_each: None }
    }

    /// Whether it enters the claim of this name.
    pub(super) fn goes_into(&self, name: &str) -> bool {
        (self.in_each.is_some() || !self.members.is_empty()) && self.name == name
    }

    /// The value, or the array whose elements are read. `null` counts as absent.
    #[must_use]
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        go_down(claims.get(&self.name)?, &self.members).filter(|value| !value.is_null())
    }

    /// The one text of what was found.
    pub(super) fn text<'a>(&self, found: &'a Value) -> Option<&'a str> {
        let Some(members) = &self.in_each else { return found.as_str() };
        match found.as_array()?.as_slice() {
            [only] => go_down(only, members)?.as_str(),
            _ => None,
        }
    }

    /// The member of this name beside the text that [`ClaimPath::text`] returns: of the same object.
    pub(super) fn beside<'a>(&self, claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
        let object = match (self.in_each.as_deref().and_then(<[_]>::split_last), self.members.split_last()) {
            (Some((_, members)), _) => match self.find(claims)?.as_array()?.as_slice() {
                [only] => go_down(only, members)?.as_object()?,
                _ => return None,
            },
            (None, Some((_, members))) => go_down(claims.get(&self.name)?, members)?.as_object()?,
            (None, None) => claims,
        };
        object.get(name)
    }

    /// Whether it is the claim of this name itself.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name && self.members.is_empty() && self.in_each.is_none()
    }

    /// All texts of what was found: of a string, or of an array.
    pub(super) fn texts(&self, found: &Value) -> Vec<String> {
        let members = self.in_each.as_deref();
        match found {
            Value::String(text) if members.is_none() => vec![text.clone()],
            Value::Array(elements) => {
                let members = members.unwrap_or_default();
                let texts = elements.iter().filter_map(|element| go_down(element, members)?.as_str());
                texts.map(Into::into).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn go_down<'a>(value: &'a Value, members: &[String]) -> Option<&'a Value> {
    members.iter().try_fold(value, |value, name| value.as_object()?.get(name))
}

impl FromStr for ClaimPath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.chars().count() > 256 || text.chars().any(char::is_control) {
            return Err(Invalid("must be at most 256 characters long and hold no control character"));
        }
        let Some(path) = text.strip_prefix('/') else { return Ok(Self::named(text)) };
        let steps: Vec<_> = path.split('/').collect();
        let mut parts = steps.split(|step| *step == "*");
        let members = parts.next().unwrap_or_default();
        let (name, members) = members.split_first().ok_or(Invalid("must begin with a name, not with *"))?;
        let in_each = parts.next();
        if parts.next().is_some() {
            return Err(Invalid("must have one * at most"));
        }
        Ok(Self {
            text: text.to_owned(),
            name: member(name)?,
            members: all(members)?,
            in_each: in_each.map(all).transpose()?,
        })
    }
}

fn all(steps: &[&str]) -> Result<Vec<String>, Invalid> {
    steps.iter().map(|step| member(step)).collect()
}

/// The name of the member that a step means (RFC 6901, section 4).
fn member(step: &str) -> Result<String, Invalid> {
    if step.is_empty() {
        return Err(Invalid("must not have an empty step"));
    }
    if !step.split('~').skip(1).all(|escaped| escaped.starts_with(['0', '1'])) {
        return Err(Invalid("must have ~ only as ~0 and ~1 (RFC 6901)"));
    }
    Ok(step.replace("~1", "/").replace("~0", "~"))
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(path: &str, claims: &Value) -> Option<String> {
        let path: ClaimPath = path.parse().unwrap();
        path.find(claims.as_object().unwrap()).and_then(|found| path.text(found)).map(Into::into)
    }

    fn texts(path: &str, claims: &Value) -> Vec<String> {
        let path: ClaimPath = path.parse().unwrap();
        path.find(claims.as_object().unwrap()).map(|found| path.texts(found)).unwrap_or_default()
    }

    #[test]
    fn a_name_is_taken_literally_and_a_path_goes_down() {
        let claims = json!({
            "https://example.com/roles": "namespaced", "cognito:groups": "colon", "a.b": "dot", "*": "star",
            "~": "tilde", "a": { "b": { "c": "nested", "x/y": "slash", "~1": "tilde one", "0": "zero" } },
        });
        for (path, expected) in [
            ("https://example.com/roles", "namespaced"),
            ("cognito:groups", "colon"),
            ("a.b", "dot"),
            ("*", "star"),
            ("~", "tilde"),
            ("/a.b", "dot"),
            ("/https:~1~1example.com~1roles", "namespaced"),
            ("/a/b/c", "nested"),
            ("/a/b/x~1y", "slash"),
            ("/a/b/~01", "tilde one"),
            ("/a/b/0", "zero"),
        ] {
            assert_eq!(text(path, &claims).as_deref(), Some(expected), "{path}");
        }
        for path in ["a/b/c", "/a", "/a/b", "/a/b/c/d", "/a/x/c", "/A/b/c", "/b"] {
            assert_eq!(text(path, &claims), None, "{path}");
        }
    }

    #[test]
    fn a_star_is_each_element_of_an_array_and_nothing_else_is() {
        let claims = json!({
            "roles": [{ "key": "a", "name": "A" }, { "name": "B" }, "text", null, 7, [{ "key": "n" }],
                { "key": ["list"] }, { "key": "b" }],
            "names": ["a", 1, "b", ["c"]],
            "name": "alone",
            "one": ["only"],
            "0": { "key": "no element" },
        });
        for (path, expected) in [
            ("/roles/*/key", &["a", "b"] as &[_]),
            ("/roles/*", &["text"]),
            ("roles", &["text"]),
            ("/names/*", &["a", "b"]),
            ("names", &["a", "b"]),
            ("name", &["alone"]),
            ("/name/*", &[]),
            ("/0/*/key", &[]),
            ("/roles/0/key", &[]),
            ("/roles/key", &[]),
            ("/names/0", &[]),
        ] {
            assert_eq!(texts(path, &claims), expected, "{path}");
        }
        // If one text is wanted, exactly one element may match.
        assert_eq!(text("/one/*", &claims).as_deref(), Some("only"));
        for path in ["one", "/names/*", "/one/0", "/roles/*/key"] {
            assert_eq!(text(path, &claims), None, "{path}");
        }
    }

    #[test]
    fn a_member_beside_the_text_is_of_the_same_object() {
        let claims = json!({
            "email": "top", "email_verified": "beside top",
            "user": { "email": "nested", "email_verified": "beside nested", "mails": ["in an array"],
                "work": { "email": "deeper" } },
            "list": [{ "email": "element", "email_verified": "beside element" }],
            "deep": [{ "mail": { "email": "element", "email_verified": "beside in element" } }],
            "two": [{ "email_verified": "first" }, { "email_verified": "second" }],
        });
        for (path, expected) in [
            ("email", Some("beside top")),
            ("/email", Some("beside top")),
            ("/user/email", Some("beside nested")),
            ("/user/mails/*", Some("beside nested")),
            ("/user/work/email", None),
            ("/list/*/email", Some("beside element")),
            ("/deep/*/mail/email", Some("beside in element")),
            ("/two/*/email", None),
            ("/absent/email", None),
        ] {
            let path: ClaimPath = path.parse().unwrap();
            let beside = path.beside(claims.as_object().unwrap(), "email_verified");
            assert_eq!(beside.and_then(Value::as_str), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_said() {
        for (bad, why) in [
            ("/", "must not have an empty step"),
            ("/a/", "must not have an empty step"),
            ("//a", "must not have an empty step"),
            ("/a//b", "must not have an empty step"),
            ("/a/*/", "must not have an empty step"),
            ("/a~", "must have ~ only as ~0 and ~1 (RFC 6901)"),
            ("/a/~2", "must have ~ only as ~0 and ~1 (RFC 6901)"),
            ("/a/*/b~~0", "must have ~ only as ~0 and ~1 (RFC 6901)"),
            ("/*", "must begin with a name, not with *"),
            ("/*/a", "must begin with a name, not with *"),
            ("/a/*/b/*", "must have one * at most"),
            ("/a/*/*", "must have one * at most"),
            ("a\nb", "must be at most 256 characters long and hold no control character"),
            (&"x".repeat(257), "must be at most 256 characters long and hold no control character"),
        ] {
            assert_eq!(bad.parse::<ClaimPath>(), Err(Invalid(why)), "{bad:?}");
        }
        assert!("é".repeat(256).parse::<ClaimPath>().is_ok());
    }

    proptest! {
        #[test]
        fn a_path_into_objects_is_a_json_pointer(names in vec("[a~/*01.é]{1,4}", 1..5), cut in 0_usize..4) {
            prop_assume!(!names.contains(&"*".to_owned()));
            let nested = names.iter().rev().fold(json!("found"), |inner, name| json!({ name: inner }));
            let steps: Vec<_> = names.iter().map(|name| name.replace('~', "~0").replace('/', "~1")).collect();
            prop_assert_eq!(text(&format!("/{}", steps.join("/")), &nested), Some("found".to_owned()));
            // Any other path finds what `serde_json` finds, too.
            let path = format!("/{}", steps.get(cut % steps.len()..).unwrap_or_default().join("/"));
            let pointed = nested.pointer(&path).and_then(Value::as_str).map(Into::into);
            prop_assert_eq!(text(&path, &nested), pointed);
        }
    }
}
