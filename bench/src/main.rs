//! Times the built functions as Lambda would run them, on a Lambda Runtime API and a table of its own on loopback.
//! Compares them with a no-op, a bare client, the same work by hand and in three other languages.

mod answers;
mod chart;
mod events;
mod figures;
mod hash;
mod limits;
mod line_chart;
mod machine;
mod measure;
mod process;
mod processor_share;
mod report;
mod runtime_api;
mod simulation;
mod statistics;
mod subjects;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::answers::DEMO_LIST_LENGTH;
use crate::events::{TokenUse, Tokens};
use crate::figures::Figures;
use crate::limits::Measured;
use crate::measure::{Plan, Sample, one_start};
use crate::processor_share::Limited;
use crate::simulation::Times;
use crate::subjects::{Language, Role, Subject};
use crate::table::{Table, TableSettings};

/// About the time of a call within a region.
const IN_REGION: Duration = Duration::from_millis(3);

/// The functions that list what the table has of a user, and how long the lists are.
const LISTS: [&str; 2] = ["list-customer-associations", "list-organizations"];
const LIST_LENGTHS: [usize; 5] = [1, 10, 100, 1000, 10_000];

/// The function whose work is simulated.
const SIMULATED: &str = "get-profile";

/// Times the built functions as Lambda would run them. Linux only.
#[derive(Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(max_term_width = 100)]
struct Options {
    /// Fewer starts and requests, and no files written
    #[arg(long)]
    short: bool,
    /// Compare with the limits, or with what was reached of them; exit status 1 where one is missed
    #[arg(long)]
    check: bool,
    /// How many times looser the limits are, but for sizes and memory
    #[arg(long, default_value_t = 1.0)]
    margin: f64,
    /// Build the functions with cargo, although target/lambda has them
    #[arg(long)]
    build: bool,
    /// Another build's folder of functions, like target/lambda, to be measured beside it
    #[arg(long)]
    beside: Option<PathBuf>,
    /// The table speaks HTTP without TLS
    #[arg(long)]
    plain: bool,
    /// On one processor, where nothing waits for another to wake up: to compare builds. Processor times
    /// are smaller then, and the same from run to run
    #[arg(long)]
    pinned: bool,
    /// Only subjects whose names contain this; floors are always measured
    #[arg(long)]
    only: Option<String>,
    /// Starts of each subject
    #[arg(long)]
    starts: Option<usize>,
    /// Warm requests of each start; many of them for a profiler
    #[arg(long)]
    events: Option<usize>,
    /// The memory size in MB whose share of a processor first requests are also given
    #[arg(long, default_value_t = 128)]
    memory: u32,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(run(&options)));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How much is measured.
struct Extent {
    starts: usize,
    events: usize,
    in_region_starts: usize,
    in_region_events: usize,
    share_starts: usize,
    list_starts: usize,
}

impl Extent {
    fn new(short: bool) -> Self {
        if short {
            Self {
                starts: 5,
                events: 200,
                in_region_starts: 1,
                in_region_events: 20,
                share_starts: 3,
                list_starts: 1,
            }
        } else {
            Self {
                starts: 15,
                events: 300,
                in_region_starts: 5,
                in_region_events: 60,
                share_starts: 7,
                list_starts: 5,
            }
        }
    }
}

async fn run(options: &Options) -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let tokens = Tokens::load(&root)?;
    let (mut subjects, missing) = subjects::all(&root, &tokens, options.build)?;
    if let Some(folder) = &options.beside {
        subjects.extend(subjects::beside(&root, folder)?);
    }
    if let Some(only) = &options.only {
        subjects.retain(|subject| subject.is_floor() || subject.name.contains(only));
    }
    // After the build, which needs all of them.
    let processors = if options.pinned { machine::pin()? } else { "not pinned" };
    let extent = Extent::new(options.short);
    let starts = options.starts.unwrap_or(extent.starts);
    let rounds = Rounds { tokens: &tokens };
    let table = TableSettings { plain: options.plain, delay: Duration::ZERO, list_length: DEMO_LIST_LENGTH };

    let plan = Plan { settling: 50, events: options.events.unwrap_or(extent.events), late_table: false };
    let all = rounds.run("no delay", &subjects, starts, plan, table, None).await?;
    let verification = limits::verification(&all);
    let own_hash = hash::processor_time()?;
    let plan = Plan { settling: 5, events: extent.in_region_events, late_table: false };
    let requested: Vec<_> = subjects
        .iter()
        .filter(|subject| subject.event.is_some() && subject.tokens == TokenUse::NewEs256)
        .collect();
    let far = TableSettings { delay: IN_REGION, ..table };
    let in_region =
        rounds.run("3 ms", requested.iter().copied(), extent.in_region_starts, plan, far, None).await?;

    let share = processor_share::of_memory(options.memory);
    let limited = Limited::to(share);
    let plan = Plan { settling: 0, events: 0, late_table: false };
    let limit = limited.as_ref().ok();
    let opened =
        rounds.run("share", requested.iter().copied(), extent.share_starts, plan, table, limit).await?;
    let callers = || requested.iter().copied().filter(|subject| subject.role != Role::Noop);
    let plan = Plan { late_table: true, ..plan };
    let late = rounds.run("share, late", callers(), extent.share_starts, plan, table, limit).await?;

    let listing = listing(&subjects);
    let lists = rounds.run_lists(&listing, extent.list_starts, table).await?;
    let verdicts = limits::verdicts(&all, verification, own_hash);
    let mut sections = vec![format!(
        "{}; {}; {processors}; {starts} starts of each, one of each in turn; medians, with the quartiles in \
         brackets.\n",
        machine::date(),
        machine::describe(),
    )];
    let mut section = |title: &str, note: &str, table: String| {
        sections.push(format!("## {title}\n\n{note}\n\n{table}"));
    };
    section(
        "No delay at the table",
        &explain(&subjects, verification, own_hash),
        report::figures(&all, verification),
    );
    section(
        "Each call to the table takes 3 ms longer",
        "About what a call within a region takes.",
        report::in_region(&in_region),
    );
    section(
        &format!("First request on the processor share of {} MB", options.memory),
        &explain_share(&limited, share),
        report::on_a_share(&opened, &late),
    );
    section(
        "Lists",
        "A warm request for a list of so many items, at a table without delay. *calls*: at the table, of a request. \
         *bytes an item*: of the peak memory, beyond that of a list of one.",
        report::lists(&lists),
    );
    section("Limits", "Ratios of medians of this run.", report::verdicts(&verdicts, options.margin));
    let simulated = simulate(&in_region, options);
    if let Some((table, _)) = &simulated {
        let note = format!(
            "With the times at a table that takes 3 ms, on the processor share of {} MB. Random arrivals; an \
             instance is gone after 5 idle minutes; what Lambda does before it starts the process is not in it.",
            options.memory
        );
        section("Cold starts at an arrival rate (simulated)", &note, table.clone());
    }
    if !missing.is_empty() {
        sections.push(format!("Not installed (`bench/peers/install`): {}.\n", missing.join("; ")));
    }
    let text = sections.join("\n");
    println!("{text}");

    if !options.short && options.only.is_none() {
        write(&root.join("bench/results.md"), &format!("# Results of the bench\n\n{text}"))?;
        write(&root.join("bench/results.svg"), &chart::svg(&all))?;
        if let Some((_, chart)) = &simulated {
            write(&root.join("bench/simulation.svg"), chart)?;
        }
    }
    let failed = all.iter().filter(|measured| measured.figures.is_none()).count();
    let missed = verdicts.iter().filter(|verdict| !verdict.is_kept(options.margin)).count();
    if options.check {
        println!("{missed} limits missed, {failed} subjects failed");
    }
    Ok(!options.check || missed + failed == 0)
}

/// The subjects that list, with a list of each length.
fn listing(subjects: &[Subject]) -> Vec<(usize, Vec<Subject>)> {
    let lists = |subject: &&Subject| {
        LISTS.contains(&subject.work()) && matches!(subject.role, Role::Fair | Role::Function)
    };
    let of_length = |length| {
        let subjects = subjects.iter().filter(lists).cloned();
        subjects
            .map(|subject| Subject { event: subject.event.map(|event| event.listing(length)), ..subject })
            .collect()
    };
    LIST_LENGTHS.into_iter().map(|length| (length, of_length(length))).collect()
}

/// The simulation's table and chart, of one function's work in all languages.
fn simulate(in_region: &[Measured], options: &Options) -> Option<(String, String)> {
    let share = processor_share::of_memory(options.memory);
    let mut table = report::Table::new(&["", "requests/s", "cold %", "p50 ms", "p99 ms", "$ per million"]);
    let mut lines = Vec::new();
    let is_simulated = |subject: &Subject| subject.work() == SIMULATED && !subject.is_floor();
    for measured in in_region.iter().filter(|measured| is_simulated(measured.subject)) {
        let times = Times::on_share(&measured.figures?, share)?;
        let (name, class) = match measured.subject.role {
            Role::Peer(Language::Go, _) => ("Go", "a"),
            Role::Peer(Language::Python, _) => ("Python", "b"),
            Role::Peer(Language::Node, _) => ("Node", "c"),
            _ => ("Rust", "ours"),
        };
        let outcomes = simulation::RATES.map(|rate| (rate, times.at_rate(rate, options.memory)));
        for (rate, outcome) in outcomes {
            table.row(vec![
                name.to_owned(),
                rate.to_string(),
                format!("{:.2}", outcome.cold * 100.0),
                format!("{:.1}", outcome.p50),
                format!("{:.1}", outcome.p99),
                format!("{:.2}", outcome.cost),
            ]);
        }
        let values = outcomes.iter().map(|(_, outcome)| outcome.p99).collect();
        lines.push(line_chart::Line { name, class, values });
    }
    let note = format!("measured times, each call 3 ms, on the processor share of {} MB", options.memory);
    (!lines.is_empty()).then(|| (table.render(), line_chart::svg(&lines, &note)))
}

fn explain_share(limited: &Result<Limited, String>, share: f64) -> String {
    let how = match limited {
        Ok(_) => format!("By cgroup, from the end of the start on: {:.1} % of a processor.", share * 100.0),
        Err(why) => {
            format!("No share could be given here ({why}): full speed; CPU / {share:.3} is the least.")
        }
    };
    format!("{how} Without the connection, the table refuses until the function has started.")
}

fn explain(subjects: &[Subject], verification: f64, own_hash: f64) -> String {
    let functions: Option<&PathBuf> = subjects
        .iter()
        .find(|subject| matches!(subject.role, Role::Function))
        .map(|subject| &subject.program);
    let built = match functions {
        Some(program) if program.ends_with("bootstrap") => "`target/lambda`, by cargo-lambda",
        _ => "`target/release`, by cargo",
    };
    format!(
        "Functions of {built}. *table*: from the first byte of a call to the last of its answer, at the table. \
         *ours*: a warm request without the table, the bare client's time for as many calls, and {verification:.0} µs \
         for the token's ES256 signature if it is verified. *CPU*: user and system, of the start and of a warm request; \
         */ by hand*: in terms of the same work by hand, or of other work with as many calls. *calls*: at the table, \
         those of the start and of a request; *bytes*: on the wire, of a request. Every request has another token, \
         signed by ES256, unless the name says otherwise. A password's hash in the bench itself: {own_hash:.0} µs \
         of CPU."
    )
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Rounds of starts.
struct Rounds<'a> {
    tokens: &'a Tokens,
}

impl Rounds<'_> {
    /// One start of each subject per round, so that disturbances affect all subjects alike. A subject that fails is
    /// reported and then left out.
    async fn run<'a>(
        &self,
        what: &str,
        subjects: impl IntoIterator<Item = &'a Subject>,
        starts: usize,
        plan: Plan,
        table: TableSettings,
        limited: Option<&Limited>,
    ) -> Result<Vec<Measured<'a>>, String> {
        let table = Table::start(table, &self.tokens.jwks).await?;
        let mut subjects: Vec<(&Subject, Result<Vec<Sample>, String>)> =
            subjects.into_iter().map(|subject| (subject, Ok(Vec::new()))).collect();
        for round in 1..=starts {
            eprint!("\r{what}: round {round} of {starts} ");
            for (subject, samples) in &mut subjects {
                let Ok(taken) = samples else { continue };
                match one_start(subject, self.tokens, &table, plan, limited).await {
                    Ok(sample) => taken.push(sample),
                    Err(why) => {
                        eprintln!("\n{} failed: {why} (see {})", subject.name, subject.log.display());
                        *samples = Err(why);
                    }
                }
            }
        }
        eprintln!();
        let measured = subjects.into_iter().map(|(subject, samples)| Measured {
            subject,
            figures: samples.ok().and_then(|samples| Figures::of(&samples)),
        });
        Ok(measured.collect())
    }

    /// The same with lists of each length.
    async fn run_lists<'a>(
        &self,
        listing: &'a [(usize, Vec<Subject>)],
        starts: usize,
        table: TableSettings,
    ) -> Result<Vec<(usize, Vec<Measured<'a>>)>, String> {
        let plan = Plan { settling: 2, events: 10, late_table: false };
        let mut lists = Vec::new();
        for (length, subjects) in listing {
            let table = TableSettings { list_length: *length, ..table };
            let measured =
                self.run(&format!("lists of {length}"), subjects, starts, plan, table, None).await?;
            lists.push((*length, measured));
        }
        Ok(lists)
    }
}
