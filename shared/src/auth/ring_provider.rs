//! Signature verification for `jsonwebtoken` by *ring*, the library that also does our TLS.
//!
//! `jsonwebtoken` brings providers for aws-lc and for `RustCrypto`. The first gathers entropy for
//! 24 to 50 ms when a process starts, the second has an RSA that is open to a timing attack
//! (RUSTSEC-2023-0071); either would be a second set of primitives in every binary.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error as SignatureError, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::{hmac, signature};

/// Installs *ring* as the provider of this process. Calling it again changes nothing.
pub(super) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        verifier_factory: |algorithm, key| {
            Ok(Box::new(RingVerifier { algorithm: *algorithm, key: key.clone() }) as Box<dyn JwtVerifier>)
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // An error means that it is installed already.
    let _ = PROVIDER.install_default();
}

struct RingVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        self.check(message, signature).map_err(|_| SignatureError::new())
    }
}

impl RingVerifier {
    fn check(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let verified = match self.algorithm {
            // The only code that handles a secret. *ring* compares in constant time. Earlier exits depend on the
            // token's own form and length, or on ids and algorithms, which are no secrets.
            Algorithm::HS256 => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.try_get_as_bytes()?);
                hmac::verify(&key, message, signature).is_ok()
            }
            Algorithm::RS256 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature),
            Algorithm::RS384 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA384, message, signature),
            Algorithm::RS512 => self.rsa(&signature::RSA_PKCS1_2048_8192_SHA512, message, signature),
            Algorithm::PS256 => self.rsa(&signature::RSA_PSS_2048_8192_SHA256, message, signature),
            Algorithm::PS384 => self.rsa(&signature::RSA_PSS_2048_8192_SHA384, message, signature),
            Algorithm::PS512 => self.rsa(&signature::RSA_PSS_2048_8192_SHA512, message, signature),
            Algorithm::ES256 => self.unparsed(&signature::ECDSA_P256_SHA256_FIXED, message, signature)?,
            Algorithm::ES384 => self.unparsed(&signature::ECDSA_P384_SHA384_FIXED, message, signature)?,
            Algorithm::EdDSA => self.unparsed(&signature::ED25519, message, signature)?,
            _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
        };
        if verified { Ok(()) } else { Err(ErrorKind::InvalidSignature.into()) }
    }

    fn rsa(&self, parameters: &'static signature::RsaParameters, message: &[u8], signature: &[u8]) -> bool {
        match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                signature::RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            DecodingKeyKind::SecretOrDer(_) => false,
        }
    }

    fn unparsed(
        &self,
        algorithm: &'static dyn signature::VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        let key = signature::UnparsedPublicKey::new(algorithm, self.key.try_get_as_bytes()?);
        Ok(key.verify(message, signature).is_ok())
    }
}
