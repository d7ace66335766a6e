//! The options of curl that are known here.

/// What an option does to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Nothing.
    Nothing,
    /// Nothing, but it has a value.
    NothingWithValue,
    Flag(Flag),
    Value(Value),
    /// It cannot be followed here; what is expected instead.
    Refused(&'static str),
}

/// What an option does that needs no value, or that its value does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    Compressed,
    GlobOff,
    Head,
    Json,
    PathAsIs,
    QueryOfData,
}

/// An option with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Bearer,
    Cookie,
    Data,
    DataRaw,
    DataUrlEncode,
    Header,
    Json,
    Method,
    Range,
    Referer,
    RequestTarget,
    Url,
    User,
    UserAgent,
}

const FILE: &str = "the bytes in the line itself, by --data-raw or --data-urlencode";
const FORM: &str = "a body whose bytes are known: the boundary of a form is random";
const ONE: &str = "one request";
const VERSION: &str = "HTTP/1.1, or HTTP/2 with the same fields";

/// Long name, short name (or a blank), meaning.
const OPTIONS: &[(&str, char, Meaning)] = &[
    ("basic", ' ', Meaning::Nothing),
    ("cacert", ' ', Meaning::NothingWithValue),
    ("cert", 'E', Meaning::NothingWithValue),
    ("compressed", ' ', Meaning::Flag(Flag::Compressed)),
    ("config", 'K', Meaning::Refused("the options in the line itself")),
    ("connect-timeout", ' ', Meaning::NothingWithValue),
    ("cookie", 'b', Meaning::Value(Value::Cookie)),
    ("cookie-jar", 'c', Meaning::NothingWithValue),
    ("data", 'd', Meaning::Value(Value::Data)),
    ("data-ascii", ' ', Meaning::Value(Value::Data)),
    ("data-binary", ' ', Meaning::Value(Value::Data)),
    ("data-raw", ' ', Meaning::Value(Value::DataRaw)),
    ("data-urlencode", ' ', Meaning::Value(Value::DataUrlEncode)),
    ("dump-header", 'D', Meaning::NothingWithValue),
    ("fail", 'f', Meaning::Nothing),
    ("fail-with-body", ' ', Meaning::Nothing),
    ("form", 'F', Meaning::Refused(FORM)),
    ("form-string", ' ', Meaning::Refused(FORM)),
    ("get", 'G', Meaning::Flag(Flag::QueryOfData)),
    ("globoff", 'g', Meaning::Flag(Flag::GlobOff)),
    ("head", 'I', Meaning::Flag(Flag::Head)),
    ("header", 'H', Meaning::Value(Value::Header)),
    ("http1.0", '0', Meaning::Refused(VERSION)),
    ("http1.1", ' ', Meaning::Nothing),
    ("http2", ' ', Meaning::Nothing),
    ("http2-prior-knowledge", ' ', Meaning::Nothing),
    ("include", 'i', Meaning::Nothing),
    ("insecure", 'k', Meaning::Nothing),
    ("ipv4", '4', Meaning::Nothing),
    ("ipv6", '6', Meaning::Nothing),
    ("json", ' ', Meaning::Value(Value::Json)),
    ("keepalive-time", ' ', Meaning::NothingWithValue),
    ("key", ' ', Meaning::NothingWithValue),
    ("limit-rate", ' ', Meaning::NothingWithValue),
    ("location", 'L', Meaning::Nothing),
    ("max-time", 'm', Meaning::NothingWithValue),
    ("netrc", 'n', Meaning::Refused("the user in the line itself, by --user")),
    ("next", ':', Meaning::Refused(ONE)),
    ("no-buffer", 'N', Meaning::Nothing),
    ("no-progress-meter", ' ', Meaning::Nothing),
    ("oauth2-bearer", ' ', Meaning::Value(Value::Bearer)),
    ("output", 'o', Meaning::NothingWithValue),
    ("parallel", 'Z', Meaning::Nothing),
    ("path-as-is", ' ', Meaning::Flag(Flag::PathAsIs)),
    ("progress-bar", '#', Meaning::Nothing),
    ("range", 'r', Meaning::Value(Value::Range)),
    ("referer", 'e', Meaning::Value(Value::Referer)),
    ("remote-header-name", 'J', Meaning::Nothing),
    ("remote-name", 'O', Meaning::Nothing),
    ("request", 'X', Meaning::Value(Value::Method)),
    ("request-target", ' ', Meaning::Value(Value::RequestTarget)),
    ("resolve", ' ', Meaning::NothingWithValue),
    ("retry", ' ', Meaning::NothingWithValue),
    ("retry-delay", ' ', Meaning::NothingWithValue),
    ("show-error", 'S', Meaning::Nothing),
    ("silent", 's', Meaning::Nothing),
    ("trace", ' ', Meaning::NothingWithValue),
    ("trace-ascii", ' ', Meaning::NothingWithValue),
    ("unix-socket", ' ', Meaning::NothingWithValue),
    ("upload-file", 'T', Meaning::Refused(FILE)),
    ("url", ' ', Meaning::Value(Value::Url)),
    ("user", 'u', Meaning::Value(Value::User)),
    ("user-agent", 'A', Meaning::Value(Value::UserAgent)),
    ("verbose", 'v', Meaning::Nothing),
    ("write-out", 'w', Meaning::NothingWithValue),
];

/// Finds an option by its name behind `--`.
pub(crate) fn long(name: &[u8]) -> Option<Meaning> {
    let option = OPTIONS.iter().find(|(long, ..)| long.as_bytes() == name);
    option.map(|(.., meaning)| *meaning)
}

/// Finds an option by its letter behind `-`.
pub(crate) fn short(letter: u8) -> Option<Meaning> {
    let option = OPTIONS.iter().find(|(_, short, _)| u32::from(*short) == u32::from(letter));
    option.map(|(.., meaning)| *meaning).filter(|_| letter != b' ')
}

impl Meaning {
    pub(crate) fn has_value(self) -> bool {
        matches!(self, Self::NothingWithValue | Self::Value(_))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{OPTIONS, short};

    #[test]
    fn names_are_sorted_and_letters_differ() {
        assert!(OPTIONS.is_sorted_by(|one, other| one.0 < other.0));
        let letters = OPTIONS.iter().map(|option| option.1).filter(|letter| *letter != ' ');
        assert_eq!(letters.clone().collect::<BTreeSet<_>>().len(), letters.count());
        assert_eq!(short(b' '), None);
    }
}
