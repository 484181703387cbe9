//! The commands: one module each, with its arguments and its work.

mod completions;
mod customer;
mod delete;
mod doctor;
mod examples;
mod export;
mod failure;
mod health;
mod import;
mod man;
mod member;
mod organization;
mod output;
mod progress;
mod question;
mod running_system;
mod serve;
mod table;
mod table_arguments;
#[cfg(test)]
mod tests;
mod token;
mod user;

use std::process::ExitCode;
use std::str::FromStr;

use clap::{Parser, Subcommand};
use operator::table::OPERATOR;

use failure::Failure;
use output::{Line, Output, ask, escaped, print, print_exactly, tell};
use table_arguments::TableArguments;

/// The default port of the DynamoDB API.
const DYNAMODB_PORT: u16 = 8000;
/// The default directory of the local system.
const DATA_DIR: &str = ".users";
/// The variables that stand for --data-dir, --endpoint-url and --table.
const DATA_DIR_VARIABLE: &str = "USERS_DATA_DIR";
const ENDPOINT_URL_VARIABLE: &str = "USERS_ENDPOINT_URL";
const TABLE_VARIABLE: &str = "USERS_TABLE";
/// What the exit statuses mean.
const EXIT_STATUS: &str =
    "0 done; 1 not found, refused or not right; 2 wrong usage; 3 the table cannot be used now.";

/// Users and memberships: runs the whole service on a laptop, and manages a table.
#[derive(Parser)]
#[command(
    name = "users",
    version,
    after_help = format!("Without a command, `users` runs `serve`.\n\nExamples:\n  users\n  users token --help\n  users organization list --json\n\n\
                          Exit status: {EXIT_STATUS}")
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print JSON, errors included
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole service: the API and a DynamoDB of its own
    #[command(after_help = "Example:\n  users serve --port 8080 --memory")]
    Serve(serve::Serve),
    /// Prints an access token for the local system
    #[command(
        after_help = "Example:\n  users token\n  users token --user kp_abc123def456 --role Admin \\\n      --organization 6d24ab9faf9e034e881fcd97"
    )]
    Token(token::Token),
    /// Prints a command for each endpoint of the local system
    #[command(after_help = "Example:\n  users examples")]
    Examples(examples::Examples),
    /// Creates or describes the table
    #[command(subcommand, after_help = "Example:\n  users table create --region eu-central-1")]
    Table(table::TableCommand),
    /// Writes, shows and lists organizations
    #[command(
        subcommand,
        after_help = "Example:\n  users organization put --id org_1 --name 'Acme Corp' --slug acme-corp"
    )]
    Organization(organization::OrganizationCommand),
    /// Shows and changes users
    #[command(subcommand, after_help = "Example:\n  users user get --email jane@example.com")]
    User(user::UserCommand),
    /// Adds users to organizations and removes them
    #[command(
        subcommand,
        after_help = "Example:\n  users member add --email jane@example.com --organization org_1"
    )]
    Member(member::MemberCommand),
    /// Links users with customer accounts
    #[command(
        subcommand,
        after_help = "Example:\n  users customer associate --user kp_1 --organization org_1 --number C-10042"
    )]
    Customer(customer::CustomerCommand),
    /// Deletes all of a person's data from the table, after a question
    #[command(after_help = "Example:\n  users delete --email jane@example.com")]
    Delete(delete::Delete),
    /// Imports users from a file; after an interruption the same command continues
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(import::Import),
    /// Writes all organizations and users to a file that `import` reads
    #[command(
        after_help = "Example:\n  users export users.jsonl\n  users export users.csv --region eu-central-1"
    )]
    Export(export::Export),
    /// Checks an installation, and says why a token is refused
    #[command(
        after_help = "Example:\n  users doctor --scan\n  users doctor --token-file token.txt\n  users doctor --user kp_abc123def456\n  users doctor --settings settings.json --table users-prod --region us-east-1"
    )]
    Doctor(doctor::Doctor),
    /// Checks the health of a local system on this machine, for a container
    #[command(after_help = "Example:\n  users health --port 3000")]
    Health(health::Health),
    /// Prints the completions of `users` for a shell
    #[command(
        after_help = "Example:\n  users completions bash > ~/.local/share/bash-completion/completions/users"
    )]
    Completions(completions::Completions),
    /// Prints the manual page, or writes one for each command
    #[command(after_help = "Example:\n  users man --out ~/.local/share/man/man1")]
    Man(man::Man),
}

/// Parses the arguments. `Err` is the exit status after a usage error or `--help`, which is already printed.
pub(crate) fn arguments() -> Result<Arguments, ExitCode> {
    let parse = || {
        let arguments = Arguments::try_parse()?;
        if arguments.command.is_some() {
            return Ok(arguments);
        }
        // Without a command, parsed again as `serve`, so that its options come from the environment.
        let serve = Arguments::try_parse_from(["users", "serve"])?;
        Ok(Arguments { json: arguments.json, ..serve })
    };
    parse().map_err(|error: clap::Error| {
        if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
            return Failure::usage(&error).report(true);
        }
        // The message shows the values of the arguments.
        let text = error.render().to_string();
        if error.use_stderr() && text.lines().any(|line| escaped(line) != line) {
            text.lines().for_each(|line| tell(&Line::from(line)));
        } else {
            // This fails only if a pipe's reader has gone.
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

const IMPORT_EXAMPLES: &str = "Example:\n  users import users.csv --organization org_1 --dry-run\n  \
    users import users.csv --organization org_1\n\n\
    A row needs FirstName, LastName and Email. docs/operations.md, \"Bring users in\", has the other fields.";

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// This program, as a shell calls it in the current directory.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_else(|| "users".to_owned());
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@:".contains(character);
    if called.chars().all(plain) { called } else { format!("'{}'", called.replace('\'', r"'\''")) }
}

fn parse<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { command, json } = arguments;
    let output = Output { json };
    let Some(command) = command else {
        return Err(Failure::wrong_usage("a command is missing: --help shows those there are"));
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::refused(format!("cannot start: {error}")))?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(serve) => serve::run(serve, output).await,
            Command::Token(token) => token::run(token, output),
            Command::Examples(examples) => examples::run(&examples, output),
            Command::Table(command) => table::run(command, output).await,
            Command::Organization(command) => organization::run(command, output).await,
            Command::User(command) => user::run(command, output).await,
            Command::Member(command) => member::run(command, output).await,
            Command::Customer(command) => customer::run(command, output).await,
            Command::Delete(delete) => delete::run(delete, output).await,
            Command::Import(import) => import::run(import, output).await,
            Command::Export(export) => export::run(export, output).await,
            Command::Doctor(doctor) => doctor::run(doctor, output).await,
            Command::Health(health) => health::run(health, output).await,
            Command::Completions(completions) => completions::run(&completions, output),
            Command::Man(man) => man::run(&man, output),
        }
    });
    // Nobody waits any more for tasks that still run, such as hashing a password.
    runtime.shutdown_background();
    done
}
