//! Uploads in parts by the command, into a directory of the service.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use framesign::{
    Credentials,
    client::{RequestSigner, SignableFile},
};
use http_body_util::BodyExt;
use hyper::{Request, StatusCode, client::conn::http1};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::{net::TcpStream, runtime::Builder, task};

use crate::{
    Result, Setup, figure,
    measure::median,
    process::{self, Server},
    request::{SECRET, zeros},
    results::count,
    size::Size,
};

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The size of parts that the command has unless it is told another one.
const DEFAULT_PART: Size = Size(16 << 20);

/// The memory beside the parts in flight that each side may take.
const BESIDE: f64 = 24.0;

/// The pieces of a part that the service holds.
const PIECES: f64 = 4.0;

#[derive(clap::Args)]
pub(crate) struct Uploads {
    /// The size of the file, for which the directory needs room twice
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    size: Size,
    /// The sizes of parts, each beside one signed PUT of the file
    #[arg(
        long,
        value_name = "SIZE",
        value_delimiter = ',',
        default_value = "8MiB,16MiB,64MiB,256MiB"
    )]
    parts: Vec<Size>,
    /// The number of uploads at once, beside as many one after another, each an eighth of the file
    #[arg(long, value_name = "N", default_value = "8")]
    at_once: u16,
    /// The size of what comes from a pipe, to see the memory of both sides
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pipe: Size,
    /// The directory that uploads go to [default: one of temporary files]
    #[arg(long, value_name = "DIR")]
    directory: Option<std::path::PathBuf>,
}

impl Uploads {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let temporary = tempfile::tempdir()?;
        let directory = match &self.directory {
            Some(directory) => TempDir::new_in(directory)?,
            None => tempfile::tempdir()?,
        };
        // A service of its own: what others have left in its memory is not that of the pipe.
        let target = Target::start(setup, &directory)?;
        self.memory(&target)?;
        target.server.stop()?;
        let target = Target::start(setup, &directory)?;
        self.throughput(setup, &target, temporary.path())?;
        self.at_once(setup, &target, temporary.path())?;
        target.server.stop()
    }

    /// The command with parts of each size, in turns with one signed PUT.
    fn throughput(&self, setup: &Setup, target: &Target, folder: &Path) -> Result {
        let file = folder.join("file");
        write_random(&file, self.size)?;
        // Not counted: it brings the file into the cache.
        target.put(&file)?;
        for part in &self.parts {
            let mut pairs = Vec::new();
            for _ in 0..setup.rounds {
                let part = part.0.to_string();
                let in_parts = target.time(|target| {
                    target.wait(target.upload(&["--part-size", &part]).arg(&file))
                })?;
                pairs.push((in_parts, target.put(&file)?));
            }
            let (ours, plain) = medians(&pairs);
            let rate = |seconds: f64| count(self.size.0) / seconds / f64::from(1 << 20);
            let note = format!("{:.0} MiB/s / {:.0} MiB/s", rate(ours), rate(plain));
            let name = format!("uploads/{}/{part}/put", self.size);
            if *part == DEFAULT_PART {
                figure::print(&name, plain / ours, &(0.8..), note);
            } else {
                figure::print(&name, plain / ours, &.., note);
            }
        }
        Ok(())
    }

    /// Several uploads at once, and as many one after another.
    fn at_once(&self, setup: &Setup, target: &Target, folder: &Path) -> Result {
        let file = folder.join("part");
        write_random(&file, Size(self.size.0 / 8))?;
        let mut pairs = Vec::new();
        for _ in 0..setup.rounds {
            let together = target.time(|target| {
                let start = |_| Ok(target.upload(&[]).arg(&file).arg(target.url()).spawn()?);
                let children: Vec<Child> = (0..self.at_once).map(start).collect::<Result<_>>()?;
                children.into_iter().try_for_each(succeed)
            })?;
            let one_by_one = target.time(|target| {
                (0..self.at_once).try_for_each(|_| target.wait(target.upload(&[]).arg(&file)))
            })?;
            pairs.push((together, one_by_one));
        }
        let (together, one_by_one) = medians(&pairs);
        let note = format!("{one_by_one:.2} s / {together:.2} s");
        let name = format!("uploads/{}/at-once", self.at_once);
        figure::print(&name, one_by_one / together, &.., note);
        Ok(())
    }

    /// The memory of both sides while a pipe is uploaded, beside the parts in flight.
    fn memory(&self, target: &Target) -> Result {
        process::forget_peak(target.server.id())?;
        let mut command = target.upload(&[]);
        let mut child = command.args(["-", &target.url()]).stdin(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().ok_or("expected a standard input")?;
        let mut left = self.pipe.0;
        while left > 0 {
            input.write_all(zeros(&mut left))?;
        }
        // Read while it waits for the end of the pipe: nothing is left of a process that has ended.
        let sender = process::peak(child.id())?;
        drop(input);
        succeed(child)?;
        let receiver = process::peak(target.server.id())?;
        target.clear()?;
        let name = |side| format!("uploads/pipe/{}/{side}", self.pipe);
        let in_flight = 2.0 * count(DEFAULT_PART.0) / f64::from(1 << 20);
        let note = |all: f64, held: f64| format!("{all:.1} MiB at most, {held} of them in flight");
        let (beside, note_of) = (sender - in_flight, note(sender, in_flight));
        figure::print(&name("sender"), beside, &(..=BESIDE), note_of);
        figure::print(&name("receiver"), receiver - PIECES, &(..=BESIDE), note(receiver, PIECES));
        Ok(())
    }
}

/// A service that uploads go to.
struct Target {
    framesign: std::path::PathBuf,
    server: Server,
    directory: std::path::PathBuf,
    signer: RequestSigner,
    uploaded: std::cell::Cell<u32>,
}

impl Target {
    fn start(setup: &Setup, directory: &TempDir) -> Result<Self> {
        let path = directory.path().to_str().ok_or("expected a directory in UTF-8")?;
        let mut command = Command::new(&setup.framesign);
        command.env_clear().env("FRAMESIGN_LOG_LEVEL", "warn").env("SECRET", SECRET);
        command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
        command.args(["serve", "--listen", "127.0.0.1:0", "--uploads", path]);
        command.args(["--max-body", &(1_u64 << 40).to_string()]);
        Ok(Self {
            framesign: setup.framesign.clone(),
            server: Server::start(&mut command, &setup.cores)?,
            directory: directory.path().to_owned(),
            signer: RequestSigner::new(Credentials::new(ACCESS_KEY, SECRET_KEY)?),
            uploaded: std::cell::Cell::new(0),
        })
    }

    /// Another URL each time, since no file is replaced.
    fn url(&self) -> String {
        self.uploaded.set(self.uploaded.get() + 1);
        format!("http://{}/files/{}", self.server.address, self.uploaded.get())
    }

    fn upload(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.framesign);
        command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
        command.arg("upload").args(options).stdout(Stdio::null());
        command
    }

    /// Runs an upload to its end.
    fn wait(&self, command: &mut Command) -> Result {
        succeed(command.arg(self.url()).spawn()?)
    }

    /// The seconds that `work` takes. What was uploaded is deleted.
    fn time(&self, work: impl FnOnce(&Self) -> Result) -> Result<f64> {
        let started = Instant::now();
        work(self)?;
        let took = started.elapsed();
        self.clear()?;
        Ok(took.as_secs_f64())
    }

    fn clear(&self) -> Result {
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            if path.is_file() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The seconds of one signed PUT of a file: hashed, then sent.
    fn put(&self, file: &Path) -> Result<f64> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let took = self.time(|target| {
            let status = runtime.block_on(put(target, file))?;
            if status == StatusCode::CREATED { Ok(()) } else { Err(status.to_string().into()) }
        });
        runtime.shutdown_timeout(Duration::ZERO);
        took
    }
}

async fn put(target: &Target, file: &Path) -> Result<StatusCode> {
    let (mut parts, ()) = Request::put(target.url()).body(())?.into_parts();
    let body = target.signer.sign(&mut parts, SignableFile::new(file)).await?;
    let path = parts.uri.path().to_owned();
    parts.uri = path.parse()?;
    let socket = TcpStream::connect(target.server.address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    task::spawn(connection);
    let answer = sender.send_request(Request::from_parts(parts, body)).await?;
    let status = answer.status();
    answer.into_body().collect().await?;
    Ok(status)
}

fn succeed(mut child: Child) -> Result {
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("framesign upload: {status}").into()) }
}

fn medians(pairs: &[(f64, f64)]) -> (f64, f64) {
    (median(pairs.iter().map(|pair| pair.0)), median(pairs.iter().map(|pair| pair.1)))
}

/// A file whose bytes no file system leaves out.
fn write_random(path: &Path, size: Size) -> Result {
    let mut file = fs::File::create(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut left = size.0;
    while left > 0 {
        fastrand::fill(&mut buffer);
        let len = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        file.write_all(buffer.get(..len).unwrap_or_default())?;
        left -= len as u64;
    }
    Ok(file.sync_all()?)
}
