//! The results as tables: of Markdown, aligned, so that they read well on a terminal too.

use std::fmt::Write as _;

use crate::limits::{Measured, Verdict, fair, our_time};
use crate::statistics::Summary;

/// A table of Markdown. The first column is text, the others are numbers.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads.
    pub fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|&head| head.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table.
    pub fn render(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
            })
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let _ = if column == 0 {
                    write!(text, "| {cell:<width$} ")
                } else {
                    write!(text, "| {cell:>width$} ")
                };
            }
            text.push_str("|\n");
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let _ = if column == 0 {
                        write!(text, "|{:-<1$}", "", width + 2)
                    } else {
                        write!(text, "|{:-<1$}:", "", width + 1)
                    };
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// Everything about every subject at a table without delay.
pub fn figures(all: &[Measured], verification: f64) -> String {
    let mut table = Table::new(&[
        "",
        "start ms",
        "CPU ms",
        "first ms",
        "warm p50 µs",
        "p99 µs",
        "table µs",
        "ours µs",
        "CPU µs",
        "/ by hand",
        "RSS MB",
        "calls: start",
        "request",
        "bytes",
        "binary MB",
        "zip MB",
    ]);
    for measured in all {
        let Some(figures) = &measured.figures else { continue };
        let warm = figures.warm.as_ref();
        let cell = |value: Option<f64>, digits| value.map_or_else(String::new, |value| number(value, digits));
        let size = |bytes: Option<u64>| {
            #[expect(clippy::cast_precision_loss, reason = "below 2^52")]
            cell(bytes.map(|bytes| bytes as f64 / 1e6), 2)
        };
        table.row(vec![
            measured.subject.name.to_owned(),
            spread(figures.start, 1e3, 2),
            spread(figures.start_processor, 1e3, 2),
            figures.warm.map_or_else(String::new, |_| spread(figures.first, 1e3, 2)),
            warm.map_or_else(String::new, |warm| spread(warm.p50, 1.0, 0)),
            cell(warm.map(|warm| warm.p99), 0),
            cell(warm.map(|warm| warm.table), 0),
            cell(our_time(measured, all, verification), 0),
            warm.map_or_else(String::new, |warm| spread(warm.processor, 1.0, 0)),
            cell(beside_fair(measured, all), 2),
            spread(figures.peak_memory, 1e6, 1),
            number(figures.start_calls.median, 0),
            cell(warm.map(|warm| warm.calls), 0),
            cell(warm.map(|warm| warm.bytes), 0),
            size(measured.subject.sizes.map(|sizes| sizes.unpacked)),
            size(measured.subject.sizes.map(|sizes| sizes.zipped)),
        ]);
    }
    table.render()
}

/// A function's processor time of a warm request, in terms of the same work by hand.
fn beside_fair(measured: &Measured, all: &[Measured]) -> Option<f64> {
    if measured.subject.is_floor() || measured.subject.hashes {
        return None;
    }
    let fair = fair(measured, all)?.figures?.warm?;
    Some(measured.figures?.warm?.processor.median / fair.processor.median)
}

/// Lists of several lengths: each length with its results, the shortest first.
pub fn lists(all: &[(usize, Vec<Measured>)]) -> String {
    let mut table = Table::new(&[
        "",
        "items",
        "CPU µs",
        "by hand",
        "/ by hand",
        "calls",
        "RSS MB",
        "by hand",
        "bytes an item",
        "by hand",
    ]);
    let peak = |measured: &Measured| Some(measured.figures?.peak_memory.median);
    let cell = |value: Option<f64>, digits| value.map_or_else(String::new, |value| number(value, digits));
    let Some((shortest, at_shortest)) = all.first() else { return table.render() };
    for (place, function) in at_shortest.iter().enumerate().filter(|(_, it)| !it.subject.is_floor()) {
        for (length, results) in all {
            let Some(measured) = results.get(place) else { continue };
            let Some(warm) = measured.figures.and_then(|figures| figures.warm) else { continue };
            let by_hand = fair(measured, results);
            let per_item = |now: Option<f64>, at_shortest: Option<f64>| {
                #[expect(clippy::cast_precision_loss, reason = "a small number")]
                let more = (length - shortest) as f64;
                // Less is lost among the pages of other memory.
                if more < 500.0 { None } else { Some((now? - at_shortest?) / more) }
            };
            let by_hand_at_shortest = fair(function, at_shortest).and_then(peak);
            table.row(vec![
                function.subject.work().to_owned(),
                number_of(*length),
                number(warm.processor.median, 0),
                cell(by_hand.and_then(|it| Some(it.figures?.warm?.processor.median)), 0),
                cell(beside_fair(measured, results), 2),
                number(warm.calls, 0),
                cell(peak(measured).map(|bytes| bytes / 1e6), 1),
                cell(by_hand.and_then(peak).map(|bytes| bytes / 1e6), 1),
                cell(per_item(peak(measured), peak(function)), 0),
                cell(per_item(by_hand.and_then(peak), by_hand_at_shortest), 0),
            ]);
        }
    }
    table.render()
}

/// First and warm requests at a table with a delay.
pub fn in_region(all: &[Measured]) -> String {
    let mut table = Table::new(&["", "start ms", "first ms", "warm p50 ms", "p99 ms"]);
    for measured in all {
        let Some(figures) = &measured.figures else { continue };
        let Some(warm) = &figures.warm else { continue };
        table.row(vec![
            measured.subject.name.to_owned(),
            spread(figures.start, 1e3, 2),
            spread(figures.first, 1e3, 2),
            spread(warm.p50, 1e3, 2),
            number(warm.p99 / 1e3, 2),
        ]);
    }
    table.render()
}

/// First requests on a share of a processor, with the connection opened during the start and without.
pub fn on_a_share(opened: &[Measured], late: &[Measured]) -> String {
    let mut table = Table::new(&[
        "",
        "opened at start: ms",
        "CPU ms",
        "opened by the first request: ms",
        "CPU ms",
        "times",
    ]);
    for measured in opened {
        let Some(figures) = &measured.figures else { continue };
        let same = |other: &&Measured| other.subject.name == measured.subject.name;
        let mut row = vec![
            measured.subject.name.to_owned(),
            spread(figures.first, 1e3, 1),
            number(figures.first_processor.median / 1e3, 2),
        ];
        row.extend(match late.iter().find(same).and_then(|late| late.figures) {
            Some(late) => vec![
                spread(late.first, 1e3, 1),
                number(late.first_processor.median / 1e3, 2),
                number(late.first.median / figures.first.median, 1),
            ],
            None => vec![String::new(); 3],
        });
        table.row(row);
    }
    table.render()
}

/// All results, compared with their limits.
pub fn verdicts(verdicts: &[Verdict], margin: f64) -> String {
    let mut table = Table::new(&["limit", "", "measured", "limit", ""]);
    for verdict in verdicts {
        let digits = if verdict.bound >= 100.0 { 0 } else { 2 };
        table.row(vec![
            verdict.what.to_owned(),
            verdict.subject.to_owned(),
            number(verdict.measured, digits),
            format!("{} {}", if verdict.at_least { ">" } else { "≤" }, number(verdict.bound, digits.min(1))),
            match (verdict.is_reached(), verdict.is_kept(margin)) {
                (true, _) => String::new(),
                (false, true) => "not reached".to_owned(),
                (false, false) => "MISSED".to_owned(),
            },
        ]);
    }
    table.render()
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn number_of(items: usize) -> String {
    number(items as f64, 0)
}

fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

/// A median with its quartiles.
fn spread(summary: Summary, unit: f64, digits: usize) -> String {
    let [median, low, high] =
        [summary.median, summary.low, summary.high].map(|value| number(value / unit, digits));
    if low == high { median } else { format!("{median} ({low}–{high})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_grouped_by_thousands() {
        assert_eq!(number(1_234_567.0, 0), "1,234,567");
        assert_eq!(number(-1234.56, 1), "-1,234.6");
        assert_eq!(number(0.5, 2), "0.50");
    }

    #[test]
    fn a_table_is_markdown_with_aligned_columns() {
        let mut table = Table::new(&["", "ms"]);
        table.row(vec!["no-op".to_owned(), "1.6".to_owned()]);
        assert_eq!(table.render(), "|       |  ms |\n|-------|----:|\n| no-op | 1.6 |\n");
    }
}
