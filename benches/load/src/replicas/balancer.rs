//! HAProxy before the replicas, as `deploy/haproxy/haproxy.cfg` has it.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener},
    os::{fd::AsRawFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::io::{FdFlags, fcntl_setfd};
use tempfile::TempDir;

use crate::{Result, programs::repository, replicas::Replica};

/// Numbers of requests, by the name of the replica.
pub(crate) type Counts = BTreeMap<String, u64>;

/// A running HAProxy.
pub(crate) struct Balancer {
    child: Child,
    directory: TempDir,
    /// The address for callers.
    pub(crate) address: SocketAddr,
}

/// A row of HAProxy's statistics, by the name of the column.
type Row = BTreeMap<String, String>;

impl Balancer {
    /// Starts it, and waits until it has found all replicas well.
    pub(crate) fn start(replicas: &[&Replica]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let front = TcpListener::bind("127.0.0.1:0")?;
        let address = front.local_addr()?;
        // It inherits the listener, so that no other program can take the port meanwhile.
        fcntl_setfd(&front, FdFlags::empty())?;
        let log = File::create(directory.path().join("log"))?;
        let mut command = Command::new("haproxy");
        command
            .args(["-db", "-f"])
            .arg(repository().join("deploy/haproxy/haproxy.cfg"))
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("FRAMESIGN_FRONT", format!("fd@{}", front.as_raw_fd()))
            .env("FRAMESIGN_SOCKET", directory.path().join("socket"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        for replica in replicas {
            let name = format!("FRAMESIGN_{}", replica.name.to_uppercase());
            command.env(&name, replica.server.address.to_string());
            command.env(name + "_ADMIN", replica.admin.port().to_string());
        }
        let child = command.spawn().map_err(|error| format!("haproxy: {error}; install it"))?;
        let balancer = Self { child, directory, address };
        let names: Vec<_> = replicas.iter().map(|replica| replica.name).collect();
        balancer.wait_for(&names, "UP", Duration::from_secs(20))?;
        Ok(balancer)
    }

    /// Waits until replicas have a state, as checks have found it.
    pub(crate) fn wait_for(&self, names: &[&str], state: &str, time: Duration) -> Result {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            let rows = self.rows().unwrap_or_default();
            let is_there = |name: &&str| {
                rows.get(*name)
                    .is_some_and(|row| row["status"] == state && !row["check_status"].is_empty())
            };
            if names.iter().all(is_there) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(self.directory.path().join("log"))?;
        Err(format!("replicas: expected {names:?} to be {state}; HAProxy said: {log}").into())
    }

    /// The requests that each replica was given.
    pub(crate) fn requests(&self) -> Result<Counts> {
        let rows = self.rows()?.into_iter();
        rows.map(|(name, row)| Ok((name, row["stot"].parse()?))).collect()
    }

    /// The requests that it logged with another status than 200, by replica.
    pub(crate) fn failures(&self) -> Result<Counts> {
        let log = fs::read_to_string(self.directory.path().join("log"))?;
        Ok(failures(&log))
    }

    fn rows(&self) -> io::Result<BTreeMap<String, Row>> {
        let mut socket = UnixStream::connect(self.directory.path().join("socket"))?;
        socket.write_all(b"show stat\n")?;
        let mut table = String::new();
        socket.read_to_string(&mut table)?;
        Ok(rows(&table))
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        // It fails if the process has ended, which is what is asked for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of servers (type 2) in comma-separated values, by their name.
fn rows(table: &str) -> BTreeMap<String, Row> {
    let mut lines = table.trim_start_matches("# ").lines().map(|line| line.split(','));
    let names: Vec<_> = lines.next().into_iter().flatten().collect();
    let rows = lines.map(|values| names.iter().zip(values));
    let rows = rows.map(|row| row.map(|(name, value)| ((*name).into(), value.into())).collect());
    let is_server = |row: &Row| row.get("type").is_some_and(|kind| kind == "2");
    rows.filter(is_server).map(|row: Row| (row["svname"].clone(), row)).collect()
}

/// Lines of the log are `client [date] frontend backend/server timers status …`.
fn failures(log: &str) -> Counts {
    let mut failures = Counts::new();
    for line in log.lines().filter(|line| line.contains("] callers ")) {
        let fields: Vec<_> = line.split_whitespace().collect();
        if let [_, _, _, server, _, status, ..] = fields[..]
            && status != "200"
        {
            let (_, name) = server.split_once('/').unwrap_or_default();
            *failures.entry(name.into()).or_default() += 1;
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_servers() {
        let table = "# pxname,svname,stot,status,type,check_status,\n\
                     callers,FRONTEND,9,OPEN,0,,\n\
                     replicas,one,5,UP,2,L7OK,\n\
                     replicas,two,4,DOWN,2,L7STS,\n\
                     replicas,BACKEND,9,UP,1,,\n\n";
        let rows = rows(table);
        assert_eq!(rows.keys().collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!((&*rows["one"]["stot"], &*rows["two"]["status"]), ("5", "DOWN"));
    }

    #[test]
    fn failures_are_requests_of_another_status_than_200() {
        let log = "[NOTICE] (1) : New worker forked\n\
             127.0.0.1:1 [24/Nov/2026:20:00:00.000] callers replicas/one 0/0/0/1/1 200 9 - - ---- 1/1/0/0/0 0/0 \"POST /token HTTP/1.1\"\n\
             127.0.0.1:2 [24/Nov/2026:20:00:01.000] callers replicas/one 0/0/0/-1/9 502 9 - - SH-- 1/1/0/0/0 0/0 \"POST /token HTTP/1.1\"\n\
             127.0.0.1:3 [24/Nov/2026:20:00:01.000] callers replicas/one 0/0/0/-1/9 -1 0 - - SD-- 1/1/0/0/0 0/0 \"POST /token HTTP/1.1\"\n";
        assert_eq!(failures(log), Counts::from([("one".into(), 2)]));
    }
}
