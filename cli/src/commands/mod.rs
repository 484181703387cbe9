//! The commands: a module each, with its arguments and what it does.

mod customer;
mod doctor;
mod failure;
mod organization;
mod output;
mod serve;
mod table;
mod table_arguments;
mod token;
mod user;

use std::str::FromStr;

use clap::{Parser, Subcommand};

use failure::Failure;
use output::{Output, print};
use table_arguments::TableArguments;

/// The DynamoDB API's port, where none is given.
const DYNAMODB_PORT: u16 = 8000;
/// Where the local system keeps everything, where nothing else is given.
const DATA_DIR: &str = ".users";

/// Users and memberships: the whole service on a laptop, and what looks after a table.
#[derive(Parser)]
#[command(
    name = "users",
    version,
    after_help = "Without a command, `serve` is run.\n\nExit status: 0 done; 1 not found, refused or not right; \
                  2 wrong usage; 3 the table cannot be used now."
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
        after_help = "Example:\n  users token --user kp_abc123def456 --organization 6d24ab9faf9e034e881fcd97 --role Admin"
    )]
    Token(token::Token),
    /// Creates or describes the table
    #[command(subcommand, after_help = "Example:\n  users table create --table users --region eu-central-1")]
    Table(table::TableCommand),
    /// Looks after organizations
    #[command(
        subcommand,
        after_help = "Example:\n  users organization put --id org_1 --name 'Acme Corp' --slug acme-corp"
    )]
    Organization(organization::OrganizationCommand),
    /// Shows users
    #[command(subcommand, after_help = "Example:\n  users user get --email jane@example.com")]
    User(user::UserCommand),
    /// Links users with customer accounts
    #[command(
        subcommand,
        after_help = "Example:\n  users customer associate --user kp_abc123def456 --organization org_1 --number C-10042"
    )]
    Customer(customer::CustomerCommand),
    /// Says whether an installation is right, and why a token is refused
    #[command(
        after_help = "Example:\n  users doctor --scan\n  users token --user u --organization o --role Admin | users doctor --token-file -\n  users doctor --settings settings.json --table users-prod --region us-east-1"
    )]
    Doctor(doctor::Doctor),
}

fn parse<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { command, json } = arguments;
    let output = Output { json };
    let command = command.unwrap_or_else(|| Command::Serve(serve::Serve::default()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::refused(format!("cannot start: {error}")))?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(serve) => serve::run(serve, output).await,
            Command::Token(token) => token::run(&token, output),
            Command::Table(command) => table::run(command, output).await,
            Command::Organization(command) => organization::run(command, output).await,
            Command::User(command) => user::run(command, output).await,
            Command::Customer(command) => customer::run(command, output).await,
            Command::Doctor(doctor) => doctor::run(doctor, output).await,
        }
    });
    // What is still running then, a password's hash say, is nobody's any more.
    runtime.shutdown_background();
    done
}
