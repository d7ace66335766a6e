//! When the state of an upload is kept, and which files are taken for one.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use super::{
    ACCESS_KEY, PART, Run, answering::answering, file, resumed::BrokenOff, sha256, states, upload,
};

#[test]
fn state_is_kept_unless_the_upload_has_ended() {
    for (patched, is_kept) in [
        ("507 Insufficient Storage", true),
        ("413 Content Too Large", true),
        ("302 Found\r\nLocation: /login", true),
        ("421 Misdirected Request", true),
        ("451 Unavailable For Legal Reasons", true),
        ("200 OK\r\nContent-Type: text/html", true),
        ("400 Bad Request\r\nUpload-Complete: ?1", false),
        ("409 Conflict\r\nUpload-Complete: ?1", false),
    ] {
        let (address, _requests) = answering(move |method| match method {
            "OPTIONS" => "200 OK\r\nUpload-Limit: max-age=60",
            "POST" => "201 Created\r\nLocation: /uploads/1",
            "HEAD" => "200 OK\r\nUpload-Offset: 0\r\nUpload-Complete: ?0",
            _ => patched,
        });
        let home = tempfile::tempdir().unwrap();
        let (path, _) = file(&home, "f", 10);
        let url = format!("http://{address}/files/f");
        let mut command = upload(home.path());
        let run = Run::of(command.args(["--retry-for", "3"]).arg(&path).arg(&url));
        assert_ne!(run.code, 0, "{run:?}");
        assert_eq!(states(home.path()).len(), usize::from(is_kept), "{run:?}");
        let says_so = run.err.ends_with("; --resume goes on with it\n");
        assert_eq!(says_so, is_kept, "{run:?}");
    }
}

#[test]
fn state_of_an_upload_that_is_gone_is_not_kept() {
    // Once there is nothing to go on with, it cannot begin anew either.
    let created = Arc::new(AtomicUsize::new(0));
    let (address, requests) = answering(move |method| match method {
        "OPTIONS" => "200 OK\r\nUpload-Limit: max-age=60",
        "POST" if created.fetch_add(1, Relaxed) == 0 => "201 Created\r\nLocation: /uploads/1",
        "PATCH" => "507 Insufficient Storage",
        "HEAD" => "404 Not Found",
        _ => "403 Forbidden",
    });
    let home = tempfile::tempdir().unwrap();
    let (path, _) = file(&home, "f", 10);
    let run = |arguments: &[&str]| {
        let url = format!("http://{address}/files/f");
        Run::of(upload(home.path()).args(arguments).arg(&path).arg(url))
    };
    assert_eq!((run(&[]).code, states(home.path()).len()), (1, 1));
    let run = run(&["--resume"]);
    assert_eq!((run.code, states(home.path()).len()), (1, 0), "{run:?}");
    assert!(run.err.contains("does not know the upload any more"), "{run:?}");
    assert!(!run.err.contains("--resume goes on with it"), "{run:?}");
    let lines = requests.try_iter().map(|(line, _)| line);
    assert_eq!(lines.filter(|line| line.starts_with("POST ")).count(), 2);
}

#[test]
fn failed_options_do_not_begin_an_upload_anew() {
    let home = tempfile::tempdir().unwrap();
    let (path, content) = file(&home, "f", 10);
    let asked = Arc::new(AtomicUsize::new(0));
    // The first run is broken off; the proxy has other rules in the second one.
    let (address, requests) = answering(move |method| match method {
        "OPTIONS" if asked.fetch_add(1, Relaxed) == 0 => "200 OK\r\nUpload-Limit: max-age=60",
        "OPTIONS" => "403 Forbidden",
        "POST" => "201 Created\r\nLocation: /uploads/1",
        "HEAD" => "200 OK\r\nUpload-Offset: 0\r\nUpload-Complete: ?0",
        _ if asked.load(Relaxed) == 1 => "507 Insufficient Storage",
        _ => "201 Created\r\nUpload-Complete: ?1",
    });
    let url = format!("http://{address}/files/f");
    assert_eq!(Run::of(upload(home.path()).arg(&path).arg(&url)).code, 1);
    let run = Run::of(upload(home.path()).arg("--resume").arg(&path).arg(&url));
    assert_eq!((run.code, run.out), (0, format!("{}  {url}\n", sha256(&content))), "{}", run.err);
    let lines: Vec<_> = requests.try_iter().map(|(line, _)| line).collect();
    let count = |method: &str| lines.iter().filter(|line| line.starts_with(method)).count();
    assert_eq!((count("POST "), count("PUT "), count("PATCH ")), (1, 0, 2), "{lines:?}");
    assert!(states(home.path()).is_empty());
}

/// A kind of file, and what puts one at the place of a state.
type Other = (&'static str, fn(&Path));

/// What is at the place of a state, which another user may have put there.
fn others() -> [Other; 6] {
    [
        ("a symbolic link to the state", |state| {
            let target = state.with_extension("target");
            fs::rename(state, &target).unwrap();
            symlink(&target, state).unwrap();
        }),
        ("a FIFO", |state| {
            fs::remove_file(state).unwrap();
            assert!(Command::new("mkfifo").arg(state).status().unwrap().success());
        }),
        ("a device", |state| {
            fs::remove_file(state).unwrap();
            symlink("/dev/zero", state).unwrap();
        }),
        ("a state that everybody can write", |state| {
            fs::set_permissions(state, fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("other content", |state| fs::write(state, b"{\"url\":1}").unwrap()),
        ("a state whose upload has no URL", |state| {
            let text = fs::read_to_string(state).unwrap();
            let upload = text.rsplit('"').nth(1).unwrap();
            fs::write(state, text.replace(upload, "")).unwrap();
        }),
    ]
}

#[test]
fn what_cannot_be_the_own_state_is_none() {
    for (what, put) in others() {
        let broken = BrokenOff::new("source");
        let state = broken.state();
        put(&state);
        let before = broken.wire.passed();
        let run = broken.resume();
        assert_eq!(run.code, 0, "{what}: {run:?}");
        let line = run.err.strip_suffix('\n').unwrap();
        assert!(
            line.contains("warning: ") && line.ends_with("; it is not used"),
            "{what}: {run:?}"
        );
        assert!(line.contains(state.file_name().unwrap().to_str().unwrap()), "{what}: {run:?}");
        let sent = broken.wire.passed() - before;
        assert!(sent > 5 * PART as u64, "{what}: {sent} bytes; it went on with it");
        broken.assert_complete();
    }
}

/// Where the state is if it cannot be beside the file.
fn of_user(broken: &BrokenOff) -> PathBuf {
    let path = fs::canonicalize(&broken.path).unwrap();
    let named = format!("{}\n{}\n{ACCESS_KEY}", path.display(), broken.wire.url("f"));
    let mut name = sha256(named.as_bytes());
    name.truncate(32);
    broken.home.path().join("state/framesign/uploads").join(name)
}

#[test]
fn state_of_the_user_counts_beside_what_is_none() {
    for (what, put) in others() {
        let broken = BrokenOff::new("source");
        let (state, of_user) = (broken.state(), of_user(&broken));
        fs::create_dir_all(of_user.parent().unwrap()).unwrap();
        fs::copy(&state, &of_user).unwrap();
        put(&state);
        let before = broken.wire.passed();
        let run = broken.resume();
        assert_eq!(run.code, 0, "{what}: {run:?}");
        assert!(run.err.contains("; it is not used"), "{what}: {run:?}");
        let sent = usize::try_from(broken.wire.passed() - before).unwrap();
        assert!(sent < 4 * PART, "{what}: {sent} bytes were sent again");
        broken.assert_received();
        // What is not its own is left where it is.
        assert_eq!((of_user.exists(), states(broken.home.path()).len()), (false, 1), "{what}");
    }
}

#[test]
fn last_state_counts() {
    for is_last in [true, false] {
        let broken = BrokenOff::new("source");
        let (state, of_user) = (broken.state(), of_user(&broken));
        fs::create_dir_all(of_user.parent().unwrap()).unwrap();
        fs::copy(&state, &of_user).unwrap();
        // One of an upload of what the file was before, which a folder that is read-only by now keeps.
        let mut of_before: serde_json::Value =
            serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
        of_before["source"] = "before".into();
        of_before["upload"] = format!("{}/uploads/before", broken.wire.url("")).into();
        fs::write(&state, of_before.to_string()).unwrap();
        let offset = std::time::Duration::from_secs(60);
        let now = of_user.metadata().unwrap().modified().unwrap();
        let written = if is_last { now - offset } else { now + offset };
        fs::File::options().write(true).open(&state).unwrap().set_modified(written).unwrap();
        let run = broken.resume();
        if is_last {
            assert_eq!(run.code, 0, "{run:?}");
            // That of another upload is left to it.
            assert_eq!((of_user.exists(), states(broken.home.path()).len()), (false, 1));
        } else {
            assert!(run.complaint(1).contains("found it changed"));
            assert!(of_user.exists());
        }
    }
}

#[test]
fn state_of_another_process_is_left_to_it() {
    // While this one uploads, another one, perhaps of another user, puts its own state at the same place.
    for (patched, code, mode) in [
        ("201 Created\r\nUpload-Complete: ?1", 0, 0o600),
        ("507 Insufficient Storage", 1, 0o600),
        // As little its own as that of another user.
        ("201 Created\r\nUpload-Complete: ?1", 0, 0o666),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (path, content) = file(&home, "f", 10);
        let folder = home.path().to_owned();
        let (address, _requests) = answering(move |method| match method {
            "OPTIONS" => "200 OK\r\nUpload-Limit: max-age=60",
            "POST" => "201 Created\r\nLocation: /uploads/1",
            _ => {
                let state = &states(&folder)[0];
                let text = fs::read_to_string(state).unwrap();
                fs::write(state, text.replace("/uploads/1", "/uploads/2")).unwrap();
                fs::set_permissions(state, fs::Permissions::from_mode(mode)).unwrap();
                patched
            }
        });
        let url = format!("http://{address}/files/f");
        let run = Run::of(upload(home.path()).arg(&path).arg(&url));
        assert_eq!(run.code, code, "{run:?}");
        let text = fs::read_to_string(&states(home.path())[0]).unwrap();
        assert!(text.contains("/uploads/2"), "{text}");
        assert!(!run.err.contains("--resume goes on with it"), "{run:?}");
        assert!(code != 0 || run.out.starts_with(&sha256(&content)), "{run:?}");
    }
}
