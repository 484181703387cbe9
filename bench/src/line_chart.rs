//! The chart of the simulation: the 99th percentile against the arrival rate, both logarithmic.

use std::fmt::Write as _;

use crate::simulation::RATES;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 70.0;
const BOTTOM: f64 = 50.0;

/// A named line: a value for each of [`RATES`].
pub struct Line {
    /// Its name.
    pub name: &'static str,
    /// Its style: `ours`, or one of `a`, `b` and `c`.
    pub class: &'static str,
    /// The values, in milliseconds.
    pub values: Vec<f64>,
}

/// The chart.
pub fn svg(lines: &[Line], note: &str) -> String {
    let values = || lines.iter().flat_map(|line| line.values.iter().copied());
    let low = 10_f64.powf(values().fold(f64::MAX, f64::min).log10().floor());
    let high = 10_f64.powf(values().fold(f64::MIN_POSITIVE, f64::max).log10().ceil());
    let slowest = RATES.iter().copied().fold(f64::MAX, f64::min);
    let fastest = RATES.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let place = |value: f64, low: f64, high: f64| (value / low).log10() / (high / low).log10();
    let x = |rate: f64| LEFT + place(rate, slowest, fastest) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - place(value, low, high) * (HEIGHT - TOP - BOTTOM);
    let mut body = String::new();
    let mut tick = low;
    while tick <= high * 1.01 {
        let (from, to, at) = (LEFT, WIDTH - RIGHT, y(tick));
        let _ = writeln!(
            body,
            r#"<line class="grid" x1="{from}" x2="{to}" y1="{at:.1}" y2="{at:.1}"/><text class="end" x="{:.1}" y="{:.1}">{tick} ms</text>"#,
            LEFT - 8.0,
            at + 4.0
        );
        tick *= 10.0;
    }
    let mut rate = slowest;
    while rate <= fastest * 1.01 {
        // Multiplication gives 0.010000000000000002.
        let text = format!("{rate:.3}");
        let text = text.trim_end_matches('0').trim_end_matches('.');
        let _ = writeln!(
            body,
            r#"<text class="mid" x="{:.1}" y="{:.1}">{text}/s</text>"#,
            x(rate),
            HEIGHT - BOTTOM + 20.0
        );
        rate *= 10.0;
    }
    for line in lines {
        let points: Vec<_> = RATES
            .iter()
            .zip(&line.values)
            .map(|(&rate, &value)| format!("{:.1},{:.1}", x(rate), y(value)))
            .collect();
        let _ = writeln!(body, r#"<polyline class="{}" points="{}"/>"#, line.class, points.join(" "));
    }
    let mut legend = TOP + 10.0;
    for line in lines {
        let (from, to) = (WIDTH - RIGHT + 14.0, WIDTH - RIGHT + 38.0);
        let _ = writeln!(
            body,
            r#"<polyline class="{}" points="{from},{legend} {to},{legend}"/><text x="{}" y="{}">{}</text>"#,
            line.class,
            to + 8.0,
            legend + 4.0,
            line.name
        );
        legend += 24.0;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="99th percentile against the arrival rate">
<style>
  text {{ font: 13px system-ui, sans-serif; fill: #1f2328 }}
  .head {{ font-size: 17px; font-weight: 600 }} .note {{ fill: #59636e }} .end {{ text-anchor: end }} .mid {{ text-anchor: middle }}
  .paper {{ fill: #ffffff }} .grid {{ stroke: #d1d9e0 }}
  polyline {{ fill: none; stroke-width: 2.5 }}
  .ours {{ stroke: #0969da }} .a {{ stroke: #1a7f37 }} .b {{ stroke: #9a6700 }} .c {{ stroke: #cf222e }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #f0f6fc }} .note {{ fill: #9198a1 }} .paper {{ fill: #0d1117 }} .grid {{ stroke: #3d444d }}
    .ours {{ stroke: #4493f8 }} .a {{ stroke: #3fb950 }} .b {{ stroke: #d29922 }} .c {{ stroke: #f85149 }}
  }}
</style>
<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>
<text class="head" x="16" y="28">get-profile: 99th percentile against requests a second (simulated)</text>
<text class="note" x="16" y="48">{note}</text>
{body}</svg>
"#
    )
}
