//! The check that keeps other web pages away: a browser reaches loopback for any of them.

use axum::http::{HeaderMap, HeaderValue, Method, header};

/// The names by which the page may be called.
#[derive(Debug)]
pub(crate) struct Guard {
    /// As they stand in Host.
    hosts: Vec<String>,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuardError {
    /// It is for a name that is not one of loopback: DNS rebinding, say.
    Host,
    /// Another page has brought it about.
    Site,
}

impl Guard {
    /// A guard for a listener on `port` of loopback.
    pub(crate) fn new(port: u16) -> Self {
        let names = ["127.0.0.1", "localhost"];
        let mut hosts: Vec<_> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(names.map(str::to_owned));
        }
        Self { hosts }
    }

    /// Checks a request by its fields.
    pub(crate) fn check(&self, method: &Method, fields: &HeaderMap) -> Result<(), GuardError> {
        if !self.takes_host(fields) {
            return Err(GuardError::Host);
        }
        if self.is_own_origin(fields) && is_own_site(method, fields) {
            Ok(())
        } else {
            Err(GuardError::Site)
        }
    }

    /// Exactly one Host, which is one of ours.
    fn takes_host(&self, fields: &HeaderMap) -> bool {
        let mut hosts = fields.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        self.hosts.iter().any(|own| host.as_bytes().eq_ignore_ascii_case(own.as_bytes()))
    }

    /// Programs send no Origin; browsers do with what is not a plain GET.
    fn is_own_origin(&self, fields: &HeaderMap) -> bool {
        fields.get_all(header::ORIGIN).iter().all(|origin| {
            let host = origin.as_bytes().strip_prefix(b"http://");
            host.is_some_and(|host| self.hosts.iter().any(|own| host == own.as_bytes()))
        })
    }
}

/// Fetch Metadata, which pages can neither set nor omit. An address that somebody opens may come from
/// anywhere, as the file of `--open` does: who leads to it does not see what comes of it.
fn is_own_site(method: &Method, fields: &HeaderMap) -> bool {
    let is_opened = matches!(*method, Method::GET | Method::HEAD)
        && fields.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
        && fields.get("sec-fetch-dest").is_some_and(|target| target == "document");
    let is_own = |site: &HeaderValue| site == "same-origin";
    is_opened || fields.get_all("sec-fetch-site").iter().all(is_own)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, Method};

    use super::{Guard, GuardError};

    fn check(method: &Method, lines: &[(&'static str, &'static str)]) -> Result<(), GuardError> {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, HeaderValue::from_static(value));
        }
        Guard::new(8123).check(method, &fields)
    }

    #[test]
    fn only_names_of_loopback_are_taken() {
        for host in ["127.0.0.1:8123", "localhost:8123", "LocalHost:8123"] {
            assert_eq!(check(&Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:8124",
            "127.0.0.2:8123",
            "evil.example:8123",
            "localhost.evil.example:8123",
            "u@localhost:8123",
            // Nothing of ours listens there: it may be somebody else's.
            "[::1]:8123",
        ] {
            assert_eq!(check(&Method::GET, &[("host", host)]), Err(GuardError::Host), "{host}");
        }
        assert_eq!(check(&Method::GET, &[]), Err(GuardError::Host));
        let twice = [("host", "localhost:8123"), ("host", "localhost:8123")];
        assert_eq!(check(&Method::GET, &twice), Err(GuardError::Host));
        let mut fields = HeaderMap::new();
        fields.append("host", HeaderValue::from_static("localhost"));
        assert_eq!(Guard::new(80).check(&Method::GET, &fields), Ok(()));
    }

    #[test]
    fn other_pages_are_refused() {
        let own = ("host", "127.0.0.1:8123");
        for fields in [
            &[("sec-fetch-site", "same-origin")][..],
            &[("origin", "http://127.0.0.1:8123"), ("sec-fetch-site", "same-origin")],
        ] {
            assert_eq!(check(&Method::POST, &[&[own], fields].concat()), Ok(()), "{fields:?}");
        }
        let opened = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        for site in ["none", "cross-site", "same-origin"] {
            let fields = [&[own, ("sec-fetch-site", site)], &opened[..]].concat();
            assert_eq!(check(&Method::GET, &fields), Ok(()), "{site}");
            let is_own = site == "same-origin";
            assert_eq!(check(&Method::POST, &fields).is_ok(), is_own, "{site}");
            for one in opened {
                let fields = [own, ("sec-fetch-site", site), one];
                assert_eq!(check(&Method::GET, &fields).is_ok(), is_own, "{site} {one:?}");
            }
        }
        for fields in [
            &[("sec-fetch-site", "none")][..],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null")],
            &[("origin", "http://evil.example")],
            &[("origin", "https://127.0.0.1:8123")],
            &[("origin", "http://127.0.0.1:8124")],
        ] {
            let refused = check(&Method::POST, &[&[own], fields].concat());
            assert_eq!(refused, Err(GuardError::Site), "{fields:?}");
        }
        let framed = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        let fields = [&[own, ("sec-fetch-site", "cross-site")], &framed[..]].concat();
        assert_eq!(check(&Method::GET, &fields), Err(GuardError::Site));
        for site in ["none", "cross-site", "same-site", ""] {
            let refused = check(&Method::GET, &[own, ("sec-fetch-site", site)]);
            assert_eq!(refused, Err(GuardError::Site), "{site}");
        }
    }
}
