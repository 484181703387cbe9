//! `users delete`

use clap::Args;
use operator::table::{DeleteOutcome, PersonalData, Traces};
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

/// What the table holds of the person.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Held {
    #[serde(flatten)]
    view: View,
    /// How many more items there are that cannot be read.
    unreadable: usize,
}

/// What was deleted.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    #[serde(flatten)]
    held: Held,
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
    let data = match table.readable_personal_data(&id).await? {
        Some(data) => data,
        // A deletion may have been interrupted after the account and before what others' items say of it.
        None if which.email().is_none() => PersonalData::new(id.clone()),
        None => return Err(no_such_user()),
    };
    let is_there = !data.is_nothing();
    let mut of_no_kind = !data.of_no_kind.is_empty();
    let held = Held { unreadable: data.unreadable.len(), view: View::new(data) };
    if !yes {
        if !question::can_be_asked(output) {
            return Err(Failure::refused("nothing is deleted without a terminal to ask on: --yes deletes"));
        }
        output.record(&held)?;
        if !question::agreed(&format!("Delete all of this from the table {}?", table.name())) {
            return Err(Failure::refused("nothing is deleted"));
        }
    }
    match table.delete_personal_data(&id, which.email()).await? {
        DeleteOutcome::Nothing if is_there => {
            return Err(Failure::refused("there is no such user any more"));
        }
        DeleteOutcome::Deleted | DeleteOutcome::Nothing => {}
        // What was shown and agreed to is another account's than the address is now.
        DeleteOutcome::AddressMoved => {
            return Err(Failure::refused(
                "the e-mail address is not that account's any more: nothing is deleted",
            ));
        }
    }
    let traces = table.delete_traces(&id).await?;
    if !is_there && traces.replaced == 0 && traces.claims == 0 {
        return Err(no_such_user());
    }
    let Traces { replaced: replaced_in, claims: _, of_no_kind: others } = traces;
    of_no_kind |= others > 0;
    if yes {
        output.record(&Deleted { held, replaced_in })?;
    } else {
        output.record(&Replaced { replaced_in })?;
    }
    if of_no_kind {
        output.warn(
            "items that this program does not know name the person too, and stay: `users doctor --scan` shows their keys",
        );
    }
    if !output.json {
        tell(&Line::from(
            "Deleted. Delete the identity at the identity provider too: its token still signs in.",
        ));
    }
    Ok(())
}
