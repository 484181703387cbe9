//! `users doctor`

mod clock;
mod invariants;
mod keys;
mod report;
mod settings;
mod table;
mod token;
mod trail;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use shared::App;
use shared::app::AppSettings;
use shared::clock::Clock;
use shared::model::UserId;
use shared::table::Table;

use super::{Failure, Output, TableArguments, parse, question};
use report::{Check, Report, State};
use settings::Settings;

#[derive(Args)]
pub(super) struct Doctor {
    /// The functions' settings, NAME=value lines or JSON as AWS gives them; `-` for standard input. Default: those of
    /// the local system, or for another table the environment
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// An access token to explain; `-` for standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Read the whole table and look for inconsistencies
    #[arg(long)]
    scan: bool,
    /// Show only who created this user, who added the user to which organization, and when
    #[arg(long, value_name = "ID", value_parser = parse::<UserId>)]
    #[arg(conflicts_with_all = ["settings", "token_file", "scan", "repair"])]
    user: Option<UserId>,
    /// With --user: log lines of the functions, which also name the requests; `-` for standard input
    #[arg(long, value_name = "FILE", requires = "user")]
    log_file: Option<PathBuf>,
    #[command(flatten)]
    repairing: Repairing,
    #[command(flatten)]
    table: TableArguments,
}

/// What is done about what a scan finds.
#[derive(Args)]
struct Repairing {
    /// Repair what a scan finds, without losing data
    #[arg(long)]
    repair: bool,
    /// With --repair: also delete what belongs to a user or an organization that is not there; nothing brings it back
    #[arg(long, requires = "repair")]
    delete_orphans: bool,
    /// Repair without asking
    #[arg(long, requires = "repair")]
    yes: bool,
}

/// What to examine.
struct Patient {
    table: operator::table::OperatorTable,
    is_local: bool,
    clock: Clock,
    scan: Scan,
    delete_orphans: bool,
}

/// What to do with the table's items.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scan {
    /// Nothing.
    None,
    /// Check them.
    Look,
    /// Check them, and repair them if a person agrees.
    AskAndRepair,
    /// Check and repair them.
    Repair,
}

pub(super) async fn run(arguments: Doctor, output: Output) -> Result<(), Failure> {
    let Doctor { settings: settings_file, token_file, scan, user, log_file, repairing, table } = arguments;
    if let Some(user) = user {
        return trail::show(&user, log_file.as_deref(), &table.open().await?, output).await;
    }
    let Repairing { repair, delete_orphans, yes } = repairing;
    let both = [&settings_file, &token_file].into_iter().flatten().filter(|file| is_stdin(file)).count();
    if both > 1 {
        return Err(Failure::refused("standard input can be the settings or the token, not both"));
    }
    let can_ask = both == 0 && question::can_be_asked(output);
    if repair && !yes && !can_ask {
        return Err(Failure::refused("--repair cannot ask here: give --yes too"));
    }
    let is_local = table.is_local();
    let token = token_file.as_deref().map(read).transpose()?;
    let settings = match settings_file {
        Some(file) => Settings::of_text(&read(&file)?)
            .map_err(|why| Failure::refused(format!("{}: {why}", file.display())))?,
        None if is_local => Settings::OfTheLocalSystem,
        None => Settings::OfTheEnvironment,
    };
    let table = table.open().await?;
    let clock = Clock::system();
    let scan = match (scan, repair, yes) {
        (_, true, true) => Scan::Repair,
        (_, true, false) => Scan::AskAndRepair,
        (true, false, _) => Scan::Look,
        (false, false, _) => Scan::None,
    };
    let patient = Patient { table, is_local, clock, scan, delete_orphans };

    let mut report = Report::default();
    let examined = patient.examine(&settings, token.as_deref(), output, &mut report).await;
    if let Err(failure) = &examined {
        let unfinished = Check::new("table", State::Wrong, failure.to_string());
        report.add(
            unfinished
                .advise("run the command again when the table can be used: not everything was looked at"),
        );
    }
    report.print(output)?;
    examined?;
    report.verdict()
}

impl Patient {
    /// Ends early if the table cannot be used.
    async fn examine(
        &self,
        settings: &Settings,
        token: Option<&str>,
        output: Output,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let config = settings.check(self.table.name(), report);
        // Before all other calls: DynamoDB refuses calls if the clock is too far off.
        report.add(clock::check(self.table.clock_skew(&self.clock).await));
        let Some(description) = table::check(&self.table, self.is_local, report).await? else {
            return Ok(());
        };
        let max_age = config.as_ref().and_then(|config| config.tokens.as_ref());
        let max_age = max_age.map(|tokens| tokens.signing_keys_max_age);
        match settings.signing_keys(self.table.name()).filter(|_| config.is_some()) {
            Some(jwks) => keys::check_inline(&jwks, report),
            None => keys::check_stored(&self.table, self.is_local, max_age, self.clock.now(), report).await?,
        }
        match (token, config) {
            (None, _) => {}
            (Some(token), Some(config)) => {
                // The question is what the token opens, not where it came through.
                let config = AppSettings { front: None, ..config };
                let app = App::new(config, Table::clone(&self.table), self.clock.clone());
                token::check(&app, token, report).await;
            }
            (Some(_), None) => {
                report.add(
                    Check::new("token", State::Warning, "not looked at: the settings are wrong or unknown")
                        .advise("give the settings with --settings"),
                );
            }
        }
        invariants::check(self, &description, output, report).await
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// The text of a file, or of standard input.
fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if is_stdin(file) {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|error| Failure::refused(format!("cannot read {}: {error}", file.display())))?;
    Ok(text)
}
