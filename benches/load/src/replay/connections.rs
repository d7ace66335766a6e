//! One process and its Redis: what is asked, what is kept, and the ways to connect.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use framesign::replay::{Outage, RedisReplayStore, RedisSettings, ReplayGuard};
use tokio::runtime::{Builder, Runtime};

use super::{
    SLACK, TIMEOUT, check,
    racers::{Addresses, Frames, accepted_again},
    redis::{Redis, free_port},
    serve, serve_on, show,
};
use crate::{Result, Setup, connection::Connection, figure, process::Server, request::Request};

pub(super) fn check_all(setup: &Setup, runtime: &Runtime) -> Result {
    let frames = Frames::new()?;
    one_question(setup, runtime, &frames)?;
    latency(setup, &frames)?;
    frozen(setup, runtime, &frames)?;
    cut_uploads(setup, runtime, &frames)?;
    password(setup, runtime, &frames)?;
    tls(setup, runtime, &frames)?;
    cluster(setup, runtime, &frames)
}

/// Sends a frame twice: whether the first was accepted, and the second.
fn twice(runtime: &Runtime, server: &Server, frames: &Frames) -> Result<(bool, bool)> {
    let (addresses, frame) = (Addresses::new([server.address]), [frames.next()?]);
    let ask = || accepted_again(runtime, &addresses, &frame);
    Ok((ask()? == 1, ask()? == 1))
}

/// A frame costs one question, and its entry lives for as long as it should.
fn one_question(setup: &Setup, runtime: &Runtime, frames: &Frames) -> Result {
    const FRAMES: usize = 200;

    let redis = Redis::start(&[])?;
    let server = serve(setup, Some(&redis.url()), &[], &[])?;
    check(twice(runtime, &server, frames)? == (true, false), "a frame to be accepted once")?;
    let key = redis.ask(&["RANDOMKEY"])?;
    let is_name = key.strip_prefix("framesign:replay:").is_some_and(|name| name.len() == 64);
    check(is_name, "a key of the prefix and 64 digits")?;
    let left: u64 = redis.ask(&["PTTL", &key])?.parse()?;
    // 15 minutes from the signing, and the minute for clocks that differ.
    check((900_000..=961_000).contains(&left), "an entry that lives for 16 minutes")?;
    let bytes: u64 = redis.ask(&["MEMORY", "USAGE", &key])?.parse()?;

    let before = redis.calls("eval")?;
    let all: Vec<_> = (0..FRAMES).map(|_| frames.next()).collect::<Result<_>>()?;
    let addresses = Addresses::new([server.address]);
    check(accepted_again(runtime, &addresses, &all)? == FRAMES, "all frames to be accepted")?;
    let questions = redis.calls("eval")? - before;
    show(&format!("{FRAMES} frames: {questions} questions; an entry takes {bytes} bytes"));
    check(questions == FRAMES as u64, "one question for each frame")
}

/// What a question adds to the time of an answer, beside the time of one as the service asks it: by
/// the same client, on a runtime of one thread and on the core of the service, while Redis has
/// another one. All three in turns.
fn latency(setup: &Setup, frames: &Frames) -> Result {
    const REQUESTS: usize = 20_000;

    let (core, others) = setup.cores.split(1);
    others.bind()?;
    let redis = Redis::start(&[])?;
    let url = redis.url();
    let [without, with] = [None, Some(&*url)].map(|url| serve_on(&core, setup, url, &[], &[]));
    let servers = [without?, with?];
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut times = runtime.block_on(async {
        let store = RedisReplayStore::new(&RedisSettings::new(&url)?)?;
        let guard = ReplayGuard::new(store, Outage::Refuse);
        let mut connections = Vec::new();
        for server in &servers {
            connections.push(Connection::open(server.address).await?);
        }
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..REQUESTS {
            others.bind()?;
            for ((connection, server), times) in
                connections.iter_mut().zip(&servers).zip(&mut times)
            {
                let request = Request::verify(server.address, &frames.next()?);
                let began = Instant::now();
                connection.exchange(&request).await?;
                times.push(began.elapsed());
            }
            let verified = frames.verified()?;
            core.bind()?;
            let began = Instant::now();
            guard.accept(&verified).await?;
            times[2].push(began.elapsed());
        }
        Result::<_>::Ok(times)
    })?;
    setup.cores.bind()?;
    for times in &mut times {
        times.sort_unstable();
    }
    let micros = |times: &[Duration], part: usize| {
        times.get(REQUESTS - REQUESTS / part).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    for (name, part) in [("p50", 2), ("p99", 100)] {
        let [without, with, question] = [0, 1, 2].map(|at| micros(&times[at], part));
        let note =
            format!("{with:.0} µs with Redis, {without:.0} without; a question {question:.0}");
        let added = (with - without) / question;
        figure::print(&format!("replay/verify/{name}"), added, &(..=1.0), note);
    }
    Ok(())
}

/// A Redis that says nothing is a 503 within the time-out, and is used again once it speaks.
fn frozen(setup: &Setup, runtime: &Runtime, frames: &Frames) -> Result {
    let redis = Redis::start(&[])?;
    let server = serve(setup, Some(&redis.url()), &[], &[])?;
    check(twice(runtime, &server, frames)? == (true, false), "a frame to be accepted once")?;
    redis.freeze(true)?;
    let frame = frames.next()?;
    let began = Instant::now();
    let answer = runtime.block_on(async {
        let mut connection = Connection::open(server.address).await?;
        connection.exchange(&Request::verify(server.address, &frame)).await
    })?;
    let took = began.elapsed();
    redis.freeze(false)?;
    show(&format!("Redis says nothing: {} after {} ms", answer.status, took.as_millis()));
    check(answer.status == 503 && answer.has_retry_after, "503 with Retry-After")?;
    check((TIMEOUT..TIMEOUT + SLACK).contains(&took), "503 within the time-out")?;
    // What was asked while it was frozen may have been written, and is released.
    wait(|| {
        Ok(accepted_again(
            runtime,
            &Addresses::new([server.address]),
            std::slice::from_ref(&frame),
        )? == 1)
    })?;
    check(twice(runtime, &server, frames)? == (true, false), "a frame to be accepted once")
}

/// An upload that is cut leaves no entry, and can be sent again.
fn cut_uploads(setup: &Setup, runtime: &Runtime, frames: &Frames) -> Result {
    let redis = Redis::start(&[])?;
    let directory = tempfile::tempdir()?;
    let uploads = directory.path().to_str().ok_or("expected a path of text")?;
    let server = serve(setup, Some(&redis.url()), &["--uploads", uploads], &[])?;
    let upload = frames.upload("/files/a", server.address)?;
    for (number, cut) in [upload.len() - 1, upload.len() - 5].into_iter().enumerate() {
        runtime.block_on(async {
            let mut connection = Connection::open(server.address).await?;
            let (_, mut writer) = connection.split();
            tokio::io::AsyncWriteExt::write_all(&mut writer, &upload[..cut]).await
        })?;
        // It is reserved, and released when the connection is lost.
        let questions = 2 * (number as u64 + 1);
        wait(|| Ok(redis.calls("eval")? == questions && redis.ask(&["DBSIZE"])? == "0"))?;
    }
    let send = || {
        runtime.block_on(async {
            let mut connection = Connection::open(server.address).await?;
            connection.exchange(&Request::raw(&upload)).await
        })
    };
    let status = send()?.status;
    check(status == 201, &format!("the upload to be taken, found {status}"))?;
    check(fs::read(directory.path().join("a"))? == b"hello", "the file")?;
    check(send()?.status == 409, "the upload to be refused when it comes again")?;
    show("an upload that is cut is released, and then taken once");
    Ok(())
}

fn password(setup: &Setup, runtime: &Runtime, frames: &Frames) -> Result {
    let options = ["--requirepass", "a password"];
    let redis = Redis::start_in(tempfile::tempdir()?, &options, Some("a password"))?;
    let secrets = [("FRAMESIGN_REPLAY_PASSWORD", "a password")];
    let server = serve(setup, Some(&redis.url()), &[], &secrets)?;
    check(twice(runtime, &server, frames)? == (true, false), "a frame to be accepted once")?;
    show("with a password");
    Ok(())
}

fn tls(setup: &Setup, runtime: &Runtime, frames: &Frames) -> Result {
    let directory = tempfile::tempdir()?;
    let authority = certificates(directory.path())?;
    let port = free_port()?.to_string();
    let options = ["--tls-port", &port, "--tls-auth-clients", "no"];
    let files = ["--tls-cert-file", "server.pem", "--tls-key-file", "server.key"];
    let options = [&options[..], &files, &["--tls-ca-cert-file", "authority.pem"]].concat();
    let _redis = Redis::start_in(directory, &options, None)?;
    let url = format!("rediss://localhost:{port}");
    let trusted = [("SSL_CERT_FILE", &*authority)];
    let server = serve(setup, Some(&url), &[], &trusted)?;
    check(twice(runtime, &server, frames)? == (true, false), "a frame to be accepted once")?;
    // Without that authority the certificate is nobody's.
    let server = serve(setup, Some(&url), &[], &[])?;
    check(twice(runtime, &server, frames).is_err(), "a certificate that is not trusted")?;
    show("with TLS, and not with a certificate that is not trusted");
    Ok(())
}

fn cluster(setup: &Setup, runtime: &Runtime, frames: &Frames) -> Result {
    let port = free_port()?.to_string();
    let redis =
        Redis::start(&["--cluster-enabled", "yes", "--port", &port, "--bind", "127.0.0.1"])?;
    redis.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])?;
    wait(|| Ok(redis.ask(&["CLUSTER", "INFO"])?.contains("cluster_state:ok")))?;
    let url = format!("redis-cluster://127.0.0.1:{port}");
    let server = serve(setup, Some(&url), &[], &[])?;
    check(twice(runtime, &server, frames)? == (true, false), "a frame to be accepted once")?;
    show("with a cluster");
    Ok(())
}

/// Makes an authority and a certificate for `localhost`, and gives the path of the former.
fn certificates(directory: &Path) -> Result<String> {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                  -keyout authority.key -out authority.pem -subj /CN=authority -days 2 && \
                  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                  -keyout server.key -out server.pem -subj /CN=localhost -days 2 \
                  -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE \
                  -CA authority.pem -CAkey authority.key";
    let output = Command::new("sh").args(["-c", script]).current_dir(directory).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    check(output.status.success(), &format!("openssl to make certificates: {said}"))?;
    Ok(directory.join("authority.pem").to_str().ok_or("expected a path of text")?.into())
}

/// Waits, within bounds, until something is so.
fn wait(is_so: impl Fn() -> Result<bool>) -> Result {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if is_so().unwrap_or_default() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err("replay: waited in vain".into())
}
