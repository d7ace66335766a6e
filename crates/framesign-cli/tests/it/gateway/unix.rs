//! `--listen unix:/PATH`: only programs of the machine call, and only those that the file lets in.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{ACCESS_KEY, HOST, Recorder, SECRET_KEY, Signed, complaint, gateway, inbound, noise};
use crate::serve::{Answer, Connection, PATIENCE, Service};

/// The path of a socket in `folder`, and the option for it.
fn socket(folder: &TempDir) -> (PathBuf, String) {
    let path = folder.path().join("gateway.sock");
    let option = format!("unix:{}", path.display());
    (path, option)
}

fn signing(folder: &TempDir, upstream: &str, listen: &str) -> Command {
    let mut command = gateway(folder, upstream, &["--sign", "--listen", listen]);
    command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    command
}

fn connect(path: &Path) -> Connection<UnixStream> {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    Connection::over(stream)
}

fn answer(path: &Path, request: impl AsRef<[u8]>) -> Answer {
    let mut connection = connect(path);
    connection.send(request);
    connection.answer()
}

fn put(fields: &str, len: usize) -> Vec<u8> {
    let head =
        format!("PUT /a HTTP/1.1\r\nHost: any.name\r\n{fields}Content-Length: {len}\r\n\r\n");
    [head.as_bytes(), &noise(len)].concat()
}

#[test]
fn local_programs_have_requests_signed_over_a_unix_socket() {
    let (folder, upstream) = (TempDir::new().unwrap(), Recorder::start());
    let (path, listen) = socket(&folder);
    let service = Service::run(&mut signing(&folder, &upstream.url(), &listen));
    let file = fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o022, 0, "the mask of the test holds");
    // A connection serves several, and no name of a host is a foreign one.
    let mut connection = connect(&path);
    for len in [10, 100_000] {
        connection.send(put("", len));
        assert_eq!(connection.answer().text(), len.to_string());
    }
    for received in upstream.whole() {
        assert!(received.field("dynata-signature").is_some(), "{received:?}");
        assert_eq!(received.field("dynata-access-key"), Some(ACCESS_KEY));
    }
    assert_eq!(answer(&path, put("Origin: https://page.test\r\n", 1)).status, 403);
    assert_eq!(upstream.whole().len(), 2);
    service.wait_for_log("peer=unix");
    service.terminate();
    let (code, log) = service.wait();
    assert_eq!(code, 0, "{log}");
    assert!(!path.exists(), "its socket is removed");
}

#[test]
fn signed_requests_come_over_a_unix_socket() {
    let (folder, upstream) = (TempDir::new().unwrap(), Recorder::start());
    let (path, listen) = socket(&folder);
    let options = ["--listen", &listen, "--idle-timeout", "2"];
    let _gateway = Service::run(&mut inbound(&folder, &upstream.url(), &options));
    let request = Signed::put("/", noise(700_000));
    assert_eq!(answer(&path, request.bytes()).text(), "700000");
    let mut tampered = request.body().to_vec();
    tampered[699_999] ^= 1;
    assert_eq!(answer(&path, [&request.head(), &tampered[..]].concat()).status, 401);
    let unsigned = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    assert_eq!(answer(&path, unsigned).status, 401);
    // The limits of clients hold here too.
    assert_eq!(answer(&path, request.head()).status, 408);
    let whole = upstream.whole();
    assert_eq!(whole.len(), 1);
    let forwarded = format!("for=unknown;host=\"{HOST}\";proto=http");
    assert_eq!(whole[0].field("forwarded"), Some(forwarded.as_str()));
    assert_eq!(whole[0].field("x-forwarded-for"), None);
}

#[test]
fn socket_of_a_process_that_was_killed_is_taken_over() {
    let (folder, upstream) = (TempDir::new().unwrap(), Recorder::start());
    let (path, listen) = socket(&folder);
    let start = || Service::run(&mut signing(&folder, &upstream.url(), &listen));
    let killed = start();
    drop(killed);
    assert!(path.exists());
    let living = start();
    assert_eq!(answer(&path, put("", 1)).status, 200);
    // That of a process that lives is its own.
    let err = complaint(signing(&folder, &upstream.url(), &listen));
    assert!(err.contains(&format!("--listen {listen}: ")), "{err}");
    assert_eq!(answer(&path, put("", 1)).status, 200);
    // A successor that has put its socket there keeps it.
    fs::remove_file(&path).unwrap();
    let successor = start();
    living.terminate();
    assert_eq!(living.wait().0, 0);
    assert_eq!(answer(&path, put("", 1)).status, 200);
    drop(successor);
}

#[test]
fn file_that_is_no_socket_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let (path, listen) = socket(&folder);
    fs::write(&path, "a file").unwrap();
    let err = complaint(signing(&folder, "http://127.0.0.1:1", &listen));
    assert!(err.contains(&listen), "{err}");
    assert_eq!(fs::read(&path).unwrap(), b"a file");
    let err = complaint(signing(&folder, "http://127.0.0.1:1", "unix:relative.sock"));
    assert!(err.contains("expected ADDR:PORT or unix:/PATH"), "{err}");
}

#[test]
fn service_listens_on_a_unix_socket_too() {
    let folder = TempDir::new().unwrap();
    let (path, listen) = socket(&folder);
    let _service = Service::start(&["--listen", &listen]);
    let body = b"hello";
    let request = [crate::serve::head("/token", body.len()).as_bytes(), body].concat();
    let answer = answer(&path, request);
    assert_eq!(answer.json()["token"], crate::serve::token_of(body));
}
