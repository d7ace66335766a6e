//! Where the keys come from. That the secret key is nowhere in any output, [`Run`] asserts.

use std::process::Command;

use super::{Folder, Run, SIGNATURE_1, bare, example};
use crate::stages::{ACCESS_KEY, DATE, SECRET_KEY};

/// Signs example 1 without any key.
fn sign() -> Command {
    let mut command = bare();
    command.args(["sign", "--date", DATE, &example(1)]);
    command
}

fn complaint(command: &mut Command) -> String {
    Run::of(command).complaint(2).to_owned()
}

#[test]
fn argument_wins_over_the_environment() {
    let mut command = sign();
    command.args(["--access-key", ACCESS_KEY]);
    command.env("FRAMESIGN_ACCESS_KEY", "another").env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    assert_eq!(Run::of(&mut command).done(), format!("{SIGNATURE_1}\n"));
}

#[test]
fn secret_key_comes_from_a_file_less_one_line_end() {
    let folder = Folder::new("secret");
    for end in ["", "\n", "\r\n"] {
        let file = folder.file("secret", format!("{SECRET_KEY}{end}").as_bytes());
        let mut command = sign();
        command.args(["--access-key", ACCESS_KEY]).arg("--secret-key-file").arg(file);
        assert_eq!(Run::of(&mut command).done(), format!("{SIGNATURE_1}\n"));
        // Even beside another one in the environment.
        command.env("FRAMESIGN_SECRET_KEY", "another");
        assert_eq!(Run::of(&mut command).done(), format!("{SIGNATURE_1}\n"));
    }
    for end in ["\n\n", " ", "\r"] {
        let file = folder.file("secret", format!("{SECRET_KEY}{end}").as_bytes());
        let mut command = sign();
        command.args(["--access-key", ACCESS_KEY]).arg("--secret-key-file").arg(file);
        assert_ne!(Run::of(&mut command).done(), format!("{SIGNATURE_1}\n"));
    }
}

#[test]
fn missing_keys_are_named() {
    assert_eq!(
        complaint(sign().env("FRAMESIGN_SECRET_KEY", SECRET_KEY)),
        "expected the access key in --access-key or FRAMESIGN_ACCESS_KEY, found none"
    );
    assert_eq!(
        complaint(sign().env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY)),
        "expected the secret key in FRAMESIGN_SECRET_KEY or --secret-key-file, found none"
    );
}

#[test]
fn empty_keys_are_refused() {
    let secret =
        complaint(sign().env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).env("FRAMESIGN_SECRET_KEY", ""));
    assert_eq!(secret, "expected a secret key, found an empty one");
    let access = "expected an access key, found an empty one";
    let mut command = sign();
    command.env("FRAMESIGN_SECRET_KEY", SECRET_KEY);
    assert_eq!(complaint(command.env("FRAMESIGN_ACCESS_KEY", "")), access);
    assert_eq!(complaint(command.arg("--access-key=")), access);
}

#[test]
fn secret_key_file_that_cannot_be_used_is_named() {
    let folder = Folder::new("bad-secret");
    let large = vec![b'a'; 64 * 1024 + 1];
    let cases: [(&[u8], &str); 4] = [
        (b"", "expected a secret key, found an empty one"),
        (b"a\0b", "expected a secret key without NUL, found one with it"),
        (b"a\xE9", "expected a secret key in UTF-8, found other bytes"),
        (&large, "expected a file of at most 65536 bytes, found a longer one"),
    ];
    let command = |file: &std::path::Path| {
        let mut command = sign();
        command.env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY).arg("--secret-key-file").arg(file);
        command
    };
    for (bytes, expected) in cases {
        let file = folder.file("secret", bytes);
        let complaint = complaint(&mut command(&file));
        assert_eq!(complaint, format!("{}: {expected}", file.display()));
    }
    let missing = folder.0.join("missing");
    let complaint = complaint(&mut command(&missing));
    assert!(complaint.starts_with(missing.to_str().unwrap()), "{complaint}");
}

/// Arguments are public: there is no option that takes the secret key, whatever is guessed.
#[test]
fn secret_key_is_no_argument() {
    for guess in ["--secret-key", "--secret"] {
        complaint(sign().args([guess, SECRET_KEY]));
        complaint(sign().arg(format!("{guess}={SECRET_KEY}")));
    }
}

#[cfg(unix)]
#[test]
fn keys_that_are_not_utf_8_are_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let bytes = OsStr::from_bytes(b"key\xE9");
    let complaint_of = |access: &OsStr, secret: &OsStr| {
        let mut command = sign();
        complaint(command.env("FRAMESIGN_ACCESS_KEY", access).env("FRAMESIGN_SECRET_KEY", secret))
    };
    let secret = complaint_of(ACCESS_KEY.as_ref(), bytes);
    assert_eq!(secret, "FRAMESIGN_SECRET_KEY: expected a secret key in UTF-8, found other bytes");
    let access = complaint_of(bytes, SECRET_KEY.as_ref());
    assert!(access.contains("UTF-8"), "{access}");
}
