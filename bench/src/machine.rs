//! The machine and the time of a run, in words, and its processors.

use std::fs;
use std::process::Command;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Pins this thread and everything that it starts to the last processor that it may use. Says so.
pub fn pin() -> Result<&'static str, String> {
    let fault = |error| format!("no processor to itself: {error}");
    let all = sched_getaffinity(None).map_err(fault)?;
    let last = (0..CpuSet::MAX_CPU).rev().find(|&processor| all.is_set(processor));
    let mut one = CpuSet::new();
    one.set(last.ok_or("no processor")?);
    sched_setaffinity(None, &one).map_err(fault)?;
    Ok("pinned to one")
}

/// Processor, cores, memory, system.
pub fn describe() -> String {
    let processor = processor();
    let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = cores.lines().filter(|line| line.starts_with("processor")).count();
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes / (1024 * 1024));
    let system = output("uname", &["-srm"]).unwrap_or_default();
    format!("{processor}, {cores} cores, {memory} GiB, {system}")
}

/// The processor's name. On x86 with its family and model: a hypervisor may give a name without a number.
fn processor() -> String {
    let name = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    match (field("/proc/cpuinfo", "cpu family"), field("/proc/cpuinfo", "model\t")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name,
    }
}

/// The date and time in UTC.
pub fn date() -> String {
    output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_default()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) = text.lines().find(|line| line.starts_with(name))?.split_once(':')?;
    Some(value.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
