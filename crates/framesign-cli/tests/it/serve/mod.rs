//! The service, through its binary and over real sockets.

mod access_keys;
mod by_hash;
mod caller_requests;
mod callers;
pub(crate) mod certificates;
mod client;
mod connections;
mod core_dumps;
pub(crate) mod documents;
mod files;
mod frames;
pub(crate) mod http2;
mod keys;
mod limits;
mod logs;
mod metrics;
mod openapi;
mod operators;
mod problems;
mod remote;
mod replay;
mod request;
mod revocation;
mod revoked_callers;
mod rights;
mod schema;
mod secrets;
mod shutdown;
mod side_by_side;
mod signals;
mod startup;
mod tls;
mod token;
#[cfg(feature = "otlp")]
mod traces;
mod two_secrets;
mod upload_rights;
mod uploads;

use std::{
    io::{BufRead, BufReader, Read},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) use self::client::{Answer, Connection};

/// Of `/token`.
pub(crate) const SECRET: &str = "the shared secret of the tests";

/// How long a test waits for what must come, on a machine that is busy with others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The command `framesign serve` on a free port, with a secret and nothing else of the environment.
pub(crate) fn serve(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framesign"));
    command.current_dir(crate::support::repository()).env_clear();
    command.env("SECRET", SECRET).env("FRAMESIGN_LISTEN", "127.0.0.1:0");
    command.arg("serve").args(options);
    command
}

/// A running service. It is killed where a test does not end it.
#[derive(Debug)]
pub(crate) struct Service {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Where it listens for operators.
    pub(crate) admin: Option<SocketAddr>,
    log: Arc<Mutex<String>>,
}

impl Service {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::run(&mut serve(options))
    }

    /// Starts what [`serve`] gave, to which a test may have added.
    pub(crate) fn run(command: &mut Command) -> Self {
        Self::with_stderr(command, Stdio::piped())
    }

    /// Starts it with another standard error, of which the test takes care.
    pub(crate) fn with_stderr(command: &mut Command, stderr: impl Into<Stdio>) -> Self {
        let has_admin = format!("{command:?}").contains("--admin-listen");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let log = child.stderr.take().map(collect).unwrap_or_default();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address_after = |what: &str| {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {log:?}")).unwrap();
            let rest = line.strip_prefix(what).unwrap_or_else(|| panic!("{line}: expected {what}"));
            match rest.strip_prefix("http") {
                Some(rest) => rest.split_once("://").unwrap().1.parse().unwrap(),
                // The test knows where the socket is.
                None if rest.starts_with("unix:/") => SocketAddr::from(([0; 4], 0)),
                None => panic!("{line}"),
            }
        };
        let address = address_after("listening on ");
        let admin = has_admin.then(|| address_after("admin on "));
        Self { child, address, admin, log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Connection<TcpStream> {
        Connection::open(self.address)
    }

    /// Sends `request` on a connection of its own.
    pub(crate) fn request(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut connection = self.connect();
        connection.send(request);
        connection.answer()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.request([head(path, body.len()).as_bytes(), body].concat())
    }

    /// Asks whether it still works.
    pub(crate) fn assert_lives(&self) {
        let answer = self.post("/token", b"alive");
        assert_eq!(answer.status, 200, "{answer:?}, {}", self.log());
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until `text` is in the log.
    pub(crate) fn wait_for_log(&self, text: &str) {
        wait_until(|| self.log().contains(text), || format!("{text:?} in {}", self.log()));
    }

    /// Sends a signal, as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", name, &self.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    pub(crate) fn hangup(&self) {
        self.signal("HUP");
    }

    /// Kills it, as a crash does.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the end: the exit code, and the whole log.
    pub(crate) fn wait(mut self) -> (i32, String) {
        let mut status = None;
        wait_until(
            || {
                status = self.child.try_wait().unwrap();
                status.is_some()
            },
            || "it to end".into(),
        );
        // What it wrote last is read beside the test, until there is no more.
        wait_until(|| Arc::strong_count(&self.log) == 1, || "the end of its log".into());
        (status.unwrap().code().unwrap_or(-1), self.log())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The head of a `POST` of `len` bytes.
pub(crate) fn head(path: &str, len: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n")
}

/// What `/token` says to `body`, in another's arithmetic.
pub(crate) fn token_of(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// Waits, within bounds, until something `is_so`.
pub(crate) fn wait_until(mut is_so: impl FnMut() -> bool, what: impl Fn() -> String) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited for {} in vain", what());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Collects what comes, beside the test.
fn collect(mut source: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let collected = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&collected);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(len @ 1..) = source.read(&mut chunk) {
            log.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..len]));
        }
    });
    collected
}
