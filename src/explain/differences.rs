//! The lines in which two canonical requests differ.

use std::{collections::HashMap, fmt};

/// A line in which two canonical requests differ. `None` is a line that is not there.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The number of the line in ours, or in theirs if ours has none; counted from 1.
    pub line: usize,
    /// The number of bytes at the start of the line that are alike.
    pub byte: usize,
    /// The part of the canonical request (protocol section 2), such as `CanonicalHeaders`.
    pub part: &'static str,
    /// Our line with its line end.
    pub ours: Option<Vec<u8>>,
    /// Their line with its line end.
    pub theirs: Option<Vec<u8>>,
    /// The line end, `LF` or `CRLF`, after their payload hash; a canonical request has none there.
    pub line_end: Option<&'static str>,
}

/// A line of a canonical request with its line end, which is compared too.
type Line<'a> = &'a [u8];

/// The names of the first lines (protocol section 2).
pub(super) const FIRST: [&str; 3] = ["method", "CanonicalURI", "CanonicalQuery"];

/// The name of the lines between them and the payload hash.
pub(super) const FIELDS: &str = "CanonicalHeaders";

/// The name of the last line.
pub(super) const PAYLOAD_HASH: &str = "payload hash";

/// The lines of a canonical request (protocol section 2).
struct Parts<'a> {
    first: &'a [Line<'a>],
    fields: &'a [Line<'a>],
    /// The line that ends the fields.
    empty: Option<&'a Line<'a>>,
    payload_hash: Option<&'a Line<'a>>,
    more: &'a [Line<'a>],
}

/// The numbers of the lines behind the fields, counted from 0.
struct End {
    empty: usize,
    hash: usize,
}

impl<'a> Parts<'a> {
    fn of(lines: &'a [Line<'a>]) -> Self {
        let (first, rest) = lines.split_at(lines.len().min(FIRST.len()));
        let (fields, last) = rest.split_at(rest.iter().position(is_empty).unwrap_or(rest.len()));
        if let [empty, last @ ..] = last {
            let (payload_hash, more) = last.split_first().unzip();
            let more = more.unwrap_or_default();
            return Self { first, fields, empty: Some(empty), payload_hash, more };
        }
        // Without the empty line the hash follows the fields: it has no colon.
        match fields.split_last() {
            Some((payload_hash, fields)) if !payload_hash.contains(&b':') => {
                Self { first, fields, empty: None, payload_hash: Some(payload_hash), more: &[] }
            }
            _ => Self { first, fields, empty: None, payload_hash: None, more: &[] },
        }
    }

    /// Where the lines behind the fields are.
    fn end(&self) -> End {
        let empty = FIRST.len() + self.fields.len();
        End { empty, hash: empty + usize::from(self.empty.is_some()) }
    }

    /// The line end at the end of the text; a canonical request has none there.
    fn line_end(&self) -> Option<&'static str> {
        let payload_hash = self.payload_hash.filter(|_| self.more.iter().all(is_empty))?;
        match **payload_hash {
            [.., b'\r', b'\n'] => Some("CRLF"),
            [.., b'\n'] => Some("LF"),
            _ => None,
        }
    }
}

fn is_empty(line: &Line<'_>) -> bool {
    matches!(*line, b"\n" | b"\r\n")
}

/// All lines in which `theirs` differs from `ours`, in their order; none if the texts are equal.
///
/// Fields are held against those of the same name, so that one more or less does not make all others
/// differ.
///
/// ```
/// use framesign::explain::differences;
///
/// let found = differences(b"GET\n/a\n\nhost:h\n\n00", b"GET\n/b\n\nhost:h\n\n00");
/// assert_eq!((found[0].line, found[0].byte, found[0].part), (2, 1, "CanonicalURI"));
/// ```
#[must_use]
pub fn differences(ours: &[u8], theirs: &[u8]) -> Vec<Difference> {
    let [ours, theirs] = [ours, theirs].map(lines);
    let [ours, theirs] = [&ours, &theirs].map(|lines| Parts::of(lines));
    let mut found = Vec::new();
    for (at, part) in FIRST.into_iter().enumerate() {
        found.extend(Difference::of(at, part, ours.first.get(at), theirs.first.get(at)));
    }
    for pair in paired(ours.fields, theirs.fields) {
        found.extend(Difference::of(FIRST.len() + pair.at, FIELDS, pair.ours, pair.theirs));
    }
    let (our_end, their_end) = (ours.end(), theirs.end());
    let at = if ours.empty.is_some() { our_end.empty } else { their_end.empty };
    found.extend(Difference::of(at, FIELDS, ours.empty, theirs.empty));
    let at = if ours.payload_hash.is_some() { our_end.hash } else { their_end.hash };
    let hash = Difference::of(at, PAYLOAD_HASH, ours.payload_hash, theirs.payload_hash);
    found.extend(hash.map(|hash| Difference { line_end: theirs.line_end(), ..hash }));
    for number in 0..ours.more.len().max(theirs.more.len()) {
        let (our, their) = (ours.more.get(number), theirs.more.get(number));
        let at = 1 + number + if our.is_some() { our_end.hash } else { their_end.hash };
        found.extend(Difference::of(at, "after the payload hash", our, their));
    }
    found
}

fn lines(text: &[u8]) -> Vec<Line<'_>> {
    text.split_inclusive(|&byte| byte == b'\n').collect()
}

/// Fields of one name, or a field that one side lacks.
struct Pair<'a> {
    /// The number of the line in ours, or in theirs if ours has none; counted from 0.
    at: usize,
    ours: Option<&'a Line<'a>>,
    theirs: Option<&'a Line<'a>>,
}

/// Goes through both lists side by side. Where the names differ, the one that comes later in the
/// other list waits for it; if neither or both do, they are held against each other.
fn paired<'a>(ours: &'a [Line<'a>], theirs: &'a [Line<'a>]) -> Vec<Pair<'a>> {
    let [our_names, their_names] = [ours, theirs].map(names);
    // Looked up once for each line: a name can be long.
    let last_in_theirs = last_of_each(&our_names, &their_names);
    let last_in_ours = last_of_each(&their_names, &our_names);
    let (mut our_at, mut their_at) = (0, 0);
    let mut pairs = Vec::new();
    loop {
        let (our, their) = (ours.get(our_at), theirs.get(their_at));
        let is_later = |last: &[Option<usize>], at: usize, other_at: usize| {
            last.get(at).copied().flatten().is_some_and(|last| last > other_at)
        };
        let (our_waits, their_waits) = match (our, their) {
            (None, None) => return pairs,
            (Some(_), Some(_)) if our_names.get(our_at) == their_names.get(their_at) => {
                (false, false)
            }
            _ => {
                let our_waits = is_later(&last_in_theirs, our_at, their_at);
                let their_waits = is_later(&last_in_ours, their_at, our_at);
                (our_waits && !their_waits, their_waits && !our_waits)
            }
        };
        let (our, their) = (our.filter(|_| !our_waits), their.filter(|_| !their_waits));
        let at = if our.is_some() { our_at } else { their_at };
        our_at += usize::from(our.is_some());
        their_at += usize::from(their.is_some());
        pairs.push(Pair { at, ours: our, theirs: their });
    }
}

fn names<'a>(fields: &'a [Line<'a>]) -> Vec<&'a [u8]> {
    fields.iter().map(|line| name(line)).collect()
}

/// The last place in `there` of each name in `names`.
fn last_of_each(names: &[&[u8]], there: &[&[u8]]) -> Vec<Option<usize>> {
    let last: HashMap<_, _> = there.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    names.iter().map(|name| last.get(name).copied()).collect()
}

fn name(line: &[u8]) -> &[u8] {
    line.split(|&byte| byte == b':').next().unwrap_or_default()
}

impl Difference {
    /// Holds two lines against each other, of which ours is number `at`, counted from 0.
    fn of(
        at: usize,
        part: &'static str,
        ours: Option<&Line<'_>>,
        theirs: Option<&Line<'_>>,
    ) -> Option<Self> {
        if ours == theirs {
            return None;
        }
        let [ours, theirs] = [ours, theirs].map(|line| line.map(|line| line.to_vec()));
        let byte =
            alike(ours.as_deref().unwrap_or_default(), theirs.as_deref().unwrap_or_default());
        Some(Self { line: at + 1, byte, part, ours, theirs, line_end: None })
    }
}

fn alike(ours: &[u8], theirs: &[u8]) -> usize {
    ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count()
}

impl fmt::Debug for Difference {
    /// Without the lines, which can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Difference")
            .field("line", &self.line)
            .field("byte", &self.byte)
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::differences;

    const OURS: &[u8] = b"GET\n/a\n\na:1\nhost:h\nz:9\n\n00";

    /// Line, byte and part of each difference.
    fn places(theirs: &[u8]) -> Vec<(usize, usize, &'static str)> {
        let found = differences(OURS, theirs);
        found.iter().map(|found| (found.line, found.byte, found.part)).collect()
    }

    /// Ours and theirs of each difference; `-` is no line.
    fn texts(theirs: &[u8]) -> Vec<(String, String)> {
        let shown = |line: Option<Vec<u8>>| {
            line.map_or("-".to_owned(), |line| line.escape_ascii().to_string())
        };
        let found = differences(OURS, theirs).into_iter();
        found.map(|found| (shown(found.ours), shown(found.theirs))).collect()
    }

    fn pair(ours: &str, theirs: &str) -> (String, String) {
        (ours.to_owned(), theirs.to_owned())
    }

    #[test]
    fn equal_texts_do_not_differ() {
        assert_eq!(places(OURS), []);
    }

    #[test]
    fn every_line_that_differs_is_named() {
        let (head, hash) = ("CanonicalHeaders", "payload hash");
        assert_eq!(places(b"get\n/a\n\na:1\nhost:h\nz:9\n\n00"), [(1, 0, "method")]);
        assert_eq!(places(b"GET\n/b\n\na:1\nhost:h\nz:9\n\n00"), [(2, 1, "CanonicalURI")]);
        assert_eq!(places(b"GET\n/a\nq=\na:1\nhost:h\nz:9\n\n00"), [(3, 0, "CanonicalQuery")]);
        assert_eq!(places(b"GET\n/a\n\na:1\nhost:h\nz:8\n\n01"), [(6, 2, head), (8, 1, hash)]);
        let all = places(b"get\n/b\nq=\na:2\nhost:i\nz:8\n\n01");
        let lines: Vec<_> = all.iter().map(|(line, ..)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6, 8]);
    }

    #[test]
    fn a_field_that_one_side_lacks_leaves_the_others_alone() {
        let more = b"GET\n/a\n\na:1\nb:2\nc:3\nhost:h\nz:9\n\n00";
        assert_eq!(texts(more), [pair("-", "b:2\\n"), pair("-", "c:3\\n")]);
        assert_eq!(places(more), [(5, 0, "CanonicalHeaders"), (6, 0, "CanonicalHeaders")]);
        let less = b"GET\n/a\n\nz:8\n\n00";
        let expected = [pair("a:1\\n", "-"), pair("host:h\\n", "-"), pair("z:9\\n", "z:8\\n")];
        assert_eq!(texts(less), expected);
        assert_eq!(texts(b"GET\n/a\n\n\n00").len(), 3);
    }

    #[test]
    fn a_field_of_another_name_is_held_against_the_one_in_its_place() {
        let theirs = b"GET\n/a\n\na:1\nHost:h\nz:9\n\n00";
        assert_eq!(texts(theirs), [pair("host:h\\n", "Host:h\\n")]);
    }

    #[test]
    fn fields_in_another_order_and_on_several_lines_differ() {
        let theirs = b"GET\n/a\n\nhost:h\na:1\nz:9\n\n00";
        assert_eq!(texts(theirs), [pair("a:1\\n", "host:h\\n"), pair("host:h\\n", "a:1\\n")]);
        let theirs = b"GET\n/a\n\na:1\na:1\nhost:h\nz:9\n\n00";
        assert_eq!(texts(theirs), [pair("-", "a:1\\n")]);
        let theirs = b"GET\n/a\n\nz:9\na:1\nhost:h\n\n00";
        assert!(!texts(theirs).is_empty());
    }

    #[test]
    fn a_line_end_at_the_end_is_named() {
        let named = |end: &[u8]| {
            let found = differences(OURS, &[OURS, end].concat());
            assert_eq!((found[0].line, found[0].byte, found[0].part), (8, 2, "payload hash"));
            (found[0].line_end, found.len())
        };
        assert_eq!(named(b"\n"), (Some("LF"), 1));
        assert_eq!(named(b"\r\n"), (Some("CRLF"), 1));
        assert_eq!(named(b"\n\n"), (Some("LF"), 2));
        assert_eq!(named(b"\nmore"), (None, 2));
        assert_eq!(named(b" "), (None, 1));
        // Also of a hash that differs.
        let found = differences(OURS, b"GET\n/a\n\na:1\nhost:h\nz:9\n\n01\n");
        assert_eq!((found[0].byte, found[0].line_end), (1, Some("LF")));
    }

    #[test]
    fn line_ends_of_another_kind_count() {
        let theirs = String::from_utf8_lossy(OURS).replace('\n', "\r\n");
        assert_eq!(places(theirs.as_bytes()).len(), 7);
    }

    #[test]
    fn a_missing_empty_line_is_seen_as_that() {
        let theirs = b"GET\n/a\n\na:1\nhost:h\nz:9\n00";
        assert_eq!(texts(theirs), [pair("\\n", "-")]);
        assert_eq!(places(theirs), [(7, 0, "CanonicalHeaders")]);
    }

    #[test]
    fn texts_that_end_early_lack_their_lines() {
        assert_eq!(texts(b"").len(), 8);
        assert_eq!(texts(b"GET\n")[0], pair("/a\\n", "-"));
        let longer = differences(b"GET\n", b"GET\n/");
        assert_eq!((longer.len(), longer[0].line, longer[0].ours.clone()), (1, 2, None));
    }

    #[test]
    fn lines_after_the_payload_hash_have_their_numbers() {
        let after = "after the payload hash";
        let found = places(&[OURS, b"\nmore\nlast"].concat());
        assert_eq!(found, [(8, 2, "payload hash"), (9, 0, after), (10, 0, after)]);
    }

    #[test]
    fn lines_of_one_name_are_held_against_each_other_in_order() {
        let theirs = b"GET\n/a\n\na:1\na:2\nhost:h\nz:9\n\n00";
        assert_eq!(texts(theirs), [pair("-", "a:2\\n")]);
    }

    #[test]
    fn the_last_line_of_a_text_that_ends_in_a_field_is_no_payload_hash() {
        let found = texts(b"GET\n/a\n\na:1\nhost:h\nz:9");
        assert_eq!(found, [pair("z:9\\n", "z:9"), pair("\\n", "-"), pair("00", "-")]);
    }

    #[test]
    fn lines_that_ours_lacks_have_their_number_in_theirs() {
        let found = places(b"GET\n/a\n\nhost:h\nz:9\n\n00\nmore");
        assert_eq!(found.last(), Some(&(8, 0, "after the payload hash")));
        let found = differences(b"GET\n/a\n\n", OURS);
        let lines: Vec<_> = found.iter().map(|found| found.line).collect();
        assert_eq!(lines, [4, 5, 6, 7, 8]);
    }

    #[test]
    fn lines_that_theirs_lacks_after_the_payload_hash_differ() {
        let [ours, theirs] = [&b"\nmore"[..], b"\n"].map(|end| [OURS, end].concat());
        assert_eq!(differences(&ours, &theirs).len(), 1);
    }
}
