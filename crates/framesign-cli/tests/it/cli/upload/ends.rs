//! How the command ends where it does not upload, and a server without parts.

use std::net::TcpListener;

use super::{PART, Receiver, Run, answering::answering, bare, file, sha256, states, upload};

#[test]
fn wrong_usage_is_two() {
    let home = tempfile::tempdir().unwrap();
    let (path, _) = file(&home, "f", 1);
    let path = path.to_str().unwrap();
    for (arguments, words) in [
        (&[path, "ftp://a/f"][..], "expected an http:// or https:// URL"),
        (&[path, "files/f"], "expected an http:// or https:// URL"),
        (&[path, "http://u:p@a/f"], "expected an http:// or https:// URL"),
        (&[path], "required"),
        (&[path, "http://a/f#3.tar"], "write %23"),
        (&[path, "http://a/files/?q#"], "write %23"),
        (&["--timeout", "0", path, "http://a/f"], "--timeout"),
        (&["--part-size", "0", path, "http://a/f"], "--part-size"),
        (&["--retry-for=-1", path, "http://a/f"], "--retry-for"),
    ] {
        let mut command = bare();
        command.env("FRAMESIGN_ACCESS_KEY", "a").env("FRAMESIGN_SECRET_KEY", "b").arg("upload");
        let run = Run::of(command.args(arguments));
        assert!(run.complaint(2).contains(words), "{run:?}");
    }
    let run = Run::of(bare().args(["upload", path, "http://127.0.0.1:1/files/f"]));
    assert!(run.complaint(2).contains("expected the access key"), "{run:?}");
    let mut command = bare();
    let run = Run::of(command.args(["upload", "--access-key", "a", path, "http://127.0.0.1:1/f"]));
    assert!(run.complaint(2).contains("expected the secret key"), "{run:?}");
}

#[test]
fn file_that_cannot_be_read_is_three() {
    let home = tempfile::tempdir().unwrap();
    let run = Run::of(upload(home.path()).args(["no/such/file", "http://127.0.0.1:1/files/f"]));
    assert!(run.complaint(3).starts_with("no/such/file: "), "{run:?}");
    let mut command = upload(home.path());
    let run = Run::of(command.args(["--json", "no/such/file", "http://127.0.0.1:1/files/f"]));
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &json["error"]["kind"]), (3, &"io".into()));
    assert_eq!(json["file"], "no/such/file");
}

#[test]
fn server_that_is_not_there_is_three() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/files/f", listener.local_addr().unwrap());
    drop(listener);
    let home = tempfile::tempdir().unwrap();
    let (path, _) = file(&home, "f", 1);
    let mut command = upload(home.path());
    let run = Run::of(command.args(["--retry-for", "0", "--json"]).arg(&path).arg(&url));
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &json["error"]["kind"]), (3, &"unavailable".into()), "{run:?}");
    let mut command = upload(home.path());
    let run = Run::of(command.args(["--retry-for", "0.4"]).arg(&path).arg(&url));
    assert_eq!((run.code, run.out.as_str()), (3, ""), "{run:?}");
    let last = run.err.lines().last().unwrap();
    assert!(last.starts_with(&format!("framesign: {}: no answer of the server", path.display())));
}

#[test]
fn what_the_server_refuses_is_one() {
    let (receiver, home) =
        (Receiver::start(&["--upload-max-size", "70000"]), tempfile::tempdir().unwrap());
    let (small, _) = file(&home, "small", 10);
    let (large, _) = file(&home, "large", PART + PART / 2);
    assert_eq!(Run::of(upload(home.path()).arg(&small).arg(receiver.url("small"))).code, 0);
    let kind = |run: &Run| -> String {
        let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(run.code, 1, "{run:?}");
        json["error"]["kind"].as_str().unwrap().to_owned()
    };
    // The name is taken.
    let run = Run::of(upload(home.path()).arg("--json").arg(&small).arg(receiver.url("small")));
    assert_eq!(kind(&run), "refused");
    let run = Run::of(upload(home.path()).arg("--json").arg(&large).arg(receiver.url("large")));
    assert_eq!(kind(&run), "too-large");
    let mut command = upload(home.path());
    command.env("FRAMESIGN_SECRET_KEY", "another secret key").arg("--json");
    let run = Run::of(command.arg(&small).arg(receiver.url("other")));
    assert_eq!(kind(&run), "refused");
    assert!(run.out.contains("check the keys, the clock and the URL"), "{run:?}");
    assert!(states(home.path()).is_empty());
}

#[test]
fn server_without_parts_gets_one_put() {
    let home = tempfile::tempdir().unwrap();
    let (address, requests) = answering(plain);
    let url = format!("http://{address}/files/f");
    let put = || requests.iter().find(|(line, _)| line.starts_with("PUT ")).unwrap().1;
    let (path, content) = file(&home, "f", 3 * PART);
    let run = Run::of(upload(home.path()).arg(&path).arg(&url));
    assert_eq!((run.code, run.out), (0, format!("{}  {url}\n", sha256(&content))));
    assert!(run.err.contains("warning: the server takes no parts"), "{}", run.err);
    assert!(run.err.contains("warning: the server named no hash of the whole"), "{}", run.err);
    assert!(put() == content);
    assert!(states(home.path()).is_empty());
    // A pipe that fits into one part, and one that does not.
    let run = Run::with_stdin(upload(home.path()).args(["-", &url]), &content[..PART - 1]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(put() == content[..PART - 1]);
    let run = Run::with_stdin(upload(home.path()).args(["-", &url]), &content);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("the length of a pipe is not known; send a file"), "{run:?}");
    // What the server has may be anything.
    let run = Run::of(upload(home.path()).arg("--json").arg(&path).arg(&url));
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((run.code, &json["confirmed"]), (0, &false.into()));
}

/// Takes a PUT and knows nothing else.
fn plain(method: &str) -> &'static str {
    if method == "PUT" { "201 Created" } else { "405 Method Not Allowed" }
}

#[test]
fn name_is_added_to_the_path_and_the_query_stays() {
    let home = tempfile::tempdir().unwrap();
    let (address, requests) = answering(plain);
    let (path, _) = file(&home, "f", 10);
    for (target, put) in [
        ("/files/?to=/", "/files/f?to=/"),
        ("/files/g?to=/", "/files/g?to=/"),
        ("/files/?to=x", "/files/f?to=x"),
        ("", "/f"),
    ] {
        let run = Run::of(upload(home.path()).arg(&path).arg(format!("http://{address}{target}")));
        assert_eq!(run.code, 0, "{run:?}");
        let (line, _) = requests.iter().find(|(line, _)| line.starts_with("PUT ")).unwrap();
        assert_eq!(line, format!("PUT {put} HTTP/1.1"), "{target}");
    }
}

#[test]
fn silence_is_as_long_as_the_user_says() {
    // The connection is made by the kernel, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/files/f", listener.local_addr().unwrap());
    let home = tempfile::tempdir().unwrap();
    let (path, _) = file(&home, "f", 1);
    let mut command = upload(home.path());
    command.args(["--timeout", "0.3", "--retry-for", "0"]).arg(&path).arg(&url);
    assert!(Run::of(&mut command).complaint(3).contains("silence for 0.3 s"));
}
