//! Two workloads timed in turns, so that what disturbs the machine disturbs both.

use std::{env, hint::black_box, time::Duration};

/// Measures ratios and prints a line for each.
pub(crate) struct Paired {
    filter: Option<String>,
    /// Everything runs once and nothing is printed: `cargo test --benches`, `cargo bench -- --test`.
    is_test: bool,
}

impl Paired {
    /// The time that the rounds of a ratio take together, about.
    const TIME: Duration = Duration::from_millis(600);

    /// Takes the arguments as criterion does: `--bench` comes from `cargo bench`, a word chooses
    /// the ratios with it in their names.
    pub(crate) fn from_args() -> Self {
        let is = |flag: &str| env::args().any(|argument| argument == flag);
        Self {
            filter: env::args().skip(1).find(|argument| !argument.starts_with('-')),
            is_test: is("--test") || !is("--bench"),
        }
    }

    /// How many times as fast `under` is as `over`; at least `target`, if there is one.
    ///
    /// # Panics
    ///
    /// If the two do not give the same.
    pub(crate) fn ratio<T: PartialEq>(
        &self,
        name: &str,
        target: Option<f64>,
        mut over: impl FnMut() -> T,
        mut under: impl FnMut() -> T,
    ) {
        if self.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
            return;
        }
        assert!(over() == under(), "{name}: both give the same digests");
        if self.is_test {
            return;
        }
        let once = (seconds(1, &mut over) + seconds(1, &mut under)).max(1e-9);
        // A batch long enough for the clock, then as many rounds as there is time for.
        let batch = (200e-6 / once).ceil().max(1.0) as u32;
        let rounds = Self::TIME.as_secs_f64() / (once * f64::from(batch));
        let times: Vec<[f64; 2]> = (0..rounds.clamp(15.0, 301.0) as usize)
            .map(|_| [seconds(batch, &mut over), seconds(batch, &mut under)])
            .collect();
        print(name, target, &times);
    }
}

fn seconds<T>(runs: u32, workload: &mut impl FnMut() -> T) -> f64 {
    let start = clock();
    for _ in 0..runs {
        black_box(workload());
    }
    clock() - start
}

/// The seconds that this thread has been at work: what others do at the same time does not count.
#[cfg(target_os = "linux")]
fn clock() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).map_or(0.0, |time| time.as_secs_f64())
}

#[cfg(not(target_os = "linux"))]
fn clock() -> f64 {
    use std::{sync::LazyLock, time::Instant};
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}

/// Prints the median, the least and the greatest ratio, and that of the least times of both sides.
#[expect(clippy::print_stdout, reason = "printing is the purpose")]
fn print(name: &str, target: Option<f64>, times: &[[f64; 2]]) {
    let mut ratios: Vec<f64> = times.iter().map(|[over, under]| over / under).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
    let best = |side: usize| times.iter().map(|times| times[side]).fold(f64::MAX, f64::min);
    let target = target.map_or(String::new(), |target| {
        format!("  target >= {target:<4}  reached {}", if median >= target { "yes" } else { "no" })
    });
    println!(
        "{name:<32} median {median:>5.2}  min {least:>5.2}  max {most:>5.2}  of least times {:>5.2}{target}",
        best(0) / best(1)
    );
}
