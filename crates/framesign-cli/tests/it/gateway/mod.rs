//! The gateway, through its binary and over real sockets, before an upstream that records each byte.

mod answers;
mod documents;
mod faults;
mod fields;
mod framing;
mod hostile;
mod http2_upstream;
mod limits;
mod outbound;
mod recorder;
pub(crate) mod redis;
mod replay;
mod shutdown;
mod spool;
mod tampering;
mod tls;
mod unix;
mod unsigned;
mod uploads;
mod upstream_http2;

use std::{
    fs,
    io::Read,
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::SystemTime,
};

use framesign::{
    Credentials, Limits, PayloadHash, SigningDate, SigningKey, SigningOptions, sign_head,
};
use tempfile::TempDir;

pub(crate) use self::recorder::{Received, Recorder};
use crate::serve::{Answer, Connection, Service};

pub(crate) const ACCESS_KEY: &str = "uploader";
pub(crate) const SECRET_KEY: &str = "the secret key of the uploader";

/// The host that the gateway of these tests takes requests for.
pub(crate) const HOST: &str = "uploads.test";

/// A gateway before a recording upstream, and the folder of its files.
pub(crate) struct Setup {
    pub(crate) gateway: Service,
    pub(crate) upstream: Recorder,
    pub(crate) folder: TempDir,
}

impl Setup {
    /// An inbound gateway before an upstream that answers everything with 200.
    pub(crate) fn inbound(options: &[&str]) -> Self {
        Self::before(Recorder::start(), options)
    }

    pub(crate) fn before(upstream: Recorder, options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let gateway = Service::run(&mut inbound(&folder, &upstream.url(), options));
        Self { gateway, upstream, folder }
    }

    /// An outbound gateway before a peer that answers everything with 200.
    pub(crate) fn outbound(options: &[&str]) -> Self {
        let (upstream, folder) = (Recorder::start(), TempDir::new().unwrap());
        let mut command = gateway(&folder, &upstream.url(), options);
        command.arg("--sign");
        command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
        Self { gateway: Service::run(&mut command), upstream, folder }
    }

    /// Sends `request` on a connection of its own, and returns the answer.
    pub(crate) fn answer(&self, request: impl AsRef<[u8]>) -> Answer {
        self.gateway.request(request)
    }

    pub(crate) fn connect(&self) -> Connection<TcpStream> {
        self.gateway.connect()
    }

    /// The number of files that the gateway has open, connections among them.
    pub(crate) fn open_files(&self) -> usize {
        self.descriptors().count()
    }

    /// The number of open files in its folder.
    pub(crate) fn spooled(&self) -> usize {
        self.spool_files().count()
    }

    /// The bytes in these files.
    pub(crate) fn spooled_bytes(&self) -> u64 {
        let files = self.spool_files().filter_map(|file| fs::metadata(file).ok());
        files.map(|file| file.len()).sum()
    }

    fn spool_files(&self) -> impl Iterator<Item = PathBuf> {
        let folder = self.folder.path().canonicalize().unwrap();
        let is_there = move |file: &PathBuf| {
            fs::read_link(file).is_ok_and(|target| target.starts_with(&folder))
        };
        self.descriptors().filter(is_there)
    }

    /// The names in its folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// The threads that it has.
    pub(crate) fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.gateway.id())).unwrap().count()
    }

    fn descriptors(&self) -> impl Iterator<Item = PathBuf> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.gateway.id())).unwrap();
        files.filter_map(|file| Some(file.ok()?.path()))
    }
}

/// The command of an inbound gateway that knows [`ACCESS_KEY`], on a free port.
pub(crate) fn inbound(folder: &TempDir, upstream: &str, options: &[&str]) -> Command {
    let secrets = folder.path().join("secrets.toml");
    fs::write(&secrets, format!("\"{ACCESS_KEY}\" = [\"{SECRET_KEY}\"]\n")).unwrap();
    crate::support::set_mode(&secrets, 0o600);
    let mut command = gateway(folder, upstream, options);
    // Tests look at the files that it has open, which others than root cannot without.
    command.arg("--core-dumps");
    command.arg("--secrets").arg(secrets).args(["--host", HOST]);
    command
}

/// The command of a gateway, on a free port.
pub(crate) fn gateway(folder: &TempDir, upstream: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framesign"));
    command.current_dir(folder.path()).env_clear().env("FRAMESIGN_LISTEN", "127.0.0.1:0");
    command.args(["gateway", "--upstream", upstream]).args(options);
    command
}

/// A signed request, piece by piece.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    method: String,
    target: String,
    host: String,
    fields: String,
    body: Option<Vec<u8>>,
    is_claimed: bool,
    secret_key: String,
    access_key: String,
}

impl Signed {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            host: HOST.into(),
            fields: String::new(),
            body: None,
            is_claimed: true,
            secret_key: SECRET_KEY.into(),
            access_key: ACCESS_KEY.into(),
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn put(target: &str, body: impl AsRef<[u8]>) -> Self {
        Self { body: Some(body.as_ref().to_vec()), ..Self::new("PUT", target) }
    }

    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.extend([name, ": ", value, "\r\n"]);
        self
    }

    pub(crate) fn host(self, host: &str) -> Self {
        Self { host: host.into(), ..self }
    }

    /// Without Content-Digest.
    pub(crate) fn unclaimed(self) -> Self {
        Self { is_claimed: false, ..self }
    }

    pub(crate) fn key(self, access_key: &str, secret_key: &str) -> Self {
        Self { access_key: access_key.into(), secret_key: secret_key.into(), ..self }
    }

    /// The signed head.
    pub(crate) fn head(&self) -> Vec<u8> {
        let Self { method, target, host, fields, .. } = self;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{fields}");
        if let Some(body) = &self.body {
            head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        head.push_str("\r\n");
        let now = SystemTime::now();
        let credentials = Credentials::new(&self.access_key, &self.secret_key).unwrap();
        let key = SigningKey::derive(&credentials, SigningDate::of(now));
        let limits = Limits::default().allow_method("PATCH").unwrap();
        let mut options = SigningOptions::default().limits(limits);
        if !self.is_claimed {
            options = options.without_content_digest();
        }
        let payload = PayloadHash::of(self.body());
        sign_head(head.as_bytes(), &key, payload, now, &options).unwrap()
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    /// Head and body.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.head(), self.body()].concat()
    }
}

/// What a gateway says that does not start, since something is wrong with its configuration.
pub(crate) fn complaint(mut command: Command) -> String {
    struct Ending(Child);

    impl Drop for Ending {
        fn drop(&mut self) {
            // It has ended already, unless the test fails.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Ending(command.spawn().unwrap());
    wait_until(|| child.0.try_wait().unwrap().is_some(), "it to end");
    let mut err = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(2), "{err}");
    err
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(condition: impl FnMut() -> bool, what: &str) {
    crate::serve::wait_until(condition, || what.to_owned());
}

/// The address where nobody listens.
pub(crate) fn nowhere() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Bytes that differ from place to place.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}
