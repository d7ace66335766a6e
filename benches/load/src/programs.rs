//! The programs that are measured, and those that they are measured beside.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    Result,
    cores::Cores,
    parts::{ACCESS_KEY, SECRET_KEY},
    process::Server,
    request::{self, SECRET},
};

/// Builds the program with its service, and gives its path.
pub(crate) fn build() -> Result<PathBuf> {
    let build = ["build", "--quiet", "--release", "--package", "framesign-cli"];
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo).args(build).current_dir(repository()))?;
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    Ok(target.unwrap_or_else(|| repository().join("target")).join("release/framesign"))
}

/// The top of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Runs a command to its end, which has to be good.
fn run(command: &mut Command) -> Result {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command.get_program().display()).into()),
        Err(error) => Err(format!("{}: {error}", command.get_program().display()).into()),
    }
}

/// Starts the service on loopback. Its log holds what goes wrong, unless `options` ask for more.
pub(crate) fn serve(program: &Path, cores: &Cores, options: &[&str]) -> Result<Server> {
    let mut command = Command::new(program);
    // Nothing else, so that no setting of the caller's changes what is measured.
    command.env_clear().env("SECRET", SECRET).env("FRAMESIGN_LOG_LEVEL", "warn");
    Server::start(command.args(["serve", "--listen", "127.0.0.1:0"]).args(options), cores)
}

/// Starts the service to receive uploads on `address`, with further variables of the environment.
pub(crate) fn receive(
    program: &Path,
    cores: &Cores,
    address: SocketAddr,
    environment: &[(&str, &str)],
    options: &[&str],
) -> Result<Server> {
    let mut command = Command::new(program);
    command.env_clear().env("SECRET", SECRET).env("FRAMESIGN_LOG_LEVEL", "warn");
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command.envs(environment.iter().copied());
    command.args(["serve", "--listen", &address.to_string()]).args(options);
    Server::start(&mut command, cores)
}

/// Starts the gateway on loopback before `upstream`, on one thread, with the key of signed requests.
pub(crate) fn gateway(program: &Path, cores: &Cores, upstream: SocketAddr) -> Result<Server> {
    let directory = tempfile::tempdir()?;
    let secrets = directory.path().join("secrets.toml");
    fs::write(&secrets, format!("{} = ['{SECRET}']", request::ACCESS_KEY))?;
    let mut command = Command::new(program);
    command.env_clear().env("FRAMESIGN_LOG_LEVEL", "error");
    command.args(["gateway", "--listen", "127.0.0.1:0", "--threads", "1"]);
    command.args(["--max-body", "unlimited", "--upstream", &format!("http://{upstream}")]);
    // It has read the file when it listens; without the file it goes on with what it knows.
    Server::start(command.arg("--secrets").arg(secrets), cores)
}

/// Starts the reference made of hyper.
pub(crate) fn reference(cores: &Cores) -> Result<Server> {
    let mut command = Command::new(env::current_exe()?);
    Server::start(command.arg("reference").env("SECRET", SECRET), cores)
}

/// Starts the proxy made of hyper on loopback, before `upstream`.
pub(crate) fn reference_proxy(cores: &Cores, upstream: SocketAddr) -> Result<Server> {
    let mut command = Command::new(env::current_exe()?);
    Server::start(command.args(["reference-proxy", &upstream.to_string()]), cores)
}

/// A service with the same endpoint.
pub(crate) enum Reference {
    /// A small one of Go's net/http, in `benches/load/reference-go`.
    Go(TempDir),
    /// A small one of hyper, `reference.rs`.
    Hyper,
    /// Another build of the program.
    Framesign(PathBuf),
}

/// The kinds of references, to choose one by.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Go's where Go is installed, otherwise hyper's
    Any,
    /// A small service of Go's net/http
    Go,
    /// A small service of hyper
    Hyper,
}

impl Reference {
    /// Chooses one, and builds it.
    pub(crate) fn new(kind: Kind) -> Result<Self> {
        let go = env::var_os("GO").unwrap_or_else(|| "go".into());
        let has_go = || Command::new(&go).arg("version").output().is_ok();
        if kind == Kind::Hyper || (kind == Kind::Any && !has_go()) {
            return Ok(Self::Hyper);
        }
        let directory = tempfile::tempdir()?;
        let source = repository().join("benches/load/reference-go");
        let out = directory.path().join("reference");
        run(Command::new(&go).args(["build", "-o"]).arg(out).arg(".").current_dir(source))?;
        Ok(Self::Go(directory))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Go(_) => "go",
            Self::Hyper => "hyper",
            Self::Framesign(_) => "other",
        }
    }

    /// Starts it to serve on one thread.
    pub(crate) fn start(&self, cores: &Cores) -> Result<Server> {
        let mut command = match self {
            Self::Framesign(path) => return serve(path, cores, &["--threads", "1"]),
            Self::Go(directory) => Command::new(directory.path().join("reference")),
            Self::Hyper => Command::new(env::current_exe()?),
        };
        if let Self::Hyper = self {
            command.arg("reference");
        }
        Server::start(command.env("SECRET", SECRET).env("GOMAXPROCS", "1"), cores)
    }
}
