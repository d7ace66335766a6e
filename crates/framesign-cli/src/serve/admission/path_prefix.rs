//! Paths that a caller may have signed, by their beginning.

use framesign::protocol::canonical_uri;

/// The beginning of paths, as the `CanonicalURI` has it (protocol section 4).
///
/// One that ends with a slash covers what begins with it. Another one covers the path that it is, and
/// what follows it after a slash: `/a` covers `/a` and `/a/b`, and not `/ab`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathPrefix(Box<str>);

impl PathPrefix {
    /// Takes a path in canonical form, without segments that a server could resolve.
    pub(crate) fn new(path: &str) -> Option<Self> {
        let is_canonical = path.starts_with('/') && canonical_uri(path.as_bytes()) == path;
        (is_canonical && !has_dot_segment(path)).then(|| Self(path.into()))
    }

    /// Returns whether one of `prefixes` covers a path as it stands in a request.
    ///
    /// A path with a dot segment is covered by none: servers resolve it, each in its own way, and so
    /// would serve another path than the one that is compared here.
    pub(crate) fn any_covers(prefixes: &[Self], path: &[u8]) -> bool {
        let path = canonical_uri(path);
        !has_dot_segment(&path) && prefixes.iter().any(|prefix| prefix.covers(&path))
    }

    fn covers(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(&*self.0) else { return false };
        self.0.ends_with('/') || rest.is_empty() || rest.starts_with('/')
    }
}

/// Returns whether a canonical path has a segment `.` or `..` to anybody who reads it.
///
/// There are servers that take an escaped slash or a backslash as the end of a segment, and servers
/// that cut off what follows a semicolon. The escapes are in upper case here, and no other byte of
/// these stands for itself.
fn has_dot_segment(path: &str) -> bool {
    let separated = path.replace("%2F", "/").replace("%5C", "/");
    let names = separated.split('/').map(|segment| segment.split("%3B").next().unwrap_or_default());
    names.into_iter().any(|name| name == "." || name == "..")
}

#[cfg(test)]
mod tests {
    use super::PathPrefix;

    fn covers(prefix: &str, path: &str) -> bool {
        PathPrefix::any_covers(&[PathPrefix::new(prefix).unwrap()], path.as_bytes())
    }

    #[test]
    fn whole_segments_are_compared() {
        for (prefix, path, expected) in [
            ("/a", "/a", true),
            ("/a", "/a/", true),
            ("/a", "/a/b", true),
            ("/a", "/a//b", true),
            ("/a", "/ab", false),
            ("/a", "/A", false),
            ("/a", "/", false),
            ("/a", "//a", false),
            ("/a", "/b/a", false),
            ("/a/", "/a/", true),
            ("/a/", "/a/b", true),
            ("/a/", "/a", false),
            ("/a/", "/ab/", false),
            ("/", "/", true),
            ("/", "/a/b", true),
            ("/a/b", "/a/b/c", true),
            ("/a/b", "/a/c", false),
            ("/%C3%A9", "/é", true),
            ("/a%2Fb", "/a%2fb/c", true),
            ("/a%2Fb", "/a/b/c", false),
        ] {
            assert_eq!(covers(prefix, path), expected, "{prefix} {path}");
        }
    }

    #[test]
    fn escaped_letters_are_letters() {
        assert!(covers("/a", "/%61/b"));
        assert!(!covers("/a", "%2Fa/b") && !covers("/a", "/%2561"));
    }

    #[test]
    fn dot_segments_are_covered_by_nothing() {
        for path in [
            "/a/..",
            "/a/../b",
            "/a/./b",
            "/a/.",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a/b/%2e",
            "/a/..%2fb",
            "/a/b%2f..%2fc",
            "/a/..\\b",
            "/a/..%5cb",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/.%3b/b",
            "/a/..%2F%2e%2E/b",
        ] {
            assert!(!covers("/a", path) && !covers("/", path), "{path}");
        }
        for path in ["/a/...", "/a/.b", "/a/b..", "/a/..b", "/a/b;..", "/a/.;.x/..c"] {
            assert_eq!(covers("/a", path), !path.contains(".;"), "{path}");
        }
    }

    #[test]
    fn prefix_is_in_canonical_form() {
        for path in ["", "a", "/%61", "/a b", "/%2f", "/a/../b", "/a/.", "/é", "/a;b", "*"] {
            assert!(PathPrefix::new(path).is_none(), "{path}");
        }
    }
}
