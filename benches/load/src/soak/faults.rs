//! Faults, one after another, at random moments that follow from the seed.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::process::geteuid;
use tokio::{task::block_in_place, time::sleep};

use super::{client::World, pair::Pair, tally::Fault, upstream::Mode};
use crate::Result;

/// The pair whose processes are watched for their memory: all faults but kills.
pub(crate) const WATCHED: usize = 0;

/// The pair whose processes are killed.
pub(crate) const KILLED: usize = 1;

/// The time for which libfaketime keeps what it has read.
const FAKETIME_CACHE: Duration = Duration::from_secs(2);

/// What injects faults.
pub(crate) struct Faults {
    pub(crate) world: Arc<World>,
    pub(crate) random: fastrand::Rng,
    pub(crate) until: Instant,
    /// A small file system that can be filled and frozen.
    pub(crate) disk: Option<PathBuf>,
    pub(crate) has_clock: bool,
}

impl Faults {
    /// Injects faults until it is time to end.
    pub(crate) async fn run(mut self) {
        let mut kinds = Vec::new();
        while Instant::now() < self.until {
            sleep(Duration::from_millis(self.random.u64(1000..6000))).await;
            // Each kind once in a random order, then anew, so that none is left out.
            if kinds.is_empty() {
                kinds = self.kinds();
                self.random.shuffle(&mut kinds);
            }
            let Some(fault) = kinds.pop() else { return };
            if let Err(error) = self.inject(fault).await {
                self.world.tally.problem(format!("{fault:?} could not be injected: {error}"));
            }
        }
    }

    fn kinds(&self) -> Vec<Fault> {
        let mut kinds = vec![Fault::Killed, Fault::UpstreamStalled, Fault::UpstreamReset];
        // Once for each pair.
        kinds.extend([Fault::Rotated; 2]);
        if self.disk.is_some() {
            kinds.extend([Fault::DiskFull, Fault::StoreStalled]);
        }
        if self.has_clock {
            kinds.push(Fault::ClockStepped);
        }
        kinds
    }

    async fn inject(&mut self, fault: Fault) -> Result {
        let world = Arc::clone(&self.world);
        let lasts = Duration::from_millis(self.random.u64(2000..6000));
        match fault {
            Fault::Rotated => {
                let pair = &world.pairs[self.random.usize(..world.pairs.len())];
                return pair.rotate(&world.tally).await;
            }
            Fault::Killed => {
                let window = world.tally.begin(KILLED, fault);
                block_in_place(|| world.pairs[KILLED].kill())?;
                world.tally.end(window);
            }
            Fault::UpstreamStalled | Fault::UpstreamReset => {
                let mode = if fault == Fault::UpstreamReset { Mode::Reset } else { Mode::Stall };
                let windows = [WATCHED, KILLED].map(|pair| world.tally.begin(pair, fault));
                world.upstream.set(mode);
                sleep(lasts).await;
                world.upstream.set(Mode::Answer);
                for window in windows {
                    world.tally.end(window);
                }
            }
            Fault::ClockStepped => {
                let seconds = [-86_400, -300, 300, 86_400][self.random.usize(..4)];
                self.step_clock(&world.pairs[WATCHED], seconds, lasts).await?;
            }
            Fault::DiskFull | Fault::StoreStalled => {
                let Some(disk) = self.disk.clone() else { return Ok(()) };
                let window = world.tally.begin(WATCHED, fault);
                let result = match fault {
                    Fault::DiskFull => fill(&disk, lasts).await,
                    _ => freeze(&disk, lasts).await,
                };
                world.tally.end(window);
                result?;
            }
        }
        Ok(())
    }

    async fn step_clock(&self, pair: &Pair, seconds: i64, lasts: Duration) -> Result {
        let window = self.world.tally.begin(pair.number, Fault::ClockStepped);
        pair.step_clock(seconds)?;
        sleep(lasts + FAKETIME_CACHE).await;
        pair.step_clock(0)?;
        sleep(FAKETIME_CACHE).await;
        self.world.tally.end(window);
        Ok(())
    }
}

/// Fills a file system to its last byte for some time.
async fn fill(disk: &Path, lasts: Duration) -> Result {
    let filler = disk.join("filler");
    block_in_place(|| -> io::Result<()> {
        let mut file = fs::File::create(&filler)?;
        for size in [1 << 20, 4096, 1] {
            let piece = vec![1; size];
            while file.write_all(&piece).is_ok() {}
        }
        Ok(())
    })?;
    sleep(lasts).await;
    Ok(block_in_place(|| fs::remove_file(filler))?)
}

/// Freezes a file system for some time: whoever writes to it waits.
async fn freeze(disk: &Path, lasts: Duration) -> Result {
    block_in_place(|| fsfreeze("-f", disk))?;
    sleep(lasts).await;
    block_in_place(|| fsfreeze("-u", disk))
}

fn fsfreeze(option: &str, disk: &Path) -> Result {
    // Root alone may.
    let mut command = Command::new(if geteuid().is_root() { "fsfreeze" } else { "sudo" });
    if !geteuid().is_root() {
        command.arg("fsfreeze");
    }
    let status = command.arg(option).arg(disk).status()?;
    if status.success() { Ok(()) } else { Err(format!("fsfreeze {option}: {status}").into()) }
}
