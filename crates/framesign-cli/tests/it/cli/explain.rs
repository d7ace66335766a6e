//! `framesign explain`: the stages, with line ends visible.

use framesign::Reading;

use super::{Run, example, framesign, long_frame};
use crate::published::Vector;

#[test]
fn stages_of_an_example_are_shown() {
    let expected = r"canonical request:
  POST\n
  /resource//posts\n
  1234=4321&example=all%20please&test=2%2C1\n
  choice:C,A,B\n
  content-length:25\n
  host:test.com\n
  \n
  43ee763040973ca602549c94c5357a41c280afbb54e48d436af88f4e40d73081
string to sign:
  28fe39b38e2590cbc242dd417f604ca4a6fe91fd9572d8f47520efedd49670e0
signature:
  18e53de99fb8cf5824fc879336a12927dcf7f6d7c42607f87a02a13f690134b1
";
    assert_eq!(Run::of(framesign("explain").arg(example(2))).done(), expected);
}

/// The bytes that were escaped.
fn unescape(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next().unwrap() {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'\\' => b'\\',
                b'x' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => panic!("unknown escape {other}"),
            },
            byte => byte,
        });
    }
    bytes
}

/// The lines of the section under `title`, put together again.
fn section(text: &str, title: &str) -> Vec<u8> {
    let lines = text.lines().skip_while(|line| *line != title).skip(1);
    lines.map_while(|line| line.strip_prefix("  ")).flat_map(unescape).collect()
}

#[test]
fn stages_of_published_vectors_are_shown_without_loss() {
    let mut shown = 0;
    for reading in [Reading::Lenient, Reading::Strict] {
        for vector in Vector::all().into_iter().filter(|vector| !vector.looks_signed()) {
            let Some(request) = vector.expected(reading, "canonical-request") else { continue };
            let mut command = framesign("explain");
            if reading == Reading::Strict {
                command.arg("--strict");
            }
            let run = Run::of(command.arg(vector.folder.join("frame.http")));
            let text = run.done();
            assert!(text.chars().all(|c| c == '\n' || matches!(c, ' '..='~')), "{text}");
            assert_eq!(section(text, "canonical request:"), request, "{}", vector.name);
            for (title, what) in
                [("string to sign:", "string-to-sign"), ("signature:", "signature")]
            {
                let expected = vector.expected_line(reading, what).unwrap();
                assert_eq!(section(text, title), expected.as_bytes(), "{}", vector.name);
            }
            shown += 1;
        }
    }
    assert!(shown > 100, "only {shown}");
}

#[test]
fn long_frame_is_explained() {
    let run = Run::with_stdin(&mut framesign("explain"), &long_frame(3_000_000));
    let request = section(run.done(), "canonical request:");
    let expected = b"PUT\n/up\n\ncontent-length:3000000\nhost:test.com\n\n";
    assert_eq!(request[..expected.len()], expected[..]);
    assert_eq!(request.len(), expected.len() + 64);
}
