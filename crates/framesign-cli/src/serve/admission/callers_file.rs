//! The file of callers, in TOML.
//!
//! ```toml
//! # A caller with its tokens, who may do what every caller may.
//! uploads = ["token", "older token"]
//!
//! # A caller who may do less.
//! [reports]
//! tokens = ["token"]
//! rights = ["sign"]
//! access_keys = ["AKIAIOSFODNN7EXAMPLE"]
//! methods = ["GET"]
//! hosts = ["reports.example.org"]
//! path_prefixes = ["/reports"]
//! rate = 50
//! burst = 100
//! ```

use std::{collections::HashSet, fmt, num::NonZeroU32, sync::Arc};

use toml_span::{
    Span, Value,
    value::{Table, ValueInner},
};
use zeroize::Zeroizing;

use crate::serve::admission::{
    caller_rate::Rate,
    path_prefix::PathPrefix,
    permissions::{Permissions, Right},
};

/// The least bytes of a token, as of a secret.
const MIN: usize = 16;

/// A caller of the file.
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) tokens: Vec<Zeroizing<String>>,
    pub(crate) permissions: Permissions,
    pub(crate) rate: Option<Rate>,
}

/// What is wrong with the file, and in which line. What stands there is not told: it can be a token,
/// even where a name should be.
#[derive(Debug)]
pub(crate) struct Problem {
    expected: String,
    line: Option<usize>,
}

/// A problem, and where it is.
type Placed = (Span, String);

/// Reads the callers.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, Problem> {
    let whole = |expected: &str| Problem { expected: expected.into(), line: None };
    let text = str::from_utf8(bytes).map_err(|_| whole("expected UTF-8"))?;
    let placed = |(span, expected): Placed| Problem {
        expected,
        line: Some(1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()),
    };
    let mut document = toml_span::parse(text)
        .map_err(|error| placed((error.span, "expected TOML, found something else".into())))?;
    let ValueInner::Table(table) = document.take() else {
        return Err(whole("expected a table"));
    };
    let entries =
        table.into_iter().map(|(key, value)| entry(&key.name, key.span, value).map_err(placed));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    if entries.is_empty() { Err(whole("expected a caller, found none")) } else { Ok(entries) }
}

/// A caller: a list of tokens, or a table.
fn entry(name: &str, span: Span, mut value: Value<'_>) -> Result<Entry, Placed> {
    let name = name.into();
    match value.take() {
        ValueInner::Array(tokens) => {
            let (tokens, permissions) = (self::tokens(&tokens)?, Permissions::default());
            Ok(Entry { name, tokens, permissions, rate: None })
        }
        ValueInner::Table(members) => of_members(name, span, members),
        _ => Err((span, "expected a list of tokens, or a table".into())),
    }
}

fn of_members(name: Arc<str>, span: Span, members: Table<'_>) -> Result<Entry, Placed> {
    let mut tokens = None;
    let mut permissions = Permissions::default();
    let (mut rate, mut burst) = (None, None);
    for (key, mut value) in members {
        let list = match (&*key.name, value.take()) {
            (_, ValueInner::Array(list)) => list,
            ("rate", ValueInner::Integer(number)) => {
                rate = Some((key.span, number));
                continue;
            }
            ("burst", ValueInner::Integer(number)) => {
                burst = Some((key.span, number));
                continue;
            }
            ("rate" | "burst", _) => {
                return Err((key.span, "expected a whole number of requests".into()));
            }
            _ => {
                return Err((key.span, "expected a list for each other member of a caller".into()));
            }
        };
        match &*key.name {
            "tokens" => tokens = Some(self::tokens(&list)?),
            "rights" => permissions.rights = parsed(&list, "known rights", right)?,
            "access_keys" => permissions.access_keys = Some(names(&list)?),
            "methods" => permissions.methods = Some(names(&list)?),
            "hosts" => permissions.hosts = Some(names(&list)?.into_iter().collect()),
            "path_prefixes" => {
                let expected = "paths in canonical form without dot segments";
                permissions.path_prefixes = Some(parsed(&list, expected, PathPrefix::new)?);
            }
            _ => return Err((key.span, format!("expected one of {MEMBERS}"))),
        }
    }
    let tokens = tokens.ok_or((span, "expected tokens of a caller, found none".to_owned()))?;
    Ok(Entry { name, tokens, permissions, rate: self::rate(rate, burst)? })
}

const MEMBERS: &str = "tokens, rights, access_keys, methods, hosts, path_prefixes, rate and burst";

/// The requests a second of a caller, and those at once: as many as in a second unless given.
fn rate(rate: Option<(Span, i64)>, burst: Option<(Span, i64)>) -> Result<Option<Rate>, Placed> {
    let number = |(span, number): (Span, i64)| {
        let number = u32::try_from(number).ok().filter(|number| *number <= Rate::MAX);
        number.and_then(NonZeroU32::new).ok_or((span, format!("expected 1 to {}", Rate::MAX)))
    };
    let (rate, burst) = match (rate, burst) {
        (None, None) => return Ok(None),
        (None, Some((span, _))) => return Err((span, "expected a rate beside the burst".into())),
        (Some(rate), burst) => (number(rate)?, burst.map(number).transpose()?),
    };
    Ok(Some(Rate { a_second: rate, burst: burst.unwrap_or(rate) }))
}

fn right(name: &str) -> Option<Right> {
    Right::ALL.into_iter().find(|right| right.as_str() == name)
}

fn tokens(list: &[Value<'_>]) -> Result<Vec<Zeroizing<String>>, Placed> {
    let expected = format!("tokens of at least {MIN} letters, digits and -._~+/=");
    parsed(list, &expected, |text| is_token(text).then(|| Zeroizing::new(text.to_owned())))
}

fn names(list: &[Value<'_>]) -> Result<HashSet<Box<str>>, Placed> {
    let name = |text: &str| (!text.is_empty()).then(|| text.into());
    Ok(parsed(list, "names that are not empty", name)?.into_iter().collect())
}

/// What `parse` makes of the strings in `list`.
fn parsed<T>(
    list: &[Value<'_>],
    expected: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Placed> {
    let parsed = list.iter().map(|value| {
        let problem = || (value.span, format!("expected {expected}"));
        value.as_str().and_then(&parse).ok_or_else(problem)
    });
    parsed.collect()
}

/// RFC 6750 section 2.1: `b64token`, long enough not to be guessed.
fn is_token(token: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    token.len() >= MIN && token.bytes().all(is_of)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expected)?;
        match self.line {
            Some(line) => write!(f, " in line {line}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_token, parse};
    use crate::serve::admission::permissions::{Denied, Right};

    #[test]
    fn tokens_are_long_and_of_few_bytes() {
        assert!(is_token("0123456789abcdef") && is_token("-._~+/=AZaz09-._~"));
        assert!(!is_token("0123456789abcde") && !is_token("0123456789abcde "));
        assert!(!is_token("0123456789abcdeä"));
    }

    #[test]
    fn both_forms_stand_in_one_file() {
        let text = "short = ['0123456789abcdef']\n\
                    [table]\ntokens = ['0123456789abcdeg', '0123456789abcdeh']\nrights = ['sign']\n\
                    access_keys = ['one']\n";
        let entries = parse(text.as_bytes()).unwrap();
        assert_eq!(
            entries.iter().map(|entry| &*entry.name).collect::<Vec<_>>(),
            ["short", "table"]
        );
        assert_eq!(entries.iter().map(|entry| entry.tokens.len()).collect::<Vec<_>>(), [1, 2]);
        let [short, table] = [&entries[0].permissions, &entries[1].permissions];
        let may = |right: &Right| short.check_right(*right).is_ok();
        // The keys are told to nobody who does not have that right by name.
        assert_eq!(Right::ALL.into_iter().find(|right| !may(right)), Some(Right::Keys));
        assert!(short.check_access_key("any").is_ok() && short.only_access_key().is_none());
        assert_eq!(table.check_right(Right::Verify), Err(Denied::Right));
        assert_eq!(table.check_access_key("two"), Err(Denied::AccessKey));
        assert_eq!(table.only_access_key(), Some("one"));
    }

    #[test]
    fn burst_is_a_second_of_the_rate_unless_given() {
        for (text, expected) in
            [("", None), ("rate = 7", Some((7, 7))), ("burst = 2\nrate = 7", Some((7, 2)))]
        {
            let text = format!("[a]\ntokens = ['0123456789abcdef']\n{text}");
            let rate = parse(text.as_bytes()).unwrap()[0].rate;
            assert_eq!(rate.map(|rate| (rate.a_second.get(), rate.burst.get())), expected);
        }
    }

    #[test]
    fn line_of_a_problem_is_told_and_nothing_that_stands_there() {
        let token = "0123456789abcdef";
        for (text, line) in [
            ("a = ['0123456789abcdef']\nb = 'x'", 2),
            ("a = ['0123456789']", 1),
            ("[a]\nrights = ['sign']", 1),
            ("[a]\ntokens = ['0123456789abcdef']\nrights = ['0123456789abcdef']", 3),
            ("b = []\n[a]\ntokens = ['0123456789abcdef']\nmethod = ['GET']", 4),
            ("[a]\ntokens = ['0123456789abcdef']\nmethods = 'GET'", 3),
            ("[a]\ntokens = ['0123456789abcdef']\nhosts = ['']", 3),
            ("[a]\ntokens = ['0123456789abcdef']\npath_prefixes = ['a']", 3),
            ("[a]\ntokens = ['0123456789abcdef']\npath_prefixes = ['/a/..']", 3),
            ("[a]\ntokens = ['0123456789abcdef'", 2),
            ("[a]\ntokens = ['0123456789abcdef']\nrate = 0", 3),
            ("[a]\ntokens = ['0123456789abcdef']\nrate = 1000001", 3),
            ("[a]\ntokens = ['0123456789abcdef']\nrate = '0123456789abcdef'", 3),
            ("[a]\ntokens = ['0123456789abcdef']\nrate = 0.5", 3),
            ("[a]\ntokens = ['0123456789abcdef']\nburst = 5", 3),
            ("[a]\ntokens = ['0123456789abcdef']\nrate = 5\nburst = -1", 4),
        ] {
            let problem = parse(text.as_bytes()).err().unwrap().to_string();
            assert!(problem.ends_with(&format!(" in line {line}")), "{text}: {problem}");
            assert!(!problem.contains(token), "{problem}");
        }
    }

    #[test]
    fn a_member_of_another_type_is_told_the_type() {
        for (member, expected) in [
            ("rate = '5'", "a whole number of requests"),
            ("rate = 5\nburst = 5.0", "a whole number of requests"),
            ("hosts = 'h'", "a list"),
        ] {
            let text = format!("[a]\ntokens = ['0123456789abcdef']\n{member}");
            let problem = parse(text.as_bytes()).err().unwrap().to_string();
            assert!(problem.contains(&format!("expected {expected}")), "{problem}");
        }
    }
}
