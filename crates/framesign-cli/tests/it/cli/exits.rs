//! Exit codes, and the line on standard error that goes with them.

use super::{BAD_FRAME, Folder, Run, SIGNATURE_1, bare, example, framesign};

#[test]
fn refused_frame_is_1() {
    let folder = Folder::new("refused");
    let bad = folder.file("bad.http", BAD_FRAME);
    let run = Run::of(framesign("sign").arg(&bad));
    let complaint = run.complaint(1);
    let expected = format!("{}: method: expected ", bad.display());
    assert!(complaint.starts_with(&expected), "{complaint}");
    assert!(complaint.ends_with("found `BREW` at byte 0"), "{complaint}");
    assert_eq!(Run::of(framesign("explain").arg(&bad)).complaint(1), complaint);
}

#[test]
fn missing_file_is_3() {
    for subcommand in ["sign", "explain"] {
        let run = Run::of(framesign(subcommand).arg("no/such/file"));
        assert!(run.complaint(3).starts_with("no/such/file: "), "{run:?}");
        let run = Run::of(framesign(subcommand).arg(crate::support::repository()));
        assert!(
            run.complaint(3).starts_with(crate::support::repository().to_str().unwrap()),
            "{run:?}"
        );
    }
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &["sing"][..],
        &["sign", "--no-such-option"],
        &["sign", "--date", "20230229"],
        &["sign", "--date", "2023-08-01"],
        &["explain", "one", "two"],
        &["completions", "no-such-shell"],
        &["completions"],
        &["man", "no-such-command"],
    ] {
        let run = Run::of(bare().args(arguments));
        assert!(!run.complaint(2).is_empty(), "{arguments:?}");
    }
    let run = Run::of(&mut bare());
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("Usage: framesign"), "{run:?}");
}

#[test]
fn other_files_are_signed_after_one_that_is_not() {
    let folder = Folder::new("others");
    let bad = folder.file("bad.http", BAD_FRAME);
    let signed = format!("{SIGNATURE_1}  {}\n", example(1));

    let run = Run::of(framesign("sign").arg(&bad).arg(example(1)));
    assert_eq!((run.code, &run.out), (1, &signed));
    assert_eq!(run.err.lines().count(), 1);

    let run = Run::of(framesign("sign").arg("no/such/file").arg(&bad).arg(example(1)));
    assert_eq!((run.code, &run.out), (3, &signed));
    assert_eq!(run.err.lines().count(), 2);
}

#[test]
fn error_about_a_file_with_a_strange_name_is_one_line() {
    let run = Run::of(framesign("sign").arg("no\nsuch\u{1b}[2Jfile\u{e9}"));
    assert!(run.complaint(3).starts_with("no\\nsuch\\u{1b}[2Jfile\u{e9}: "), "{run:?}");
}

#[cfg(unix)]
#[test]
fn file_whose_name_is_not_utf_8_is_signed() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = Folder::new("not-utf-8");
    let name = OsStr::from_bytes(b"a\xE9\n.http");
    let file =
        folder.file(name, &std::fs::read(crate::support::repository().join(example(1))).unwrap());
    let run = Run::of(framesign("sign").args([&file, &file]));
    assert!(run.done().lines().all(|line| line.ends_with("/a\\xe9\\n.http")), "{run:?}");
    assert_eq!(run.out.lines().count(), 2);
    let run = Run::of(framesign("sign").arg("--json").arg(&file));
    let line: serde_json::Value = serde_json::from_str(run.done()).unwrap();
    assert!(line["file"].as_str().unwrap().ends_with("/a\\xe9\n.http"), "{line}");
}
