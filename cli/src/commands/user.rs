//! `users user`

use clap::{Args, Subcommand};
use serde::Serialize;
use shared::model::{Email, User, UserId};

use super::{Failure, Output, TableArguments, parse};

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Shows a user
    #[command(after_help = "Example:\n  users user get --email jane@example.com")]
    Get {
        #[command(flatten)]
        which: WhichUser,
        #[command(flatten)]
        table: TableArguments,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct WhichUser {
    /// The user's id
    #[arg(long, value_parser = parse::<UserId>)]
    id: Option<UserId>,
    /// The user's e-mail address
    #[arg(long, value_parser = parse::<Email>)]
    email: Option<Email>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    user_id: String,
    first_name: String,
    last_name: String,
    email: String,
    preferred_email: Option<String>,
    phone_number: Option<String>,
    organization_ids: Vec<String>,
}

pub(super) async fn run(command: UserCommand, output: Output) -> Result<(), Failure> {
    let UserCommand::Get { which, table } = command;
    let table = table.open().await?;
    let missing = || Failure::refused("there is no such user");
    let id = match which {
        WhichUser { id: Some(id), .. } => id,
        WhichUser { email: Some(email), .. } => table.user_id_of(&email).await?.ok_or_else(missing)?,
        WhichUser { .. } => return Err(missing()),
    };
    let (user, organization_ids) = tokio::try_join!(table.user(&id), table.organization_ids_of(&id))?;
    let User { id, first_name, last_name, email, preferred_email, phone_number } =
        user.ok_or_else(missing)?;
    let view = View {
        user_id: id.to_string(),
        first_name: first_name.to_string(),
        last_name: last_name.to_string(),
        email: email.to_string(),
        preferred_email: preferred_email.map(|email| email.to_string()),
        phone_number: phone_number.map(|number| number.to_string()),
        organization_ids: organization_ids.iter().flatten().map(ToString::to_string).collect(),
    };
    output.record(&view)
}
