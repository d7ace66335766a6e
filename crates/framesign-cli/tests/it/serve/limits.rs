//! How many connections there may be, and how large what comes over them.

use std::{fs, process::Command};

use rustix::process::{Resource, getrlimit};

use super::{Connection, Service, head, request::Request, serve, startup::complaint, token_of};

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn connection_over_the_limit_waits_for_one_to_end() {
    let service = Service::start(&["--max-connections", "2"]);
    let (mut first, mut second) = (service.connect(), service.connect());
    for connection in [&mut first, &mut second] {
        connection.send(LIVEZ);
        assert_eq!(connection.answer().status, 200);
    }
    // The kernel takes it, and what it sends.
    let mut third = service.connect();
    third.send(LIVEZ);
    second.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(second.answer().json()["connections"]["accepted"], 2);
    drop(first);
    assert_eq!(third.answer().status, 200);
}

/// `framesign serve` after a shell has done something.
fn after(shell: &str, options: &[&str]) -> Command {
    let service = serve(options);
    let mut command = Command::new("/bin/sh");
    command.env_clear().current_dir(crate::support::repository());
    command.envs(service.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-c", &format!("{shell} && exec \"$@\""), "sh"]);
    command.arg(service.get_program()).args(service.get_args());
    command
}

/// The number after `text` in the log.
fn number_after(log: &str, text: &str) -> u64 {
    let (_, rest) = log.split_once(text).unwrap_or_else(|| panic!("{text:?} in {log}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// The files that it has open. Only root sees those of a service that cannot be dumped.
fn open_files(service: &Service) -> u64 {
    fs::read_dir(format!("/proc/{}/fd", service.id())).unwrap().count() as u64
}

#[test]
fn few_files_are_room_for_few_connections() {
    let service = Service::run(&mut after("ulimit -n 64", &["--threads", "2", "--core-dumps"]));
    service.wait_for_log("room for ");
    let room = number_after(&service.log(), "room for ");
    // Beside what is open, one a thread and 16 are kept free.
    assert_eq!(open_files(&service) + 2 + 16 + room, 64, "{}", service.log());
    let mut early = service.connect();
    early.send(LIVEZ);
    assert_eq!(early.answer().status, 200);
    let mut crowd: Vec<_> = (0..100).map(|_| service.connect()).collect();
    // Who is in is served while the others wait, and there are files left to be read.
    for _ in 0..100 {
        early.send(head("/token", 5) + "bytes");
        assert_eq!(early.answer().json()["token"], token_of(b"bytes"));
    }
    early.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(early.answer().json()["process"]["open_fds"].as_u64().unwrap() < 64);
    let mut last = crowd.pop().unwrap();
    drop(crowd);
    last.send(LIVEZ);
    assert_eq!(last.answer().status, 200);
    assert!(!service.log().contains("not accepted"), "{}", service.log());
}

/// What the process inherits is open too.
#[test]
fn files_are_left_to_be_read_however_many_connections_there_are() {
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(files.path().join(name), text).unwrap();
    write("secret", "the first secret of the test");
    write("callers", "caller = ['0123456789abcdef', 'fedcba9876543210']");
    let inherited = "exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null";
    let callers = files.path().join("callers").into_os_string().into_string().unwrap();
    let options = ["--admin-listen", "127.0.0.1:0", "--callers", &callers, "--threads", "2"];
    let mut command = after(&format!("ulimit -n 128 && {inherited}"), &options);
    command.env_remove("SECRET").env("SECRET_FILE", files.path().join("secret"));
    let service = Service::run(&mut command);
    let admin = service.admin.unwrap();
    service.wait_for_log("room for ");
    let room = number_after(&service.log(), "room for ");
    let mut early = service.connect();
    let token = |bearer: &str| {
        let bearer = format!("Bearer {bearer}");
        Request::post("/token", "bytes").field("Authorization", &bearer)
    };
    assert_eq!(token("fedcba9876543210").over(&mut early).status, 200);
    // More than there may be, on both listeners.
    let operators: Vec<_> = (0..100).map(|_| Connection::open(admin)).collect();
    let crowd: Vec<_> = (0..room + 20).map(|_| service.connect()).collect();
    let answer = Request::get("/metrics").to_address(admin).json();
    assert!(answer["process"]["open_fds"].as_u64().unwrap() <= 128);
    write("callers", "caller = ['0123456789abcdef']");
    service.hangup();
    service.wait_for_log("secrets were read again");
    service.wait_for_log("callers were read again");
    // A token that is revoked is revoked.
    assert_eq!(token("fedcba9876543210").over(&mut early).status, 401);
    assert_eq!(token("0123456789abcdef").over(&mut early).status, 200);
    drop((operators, crowd));
    let log = service.log();
    assert!(!log.contains("not accepted") && !log.contains("could not be read"), "{log}");
}

#[test]
fn too_few_files_are_no_service() {
    for (files, options) in [(20, &[][..]), (64, &["--admin-listen", "127.0.0.1:0"])] {
        let mut command = after(&format!("ulimit -n {files}"), options);
        let complaint = complaint(&mut command);
        assert!(complaint.starts_with("open files: expected a limit of at least "), "{complaint}");
        assert!(complaint.contains(&format!("found {files};")), "{complaint}");
        // With as many as it asks for there is room for one.
        let least = number_after(&complaint, "at least ");
        let service = Service::run(&mut after(&format!("ulimit -n {least}"), options));
        service.assert_lives();
        service.wait_for_log("room for 1 connections");
    }
}

#[test]
fn soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let hard =
        getrlimit(Resource::Nofile).maximum.map_or("unlimited".into(), |hard| hard.to_string());
    let service = Service::run(&mut after("ulimit -Sn 64", &[]));
    service.wait_for_log(&format!("open files: the limit is {hard}, raised from 64"));
    let limits = fs::read_to_string(format!("/proc/{}/limits", service.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limits: Vec<_> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(limits, [&hard, &hard]);
}

#[test]
fn files_that_run_out_are_waited_for() {
    let service = Service::start(&[]);
    let mut early = service.connect();
    early.send(LIVEZ);
    assert_eq!(early.answer().status, 200);
    let limit_files = |most: u32| {
        let mut prlimit = Command::new("prlimit");
        prlimit.args([&format!("--pid={}", service.id()), &format!("--nofile={most}:")]);
        prlimit.status().is_ok_and(|status| status.success())
    };
    // Where that command is missing, there is nothing to be tried.
    if !limit_files(32) {
        return;
    }
    let mut crowd: Vec<_> = (0..100).map(|_| service.connect()).collect();
    service.wait_for_log("not accepted");
    early.send(head("/token", 5) + "bytes");
    assert_eq!(early.answer().json()["token"], token_of(b"bytes"));
    let mut last = crowd.pop().unwrap();
    drop(crowd);
    last.send(LIVEZ);
    assert_eq!(last.answer().status, 200);
    assert_eq!(service.log().matches("not accepted").count(), 1, "{}", service.log());
}

#[test]
fn head_of_any_size_is_refused_and_no_more_than_that() {
    let service = Service::start(&[]);
    for len in [20_000, 70_000, 200_000] {
        let answer = service
            .request(format!("GET /livez HTTP/1.1\r\nHost: h\r\nx: {}\r\n\r\n", "x".repeat(len)));
        assert_eq!(answer.status, 431, "{len} bytes");
    }
    let fields = "x: x\r\n".repeat(200);
    let answer = service.request(format!("GET /livez HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
    assert_eq!(answer.status, 431);
    service.assert_lives();
}

#[test]
fn target_of_any_size_is_refused() {
    let service = Service::start(&[]);
    for len in [20_000, 70_000] {
        let answer =
            service.request(format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(len)));
        assert!([414, 431].contains(&answer.status), "{answer:?}");
    }
    service.assert_lives();
}
