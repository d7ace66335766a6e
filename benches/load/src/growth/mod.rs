//! Time and memory while one thing doubles six times: how fast they grow.

use std::{fs, path::PathBuf, time::SystemTime};

mod fit;
mod in_memory;
mod picture;
mod served;

use fit::{Point, exponent};

use crate::{Result, Setup, figure};

/// The doublings of each size.
const DOUBLINGS: u32 = 6;

/// What is proportional, or that times a logarithm, has at most this exponent over six doublings.
const LINEAR: f64 = 1.25;

/// What does not depend on the size has at most this one. Caches of the processor have their part in it.
const FLAT: f64 = 0.25;

#[derive(clap::Args)]
pub(crate) struct Growth {
    /// Draws all series into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// A series with its exponents.
pub(crate) struct Measured {
    name: &'static str,
    points: Vec<Point>,
    time: f64,
    memory: Option<f64>,
}

/// Measures a series.
type Run = fn(&Setup) -> Result<Vec<Point>>;

/// All series, with the largest exponent that their time may have. Those whose memory is measured in this process
/// come first: later ones use what others have freed.
const SERIES: [(&str, f64, Run); 11] = [
    ("access keys", FLAT, |_| in_memory::access_keys()),
    ("replay entries", FLAT, |_| in_memory::replay_entries()),
    ("payload bytes", LINEAR, |_| in_memory::payload()),
    ("fields", LINEAR, |_| in_memory::fields()),
    ("fields of one name", LINEAR, |_| in_memory::fields_of_one_name()),
    ("parameters", LINEAR, |_| in_memory::parameters()),
    ("parameters of one name", LINEAR, |_| in_memory::parameters_of_one_name()),
    ("plus signs", LINEAR, |_| in_memory::plus_signs()),
    ("connections", FLAT, served::connections),
    ("uploads", FLAT, served::uploads),
    ("parts of an upload", FLAT, served::parts),
];

impl Growth {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let (mut measured, mut faster) = (Vec::new(), Vec::new());
        for (name, most, run) in SERIES {
            let one = measure(name, run(setup)?);
            figure::print(&format!("growth/{name}/time"), one.time, &(..=most), note(&one.points));
            if let Some(memory) = one.memory {
                let note = "exponent of the memory that was added";
                figure::print(&format!("growth/{name}/memory"), memory, &(..=LINEAR), note);
            }
            let is_memory_linear = one.memory.is_none_or(|memory| (..=LINEAR).contains(&memory));
            if !((..=most).contains(&one.time) && is_memory_linear) {
                faster.push(name);
            }
            measured.push(one);
        }
        if let Some(path) = &self.svg {
            let date = framesign::SigningDate::of(SystemTime::now()).to_string();
            let (year, day) = date.split_at(4);
            let (month, day) = day.split_at(2);
            fs::write(path, picture::draw(&measured, &format!("{year}-{month}-{day}")))?;
        }
        if faster.is_empty() { Ok(()) } else { Err(format!("too fast: {faster:?}").into()) }
    }
}

fn measure(name: &'static str, points: Vec<Point>) -> Measured {
    let time = exponent(points.iter().map(|point| (point.size, point.seconds)));
    let bytes: Option<Vec<_>> =
        points.iter().map(|point| point.bytes.map(|bytes| (point.size, bytes))).collect();
    Measured { name, memory: bytes.map(|bytes| exponent(bytes.into_iter())), points, time }
}

/// The time of each point, and the first and the last size.
fn note(points: &[Point]) -> String {
    let times: Vec<_> = points.iter().map(|point| format!("{:.4}", point.seconds * 1e3)).collect();
    let (first, last) = (points[0].size, points[points.len() - 1].size);
    format!("exponent; {} ms from {first} to {last}", times.join(", "))
}

/// Sizes that double from `first` on.
fn sizes(first: u64) -> impl Iterator<Item = u64> {
    (0..=DOUBLINGS).map(move |doubling| first << doubling)
}
