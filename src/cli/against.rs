//! `explain --against`: where the canonical request of another side first differs.

use std::{
    fmt,
    io::{self, Read},
};

use serde::Serialize;

use super::{input::Input, json, visible::Bytes};

/// How much longer than ours another canonical request is read. The first difference lies in what
/// is as long as ours; the rest is there to show its line to the end.
const MARGIN: u64 = 64 * 1024;

/// Another canonical request, held against ours.
#[derive(Serialize)]
pub(crate) struct Comparison<'a> {
    file: &'a Input,
    equal: bool,
    #[serde(flatten)]
    difference: Option<Difference>,
}

/// The first line that differs. `None` is a line that is not there.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    /// Counted from 1.
    line: usize,
    /// How many bytes of the line are alike.
    byte: usize,
    part: &'static str,
    #[serde(serialize_with = "json::optional_text")]
    ours: Option<Vec<u8>>,
    #[serde(serialize_with = "json::optional_text")]
    theirs: Option<Vec<u8>>,
}

impl<'a> Comparison<'a> {
    /// Reads the canonical request in `file` and holds it against `ours`.
    pub(crate) fn new(file: &'a Input, ours: &[u8]) -> io::Result<Self> {
        let mut theirs = Vec::new();
        file.open()?.reader.take(ours.len() as u64 + MARGIN).read_to_end(&mut theirs)?;
        let difference = Difference::first(ours, &theirs);
        Ok(Self { file, equal: difference.is_none(), difference })
    }

    pub(crate) fn is_equal(&self) -> bool {
        self.equal
    }
}

impl Difference {
    fn first(ours: &[u8], theirs: &[u8]) -> Option<Self> {
        let (mut our_lines, mut their_lines) = (lines(ours), lines(theirs));
        for line in 1.. {
            match (our_lines.next(), their_lines.next()) {
                (None, None) => break,
                (ours, theirs) if ours == theirs => {}
                (our_line, their_line) => {
                    return Some(Self {
                        line,
                        byte: alike(our_line.unwrap_or_default(), their_line.unwrap_or_default()),
                        part: part(line, lines(ours).count()),
                        ours: our_line.map(<[u8]>::to_vec),
                        theirs: their_line.map(<[u8]>::to_vec),
                    });
                }
            }
        }
        None
    }
}

/// Lines with their line ends, which are compared too.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
}

fn alike(ours: &[u8], theirs: &[u8]) -> usize {
    ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count()
}

/// What a line of a canonical request that has `all` lines is called (protocol section 2).
fn part(line: usize, all: usize) -> &'static str {
    match line {
        1 => "method",
        2 => "CanonicalURI",
        3 => "CanonicalQuery",
        _ if line < all => "CanonicalHeaders",
        _ if line == all => "payload hash",
        _ => "after the payload hash",
    }
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "against {}:", self.file)?;
        let Some(Difference { line, byte, part, ours, theirs }) = &self.difference else {
            return writeln!(f, "  equal");
        };
        writeln!(f, "  line {line} ({part}) differs from its byte {byte} on")?;
        write_line(f, "ours:  ", ours.as_deref())?;
        write_line(f, "theirs:", theirs.as_deref())
    }
}

fn write_line(f: &mut fmt::Formatter<'_>, whose: &str, line: Option<&[u8]>) -> fmt::Result {
    match line {
        Some(line) => writeln!(f, "  {whose} {}", Bytes(line)),
        None => writeln!(f, "  {whose} (no such line)"),
    }
}

#[cfg(test)]
mod tests {
    use super::Difference;

    const OURS: &[u8] = b"GET\n/a\n\nhost:h\n\n00";

    fn first(theirs: &[u8]) -> Option<(usize, usize, &'static str)> {
        Difference::first(OURS, theirs).map(|found| (found.line, found.byte, found.part))
    }

    #[test]
    fn equal_texts_do_not_differ() {
        assert_eq!(first(OURS), None);
    }

    #[test]
    fn first_line_that_differs_is_named() {
        assert_eq!(first(b"get\n/b\n\nhost:h\n\n00"), Some((1, 0, "method")));
        assert_eq!(first(b"GET\n/b\n\nhost:h\n\n00"), Some((2, 1, "CanonicalURI")));
        assert_eq!(first(b"GET\n/a\nq=\nhost:h\n\n00"), Some((3, 0, "CanonicalQuery")));
        assert_eq!(first(b"GET\n/a\n\nhost:h\nx:y\n\n00"), Some((5, 0, "CanonicalHeaders")));
        assert_eq!(first(b"GET\n/a\n\nhost:h\n\n01"), Some((6, 1, "payload hash")));
    }

    #[test]
    fn line_ends_count() {
        assert_eq!(first(b"GET\r\n/a\r\n\r\nhost:h\r\n\r\n00"), Some((1, 3, "method")));
        assert_eq!(first(b"GET\n/a\n\nhost:h\n\n00\n"), Some((6, 2, "payload hash")));
        assert_eq!(first(b"GET\n/a\n\nhost:h\n\n00\n\n"), Some((6, 2, "payload hash")));
    }

    #[test]
    fn line_that_one_side_lacks_is_none() {
        let shorter = Difference::first(OURS, b"GET\n/a\n").unwrap();
        assert_eq!((shorter.line, shorter.ours, shorter.theirs), (3, Some(b"\n".to_vec()), None));
        let longer = Difference::first(b"GET\n", b"GET\n/").unwrap();
        assert_eq!((longer.line, longer.ours, longer.theirs), (2, None, Some(b"/".to_vec())));
        assert_eq!(first(b""), Some((1, 0, "method")));
    }
}
