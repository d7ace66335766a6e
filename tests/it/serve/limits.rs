//! How many connections there may be, and how large what comes over them.

use std::process::Command;

use super::{Service, head, serve, token_of};

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

/// `framesign serve` with so many open files at the most.
fn with_files(most: u32) -> Command {
    let service = serve(&[]);
    let mut command = Command::new("/bin/sh");
    command.env_clear().current_dir(env!("CARGO_MANIFEST_DIR"));
    command.envs(service.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-c", &format!("ulimit -n {most} && exec \"$@\""), "sh"]);
    command.arg(service.get_program()).args(service.get_args());
    command
}

#[test]
fn few_files_are_room_for_few_connections() {
    let service = Service::run(&mut with_files(64));
    service.wait_for_log("room for 32 connections");
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
