//! The settings about tokens.

use std::time::Duration;

use super::{
    AudienceClaim, ClaimNames, ClaimPath, OrganizationSource, RoleNames, SigningKeys, TokenRules, TokenType,
};
use crate::settings::SettingsReader;

/// How tokens are verified.
pub struct TokenSettings {
    /// What a token must be.
    pub rules: TokenRules,
    /// `SIGNING_KEYS`: an inline JWK Set. If it is absent, the keys are read from the table.
    pub signing_keys: Option<SigningKeys>,
    /// `SIGNING_KEYS_MAX_AGE_SECONDS`: how old the table's keys may be before they are read again; 300.
    pub signing_keys_max_age: Duration,
}

impl TokenSettings {
    /// Reads the settings. `None` if one is wrong.
    pub fn read(reader: &mut SettingsReader<'_>) -> Option<Self> {
        let issuer = reader.required("TOKEN_ISSUER");
        let audience = reader.required("TOKEN_AUDIENCE");
        let signing_keys = reader.optional("SIGNING_KEYS").and_then(|jwks| {
            SigningKeys::parse_inline(&jwks).map_err(|why| reader.report("SIGNING_KEYS", why)).ok()
        });
        let max_age = reader.number("SIGNING_KEYS_MAX_AGE_SECONDS", 300, 1, 86_400);
        let audience_claim = audience_claim(reader);
        let token_type = token_type(reader);
        let claim_names = claim_names(reader);
        let role_names = role_names(reader);
        Some(Self {
            rules: TokenRules {
                issuer: issuer?,
                audience: audience?,
                audience_claim,
                token_type,
                claim_names,
                role_names,
            },
            signing_keys,
            signing_keys_max_age: Duration::from_secs(max_age),
        })
    }
}

fn audience_claim(reader: &mut SettingsReader<'_>) -> AudienceClaim {
    match reader.optional("CLAIM_AUDIENCE").as_deref() {
        None | Some("aud") => AudienceClaim::Aud,
        Some("client_id") => AudienceClaim::ClientId,
        Some(_) => {
            reader.report("CLAIM_AUDIENCE", "must be aud or client_id");
            AudienceClaim::Aud
        }
    }
}

fn token_type(reader: &mut SettingsReader<'_>) -> Option<TokenType> {
    match (claim(reader, "CLAIM_TOKEN_TYPE"), reader.optional("TOKEN_TYPE")) {
        (Some(claim), Some(value)) => Some(TokenType { claim, value }),
        (None, None) => None,
        _ => {
            reader.report("CLAIM_TOKEN_TYPE and TOKEN_TYPE", "must be given together");
            None
        }
    }
}

fn claim_names(reader: &mut SettingsReader<'_>) -> ClaimNames {
    let default = ClaimNames::default();
    let user_id = claim(reader, "CLAIM_USER_ID");
    let organization_id = match (claim(reader, "CLAIM_ORGANIZATION_ID"), reader.optional("ORGANIZATION_ID")) {
        (None, None) => default.organization_id,
        (Some(claim), None) => OrganizationSource::Claims(vec![claim]),
        (None, Some(id)) => {
            let id = reader.parsed("ORGANIZATION_ID", &id);
            id.map_or(default.organization_id, OrganizationSource::Fixed)
        }
        (Some(_), Some(_)) => {
            reader.report("CLAIM_ORGANIZATION_ID and ORGANIZATION_ID", "must not both be given");
            default.organization_id
        }
    };
    // `CLAIM_USER_ID` disables lookup by e-mail unless `CLAIM_EMAIL` is also set.
    let default_email = if user_id.is_some() { Vec::new() } else { default.email };
    let or = |given: Option<ClaimPath>, default| given.map_or(default, |claim| vec![claim]);
    ClaimNames {
        organization_id,
        email: or(claim(reader, "CLAIM_EMAIL"), default_email),
        roles: or(claim(reader, "CLAIM_ROLES"), default.roles),
        user_id: or(user_id, default.user_id),
    }
}

fn claim(reader: &mut SettingsReader<'_>, name: &str) -> Option<ClaimPath> {
    let text = reader.optional(name)?;
    reader.parsed(name, &text)
}

fn role_names(reader: &mut SettingsReader<'_>) -> RoleNames {
    let names = RoleNames::new(reader.optional("ROLE_ADMIN"), reader.optional("ROLE_CUSTOMER"));
    names.unwrap_or_else(|why| {
        reader.report("ROLE_ADMIN and ROLE_CUSTOMER", why);
        RoleNames::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Policy;

    fn rules(extra: &[(&str, &str)]) -> Result<TokenRules, String> {
        let base = [("TOKEN_ISSUER", "i"), ("TOKEN_AUDIENCE", "a")];
        let variables = [&base, extra].concat();
        let mut reader = SettingsReader::new(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        let settings = TokenSettings::read(&mut reader);
        let settings = reader.finish(settings).map_err(|error| error.to_string())?;
        Ok(settings.rules)
    }

    fn spelled(paths: &[ClaimPath]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn claims_are_settings() {
        let usual = rules(&[("CLAIM_USER_ID", " "), ("CLAIM_AUDIENCE", "aud")]).unwrap();
        assert_eq!(spelled(&usual.claim_names.user_id), ["sub", "UserId"]);
        assert_eq!(spelled(&usual.claim_names.email), ["email", "Email"]);
        assert_eq!(usual.audience_claim, AudienceClaim::Aud);
        assert_eq!(usual.role_names, RoleNames::default());
        assert!(usual.token_type.is_none());

        let other = rules(&[
            ("CLAIM_USER_ID", "uid"),
            ("CLAIM_ROLES", "/access/*/key"),
            ("CLAIM_AUDIENCE", "client_id"),
            ("CLAIM_TOKEN_TYPE", "typ"),
            ("TOKEN_TYPE", "Bearer"),
            ("ROLE_ADMIN", "users admins"),
        ]);
        let other = other.unwrap();
        assert_eq!(spelled(&other.claim_names.user_id), ["uid"]);
        assert_eq!(spelled(&other.claim_names.roles), ["/access/*/key"]);
        assert_eq!(other.audience_claim, AudienceClaim::ClientId);
        assert_eq!(other.token_type.unwrap().value, "Bearer");
        assert_eq!(other.role_names.of(Policy::Admin), "users admins");
        assert_eq!(other.role_names.of(Policy::Customer), "Customer");
    }

    #[test]
    fn claim_user_id_without_claim_email_ends_the_look_up_by_email() {
        let email = |settings: &[(&str, &str)]| spelled(&rules(settings).unwrap().claim_names.email);
        assert!(email(&[("CLAIM_USER_ID", "uid")]).is_empty());
        assert!(email(&[("CLAIM_USER_ID", "sub")]).is_empty());
        assert_eq!(email(&[("CLAIM_USER_ID", "uid"), ("CLAIM_EMAIL", "mail")]), ["mail"]);
        assert_eq!(email(&[("CLAIM_EMAIL", "mail")]), ["mail"]);
    }

    #[test]
    fn reports_wrong_token_settings() {
        let both_wrong = [
            ("CLAIM_AUDIENCE", "azp"),
            ("CLAIM_TOKEN_TYPE", "typ"),
            ("CLAIM_USER_ID", "/a//b"),
            ("CLAIM_ORGANIZATION_ID", "tid"),
            ("ORGANIZATION_ID", "org_1"),
            ("CLAIM_EMAIL", "/a~2"),
            ("CLAIM_ROLES", "/*/key"),
            ("ROLE_ADMIN", "users"),
            ("ROLE_CUSTOMER", "users"),
        ];
        assert_eq!(
            rules(&both_wrong).unwrap_err(),
            "wrong settings: CLAIM_AUDIENCE must be aud or client_id; CLAIM_TOKEN_TYPE and TOKEN_TYPE must be \
             given together; CLAIM_USER_ID must not have an empty step; CLAIM_ORGANIZATION_ID and ORGANIZATION_ID \
             must not both be given; CLAIM_EMAIL must have ~ only as ~0 and ~1 (RFC 6901); CLAIM_ROLES must begin \
             with a name, not with *; ROLE_ADMIN and ROLE_CUSTOMER must differ"
        );
        for (settings, why) in [
            (&[("TOKEN_TYPE", "access")] as &[_], "CLAIM_TOKEN_TYPE and TOKEN_TYPE must be given together"),
            (
                &[("ORGANIZATION_ID", "a b")],
                "ORGANIZATION_ID must be printable ASCII without white space or #",
            ),
            (&[("ROLE_CUSTOMER", "Admin")], "ROLE_ADMIN and ROLE_CUSTOMER must differ"),
            (&[("CLAIM_AUDIENCE", "Aud")], "CLAIM_AUDIENCE must be aud or client_id"),
        ] {
            assert_eq!(rules(settings).unwrap_err(), format!("wrong settings: {why}"));
        }
    }
}
