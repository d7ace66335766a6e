//! Programs as processes: started on cores of their own, watched through Linux's /proc, stopped.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    param::clock_ticks_per_second,
    process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit},
};

use crate::{Result, cores::Cores, results::count};

/// The time that a program has to end once it is told to.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that serves. It is killed if it is dropped before it was stopped.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The address that it listens on.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a program that prints `listening on http://ADDR:PORT` as its first line. Its standard
    /// error is a file, and shown if the program does not start.
    pub(crate) fn start(command: &mut Command, cores: &Cores) -> Result<Self> {
        let mut log = tempfile::tempfile()?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?);
        // Else only root may begin the peak of its memory anew.
        command.env("FRAMESIGN_CORE_DUMPS", "true");
        let mut child = cores.start(|| command.spawn())?;
        let output = BufReader::new(child.stdout.take().ok_or("expected a standard output")?);
        let mut server = Self { child, output, address: ([127, 0, 0, 1], 0).into() };
        match server.next_address() {
            Ok(address) => server.address = address,
            Err(error) => return Err(format!("{error}: {}", read_all(&mut log)?).into()),
        }
        Ok(server)
    }

    /// Reads the address in the next line that it prints.
    pub(crate) fn next_address(&mut self) -> Result<SocketAddr> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let address = line.trim().rsplit_once("http://").map(|(_, address)| address);
        let address = address.ok_or_else(|| format!("expected an address, found {line:?}"))?;
        Ok(address.parse()?)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells whether it still runs.
    pub(crate) fn is_running(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// Ends it at once, and waits until it has ended.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(self) -> Result {
        self.terminate()?;
        self.wait().map(drop)
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(format!("process {} did not end within {} s", self.id(), PATIENCE.as_secs()).into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails if the process has ended, which is what is asked for.
        let _ = self.kill();
    }
}

fn read_all(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

/// The memory that a process holds, in MiB.
pub(crate) fn resident(id: u32) -> Result<f64> {
    memory(id, "VmRSS:")
}

/// The most memory that a process held since it started or since [`forget_peak`], in MiB.
pub(crate) fn peak(id: u32) -> Result<f64> {
    memory(id, "VmHWM:")
}

/// Begins the peak of a process anew (proc(5), `clear_refs`).
pub(crate) fn forget_peak(id: u32) -> io::Result<()> {
    fs::write(format!("/proc/{id}/clear_refs"), "5")
}

fn memory(id: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: f64 = line
        .ok_or("expected a process with memory")?
        .trim_matches([' ', '\t', 'k', 'B'])
        .parse()?;
    Ok(kib / 1024.0)
}

/// The seconds that a process has computed, in user and kernel mode.
pub(crate) fn computed(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is a name in parentheses, which may hold anything. User and kernel time are
    // the fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').ok_or("expected the name of a process")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(count(ticks.sum::<Result<u64, _>>()?) / count(clock_ticks_per_second()))
}

/// Allows this process and what it starts as many open files as the system lets it have.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}
