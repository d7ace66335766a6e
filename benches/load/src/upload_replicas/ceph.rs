//! A real S3 server on loopback: Ceph's Object Gateway, over a cluster of one monitor and one OSD that
//! keeps everything in memory.
//!
//! It has what uploads ask of a store: multipart uploads, and PUT with If-None-Match and If-Match
//! that are one step with the write, since the OSD compares and writes in one operation.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    net::{SocketAddr, TcpListener},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::io::{FdFlags, fcntl_setfd};
use tempfile::TempDir;

use crate::Result;

/// The time that a part of the cluster has to come up.
const PATIENCE: Duration = Duration::from_secs(2 * 60);

/// The credentials of its one user.
pub(crate) const USER: (&str, &str) = ("uploads", "secret-of-uploads");

/// A running server. Its processes end when it is dropped.
pub(crate) struct Ceph {
    /// In the order in which they end.
    children: Vec<Child>,
    directory: TempDir,
    /// Where S3 is spoken.
    pub(crate) address: SocketAddr,
}

impl Ceph {
    /// Starts it, and waits until it answers.
    pub(crate) fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let front = TcpListener::bind("127.0.0.1:0")?;
        let address = front.local_addr()?;
        let mut ceph = Self { children: Vec::new(), directory, address };
        let (monitor, gateway) = (free_port()?, free_port()?);
        fs::write(ceph.path("ceph.conf"), ceph.settings(monitor, gateway))?;
        fs::write(ceph.path("keyring"), "")?;
        fs::write(ceph.path("haproxy.cfg"), in_front_of(gateway, front.as_raw_fd()))?;
        fs::create_dir(ceph.path("osd"))?;
        ceph.start_cluster(monitor)?;
        ceph.start_gateway(&front)?;
        Ok(ceph)
    }

    /// Sends an empty PUT to a URL that has its signature in it.
    pub(crate) fn put(&self, url: &str) -> Result {
        let put = ["--silent", "--show-error", "--fail", "--request", "PUT", "--data", "", url];
        Self::run(self.command("curl").args(put))
    }

    fn start_cluster(&mut self, monitor: u16) -> Result {
        let map = self.path("monmap");
        let at = format!("[v2:127.0.0.1:{monitor}]");
        let new = ["--create", "--clobber", "--fsid", FSID, "--addv", "one", &at];
        Self::run(self.command("monmaptool").args(new).arg(&map))?;
        Self::run(self.command("ceph-mon").args(["--mkfs", "-i", "one", "--monmap"]).arg(&map))?;
        self.spawn("ceph-mon", &["-i", "one", "-f"])?;
        self.wait_for("ceph", &["--connect-timeout", "5", "-s"], "mon: 1 daemons")?;
        Self::run(self.command("ceph").args(["osd", "new", OSD]))?;
        Self::run(self.command("ceph-osd").args(["-i", "0", "--mkfs", "--osd-uuid", OSD]))?;
        let place = ["osd", "crush", "add", "osd.0", "1", "root=default", "host=one"];
        Self::run(self.command("ceph").args(place))?;
        self.spawn("ceph-osd", &["-i", "0", "-f"])?;
        self.wait_for("ceph", &["osd", "stat"], "1 up")
    }

    fn start_gateway(&mut self, front: &TcpListener) -> Result {
        let (access, secret) = USER;
        let user = ["user", "create", "--uid", access, "--display-name", access];
        let keys = ["--access-key", access, "--secret", secret];
        Self::run(self.command("radosgw-admin").args(user).args(keys))?;
        self.spawn("radosgw", &["-n", "client.admin", "-f"])?;
        // It inherits the listener, so that no other program can take the port meanwhile.
        fcntl_setfd(front, FdFlags::empty())?;
        let settings = self.path("haproxy.cfg").display().to_string();
        self.spawn("haproxy", &["-db", "-f", &settings])?;
        let url = format!("http://{}", self.address);
        self.wait_for("curl", &["--silent", "--show-error", &url], "ListAllMyBucketsResult")
    }

    /// A cluster for one test: one copy of everything, no authentication within, no manager.
    fn settings(&self, monitor: u16, gateway: u16) -> String {
        let at = self.directory.path().display();
        let mut text = String::from("[global]\n");
        for (name, value) in [
            ("fsid", FSID),
            ("mon host", &format!("[v2:127.0.0.1:{monitor}/0]")),
            ("public addr", "127.0.0.1"),
            ("cluster addr", "127.0.0.1"),
            ("auth cluster required", "none"),
            ("auth service required", "none"),
            ("auth client required", "none"),
            // The gateway asks for encryption otherwise, which needs authentication.
            ("ms mon client mode", "crc"),
            ("keyring", &format!("{at}/keyring")),
            ("run dir", &format!("{at}")),
            ("admin socket", ""),
            ("pid file", ""),
            ("log file", ""),
            ("log to stderr", "true"),
            ("mon cluster log file", "/dev/null"),
            ("mon data", &format!("{at}/mon")),
            ("mon data avail crit", "1"),
            ("mon data avail warn", "1"),
            ("mon allow pool size one", "true"),
            ("osd data", &format!("{at}/osd")),
            ("osd objectstore", "memstore"),
            ("memstore device bytes", "8589934592"),
            ("osd pool default size", "1"),
            ("osd pool default min size", "1"),
            ("osd pool default pg num", "8"),
            ("osd pool default pg autoscale mode", "off"),
            ("osd crush chooseleaf type", "0"),
            ("rgw frontends", &format!("beast endpoint=127.0.0.1:{gateway}")),
            ("debug rgw", "0"),
        ] {
            // A String takes whatever is written.
            let _ = writeln!(text, "{name} = {value}");
        }
        text
    }

    /// Waits until the output of a command contains a text.
    fn wait_for(&mut self, program: &str, arguments: &[&str], expected: &str) -> Result {
        let deadline = Instant::now() + PATIENCE;
        let mut last = String::new();
        while Instant::now() < deadline {
            let output = self.command(program).args(arguments).output()?;
            last = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            if last.contains(expected) {
                return Ok(());
            }
            self.check_running()?;
            thread::sleep(Duration::from_millis(200));
        }
        Err(format!("{program}: expected {expected:?}, found {last}").into())
    }

    fn check_running(&mut self) -> Result {
        for child in &mut self.children {
            if let Some(status) = child.try_wait()? {
                let log = fs::read_to_string(self.directory.path().join("log"))?;
                return Err(format!("a process of the S3 server ended ({status}): {log}").into());
            }
        }
        Ok(())
    }

    fn spawn(&mut self, program: &str, arguments: &[&str]) -> Result {
        let log = File::options().create(true).append(true).open(self.path("log"))?;
        let mut command = self.command(program);
        command.args(arguments).stdout(log.try_clone()?).stderr(log);
        self.children.insert(0, command.spawn().map_err(|error| missing(program, &error))?);
        Ok(())
    }

    fn run(command: &mut Command) -> Result {
        let output = command.output();
        let program = command.get_program().display().to_string();
        let output = output.map_err(|error| missing(&program, &error))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!("{program}: {}: {said}", output.status).into())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("CEPH_CONF", self.path("ceph.conf")).stdin(Stdio::null());
        command.current_dir(self.directory.path());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.directory.path()).join(name)
    }
}

impl Drop for Ceph {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It fails if the process has ended, which is what is asked for.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The cluster and its OSD, by names of their own. No two clusters know each other.
const FSID: &str = "4f7f6e6e-7d0d-4f0a-9d6c-0d9b7a0f0001";
const OSD: &str = "4f7f6e6e-7d0d-4f0a-9d6c-0d9b7a0f0002";

/// HAProxy before the gateway. The gateway of Ceph 16 compares the value of If-Match with an entity
/// tag as it keeps it, which is without the quotes. So whoever is told the tag without them says it
/// without them, and signs what is compared.
fn in_front_of(gateway: u16, front: i32) -> String {
    format!(
        "defaults\n    mode http\n    timeout connect 5s\n    timeout client 120s\n    \
         timeout server 120s\n\
         frontend clients\n    bind fd@{front}\n    default_backend gateway\n\
         backend gateway\n    http-response replace-header ETag '^\"(.*)\"$' '\\1'\n    \
         server one 127.0.0.1:{gateway}\n"
    )
}

/// A port that is free now. Ceph takes no listener.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn missing(program: &str, error: &io::Error) -> String {
    format!("{program}: {error}; install ceph-mon, ceph-osd, radosgw, haproxy and curl")
}
