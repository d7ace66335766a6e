//! Uploads in parts into a directory, beside one signed PUT of the same file.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use framesign::PayloadHash;
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use crate::{
    Result, Setup,
    cores::Cores,
    figure,
    measure::median,
    parts::{Content, Sender},
    process::Server,
    programs,
    size::Size,
};

#[derive(clap::Args)]
pub(crate) struct UploadParts {
    /// The sizes of parts
    #[arg(
        long,
        value_name = "SIZE,…",
        value_delimiter = ',',
        default_value = "8MiB,16MiB,64MiB,256MiB"
    )]
    part: Vec<Size>,
    /// The size of each file, for which the directory of temporary files (TMPDIR) needs room
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    size: Size,
    /// The number of files at once
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    uploads: u16,
    /// Give the program one core, and the load the others
    #[arg(long)]
    one_core: bool,
    /// Another build, which receives the same parts in turns
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
}

/// A build that receives into a directory of its own.
struct Receiver {
    server: Server,
    directory: TempDir,
}

/// A file in parts, whose hashes are known before they are sent.
struct Parts {
    bytes: Arc<Vec<u8>>,
    len: usize,
    hashes: Vec<PayloadHash>,
}

impl Parts {
    fn new(bytes: &Arc<Vec<u8>>, len: usize) -> Arc<Self> {
        let hashes = bytes.chunks(len).map(PayloadHash::of).collect();
        Arc::new(Self { bytes: Arc::clone(bytes), len, hashes })
    }

    fn contents(&self) -> impl Iterator<Item = Content<'_>> {
        let parts = self.bytes.chunks(self.len).zip(&self.hashes);
        parts.map(|(bytes, hash)| Content { bytes, hash: *hash })
    }
}

impl UploadParts {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let all = || (setup.cores.clone(), setup.cores.clone());
        let (served, load) = if self.one_core { setup.cores.split(1) } else { all() };
        let start = |program: &Path| Receiver::start(program, &served);
        let receiver = start(&setup.framesign)?;
        let other = self.against.as_deref().map(start).transpose()?;
        load.bind()?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut bytes = vec![0; usize::try_from(self.size.0)?];
        fastrand::Rng::with_seed(1).fill(&mut bytes);
        let bytes = Arc::new(bytes);
        let whole = Parts::new(&bytes, bytes.len());
        // Not counted: it brings memory and folders to what they are later.
        self.send(&runtime, &receiver, &whole)?;
        for part in &self.part {
            let parts = Parts::new(&bytes, usize::try_from(part.0)?);
            let sent = |receiver: &Receiver, parts| self.send(&runtime, receiver, parts);
            let mut rounds = Vec::new();
            for _ in 0..setup.rounds {
                let at_once = sent(&receiver, &whole)?;
                let in_parts = sent(&receiver, &parts)?;
                let other = other.as_ref().map(|other| sent(other, &parts)).transpose()?;
                rounds.push([Some(at_once), Some(in_parts), other]);
            }
            self.print(*part, &rounds);
        }
        receiver.server.stop()?;
        other.map_or(Ok(()), |other| other.server.stop())
    }

    fn print(&self, part: Size, rounds: &[[Option<f64>; 3]]) {
        let of = |at: usize| rounds.iter().filter_map(move |round| round[at]);
        for (at, beside, least) in [(0, "put", 0.8), (2, "other", 0.0)] {
            if of(at).next().is_none() {
                continue;
            }
            let ratios = of(at).zip(of(1)).map(|(beside, parts)| beside / parts);
            let name = format!("upload-parts/{}x{part}/{beside}", self.uploads);
            let [beside, parts] = [at, 1].map(|at| median(of(at)) * 1e3);
            let note = format_args!("{beside:.0} ms / {parts:.0} ms");
            figure::print(&name, median(ratios), &(least..), note);
        }
    }

    /// Sends the files, whole or in parts, and returns the seconds that it took.
    fn send(&self, runtime: &Runtime, receiver: &Receiver, parts: &Arc<Parts>) -> Result<f64> {
        let address = receiver.server.address;
        let mut tasks = JoinSet::new();
        for number in 0..self.uploads {
            let (name, parts) = (format!("file-{number}"), Arc::clone(parts));
            tasks.spawn_on(send_one(address, name, parts), runtime.handle());
        }
        let mut longest = 0.0_f64;
        while let Some(sent) = runtime.block_on(tasks.join_next()) {
            longest = longest.max(sent??);
        }
        receiver.remove_files(self.uploads)?;
        Ok(longest)
    }
}

/// Sends a file, and returns the seconds from its first byte to the answer to its last.
async fn send_one(address: SocketAddr, name: String, parts: Arc<Parts>) -> Result<f64> {
    let mut sender = Sender::new(address)?;
    let count = parts.hashes.len();
    let began = Instant::now();
    if count == 1 {
        let content = parts.contents().next().ok_or("expected a file")?;
        let answer = sender.put(&name, content).await?;
        check(answer.status == 201, &answer)?;
        return Ok(began.elapsed().as_secs_f64());
    }
    let path = sender.create(&name).await?.location.ok_or("expected a location")?;
    let mut offset = 0;
    for (number, content) in (1..).zip(parts.contents()) {
        let answer = sender.append(&path, offset, content, number == count).await?;
        check(answer.status == if number == count { 201 } else { 204 }, &answer)?;
        offset = answer.offset.ok_or("expected an offset")?;
    }
    Ok(began.elapsed().as_secs_f64())
}

fn check(holds: bool, answer: &impl std::fmt::Debug) -> Result {
    if holds { Ok(()) } else { Err(format!("expected another answer, found {answer:?}").into()) }
}

impl Receiver {
    fn start(program: &Path, cores: &Cores) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().display().to_string();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = programs::receive(program, cores, any, &[], &["--uploads", &path])?;
        Ok(Self { server, directory })
    }

    fn remove_files(&self, count: u16) -> Result {
        for number in 0..count {
            std::fs::remove_file(self.directory.path().join(format!("file-{number}")))?;
        }
        Ok(())
    }
}
