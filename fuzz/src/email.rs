use icu_normalizer::DecomposingNormalizerBorrowed;
use shared::model::Email;

/// An address is kept as given; it has one normalized form, which is an address with that very form;
/// and however a person may spell it, it stays one account.
pub fn email(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(email) = text.parse::<Email>() else { return };

    assert_eq!(email.as_str(), text.trim());
    assert_eq!(email.to_string(), email.as_str());
    assert!(email.as_str().len() <= 254);
    assert!(!email.as_str().contains(char::is_control));
    let (local, domain) = email.as_str().rsplit_once('@').expect("an address has an @");
    assert!(!local.is_empty() && domain.contains(['.', '。', '．', '｡']), "{local:?} {domain:?}");
    if !local.starts_with('"') {
        assert!(!local.contains(|c: char| c.is_whitespace() || "()<>[]:;@\\,\"".contains(c)), "{local:?}");
    }

    let normalized = email.normalized();
    let again: Email = email.as_str().parse().expect("what is kept is an address");
    assert_eq!(again.normalized(), normalized);
    // A partition key has at most 2048 bytes (DynamoDB Developer Guide, "Quotas").
    assert!("EMAIL#".len() + normalized.as_str().len() <= 2048);
    match normalized.as_str().parse::<Email>() {
        Ok(twice) => assert_eq!(twice.normalized().as_str(), normalized.as_str()),
        // Lower case, NFC and punycode may have more octets than what was given.
        Err(why) => assert!(is_too_long(normalized.as_str()), "{why}: {normalized:?}"),
    }

    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(local).into_owned();
    for spelling in [
        format!(" {local}@{domain}\u{a0}\n"),
        format!("{}@{domain}", local.to_lowercase()),
        format!("{local}@{}", domain.to_ascii_uppercase()),
        format!("{decomposed}@{domain}"),
        format!("{}@{domain}", local.to_ascii_uppercase()),
    ] {
        // It may be one octet too long.
        if let Ok(other) = spelling.parse::<Email>() {
            assert_eq!(other.normalized().as_str(), normalized.as_str(), "{spelling:?}");
        }
    }
}

/// Whether an address has more octets than it may (RFC 5321, section 4.5.3.1, and erratum 1690).
fn is_too_long(address: &str) -> bool {
    let (local, _) = address.rsplit_once('@').expect("an address has an @");
    local.len() > 64 || address.len() > 254
}
