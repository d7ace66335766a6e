//! The example service: killed at any moment it leaves no file that looks complete.

#[path = "../../../examples/receive/service.rs"]
mod service;

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

use framesign::{Credentials, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head};

use crate::support::Numbers;

const FOLDER: &str = "FRAMESIGN_TEST_RECEIVE";

fn credentials() -> Credentials {
    Credentials::new("access", "secret").unwrap()
}

/// What the processes of the tests below run: this test binary with a folder in the environment.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "that is how the other process learns of the port")]
async fn the_service_in_a_process_of_its_own() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let service = service::Service::new(folder.into(), credentials()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nlistening on {}", listener.local_addr().unwrap());
    service.run(listener).await.unwrap();
}

/// The service on a folder of its own, both gone at the end.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "codec::receive::the_service_in_a_process_of_its_own"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| line.unwrap().strip_prefix("listening on ")?.parse().ok())
            .expect("the service says where it listens");
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL on Unix.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("framesign-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Waits until there is something of the file `number`.
    fn wait_for(&self, number: usize) {
        let own = number.to_string();
        let is_of_it = |name: &String| name.trim_start_matches('.').split('.').next() == Some(&own);
        for _ in 0..10_000 {
            if self.names().iter().any(is_of_it) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("the service does not begin");
    }

    fn complete(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| !name.starts_with('.')).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn payload(number: usize) -> Vec<u8> {
    (0..300_000).map(|at| u8::try_from((at + number) % 251).unwrap()).collect()
}

/// A signed upload of the file `number`, and the length of its head.
fn upload(number: usize) -> (Vec<u8>, usize) {
    let payload = payload(number);
    let length = payload.len();
    let head = format!("PUT /to/{number} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    let now = SystemTime::now();
    let key = SigningKey::derive(&credentials(), SigningDate::of(now));
    let options = SigningOptions::default();
    let head = sign_head(head.as_bytes(), &key, PayloadHash::of(&payload), now, &options).unwrap();
    (([&head[..], &payload].concat()), head.len())
}

fn answer(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_killed_service_leaves_no_file_that_looks_complete() {
    let folder = Folder::new("kill");
    let mut numbers = Numbers::new(3);
    let (mut answered, mut left) = (0, 0);
    for number in 0..24 {
        let (frame, head) = upload(number);
        let cut = match number % 4 {
            0 => frame.len(),
            1 => frame.len() - 1 - numbers.below(200),
            2 => head + numbers.below(frame.len() - head),
            _ => frame.len() - numbers.below(2),
        };
        let service = Process::start(&folder.0);
        assert!(folder.names().iter().all(|name| !name.starts_with('.')), "swept at the start");
        let mut socket = service.connect();
        socket.write_all(&frame[..cut]).unwrap();
        if number % 4 == 0 {
            assert!(answer(&mut socket).starts_with("HTTP/1.1 201 "));
            answered += 1;
        } else {
            folder.wait_for(number);
            for _ in 0..numbers.below(30) {
                folder.names();
            }
        }
        drop(service);
        left += usize::from(folder.names().iter().any(|name| name.starts_with('.')));
        for name in folder.complete() {
            let number = name.parse().unwrap();
            assert!(fs::read(folder.0.join(&name)).unwrap() == payload(number), "{name}");
        }
        let is_there = folder.complete().contains(&number.to_string());
        assert!(is_there || cut < frame.len() || number % 4 == 3, "{number} was answered");
        assert!(!is_there || cut == frame.len(), "{number} had not come whole");
    }
    assert_eq!(answered, 6);
    assert!(left > 0, "some was killed while it wrote");
}

#[test]
fn what_is_refused_or_cut_becomes_no_file() {
    let folder = Folder::new("refused");
    let service = Process::start(&folder.0);
    let (frame, head) = upload(1);
    for at in [head - 10, head, frame.len() - 1] {
        let mut tampered = frame.clone();
        tampered[at] ^= 1;
        let mut socket = service.connect();
        socket.write_all(&tampered).unwrap();
        let answer = answer(&mut socket);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("www-authenticate: framesign\r\n"), "{answer}");
    }
    let mut socket = service.connect();
    socket.write_all(&frame[..frame.len() - 1]).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    assert!(answer(&mut socket).starts_with("HTTP/1.1 400 "));
    assert_eq!(folder.names(), [""; 0], "temporary files are removed too");

    // Keep-alive: one connection, two uploads.
    let mut socket = service.connect();
    for number in [1, 2] {
        socket.write_all(&upload(number).0).unwrap();
        assert!(answer(&mut socket).starts_with("HTTP/1.1 201 "));
    }
    let mut names = folder.complete();
    names.sort();
    assert_eq!(names, ["1", "2"]);
}
