//! Lists that have no index: read from the whole table, page by page, until one page of the console is full.

use std::time::{Duration, Instant};

use operator::table::{OperatorTable, Record, RecordPageStart};
use shared::Error;

use super::layout;

/// How many rows a page shows.
const MAX_ROWS: usize = 50;
/// How long a page continues to read before it shows what it has.
const MAX_TIME: Duration = Duration::from_secs(5);

/// Some rows of a list, and how they were found.
pub(super) struct Reading<T> {
    /// The rows.
    pub(super) rows: Vec<T>,
    /// How.
    pub(super) scan: Scan,
}

/// How rows were found.
#[derive(Default)]
pub(super) struct Scan {
    /// How many items were looked at.
    pub(super) items: usize,
    /// In how many calls.
    pub(super) calls: usize,
    /// What is wrong with items that cannot be read.
    pub(super) broken: Vec<String>,
    /// Whether reading began in the middle.
    pub(super) continued: bool,
    /// Where the list continues.
    next: Option<RecordPageStart>,
}

impl Scan {
    /// The address of the rest of the list, which the page at `path` shows.
    pub(super) fn rest(&self, path: &str, parameters: &[(&str, &str)]) -> Option<String> {
        let after = self.next.as_ref()?.to_string();
        Some(layout::link(path, &[parameters, &[("after", &after)]].concat()))
    }
}

/// Reads from `start` until a page is full. `add` adds a record to the rows, if it belongs there.
pub(super) async fn read<T>(
    table: &OperatorTable,
    start: Option<RecordPageStart>,
    mut add: impl FnMut(&mut Vec<T>, Record),
) -> Result<Reading<T>, Error> {
    let (began, mut rows) = (Instant::now(), Vec::new());
    let mut scan = Scan { continued: start.is_some(), ..Scan::default() };
    let (mut start, mut before) = (start, None);
    loop {
        let page = table.records(start).await?;
        scan.calls += 1;
        for record in page.records {
            let here = RecordPageStart::after(&record);
            if let Record::Broken { why, .. } = &record {
                scan.broken.push(why.clone());
            }
            add(&mut rows, record);
            if rows.len() > MAX_ROWS {
                rows.pop();
                scan.next = before;
                return Ok(Reading { rows, scan });
            }
            scan.items += 1;
            before = here.or(before);
        }
        start = page.next;
        if start.is_none() || began.elapsed() > MAX_TIME {
            scan.next = start;
            return Ok(Reading { rows, scan });
        }
    }
}
