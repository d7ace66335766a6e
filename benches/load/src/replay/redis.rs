//! A Redis of the driver's own, and what it is asked directly.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Result;

/// The time that it has to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `redis-server`, which keeps nothing unless it is told to. It is killed if it is dropped.
pub(crate) struct Redis {
    child: Child,
    directory: TempDir,
    options: Vec<String>,
    password: Option<String>,
}

impl Redis {
    /// Starts it at a Unix socket, with further options.
    pub(crate) fn start(options: &[&str]) -> Result<Self> {
        Self::start_in(tempfile::tempdir()?, options, None)
    }

    /// The same, with files in `directory`.
    pub(super) fn start_in(
        directory: TempDir,
        options: &[&str],
        password: Option<&str>,
    ) -> Result<Self> {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let child = spawn(directory.path(), &options)?;
        let password = password.map(str::to_owned);
        let redis = Self { child, directory, options, password };
        redis.wait()?;
        Ok(redis)
    }

    /// Kills it, as a crash does.
    pub(super) fn kill(&mut self) -> Result {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again, with what it has kept.
    pub(super) fn restart(&mut self) -> Result {
        self.child = spawn(self.directory.path(), &self.options)?;
        self.wait()
    }

    /// Stops it where it is, so that it takes connections and says nothing; or lets it go on.
    pub(super) fn freeze(&self, is_frozen: bool) -> Result {
        let signal = if is_frozen { Signal::STOP } else { Signal::CONT };
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// The URL of its socket.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Asks it; an answer that is no text, number or nothing is an error.
    pub(super) fn ask(&self, words: &[&str]) -> Result<String> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        if let Some(password) = &self.password {
            ask(&mut stream, &mut answers, &["AUTH", password])?;
        }
        ask(&mut stream, &mut answers, words)
    }

    /// The number of calls of a command so far.
    pub(super) fn calls(&self, command: &str) -> Result<u64> {
        let stats = self.ask(&["INFO", "commandstats"])?;
        let name = format!("cmdstat_{command}:calls=");
        let calls = stats.lines().find_map(|line| line.strip_prefix(&name)?.split(',').next());
        Ok(calls.unwrap_or("0").parse()?)
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn wait(&self) -> Result {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            // It loads what it has kept before it answers.
            if self.ask(&["PING"]).is_ok_and(|answer| answer == "PONG") {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err("redis-server: expected it to answer".into())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It fails if the process has ended, which is what is asked for.
        let _ = self.kill();
    }
}

fn spawn(directory: &Path, options: &[String]) -> Result<Child> {
    let socket = directory.join("socket");
    let command = &mut Command::new("redis-server");
    command.args(["--save", "", "--port", "0", "--daemonize", "no", "--logfile", "", "--dir"]);
    command.arg(directory).arg("--unixsocket").arg(socket).args(options);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.map_err(|error| format!("redis-server: {error}; install it").into())
}

/// A port that is free by now.
pub(super) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Asks in the protocol of Redis (RESP).
fn ask(to: &mut impl Write, from: &mut impl BufRead, words: &[&str]) -> Result<String> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.extend(["$", &word.len().to_string(), "\r\n", word, "\r\n"]);
    }
    to.write_all(command.as_bytes())?;
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("+" | ":", text)) => Ok(text.into()),
        Some(("$", "-1")) => Ok(String::new()),
        Some(("$", length)) => {
            let mut bytes = vec![0; length.parse::<usize>()? + 2];
            from.read_exact(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes[..bytes.len() - 2]).into_owned())
        }
        _ => Err(format!("expected an answer of Redis, found {line:?}").into()),
    }
}
