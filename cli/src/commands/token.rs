//! `users token`

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use shared::clock::Clock;
use shared::model::{OrganizationId, UserId};

use super::{DATA_DIR_VARIABLE, Failure, Output, parse, print_exactly, running_system, variable};
use crate::local::{self, SigningKey, TokenClaims};

#[derive(Args)]
pub(super) struct Token {
    /// The user's id
    #[arg(long, value_parser = parse::<UserId>, default_value = local::JANE)]
    user: UserId,
    /// The id of the organization that the token is for
    #[arg(long, value_parser = parse::<OrganizationId>, default_value = local::ACME)]
    organization: OrganizationId,
    /// The roles: Admin, Customer, SalesRep
    #[arg(long, num_args = 1.., default_values = ["Admin", "Customer"])]
    role: Vec<String>,
    /// The user's e-mail address
    #[arg(long)]
    email: Option<String>,
    /// Seconds until the token expires; negative for an expired one
    #[arg(long, default_value_t = 86_400, allow_negative_numbers = true)]
    expires_in: i64,
    /// The API's port of the local system; without it, the system that started last
    #[arg(long, conflicts_with = "data_dir")]
    port: Option<u16>,
    /// A directory with a signing key, in place of a running system's [env: USERS_DATA_DIR]
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    access_token: String,
}

pub(super) fn run(arguments: Token, output: Output) -> Result<(), Failure> {
    let Token { user, organization, role: roles, email, expires_in, port, data_dir } = arguments;
    let from_variable = || if port.is_none() { variable(DATA_DIR_VARIABLE).map(PathBuf::from) } else { None };
    let key = match data_dir.or_else(from_variable) {
        Some(data_dir) => SigningKey::read_from(&data_dir),
        None => running_system::find(port, output)?.signing_key(),
    };
    let key = key.map_err(Failure::refused)?;
    let known = local::roles();
    for role in roles.iter().filter(|role| !known.contains(role)) {
        output.warn(&format!("{role} is not a role: the roles are {}", known.join(", ")));
    }
    let claims = TokenClaims {
        user_id: user.to_string(),
        organization_id: organization.to_string(),
        roles,
        email,
        expires_in: Some(expires_in),
    };
    let access_token = key.token(&claims, Clock::system().now());
    if output.json {
        return output.record(&View { access_token });
    }
    print_exactly(&access_token)
}
