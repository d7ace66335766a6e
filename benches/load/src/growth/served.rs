//! What the service does with more and more of one thing.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{runtime::Builder, time::sleep};

use super::{fit::Point, sizes};
use crate::{
    Result, Setup,
    connection::Connection,
    parts::{Answer, Content, Sender},
    process::{self, Server},
    programs,
    request::Request,
    results::count,
};

/// The times that each is measured; the least counts, since other programs can only add to it.
const TURNS: u64 = 31;

/// The exchanges on an open connection: processors that have slept are slow to wake for the first dozens.
const EXCHANGES: usize = 500;

/// The time in which the service has taken what has come.
const SETTLED: Duration = Duration::from_millis(500);

/// Asks for the health of a service with `size` open connections, and its memory.
pub(crate) fn connections(setup: &Setup) -> Result<Vec<Point>> {
    let options = ["--idle-timeout", "600", "--head-timeout", "600"];
    let server = programs::serve(&setup.framesign, &setup.cores, &options)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let points = runtime.block_on(async {
        let health = Request::health(server.address);
        let mut asked = Connection::open(server.address).await?;
        asked.exchange(&health).await?;
        let before = process::resident(server.id())?;
        let (mut points, mut open) = (Vec::new(), Vec::new());
        for size in sizes(32) {
            while open.len() < usize::try_from(size)? {
                let mut connection = Connection::open(server.address).await?;
                // One that was used has its buffers.
                connection.exchange(&health).await?;
                open.push(connection);
            }
            sleep(SETTLED).await;
            let mut times = Vec::new();
            for _ in 0..EXCHANGES {
                let began = Instant::now();
                asked.exchange(&health).await?;
                times.push(began.elapsed().as_secs_f64());
            }
            points.push(Point {
                size: count(size),
                seconds: times.into_iter().fold(f64::INFINITY, f64::min),
                bytes: Some(grown(&server, before)?),
            });
        }
        Result::<_>::Ok(points)
    })?;
    server.stop()?;
    Ok(points)
}

/// Sends a part to one of `size` uploads that are not complete.
pub(crate) fn uploads(setup: &Setup) -> Result<Vec<Point>> {
    let (folder, server) = receive(setup)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let points = runtime.block_on(async {
        let mut sender = Sender::new(server.address)?;
        let (first, content) = (create(&mut sender, 0).await?, Content::new(&[b'x'; 1024]));
        let (mut points, mut have, mut offset) = (Vec::new(), 1, 0);
        for size in sizes(16) {
            for number in have..size {
                create(&mut sender, number).await?;
            }
            have = size;
            let seconds = least(&mut sender, &first, &mut offset, content).await?;
            points.push(Point { size: count(size), seconds, bytes: None });
        }
        Result::<_>::Ok(points)
    })?;
    server.stop()?;
    drop(folder);
    Ok(points)
}

/// Sends a further part to an upload with `size` parts.
pub(crate) fn parts(setup: &Setup) -> Result<Vec<Point>> {
    let (folder, server) = receive(setup)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let points = runtime.block_on(async {
        let (mut sender, mut points) = (Sender::new(server.address)?, Vec::new());
        let content = Content::new(&[b'x'; 1024]);
        let (path, mut have, mut offset) = (create(&mut sender, 0).await?, 0, 0);
        for size in sizes(64) {
            while have < size {
                offset = append(&mut sender, &path, offset, content).await?;
                have += 1;
            }
            let seconds = least(&mut sender, &path, &mut offset, content).await?;
            have += TURNS;
            points.push(Point { size: count(size), seconds, bytes: None });
        }
        Result::<_>::Ok(points)
    })?;
    server.stop()?;
    drop(folder);
    Ok(points)
}

/// A service that receives uploads, in memory if there is such a file system: what is measured is the
/// service, not the disk.
fn receive(setup: &Setup) -> Result<(TempDir, Server)> {
    let shared = Path::new("/dev/shm");
    let folder = if shared.is_dir() { tempfile::tempdir_in(shared)? } else { tempfile::tempdir()? };
    let uploads = folder.path().join("uploads");
    fs::create_dir(&uploads)?;
    let uploads = uploads.to_str().ok_or("expected a temporary folder with a name in UTF-8")?;
    let options = ["--uploads", uploads, "--uploads-per-access-key", "100000"];
    let any = ([127, 0, 0, 1], 0).into();
    let server = programs::receive(&setup.framesign, &setup.cores, any, &[], &options)?;
    Ok((folder, server))
}

async fn create(sender: &mut Sender, number: u64) -> Result<String> {
    match sender.create(&format!("file-{number}")).await? {
        Answer { status: 201, location: Some(path), .. } => Ok(path),
        answer => Err(format!("expected a new upload, found {answer:?}").into()),
    }
}

/// The least time of a further part, over several.
async fn least(
    sender: &mut Sender,
    path: &str,
    offset: &mut u64,
    content: Content<'_>,
) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TURNS {
        let began = Instant::now();
        *offset = append(sender, path, *offset, content).await?;
        least = least.min(began.elapsed().as_secs_f64());
    }
    Ok(least)
}

async fn append(sender: &mut Sender, path: &str, offset: u64, content: Content<'_>) -> Result<u64> {
    match sender.append(path, offset, content, false).await? {
        Answer { status: 204, offset: Some(offset), .. } => Ok(offset),
        answer => Err(format!("expected a part that counts, found {answer:?}").into()),
    }
}

/// The bytes by which the memory of a server has grown.
fn grown(server: &Server, before: f64) -> Result<f64> {
    Ok((process::resident(server.id())? - before).max(0.001) * f64::from(1 << 20))
}
