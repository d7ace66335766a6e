//! A service and a gateway with the same keys, and the files that they read.

use std::{
    ffi::OsStr,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;

use super::tally::{Fault, Tally};
use crate::{Result, Setup, parts, process::Server};

/// The access key of signed requests. That of uploads is [`parts::ACCESS_KEY`], whose secret stays.
pub(crate) const ACCESS_KEY: &str = "soak";

/// Frames are accepted for so long, so that a store of replays is as full as it gets in minutes.
const AGE: &str = "60";

/// The time that a reload may take.
const RELOAD: Duration = Duration::from_secs(3);

/// The secrets that count, the one that clients use first.
#[derive(Clone)]
pub(crate) struct Live {
    /// Of tokens.
    pub(crate) token: Vec<String>,
    /// Of frames.
    pub(crate) frame: Vec<String>,
    /// The tokens of the caller.
    pub(crate) caller: Vec<String>,
    /// The frame secret and the caller's token that counted before.
    pub(crate) revoked: Option<(String, String)>,
}

/// Libraries that are loaded before those of the programs (`LD_PRELOAD`).
#[derive(Default)]
pub(crate) struct Preloaded {
    /// libfaketimeMT, by which the clock is set.
    pub(crate) faketime: Option<PathBuf>,
    /// The library made of trim.c.
    pub(crate) trim: Option<PathBuf>,
}

/// A service and a gateway.
pub(crate) struct Pair {
    pub(crate) number: usize,
    program: PathBuf,
    files: TempDir,
    /// Where uploads and the spool are.
    data: PathBuf,
    preloaded: Preloaded,
    upstream: SocketAddr,
    pub(crate) service: SocketAddr,
    pub(crate) gateway: SocketAddr,
    servers: Mutex<Option<[Server; 2]>>,
    live: Mutex<Live>,
    /// The token of a verifier that asks the service for keys.
    keys_token: String,
}

impl Pair {
    /// Starts both. `data` is a directory that exists.
    pub(crate) fn start(
        setup: &Setup,
        number: usize,
        data: &Path,
        preloaded: Preloaded,
        upstream: SocketAddr,
    ) -> Result<Arc<Self>> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let fresh = || vec![fresh()];
        let mut pair = Self {
            number,
            program: setup.framesign.clone(),
            files: tempfile::tempdir()?,
            data: data.to_owned(),
            preloaded,
            upstream,
            service: any,
            gateway: any,
            servers: Mutex::default(),
            live: Mutex::new(Live {
                token: fresh(),
                frame: fresh(),
                caller: fresh(),
                revoked: None,
            }),
            keys_token: self::fresh(),
        };
        fs::create_dir_all(pair.spool())?;
        fs::create_dir_all(pair.uploads())?;
        pair.write("clock", "+0")?;
        let live = pair.live();
        pair.write_secrets(&live.token[0], "", &live.frame, &live.caller)?;
        let servers = pair.start_servers()?;
        (pair.service, pair.gateway) = (servers[0].address, servers[1].address);
        *pair.servers() = Some(servers);
        Ok(Arc::new(pair))
    }

    pub(crate) fn live(&self) -> Live {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, change: impl FnOnce(&mut Live)) {
        change(&mut self.live.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn servers(&self) -> MutexGuard<'_, Option<[Server; 2]>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.data.join("uploads")
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.data.join("spool")
    }

    /// The processes of the service and the gateway.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.servers().iter().flatten().map(Server::id).collect()
    }

    fn start_servers(&self) -> Result<[Server; 2]> {
        let file = |name: &str| self.files.path().join(name);
        let common = |command: &mut Command, address: SocketAddr| {
            command.env_clear().env("FRAMESIGN_LOG_LEVEL", "error");
            command.env("FRAMESIGN_LISTEN", address.to_string());
            command.env("FRAMESIGN_SECRETS", file("frames.toml"));
            command.env("FRAMESIGN_REPLAY", "memory");
            command.env("FRAMESIGN_MAX_AGE", AGE).env("FRAMESIGN_SKEW", AGE);
            // What glibc keeps for each thread, up to some 240 KiB, is not what the program holds.
            let allocator = "glibc.malloc.arena_max=2:glibc.malloc.tcache_count=0";
            command.env("GLIBC_TUNABLES", allocator);
            let Preloaded { faketime, trim } = &self.preloaded;
            let libraries = [faketime, trim].into_iter().flatten();
            let libraries: Vec<_> = libraries.map(|path| path.as_os_str()).collect();
            command.env("LD_PRELOAD", libraries.join(OsStr::new(" ")));
            if faketime.is_some() {
                command.env("FAKETIME_TIMESTAMP_FILE", file("clock"));
                command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DISABLE_SHM", "1");
                command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
            }
        };
        let cores = crate::cores::Cores::available()?;
        let mut service = Command::new(&self.program);
        common(&mut service, self.service);
        service.env("SECRET_FILE", file("secret")).env("SECRET_PREVIOUS_FILE", file("previous"));
        service.env("FRAMESIGN_CALLERS", file("callers.toml"));
        service.arg("serve").arg("--uploads").arg(self.uploads());
        let mut gateway = Command::new(&self.program);
        common(&mut gateway, self.gateway);
        gateway.args(["gateway", "--response-timeout", "2"]);
        gateway.args(["--upstream", &format!("http://{}", self.upstream)]);
        gateway.arg("--spool").arg(self.spool());
        Ok([Server::start(&mut service, &cores)?, Server::start(&mut gateway, &cores)?])
    }

    /// Starts a verifier, which asks the service for the keys of the day and holds no secret.
    pub(crate) fn start_verifier(&self) -> Result<Server> {
        let mut verifier = Command::new(&self.program);
        verifier.env_clear().env("FRAMESIGN_LOG_LEVEL", "error");
        verifier.args(["serve", "--listen", "127.0.0.1:0", "--replay", "memory"]);
        verifier.args(["--max-age", AGE, "--skew", AGE, "--keys"]);
        verifier.arg(format!("http://{}", self.service));
        verifier.arg("--keys-token-file").arg(self.files.path().join("keys-token"));
        Server::start(&mut verifier, &crate::cores::Cores::available()?)
    }

    /// Kills both at once, and starts them where they were.
    pub(crate) fn kill(&self) -> Result {
        let killed = self.servers().take();
        for mut server in killed.into_iter().flatten() {
            server.kill()?;
        }
        let servers = self.start_servers()?;
        *self.servers() = Some(servers);
        Ok(())
    }

    /// Asks both to end. They end well, or it is an error.
    pub(crate) fn stop(&self) -> Result {
        let servers = self.servers().take();
        for server in servers.into_iter().flatten() {
            server.terminate()?;
            let status = server.wait()?;
            if !status.success() {
                return Err(format!("pair {}: a process ended with {status}", self.number).into());
            }
        }
        Ok(())
    }

    /// Sets the clock of both ahead or back by as many seconds, beside that of the machine.
    pub(crate) fn step_clock(&self, seconds: i64) -> Result {
        self.write("clock", &format!("{seconds:+}"))
    }

    /// Changes all secrets while the old ones count, and then takes those away.
    pub(crate) async fn rotate(&self, tally: &Tally) -> Result {
        let (next_token, next_frame, next_caller) = (fresh(), fresh(), fresh());
        let before = self.live();
        let [token, frame, caller] =
            [&before.token, &before.frame, &before.caller].map(|secrets| secrets[0].clone());
        let window = tally.begin(self.number, Fault::Rotated);
        let both = |next: &String, old: &String| vec![next.clone(), old.clone()];
        // Everybody verifies with the new ones before somebody signs with them.
        self.set(|live| live.token = both(&next_token, &token));
        let frames = both(&frame, &next_frame);
        self.write_secrets(&next_token, &token, &frames, &both(&caller, &next_caller))?;
        self.reload().await?;
        self.set(|live| {
            live.frame = both(&next_frame, &frame);
            live.caller = both(&next_caller, &caller);
        });
        sleep(RELOAD).await;
        self.write_secrets(
            &next_token,
            "",
            slice::from_ref(&next_frame),
            slice::from_ref(&next_caller),
        )?;
        self.reload().await?;
        self.set(|live| {
            *live = Live {
                token: vec![next_token],
                frame: vec![next_frame],
                caller: vec![next_caller],
                revoked: Some((frame, caller)),
            };
        });
        tally.end(window);
        Ok(())
    }

    async fn reload(&self) -> Result {
        for id in self.ids() {
            let id = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or("expected a process")?;
            kill_process(id, Signal::HUP)?;
        }
        sleep(RELOAD).await;
        Ok(())
    }

    fn write_secrets(
        &self,
        token: &str,
        previous: &str,
        frame: &[String],
        caller: &[String],
    ) -> Result {
        self.write("secret", token)?;
        self.write("previous", previous)?;
        let uploads = format!("{} = ['{}']\n", parts::ACCESS_KEY, parts::SECRET_KEY);
        self.write("frames.toml", &format!("{uploads}{ACCESS_KEY} = {frame:?}\n"))?;
        let keys = format!("[verifiers]\ntokens = ['{}']\nrights = ['keys']\n", self.keys_token);
        self.write("keys-token", &self.keys_token)?;
        self.write("callers.toml", &format!("caller = {caller:?}\n{keys}"))
    }

    /// Replaces a file by a rename, so that nobody reads half of it.
    fn write(&self, name: &str, content: &str) -> Result {
        use std::os::unix::fs::PermissionsExt;
        let (new, path) = (self.files.path().join("new"), self.files.path().join(name));
        fs::write(&new, content)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        Ok(fs::rename(new, path)?)
    }
}

/// A secret that was never used.
fn fresh() -> String {
    let mut bytes = [0; 32];
    fastrand::fill(&mut bytes);
    hex::encode(bytes)
}
