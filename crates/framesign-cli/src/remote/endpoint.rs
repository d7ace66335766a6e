//! Where a service is.

use std::net::IpAddr;

use http::uri::{Authority, Parts, Scheme, Uri};

/// The URL of a service: below it are its routes.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) is_https: bool,
    /// Host and port, as the field Host has them.
    pub(crate) authority: Authority,
    /// Without the slash at its end.
    path: String,
}

impl Endpoint {
    /// Takes `https://HOST:PORT/PATH`, and `http` if that is this machine: a token and what it is for
    /// go there.
    pub(crate) fn new(url: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected https://HOST:PORT/PATH, or http on loopback, without user, query and fragment";

        let Parts { scheme, authority, path_and_query, .. } =
            url.parse::<Uri>().map_err(|_| EXPECTED)?.into_parts();
        // `Uri` drops a fragment without a word.
        let is_plain = !url.contains(['#', '?', '@']);
        let (Some(authority), Some(path), true) = (authority, path_and_query, is_plain) else {
            return Err(EXPECTED);
        };
        let is_https = scheme == Some(Scheme::HTTPS);
        let is_http = scheme == Some(Scheme::HTTP);
        let path = path.path().trim_end_matches('/').to_owned();
        let endpoint = Self { is_https, authority, path };
        if is_https || is_http && endpoint.is_loopback() { Ok(endpoint) } else { Err(EXPECTED) }
    }

    /// The target of a route, which begins with a slash.
    pub(crate) fn target(&self, route: &str) -> String {
        format!("{}{route}", self.path)
    }

    /// The name or address of the host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let host = self.authority.host();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    pub(crate) fn port(&self) -> u16 {
        let usual = if self.is_https { 443 } else { 80 };
        self.authority.port_u16().unwrap_or(usual)
    }

    fn is_loopback(&self) -> bool {
        let is_address = |address: IpAddr| address.is_loopback();
        self.host() == "localhost" || self.host().parse().is_ok_and(is_address)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn urls_are_taken_apart() {
        for (url, host, port, target) in [
            ("https://sign.example.org", "sign.example.org", 443, "/sign"),
            ("https://sign.example.org:8443/", "sign.example.org", 8443, "/sign"),
            ("https://sign.example.org/a/b/", "sign.example.org", 443, "/a/b/sign"),
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "/sign"),
            ("http://localhost", "localhost", 80, "/sign"),
            ("http://[::1]:8080/x", "::1", 8080, "/x/sign"),
        ] {
            let endpoint = Endpoint::new(url).unwrap();
            let found = (endpoint.host(), endpoint.port(), endpoint.target("/sign"));
            assert_eq!(found, (host, port, target.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_goes_in_clear_stays_on_the_machine() {
        for url in [
            "",
            "sign.example.org",
            "http://sign.example.org",
            "http://10.0.0.1:8080",
            "http://127.0.0.1.example.org",
            "ftp://127.0.0.1",
            "https://",
            "https://user@sign.example.org",
            "https://sign.example.org/?a=b",
            "https://sign.example.org/#a",
        ] {
            assert!(Endpoint::new(url).is_err(), "{url}");
        }
    }
}
