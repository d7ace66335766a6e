//! The rate of a caller over several processes and one Redis.

use std::{
    fs,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{self, timeout},
};

use super::{SLACK, TIMEOUT, check, redis::Redis, serve, show};
use crate::{
    Result, Setup,
    connection::{Answer, Connection},
    process::Server,
    request::Request,
};

const PROCESSES: usize = 4;

/// The requests a second of the caller, and those at once.
const RATE: u32 = 50;
const BURST: u32 = 20;

const TOKEN: &str = "token-of-the-caller-with-a-rate";

/// How long the caller asks for more than it may.
const LENGTH: Duration = Duration::from_secs(4);

/// What the caller was answered.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    taken: u32,
    refused: u32,
    unavailable: u32,
    others: u32,
}

/// A caller who asks all processes at once gets its rate, and not that of each. While Redis is away,
/// it is refused within the time-out.
pub(super) fn check_all(setup: &Setup, runtime: &Runtime) -> Result {
    let folder = tempfile::tempdir()?;
    let callers = folder.path().join("callers.toml");
    let text = format!("[caller]\ntokens = ['{TOKEN}']\nrate = {RATE}\nburst = {BURST}\n");
    fs::write(&callers, text)?;
    let callers = callers.display().to_string();
    let mut redis = Redis::start(&[])?;
    let url = redis.url();
    let start = |_| serve(setup, Some(&url), &["--callers", &callers], &[]);
    let servers = (0..PROCESSES).map(start).collect::<Result<Vec<_>>>()?;

    let began = Instant::now();
    let answers = ask_all(runtime, &servers, LENGTH)?;
    let length = began.elapsed();
    let most = f64::from(BURST) + f64::from(RATE) * length.as_secs_f64();
    show(&format!(
        "a rate of {RATE} a second and {BURST} at once, {PROCESSES} processes, {:.1} s: {answers:?}, \
         at most {most:.0} taken",
        length.as_secs_f64()
    ));
    check(f64::from(answers.taken) <= most + 1.0, "no more than the rate")?;
    check(f64::from(answers.taken) >= 0.9 * most, "nearly all of the rate")?;
    check(answers.refused > 0 && answers.unavailable + answers.others == 0, "the rest to be 429")?;

    // A time far ahead, as after the clock of Redis was set back, locks nobody out.
    redis.ask(&["SET", "framesign:replay:rate:caller", "9000000000000000"])?;
    thread::sleep(Duration::from_millis(10));
    check(ask_all(runtime, &servers, Duration::ZERO)?.refused > 0, "a count that is full")?;
    thread::sleep(Duration::from_secs(1));
    check(ask_all(runtime, &servers, Duration::ZERO)?.taken > 0, "requests to be taken again")?;

    redis.kill()?;
    let asked = Instant::now();
    let answers = ask_all(runtime, &servers, Duration::ZERO)?;
    check(answers.unavailable > 0 && answers.taken + answers.refused == 0, "503 without Redis")?;
    check(asked.elapsed() < TIMEOUT + SLACK, "503 within the time-out")?;
    redis.restart()?;
    thread::sleep(Duration::from_secs(1));
    let answers = ask_all(runtime, &servers, Duration::ZERO)?;
    check(answers.taken > 0, "requests to be taken once Redis is back")
}

/// Asks each process on two connections, at least once and for as long as `length`.
fn ask_all(runtime: &Runtime, servers: &[Server], length: Duration) -> Result<Answers> {
    let mut tasks = JoinSet::new();
    for server in servers.iter().chain(servers) {
        tasks.spawn_on(ask(server.address, length), runtime.handle());
    }
    let mut all = Answers::default();
    while let Some(answers) = runtime.block_on(tasks.join_next()) {
        let Answers { taken, refused, unavailable, others } = answers??;
        all.taken += taken;
        all.refused += refused;
        all.unavailable += unavailable;
        all.others += others;
    }
    Ok(all)
}

async fn ask(address: SocketAddr, length: Duration) -> Result<Answers> {
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let request = Request::raw(request.as_bytes());
    let (began, mut answers) = (Instant::now(), Answers::default());
    let mut connection = Connection::open(address).await?;
    loop {
        let answer = timeout(TIMEOUT + SLACK, connection.exchange(&request)).await??;
        match answer {
            Answer { status: 200, .. } => answers.taken += 1,
            Answer { status: 429, has_retry_after: true, .. } => answers.refused += 1,
            Answer { status: 503, has_retry_after: true, .. } => answers.unavailable += 1,
            _ => answers.others += 1,
        }
        if began.elapsed() >= length {
            return Ok(answers);
        }
        time::sleep(Duration::from_millis(5)).await;
    }
}
