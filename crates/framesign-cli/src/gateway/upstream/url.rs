//! The place of an upstream, as a URL.

use std::{path::PathBuf, str::FromStr};

use http::uri::{Authority, Scheme, Uri};

use crate::serve::net::endpoint::unix_path;

/// The place of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UpstreamUrl {
    /// `http://HOST:PORT`, or `https://HOST:PORT`.
    Tcp { authority: Authority, is_tls: bool },
    /// `unix:/PATH`.
    Unix(PathBuf),
}

impl UpstreamUrl {
    /// The scheme of requests to it.
    pub(crate) fn scheme(&self) -> Scheme {
        if self.is_tls() { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// The authority of requests to it.
    pub(crate) fn authority(&self) -> Authority {
        match self {
            Self::Tcp { authority, .. } => authority.clone(),
            Self::Unix(_) => Authority::from_static("localhost"),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tcp { is_tls: true, .. })
    }
}

impl FromStr for UpstreamUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected http://HOST:PORT, https://HOST:PORT or unix:/PATH";

        if text.starts_with("unix:") {
            return unix_path(text).map(Self::Unix).ok_or_else(|| EXPECTED.into());
        }
        let uri: Uri = text.parse().map_err(|_| EXPECTED)?;
        if uri.path_and_query().is_some_and(|target| target.as_str() != "/") {
            // The path of a request is signed, so that nothing can be put before it.
            return Err("expected a URL without a path, found one with it".into());
        }
        let parts = uri.into_parts();
        let is_tls = match parts.scheme.as_ref().map(Scheme::as_str) {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(EXPECTED.into()),
        };
        match parts.authority {
            Some(authority) if !authority.as_str().contains('@') => {
                Ok(Self::Tcp { authority, is_tls })
            }
            _ => Err(EXPECTED.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UpstreamUrl;

    #[test]
    fn places_of_upstreams_are_read() {
        let tcp = |authority: &'static str, is_tls| {
            Ok(UpstreamUrl::Tcp { authority: authority.parse().unwrap(), is_tls })
        };
        assert_eq!("http://127.0.0.1:3000".parse(), tcp("127.0.0.1:3000", false));
        assert_eq!("http://h/".parse(), tcp("h", false));
        assert_eq!("https://[::1]:8443".parse(), tcp("[::1]:8443", true));
        let unix = Ok(UpstreamUrl::Unix("/run/app.sock".into()));
        assert_eq!("unix:/run/app.sock".parse(), unix);
        assert_eq!("unix:///run/app.sock".parse(), unix);
    }

    #[test]
    fn what_is_no_place_of_an_upstream_is_refused() {
        for text in [
            "",
            "h:80",
            "ftp://h",
            "http://",
            "http://h/path",
            "http://h?query",
            "http://user@h",
            "unix:",
            "unix:/",
            "unix:relative",
            "unix://h",
        ] {
            assert!(text.parse::<UpstreamUrl>().is_err(), "{text}");
        }
    }
}
