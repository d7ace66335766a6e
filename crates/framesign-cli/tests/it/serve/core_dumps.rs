//! The memory of the service, which holds the secrets, is in no core dump and for no other process.

use std::{
    fs::{self, File},
    os::{
        fd::AsRawFd,
        unix::{fs::MetadataExt, process::CommandExt},
    },
    process::Command,
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Resource, geteuid, getrlimit},
};
use tempfile::TempDir;

use super::{Service, serve};
use crate::gateway;

/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Starts what the command names as a user other than root, and returns that user: what the kernel
/// shows of a process of root belongs to root, whether it can be dumped or not.
fn run_as_a_user(command: &Command) -> (Service, u32) {
    // By its descriptor, since that user may not see the folder in which the program was built.
    let program = File::open(command.get_program()).unwrap();
    fcntl_setfd(&program, FdFlags::empty()).unwrap();
    let mut other = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()));
    other.current_dir("/").env_clear().args(command.get_args());
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut user = geteuid().as_raw();
    if user == 0 {
        user = NOBODY;
        other.uid(user).gid(user);
    }
    (Service::run(&mut other), user)
}

/// Who owns the memory of a process: root if it cannot be dumped (`proc_pid(5)`).
fn owner_of_memory(service: &Service) -> u32 {
    fs::metadata(format!("/proc/{}/mem", service.id())).unwrap().uid()
}

/// The soft and the hard limit of the size of its core dumps.
fn limits(service: &Service) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{}/limits", service.id())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    let mut limits = line.split_whitespace().map(str::to_owned);
    [limits.next().unwrap(), limits.next().unwrap()]
}

/// Those of this process, which what it starts inherits.
fn own_limits() -> [String; 2] {
    let limit = getrlimit(Resource::Core);
    [limit.current, limit.maximum]
        .map(|limit| limit.map_or("unlimited".into(), |limit| limit.to_string()))
}

#[test]
fn service_is_in_no_core_dump_unless_that_is_asked_for() {
    let (service, _) = run_as_a_user(&serve(&[]));
    assert_eq!(owner_of_memory(&service), 0);
    assert_eq!(limits(&service), ["0", "0"]);
    // What it tells of itself it can read all the same.
    let metrics = service.get("/metrics").json();
    assert!(metrics["process"]["open_fds"].as_u64() > Some(3), "{metrics}");
    assert!(metrics["process"]["resident_memory_bytes"].is_u64(), "{metrics}");

    let (service, user) = run_as_a_user(&serve(&["--core-dumps"]));
    assert_eq!(owner_of_memory(&service), user);
    assert_eq!(limits(&service), own_limits());
}

#[test]
fn gateway_is_in_no_core_dump_unless_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let mut command = gateway::gateway(&folder, "http://127.0.0.1:1", &["--sign"]);
    command.env("FRAMESIGN_ACCESS_KEY", gateway::ACCESS_KEY);
    command.env("FRAMESIGN_SECRET_KEY", gateway::SECRET_KEY);
    let (service, _) = run_as_a_user(&command);
    assert_eq!((owner_of_memory(&service), limits(&service)), (0, ["0".into(), "0".into()]));

    let (service, user) = run_as_a_user(command.env("FRAMESIGN_CORE_DUMPS", "true"));
    assert_eq!((owner_of_memory(&service), limits(&service)), (user, own_limits()));
}
