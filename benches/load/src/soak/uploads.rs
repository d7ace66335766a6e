//! Clients that upload in parts, some of which they break off, and look at the files.

use std::{
    fs, io,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use tokio::{
    task::block_in_place,
    time::{sleep, timeout},
};

use super::{client::World, pair::Pair, tally::Failure};
use crate::{
    Result,
    parts::{Answer, Content, Sender},
};

const KIND: &str = "upload";

/// The most bytes of a part.
const PART: usize = 192 * 1024;
const PAUSE: Duration = Duration::from_millis(300);

/// The longest that an answer may take; no fault lasts as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time in which an upload that has begun comes to its end, whatever the faults.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// A client of the service of one pair.
pub(crate) struct Uploader {
    pub(crate) world: Arc<World>,
    pub(crate) pair: Arc<Pair>,
    pub(crate) random: fastrand::Rng,
    pub(crate) until: Instant,
    pub(crate) pause: Duration,
    /// Creations that were sent again, since their answer was lost.
    pub(crate) created_again: u64,
}

impl Uploader {
    /// Uploads until it is time to end; gives the creations that were sent again.
    pub(crate) async fn run(mut self) -> u64 {
        while Instant::now() < self.until {
            sleep(self.pause.mul_f64(self.random.f64() * 2.0)).await;
            let number = self.world.numbers.fetch_add(1, Relaxed);
            if let Err(error) = self.upload(&format!("file-{number}")).await {
                let pair = self.pair.number;
                self.world.tally.problem(format!("upload {number} to pair {pair}: {error}"));
            }
        }
        self.created_again
    }

    async fn upload(&mut self, name: &str) -> Result {
        let deadline = Instant::now() + LONGEST;
        let path = self.create(name, deadline).await?;
        let (mut hash, mut offset) = (Sha256::new(), 0);
        let parts = self.random.u32(1..=4);
        for part in 1..=parts {
            let mut bytes = vec![0; self.random.usize(1..=PART)];
            self.random.fill(&mut bytes);
            hash.update(&bytes);
            self.append(&path, offset, &bytes, part == parts, deadline).await?;
            offset += bytes.len() as u64;
        }
        let file = self.pair.uploads().join(name);
        let is_right = block_in_place(|| take(&file, hash.finalize().into()))?;
        if !is_right {
            return Err("the file has other bytes".into());
        }
        self.world.tally.right("upload, file", "right bytes");
        Ok(())
    }

    async fn create(&mut self, name: &str, deadline: Instant) -> Result<String> {
        loop {
            let began = Instant::now();
            let created = timeout(PATIENCE, Sender::new(self.pair.service)?.create(name)).await;
            match created {
                Ok(Ok(Answer { status: 201, location: Some(path), .. })) => {
                    self.world.tally.right("upload, creation", 201);
                    return Ok(path);
                }
                Ok(answer) => self.failed(answer, began, deadline).await?,
                Err(_) => self.late(began),
            }
            self.created_again += 1;
        }
    }

    /// Sends a part until it counts.
    async fn append(
        &mut self,
        path: &str,
        start: u64,
        bytes: &[u8],
        is_last: bool,
        deadline: Instant,
    ) -> Result {
        let (content, end) = (Content::new(bytes), start + bytes.len() as u64);
        loop {
            let (began, mut sender) = (Instant::now(), Sender::new(self.pair.service)?);
            if self.random.u8(..6) == 0 {
                let sent = self.random.usize(..bytes.len());
                match sender.append_and_reset(path, start, content, sent).await {
                    Ok(()) => self.world.tally.right("upload, part reset", "no answer"),
                    Err(error) => self.failed(Err(error), began, deadline).await?,
                }
            } else {
                let answer = sender.append(path, start, content, is_last);
                match timeout(PATIENCE, answer).await {
                    Ok(Ok(Answer { status: 204, offset: Some(offset), .. })) if offset == end => {
                        self.world.tally.right("upload, part", 204);
                        return Ok(());
                    }
                    Ok(Ok(Answer { status: 201, is_complete: true, .. })) if is_last => {
                        self.world.tally.right("upload, last part", 201);
                        return Ok(());
                    }
                    // Whether it counts, the offset tells.
                    Ok(Ok(Answer { status: 409, .. })) => {
                        self.world.tally.right("upload, part taken", 409);
                        sleep(PAUSE).await;
                    }
                    Ok(answer) => self.failed(answer, began, deadline).await?,
                    Err(_) => self.late(began),
                }
            }
            if self.counts(path, start, end, is_last, deadline).await? {
                return Ok(());
            }
        }
    }

    /// Asks whether a part counts.
    async fn counts(
        &mut self,
        path: &str,
        start: u64,
        end: u64,
        is_last: bool,
        deadline: Instant,
    ) -> Result<bool> {
        loop {
            let (began, mut sender) = (Instant::now(), Sender::new(self.pair.service)?);
            let answer = timeout(PATIENCE, sender.offset(path)).await;
            match answer {
                Ok(Ok(Answer { status: 204, offset: Some(offset), is_complete, .. })) => {
                    self.world.tally.right("upload, offset", 204);
                    return match offset {
                        _ if is_complete && !is_last => Err("it is complete too early".into()),
                        offset if offset == end => Ok(!is_last || is_complete),
                        offset if offset == start && !is_complete => Ok(false),
                        _ => Err(format!("expected {start} or {end}, found {offset}").into()),
                    };
                }
                Ok(answer) => self.failed(answer, began, deadline).await?,
                Err(_) => self.late(began),
            }
        }
    }

    fn late(&self, began: Instant) {
        self.world.tally.failed(self.pair.number, KIND, began, Failure::Late);
    }

    /// Judges what is not the right answer, and waits before another attempt.
    async fn failed(&self, answer: Result<Answer>, began: Instant, deadline: Instant) -> Result {
        let failure = match answer {
            Ok(answer) if answer.status >= 300 => Failure::Refused(answer.status),
            Ok(answer) => return Err(format!("expected another answer, found {answer:?}").into()),
            Err(error) if error.is::<io::Error>() => Failure::Broken,
            Err(error) => return Err(error),
        };
        self.world.tally.failed(self.pair.number, KIND, began, failure);
        if Instant::now() > deadline {
            return Err("it takes too long".into());
        }
        sleep(PAUSE).await;
        Ok(())
    }
}

/// Tells whether a file has the right bytes, and deletes it.
fn take(file: &Path, hash: [u8; 32]) -> io::Result<bool> {
    let is_right = Sha256::digest(fs::read(file)?)[..] == hash;
    fs::remove_file(file)?;
    Ok(is_right)
}
