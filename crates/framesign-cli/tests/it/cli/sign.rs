//! `framesign sign`: which signatures are printed, and how.

use std::fs::File;

use framesign::{Credentials, Reading, SigningDate, SigningKey};

use super::{Folder, Run, SIGNATURE_1, SIGNATURE_2, bare, example, framesign, long_frame};
use crate::{
    published::Vector,
    stages::{ACCESS_KEY, SECRET_KEY, key, string_to_sign},
};

#[test]
fn examples_of_the_protocol_are_signed() {
    let signatures = [
        SIGNATURE_1,
        SIGNATURE_2,
        "b73c62f23924c051464a4342ed26389c9e68182a8601c701820c5155d4acbb22",
    ];
    for (number, signature) in (1..).zip(signatures) {
        let run = Run::of(framesign("sign").arg(example(number)));
        assert_eq!(run.done(), format!("{signature}\n"));
    }
}

#[test]
fn published_vectors_are_signed_or_refused() {
    for reading in [Reading::Lenient, Reading::Strict] {
        let vectors = Vector::all();
        let mut command = framesign("sign");
        command.arg("--json").args(vectors.iter().map(|vector| vector.folder.join("frame.http")));
        if reading == Reading::Strict {
            command.arg("--strict");
        }
        let run = Run::of(&mut command);
        assert_eq!(run.code, 1);
        assert_eq!(run.out.lines().count(), vectors.len());
        for (vector, line) in vectors.iter().zip(run.out.lines()) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let found = |path| line.pointer(path).and_then(|value| value.as_str().map(Into::into));
            let expected = |what| vector.expected_line(reading, what);
            let name = &vector.name;
            assert_eq!(found("/signature"), expected("signature"), "{name}");
            assert_eq!(found("/string_to_sign"), expected("string-to-sign"), "{name}");
            assert_eq!(found("/error/kind"), expected("error"), "{name}");
        }
    }
}

#[test]
fn frame_without_a_file_is_standard_input() {
    let frame = std::fs::read(crate::support::repository().join(example(2))).unwrap();
    for arguments in [&[][..], &["-"]] {
        let run = Run::with_stdin(framesign("sign").args(arguments), &frame);
        assert_eq!(run.done(), format!("{SIGNATURE_2}\n"));
    }
}

#[test]
fn several_files_are_a_line_each() {
    let frame = std::fs::read(crate::support::repository().join(example(2))).unwrap();
    let files = [example(1), "-".into(), example(2)];
    let run = Run::with_stdin(framesign("sign").args(&files), &frame);
    let lines = [
        format!("{SIGNATURE_1}  {}\n", files[0]),
        format!("{SIGNATURE_2}  -\n"),
        format!("{SIGNATURE_2}  {}\n", files[2]),
    ];
    assert_eq!(run.done(), lines.concat());
}

#[test]
fn long_frame_is_signed_however_it_comes() {
    let folder = Folder::new("long-frame");
    // Beyond what is read without a thread, and no multiple of a buffer.
    let frame = long_frame(5_000_001);
    let signature = key().sign(&string_to_sign(&framesign::Rules::strict(), [&frame[..]]).unwrap());
    let file = folder.file("long.http", &frame);
    let expected = format!("{signature}\n");
    assert_eq!(Run::of(framesign("sign").arg(&file)).done(), expected);
    assert_eq!(Run::with_stdin(&mut framesign("sign"), &frame).done(), expected);
    let redirected = framesign("sign").stdin(File::open(file).unwrap()).output().unwrap();
    assert_eq!(Run::from(redirected).done(), expected);
}

#[test]
fn date_is_today_unless_given() {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    let frame = std::fs::read(crate::support::repository().join(example(1))).unwrap();
    let string_to_sign = string_to_sign(&framesign::Rules::lenient(), [&frame[..]]).unwrap();
    let of_today = || {
        let key = SigningKey::derive(&credentials, SigningDate::today());
        format!("{}\n", key.sign(&string_to_sign))
    };
    let before = of_today();
    let run = Run::of(
        bare()
            .env("FRAMESIGN_ACCESS_KEY", ACCESS_KEY)
            .env("FRAMESIGN_SECRET_KEY", SECRET_KEY)
            .args(["sign", &example(1)]),
    );
    // Midnight may have passed.
    assert!([before, of_today()].contains(&run.done().to_owned()));
}
