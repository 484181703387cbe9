//! `users examples`

use clap::Args;
use serde::Serialize;
use shared::clock::Clock;

use super::{Failure, Line, Output, print, running_system};
use crate::local;

#[derive(Args)]
pub(super) struct Examples {
    /// The API's port of the local system; without it, the system that started last
    #[arg(long)]
    port: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    title: String,
    command: String,
}

pub(super) fn run(arguments: &Examples, output: Output) -> Result<(), Failure> {
    let system = running_system::find(arguments.port, output)?;
    let signing_key = system.signing_key().map_err(Failure::refused)?;
    let examples = local::examples(&system.api, &signing_key, Clock::system().now());
    if output.json {
        let views = examples.into_iter().map(|local::Example { title, command }| View { title, command });
        return output.records(&views.collect::<Vec<_>>(), &[]);
    }
    let dim = anstyle::Style::new().dimmed();
    let examples = examples.into_iter().map(|local::Example { title, command }| {
        [Line::default().styled(dim, &format!("# {title}")), Line::from(command)]
    });
    print(examples.collect::<Vec<_>>().join(&Line::default()))
}
