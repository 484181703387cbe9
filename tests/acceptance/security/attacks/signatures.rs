//! Signatures that are not the key's own.

use super::{Attack, Keys, Stage};
use crate::harness::key_pairs::{KeyPair, base64url, every_algorithm};

/// The order of P-256's group (FIPS 186-4, D.1.2.3).
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The order of P-384's group (FIPS 186-4, D.1.2.4).
const P384_ORDER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
                          581a0db248b0a77aecec196accc52973";
/// The order of Ed25519's group (RFC 8032, section 5.1), little-endian.
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> =
        digits.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// a − b of big-endian numbers of one size, a being the larger.
fn difference(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = false;
    let mut bytes: Vec<_> = a
        .iter()
        .zip(b)
        .rev()
        .map(|(a, b)| {
            let (first, one) = a.overflowing_sub(*b);
            let (second, two) = first.overflowing_sub(borrow.into());
            borrow = one || two;
            second
        })
        .collect();
    bytes.reverse();
    bytes
}

/// a + b of little-endian numbers of one size, without what exceeds it.
fn sum(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            let sum = u16::from(*a) + u16::from(*b) + carry;
            carry = sum >> 8;
            sum.to_le_bytes()[0]
        })
        .collect()
}

/// An ECDSA signature as X.509 has it: a sequence of two integers, DER.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let significant: Vec<_> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if significant.first().is_none_or(|byte| *byte >= 0x80) { vec![0] } else { vec![] };
        let bytes = [sign, significant].concat();
        [vec![2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let integers = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(integers.len()).unwrap()], integers].concat()
}

/// What a key signs for a role, and its signature.
struct Signed<'a> {
    algorithm: &'static str,
    message: String,
    signature: Vec<u8>,
    key: &'a dyn KeyPair,
}

impl Signed<'_> {
    fn by<'a>(key: &'a dyn KeyPair, stage: &Stage, role: &str) -> Signed<'a> {
        let message = [key.header(), stage.payload(role)].map(|part| base64url(part.to_string())).join(".");
        let signature = key.sign(message.as_bytes());
        Signed { algorithm: key.algorithm(), message, signature, key }
    }

    fn with(&self, signature: &[u8]) -> String {
        format!("{}.{}", self.message, base64url(signature))
    }

    fn keys(&self) -> Keys {
        if self.algorithm == "HS256" { Keys::InlineSecret } else { Keys::Stored }
    }

    fn refused(&self, name: &str, signature: &[u8]) -> Attack {
        let name = format!("{}: {name}", self.algorithm);
        Attack::refused(name, [self.with(signature)]).with_keys(self.keys())
    }
}

pub fn wrong(stage: &Stage, role: &str) -> Vec<Attack> {
    let strangers = every_algorithm();
    let mut rows = Vec::new();
    for key in &stage.keys {
        let signed = Signed::by(key.as_ref(), stage, role);
        let Signed { signature, .. } = &signed;
        let size = signature.len();
        let good = Attack::accepted(
            format!("{}: its own signature", signed.algorithm),
            "it is the key's",
            signed.with(signature),
        );
        rows.push(good.with_keys(signed.keys()));
        for (name, signature) in [
            ("empty", vec![]),
            ("its first byte", signature[..1].to_vec()),
            ("its first half", signature[..size / 2].to_vec()),
            ("a byte short at the end", signature[..size - 1].to_vec()),
            ("a byte short at the beginning", signature[1..].to_vec()),
            ("a zero behind it", [signature, [0].as_slice()].concat()),
            ("a zero before it", [[0].as_slice(), signature].concat()),
            ("doubled", signature.repeat(2)),
            ("reversed", signature.iter().rev().copied().collect()),
            ("halves exchanged", [&signature[size / 2..], &signature[..size / 2]].concat()),
            ("zeros", vec![0; size]),
            ("ones", vec![0xff; size]),
            ("in base64url twice", base64url(signature).into_bytes()),
            ("of an empty message", key.sign(b"")),
            ("of the header alone", key.sign(signed.message.split('.').next().unwrap().as_bytes())),
            ("of the message with its dot", key.sign(format!("{}.", signed.message).as_bytes())),
        ] {
            rows.push(signed.refused(name, &signature));
        }
        // The RSA pairs are all one key.
        if let Some(stranger) = strangers
            .iter()
            .find(|other| other.algorithm() == signed.algorithm && other.public_key() != key.public_key())
        {
            rows.push(signed.refused("a stranger's", &stranger.sign(signed.message.as_bytes())));
        }
        rows.extend(match signed.algorithm {
            "ES256" => ecdsa(&signed, &hex(P256_ORDER)),
            "ES384" => ecdsa(&signed, &hex(P384_ORDER)),
            "EdDSA" => ed25519(&signed),
            "HS256" => hmac(&signed),
            _ => rsa(&signed, stage),
        });
    }
    rows
}

fn ecdsa(signed: &Signed, order: &[u8]) -> Vec<Attack> {
    let size = order.len();
    let (r, s) = signed.signature.split_at(size);
    let zero = vec![0; size];
    let one = [vec![0; size - 1], vec![1]].concat();
    let mut rows: Vec<_> = [
        ("r = s = 0", &zero[..], &zero[..]),
        ("r = 0", &zero, s),
        ("s = 0", r, &zero),
        ("r = s = 1", &one, &one),
        ("r = s = n", order, order),
        ("r = 0, s = n", &zero, order),
        ("r = n", order, s),
        ("s = n", r, order),
    ]
    .into_iter()
    .map(|(name, r, s)| signed.refused(name, &[r, s].concat()))
    .collect();
    rows.push(signed.refused("DER", &der(&signed.signature)));
    rows.push(signed.refused("DER of r = s = 0", &der(&[&zero[..], &zero].concat())));
    let wider: Vec<_> = [r, s].iter().flat_map(|half| [&[0; 16], *half].concat()).collect();
    rows.push(signed.refused("numbers of the next size", &wider));
    let higher = difference(order, s).max(s.to_vec());
    rows.push(
        Attack::accepted(
            format!("{}: the higher s", signed.algorithm),
            "it is as valid as the lower one (RFC 7518, section 3.4, asks for neither), and nothing is keyed on a \
             signature",
            signed.with(&[r, &higher].concat()),
        )
        .with_keys(signed.keys()),
    );
    rows
}

fn ed25519(signed: &Signed) -> Vec<Attack> {
    let (r, s) = signed.signature.split_at(32);
    let neutral = [vec![1], vec![0; 31]].concat();
    vec![
        signed.refused("S + L", &[r, &sum(s, &hex(ED25519_ORDER))].concat()),
        signed.refused("S = L", &[r, &hex(ED25519_ORDER)].concat()),
        signed.refused("S = 0", &[r, &[0; 32]].concat()),
        signed.refused("R neutral, S = 0", &[&neutral[..], &[0; 32]].concat()),
        signed.refused("R neutral", &[&neutral, s].concat()),
    ]
}

fn hmac(signed: &Signed) -> Vec<Attack> {
    let tag = &signed.signature;
    vec![
        signed.refused("half its tag, then zeros", &[&tag[..16], &[0; 16]].concat()),
        signed.refused("all but its last byte right", &[&tag[..31], &[!tag[31]]].concat()),
    ]
}

fn rsa(signed: &Signed, stage: &Stage) -> Vec<Attack> {
    let size = signed.signature.len();
    let one = [vec![0; size - 1], vec![1]].concat();
    // PKCS #1: a sequence (4 bytes) of the modulus (4 bytes and a zero before it) and the exponent.
    let modulus = &signed.key.public_key()[9..9 + size];
    let mut rows = vec![
        signed.refused("1", &one),
        signed.refused("n", modulus),
        signed.refused("n − 1", &difference(modulus, &one)),
        signed.refused("n − s", &difference(modulus, &signed.signature)),
    ];
    for other in stage.keys.iter().filter(|other| other.public_key() == signed.key.public_key()) {
        if other.algorithm() != signed.algorithm {
            let name = format!("as {} signs", other.algorithm());
            rows.push(signed.refused(&name, &other.sign(signed.message.as_bytes())));
        }
    }
    rows
}

/// Every byte of a signature with one bit changed, another bit in each of eight neighbours.
pub fn flipped(stage: &Stage, role: &str) -> Vec<Attack> {
    let row = |key: &dyn KeyPair| {
        let signed = Signed::by(key, stage, role);
        let tokens = (0..signed.signature.len()).map(|byte| {
            let mut signature = signed.signature.clone();
            signature[byte] ^= 1 << (byte % 8);
            signed.with(&signature)
        });
        Attack::refused(format!("{}, each byte", signed.algorithm), tokens).with_keys(signed.keys())
    };
    stage.keys.iter().map(|key| row(key.as_ref())).collect()
}
