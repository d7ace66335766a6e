//! A picture of all series as SVG: small charts side by side, all to one scale.

use std::fmt::Write;

use super::Measured;

const COLUMNS: usize = 4;
const WIDTH: f64 = 210.0;
const HEIGHT: f64 = 190.0;

/// The inner part of a chart, and what is left of it and above it.
const SIDE: f64 = 128.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 30.0;

/// The doublings on each axis.
const DOUBLINGS: f64 = 6.0;

const STYLE: &str = "text{font:11px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}\
    .note{fill:#59636e}.axis{stroke:#818b98;fill:none}.guide{stroke:#d1d9e0;fill:none}\
    .time{fill:#0969da;stroke:#0969da}.memory{fill:none;stroke:#bc4c00}\
    @media(prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.axis{stroke:#656c76}\
    .guide{stroke:#3d444d}.time{fill:#4493f8;stroke:#4493f8}.memory{stroke:#db6d28}}";

/// Draws the series; `date` is that of the measurement.
pub(crate) fn draw(series: &[Measured], date: &str) -> String {
    let rows = crate::results::count(series.len().div_ceil(COLUMNS) as u64);
    let (width, height) = (crate::results::count(COLUMNS as u64) * WIDTH, rows * HEIGHT + 34.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Time and memory as a size doubles six times\"><style>{STYLE}</style>\n"
    );
    for (at, one) in series.iter().enumerate() {
        let (row, column) = (at / COLUMNS, at % COLUMNS);
        let [x, y] = [column, row].map(|number| crate::results::count(number as u64));
        let _ = writeln!(svg, "<g transform=\"translate({} {})\">", x * WIDTH, y * HEIGHT);
        chart(&mut svg, one);
        svg.push_str("</g>\n");
    }
    let _ = writeln!(
        svg,
        "<text class=\"note\" x=\"{LEFT}\" y=\"{}\">\u{25cf} time, \u{25cb} memory, as multiples of the first; \
         both axes double at each step; the slanting line is a line, the level one no growth; {date}</text>\n</svg>",
        height - 10.0
    );
    svg
}

fn chart(svg: &mut String, one: &Measured) {
    let (right, bottom) = (LEFT + SIDE, TOP + SIDE);
    let (first, last) = (one.points[0], one.points[one.points.len() - 1]);
    let _ = writeln!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"14\">{}</text>", one.name);
    let note = format!("time k = {:.2}", one.time);
    let memory = one.memory.map(|memory| format!(", memory {memory:.2}")).unwrap_or_default();
    let _ = writeln!(svg, "<text class=\"note\" x=\"{LEFT}\" y=\"27\">{note}{memory}</text>");
    let _ = writeln!(svg, "<path class=\"guide\" d=\"M{LEFT} {bottom}L{right} {TOP}\"/>");
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>");
    for (y, times) in [(bottom, 1), (TOP + SIDE / 2.0, 8), (TOP, 64)] {
        let x = LEFT - 6.0;
        let _ = writeln!(
            svg,
            "<text class=\"note\" x=\"{x}\" y=\"{}\" text-anchor=\"end\">{times}\u{d7}</text>",
            y + 4.0
        );
    }
    for (x, anchor, size) in [(LEFT, "start", first.size), (right, "end", last.size)] {
        let y = bottom + 14.0;
        let _ = writeln!(
            svg,
            "<text class=\"note\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{size}</text>"
        );
    }
    for point in &one.points {
        let x = LEFT + (point.size / first.size).log2() / DOUBLINGS * SIDE;
        let y = |times: f64| bottom - times.log2().clamp(-0.5, DOUBLINGS + 0.5) / DOUBLINGS * SIDE;
        if let Some((bytes, least)) = point.bytes.zip(first.bytes) {
            let y = y(bytes / least);
            let _ =
                writeln!(svg, "<circle class=\"memory\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>");
        }
        let y = y(point.seconds / first.seconds);
        let _ = writeln!(svg, "<circle class=\"time\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>");
    }
}
