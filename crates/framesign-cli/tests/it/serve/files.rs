//! Files that secrets and certificates are read from: what they have to be, and who may read them.

use std::{
    fs,
    io::Read,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{
    SECRET, Service,
    certificates::Authority,
    request::Request,
    secrets::{reload, token, token_under, write},
    serve, wait_until,
};
use crate::support::{make_fifo, set_mode};

const CALLERS: &str = "caller = ['token-of-the-caller']";

/// Every file that the service can be told to read, and the service that reads them all.
struct Files {
    folder: TempDir,
    authority: Authority,
}

/// The names of the files, and what the log calls them: a secret by its variable.
const SECRETS: [&str; 3] = ["SECRET", "SECRET_PREVIOUS", "FRAMESIGN_SECRET_KEY"];
const OPTIONS: [&str; 4] = ["--callers", "--tls-certificate", "--tls-key", "--tls-client-ca"];
const PUBLIC: [&str; 3] = ["FRAMESIGN_ACCESS_KEY", "--tls-certificate", "--tls-client-ca"];

impl Files {
    fn new() -> Self {
        let files = Self { folder: TempDir::new().unwrap(), authority: Authority::new() };
        let identity = files.authority.identity();
        for (name, text) in [
            ("SECRET", SECRET),
            ("SECRET_PREVIOUS", "the shared secret before it"),
            ("FRAMESIGN_ACCESS_KEY", "access-key"),
            ("FRAMESIGN_SECRET_KEY", "the secret key of the tests"),
            ("--callers", CALLERS),
            ("--tls-certificate", &identity.pem()),
            ("--tls-key", &identity.key_pem()),
            ("--tls-client-ca", &files.authority.pem()),
        ] {
            write(&files.folder, name, text);
            set_mode(&files.path(name), 0o600);
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn names() -> impl Iterator<Item = &'static str> {
        SECRETS.into_iter().chain(["FRAMESIGN_ACCESS_KEY"]).chain(OPTIONS)
    }

    fn is_option(name: &str) -> bool {
        name.starts_with("--")
    }

    fn command(&self) -> Command {
        let mut command = serve(&["--admin-listen", "127.0.0.1:0"]);
        command.env_remove("SECRET");
        for name in Self::names() {
            if Self::is_option(name) {
                command.arg(name).arg(self.path(name));
            } else {
                command.env(format!("{name}_FILE"), self.path(name));
            }
        }
        command
    }

    /// How an error names the file.
    fn shown(&self, name: &str) -> String {
        if Self::is_option(name) {
            self.path(name).to_str().unwrap().to_owned()
        } else {
            format!("{name}_FILE")
        }
    }
}

/// A process that is killed if it has not ended by itself.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a service says that does not start, and does not wait either.
fn complaint(command: &mut Command) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Ending(command.spawn().unwrap());
    wait_until(|| child.0.try_wait().unwrap().is_some(), || "it to end".into());
    let mut err = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(2), "{err}");
    let line = err.strip_prefix("framesign: ").and_then(|err| err.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{err}"));
    assert!(!line.contains('\n'), "{err}");
    line.to_owned()
}

/// Puts something else where a regular file was.
fn replace(path: &Path, other: impl FnOnce(&Path)) {
    let new = path.with_file_name("new");
    other(&new);
    fs::rename(new, path).unwrap();
}

#[test]
fn only_regular_files_are_read_at_the_start() {
    for name in Files::names() {
        let files = Files::new();
        let (path, shown) = (files.path(name), files.shown(name));
        for (other, found) in [
            (make_fifo as fn(&Path), "a FIFO"),
            (|path| symlink("/dev/null", path).unwrap(), "a device"),
            (|path| symlink("/dev/stdin", path).unwrap(), "a FIFO"),
            (|path| symlink(".", path).unwrap(), "a directory"),
        ] {
            replace(&path, other);
            let expected = format!("{shown}: expected a regular file, found {found}");
            assert_eq!(complaint(&mut files.command()), expected);
        }
        fs::remove_file(&path).unwrap();
        let missing = complaint(&mut files.command());
        assert!(missing.starts_with(&format!("{shown}: No such file")), "{missing}");
    }
}

#[test]
fn fifo_in_the_place_of_a_file_does_not_stop_reloading() {
    let files = Files::new();
    let service = Service::run(&mut files.command());
    let reloads =
        || Request::get("/metrics").to_address(service.admin.unwrap()).json()["reloads"].clone();
    let (mut done, mut failed) = (0, 0);
    let mut reload = |of_done: u64, of_failed: u64| {
        (done, failed) = (done + of_done, failed + of_failed);
        service.hangup();
        let expected = serde_json::json!({ "done": done, "failed": failed });
        wait_until(|| reloads() == expected, || format!("{expected}, found {}", reloads()));
    };
    for name in Files::names() {
        let (path, shown) = (files.path(name), files.shown(name));
        let text = fs::read(&path).unwrap();
        replace(&path, make_fifo);
        reload(2, 1);
        service.wait_for_log(&format!("{shown}: expected a regular file, found a FIFO"));
        replace(&path, |path| {
            fs::write(path, text).unwrap();
            set_mode(path, 0o600);
        });
        reload(3, 0);
    }
}

/// As Kubernetes mounts a secret.
#[test]
fn file_may_be_a_link_that_changes_under_the_service() {
    let folder = TempDir::new().unwrap();
    let write = |version: &str, secret: &str| {
        let version = folder.path().join(version);
        fs::create_dir(&version).unwrap();
        fs::write(version.join("secret"), secret).unwrap();
    };
    write("..1", "the first secret");
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/secret", folder.path().join("secret")).unwrap();
    let mut command = serve(&[]);
    let path = folder.path().join("secret");
    let service = Service::run(command.env_remove("SECRET").env("SECRET_FILE", path));
    assert_eq!(token(&service), token_under("the first secret", "bytes"));
    write("..2", "the second secret");
    replace(&folder.path().join("..data"), |link| symlink("..2", link).unwrap());
    reload(&service, 1, 0);
    assert_eq!(token(&service), token_under("the second secret", "bytes"));
}

/// The warnings in the log.
fn warnings(service: &Service) -> Vec<String> {
    let log = service.log();
    let lines = log.lines().filter_map(|line| line.split_once("WARN ")?.1.split_once("can "));
    lines.map(|(who, rest)| format!("{who}can {rest}")).collect()
}

#[test]
fn secret_that_others_can_read_is_warned_of_at_every_load() {
    let files = Files::new();
    for name in Files::names() {
        set_mode(&files.path(name), 0o644);
    }
    let is_of_root = fs::metadata(files.path("SECRET")).unwrap().uid() == 0;
    let who = if is_of_root { "others" } else { "its group and others" };
    let expected: Vec<_> = Files::names()
        .filter(|name| !PUBLIC.contains(name))
        .map(|name| {
            let shown = files.shown(name);
            format!(
                "{shown}: {who} can read it (mode 0644): set its mode to 0400, or to 0440 with \
                 root as its owner"
            )
        })
        .collect();
    let service = Service::run(&mut files.command());
    let assert_warned = |loads: usize| {
        let count = expected.len() * loads;
        wait_until(|| warnings(&service).len() >= count, || format!("{count} warnings"));
        let mut expected: Vec<_> = expected.iter().cycle().take(count).cloned().collect();
        let mut found = warnings(&service);
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    };
    assert_warned(1);
    service.hangup();
    service.wait_for_log("certificates were read again");
    assert_warned(2);
}

#[test]
fn secret_that_its_owner_alone_can_read_is_not_warned_of() {
    let files = Files::new();
    let is_of_root = fs::metadata(files.path("SECRET")).unwrap().uid() == 0;
    for name in Files::names() {
        let mode = if PUBLIC.contains(&name) { 0o644 } else { 0o400 };
        set_mode(&files.path(name), mode);
    }
    // Root gives a file to a service by its group.
    set_mode(&files.path("SECRET"), if is_of_root { 0o440 } else { 0o400 });
    let service = Service::run(&mut files.command());
    service.hangup();
    service.wait_for_log("certificates were read again");
    service.terminate();
    let (_, log) = service.wait();
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn file_that_cannot_be_used_is_the_only_one_that_is_complained_of() {
    let files = Files::new();
    for name in Files::names() {
        set_mode(&files.path(name), 0o644);
    }
    fs::write(files.path("--tls-client-ca"), "").unwrap();
    let complaint = complaint(&mut files.command());
    assert!(complaint.starts_with(&files.shown("--tls-client-ca")), "{complaint}");
}
