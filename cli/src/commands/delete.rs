//! `users delete`

use clap::Args;
use operator::table::{DeleteOutcome, PersonalData};
use serde::Serialize;

use super::user::{View, WhichUser, no_such_user};
use super::{Failure, Line, Output, TableArguments, question, tell};

#[derive(Args)]
pub(super) struct Delete {
    #[command(flatten)]
    which: WhichUser,
    /// Delete without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    table: TableArguments,
}

/// What was deleted.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    #[serde(flatten)]
    view: View,
    /// How many items of others named the person as the one who added or created them.
    replaced_in: u64,
}

/// What is said after a deletion that was shown before.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Replaced {
    replaced_in: u64,
}

pub(super) async fn run(arguments: Delete, output: Output) -> Result<(), Failure> {
    let Delete { which, yes, table } = arguments;
    let table = table.open().await?;
    let id = which.id(&table).await?;
    let data = match table.personal_data(&id).await? {
        Some(data) => data,
        // A deletion may have been interrupted after the account and before what others' items say of it.
        None if which.email().is_none() => PersonalData::new(id.clone()),
        None => return Err(no_such_user()),
    };
    let is_there = !data.is_nothing();
    let view = View::new(data);
    if !yes {
        if !question::can_be_asked(output) {
            return Err(Failure::refused("nothing is deleted without a terminal to ask on: --yes deletes"));
        }
        output.record(&view)?;
        if !question::agreed(&format!("Delete all of this from the table {}?", table.name())) {
            return Err(Failure::refused("nothing is deleted"));
        }
    }
    match table.delete_personal_data(&id, which.email()).await? {
        DeleteOutcome::Nothing if is_there => return Err(Failure::refused("there is no such user any more")),
        DeleteOutcome::Deleted | DeleteOutcome::Nothing => {}
        // What was shown and agreed to is another account's than the address is now.
        DeleteOutcome::AddressMoved => {
            return Err(Failure::refused(
                "the e-mail address is not that account's any more: nothing is deleted",
            ));
        }
    }
    let replaced_in = table.forget_author(&id).await?;
    if !is_there && replaced_in == 0 {
        return Err(no_such_user());
    }
    if yes {
        output.record(&Deleted { view, replaced_in })?;
    } else {
        output.record(&Replaced { replaced_in })?;
    }
    if !output.json {
        tell(&Line::from(
            "Deleted. Delete the identity at the identity provider too: its token still signs in.",
        ));
    }
    Ok(())
}
