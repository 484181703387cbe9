//! `users token`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use shared::clock::Clock;
use shared::model::{OrganizationId, UserId};

use super::{DATA_DIR, Failure, Output, parse, print};
use crate::local::{SigningKey, TokenClaims};

#[derive(Args)]
pub(super) struct Token {
    /// The user's id
    #[arg(long, value_parser = parse::<UserId>)]
    user: UserId,
    /// The id of the organization that the token is for
    #[arg(long, value_parser = parse::<OrganizationId>)]
    organization: OrganizationId,
    /// The roles: Admin, Customer, SalesRep
    #[arg(long, required = true, num_args = 1..)]
    role: Vec<String>,
    /// The user's e-mail address
    #[arg(long)]
    email: Option<String>,
    /// Seconds until the token expires; negative for one that has
    #[arg(long, default_value_t = 86_400, allow_negative_numbers = true)]
    expires_in: i64,
    /// Where the local system keeps its signing key
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    access_token: String,
}

pub(super) fn run(arguments: &Token, output: Output) -> Result<(), Failure> {
    let key = SigningKey::kept_in(&arguments.data_dir).map_err(Failure::refused)?;
    let claims = TokenClaims {
        user_id: arguments.user.to_string(),
        organization_id: arguments.organization.to_string(),
        roles: arguments.role.clone(),
        email: arguments.email.clone(),
        expires_in: Some(arguments.expires_in),
    };
    let access_token = key.token(&claims, Clock::system().now());
    if output.json {
        return output.record(&View { access_token });
    }
    print(&access_token)
}
