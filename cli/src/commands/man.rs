//! `users man`

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::roff::{Roff, roman};
use serde::Serialize;

use super::{Arguments, EXIT_STATUS, Failure, Output, print_exactly};
use crate::files::OutputKind;

#[derive(Args)]
pub(super) struct Man {
    /// Write a page for each command into this directory, and print none
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the pages of another version
    #[arg(long, requires = "out")]
    force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    name: String,
    page: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    file: String,
}

pub(super) fn run(arguments: &Man, output: Output) -> Result<(), Failure> {
    let pages = pages().map_err(|error| Failure::refused(format!("cannot make the page: {error}")))?;
    match &arguments.out {
        Some(directory) => output.records(&written(&pages, directory, arguments.force)?, &["File"]),
        None => match pages.first() {
            Some(page) if output.json => output.record(page),
            Some(page) => print_exactly(page.page.trim_end()),
            None => Ok(()),
        },
    }
}

const KIND: OutputKind = OutputKind {
    name: "a manual page of users",
    is_one: |head| String::from_utf8_lossy(head).lines().any(|line| line.starts_with(".TH users")),
};

fn written(pages: &[Page], directory: &Path, force: bool) -> Result<Vec<File>, Failure> {
    let cannot = |path: &Path, error| Failure::refused(format!("cannot write {}: {error}", path.display()));
    std::fs::create_dir_all(directory).map_err(|error| cannot(directory, error))?;
    let path = |page: &Page| directory.join(&page.name);
    let is_there = |page: &&Page| std::fs::read(path(page)).is_ok_and(|text| text == page.page.as_bytes());
    let missing: Vec<_> = pages.iter().filter(|page| !is_there(page)).collect();
    // All are checked before the first is written.
    for page in &missing {
        KIND.check(&path(page), &[], force).map_err(Failure::refused)?;
    }
    for page in missing {
        let path = path(page);
        write(&path, page.page.as_bytes()).map_err(|error| cannot(&path, error))?;
    }
    Ok(pages.iter().map(|page| File { file: path(page).display().to_string() }).collect())
}

/// Writes a file that everybody may read, in place of one that was checked.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::File::create_new(path)?.write_all(content)
}

/// The pages of `users` and of each of its commands, `users` first.
fn pages() -> io::Result<Vec<Page>> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut commands = vec![&command];
    while let Some(command) = commands.pop() {
        pages.push(page(command)?);
        commands.extend(command.get_subcommands().collect::<Vec<_>>().into_iter().rev());
    }
    Ok(pages)
}

/// A page as clap makes it. Examples, exit statuses and environment are only text for clap, so they are added here.
fn page(command: &Command) -> io::Result<Page> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = clap_mangen::Man::new(command.clone()).title(&name).source(SOURCE);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::default();
    rest.control("SH", ["EXAMPLES"]).control("nf", []);
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for example in help.lines().filter(|line| line.starts_with("  ")) {
        rest.text([roman(example.strip_prefix("  ").unwrap_or(example))]);
    }
    rest.control("fi", []);
    rest.control("SH", ["EXIT STATUS"]).text([roman(EXIT_STATUS)]);
    rest.control("SH", ["ENVIRONMENT"]).text([roman(ENVIRONMENT)]);
    rest.to_writer(&mut page)?;
    Ok(Page { name: format!("{name}.1"), page: String::from_utf8_lossy(&page).into_owned() })
}

const SOURCE: &str = concat!("users ", env!("CARGO_PKG_VERSION"));

const ENVIRONMENT: &str = "USERS_ENDPOINT_URL, USERS_TABLE and USERS_DATA_DIR stand for --endpoint-url, --table and \
                           --data-dir. Colours and bold are for terminals alone; NO_COLOR and CLICOLOR=0 turn them off there, \
                           CLICOLOR_FORCE=1 turns them on elsewhere.";
