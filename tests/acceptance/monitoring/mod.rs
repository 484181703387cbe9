//! Monitoring, simulated: when each alarm of `template.yaml` fires and clears, whether a canary is stopped, and what it
//! costs. `cargo accept monitoring` writes the tables of docs/operations.md.
//!
//! - [`template`] reads the template as `CloudFormation` would.
//! - [`lines`] gets real log lines from the functions.
//! - [`traffic`] makes a stack's minutes of them, with a fault; [`metrics`] counts what the template's filters find.
//! - [`alarms`] evaluates as `CloudWatch` documents it, with [`expression`] for formulas.
//! - [`costs`] multiplies what the template has by the prices.

mod alarms;
mod costs;
mod expression;
mod lines;
mod metrics;
mod random;
mod template;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use alarms::{Alarm, LowSamples, State};
use lines::Outcome;
use metrics::Metric;
use serde_json::Value;
use template::Template;
use traffic::{Fault, Plan, Stack, median};
use users::local::ENDPOINTS;

use crate::endpoints::assert_table;

const PAGE: &str = "docs/operations.md";
/// Requests a minute.
const RATES: [f64; 3] = [1.0, 30.0, 3000.0];
/// Each simulation is done so often, each time with other arrivals.
const RUNS: u64 = 9;
/// The fault's beginning and end, and the end of the simulation, in minutes.
const FAULT: std::ops::Range<u32> = 60..180;
const END: u32 = 300;
/// Before, the first points are not complete.
const FIRST_EVALUATED: u32 = 50;

/// The faults that an alarm is for.
fn faults(alarm: &Alarm) -> Vec<(Fault, &'static str)> {
    match kind(&alarm.name) {
        "errors" => vec![
            (Fault::Defects, "each answer is a 500"),
            (Fault::Crashes, "each invocation crashes or times out"),
        ],
        "slow" => vec![(Fault::Slow(2.0 * alarm.threshold), "each request takes twice the threshold")],
        "orphaned-claims" => vec![(Fault::OrphanedClaim, "one request meets an orphaned claim")],
        "api-5xx" => vec![(Fault::TableAway, "the table is away: each answer is a 503")],
        "functions-throttled" => vec![(Fault::Throttled, "Lambda starts no instance")],
        "table-throttled" => vec![(Fault::TableThrottled, "the table refuses each call once")],
        "signing-keys-old" => vec![
            (Fault::ProviderDown, "the identity provider is down"),
            (Fault::NoRefresh, "refresh-signing-keys does not run"),
        ],
        "refresh-failures" => vec![
            (Fault::ProviderDown, "the identity provider is down"),
            (Fault::RefreshCrashes, "each run crashes"),
        ],
        other => panic!("tests/acceptance/monitoring/mod.rs: no fault is known for the alarm {other}"),
    }
}

/// The function that has an alarm of its own, if it is one.
fn function(alarm: &str) -> Option<&'static str> {
    let names = ENDPOINTS.iter().map(|endpoint| endpoint.name);
    names.into_iter().find(|name| alarm.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))
}

/// An alarm's name without its function's.
fn kind(alarm: &str) -> &str {
    function(alarm).map_or(alarm, |function| &alarm[function.len() + 1..])
}

/// The function that gets the traffic.
fn subject(alarm: &str) -> &'static str {
    function(alarm).unwrap_or(if alarm == "orphaned-claims" { "create-user" } else { "get-profile" })
}

/// How many minutes after a fault's beginning an alarm fires, and how many after its end it clears.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Run {
    fires: Option<u32>,
    clears: Option<u32>,
}

fn simulate(plan: &Plan, alarm: &Alarm, fault: Fault, rate: f64, seed: u64) -> (Run, BTreeSet<Metric>) {
    let mut stack = Stack::new(plan, subject(&alarm.name), rate, seed);
    // One request is over at once.
    let end = if fault == Fault::OrphanedClaim { FAULT.start + 1 } else { FAULT.end };
    let mut run = Run { fires: None, clears: None };
    let mut state = State::Ok;
    for minute in 0..END {
        let now = if (FAULT.start..end).contains(&minute) { fault } else { Fault::None };
        stack.pass(minute, now, minute == FAULT.start);
        let waits_for_the_end = run.fires.is_some() && minute < end;
        if minute < FIRST_EVALUATED || waits_for_the_end {
            continue;
        }
        // At the minute's end.
        state = alarm.evaluate(&stack.metrics, minute + 1, state);
        if state == State::Alarm && run.fires.is_none() {
            assert!(minute >= FAULT.start, "{} fires without a fault", alarm.name);
            run.fires = Some(minute + 1 - FAULT.start);
        } else if state == State::Ok && run.fires.is_some() {
            run.clears = Some(minute + 1 - end);
            break;
        }
    }
    (run, stack.metrics.written())
}

fn shown(runs: &[Run]) -> String {
    let fires: Vec<_> = runs.iter().filter_map(|run| run.fires).collect();
    let clears: Vec<_> = runs.iter().filter_map(|run| run.clears).collect();
    let Some(median_fires) = median(fires.clone()) else { return "never".to_owned() };
    let clears = median(clears).map_or_else(|| "at once".to_owned(), |minutes| format!("{minutes}"));
    let share = if fires.len() == runs.len() {
        String::new()
    } else {
        format!(" in {} of {} runs", fires.len(), runs.len())
    };
    format!("{median_fires}{share}; {clears}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_alarm_fires_at_its_fault_and_clears() {
    let template = Template::of("prod");
    let plan = Plan::new(&template).await;
    let alarms = Alarm::all(&template);
    let mut written = BTreeSet::new();
    let mut rows: BTreeMap<(String, &str), Vec<Vec<Run>>> = BTreeMap::new();
    for alarm in &alarms {
        for (fault, described) in faults(alarm) {
            let name = match function(&alarm.name) {
                Some(_) => format!("`<function>-{}`", kind(&alarm.name)),
                None => format!("`{}`", alarm.name),
            };
            let of_another_function = rows.get(&(name.clone(), described));
            // One run shows whether a function's alarm is as that of another.
            let runs = if of_another_function.is_some() { 1 } else { RUNS };
            let at_rate = |rate: &f64| {
                let runs =
                    (0..runs).map(|seed| simulate(&plan, alarm, fault, *rate, seed)).map(|(run, metrics)| {
                        written.extend(metrics);
                        run
                    });
                runs.collect::<Vec<_>>()
            };
            let runs: Vec<Vec<Run>> = RATES.iter().map(at_rate).collect();
            let is_sure = |runs: &Vec<Run>| runs.iter().all(|run| run.fires.is_some());
            assert!(runs.iter().any(is_sure), "{} fires at no traffic although {described}", alarm.name);
            let never_clears = |run: &&Run| run.fires.is_some() && run.clears.is_none();
            assert_eq!(runs.iter().flatten().find(never_clears), None, "{} never clears", alarm.name);
            match of_another_function {
                Some(others) => {
                    let firsts: Vec<_> = others.iter().map(|runs| vec![runs[0]]).collect();
                    assert_eq!(runs, firsts, "{}: not as that of another function", alarm.name);
                }
                None => drop(rows.insert((name, described), runs)),
            }
        }
    }
    let unwritten: Vec<_> = alarms
        .iter()
        .flat_map(|alarm| alarm.metrics().into_iter().map(|metric| (&alarm.name, metric)))
        .filter(|(_, metric)| !written.contains(metric))
        .filter(|(_, metric)| !is_like_another(metric, &template))
        .collect();
    assert!(unwritten.is_empty(), "alarms on metrics that nobody writes: {unwritten:#?}");
    let row = |((name, described), runs): (&(String, &str), &Vec<Vec<Run>>)| {
        let cells: Vec<_> = runs.iter().map(|runs| shown(runs)).collect();
        format!("| {name} | {described} | {} |", cells.join(" | "))
    };
    let due: Vec<_> = rows.iter().map(row).collect();
    assert_table(PAGE, "| alarm | fault | 1 request a minute | 30 | 3,000 |", &due);
}

/// Lambda counts the throttles of each function, and `DynamoDB` reads and writes. The simulation has one of each.
fn is_like_another(metric: &Metric, template: &Template) -> bool {
    match &*metric.name {
        "Throttles" => template.function_names().contains(&metric.dimensions["FunctionName"]),
        name => name == "WriteThrottleEvents",
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_alarm_fires_in_half_a_day_without_a_fault() {
    let template = Template::of("prod");
    let plan = Plan::new(&template).await;
    let alarms = Alarm::all(&template);
    for rate in RATES {
        let mut stack = Stack::new(&plan, "get-profile", rate, 1);
        for minute in 0..720 {
            stack.pass(minute, Fault::None, false);
            for alarm in alarms.iter().filter(|_| minute >= FIRST_EVALUATED) {
                let state = alarm.evaluate(&stack.metrics, minute + 1, State::Ok);
                assert_eq!(state, State::Ok, "{} at {rate} a minute, minute {minute}", alarm.name);
            }
        }
    }
}

/// The fault of 831d58e that this model was made for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_percentile_that_ignores_low_samples_never_fires_at_30_a_minute() {
    let template = Template::of("prod");
    let plan = Plan::new(&template).await;
    let mut alarms = Alarm::all(&template);
    let slow = alarms.iter_mut().find(|alarm| alarm.name == "get-profile-slow").unwrap();
    let fires = |alarm: &Alarm, rate| simulate(&plan, alarm, Fault::Slow(5000.0), rate, 1).0.fires;
    assert!(fires(slow, 30.0).is_some());
    slow.low_samples = LowSamples::Ignore;
    assert_eq!(fires(slow, 30.0), None);
    assert!(fires(slow, 3000.0).is_some());
}

/// Requests a minute to one function.
const CANARY_RATES: [f64; 6] = [1.0, 5.0, 10.0, 30.0, 300.0, 3000.0];
const CANARIES: u32 = 100;
/// How much of the traffic a canary gets.
const CANARY: f64 = 0.1;
/// From this rate on the brake is to work.
const BRAKE_WORKS_FROM: f64 = 30.0;

/// What a new version makes of so many requests in a minute.
type NewVersion = fn(&mut Stack<'_>, minute: u32, requests: u32);

/// In how many of [`CANARIES`] an alarm fires before the canary is over, and the median of the minutes until then.
fn stopped(plan: &Plan, brake: &[&Alarm], rate: f64, minutes: u32, new: NewVersion) -> (u32, Option<u32>) {
    let begin = 20;
    let canaries = (0..CANARIES).filter_map(|seed| {
        let mut stack = Stack::new(plan, subject(&brake[0].name), rate, seed.into());
        (begin..begin + minutes).find_map(|minute| {
            let (old, of_new) = (stack.arrivals(rate * (1.0 - CANARY)), stack.arrivals(rate * CANARY));
            stack.answer(minute, old, Outcome::Answered, 15.0);
            new(&mut stack, minute, of_new);
            let fires =
                |alarm: &&Alarm| alarm.evaluate(&stack.metrics, minute + 1, State::Ok) == State::Alarm;
            brake.iter().any(fires).then_some(minute + 1 - begin)
        })
    });
    let after: Vec<_> = canaries.collect();
    (after.len().try_into().unwrap(), median(after))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_brake_stops_a_bad_version_from_30_requests_a_minute_on() {
    let template = Template::of("prod");
    let plan = Plan::new(&template).await;
    let alarms = Alarm::all(&template);
    let function = template.resources("AWS::Serverless::Function");
    let (_, get_profile) = function.iter().find(|(id, _)| id == "GetProfileFunction").unwrap();
    let brake = brake(&alarms, &get_profile["DeploymentPreference"]["Alarms"]);
    assert_eq!(brake.len(), 2);
    // The minutes of the canaries that must be stopped, and what the new version does.
    let faults: [(&[u32], NewVersion); 4] = [
        (&[5, 10], |stack, minute, requests| stack.answer(minute, requests, Outcome::Defect, 15.0)),
        (&[5, 10], |stack, minute, requests| stack.crash(minute, requests)),
        (&[10], |stack, minute, requests| {
            stack.answer(minute, requests / 2, Outcome::Defect, 15.0);
            stack.answer(minute, requests - requests / 2, Outcome::Answered, 15.0);
        }),
        (&[10], |stack, minute, requests| stack.answer(minute, requests, Outcome::Answered, 5000.0)),
    ];
    let mut rows = Vec::new();
    for rate in CANARY_RATES {
        let mut cells = Vec::new();
        for minutes in [10, 5] {
            for (bound, new) in faults {
                let (stopped, after) = stopped(&plan, &brake, rate, minutes, new);
                assert!(
                    !bound.contains(&minutes) || rate < BRAKE_WORKS_FROM || stopped >= 95,
                    "{stopped} of {CANARIES} canaries of {minutes} minutes are stopped at {rate} a minute"
                );
                let after = after.map_or_else(String::new, |after| format!(" ({after})"));
                cells.push(format!("{stopped} %{after}"));
            }
        }
        rows.push(format!("| {} | {} |", costs::thousands(rate), cells.join(" | ")));
    }
    let (ten, five) = (
        "10 min: all 500 | all crash | half 500 | all slow",
        "5 min: all 500 | all crash | half 500 | all slow",
    );
    assert_table(PAGE, &format!("| requests a minute | {ten} | {five} |"), &rows);
}

/// The alarms that a deployment looks at, by their logical ids.
fn brake<'a>(alarms: &'a [Alarm], ids: &Value) -> Vec<&'a Alarm> {
    let ids = ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_lowercase());
    let of_id = |id: String| {
        alarms.iter().find(|alarm| format!("{}alarm", alarm.name.replace('-', "")) == id).unwrap()
    };
    ids.map(of_id).collect()
}
