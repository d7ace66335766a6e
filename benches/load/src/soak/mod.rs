//! Mixed load for an hour over service, uploads and gateway, with faults: nothing is lost, nothing is
//! wrong, and memory stays the same.
//!
//! There are two pairs of a service and a gateway. The processes of the one are watched for their memory
//! and suffer every fault but kills; those of the other are killed. Each answer is held against what it
//! must be. A failure counts as lost unless a fault of its pair was there that can be its cause; a wrong
//! answer has no excuse.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    task::{JoinSet, block_in_place},
    time::sleep,
};

mod client;
mod faults;
mod memory;
mod message;
mod pair;
mod tally;
mod uploads;
mod upstream;

pub(crate) use client::{Client, World};
use faults::{Faults, WATCHED};
use memory::Sample;
pub(crate) use pair::{ACCESS_KEY, Live, Pair, Preloaded};
pub(crate) use tally::Tally;
use uploads::Uploader;
pub(crate) use upstream::Upstream;

use crate::{Result, Setup, process::computed};

/// The most that memory may have grown by at the end.
const GROWN: f64 = 1.05;

/// Memory is judged if a sixth of the time is as long as this: stores of replays fill for three minutes.
const STEADY: Duration = Duration::from_secs(5 * 60);

/// Uploads that are under way come to their end within this.
const PATIENCE: Duration = Duration::from_secs(6 * 60);

/// Connections that are idle are closed within this.
const SETTLED: Duration = Duration::from_secs(45);

#[derive(clap::Args)]
pub(crate) struct Soak {
    /// The moments and the order of faults and requests
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The requests in a second, beside uploads
    #[arg(long, value_name = "N", default_value_t = 180.0)]
    rate: f64,
    /// A small file system of its own, which is filled and frozen (fsfreeze); without it those two faults
    /// are left out
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
    /// The library libfaketimeMT.so.1, by which the clock is set; without it that fault is left out
    #[arg(long, value_name = "PATH")]
    faketime: Option<PathBuf>,
    /// The library made of trim.c, which gives back ten times a second what glibc keeps free; without it
    /// the memory of a process is that of its highest moment
    #[arg(long, value_name = "PATH")]
    trim: Option<PathBuf>,
}

const CLIENTS: u64 = 24;
const UPLOADERS: u64 = 2;

impl Soak {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let tally = Arc::new(Tally::default());
        let upstream = runtime.block_on(Upstream::start(Arc::clone(&tally)))?;
        let folder = tempfile::tempdir()?;
        let watched = self.disk.as_deref().unwrap_or(folder.path());
        let preloaded = Preloaded { faketime: self.faketime.clone(), trim: self.trim.clone() };
        let killed = folder.path().join("killed");
        let pairs = vec![
            Pair::start(setup, 0, watched, preloaded, upstream.address)?,
            Pair::start(setup, 1, &killed, Preloaded::default(), upstream.address)?,
        ];
        let world = World { pairs, upstream, tally, numbers: Arc::new(AtomicU64::new(0)) };
        let world = Arc::new(world);
        let files = open_files(&world.pairs[WATCHED])?;
        let samples = runtime.block_on(self.load(setup, &world))?;
        let left = settle(&runtime, &world, &files)?;
        report(setup, &world, &samples, &files, &left)
    }

    /// Loads until the time is over, and gives samples of the memory meanwhile.
    async fn load(&self, setup: &Setup, world: &Arc<World>) -> Result<Vec<Sample>> {
        let began = Instant::now();
        let until = began + setup.duration;
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut clients = JoinSet::new();
        let pause = Duration::from_secs_f64(f64::from(u32::try_from(CLIENTS)?) / self.rate);
        for _ in 0..CLIENTS {
            let (world, random) = (Arc::clone(world), random.fork());
            clients.spawn(Client { world, random, until, pause, verifier: None }.run());
        }
        let mut uploaders = JoinSet::new();
        for pair in &world.pairs {
            for _ in 0..UPLOADERS {
                let (world, random) = (Arc::clone(world), random.fork());
                let (pair, pause) = (Arc::clone(pair), Duration::from_millis(500));
                let uploader = Uploader { world, pair, random, until, pause, created_again: 0 };
                uploaders.spawn(uploader.run());
            }
        }
        let faults = Faults {
            world: Arc::clone(world),
            random: random.fork(),
            until,
            disk: self.disk.clone(),
            has_clock: self.faketime.is_some(),
        };
        let faults = tokio::spawn(faults.run());
        let mut samples = Vec::new();
        while Instant::now() < until {
            let sample = block_in_place(|| Sample::take(began, &world.pairs[WATCHED].ids()))?;
            if samples.len() % 60 == 0 {
                show(&format!(
                    "{:6.0} s  RssAnon {:?} KiB  files {:?}  problems {}",
                    sample.at.as_secs_f64(),
                    sample.memory,
                    sample.files,
                    world.tally.problems().0
                ));
            }
            samples.push(sample);
            sleep(Duration::from_secs(1).min(setup.duration / 60)).await;
        }
        faults.await?;
        while let Some(ended) = clients.join_next().await {
            ended?;
        }
        let finished = tokio::time::timeout(PATIENCE, async {
            let mut again = 0;
            while let Some(ended) = uploaders.join_next().await {
                again += ended?;
            }
            Result::<u64>::Ok(again)
        });
        let again = finished.await.map_err(|_| "uploads came to no end")??;
        show(&format!("creations of uploads that were sent again: {again}"));
        Ok(samples)
    }
}

/// What is there when the load has ended.
struct Left {
    files: Vec<usize>,
    computed: Vec<f64>,
    /// Entries in the spool, and records and data of uploads that are not complete, of each pair.
    entries: Vec<[usize; 2]>,
    /// Records of complete uploads of the pair that is watched.
    complete: u64,
}

/// Waits until connections are closed, and counts what is left.
fn settle(runtime: &Runtime, world: &World, before: &[usize]) -> Result<Left> {
    let _entered = runtime.enter();
    let deadline = Instant::now() + SETTLED;
    let watched = &world.pairs[WATCHED];
    while Instant::now() < deadline && open_files(watched)? != before {
        thread::sleep(Duration::from_millis(500));
    }
    let entries = world.pairs.iter().map(|pair| {
        let own = pair.uploads().join(".uploads");
        let unfinished = ["open", "data", "tmp"].map(|kind| entries_in(&own.join(kind)));
        let unfinished = unfinished.into_iter().sum::<Result<usize>>()?;
        Ok([entries_in(&pair.spool())?, unfinished])
    });
    let left = Left {
        files: open_files(watched)?,
        computed: watched.ids().into_iter().map(computed).collect::<Result<_>>()?,
        entries: entries.collect::<Result<_>>()?,
        complete: u64::try_from(entries_in(&watched.uploads().join(".uploads/done"))?)?,
    };
    for pair in &world.pairs {
        if let Err(error) = pair.stop() {
            world.tally.problem(error.to_string());
        }
    }
    Ok(left)
}

fn open_files(pair: &Pair) -> Result<Vec<usize>> {
    pair.ids().into_iter().map(memory::open_files).collect()
}

fn entries_in(folder: &Path) -> Result<usize> {
    Ok(if folder.exists() { fs::read_dir(folder)?.count() } else { 0 })
}

/// Prints all, and fails if something was not as it must be.
fn report(
    setup: &Setup,
    world: &World,
    samples: &[Sample],
    before: &[usize],
    left: &Left,
) -> Result {
    show(&world.tally.table());
    // A minute has some faults and not others; ten have had all of them.
    let sixth = setup.duration / 6;
    for (process, name) in ["service", "gateway"].into_iter().enumerate() {
        let span = |from: Duration| memory::median(samples, process, from, from + sixth);
        let (Some(first), Some(last)) = (span(sixth), span(sixth * 5)) else {
            return Err("expected samples of the memory".into());
        };
        let grown = crate::results::count(last) / crate::results::count(first);
        show(&format!(
            "{name}: RssAnon {first} KiB in the second sixth of the time, {last} KiB in the last ({grown:.3}); \
             open files {} before, {} after; {:.1} s computed",
            before[process], left.files[process], left.computed[process]
        ));
        if sixth >= STEADY && grown > GROWN {
            world.tally.problem(format!("the memory of the {name} has grown by {grown:.3}"));
        }
        if left.files[process] > before[process] {
            world.tally.problem(format!("the {name} has left files open"));
        }
    }
    for (pair, [spool, uploads]) in left.entries.iter().enumerate() {
        show(&format!(
            "pair {pair}: {spool} entries in the spool, {uploads} among unfinished uploads"
        ));
        if *spool > 0 {
            world.tally.problem(format!("pair {pair} has left files in the spool"));
        }
    }
    show(&format!("records of complete uploads of pair {WATCHED}: {}", left.complete));
    let cut = world.upstream.cut.load(std::sync::atomic::Ordering::Relaxed);
    show(&format!("bodies that were cut for the upstream: {cut}"));
    let (count, shown) = world.tally.problems();
    for problem in &shown {
        show(&format!("WRONG: {problem}"));
    }
    show(&format!("lost or wrong: {count}"));
    if count == 0 { Ok(()) } else { Err(format!("soak: {count} problems").into()) }
}

#[expect(clippy::print_stdout, reason = "printing is the purpose")]
fn show(line: &str) {
    println!("{line}");
}
