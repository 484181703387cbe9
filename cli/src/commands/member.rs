//! `users member`

use clap::{Args, Subcommand};
use operator::table::LeaveOutcome;
use serde::Serialize;
use shared::clock::Clock;
use shared::model::{Email, OrganizationId, UserId};
use shared::table::{JoinOutcome, NewMembership};

use super::user::{WhichUser, no_such_user};
use super::{Failure, OPERATOR, Output, TableArguments, parse};

#[derive(Subcommand)]
pub(super) enum MemberCommand {
    /// Adds a user to an organization; an existing membership stays as it is
    #[command(after_help = "Example:\n  users member add --email jane@example.com --organization org_1")]
    Add(Membership),
    /// Removes a user from an organization; the account and its customer account there stay
    #[command(after_help = "Example:\n  users member remove --email jane@example.com --organization org_1")]
    Remove(Membership),
}

#[derive(Args)]
pub(super) struct Membership {
    #[command(flatten)]
    which: WhichUser,
    /// The organization's id
    #[arg(long, value_parser = parse::<OrganizationId>)]
    organization: OrganizationId,
    #[command(flatten)]
    table: TableArguments,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    user_id: String,
    organization_id: String,
    is_member: bool,
}

impl View {
    fn new(user: &UserId, organization: &OrganizationId, is_member: bool) -> Self {
        Self { user_id: user.to_string(), organization_id: organization.to_string(), is_member }
    }
}

pub(super) async fn run(command: MemberCommand, output: Output) -> Result<(), Failure> {
    match command {
        MemberCommand::Add(Membership { which, organization, table }) => {
            let table = table.open().await?;
            let membership = NewMembership {
                organization_id: organization.clone(),
                added_by: OPERATOR
                    .parse()
                    .map_err(|why| Failure::refused(format!("the operator's id {why}")))?,
                joined_at: Clock::system().now(),
            };
            let join = async |user: &UserId, found_by: Option<&Email>| match table
                .join(user, found_by, &membership)
                .await?
            {
                JoinOutcome::Member(user) => Ok(Some(user.id)),
                JoinOutcome::AddressMoved => Ok(None),
                JoinOutcome::OrganizationMissing => Err(Failure::refused(format!(
                    "there is no organization {organization}: `users organization put` makes it"
                ))),
                JoinOutcome::UserMissing => Err(no_such_user()),
            };
            let user = which.write(&table, join).await?;
            output.record(&View::new(&user, &organization, true))
        }
        MemberCommand::Remove(Membership { which, organization, table }) => {
            let table = table.open().await?;
            let leave = async |user: &UserId, found_by: Option<&Email>| match table
                .leave(user, found_by, &organization)
                .await?
            {
                LeaveOutcome::Left => Ok(Some(user.clone())),
                LeaveOutcome::AddressMoved => Ok(None),
                LeaveOutcome::NotMember => {
                    Err(Failure::refused(format!("{user} is not a member of {organization}")))
                }
            };
            let user = which.write(&table, leave).await?;
            output.record(&View::new(&user, &organization, false))
        }
    }
}
