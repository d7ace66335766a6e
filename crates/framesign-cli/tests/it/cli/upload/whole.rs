//! Uploads that go well, and what is printed.

use std::{fs, fs::File};

use super::{PART, Receiver, Run, file, sha256, states, upload};
use crate::serve::certificates::{Authority, Files};

#[test]
fn files_of_all_lengths() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    for length in [0, 1, PART - 1, PART, PART + 1, 3 * PART, 5 * PART + 7] {
        let (path, content) = file(&home, &format!("f{length}"), length);
        let url = receiver.url(&format!("f{length}"));
        let run = Run::of(upload(home.path()).arg(&path).arg(&url));
        assert_eq!(run.done(), format!("{}  {url}\n", sha256(&content)));
        assert!(fs::read(receiver.path(&format!("f{length}"))).unwrap() == content);
        assert!(states(home.path()).is_empty());
    }
}

#[test]
fn pipes_and_redirected_files() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    for length in [0, PART - 1, 2 * PART, 2 * PART + 3] {
        let (path, content) = file(&home, "f", length);
        let (piped, redirected) = (format!("p{length}"), format!("r{length}"));
        let url = receiver.url(&piped);
        let run = Run::with_stdin(upload(home.path()).args(["-", &url]), &content);
        assert_eq!(run.done(), format!("{}  {url}\n", sha256(&content)));
        assert!(fs::read(receiver.path(&piped)).unwrap() == content);

        let mut command = upload(home.path());
        command.args(["-", &receiver.url(&redirected)]).stdin(File::open(&path).unwrap());
        assert!(command.output().unwrap().status.success());
        assert!(fs::read(receiver.path(&redirected)).unwrap() == content);
    }
}

#[test]
fn result_as_json() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let (path, content) = file(&home, "f", PART + 1);
    let url = receiver.url("f");
    let run = Run::of(upload(home.path()).arg("--json").arg(&path).arg(&url));
    let json: serde_json::Value = serde_json::from_str(run.done()).unwrap();
    assert_eq!(run.done().lines().count(), 1);
    let expected = serde_json::json!({
        "file": path.to_str().unwrap(),
        "url": url,
        "bytes": content.len(),
        "sha256": sha256(&content),
        "confirmed": true,
    });
    assert_eq!(json, expected);
}

#[test]
fn name_of_the_file_is_added_to_a_folder() {
    let (receiver, home) = (Receiver::start(&[]), tempfile::tempdir().unwrap());
    let (path, content) = file(&home, "a b@1.bin", 10);
    let run = Run::of(upload(home.path()).arg(&path).arg(receiver.url("")));
    assert_eq!(
        run.done().split("  ").nth(1),
        Some(&*format!("{}\n", receiver.url("a%20b%401.bin")))
    );
    assert!(fs::read(receiver.path("a b@1.bin")).unwrap() == content);
    let run = Run::of(upload(home.path()).args(["-", &receiver.url("")]));
    assert!(run.complaint(2).contains("expected a name at the end of URL"), "{run:?}");
}

#[test]
fn parts_keep_to_the_limits_of_the_service() {
    let receiver = Receiver::start(&["--max-body", "10000"]);
    let home = tempfile::tempdir().unwrap();
    let (path, content) = file(&home, "f", 25_000);
    let run = Run::of(upload(home.path()).arg(&path).arg(receiver.url("f")));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(fs::read(receiver.path("f")).unwrap() == content);
}

#[test]
fn https_with_an_authority_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let files = Files::of(&authority.identity());
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| files.path(name));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let receiver = Receiver::start(&["--tls-certificate", certificate, "--tls-key", key]);
    let (path, content) = file(&home, "f", PART + 1);
    let url = format!("https://localhost:{}/files/f", receiver.service.address.port());
    let authority = files.write("authority.pem", &authority.pem());
    let run = Run::of(upload(home.path()).arg("--ca-file").arg(&authority).arg(&path).arg(&url));
    assert_eq!(run.done(), format!("{}  {url}\n", sha256(&content)));
    // Nobody who is trusted vouches for it, and no further attempt would change that.
    let other = files.write("other.pem", &Authority::new().pem());
    let run = Run::of(upload(home.path()).arg("--ca-file").arg(&other).arg(&path).arg(&url));
    let complaint = run.complaint(3);
    assert!(complaint.contains("invalid peer certificate"), "{run:?}");
    assert!(!complaint.contains("trying again") && !complaint.contains("gave up"), "{run:?}");
    // A file without certificates.
    let run = Run::of(upload(home.path()).arg("--ca-file").arg(&path).arg(&path).arg(&url));
    assert!(run.complaint(2).contains("/f: "), "{run:?}");
}
