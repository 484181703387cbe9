//! `users import`

mod checkpoint;
mod report;

use std::collections::hash_map;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::fs::{File, TryLockError};
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

use clap::{Args, ValueEnum as _};
use operator::table::{Disagreement, ImportOutcome, ImportedAccount, OperatorTable};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::app::AppSettings;
use shared::clock::Clock;
use shared::model::{
    Email, NormalizedEmail, OrganizationId, Password, PasswordHash, PasswordHasher, PersonName, UserId,
};

use super::progress::Progress;
use super::{Failure, Line, OPERATOR, Output, TableArguments, escaped, parse, tell};
use crate::files;
use crate::transfer::{Defaults, Dialect, Entry, LostPassword, MissingNames, Row, Source, Wrong};
use checkpoint::{Checkpoint, Job, Position, with_ending};
use report::Report;

/// How many rows are looked up together.
const ROWS_AT_ONCE: usize = 100;
/// How many lines of unused hashes a sentence names.
const MAX_LINES_SHOWN: usize = 10;

#[derive(Args)]
pub(super) struct Import {
    /// CSV or JSON with our field names or a provider's; gzip is read too
    file: PathBuf,
    /// Report the outcome of each row; write nothing
    #[arg(long)]
    dry_run: bool,
    /// The organization of users whose row names none
    #[arg(long, value_name = "ID", value_parser = parse::<OrganizationId>)]
    organization: Option<OrganizationId>,
    /// Who wrote it: users, auth0, keycloak, cognito, firebase, clerk, okta, kinde, fusionauth
    #[arg(long, value_name = "WHO", hide_possible_values = true)]
    from: Option<Dialect>,
    /// Hashes by e-mail address, if they came apart
    #[arg(long, value_name = "FILE")]
    password_hashes: Option<PathBuf>,
    #[command(flatten)]
    accepting: Accepting,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    reporting: Reporting,
    /// Start an interrupted import from the beginning
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    table: TableArguments,
}

/// How rows are read.
#[derive(Args)]
struct Reading {
    /// Leave out users whom the provider has disabled
    #[arg(long)]
    skip_disabled: bool,
    /// The first or last name of users who have none
    #[arg(long, value_name = "NAME", value_parser = parse::<PersonName>, conflicts_with = "names_from_addresses")]
    default_name: Option<PersonName>,
    /// Make missing names from the part before the @
    #[arg(long)]
    names_from_addresses: bool,
    /// Read CSV cells as they are, after `export --raw`
    #[arg(long)]
    raw: bool,
}

/// Which rows are accepted.
#[derive(Args)]
struct Accepting {
    /// Accept addresses that were never verified
    #[arg(long)]
    accept_unverified: bool,
    /// Make an account that differs the row's own
    #[arg(long)]
    adopt: bool,
}

/// Where the report goes.
#[derive(Args)]
struct Reporting {
    /// The report's file, if not <FILE>.report.csv
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Replace the report of an earlier import
    #[arg(long)]
    force: bool,
}

/// The outcome of the rows.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Counts {
    /// All so far.
    rows: u64,
    created: u64,
    existing: u64,
    /// Existing accounts that became the row's.
    adopted: u64,
    organizations: u64,
    refused: u64,
    /// Technical users, and disabled ones with `--skip-disabled`.
    skipped: u64,
    /// Disabled users that were not skipped.
    disabled: u64,
    /// Users whose password could not be imported.
    passwords_not_taken_over: u64,
}

/// What is printed at the end.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    dry_run: bool,
    #[serde(flatten)]
    counts: Counts,
    /// Ignored columns and members, with the number of rows that have a value there.
    not_read: Vec<NotRead>,
    report: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NotRead {
    name: String,
    rows: u64,
}

pub(super) async fn run(arguments: Import, output: Output) -> Result<(), Failure> {
    let Import { file, dry_run, from, restart, password_hashes, .. } = &arguments;
    let Reporting { report, force } = &arguments.reporting;
    let cannot_read = |error| fault(&format!("cannot read {}", file.display()), error);
    // Held until the end: two imports of one file would write the same report and the same progress.
    let _lock = lock(file).map_err(cannot_read)?;
    let source = Source::open(file, *from, arguments.reading.raw).map_err(cannot_read)?;
    let total = source.total;
    source.remarks.iter().for_each(|remark| output.warn(remark));
    let not_read =
        source.unread.iter().map(|(name, rows)| NotRead { name: name.clone(), rows: *rows }).collect();
    let hashes = Arc::new(match password_hashes {
        Some(file) => read_hashes(file, output)?,
        None => HashMap::new(),
    });
    let defaults = arguments.defaults()?;
    let inputs: Vec<_> = [file.as_path()].into_iter().chain(password_hashes.as_deref()).collect();
    let report = report.clone().unwrap_or_else(|| with_ending(file, "report.csv"));
    let progress_file = with_ending(file, "import-progress");
    let table = arguments.table.open().await?;
    let checkpoint = if *dry_run {
        None
    } else {
        let identity = table.identity().await?;
        let job = Job::new(&arguments.identity(&report), &inputs, identity).map_err(cannot_read)?;
        Some(Checkpoint::new(progress_file.clone(), job))
    };
    let start = match &checkpoint {
        Some(checkpoint) => checkpoint.read(*restart).map_err(Failure::refused)?,
        None => None,
    };
    let kept: Vec<_> = inputs.iter().copied().chain([progress_file.as_path()]).collect();
    let report = match &start {
        Some(start) => Report::resume(&report, &start.report, &kept, *force),
        None => Report::create(&report, &kept, *force),
    };
    let report = report.map_err(Failure::refused)?;
    let start = start.unwrap_or_default();
    if start.counts.rows > 0 && !output.json {
        tell(&Line::from(format!("Going on after {} rows; --restart begins anew.", start.counts.rows)));
    }
    if let Some(checkpoint) = &checkpoint {
        // Before the first row, so that no row is ever written without a note of how.
        checkpoint.write(&start).map_err(cannot_note)?;
    }
    let hasher = hasher(&table)?;
    let mut import = Importer {
        table,
        defaults,
        hasher,
        hashes: hashes.clone(),
        report,
        known: HashMap::new(),
        seen: dry_run.then(HashMap::new),
        disagreement: if arguments.accepting.adopt { Disagreement::Adopt } else { Disagreement::Refuse },
        skip_disabled: arguments.reading.skip_disabled,
        counts: start.counts,
        told: Vec::new(),
    };
    let mut progress = Progress::begin("rows", import.counts.rows, Some(total), output);
    let rows_done = usize::try_from(import.counts.rows).unwrap_or(usize::MAX);
    // Rows that an interrupted import has done use hashes too.
    let mut unused: BTreeSet<_> = hashes.values().flatten().map(|entry| entry.line).collect();
    let rows = source.inspect(|row| {
        if let Some((email, id)) = row.account().filter(|_| !unused.is_empty()) {
            HashEntry::of(&hashes, &email, id).for_each(|entry| _ = unused.remove(&entry.line));
        }
    });
    let mut rows = rows.skip(rows_done).peekable();
    while rows.peek().is_some() {
        import.import(rows.by_ref().take(ROWS_AT_ONCE).collect()).await?;
        if let Some(checkpoint) = &checkpoint {
            let position = Position { counts: import.counts.clone(), report: import.report.position() };
            checkpoint.write(&position).map_err(cannot_note)?;
        }
        progress.advance_to(import.counts.rows);
    }
    drop(rows);
    progress.end(import.counts.rows);
    if let Some(checkpoint) = &checkpoint {
        checkpoint
            .remove()
            .map_err(|error| fault("cannot take away the note of how far the import is", error))?;
    }
    if let Some(warning) = password_hashes.as_ref().and_then(|file| unused_hashes(file, &unused)) {
        output.warn(&warning);
    }
    let Importer { counts, report, .. } = import;
    let (refused, report) = (counts.refused, report.written().map(|path| path.display().to_string()));
    output.record(&View { dry_run: *dry_run, counts, not_read, report: report.clone() })?;
    match report {
        Some(report) if refused > 0 => Err(Failure::refused(format!(
            "{refused} rows are refused: {report} says why. Correct them and import the file again; --force replaces \
             the report"
        ))),
        _ => Ok(()),
    }
}

impl Import {
    fn defaults(&self) -> Result<Defaults, Failure> {
        Ok(Defaults {
            organization_id: self.organization.clone(),
            operator: OPERATOR.parse().map_err(|why| fault("the operator's id", why))?,
            now: Clock::system().now(),
            accept_unverified: self.accepting.accept_unverified,
            missing_names: match &self.reading.default_name {
                Some(name) => MissingNames::Name(name.to_string()),
                None if self.reading.names_from_addresses => MissingNames::FromAddress,
                None => MissingNames::Refuse,
            },
        })
    }

    /// All that decides what becomes of a row and where that is told, except the content of the files.
    fn identity(&self, report: &Path) -> String {
        // No `..`: a new argument has to be considered here.
        let Self {
            file: _,
            dry_run: _,
            organization,
            from,
            password_hashes,
            accepting: Accepting { accept_unverified, adopt },
            reading: Reading { skip_disabled, default_name, names_from_addresses, raw },
            reporting: _,
            restart: _,
            table,
        } = self;
        let from = from.and_then(|from| from.to_possible_value()).map(|from| from.get_name().to_owned());
        let aws = ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"].map(|name| std::env::var(name).ok());
        json!({
            "organization": organization.as_ref().map(OrganizationId::as_str),
            "from": from,
            "password hashes": password_hashes.is_some(),
            "accept unverified": accept_unverified,
            "adopt": adopt,
            "skip disabled": skip_disabled,
            "default name": default_name.as_ref().map(PersonName::as_str),
            "names from addresses": names_from_addresses,
            "raw": raw,
            "report": files::place(report).to_string_lossy(),
            "table": table.to_string(),
            "aws": aws,
        })
        .to_string()
    }
}

/// The costs of a password's hash are those of the functions' settings.
fn hasher(table: &OperatorTable) -> Result<Arc<PasswordHasher>, Failure> {
    let settings = |name: &str| {
        if name == "TABLE_NAME" { Some(table.name().to_owned()) } else { std::env::var(name).ok() }
    };
    let config = AppSettings::read(false, settings).map_err(|error| Failure::refused(error.to_string()))?;
    Ok(Arc::new(config.password_hasher))
}

/// The hashes of a file by e-mail address.
type Hashes = HashMap<NormalizedEmail, Vec<HashEntry>>;

/// A hash of a file with hashes.
struct HashEntry {
    line: u64,
    /// The id of its account, if the file has it.
    user_id: Option<String>,
    /// The hash, or why it cannot be imported.
    hash: Result<PasswordHash, LostPassword>,
}

impl HashEntry {
    /// The hashes that an account with this address and id may have. Other accounts of a provider have the same address.
    fn of<'a>(
        hashes: &'a Hashes,
        email: &Email,
        id: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Self> + use<'a> {
        let entries = hashes.get(email.normalized()).into_iter().flatten();
        entries.filter(move |entry| match (entry.user_id.as_deref(), id) {
            (Some(its), Some(id)) => its == id,
            _ => true,
        })
    }

    fn is_like(&self, other: &Self) -> bool {
        match (&self.hash, &other.hash) {
            (Ok(one), Ok(other)) => one.as_str() == other.as_str(),
            (one, other) => one.is_err() && other.is_err(),
        }
    }
}

/// Reads password hashes by e-mail address.
fn read_hashes(file: &Path, output: Output) -> Result<Hashes, Failure> {
    let place = file.display().to_string();
    let source =
        Source::open(file, None, false).map_err(|error| fault(&format!("cannot read {place}"), error))?;
    source.remarks.iter().for_each(|remark| output.warn(&format!("{place}: {remark}")));
    let mut hashes = HashMap::new();
    for Row { line, user } in source {
        let none = || Failure::refused(format!("{place}, line {line}, has no e-mail address or no hash"));
        let wrong = |why| Failure::refused(format!("{place}, line {line}: its hash or address {why}"));
        let user =
            user.map_err(|reason| Failure::refused(format!("{place}, line {line}: the row {reason}")))?;
        let text = |name: &str| Some(user.fields.get(name)?.as_str()?.to_owned());
        let hash = match (text("PasswordHash"), user.lost_password.clone()) {
            (Some(hash), _) => Ok(hash.parse().map_err(wrong)?),
            (None, Some(lost)) => Err(lost),
            (None, None) => return Err(none()),
        };
        let email: Email = text("Email").ok_or_else(none)?.parse().map_err(wrong)?;
        let entries: &mut Vec<_> = hashes.entry(email.normalized().clone()).or_default();
        entries.push(HashEntry { line, user_id: text("UserId"), hash });
    }
    Ok(hashes)
}

/// Says which hashes belong to no row.
fn unused_hashes(file: &Path, lines: &BTreeSet<u64>) -> Option<String> {
    let shown: Vec<_> = lines.iter().take(MAX_LINES_SHOWN).map(ToString::to_string).collect();
    let more = if lines.len() > MAX_LINES_SHOWN { ", …" } else { "." };
    let (file, count, shown) = (file.display(), lines.len(), shown.join(", "));
    (count > 0)
        .then(|| format!("{file}: no row has the address and id of {count} hashes, in lines {shown}{more}"))
}

fn cannot_note(error: io::Error) -> Failure {
    fault("cannot note how far the import is", error)
}

/// Locks a file until the result is dropped. `None` if the system has no lock that others can read through.
fn lock(file: &Path) -> io::Result<Option<File>> {
    if cfg!(not(unix)) {
        return Ok(None);
    }
    let file = files::open_input(file)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another import of it is running")),
        // Some network file systems have no locks.
        Err(TryLockError::Error(_)) => Ok(None),
        Ok(()) => Ok(Some(file)),
    }
}

fn fault(what: &str, error: impl Display) -> Failure {
    Failure::refused(format!("{what}: {error}"))
}

/// Imports rows.
struct Importer {
    table: OperatorTable,
    defaults: Defaults,
    hasher: Arc<PasswordHasher>,
    hashes: Arc<Hashes>,
    report: Report,
    /// Whether an organization exists.
    known: HashMap<OrganizationId, bool>,
    /// In a dry run, the accounts that would be created, with their ids and hashes.
    seen: Option<HashMap<NormalizedEmail, (UserId, Option<PasswordHash>)>>,
    skip_disabled: bool,
    disagreement: Disagreement,
    counts: Counts,
    /// The report's lines about the current rows.
    told: Vec<Told>,
}

/// The outcome of a row: its line, `refused`, `skipped` or `note`, the field, and a sentence.
struct Told {
    line: u64,
    outcome: &'static str,
    field: &'static str,
    reason: String,
}

impl Importer {
    fn is_dry_run(&self) -> bool {
        self.seen.is_some()
    }

    /// Imports some rows.
    async fn import(&mut self, rows: Vec<Row>) -> Result<(), Failure> {
        self.counts.rows += rows.len() as u64;
        let mut accounts = Vec::with_capacity(rows.len());
        for Row { line, user } in rows {
            let user = match user {
                Ok(user) => user,
                Err(reason) => {
                    self.refuse(line, vec![Wrong { field: "", reason: format!("The row {reason}.") }]);
                    continue;
                }
            };
            if user.is_technical {
                self.skip(line, "This is a technical user: a program, not a person.");
                continue;
            }
            if user.is_disabled && self.skip_disabled {
                self.skip(line, "The user is disabled where it comes from.");
                continue;
            }
            match Entry::parse(user.fields, &self.defaults) {
                Ok(Entry::Organization(organization)) => {
                    if self.is_dry_run() || self.table.put_new_organization(&organization).await? {
                        self.counts.organizations += 1;
                    }
                    self.known.insert(organization.id, true);
                }
                Ok(Entry::Account(mut account)) => {
                    let lost = match self.add_hash(&mut account, user.lost_password) {
                        Ok(lost) => lost,
                        Err(wrong) => {
                            self.refuse(line, vec![wrong]);
                            continue;
                        }
                    };
                    if user.is_disabled {
                        self.counts.disabled += 1;
                        let reason =
                            "The user is disabled where it comes from; --skip-disabled leaves it out.";
                        self.tell(line, "note", "", reason);
                    }
                    if let Some(lost) = lost {
                        account.is_password_lost =
                            account.password.is_none() && account.password_hash.is_none();
                        self.counts.passwords_not_taken_over += 1;
                        self.tell(line, "note", "PasswordHash", &lost.sentence());
                    }
                    accounts.push((line, account));
                }
                Err(wrong) => self.refuse(line, wrong),
            }
        }
        let accounts = self.with_organizations(accounts).await?;
        let accounts = self.with_passwords(accounts).await?;
        self.write(accounts).await?;
        self.report()
    }

    fn skip(&mut self, line: u64, reason: &str) {
        self.counts.skipped += 1;
        self.tell(line, "skipped", "", reason);
    }

    /// Gives an account its hash from the file of hashes. The result is why its password cannot be imported.
    fn add_hash(
        &self,
        account: &mut ImportedAccount,
        lost: Option<LostPassword>,
    ) -> Result<Option<LostPassword>, Wrong> {
        let wrong = |reason| Err(Wrong { field: "PasswordHash", reason });
        let id = account.has_own_id.then(|| account.user.id.as_str());
        let mut entries = HashEntry::of(&self.hashes, &account.user.email, id);
        let Some(entry) = entries.next() else { return Ok(lost) };
        if let Some(other) = entries.find(|other| !other.is_like(entry)) {
            let (line, other) = (entry.line, other.line);
            return wrong(format!(
                "The file of hashes has different ones for the address, in lines {line} and {other}. Keep one of them."
            ));
        }
        let has_password = account.password.is_some() || account.password_hash.is_some();
        match (&entry.hash, &account.password_hash) {
            (Ok(hash), None) if !has_password => {
                account.password_hash = Some(hash.clone());
                Ok(None)
            }
            (Ok(hash), Some(own)) if own.as_str() == hash.as_str() => Ok(None),
            (Ok(_), _) => wrong(format!(
                "The row has a password, and line {} of the file of hashes has another. Remove one of them.",
                entry.line
            )),
            (Err(lost), _) => Ok((!has_password).then(|| lost.clone())),
        }
    }

    /// The accounts whose organizations exist.
    async fn with_organizations(
        &mut self,
        accounts: Vec<(u64, Box<ImportedAccount>)>,
    ) -> Result<Vec<(u64, Box<ImportedAccount>)>, Failure> {
        let named = accounts.iter().flat_map(|(_, account)| organizations_of(account));
        let unknown: HashSet<_> = named.filter(|id| !self.known.contains_key(*id)).cloned().collect();
        if !unknown.is_empty() {
            let unknown: Vec<_> = unknown.into_iter().collect();
            for organization in self.table.existing_organizations(&unknown).await? {
                self.known.insert(organization.id, true);
            }
            for id in unknown {
                self.known.entry(id).or_insert(false);
            }
        }
        let mut kept = Vec::with_capacity(accounts.len());
        for (line, account) in accounts {
            let exists = |id: &&OrganizationId| self.known.get(*id) == Some(&true);
            let missing = organizations_of(&account).find(|id| !exists(id)).cloned();
            if let Some(id) = missing {
                let reason = format!("There is no organization {id}: `users organization put` makes it.");
                self.refuse(line, vec![Wrong { field: "OrganizationId", reason }]);
            } else {
                kept.push((line, account));
            }
        }
        Ok(kept)
    }

    /// The accounts with the hashes of their passwords.
    async fn with_passwords(
        &self,
        accounts: Vec<(u64, Box<ImportedAccount>)>,
    ) -> Result<Vec<(u64, Box<ImportedAccount>)>, Failure> {
        if self.is_dry_run() {
            return Ok(accounts);
        }
        let mut accounts = accounts;
        for some in accounts.chunks_mut(available_parallelism().map_or(1, NonZero::get)) {
            let mut hashes = Vec::new();
            for (_, account) in some {
                if let Some(password) = account.password.clone() {
                    hashes.push((account, self.hash(password)));
                }
            }
            for (account, hash) in hashes {
                let hash = hash.await.map_err(|error| fault("a password was not hashed", error))?;
                account.password_hash =
                    Some(hash.map_err(|error| fault("a password was not hashed", error))?);
            }
        }
        Ok(accounts)
    }

    async fn write(&mut self, accounts: Vec<(u64, Box<ImportedAccount>)>) -> Result<(), Failure> {
        let (lines, accounts): (Vec<_>, Vec<_>) =
            accounts.into_iter().map(|(line, account)| (line, *account)).unzip();
        let outcomes = match &mut self.seen {
            None => self.table.import(&accounts, self.disagreement).await?,
            Some(seen) => {
                let mut outcomes = self.table.would_import(&accounts, self.disagreement).await?;
                for (account, outcome) in accounts.iter().zip(&mut outcomes) {
                    if *outcome != ImportOutcome::Created {
                        continue;
                    }
                    match seen.entry(account.user.email.normalized().clone()) {
                        hash_map::Entry::Vacant(free) => {
                            free.insert((account.user.id.clone(), account.password_hash.clone()));
                        }
                        hash_map::Entry::Occupied(taken) => {
                            *outcome = second(taken.get(), account, self.disagreement);
                        }
                    }
                }
                outcomes
            }
        };
        for ((line, account), outcome) in lines.into_iter().zip(&accounts).zip(outcomes) {
            self.count(line, account, outcome);
        }
        Ok(())
    }

    fn count(&mut self, line: u64, account: &ImportedAccount, outcome: ImportOutcome) {
        let wrong = |field, reason: String| Wrong { field, reason };
        match outcome {
            ImportOutcome::Created => self.counts.created += 1,
            ImportOutcome::Existing(_) => self.counts.existing += 1,
            ImportOutcome::Adopted(old) => {
                self.counts.adopted += 1;
                let has_same_id = old == account.user.id || !account.has_own_id;
                let reason = match (has_same_id, account.is_password_lost) {
                    (true, false) => {
                        format!("The account {old} had another password, or none: it has this row's now.")
                    }
                    (true, true) => {
                        format!("The account {old} had another password than this row: it has none now.")
                    }
                    (false, false) => format!(
                        "The account {old} had the address: it is this row's now, with its id, names and password."
                    ),
                    (false, true) => format!(
                        "The account {old} had the address: it is this row's now, with its id and names, without a \
                         password."
                    ),
                };
                self.tell(line, "adopted", "UserId", &reason);
            }
            ImportOutcome::Disagrees { holder, id, password } => {
                let refusal = |what: &str| {
                    format!(
                        "The address is registered by the account {holder}, which has {what}. Find out who created it: \
                         docs/identity-providers.md, \"Planted accounts\". --adopt makes it this row's."
                    )
                };
                let id = id.then(|| wrong("UserId", refusal("another id")));
                let password = password.then(|| wrong("PasswordHash", refusal("another password, or none")));
                self.refuse(line, id.into_iter().chain(password).collect());
            }
            ImportOutcome::IdTaken => {
                let reason = "An account with another e-mail address has this id.".to_owned();
                self.refuse(line, vec![wrong("UserId", reason)]);
            }
            ImportOutcome::ClaimOrphaned { holder, exists } => {
                let what = if exists { "has another address" } else { "does not exist" };
                let reason = format!(
                    "The address is registered by the account {holder}, which {what}: `users doctor --scan --repair` \
                     frees it. Then import the row again."
                );
                self.refuse(line, vec![wrong("Email", reason)]);
            }
            ImportOutcome::Unreadable => {
                let reason = "What the table holds of the address's account cannot be read: `users doctor --scan` says \
                              where. Then import the row again.";
                self.refuse(line, vec![wrong("Email", reason.to_owned())]);
            }
            ImportOutcome::OrganizationMissing => {
                let reason = "An organization was deleted meanwhile.".to_owned();
                self.refuse(line, vec![wrong("OrganizationId", reason)]);
            }
        }
    }

    fn refuse(&mut self, line: u64, wrong: Vec<Wrong>) {
        self.counts.refused += 1;
        for Wrong { field, reason } in wrong {
            self.tell(line, "refused", field, &reason);
        }
    }

    fn tell(&mut self, line: u64, outcome: &'static str, field: &'static str, reason: &str) {
        // People also read the report on a terminal, and a reason may contain a name from the file.
        self.told.push(Told { line, outcome, field, reason: escaped(reason) });
    }

    /// Writes the lines about some rows, in their order.
    fn report(&mut self) -> Result<(), Failure> {
        self.told.sort_by_key(|told| told.line);
        for Told { line, outcome, field, reason } in self.told.drain(..) {
            let added = self.report.add(line, outcome, field, &reason);
            added.map_err(|error| fault("cannot write the report", error))?;
        }
        Ok(())
    }

    fn hash(&self, password: Password) -> Hashing {
        let hasher = self.hasher.clone();
        tokio::task::spawn_blocking(move || hasher.hash(&password).map_err(|error| error.to_string()))
    }
}

type Hashing = tokio::task::JoinHandle<Result<PasswordHash, String>>;

/// What a row would come to whose address an earlier row of a dry run has.
fn second(
    (holder, hash): &(UserId, Option<PasswordHash>),
    account: &ImportedAccount,
    disagreement: Disagreement,
) -> ImportOutcome {
    let id = account.has_own_id && account.user.id != *holder;
    let text = |hash: &Option<PasswordHash>| hash.as_ref().map(|hash| hash.as_str().to_owned());
    let has_password = account.password_hash.is_some() || account.is_password_lost;
    let password = has_password && text(&account.password_hash) != text(hash);
    match (id || password, disagreement) {
        (false, _) => ImportOutcome::Existing(holder.clone()),
        (true, Disagreement::Adopt) => ImportOutcome::Adopted(holder.clone()),
        (true, Disagreement::Refuse) => ImportOutcome::Disagrees { holder: holder.clone(), id, password },
    }
}

fn organizations_of(account: &ImportedAccount) -> impl Iterator<Item = &OrganizationId> {
    let of_memberships = account.memberships.iter().map(|membership| &membership.organization_id);
    of_memberships.chain(account.customer_accounts.iter().map(|(organization_id, _)| organization_id))
}
