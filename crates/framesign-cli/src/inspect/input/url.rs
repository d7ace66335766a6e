//! The parts of a URL that a request is made of.

/// An absolute `http` or `https` URL, split as it stands: nothing in it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    /// The default port of the scheme.
    default_port: &'static str,
    pub(crate) authority: &'a [u8],
    /// From the first `/` to the `?`, the `#` or the end; may be empty.
    pub(crate) path: &'a [u8],
    /// Behind the `?`, without the fragment.
    pub(crate) query: Option<&'a [u8]>,
}

/// Why text is no such URL: where, and what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UrlError {
    pub(crate) at: usize,
    pub(crate) expected: &'static str,
}

const SCHEMES: [(&[u8], &str); 2] = [(b"http://", "80"), (b"https://", "443")];

impl<'a> Url<'a> {
    /// Splits `url` (RFC 3986 section 3).
    pub(crate) fn parse(url: &'a [u8]) -> Result<Self, UrlError> {
        let expected = "a URL that begins with http:// or https://";
        let scheme = SCHEMES.iter().find(|(scheme, _)| {
            url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        let &(scheme, default_port) = scheme.ok_or(UrlError { at: 0, expected })?;
        Self::after_scheme(url, scheme.len(), default_port)
    }

    /// The same, and `http` if the URL has no scheme.
    pub(crate) fn parse_or_guess(url: &'a [u8]) -> Result<Self, UrlError> {
        if url.windows(3).any(|window| window == b"://") {
            Self::parse(url)
        } else {
            Self::after_scheme(url, 0, SCHEMES[0].1)
        }
    }

    fn after_scheme(
        url: &'a [u8],
        start: usize,
        default_port: &'static str,
    ) -> Result<Self, UrlError> {
        if let Some(at) = url.iter().position(|byte| *byte <= b' ' || *byte == 0x7F) {
            return Err(UrlError { at, expected: "a URL without blanks and control bytes" });
        }
        let rest = &url[start..];
        let rest = before(rest, b"#");
        let authority = before(rest, b"/?");
        if authority.is_empty() {
            return Err(UrlError { at: start, expected: "a host" });
        }
        if let Some(at) = authority.iter().position(|byte| *byte == b'@') {
            let expected = "a URL without user and password";
            return Err(UrlError { at: start + at, expected });
        }
        let path = before(&rest[authority.len()..], b"?");
        let query = rest.get(authority.len() + path.len() + 1..);
        Ok(Self { default_port, authority, path, query })
    }

    /// What a client sends as Host: without the port if it is the default of the scheme.
    pub(crate) fn host(&self) -> &'a [u8] {
        let port = self.default_port.as_bytes();
        let host = self.authority.strip_suffix(port).and_then(|host| host.strip_suffix(b":"));
        host.unwrap_or(self.authority)
    }
}

/// What stands before the first of `ends`.
fn before<'a>(text: &'a [u8], ends: &[u8]) -> &'a [u8] {
    text.split(|byte| ends.contains(byte)).next().unwrap_or_default()
}

/// Removes `.` and `..` from a path (RFC 3986 section 5.2.4).
pub(crate) fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." => {}
            b".." => {
                // The segment before the first slash is empty, and stays.
                if kept.len() > 1 {
                    kept.pop();
                }
            }
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push(b"");
        }
    }
    kept.join(&b'/')
}

#[cfg(test)]
mod tests {
    use super::{Url, without_dot_segments};

    fn parts(url: &str) -> (String, String, Option<String>) {
        let url = Url::parse_or_guess(url.as_bytes()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(url.host()), text(url.path), url.query.map(text))
    }

    #[test]
    fn urls_are_split() {
        for (url, host, path, query) in [
            ("http://h", "h", "", None),
            ("https://h/", "h", "/", None),
            ("HTTP://h:80/a//b", "h", "/a//b", None),
            ("http://h:443/", "h:443", "/", None),
            ("https://h:443/a?b=1&c#d?e", "h", "/a", Some("b=1&c")),
            ("http://h?b?c/d", "h", "", Some("b?c/d")),
            ("http://h/?", "h", "/", Some("")),
            ("http://[::1]:8080/a", "[::1]:8080", "/a", None),
            ("h.example/a", "h.example", "/a", None),
            ("h#x", "h", "", None),
        ] {
            let expected = (host.to_owned(), path.to_owned(), query.map(str::to_owned));
            assert_eq!(parts(url), expected, "{url}");
        }
    }

    #[test]
    fn others_are_refused_with_their_byte() {
        for (url, at) in [
            ("ftp://h/", 0),
            ("http:///a", 7),
            ("http://?a", 7),
            ("", 0),
            ("http://u:p@h/", 10),
            ("http://h/a b", 10),
            ("http://h/\n", 9),
            ("http://h/\u{7f}", 9),
        ] {
            let error = Url::parse_or_guess(url.as_bytes()).unwrap_err();
            assert_eq!(error.at, at, "{url}: {}", error.expected);
        }
        assert!(Url::parse(b"h/a").is_err());
    }

    #[test]
    fn dot_segments_are_removed() {
        for (path, expected) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/../../a", "/a"),
            ("/..", "/"),
            ("/.", "/"),
            ("/a//b", "/a//b"),
            ("/a/.../b", "/a/.../b"),
            ("/a/%2e%2e/b", "/a/%2e%2e/b"),
            ("/", "/"),
            ("", ""),
        ] {
            let removed = without_dot_segments(path.as_bytes());
            assert_eq!(String::from_utf8(removed).unwrap(), expected, "{path}");
        }
    }
}
