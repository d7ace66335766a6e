//! The line of a figure, the same from all that measure.

use std::{
    fmt::Display,
    ops::{Bound, RangeBounds},
};

/// Prints a figure, the target that it should lie within unless that is `..`, and a note.
#[expect(clippy::print_stdout, reason = "printing is the purpose")]
pub(crate) fn print(name: &str, value: f64, target: &impl RangeBounds<f64>, note: impl Display) {
    let bound = match (target.start_bound(), target.end_bound()) {
        (Bound::Included(least), _) => format!(">= {least}"),
        (_, Bound::Included(most)) => format!("<= {most}"),
        _ => return println!("{name:<46} {value:>7.3}  ({note})"),
    };
    let reached = if target.contains(&value) { "yes" } else { "no" };
    println!("{name:<46} {value:>7.3}  target {bound:<7}  reached {reached:<3}  ({note})");
}
