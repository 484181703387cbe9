//! Passwords: checked, hashed, and never readable.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::{PasswordVerifier as _, phc};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::{Zeroize as _, Zeroizing};

use super::Invalid;
use crate::settings::SettingsReader;

/// An initial password, wiped from memory when dropped.
///
/// 8 to 128 characters of any script, no composition rules, not one of the most common ones
/// (NIST SP 800-63B-4, section 3.1.1.2).
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl TryFrom<String> for Password {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let password = Zeroizing::new(text);
        if !(8..=128).contains(&password.chars().count()) {
            return Err(Invalid("must be 8 to 128 characters long"));
        }
        if COMMON_PASSWORDS.iter().any(|common| common.eq_ignore_ascii_case(&password)) {
            return Err(Invalid("must not be one of the most common passwords"));
        }
        Ok(Self(password))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password's hash. `Debug` does not show it, because whoever has it can guess the password offline.
///
/// Our own hashes are argon2id in the PHC string format. Imported hashes stay as they are: argon2id or PBKDF2 in that
/// format, or bcrypt in its own (`$2b$10$…`). A program that verifies passwords must support all three.
#[derive(Clone)]
pub struct PasswordHash(Zeroizing<String>);

impl PasswordHash {
    /// The hash as a text, for the table and an operator's export.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The algorithms whose hashes are accepted in the PHC string format. `pbkdf2` without a suffix uses HMAC-SHA-1.
const PHC_ALGORITHMS: [&str; 4] = ["argon2id", "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512"];

impl FromStr for PasswordHash {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_phc = || {
            let hash = phc::PasswordHash::new(text).ok()?;
            let complete = hash.salt.is_some() && hash.hash.is_some();
            (complete && PHC_ALGORITHMS.contains(&hash.algorithm.as_str())).then_some(())
        };
        if is_bcrypt(text) || is_phc().is_some() {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(Invalid(
                "must be a hash by argon2id, bcrypt or PBKDF2 in the PHC string format or bcrypt's own",
            ))
        }
    }
}

/// `$2b$`, a cost of 4 to 31, and 22 characters of salt and 31 of hash.
fn is_bcrypt(text: &str) -> bool {
    let parts: Vec<_> = text.split('$').collect();
    let ["", "2a" | "2b" | "2y", cost, salt_and_hash] = parts.as_slice() else { return false };
    let is_base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'/';
    cost.len() == 2
        && cost.bytes().all(|b| b.is_ascii_digit())
        && cost.parse().is_ok_and(|cost: u8| (4..=31).contains(&cost))
        && salt_and_hash.len() == 53
        && salt_and_hash.bytes().all(is_base64)
}

impl PasswordHash {
    /// Whether it is of this password. Only argon2id can be compared; a hash by another algorithm is of none.
    #[allow(dead_code, reason = "operator compares with it, and only this file reads passwords")]
    #[must_use]
    pub fn is_of(&self, password: &Password) -> bool {
        Argon2::default().verify_password(password.0.as_bytes(), self.as_str()).is_ok()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Hashes passwords with argon2id, version 1.3 (RFC 9106).
#[derive(Debug)]
pub struct PasswordHasher {
    params: Params,
    memory: Memory,
}

impl PasswordHasher {
    /// A hasher with these costs: memory in KiB, number of passes, lanes.
    ///
    /// # Errors
    /// Says which costs argon2 allows, if these are not allowed.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, Invalid> {
        let params = Params::new(memory_kib, iterations, parallelism, None).map_err(|_| {
            Invalid("must be costs that argon2 allows: at least 1 pass, 1 lane and 8 KiB a lane")
        })?;
        Ok(Self { params, memory: Memory::default() })
    }

    /// Reads the costs: `PASSWORD_HASH_MEMORY_KIB`, `PASSWORD_HASH_ITERATIONS` and `PASSWORD_HASH_PARALLELISM`. The
    /// default, 19 MiB, 2 and 1, is the minimum that OWASP's Password Storage Cheat Sheet recommends for argon2id.
    pub fn read(reader: &mut SettingsReader<'_>) -> Option<Self> {
        let memory_kib = reader.number("PASSWORD_HASH_MEMORY_KIB", 19_456, 8, 1_048_576);
        let iterations = reader.number("PASSWORD_HASH_ITERATIONS", 2, 1, 100);
        let parallelism = reader.number("PASSWORD_HASH_PARALLELISM", 1, 1, 64);
        let hasher = Self::new(memory_kib, iterations, parallelism);
        hasher.map_err(|why| reader.report("PASSWORD_HASH_MEMORY_KIB and its companions", why)).ok()
    }

    /// Hashes a password with a new random salt. Takes tens of milliseconds of CPU, so do not call it on an
    /// asynchronous thread.
    ///
    /// # Errors
    /// Fails if the operating system gives no random bytes.
    pub fn hash(&self, password: &Password) -> Result<PasswordHash, argon2::password_hash::Error> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let salt = argon2::password_hash::try_generate_salt()?;
        let mut output = Zeroizing::new([0; Params::DEFAULT_OUTPUT_LEN]);
        self.memory.lend(self.params.block_count(), |blocks| {
            argon2.hash_password_into_with_memory(password.0.as_bytes(), &salt, &mut *output, blocks)
        })?;
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: (&self.params).try_into()?,
            salt: Some(phc::Salt::new(&salt)?),
            hash: Some(phc::Output::new(&*output)?),
        };
        Ok(PasswordHash(Zeroizing::new(hash.to_string())))
    }
}

/// The memory for hashing, wiped after each hash and kept for the next. Allocated anew each time, it made the allocator
/// keep ten times as much, more than a small Lambda has.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    fn lend<T>(&self, count: usize, hash: impl FnOnce(&mut [Block]) -> T) -> T {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut blocks = kept.unwrap_or_else(|| vec![Block::new(); count]);
        let hashed = hash(&mut blocks);
        for block in &mut blocks {
            block.zeroize();
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(blocks);
        hashed
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

/// The most common passwords of at least 8 characters in public lists of leaked passwords.
const COMMON_PASSWORDS: &[&str] = &[
    "00000000",
    "0987654321",
    "11111111",
    "1111111111",
    "11223344",
    "12121212",
    "123123123",
    "12341234",
    "1234512345",
    "12345678",
    "123456789",
    "1234567890",
    "1234567891",
    "12345678910",
    "123456789a",
    "1234qwer",
    "123qweasd",
    "147258369",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "55555555",
    "66666666",
    "741852963",
    "77777777",
    "87654321",
    "88888888",
    "987654321",
    "99999999",
    "a1234567",
    "a12345678",
    "a123456789",
    "aa123456",
    "aa12345678",
    "abc12345",
    "abcd1234",
    "abcdefgh",
    "admin123",
    "administrator",
    "adobe123",
    "asdfasdf",
    "asdfghjk",
    "asdfghjkl",
    "baseball",
    "basketball",
    "business",
    "butterfly",
    "changeme",
    "chocolate",
    "computer",
    "corvette",
    "danielle",
    "dragon123",
    "einstein",
    "elizabeth",
    "facebook",
    "football",
    "football1",
    "garfield",
    "google123",
    "hello123",
    "iloveyou",
    "iloveyou1",
    "internet",
    "jennifer",
    "jonathan",
    "jordan23",
    "letmein1",
    "letmein123",
    "liverpool",
    "lovely123",
    "maverick",
    "mercedes",
    "michael1",
    "michelle",
    "midnight",
    "minecraft",
    "mustang1",
    "nicholas",
    "p@ssw0rd",
    "pass1234",
    "passport",
    "passw0rd",
    "password",
    "password!",
    "password1",
    "password1!",
    "password12",
    "password123",
    "password123!",
    "patricia",
    "pokemon1",
    "princess",
    "princess1",
    "q1w2e3r4",
    "q1w2e3r4t5",
    "qazwsxedc",
    "qq123456",
    "qwer1234",
    "qwerasdf",
    "qwerty12",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "samantha",
    "spiderman",
    "starwars",
    "sunshine",
    "sunshine1",
    "superman",
    "superman1",
    "test1234",
    "testtest",
    "trustno1",
    "unknown1",
    "victoria",
    "welcome1",
    "welcome123",
    "whatever",
    "william1",
    "zaq12wsx",
    "zxcvbnm1",
    "zxcvbnm123",
];

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier as _;

    use super::*;

    fn password(text: &str) -> Result<Password, Invalid> {
        Password::try_from(text.to_owned())
    }

    #[test]
    fn any_script_and_no_composition_rules() {
        for good in
            ["SecurePass123!", "aaaaaaab", "pässwörter", "密码密码密码密码", "correct horse battery staple"]
        {
            assert!(password(good).is_ok(), "{good}");
        }
        assert!(password(&"é".repeat(128)).is_ok());
        for bad in ["", "1234567", "éééé123", "PASSWORD", "Password123", &"x".repeat(129)] {
            assert!(password(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_common_passwords_are_sorted_and_each_there_once() {
        assert!(COMMON_PASSWORDS.is_sorted_by(|a, b| a < b));
        assert!(COMMON_PASSWORDS.iter().all(|common| common.len() >= 8 && common.is_ascii()));
    }

    #[test]
    fn a_hash_verifies_its_password_alone_and_is_salted() {
        let hasher = PasswordHasher::new(8, 1, 1).unwrap();
        let hash = hasher.hash(&password("SecurePass123!").unwrap()).unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        let parsed = phc::PasswordHash::new(hash.as_str()).unwrap();
        assert!(Argon2::default().verify_password(b"SecurePass123!", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"SecurePass123", &parsed).is_err());
        let again = hasher.hash(&password("SecurePass123!").unwrap()).unwrap();
        assert_ne!(hash.as_str(), again.as_str());
    }

    #[test]
    fn the_memory_of_a_hash_is_wiped_and_is_that_of_the_next_one() {
        let hasher = PasswordHasher::new(64, 2, 1).unwrap();
        for _ in 0..3 {
            hasher.hash(&password("SecurePass123!").unwrap()).unwrap();
        }
        let kept = hasher.memory.0.lock().unwrap();
        let [blocks] = kept.as_slice() else { panic!("{} kept", kept.len()) };
        assert_eq!(blocks.len(), 64);
        assert!(blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }

    #[test]
    fn hashes_of_three_algorithms_are_taken_over() {
        let bcrypt = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
        for good in [
            "$argon2id$v=19$m=7168,t=5,p=1$c29tZXNhbHQ$4ebNy1PfgtqmDQrdi9PFxQ",
            "$pbkdf2-sha256$i=27500,l=32$c29tZXNhbHQ$4ebNy1PfgtqmDQrdi9PFxOHmzctT34LapQ0K3YvTxcU",
            "$pbkdf2-sha512$i=210000$c29tZXNhbHQ$4ebNy1PfgtqmDQrdi9PFxQ",
            "$pbkdf2$i=1000$c29tZXNhbHQ$4ebNy1PfgtqmDQrdi9PFxQ",
            bcrypt,
            &bcrypt.replace("$2b$", "$2a$"),
            &bcrypt.replace("$10$", "$31$"),
        ] {
            assert_eq!(
                good.parse::<PasswordHash>().map(|hash| hash.as_str().to_owned()).as_deref(),
                Ok(good)
            );
        }
        for bad in [
            "",
            "SecurePass123!",
            "$argon2id$v=19$m=7168,t=5,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=7168,t=5,p=1",
            "$argon2d$v=19$m=7168,t=5,p=1$c29tZXNhbHQ$4ebNy1PfgtqmDQrdi9PFxQ",
            "$scrypt$ln=16,r=8,p=1$c29tZXNhbHQ$4ebNy1PfgtqmDQrdi9PFxQ",
            "$1$c29tZXNhbHQ$4ebNy1PfgtqmDQrdi9PFxQ",
            &bcrypt[..59],
            &format!("{bcrypt}a"),
            &bcrypt.replace("$2b$", "$2x$"),
            &bcrypt.replace("$10$", "$03$"),
            &bcrypt.replace("$10$", "$32$"),
            &bcrypt.replace("$10$", "$+4$"),
            &bcrypt.replace('W', "#"),
            &bcrypt.replace('9', "+"),
            &format!(" {bcrypt}"),
        ] {
            assert!(bad.parse::<PasswordHash>().is_err(), "{bad}");
        }
    }

    #[test]
    fn costs_that_argon2_refuses_are_refused() {
        for (memory, iterations, lanes) in [(0, 2, 1), (7, 1, 1), (19456, 0, 1), (19456, 2, 0)] {
            assert!(PasswordHasher::new(memory, iterations, lanes).is_err());
        }
    }

    #[test]
    fn debug_shows_neither_password_nor_hash() {
        let secret = password("SecurePass123!").unwrap();
        let hash = PasswordHasher::new(8, 1, 1).unwrap().hash(&secret).unwrap();
        assert_eq!(format!("{secret:?} {hash:?}"), "Password(…) PasswordHash(…)");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_password_and_its_hash_are_wiped_when_dropped() {
        use crate::memory::Place;

        let secret = password(&"correct horse battery staple ".repeat(4)).unwrap();
        let hash = PasswordHasher::new(8, 1, 1).unwrap().hash(&secret).unwrap();
        let (place, place_of_hash) = (Place::of(&secret.0), Place::of(hash.as_str()));
        assert!(place.is_left() && place_of_hash.is_left());
        drop((secret, hash));
        assert!(!place.is_left());
        assert!(!place_of_hash.is_left());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_text_that_is_no_password_is_wiped() {
        use crate::memory::Place;

        let long = "x1".repeat(100);
        let place = Place::of(&long);
        assert!(Password::try_from(long).is_err());
        assert!(!place.is_left());
    }
}
