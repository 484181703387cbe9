//! The secrets that a front may prove itself with.

use std::collections::BTreeMap;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The least length of a secret, in bytes: 32 random letters and digits cannot be guessed.
const MIN_BYTES: usize = 32;
/// How many secrets count at once: the one in use, and the next one or the last one.
const MAX_SECRETS: usize = 2;

/// One or two secrets.
pub(super) struct Secrets(Vec<Zeroizing<String>>);

impl Secrets {
    /// Reads the text of the stored secret: a JSON object whose members are the secrets, such as `{"A": "…", "B": ""}`.
    /// An empty one does not count.
    ///
    /// # Errors
    /// Says what is wrong with it, without any part of it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let members: BTreeMap<String, Zeroizing<String>> =
            serde_json::from_str(text).map_err(|_| "is not a JSON object of texts")?;
        let secrets: Vec<_> = members.into_values().filter(|secret| !secret.is_empty()).collect();
        if secrets.is_empty() || secrets.len() > MAX_SECRETS {
            return Err("must hold one or two secrets");
        }
        // Others do not pass every proxy unchanged.
        if !secrets.iter().all(|secret| secret.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')) {
            return Err("must hold printable ASCII without white space and commas");
        }
        if secrets.iter().any(|secret| secret.len() < MIN_BYTES) {
            return Err("holds a secret of fewer than 32 characters");
        }
        Ok(Self(secrets))
    }

    /// Whether this is one of the secrets. The time it takes tells only whether the lengths are the same.
    pub(super) fn accept(&self, proof: &str) -> bool {
        let differ = subtle::Choice::from(0);
        let equal =
            self.0.iter().fold(differ, |equal, secret| equal | secret.as_bytes().ct_eq(proof.as_bytes()));
        equal.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_secrets_count() {
        let [a, b] = ["a".repeat(32), "b".repeat(64)];
        let one = Secrets::parse(&format!(r#"{{"A":"{a}","B":""}}"#)).unwrap();
        assert!(one.accept(&a) && !one.accept(&b) && !one.accept("") && !one.accept(&a[1..]));
        let both = Secrets::parse(&format!(r#"{{"A":"{a}","B":"{b}"}}"#)).unwrap();
        assert!(both.accept(&a) && both.accept(&b) && !both.accept(&format!("{a},{b}")));
        let same = Secrets::parse(&format!(r#"{{"A":"{a}","B":"{a}"}}"#)).unwrap();
        assert!(same.accept(&a) && !same.accept(&b));
        for (text, why) in [
            (a.clone(), "is not a JSON object of texts"),
            (format!("[\"{a}\"]"), "is not a JSON object of texts"),
            (r#"{"A":1}"#.to_owned(), "is not a JSON object of texts"),
            (String::new(), "is not a JSON object of texts"),
            ("{}".to_owned(), "must hold one or two secrets"),
            (r#"{"A":""}"#.to_owned(), "must hold one or two secrets"),
            (format!(r#"{{"A":"{a}","B":"{b}","C":"{a}"}}"#), "must hold one or two secrets"),
            (format!(r#"{{"A":"{}"}}"#, &a[1..]), "holds a secret of fewer than 32 characters"),
            (format!(r#"{{"A":"{a}","B":"short"}}"#), "holds a secret of fewer than 32 characters"),
            (format!(r#"{{"A":"{a},{a}"}}"#), "must hold printable ASCII without white space and commas"),
            (format!(r#"{{"A":"{a} "}}"#), "must hold printable ASCII without white space and commas"),
        ] {
            assert_eq!(Secrets::parse(&text).err(), Some(why), "{text}");
        }
    }
}
