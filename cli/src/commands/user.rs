//! `users user`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use operator::table::{ChangeOutcome, OperatorTable, PersonalData, UserChanges};
use serde::Serialize;
use shared::error::{Error, ErrorKind};
use shared::model::{CustomerAssociation, Email, PersonName, PhoneNumber, User, UserId};
use zeroize::Zeroizing;

use super::{Failure, Output, TableArguments, parse};

#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Shows a user with everything that belongs to it
    #[command(after_help = "Example:\n  users user get --email jane@example.com")]
    Get {
        #[command(flatten)]
        which: WhichUser,
        #[command(flatten)]
        table: TableArguments,
    },
    /// Changes the given fields and leaves the rest
    #[command(
        after_help = "Example:\n  users user set --email jane@example.com --preferred-email j@work.example.com\n  users user set --id kp_abc123def456 --no-phone-number"
    )]
    Set {
        #[command(flatten)]
        which: WhichUser,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        table: TableArguments,
    },
}

/// How often an address is looked up that goes to another account between two calls.
const MAX_LOOK_UPS: u32 = 4;

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

impl WhichUser {
    /// The user's id; of an e-mail address, that of the account that has it.
    pub(super) async fn id(&self, table: &OperatorTable) -> Result<UserId, Failure> {
        let email = match self {
            Self { id: Some(id), .. } => return Ok(id.clone()),
            Self { email: Some(email), .. } => email,
            Self { .. } => return Err(no_such_user()),
        };
        for _ in 0..MAX_LOOK_UPS {
            let Some(id) = table.user_id_of(email).await? else { return Err(no_such_user()) };
            let user = table.user(&id).await.map_err(|error| match error.kind() {
                ErrorKind::Defect => Failure::refused(format!(
                    "the account of this e-mail address cannot be read ({}): `users delete --id {id}` deletes it",
                    error.log().unwrap_or_default()
                )),
                _ => error.into(),
            })?;
            if user.as_ref().is_some_and(|user| user.email.normalized() == email.normalized()) {
                return Ok(id);
            }
            // Between the two reads the address may have gone to another account.
            if table.user_id_of(email).await?.as_ref() == Some(&id) {
                let what = if user.is_some() { "has another address" } else { "does not exist" };
                return Err(Failure::refused(format!(
                    "the e-mail address is registered by the account {id}, which {what}: `users doctor --scan \
                     --repair` frees the address; --id names a user without it"
                )));
            }
        }
        Err(address_never_stays())
    }

    /// The address by which the user is named, if it is by one.
    pub(super) fn email(&self) -> Option<&Email> {
        self.email.as_ref()
    }

    /// Writes to the account. `write` gets the account's id and the address by which it was found, if there is one; it
    /// returns `None` if the address has gone to another account. Then the address is looked up again.
    pub(super) async fn write<T>(
        &self,
        table: &OperatorTable,
        write: impl AsyncFn(&UserId, Option<&Email>) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        for _ in 0..MAX_LOOK_UPS {
            let id = self.id(table).await?;
            if let Some(written) = write(&id, self.email()).await? {
                return Ok(written);
            }
        }
        Err(address_never_stays())
    }
}

fn address_never_stays() -> Failure {
    Error::unavailable("the e-mail address went to another account, look-up after look-up").into()
}

pub(super) fn no_such_user() -> Failure {
    Failure::refused("there is no such user")
}

#[derive(Args)]
pub(super) struct Changes {
    /// The first name
    #[arg(long, value_name = "NAME", value_parser = parse::<PersonName>)]
    first_name: Option<PersonName>,
    /// The last name
    #[arg(long, value_name = "NAME", value_parser = parse::<PersonName>)]
    last_name: Option<PersonName>,
    /// Another login identifier
    #[arg(long, value_name = "EMAIL", value_parser = parse::<Email>)]
    new_email: Option<Email>,
    /// The address that the profile shows
    #[arg(long, value_name = "EMAIL", value_parser = parse::<Email>, conflicts_with = "no_preferred_email")]
    preferred_email: Option<Email>,
    /// Show the login identifier in the profile
    #[arg(long)]
    no_preferred_email: bool,
    /// The phone number
    #[arg(long, value_name = "NUMBER", value_parser = parse::<PhoneNumber>, conflicts_with = "no_phone_number")]
    phone_number: Option<PhoneNumber>,
    /// Remove the phone number
    #[arg(long)]
    no_phone_number: bool,
    /// A file with the password's hash
    #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
    password_hash_file: Option<PathBuf>,
    /// Remove the password
    #[arg(long)]
    no_password: bool,
}

impl Changes {
    fn read(self) -> Result<UserChanges, Failure> {
        let changes = self;
        let password_hash = match &changes.password_hash_file {
            Some(file) => {
                let cannot = |why: &dyn std::fmt::Display| {
                    Failure::refused(format!("cannot read a hash from {}: {why}", file.display()))
                };
                let text = Zeroizing::new(std::fs::read_to_string(file).map_err(|error| cannot(&error))?);
                let hash = text.trim().parse().map_err(|why| cannot(&format!("it {why}")))?;
                Some(Some(hash))
            }
            None => changes.no_password.then_some(None),
        };
        Ok(UserChanges {
            first_name: changes.first_name,
            last_name: changes.last_name,
            email: changes.new_email,
            preferred_email: changes.preferred_email.map(Some).or(changes.no_preferred_email.then_some(None)),
            phone_number: changes.phone_number.map(Some).or(changes.no_phone_number.then_some(None)),
            password_hash,
        })
    }
}

/// Everything that the table holds about a user, except the password's hash.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct View {
    user_id: String,
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    preferred_email: Option<String>,
    phone_number: Option<String>,
    organization_ids: Vec<String>,
    customer_associations: Vec<CustomerAccount>,
    has_password: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CustomerAccount {
    customer_number: String,
    organization_id: String,
}

impl From<CustomerAssociation> for CustomerAccount {
    fn from(association: CustomerAssociation) -> Self {
        let CustomerAssociation { customer_number, organization_id, .. } = association;
        Self { customer_number: customer_number.to_string(), organization_id: organization_id.to_string() }
    }
}

impl View {
    pub(super) fn new(data: PersonalData) -> Self {
        let PersonalData { id, account, memberships, customer_associations, has_password, .. } = data;
        let of_user =
            |field: fn(&User) -> Option<String>| account.as_ref().and_then(|account| field(&account.user));
        Self {
            user_id: id.to_string(),
            first_name: of_user(|user| Some(user.first_name.to_string())),
            last_name: of_user(|user| Some(user.last_name.to_string())),
            email: of_user(|user| Some(user.email.to_string())),
            preferred_email: of_user(|user| user.preferred_email.as_ref().map(ToString::to_string)),
            phone_number: of_user(|user| user.phone_number.as_ref().map(ToString::to_string)),
            organization_ids: memberships
                .iter()
                .map(|membership| membership.organization_id.to_string())
                .collect(),
            customer_associations: customer_associations.into_iter().map(Into::into).collect(),
            has_password,
        }
    }
}

pub(super) async fn run(command: UserCommand, output: Output) -> Result<(), Failure> {
    let (id, table) = match command {
        UserCommand::Get { which, table } => {
            let table = table.open().await?;
            (which.id(&table).await?, table)
        }
        UserCommand::Set { which, changes, table } => {
            let changes = changes.read()?;
            if changes.is_empty() {
                return Err(Failure::wrong_usage("nothing to set: --help shows the options"));
            }
            let table = table.open().await?;
            let change = async |id: &UserId, found_by: Option<&Email>| match table
                .change_user(id, found_by, &changes)
                .await?
            {
                ChangeOutcome::Changed(user) => Ok(Some(user.id)),
                ChangeOutcome::AddressMoved => Ok(None),
                ChangeOutcome::EmailTaken(other) => {
                    Err(Failure::refused(format!("{other} has that e-mail address")))
                }
                ChangeOutcome::UserMissing => Err(no_such_user()),
            };
            (which.write(&table, change).await?, table)
        }
    };
    let data = table.personal_data(&id).await?.ok_or_else(no_such_user)?;
    output.record(&View::new(data))
}
