//! Three replicas behind HAProxy under load: one is killed, then one is asked to end.
//!
//! It fails if a request fails that was not in flight on the killed one, if the load is spread
//! unevenly, or if a signed frame is accepted twice. It takes about half a minute.

use std::{net::SocketAddr, thread, time::Duration};

pub(crate) mod balancer;
mod callers;
mod once;

use balancer::{Balancer, Counts};
use callers::{Callers, Failure};

use once::Once;

use crate::{Result, Setup, process::Server, programs, results::count};

const NAMES: [&str; 3] = ["one", "two", "three"];
const CALLERS: usize = 24;

/// The answers that make up a phase: some seconds, over which pauses of a replica even out.
const ANSWERS: u64 = 20_000;

/// The number of times that so many answers are waited for until the load is spread evenly. A replica
/// that has to wait for a core gets less, which evens out unless the balancer is to blame.
const ATTEMPTS: usize = 5;

/// The difference that the most and the least used replica may have, of the requests of the most.
const UNEVEN: f64 = 0.10;

/// The balancer notices within half a second that a replica is not ready, and uploads outlast this.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(4);
const SLOW_UPLOAD: Duration = Duration::from_secs(6);
const SLOW_UPLOADS: usize = 6;

/// A replica of the service.
pub(crate) struct Replica {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
    /// The address of its admin listener.
    pub(crate) admin: SocketAddr,
}

impl Replica {
    fn start(setup: &Setup, name: &'static str, once: &Once) -> Result<Self> {
        let delay = SHUTDOWN_DELAY.as_secs().to_string();
        let options = ["--admin-listen", "127.0.0.1:0", "--shutdown-timeout", "10"];
        let options = [&options[..], &["--shutdown-delay", &delay]].concat();
        let environment = once.environment();
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let cores = &setup.cores;
        let mut server = programs::receive(&setup.framesign, cores, any, &environment, &options)?;
        let admin = server.next_address()?;
        Ok(Self { name, server, admin })
    }
}

pub(crate) fn run(setup: &Setup) -> Result {
    let mut frames = Once::start()?;
    let replicas = NAMES.map(|name| Replica::start(setup, name, &frames));
    let [mut one, two, three] = replicas
        .into_iter()
        .collect::<Result<Vec<_>>>()?
        .try_into()
        .map_err(|_| "expected three replicas")?;
    let balancer = Balancer::start(&[&one, &two, &three])?;
    let callers = Callers::start(balancer.address, CALLERS)?;
    show(&format!(
        "{:20}{:>9}{:>7}{:>8}{:>8}{:>8}",
        "", "answered", "failed", "one", "two", "three"
    ));

    let counts = phase("all three", &callers, &balancer, || {
        let before = balancer.requests()?;
        for _ in 0..ATTEMPTS {
            callers.wait_for(ANSWERS)?;
            if unevenness(&since(&before, balancer.requests()?)) <= UNEVEN {
                break;
            }
        }
        Ok(())
    })?;
    check_spread(&counts)?;
    frames.check(balancer.address)?;
    check(callers.failures().is_empty(), "no failures")?;

    phase("one is killed", &callers, &balancer, || {
        let uploads = callers.upload_slowly(SLOW_UPLOADS, SLOW_UPLOAD);
        thread::sleep(Duration::from_secs(1));
        one.server.kill()?;
        let killed = std::time::Instant::now();
        uploads.wait()?;
        check_failures(&callers.failures(), &balancer.failures()?, killed)
    })?;
    frames.check(balancer.address)?;

    let failed = callers.failures().len();
    phase("two is asked to end", &callers, &balancer, || {
        let uploads = callers.upload_slowly(SLOW_UPLOADS, SLOW_UPLOAD);
        thread::sleep(Duration::from_millis(500));
        drain(two, &balancer)?;
        uploads.wait()
    })?;
    check(callers.failures().len() == failed, "no failures")?;

    phase("three is left", &callers, &balancer, || callers.wait_for(ANSWERS))?;
    frames.check(balancer.address)?;
    check(callers.failures().len() == failed, "no failures")
}

/// Runs a phase, and prints what was answered and what failed, and the requests of each replica.
fn phase(
    name: &str,
    callers: &Callers,
    balancer: &Balancer,
    run: impl FnOnce() -> Result,
) -> Result<Counts> {
    let (before, answered, failed) =
        (balancer.requests()?, callers.answered(), callers.failures().len());
    run()?;
    let counts = since(&before, balancer.requests()?);
    let answered = callers.answered() - answered;
    let failures = callers.failures().split_off(failed);
    let columns = NAMES.map(|name| {
        let count = counts.get(name).copied().unwrap_or_default();
        format!("{count:8}")
    });
    show(&format!("{name:20}{answered:9}{:7}{}", failures.len(), columns.concat()));
    let mut causes: Vec<_> = failures.into_iter().map(|failure| failure.cause).collect();
    causes.sort_unstable();
    for causes in causes.chunk_by(|one, other| one == other) {
        show(&format!("    {} x {}", causes.len(), causes[0]));
    }
    Ok(counts)
}

fn since(before: &Counts, mut counts: Counts) -> Counts {
    for (name, count) in &mut counts {
        *count -= before.get(name).copied().unwrap_or_default();
    }
    counts
}

/// The difference between the most and the least used, of the requests of the most used.
fn unevenness(counts: &Counts) -> f64 {
    let most = count(counts.values().copied().max().unwrap_or_default());
    let least = count(counts.values().copied().min().unwrap_or_default());
    (most - least) / most
}

fn check_spread(counts: &Counts) -> Result {
    let uneven = unevenness(counts);
    show(&format!("    spread within {:.1} %", uneven * 100.0));
    check(uneven <= UNEVEN, &format!("a spread within {:.0} %", UNEVEN * 100.0))
}

/// Checks that the failures were in flight on the replica that was killed, and on no other.
fn check_failures(failures: &[Failure], logged: &Counts, killed: std::time::Instant) -> Result {
    let late = failures.iter().filter(|failure| failure.began > killed).count();
    let count = failures.len() as u64;
    let on_killed = logged.get("one").copied().unwrap_or_default();
    show(&format!(
        "    {count} failed, {on_killed} of them on the killed one; {late} began after it was dead"
    ));
    check(late == 0, "no failure of a request that began after the kill")?;
    let all = logged.values().sum::<u64>();
    check(
        on_killed == count && all == count,
        &format!("all failures on the killed one, found {logged:?}"),
    )?;
    check(count > 0, "uploads to fail, which shows that they can")
}

/// Ends a replica. Checks that the balancer lets go of it before it stops accepting, and its exit code.
fn drain(mut replica: Replica, balancer: &Balancer) -> Result {
    replica.server.terminate()?;
    balancer.wait_for(&[replica.name], "DOWN", SHUTDOWN_DELAY * 3 / 4)?;
    check(replica.server.is_running()?, "it to go on while it is not ready")?;
    let status = replica.server.wait()?;
    show(&format!("    it ended ({status}), after the balancer had let go of it"));
    check(status.success(), "exit code 0")
}

fn check(holds: bool, expected: &str) -> Result {
    if holds { Ok(()) } else { Err(format!("replicas: expected {expected}").into()) }
}

#[expect(clippy::print_stdout, reason = "printing is the purpose")]
fn show(line: &str) {
    println!("{line}");
}
