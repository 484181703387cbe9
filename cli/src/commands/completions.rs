//! `users completions`

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde::Serialize;

use super::{Arguments, Failure, Output, print_exactly};

#[derive(Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    shell: String,
    script: String,
}

pub(super) fn run(arguments: &Completions, output: Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "users", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if output.json {
        return output.record(&View { shell: arguments.shell.to_string(), script });
    }
    print_exactly(script.trim_end())
}
