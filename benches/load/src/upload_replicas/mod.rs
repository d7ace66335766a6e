//! Uploads in parts over three replicas and one bucket: clients that race, and replicas that are killed.
//!
//! It fails if bytes are lost or others, if of two clients that race both win or none, or if a file is
//! visible before its last part was sent. It takes some minutes, most of which are claims of killed
//! processes that run out.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::sleep,
};

mod bucket;
mod ceph;
mod race;
mod uploads;

use bucket::Bucket;
use ceph::Ceph;
use uploads::{PARTS, Progress, Uploaded, Uploads};

use crate::{
    Result, Setup, figure, programs,
    replicas::{Replica, balancer::Balancer},
    results::count,
};

const NAMES: [&str; 3] = ["one", "two", "three"];
const UPLOADS: u64 = 64;

/// The longest that uploads may stand still.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long a replica is away.
const AWAY: Duration = Duration::from_secs(1);

pub(crate) fn run(setup: &Setup) -> Result {
    let ceph = Ceph::start()?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let bucket = Arc::new(runtime.block_on(Bucket::create(&ceph))?);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let replicas = NAMES.map(|name| start(setup, &bucket, name, any, any));
    let mut replicas = replicas.into_iter().collect::<Result<Vec<_>>>()?;
    let [one, two] = [replicas[0].server.address, replicas[1].server.address];
    let raced = runtime.block_on(race::run([one, two]))?;
    figure::print(
        "upload-replicas/race/winners",
        1.0,
        &(1.0..=1.0),
        format_args!(
            "{} times two clients of one upload: one counts, 409 for the other",
            race::ROUNDS
        ),
    );

    let balancer = Balancer::start(&replicas.iter().collect::<Vec<_>>())?;
    let began = Instant::now();
    let uploads = Uploads::start(&runtime, balancer.address, UPLOADS);
    let progress = Arc::clone(&uploads.progress);
    let observer = observe(&runtime, Arc::clone(&bucket), Arc::clone(&progress));
    for (number, replica) in (1..).zip(&mut replicas) {
        wait_for(&progress, UPLOADS * PARTS * number / 5)?;
        kill(setup, &bucket, replica)?;
        balancer.wait_for(&NAMES, "UP", PATIENCE)?;
    }
    let uploaded = runtime.block_on(uploads.wait())?;
    let seconds = began.elapsed().as_secs_f64();
    runtime.block_on(check(&bucket, &uploaded, raced))?;
    let looks = runtime.block_on(ended(observer))?;
    report(&progress, seconds, looks);
    runtime.block_on(report_left(&bucket, &progress))
}

/// Starts a replica, or starts it again where it was.
fn start(
    setup: &Setup,
    bucket: &Bucket,
    name: &'static str,
    address: SocketAddr,
    admin: SocketAddr,
) -> Result<Replica> {
    let (url, admin) = (Bucket::url(), admin.to_string());
    let options = ["--uploads", &url, "--admin-listen", &admin];
    let environment = bucket.environment();
    let mut server =
        programs::receive(&setup.framesign, &setup.cores, address, &environment, &options)?;
    let admin = server.next_address()?;
    Ok(Replica { name, server, admin })
}

/// Kills a replica, and starts it again.
fn kill(setup: &Setup, bucket: &Bucket, replica: &mut Replica) -> Result {
    replica.server.kill()?;
    thread::sleep(AWAY);
    let address = replica.server.address;
    *replica = start(setup, bucket, replica.name, address, replica.admin)?;
    Ok(())
}

/// Waits until so many parts were acknowledged.
fn wait_for(progress: &Progress, parts: u64) -> Result {
    let until = Instant::now() + PATIENCE;
    while progress.counted.load(Relaxed) < parts {
        progress.check()?;
        if Instant::now() > until {
            return Err("upload-replicas: parts are acknowledged too slowly".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Looks at the bucket for files that are visible too early, until it is told to end. Returns how often
/// it has looked.
fn observe(
    runtime: &Runtime,
    bucket: Arc<Bucket>,
    progress: Arc<Progress>,
) -> JoinHandle<Result<u64>> {
    runtime.spawn(async move {
        let mut looks = 0;
        loop {
            let files = bucket.files().await?;
            looks += 1;
            // Read after the look: what is there by then may be there.
            let ending = progress.ending().clone();
            let mut early = files.difference(&ending).filter(|name| *name != race::NAME);
            if let Some(name) = early.next() {
                return Err(format!("upload-replicas: {name} is visible before its end").into());
            }
            if ending.len() as u64 == UPLOADS {
                return Ok(looks);
            }
            sleep(Duration::from_millis(100)).await;
        }
    })
}

async fn ended(observer: JoinHandle<Result<u64>>) -> Result<u64> {
    observer.await?
}

/// Compares what is visible with what was sent.
async fn check(bucket: &Bucket, uploaded: &[Uploaded], raced: [u8; 32]) -> Result {
    let files = bucket.files().await?;
    let expected = uploaded.iter().map(|uploaded| uploaded.name.clone());
    let expected = expected.chain([race::NAME.to_owned()]).collect();
    if files != expected {
        return Err(format!("upload-replicas: expected {expected:?}, found {files:?}").into());
    }
    let race = Uploaded { name: race::NAME.to_owned(), hash: raced };
    for Uploaded { name, hash } in uploaded.iter().chain([&race]) {
        if bucket.hash(name).await? != *hash {
            return Err(format!("upload-replicas: {name} has other bytes than were sent").into());
        }
    }
    Ok(())
}

fn report(progress: &Progress, seconds: f64, looks: u64) {
    let again = count(progress.again.load(Relaxed));
    let sent = UPLOADS * PARTS;
    figure::print(
        "upload-replicas/complete",
        count(UPLOADS),
        &(count(UPLOADS)..),
        format_args!("{seconds:.0} s; bytes equal, {looks} looks without a file before its end"),
    );
    figure::print(
        "upload-replicas/sent-again",
        again,
        &..,
        format_args!("of {sent} parts, by {} kills; seen {:?}", NAMES.len(), progress.seen()),
    );
}

/// What is left besides files: records of creations whose answer was lost, for the sweeper.
async fn report_left(bucket: &Bucket, progress: &Progress) -> Result {
    let (open, names) = (bucket.records("open").await?, bucket.records("names").await?);
    let most = count(progress.created_again.load(Relaxed));
    let note = format_args!("creations whose answer was lost: {most}");
    figure::print("upload-replicas/left-records", count(open as u64), &(..=most), note);
    figure::print("upload-replicas/left-names", count(names as u64), &(..=0.0), "reservations");
    if count(open as u64) > most || names > 0 {
        return Err("upload-replicas: expected fewer records to be left".into());
    }
    Ok(())
}
