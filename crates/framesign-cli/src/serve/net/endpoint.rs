//! The two ends of a connection: where a server listens, and who calls.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// The place at which a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    /// `ADDR:PORT`.
    Tcp(SocketAddr),
    /// `unix:/PATH`.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Returns whether programs of this machine alone reach it. At a unix socket the permissions of
    /// its file say which.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unix = || unix_path(text).map(Self::Unix);
        let address = text.parse().ok().map(Self::Tcp).or_else(unix);
        address.ok_or("expected ADDR:PORT or unix:/PATH")
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The path of `unix:/PATH`, or of `unix:///PATH`, which is the same; `None` if there is no absolute
/// path.
pub(crate) fn unix_path(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("unix:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (path.len() > 1 && path.starts_with('/')).then(|| path.into())
}

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerAddress {
    Tcp(SocketAddr),
    /// A client of a unix socket has none.
    Unix,
}

impl PeerAddress {
    /// Address and port, if it has them.
    pub(crate) fn socket(self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(address),
            Self::Unix => None,
        }
    }

    /// The address, if it has one.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        self.socket().map(|address| address.ip())
    }

    /// Returns whether it is a program of this machine.
    pub(crate) fn is_local(self) -> bool {
        self.ip().is_none_or(|ip| ip.to_canonical().is_loopback())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ListenAddress, PeerAddress};

    #[test]
    fn places_to_listen_at_are_read() {
        let unix = || Ok(ListenAddress::Unix("/run/app.sock".into()));
        assert_eq!("unix:/run/app.sock".parse(), unix());
        assert_eq!("unix:///run/app.sock".parse(), unix());
        for (text, is_local) in [
            ("127.0.0.1:0", true),
            ("[::1]:80", true),
            ("unix:/run/app.sock", true),
            ("0.0.0.0:80", false),
            ("10.0.0.1:80", false),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!((address.to_string().as_str(), address.is_local()), (text, is_local));
        }
        for text in
            ["", "h:80", "127.0.0.1", "unix:", "unix:/", "unix:relative", "unix://h", "/run"]
        {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn programs_of_this_machine_are_told_from_the_network() {
        for (address, expected) in [
            ("127.0.0.1:80", true),
            ("127.1.2.3:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("10.0.0.1:80", false),
            ("[::ffff:10.0.0.1]:80", false),
            ("[2001:db8::1]:80", false),
        ] {
            let peer = PeerAddress::Tcp(address.parse().unwrap());
            assert_eq!(peer.is_local(), expected, "{address}");
        }
        assert!(PeerAddress::Unix.is_local());
    }
}
