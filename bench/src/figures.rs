//! The figures of a subject, from all its starts. Times in microseconds, sizes in bytes.

use crate::measure::Sample;
use crate::statistics::{Summary, micros, percentile, sorted};

/// The figures of a subject.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// From the start of the process until it asks for its first event.
    pub start: Summary,
    /// From the first event to its response.
    pub first: Summary,
    /// The processor time of the first request.
    pub first_processor: Summary,
    /// The processor time of that.
    pub start_processor: Summary,
    /// Calls to the table at the start.
    pub start_calls: Summary,
    /// Warm requests; `None` if none was made.
    pub warm: Option<WarmFigures>,
    /// The most memory that was ever resident.
    pub peak_memory: Summary,
}

/// The figures of warm requests.
#[derive(Clone, Copy, Debug)]
pub struct WarmFigures {
    /// The median of all, with the quartiles of the starts' medians.
    pub p50: Summary,
    /// The 99th percentile of all.
    pub p99: f64,
    /// The median time of a request without the table's part.
    pub besides_table: f64,
    /// The median of the table's part of a request.
    pub table: f64,
    /// The processor time of a request.
    pub processor: Summary,
    /// Calls to the table per request.
    pub calls: f64,
    /// Bytes to and from the table per request.
    pub bytes: f64,
}

impl Figures {
    /// Of a subject's starts; `None` if there were none.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let summary = |value: fn(&Sample) -> f64| Summary::of(samples.iter().map(value));
        Some(Self {
            start: summary(|sample| micros(sample.start))?,
            first: summary(|sample| micros(sample.first))?,
            first_processor: summary(|sample| micros(sample.first_processor))?,
            start_processor: summary(|sample| micros(sample.start_processor))?,
            start_calls: summary(|sample| f64::from(sample.start_tally.calls))?,
            warm: WarmFigures::of(samples),
            #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
            peak_memory: summary(|sample| sample.peak_memory as f64)?,
        })
    }
}

impl WarmFigures {
    fn of(samples: &[Sample]) -> Option<Self> {
        let warm = || samples.iter().flat_map(|sample| &sample.warm);
        let all = sorted(warm().map(|request| micros(request.total)));
        let median_of = |values: Vec<f64>| percentile(&values, 0.5);
        let of_starts = samples
            .iter()
            .filter_map(|sample| median_of(sorted(sample.warm.iter().map(|request| micros(request.total)))));
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let requests = all.len() as f64;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let bytes = samples.iter().map(|sample| sample.tally.bytes).sum::<u64>() as f64;
        let calls = samples.iter().map(|sample| sample.tally.calls).sum::<u32>();
        Some(Self {
            p50: Summary { median: percentile(&all, 0.5)?, ..Summary::of(of_starts)? },
            p99: percentile(&all, 0.99)?,
            besides_table: median_of(sorted(
                warm().map(|request| micros(request.total.saturating_sub(request.table))),
            ))?,
            table: median_of(sorted(warm().map(|request| micros(request.table))))?,
            processor: Summary::of(samples.iter().map(|sample| micros(sample.processor)))?,
            calls: f64::from(calls) / requests,
            bytes: bytes / requests,
        })
    }
}
