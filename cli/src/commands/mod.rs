//! The commands.

mod customer;
mod organization;
mod output;
mod serve;
mod table;
mod token;
mod user;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use shared::error::{Error, ErrorKind};
use shared::model::{CustomerNumber, Email, OrganizationId, OrganizationName, Slug, UserId};
use shared::table::{Endpoint, Table};

use crate::local;

const DYNAMODB_PORT: u16 = 8000;

/// Users and memberships: the whole service on a laptop, and what looks after a table.
#[derive(Parser)]
#[command(
    name = "users",
    version,
    after_help = "Without a command, `serve` is run.\n\nExit status: 0 done, 1 not found or refused, 2 wrong usage."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole service: the API and a DynamoDB of its own
    #[command(after_help = "Example:\n  users serve --port 8080 --memory")]
    Serve(Serve),
    /// Prints an access token for the local system
    #[command(
        after_help = "Example:\n  users token --user kp_abc123def456 --organization 6d24ab9faf9e034e881fcd97 --role Admin"
    )]
    Token(Token),
    /// Creates or describes the table
    #[command(subcommand, after_help = "Example:\n  users table create --table users --region eu-central-1")]
    Table(TableCommand),
    /// Looks after organizations
    #[command(
        subcommand,
        after_help = "Example:\n  users organization put --id org_1 --name 'Acme Corp' --slug acme-corp"
    )]
    Organization(OrganizationCommand),
    /// Shows users
    #[command(subcommand, after_help = "Example:\n  users user get --email jane@example.com")]
    User(UserCommand),
    /// Links users with customer accounts
    #[command(
        subcommand,
        after_help = "Example:\n  users customer associate --user kp_abc123def456 --organization org_1 --number C-10042"
    )]
    Customer(CustomerCommand),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// The API's port; 0 for any that is free
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The DynamoDB API's port; 0 for any that is free
    #[arg(long, default_value_t = DYNAMODB_PORT)]
    dynamodb_port: u16,
    /// A DynamoDB API that runs already, such as DynamoDB Local, in place of its own; asked without AWS credentials
    #[arg(long, conflicts_with = "dynamodb_port")]
    endpoint_url: Option<String>,
    /// The table's name; it is created and gets demo data where there is none
    #[arg(long, default_value = local::TABLE_NAME)]
    table: String,
    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Where the table and the signing key are kept
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Keep nothing
    #[arg(long, conflicts_with = "data_dir")]
    memory: bool,
}

const DATA_DIR: &str = ".users";

impl Default for Serve {
    fn default() -> Self {
        Self {
            port: 3000,
            dynamodb_port: DYNAMODB_PORT,
            endpoint_url: None,
            table: local::TABLE_NAME.to_owned(),
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            data_dir: DATA_DIR.into(),
            memory: false,
        }
    }
}

#[derive(Args)]
pub(crate) struct Token {
    /// The user's id
    #[arg(long, value_parser = parse::<UserId>)]
    user: UserId,
    /// The id of the organization that the token is for
    #[arg(long, value_parser = parse::<OrganizationId>)]
    organization: OrganizationId,
    /// The roles: Admin, Customer, SalesRep
    #[arg(long, required = true, num_args = 1..)]
    role: Vec<String>,
    /// The user's e-mail address
    #[arg(long)]
    email: Option<String>,
    /// Seconds until the token expires; negative for one that has
    #[arg(long, default_value_t = 86_400, allow_negative_numbers = true)]
    expires_in: i64,
    /// Where the local system keeps its signing key
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum TableCommand {
    /// Creates the table, with its keys and its TTL
    #[command(after_help = "Example:\n  users table create --table users --region eu-central-1")]
    Create(TableArguments),
    /// Describes the table
    #[command(after_help = "Example:\n  users table describe --json")]
    Describe(TableArguments),
}

#[derive(Subcommand)]
pub(crate) enum OrganizationCommand {
    /// Writes an organization; one of the same id is replaced
    #[command(
        after_help = "Example:\n  users organization put --id org_1 --name 'Acme Corp' --slug acme-corp"
    )]
    Put {
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        id: OrganizationId,
        /// The name that people read
        #[arg(long, value_parser = parse::<OrganizationName>)]
        name: OrganizationName,
        /// The short name for addresses
        #[arg(long, value_parser = parse::<Slug>)]
        slug: Slug,
        #[command(flatten)]
        table: TableArguments,
    },
    /// Shows an organization
    #[command(after_help = "Example:\n  users organization get --id 6d24ab9faf9e034e881fcd97")]
    Get {
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        id: OrganizationId,
        #[command(flatten)]
        table: TableArguments,
    },
    /// Lists all organizations; reads the whole table
    #[command(after_help = "Example:\n  users organization list --json")]
    List(TableArguments),
}

#[derive(Subcommand)]
pub(crate) enum UserCommand {
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
pub(crate) struct WhichUser {
    /// The user's id
    #[arg(long, value_parser = parse::<UserId>)]
    id: Option<UserId>,
    /// The user's e-mail address
    #[arg(long, value_parser = parse::<Email>)]
    email: Option<Email>,
}

#[derive(Subcommand)]
pub(crate) enum CustomerCommand {
    /// Links a user with a customer account of an organization, in place of another
    #[command(
        after_help = "Example:\n  users customer associate --user kp_abc123def456 --organization org_1 --number C-10042"
    )]
    Associate {
        /// The user's id
        #[arg(long, value_parser = parse::<UserId>)]
        user: UserId,
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        organization: OrganizationId,
        /// The customer account's number
        #[arg(long, value_parser = parse::<CustomerNumber>)]
        number: CustomerNumber,
        #[command(flatten)]
        table: TableArguments,
    },
    /// Removes the link of a user with a customer account of an organization
    #[command(
        after_help = "Example:\n  users customer dissociate --user kp_abc123def456 --organization org_1"
    )]
    Dissociate {
        /// The user's id
        #[arg(long, value_parser = parse::<UserId>)]
        user: UserId,
        /// The organization's id
        #[arg(long, value_parser = parse::<OrganizationId>)]
        organization: OrganizationId,
        #[command(flatten)]
        table: TableArguments,
    },
}

/// Which table, and how to show it.
#[derive(Args)]
pub(crate) struct TableArguments {
    /// The table's name
    #[arg(long, default_value = local::TABLE_NAME)]
    table: String,
    /// The DynamoDB API's URL; the local system's, unless a region or a profile is given
    #[arg(long)]
    endpoint_url: Option<String>,
    /// The AWS region; the table is then reached with the usual AWS credentials
    #[arg(long)]
    region: Option<String>,
    /// The AWS profile; the table is then reached with its credentials
    #[arg(long)]
    profile: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl TableArguments {
    async fn open(self) -> Result<Table, Failure> {
        let Self { table, endpoint_url: url, region, profile, .. } = self;
        if region.is_none() && profile.is_none() {
            let local = || format!("http://{}:{DYNAMODB_PORT}", Ipv4Addr::LOCALHOST);
            return Ok(Table::local(&table, &url.unwrap_or_else(local)));
        }
        let opened = Table::from_user_environment(&table, Endpoint { url, region, profile }).await;
        opened.map_err(|error| Failure::new(error.to_string()))
    }
}

/// Why a command did not do what was asked, in a line that says what to do.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let log = error.log().unwrap_or("no more is known");
        Self(match error.kind() {
            ErrorKind::Unavailable => format!(
                "the table cannot be used ({log}): is the local system running, or are --endpoint-url, --table \
                 and --region right?"
            ),
            _ => log.to_owned(),
        })
    }
}

fn parse<T: FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let command = arguments.command.unwrap_or_else(|| Command::Serve(Serve::default()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(serve) => serve::run(serve).await,
            Command::Token(token) => token::run(&token),
            Command::Table(command) => table::run(command).await,
            Command::Organization(command) => organization::run(command).await,
            Command::User(command) => user::run(command).await,
            Command::Customer(command) => customer::run(command).await,
        }
    });
    // What is still running then, a password's hash say, is nobody's any more.
    runtime.shutdown_background();
    done
}
