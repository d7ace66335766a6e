//! URLs of uploads.

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

use super::error::UploadError;

/// A URL that requests can be sent to: `http` or `https`, an authority without user, a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    scheme: Scheme,
    authority: Authority,
    target: PathAndQuery,
}

impl Url {
    pub(super) fn new(url: &Uri) -> Result<Self, UploadError> {
        let parts = url.clone().into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(UploadError::Url);
        };
        let target = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let is_http = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
        // User and password would be sent to nobody, and `Uri` takes some bytes that are not ASCII.
        let is_plain = !authority.as_str().contains('@')
            && target.as_str().bytes().all(|byte| byte.is_ascii_graphic());
        if is_http && is_plain {
            Ok(Self { scheme, authority, target })
        } else {
            Err(UploadError::Url)
        }
    }

    /// What `Location` in an answer from this URL names (RFC 9110 section 10.2.2).
    ///
    /// Nothing is sent to another server than the one that was asked: an answer could have requests
    /// signed for any.
    pub(super) fn resolve(&self, location: &str) -> Result<Self, UploadError> {
        let target = if location.starts_with("//") {
            format!("{}:{location}", self.scheme)
        } else if location.starts_with('/') {
            format!("{}://{}{location}", self.scheme, self.authority)
        } else if has_scheme(location) {
            location.to_owned()
        } else {
            let (folder, _) = self.target.path().rsplit_once('/').unwrap_or_default();
            format!("{}://{}{folder}/{location}", self.scheme, self.authority)
        };
        let unreadable = UploadError::Protocol("answered with a Location that is no URL");
        let Ok(uri) = target.parse() else { return Err(unreadable) };
        let url = Self::new(&uri).map_err(|_| unreadable)?;
        if url.target.path().split('/').any(|segment| segment == "." || segment == "..") {
            return Err(UploadError::Protocol("answered with a Location that has dot segments"));
        }
        if url.scheme != self.scheme || url.authority != self.authority {
            let problem = "answered with a Location at another server; nothing is sent there";
            return Err(UploadError::Protocol(problem));
        }
        Ok(url)
    }

    /// All parts are there, so there is no error to be met.
    pub(super) fn to_uri(&self) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(self.target.clone());
        Uri::from_parts(parts).unwrap_or_default()
    }
}

/// RFC 3986 section 3.1, up to the colon; a colon behind a slash is of a path.
fn has_scheme(reference: &str) -> bool {
    reference
        .split_once(':')
        .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains(['/', '?', '#']))
}

#[cfg(test)]
mod tests {
    use super::{UploadError, Url};

    fn url(text: &str) -> Result<Url, UploadError> {
        Url::new(&text.parse().map_err(|_| UploadError::Url)?)
    }

    #[test]
    fn url_has_scheme_and_host() {
        for right in
            ["http://a/files/x", "https://a:8443/files/x?y=z", "HTTP://a", "http://[::1]:80/"]
        {
            assert!(url(right).is_ok(), "{right}");
        }
        for wrong in ["/files/x", "a:80", "ftp://a/x", "http://u:p@a/x", "http://a/\u{e9}", ""] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        assert_eq!(url("http://a").unwrap().to_uri(), "http://a/");
    }

    #[test]
    fn location_is_resolved_at_the_same_server() {
        let base = url("http://a:80/files/x?y").unwrap();
        for (location, resolved) in [
            ("/uploads/1", "http://a:80/uploads/1"),
            ("http://a:80/uploads/1?z", "http://a:80/uploads/1?z"),
            ("HTTP://a:80/uploads/1", "http://a:80/uploads/1"),
            ("//a:80/u", "http://a:80/u"),
            ("1", "http://a:80/files/1"),
            ("1/2:3", "http://a:80/files/1/2:3"),
        ] {
            assert_eq!(base.resolve(location).unwrap().to_uri(), resolved, "{location}");
        }
        for elsewhere in [
            "http://b:80/u",
            "https://a:80/u",
            "http://a/u",
            "//b/u",
            "../u",
            "/a/./b",
            "/a/%zz\u{e9}",
            "ftp:x",
            "http://u@a:80/x",
            "/a b",
        ] {
            assert!(base.resolve(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
