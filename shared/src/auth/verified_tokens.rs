//! Remembers which tokens have a right signature, because to verify one takes longer than everything else in a request.
//!
//! Only the signature is remembered. Expiry and claims are checked for every request.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use ring::digest::{SHA256, digest};

/// How many tokens are remembered: 32 bytes each.
const MAX_REMEMBERED: usize = 1000;

/// The tokens whose signature was verified, by SHA-256 digest: nothing of a token is kept.
#[derive(Default)]
pub(super) struct VerifiedTokens(Mutex<HashSet<[u8; 32]>>);

impl VerifiedTokens {
    /// Verifies the signature of a token, unless it was verified before. The digest covers the whole text of the token:
    /// header, payload and signature.
    pub(super) fn check<E>(&self, token: &str, verify: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let digest = <[u8; 32]>::try_from(digest(&SHA256, token.as_bytes()).as_ref()).ok();
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if digest.is_some_and(|digest| known().contains(&digest)) {
            return Ok(());
        }
        verify()?;
        let mut known = known();
        // Emptied, not closed: only tokens with a right signature fill it.
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.extend(digest);
        Ok(())
    }
}

impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifiedTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_signature_is_verified_once_and_a_wrong_one_each_time() {
        let tokens = VerifiedTokens::default();
        let unasked = || -> Result<(), ()> { panic!("verified again") };
        for _ in 0..2 {
            assert_eq!(tokens.check("a.b.c", || Err("wrong")), Err("wrong"));
        }
        assert_eq!(tokens.check("a.b.c", || Ok::<_, ()>(())), Ok(()));
        assert_eq!(tokens.check("a.b.c", unasked), Ok(()));
        for other in ["a.b.C", "a.b.c ", "a.b.", "A.b.c", "a.B.c", ""] {
            assert_eq!(tokens.check(other, || Err("wrong")), Err("wrong"), "{other}");
        }
        assert_eq!(tokens.check("d.e.f", || Ok::<_, ()>(())), Ok(()));
        assert_eq!(tokens.check("a.b.c", unasked), Ok(()));
        // Another set knows nothing of it.
        assert_eq!(VerifiedTokens::default().check("a.b.c", || Err("wrong")), Err("wrong"));
    }

    #[test]
    fn many_tokens_are_not_all_remembered_and_the_last_one_is() {
        let tokens = VerifiedTokens::default();
        for number in 0..10 * MAX_REMEMBERED {
            let token = number.to_string();
            assert_eq!(tokens.check(&token, || Ok::<_, ()>(())), Ok(()));
            assert_eq!(tokens.check(&token, || Err("forgotten")), Ok(()));
            assert!(tokens.0.lock().unwrap().len() <= MAX_REMEMBERED);
        }
    }
}
