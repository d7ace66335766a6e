//! Signals that come before the service listens.

use std::{
    fs,
    io::{Read, Write},
    net::SocketAddr,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, ChildStderr, ChildStdout, Stdio},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Connection, PATIENCE, request::Request, serve, wait_until};

/// A service that has just been started, and may not have read its options yet.
struct Starting {
    child: Child,
    stdout: ChildStdout,
    stderr: ChildStderr,
}

/// What the kernel says of a process (`proc_pid_status(5)`).
struct Status {
    threads: u32,
    /// A bit for each signal that has a handler, from the lowest on.
    caught: u64,
}

impl Status {
    fn of(child: &Child) -> Self {
        let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let value =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Self {
            threads: value("Threads:").unwrap().parse().unwrap(),
            caught: u64::from_str_radix(value("SigCgt:").unwrap(), 16).unwrap(),
        }
    }

    fn catches(&self, signal: Signal) -> bool {
        self.caught & 1 << (signal.as_raw() - 1) != 0
    }
}

impl Starting {
    fn new(options: &[&str]) -> Self {
        let mut command = serve(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Where it listens, once it does.
    fn address(&mut self) -> SocketAddr {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            self.stdout.read_exact(&mut byte).unwrap();
            line.extend(byte);
        }
        let line = str::from_utf8(&line).unwrap().trim_end();
        line.strip_prefix("listening on http://").unwrap().parse().unwrap()
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end: its exit code, and what it has written.
    fn wait(mut self) -> (Option<i32>, String) {
        let mut written = String::new();
        self.stdout.read_to_string(&mut written).unwrap();
        self.stderr.read_to_string(&mut written).unwrap();
        (self.child.wait().unwrap().code(), written)
    }
}

/// Waits, without a pause, until the status of `child` `is_so`, which it comes to within moments.
fn wait_for(child: &Child, is_so: impl Fn(&Status) -> bool) -> Status {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "waited for a status in vain");
        let status = Status::of(child);
        if is_so(&status) {
            return status;
        }
        thread::yield_now();
    }
}

const ALL: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

/// It has one thread when it begins, and further ones before it reads a file.
#[test]
fn handlers_are_there_before_all_else() {
    for threads in ["1", "64"] {
        let service = Starting::new(&["--threads", threads]);
        let status = wait_for(&service.child, |status| status.threads > 1);
        assert!(ALL.into_iter().all(|signal| status.catches(signal)), "{:#x}", status.caught);
        service.send(Signal::TERM);
        let (code, written) = service.wait();
        assert_eq!(code, Some(0), "{written}");
    }
}

/// Standard output that takes nothing holds it up when it has read its arguments, and no file.
#[test]
fn handlers_are_there_before_the_arguments_are_read() {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    writer.set_nonblocking(true).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    writer.set_nonblocking(false).unwrap();
    let mut command = serve(&["--help"]);
    command.stdin(Stdio::null()).stdout(OwnedFd::from(writer));
    let mut child = command.spawn().unwrap();
    // With the command goes the writer of this process.
    drop(command);
    wait_for(&child, |status| ALL.into_iter().all(|signal| status.catches(signal)));
    drop(reader);
    child.wait().unwrap();
}

/// However far it has come.
#[test]
fn signal_of_the_first_moment_ends_it_in_order() {
    for signal in [Signal::TERM, Signal::INT] {
        for pause in 0..40 {
            let service = Starting::new(&["--threads", "8"]);
            wait_for(&service.child, |status| ALL.into_iter().all(|signal| status.catches(signal)));
            for _ in 0..pause * 10 {
                Status::of(&service.child);
            }
            service.send(signal);
            let (code, written) = service.wait();
            assert_eq!(code, Some(0), "{pause}: {written}");
        }
    }
}

#[test]
fn hangup_of_the_first_moment_is_done_when_it_listens() {
    for _ in 0..10 {
        let mut service = Starting::new(&["--threads", "8"]);
        wait_for(&service.child, |status| status.catches(Signal::HUP));
        service.send(Signal::HUP);
        let mut connection = Connection::open(service.address());
        let mut reloads = || {
            let numbers = Request::get("/metrics").over(&mut connection).json();
            numbers["reloads"]["done"].as_u64().unwrap()
        };
        wait_until(|| reloads() > 0, || "the secrets to be read again".into());
        drop(connection);
        service.send(Signal::TERM);
        let (code, written) = service.wait();
        assert_eq!(code, Some(0), "{written}");
    }
}
