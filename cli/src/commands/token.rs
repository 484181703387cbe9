//! `users token`

use shared::clock::Clock;

use super::{Failure, Token, output};
use crate::local::{SigningKey, TokenClaims};

pub(super) fn run(arguments: &Token) -> Result<(), Failure> {
    let key = SigningKey::kept_in(&arguments.data_dir).map_err(Failure::new)?;
    let claims = TokenClaims {
        user_id: arguments.user.to_string(),
        organization_id: arguments.organization.to_string(),
        roles: arguments.role.clone(),
        email: arguments.email.clone(),
        expires_in: Some(arguments.expires_in),
    };
    output::print(&key.token(&claims, Clock::system().now()))
}
