//! The routes that need no signature.

use std::str::FromStr;

use axum::http::{Method, Uri};
use framesign::protocol::canonical_uri;

/// Requests that need no signature: those with a method, and a path or one below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnsignedRoute {
    /// `None` for every method.
    method: Option<Method>,
    /// The segments of the path, in canonical form.
    segments: Vec<String>,
}

/// Whether a request needs a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requirement {
    Signature,
    Nothing,
    /// It is of an unsigned route by its first segments, and what follows them may lead elsewhere.
    UnambiguousPath,
}

/// The bytes of a segment that some servers take for a separator, for the end of a segment, or for
/// the beginning of a further escape: in canonical form.
const AMBIGUOUS: [&str; 4] = ["%2F", "%5C", "%25", "%3B"];

impl UnsignedRoute {
    /// What a request of `method` for `uri` needs, with these `routes`.
    pub(crate) fn requirement(routes: &[Self], method: &Method, uri: &Uri) -> Requirement {
        if routes.is_empty() || !uri.path().starts_with('/') {
            return Requirement::Signature;
        }
        let path = canonical_uri(uri.path().as_bytes());
        let segments = segments(&path);
        if !routes.iter().any(|route| route.has(method, &segments)) {
            return Requirement::Signature;
        }
        if is_unambiguous(&segments) { Requirement::Nothing } else { Requirement::UnambiguousPath }
    }

    fn has(&self, method: &Method, segments: &[&str]) -> bool {
        let is_method = match &self.method {
            None => true,
            Some(own) if *own == Method::GET => [Method::GET, Method::HEAD].contains(method),
            Some(own) => own == method,
        };
        is_method
            && segments.len() >= self.segments.len()
            && segments.iter().zip(&self.segments).all(|(a, b)| a == b)
    }
}

/// The segments of a path in canonical form; none of the root.
fn segments(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

/// Returns whether gateway and upstream read the same path in it, whatever they make of dots,
/// escapes and empty segments. An empty last one is a slash at the end.
fn is_unambiguous(segments: &[&str]) -> bool {
    let last = segments.len().saturating_sub(1);
    segments.iter().enumerate().all(|(number, segment)| match *segment {
        "" => number == last,
        "." | ".." => false,
        segment => !AMBIGUOUS.iter().any(|escape| segment.contains(escape)) && is_text(segment),
    })
}

/// Returns whether a segment in canonical form is UTF-8 without control characters of ASCII, when
/// decoded. Some servers take other bytes for characters all the same: `%C0%AE` for a dot.
fn is_text(segment: &str) -> bool {
    let text = decoded(segment).and_then(|bytes| String::from_utf8(bytes).ok());
    text.is_some_and(|text| !text.contains(|c: char| c.is_ascii_control()))
}

/// The bytes of a segment in canonical form; `None` if it has an escape that is none.
fn decoded(segment: &str) -> Option<Vec<u8>> {
    let mut parts = segment.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

impl FromStr for UnsignedRoute {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a method and a path, such as `GET /health`";

        let (method, path) = text.trim().split_once(' ').ok_or(EXPECTED)?;
        let path = path.trim();
        if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
            return Err(EXPECTED.into());
        }
        let method = match method {
            "*" => None,
            _ => Some(method.parse().map_err(|_| EXPECTED)?),
        };
        let path = canonical_uri(path.as_bytes());
        let mut segments = segments(&path);
        if !is_unambiguous(&segments) {
            let problem = "expected a path of UTF-8 without dot segments, empty segments, `;`, and \
                           escaped slashes";
            return Err(problem.into());
        }
        // `/health/` is all below `/health`, and that too.
        segments.pop_if(|last| last.is_empty());
        Ok(Self { method, segments: segments.into_iter().map(str::to_owned).collect() })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Uri};

    use super::{
        Requirement::{Nothing, Signature, UnambiguousPath},
        UnsignedRoute,
    };

    fn routes(texts: &[&str]) -> Vec<UnsignedRoute> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn routes_have_whole_segments_of_the_canonical_path() {
        let routes = routes(&["GET /health", "* /public/a-b/"]);
        for (method, target, expected) in [
            ("GET", "/health", Nothing),
            ("HEAD", "/health", Nothing),
            ("GET", "/health/", Nothing),
            ("GET", "/health/live?verbose", Nothing),
            ("GET", "/%68ealth", Nothing),
            ("POST", "/health", Signature),
            ("GET", "/healthy", Signature),
            ("GET", "/Health", Signature),
            ("GET", "/", Signature),
            ("GET", "//health", Signature),
            ("GET", "/x/../health", Signature),
            ("GET", "/health%2Flive", Signature),
            ("DELETE", "/public/a%2Db/c", Nothing),
            ("GET", "/public", Signature),
            ("GET", "http://h/health", Nothing),
        ] {
            let (method, uri): (Method, Uri) = (method.parse().unwrap(), target.parse().unwrap());
            let found = UnsignedRoute::requirement(&routes, &method, &uri);
            assert_eq!(found, expected, "{method} {target}");
        }
        let whole: Uri = "*".parse().unwrap();
        let all = self::routes(&["* /"]);
        assert_eq!(UnsignedRoute::requirement(&all, &Method::OPTIONS, &whole), Signature);
        let any: Uri = "/any/path".parse().unwrap();
        assert_eq!(UnsignedRoute::requirement(&all, &Method::OPTIONS, &any), Nothing);
    }

    #[test]
    fn path_that_may_lead_elsewhere_is_of_no_route() {
        let routes = routes(&["GET /health"]);
        for rest in [
            "/..",
            "/../admin",
            "/./x",
            "/%2e%2e/admin",
            "/.%2E/admin",
            "/%2E",
            "//admin",
            "/x%2f..%2fadmin",
            "/x%5Cadmin",
            "/x%252e",
            "/x;y",
            "/..;/admin",
            "/x%3by",
            "/x%00",
            "/x%0a",
            "/x%7F",
            "/a//",
            // Overlong forms of a dot and a slash, a lone byte, half a character, a surrogate.
            "/%C0%AE%C0%AE/admin",
            "/%c0%af",
            "/%E0%80%AE",
            "/%80",
            "/x%C3",
            "/%ED%A0%80",
        ] {
            let uri: Uri = format!("/health{rest}").parse().unwrap();
            let found = UnsignedRoute::requirement(&routes, &Method::GET, &uri);
            assert_eq!(found, UnambiguousPath, "{rest}");
        }
        for rest in ["/...", "/.x", "/x..", "/%C3%A9", "/%F0%9F%8E%88", "/a%20b", "/+", "/x%2Cy"] {
            let uri: Uri = format!("/health{rest}").parse().unwrap();
            let found = UnsignedRoute::requirement(&routes, &Method::GET, &uri);
            assert_eq!(found, Nothing, "{rest}");
        }
    }

    #[test]
    fn what_is_no_route_is_refused() {
        for text in
            ["", "/health", "GET", "GET health", "GET /a?b", "GET /a/../b", "G@T /", "GET /a//b"]
        {
            assert!(text.parse::<UnsignedRoute>().is_err(), "{text}");
        }
    }
}
