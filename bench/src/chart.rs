//! The bar chart.

use std::fmt::Write as _;

use crate::figures::Figures;
use crate::limits::Measured;
use crate::subjects::Role;

const WIDTH: u32 = 860;
const LABEL: u32 = 130;
const NUMBERS: u32 = 90;
const BAR: u32 = 16;
const PITCH: u32 = 22;
const FIRST_PANEL: u32 = 64;

/// A figure as a group of bars: a title, its value in the unit of the title, and its digits.
struct Panel<'a> {
    title: &'static str,
    of: &'a [Measured<'a>],
    value: fn(&Figures) -> Option<f64>,
    digits: usize,
}

/// One function's work in all languages, beside the floor.
pub fn svg(all: &[Measured]) -> String {
    let panels = [
        Panel {
            title: "Processor time of the start, until the process asks for its first event, ms",
            of: all,
            value: |figures| Some(figures.start_processor.median / 1e3),
            digits: 1,
        },
        Panel {
            title: "Processor time of the first request, ms",
            of: all,
            value: |figures| Some(figures.first_processor.median / 1e3),
            digits: 1,
        },
        Panel {
            title: "Warm request (median) besides the table, ms",
            of: all,
            value: |figures| Some(figures.warm?.besides_table / 1e3),
            digits: 2,
        },
        Panel {
            title: "Processor time of a warm request, ms",
            of: all,
            value: |figures| Some(figures.warm?.processor.median / 1e3),
            digits: 2,
        },
        Panel {
            title: "Peak memory, MB",
            of: all,
            value: |figures| Some(figures.peak_memory.median / 1e6),
            digits: 1,
        },
    ];
    let mut body = String::new();
    let mut y = FIRST_PANEL;
    for panel in &panels {
        y = draw(panel, &mut body, y) + 18;
    }
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" aria-label="get-profile in Rust, Go, Python and Node">
<style>
  text {{ font: 13px system-ui, sans-serif; fill: #1f2328 }}
  .title {{ font-weight: 600 }} .head {{ font-size: 17px; font-weight: 600 }} .note {{ fill: #59636e }}
  .paper {{ fill: #ffffff }} .other {{ fill: #8c959f }} .ours {{ fill: #0969da }} .floor {{ fill: #d1d9e0 }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #f0f6fc }} .note {{ fill: #9198a1 }} .paper {{ fill: #0d1117 }} .other {{ fill: #656c76 }}
    .ours {{ fill: #4493f8 }} .floor {{ fill: #3d444d }}
  }}
</style>
<rect class="paper" width="{WIDTH}" height="{y}"/>
<text class="head" x="16" y="28">get-profile, the same work in four languages</text>
<text class="note" x="16" y="47">one BatchGetItem over TLS and one ES256 token a request; shorter is better</text>
{body}</svg>
"#
    );
    svg
}

fn draw(panel: &Panel, svg: &mut String, top: u32) -> u32 {
    let bars: Vec<_> = panel
        .of
        .iter()
        .filter_map(|measured| {
            let (label, class) = match measured.subject.role {
                Role::Noop => ("no-op, Rust", "floor"),
                Role::Fair if measured.subject.name == "get-profile, by hand" => ("by hand, Rust", "floor"),
                Role::Function if measured.subject.name == "get-profile" => ("get-profile, Rust", "ours"),
                Role::Peer(language, _) if measured.subject.work() == "get-profile" => {
                    (language.name(), "other")
                }
                _ => return None,
            };
            Some((label, class, (panel.value)(&measured.figures?)?))
        })
        .collect();
    let longest = bars.iter().map(|&(_, _, value)| value).fold(f64::MIN_POSITIVE, f64::max);
    let _ = writeln!(svg, r#"<text class="title" x="16" y="{}">{}</text>"#, top + 12, panel.title);
    let mut y = top + 22;
    for (label, class, value) in bars {
        let length = (value / longest * f64::from(WIDTH - LABEL - NUMBERS - 16)).max(1.0);
        let baseline = y + 13;
        let _ = writeln!(svg, r#"<text x="16" y="{baseline}">{label}</text>"#);
        let _ = writeln!(
            svg,
            r#"<rect class="{class}" x="{LABEL}" y="{y}" width="{length:.1}" height="{BAR}" rx="2"/>"#
        );
        let end = f64::from(LABEL) + length + 6.0;
        let _ = writeln!(svg, r#"<text x="{end:.1}" y="{baseline}">{value:.0$}</text>"#, panel.digits);
        y += PITCH;
    }
    y
}
