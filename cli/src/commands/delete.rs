//! `users delete`

use clap::Args;
use operator::table::DeleteOutcome;

use super::user::{View, WhichUser};
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

pub(super) async fn run(arguments: Delete, output: Output) -> Result<(), Failure> {
    let Delete { which, yes, table } = arguments;
    let table = table.open().await?;
    let id = which.id(&table).await?;
    let data = table.personal_data(&id).await?.ok_or_else(|| Failure::refused("there is no such user"))?;
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
        DeleteOutcome::Deleted => {}
        DeleteOutcome::Nothing => return Err(Failure::refused("there is no such user any more")),
        // What was shown and agreed to is another account's than the address is now.
        DeleteOutcome::AddressMoved => {
            return Err(Failure::refused(
                "the e-mail address is not that account's any more: nothing is deleted",
            ));
        }
    }
    if yes {
        output.record(&view)?;
    }
    if !output.json {
        tell(&Line::from(
            "Deleted. Delete the identity at the identity provider too: its token still signs in.",
        ));
    }
    Ok(())
}
