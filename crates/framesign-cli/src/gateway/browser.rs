//! The check that keeps web pages from having requests signed: a browser on the same machine reaches
//! loopback as local programs do.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts, uri::Authority};

use crate::{
    gateway::handover,
    serve::{net::endpoint::ListenAddress, routes::problem::Problem},
};

/// Refuses requests that a web page can have brought about.
#[derive(Debug)]
pub(crate) struct BrowserCheck {
    /// The hosts that requests may be for, beside those of loopback; `None` for any.
    hosts: Option<Vec<String>>,
}

impl BrowserCheck {
    /// A check for a listener at `listen`, before an upstream with these authorities. On loopback it
    /// checks Host too: the name of a page can be made to resolve to it (DNS rebinding). Elsewhere
    /// nobody knows by which names clients call, and no page reaches a unix socket.
    pub(crate) fn new<'a>(
        listen: &ListenAddress,
        upstream: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let hosts = match listen {
            ListenAddress::Tcp(address) if address.ip().is_loopback() => {
                let upstream = upstream.into_iter().filter_map(host_of);
                Some(upstream.chain([address.ip().to_string()]).collect())
            }
            _ => None,
        };
        Self { hosts }
    }

    /// Checks a request.
    ///
    /// # Errors
    ///
    /// 403: it says that a page of some origin has sent it, or is for another host.
    pub(crate) fn check(&self, parts: &Parts) -> Result<(), Problem> {
        if is_of_page(&parts.headers) {
            let detail = "expected a request of a program, found one of a web page: Origin, or \
                          Sec-Fetch-Site other than none and same-origin";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail).closing());
        }
        let host = handover::host(parts);
        if self.takes(host.as_ref().map_or(&[], HeaderValue::as_bytes)) {
            return Ok(());
        }
        let detail = "expected localhost, the address of the listener or the host of the upstream \
                      in Host";
        Err(Problem::new(StatusCode::FORBIDDEN, detail).closing())
    }

    fn takes(&self, host: &[u8]) -> bool {
        let Some(hosts) = &self.hosts else { return true };
        host_of(host).is_some_and(|host| is_loopback(&host) || hosts.contains(&host))
    }
}

/// Fetch Metadata, and the Origin header of the Fetch standard: pages can neither set nor omit them.
fn is_of_page(fields: &HeaderMap) -> bool {
    let is_own = |site: &HeaderValue| site == "none" || site == "same-origin";
    fields.contains_key(header::ORIGIN) || !fields.get_all("sec-fetch-site").iter().all(is_own)
}

/// The host of an authority, in lower case, without port, brackets and the dot of the root. `None` if
/// there is userinfo, which Host cannot have (RFC 9110 section 7.2).
fn host_of(authority: &[u8]) -> Option<String> {
    if authority.contains(&b'@') {
        return None;
    }
    let authority = Authority::try_from(authority).ok()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // An address has several forms.
    Some(host.parse::<IpAddr>().map_or(host, |address| address.to_string()))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{BrowserCheck, is_of_page};

    #[test]
    fn hosts_of_loopback_and_of_the_upstream_are_taken() {
        let listen = "127.0.0.1:8081".parse().unwrap();
        let check = BrowserCheck::new(&listen, [&b"Peer.example:443"[..], b"app"]);
        let taken = [
            "localhost",
            "LocalHost:8081",
            "localhost.:1",
            "127.0.0.1:8081",
            "127.1.2.3",
            "[::1]:80",
            "[0:0:0:0:0:0:0:1]",
            "peer.example",
            "PEER.example:8081",
            "app:1",
        ];
        for host in taken {
            assert!(check.takes(host.as_bytes()), "{host}");
        }
        let refused = [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "evil.localhost.example:8081",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[2001:db8::1]",
            "notapp",
            "u@localhost:x",
            "\u{e4}",
        ];
        for host in refused {
            assert!(!check.takes(host.as_bytes()), "{host}");
        }
        for elsewhere in ["0.0.0.0:8081", "unix:/run/gateway.sock"] {
            let everywhere = BrowserCheck::new(&elsewhere.parse().unwrap(), []);
            assert!(everywhere.takes(b"gateway:8081"));
        }
    }

    #[test]
    fn pages_are_known_by_their_fields() {
        let of = |lines: &[(&'static str, &'static str)]| {
            let mut fields = HeaderMap::new();
            for (name, value) in lines {
                fields.append(*name, HeaderValue::from_static(value));
            }
            is_of_page(&fields)
        };
        assert!(!of(&[]));
        assert!(!of(&[("sec-fetch-site", "none")]));
        assert!(!of(&[("sec-fetch-site", "same-origin")]));
        for origin in ["null", "https://evil.example", "http://localhost:8081", ""] {
            assert!(of(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "None", "", "none, none"] {
            assert!(of(&[("sec-fetch-site", site)]), "{site}");
        }
        assert!(of(&[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")]));
    }
}
