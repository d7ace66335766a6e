//! The request that curl makes of its arguments.

use crate::inspect::input::{
    curl::{arguments::Arguments, options::Flag, shell::Word},
    error::InputError,
    frame::PastedFrame,
    url::{Url, without_dot_segments},
};

/// What curl calls itself. Only the one who pastes knows the version.
const USER_AGENT: &str = "curl/8.5.0";

/// Bodies above this are announced by Expect.
const EXPECT_ABOVE: usize = 1024 * 1024;

/// Writes the request as curl does.
pub(crate) fn frame(arguments: &Arguments) -> Result<PastedFrame, InputError> {
    let (target, host) = target_and_host(arguments)?;
    let method = method(arguments)?;
    let body = arguments.data.as_deref().filter(|_| !arguments.has(Flag::QueryOfData));
    let mut fields = Fields::of(arguments)?;
    fields.add_host(&host);
    fields.add_if_given("Authorization", arguments.authorization.as_deref());
    fields.add_if_given("Range", arguments.range.as_deref());
    fields.add_user_agent(arguments.user_agent.as_deref());
    fields.add("Accept", b"*/*");
    if arguments.has(Flag::Compressed) && fields.add("Accept-Encoding", b"deflate, gzip") {
        fields
            .note("Accept-Encoding depends on how curl was built; it was taken as deflate, gzip.");
    }
    fields.add_if_given("Referer", arguments.referer.as_deref());
    if !arguments.cookies.is_empty() {
        fields.add("Cookie", &arguments.cookies.join(&b';'));
    }
    fields.add_custom();
    if let Some(body) = body {
        fields.add_body(body);
    }
    let line = [method, b" ", &target[..], b" HTTP/1.1\r\n"].concat();
    let bytes = [&line[..], &fields.lines, b"\r\n", body.unwrap_or_default()].concat();
    Ok(PastedFrame { bytes, notes: fields.notes })
}

fn method(arguments: &Arguments) -> Result<&[u8], InputError> {
    let has_body = arguments.data.is_some() && !arguments.has(Flag::QueryOfData);
    if arguments.has(Flag::Head) && has_body {
        let expected = "-I or data, not both, as curl does";
        return Err(InputError::at_byte(arguments.end, expected, "both"));
    }
    match &arguments.method {
        Some(method) => Ok(&clean(method, "a method on one line")?.bytes),
        None if arguments.has(Flag::Head) => Ok(b"HEAD"),
        None if has_body => Ok(b"POST"),
        None => Ok(b"GET"),
    }
}

fn target_and_host(arguments: &Arguments) -> Result<(Vec<u8>, Vec<u8>), InputError> {
    let Some(word) = &arguments.url else {
        return Err(InputError::at_byte(arguments.end, "a URL", "none"));
    };
    let url = Url::parse_or_guess(&word.bytes).map_err(|error| {
        InputError::at_byte(word.at, error.expected, format!("another at byte {} of it", error.at))
    })?;
    check_globs(arguments, word, &url)?;
    let host = url.host().to_vec();
    if let Some(target) = &arguments.request_target {
        return Ok((clean(target, "a request target on one line")?.bytes.clone(), host));
    }
    let mut target = match url.path {
        b"" => b"/".to_vec(),
        path if arguments.has(Flag::PathAsIs) => path.to_vec(),
        path => without_dot_segments(path),
    };
    let data = arguments.data.as_deref().filter(|_| arguments.has(Flag::QueryOfData));
    let queries: Vec<_> = [url.query, data].into_iter().flatten().collect();
    if !queries.is_empty() {
        target.push(b'?');
        target.extend_from_slice(&queries.join(&b'&'));
    }
    Ok((target, host))
}

/// curl makes several requests of `{a,b}` and `[1-3]`.
fn check_globs(arguments: &Arguments, word: &Word, url: &Url<'_>) -> Result<(), InputError> {
    let query = url.query.unwrap_or_default();
    let braces = [url.authority, url.path, query].concat();
    let brackets = [url.path, query].concat();
    let is_glob = braces.iter().any(|byte| b"{}".contains(byte))
        || brackets.iter().any(|byte| b"[]".contains(byte));
    if arguments.has(Flag::GlobOff) || !is_glob {
        return Ok(());
    }
    let expected = "one URL, with --globoff if it has brackets or braces";
    Err(InputError::at_byte(word.at, expected, "a pattern of several"))
}

/// Refuses line ends, which would begin another field or request line.
fn clean<'a>(word: &'a Word, expected: &'static str) -> Result<&'a Word, InputError> {
    if word.bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(InputError::at_byte(word.at, expected, "a line end in it"));
    }
    Ok(word)
}

/// The field lines, as they are written.
struct Fields<'a> {
    lines: Vec<u8>,
    custom: Vec<Custom<'a>>,
    notes: Vec<String>,
}

/// A field of `--header`.
struct Custom<'a> {
    name: &'a [u8],
    /// The line that is sent; `None` keeps curl from sending its own.
    line: Option<Vec<u8>>,
}

impl<'a> Fields<'a> {
    fn of(arguments: &'a Arguments) -> Result<Self, InputError> {
        let mut fields = Self { lines: Vec::new(), custom: Vec::new(), notes: Vec::new() };
        for header in &arguments.headers {
            let line = &clean(header, "a header on one line")?.bytes[..];
            match line.iter().position(|byte| *byte == b':') {
                Some(colon) => {
                    let (name, value) = (&line[..colon], &line[colon + 1..]);
                    let is_sent = !value.trim_ascii().is_empty();
                    fields.custom.push(Custom { name, line: is_sent.then(|| line.to_vec()) });
                }
                None => match line.strip_suffix(b";") {
                    Some(name) => {
                        let line = Some([name, b":"].concat());
                        fields.custom.push(Custom { name, line });
                    }
                    None => fields.note("A header without a colon was left out, as curl does."),
                },
            }
        }
        if arguments.has(Flag::Json) {
            fields.add_json();
        }
        Ok(fields)
    }

    /// `--json` is short for two headers.
    fn add_json(&mut self) {
        for name in ["Content-Type", "Accept"] {
            if !self.has_custom(name) {
                let line = Some(format!("{name}: application/json").into_bytes());
                self.custom.push(Custom { name: name.as_bytes(), line });
            }
        }
    }

    fn has_custom(&self, name: &str) -> bool {
        self.custom.iter().any(|custom| custom.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Host comes first, whoever gives it.
    fn add_host(&mut self, host: &[u8]) {
        let is_host = |custom: &Custom<'_>| custom.name.eq_ignore_ascii_case(b"host");
        match self.custom.iter_mut().find(|custom| is_host(custom)).map(|custom| custom.line.take())
        {
            Some(Some(line)) => self.write(&line),
            Some(None) => {}
            None => self.write(&[b"Host: ", host].concat()),
        }
    }

    fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Adds a field of curl's own, unless `--header` replaces or removes it.
    fn add(&mut self, name: &str, value: &[u8]) -> bool {
        if self.has_custom(name) {
            return false;
        }
        self.write(&[name.as_bytes(), b": ", value].concat());
        true
    }

    fn add_if_given(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    fn add_user_agent(&mut self, given: Option<&[u8]>) {
        match given {
            // An empty one is not sent.
            Some(b"") => {}
            Some(name) => {
                self.add("User-Agent", name);
            }
            None => {
                if self.add("User-Agent", USER_AGENT.as_bytes()) {
                    let note = "curl adds User-Agent with its own version. It was taken as \
                                curl/8.5.0; give yours with --user-agent.";
                    self.note(note);
                }
            }
        }
    }

    fn add_custom(&mut self) {
        for custom in std::mem::take(&mut self.custom) {
            if let Some(line) = &custom.line {
                self.write(line);
            }
            self.custom.push(custom);
        }
    }

    fn add_body(&mut self, body: &[u8]) {
        self.add("Content-Length", body.len().to_string().as_bytes());
        self.add("Content-Type", b"application/x-www-form-urlencoded");
        if body.len() > EXPECT_ABOVE {
            self.add("Expect", b"100-continue");
        }
    }

    fn write(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
        self.lines.extend_from_slice(b"\r\n");
    }
}
