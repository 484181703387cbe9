//! One start of a subject, and what is measured in it.

use std::time::Duration;

use crate::events::Tokens;
use crate::process::Process;
use crate::processor_share::Limited;
use crate::runtime_api::RuntimeApi;
use crate::subjects::Subject;
use crate::table::{Table, Tally};

/// The work of one start.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Warm events that are not measured, while a runtime still loads or compiles.
    pub settling: usize,
    /// Warm events that are.
    pub events: usize,
    /// Whether the table refuses connections until the subject has started.
    pub late_table: bool,
}

impl Plan {
    /// With a tenth of the warm events, for a subject that takes long.
    fn tenth(self) -> Self {
        Self { settling: self.settling / 10, events: self.events.div_ceil(10), ..self }
    }
}

/// The results of one start.
#[derive(Clone)]
pub struct Sample {
    /// From the start of the process until it asked for its first event.
    pub start: Duration,
    /// The processor time of that.
    pub start_processor: Duration,
    /// The start's calls to the table.
    pub start_tally: Tally,
    /// From the first event to its response.
    pub first: Duration,
    /// The processor time of the first request.
    pub first_processor: Duration,
    /// The warm requests.
    pub warm: Vec<Warm>,
    /// The processor time of a warm request, on average.
    pub processor: Duration,
    /// All calls of the warm requests to the table.
    pub tally: Tally,
    /// The most memory that was ever resident, in bytes.
    pub peak_memory: u64,
}

/// One warm request.
#[derive(Clone, Copy)]
pub struct Warm {
    /// From the event to the response.
    pub total: Duration,
    /// The table's part of that.
    pub table: Duration,
}

/// Starts a subject, lets it answer, and stops it.
pub async fn one_start(
    subject: &Subject,
    tokens: &Tokens,
    table: &Table,
    plan: Plan,
    limited: Option<&Limited>,
) -> Result<Sample, String> {
    let plan = if subject.hashes { plan.tenth() } else { plan };
    let events = match &subject.event {
        Some(event) => event.copies(tokens, 1 + plan.settling + plan.events, subject.tokens)?,
        None => Vec::new(),
    };
    let mut events = events.into_iter();
    let mut runtime_api = RuntimeApi::start().await?;
    table.take_tally();
    table.refuse(plan.late_table);
    let process = Process::start(subject, &runtime_api, table)?;
    let asked = runtime_api.asked().await;
    table.refuse(false);
    let mut sample = Sample {
        start: asked? - process.began,
        start_processor: process.processor_time()?,
        start_tally: table.take_tally(),
        first: Duration::ZERO,
        first_processor: Duration::ZERO,
        warm: Vec::with_capacity(plan.events),
        processor: Duration::ZERO,
        tally: Tally::default(),
        peak_memory: 0,
    };
    if let Some(limited) = limited {
        limited.take_in(process.id())?;
    }
    if let Some(event) = events.next() {
        let before = process.processor_time()?;
        let (answer, first) = runtime_api.invoke(event).await?;
        if let Some(event) = subject.checked_event() {
            event.check(&answer)?;
        }
        sample.first = first;
        runtime_api.asked().await?;
        sample.first_processor = process.processor_time()?.saturating_sub(before);
    }
    for event in events.by_ref().take(plan.settling) {
        runtime_api.invoke(event).await?;
        runtime_api.asked().await?;
    }
    table.take_tally();
    let before = process.processor_time()?;
    for event in events {
        let (_, total) = runtime_api.invoke(event).await?;
        runtime_api.asked().await?;
        let tally = table.take_tally();
        sample.warm.push(Warm { total, table: tally.service });
        sample.tally.calls += tally.calls;
        sample.tally.connections += tally.connections;
        sample.tally.bytes += tally.bytes;
        sample.tally.service += tally.service;
    }
    let requests = u32::try_from(sample.warm.len()).unwrap_or(u32::MAX).max(1);
    sample.processor = process.processor_time()?.saturating_sub(before) / requests;
    sample.peak_memory = process.peak_memory()?;
    process.end().await;
    Ok(sample)
}
