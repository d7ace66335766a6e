//! Each frame is accepted once by many processes over one Redis, while they and Redis are killed.
//!
//! It fails if a frame is accepted twice outside of the window that `docs/scaling.md` names, or if a
//! process answers too late while Redis is away. It takes some minutes.

mod connections;
pub(crate) mod racers;
mod rates;
pub(crate) mod redis;

use std::{
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use racers::{ACCESS_KEY, Addresses, Frames, Outcome, Race, SECRET_KEY, accepted_again};
use redis::Redis;
use tokio::runtime::{Builder, Runtime};

use crate::{Result, Setup, cores::Cores, process::Server, request::SECRET};

/// The time-out of the service for Redis.
const TIMEOUT: Duration = Duration::from_millis(500);

/// What an answer may take beyond that on a machine that is busy with all of this.
const SLACK: Duration = Duration::from_secs(3);

#[derive(clap::Args)]
pub(crate) struct Replay {
    /// The number of frames of the first race
    #[arg(long, default_value_t = 100_000)]
    frames: usize,
    /// The number of processes
    #[arg(long, default_value_t = 16)]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    processes: usize,
    /// The number of racers
    #[arg(long, default_value_t = 1000)]
    #[arg(value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(8..=4000))]
    racers: usize,
}

/// Starts the service with one thread and the keys of the racers, over a Redis if there is one.
fn serve(
    setup: &Setup,
    redis: Option<&str>,
    options: &[&str],
    secrets: &[(&str, &str)],
) -> Result<Server> {
    serve_on(&setup.cores, setup, redis, options, secrets)
}

/// The same, on some cores.
fn serve_on(
    cores: &Cores,
    setup: &Setup,
    redis: Option<&str>,
    options: &[&str],
    secrets: &[(&str, &str)],
) -> Result<Server> {
    let mut command = Command::new(&setup.framesign);
    command.env_clear().env("SECRET", SECRET).env("FRAMESIGN_LOG_LEVEL", "error");
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.envs(secrets.iter().copied());
    command.args(["serve", "--listen", "127.0.0.1:0", "--threads", "1"]);
    if let Some(url) = redis {
        command.args(["--replay", url, "--replay-outage", "refuse"]);
    }
    command.arg("--replay-timeout").arg(TIMEOUT.as_secs_f64().to_string()).args(options);
    Server::start(&mut command, cores)
}

impl Replay {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        connections::check_all(setup, &runtime)?;
        rates::check_all(setup, &runtime)?;

        let frames = Arc::new(Frames::new()?);
        let redis = Redis::start(&["--appendonly", "no"])?;
        let mut field = Field::start(self, setup, redis, &runtime, &frames)?;
        field.race(self.frames)?;
        field.kill_each_process()?;
        field.kill_redis(false)?;

        let keeps = ["--appendonly", "yes", "--appendfsync", "always"];
        let mut field = Field::start(self, setup, Redis::start(&keeps)?, &runtime, &frames)?;
        field.kill_redis(true)
    }
}

/// The processes, their Redis, and the racers.
struct Field<'a> {
    setup: &'a Setup,
    runtime: &'a Runtime,
    redis: Redis,
    servers: Vec<Server>,
    addresses: Arc<Addresses>,
    frames: Arc<Frames>,
    racers: usize,
}

impl<'a> Field<'a> {
    fn start(
        options: &Replay,
        setup: &'a Setup,
        redis: Redis,
        runtime: &'a Runtime,
        frames: &Arc<Frames>,
    ) -> Result<Self> {
        let url = redis.url();
        let servers = (0..options.processes).map(|_| serve(setup, Some(&url), &[], &[]));
        let servers = servers.collect::<Result<Vec<_>>>()?;
        let addresses = Arc::new(Addresses::new(servers.iter().map(|server| server.address)));
        let (frames, racers) = (Arc::clone(frames), options.racers);
        Ok(Self { setup, runtime, redis, servers, addresses, frames, racers })
    }

    fn start_race(&self, frames: usize) -> Race {
        Race::start(self.runtime, &self.frames, &self.addresses, self.racers, frames)
    }

    /// All racers, and nothing is killed: each frame is accepted exactly once.
    fn race(&self, frames: usize) -> Result {
        let began = Instant::now();
        let outcomes = self.start_race(frames).wait(self.runtime)?;
        report("nothing is killed", &outcomes, began);
        let is_right = |outcome: &Outcome| {
            outcome.accepted.len() == 1 && outcome.failed + outcome.unavailable == 0
        };
        check(outcomes.iter().all(is_right), "one accept of each frame, and no failure")?;
        check(outcomes.len() == frames, "all frames")
    }

    /// Each process is killed once and started again: no frame is accepted twice.
    fn kill_each_process(&mut self) -> Result {
        let began = Instant::now();
        let race = self.start_race(usize::MAX);
        for number in 0..self.servers.len() {
            thread::sleep(Duration::from_millis(500));
            self.servers[number].kill()?;
            self.servers[number] = serve(self.setup, Some(&self.redis.url()), &[], &[])?;
            self.addresses.set(number, self.servers[number].address);
        }
        thread::sleep(Duration::from_secs(1));
        let outcomes = race.end(self.runtime)?;
        report("each process is killed", &outcomes, began);
        check(outcomes.iter().all(|outcome| outcome.accepted.len() <= 1), "no second accept")?;
        // An accept can be lost with the process that said it.
        let is_explained = |outcome: &Outcome| outcome.accepted.len() == 1 || outcome.failed > 0;
        check(outcomes.iter().all(is_explained), "one accept of each frame that nobody lost")?;
        let failed: usize = outcomes.iter().map(|outcome| outcome.failed).sum();
        check(failed > 0, "requests to fail, which shows that they can")
    }

    /// Redis is killed under load, stays away, and comes back with or without what it knew.
    fn kill_redis(&mut self, keeps: bool) -> Result {
        let began = Instant::now();
        let race = self.start_race(usize::MAX);
        thread::sleep(Duration::from_secs(3));
        self.redis.kill()?;
        let killed = Instant::now();
        thread::sleep(Duration::from_secs(3));
        let back = Instant::now();
        self.redis.restart()?;
        thread::sleep(Duration::from_secs(3));
        let outcomes = race.end(self.runtime)?;
        let name =
            if keeps { "Redis is killed, and keeps" } else { "Redis is killed, and forgets" };
        report(name, &outcomes, began);

        let is_in_window =
            |outcome: &Outcome| !keeps && outcome.accepted.iter().any(|at| *at < back);
        let twice = outcomes.iter().filter(|outcome| outcome.accepted.len() > 1);
        check(twice.into_iter().all(is_in_window), "no second accept but after it forgot")?;
        let slowest = outcomes.iter().map(|outcome| outcome.slowest_unavailable).max();
        let slowest = slowest.unwrap_or_default();
        let unavailable: usize = outcomes.iter().map(|outcome| outcome.unavailable).sum();
        show(&format!(
            "    {unavailable} answers 503, the slowest after {} ms",
            slowest.as_millis()
        ));
        check(unavailable > 0, "answers 503 while Redis is away")?;
        check(slowest < TIMEOUT + SLACK, "503 within the time-out")?;
        check(outcomes.iter().all(|outcome| outcome.failed == 0), "an answer to each request")?;

        let accepted = |is_of: &dyn Fn(Instant) -> bool| -> Vec<_> {
            let outcomes =
                outcomes.iter().filter(|outcome| outcome.accepted.iter().all(|at| is_of(*at)));
            let outcomes = outcomes.filter(|outcome| !outcome.accepted.is_empty());
            outcomes.map(|outcome| Arc::clone(&outcome.frame)).take(500).collect()
        };
        // An answer takes its way after Redis has said it.
        let before = accepted(&|at| at + Duration::from_millis(500) < killed);
        let after = accepted(&|at| at > back + Duration::from_secs(1));
        check(!before.is_empty() && !after.is_empty(), "accepts before and after")?;
        let before_again = accepted_again(self.runtime, &self.addresses, &before)?;
        let after_again = accepted_again(self.runtime, &self.addresses, &after)?;
        show(&format!(
            "    sent again: {before_again} of {} accepted before, {after_again} of {} accepted after",
            before.len(),
            after.len()
        ));
        check(after_again == 0, "no frame again that was accepted after it came back")?;
        let expected = if keeps { 0 } else { before.len() };
        check(before_again == expected, "those again that it forgot, and no others")
    }
}

fn report(name: &str, outcomes: &[Outcome], began: Instant) {
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    let accepts = |is_so: fn(usize) -> bool| {
        outcomes.iter().filter(|outcome| is_so(outcome.accepted.len())).count()
    };
    show(&format!(
        "{name}: {} frames in {} s; accepted once {}, never {}, more often {}; \
         replayed {}, 503 {}, failed {}",
        outcomes.len(),
        began.elapsed().as_secs(),
        accepts(|accepts| accepts == 1),
        accepts(|accepts| accepts == 0),
        accepts(|accepts| accepts > 1),
        sum(|outcome| outcome.replayed),
        sum(|outcome| outcome.unavailable),
        sum(|outcome| outcome.failed),
    ));
}

fn check(holds: bool, expected: &str) -> Result {
    if holds { Ok(()) } else { Err(format!("replay: expected {expected}").into()) }
}

#[expect(clippy::print_stdout, reason = "printing is the purpose")]
fn show(line: &str) {
    println!("{line}");
}
