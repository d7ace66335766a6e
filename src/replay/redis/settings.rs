//! Where Redis is, and how it is asked.

use std::{error, fmt, time::Duration};

use zeroize::Zeroizing;

/// Where Redis is, and how it is asked.
///
/// | URL | server |
/// |---|---|
/// | `redis://HOST:PORT/DATABASE` | one, without TLS; PORT is 6379 and DATABASE 0 unless given |
/// | `rediss://HOST:PORT/DATABASE` | one, with TLS |
/// | `redis-cluster://HOST:PORT,HOST:PORT` | a cluster, by some of its nodes, without TLS |
/// | `rediss-cluster://HOST:PORT,HOST:PORT` | a cluster with TLS |
/// | `redis+unix:///PATH` | one, by a Unix socket |
///
/// A user name may stand before the host: `redis://USER@HOST`.
#[derive(Clone)]
pub struct RedisSettings {
    pub(super) urls: Vec<Box<str>>,
    pub(super) is_cluster: bool,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) prefix: Box<str>,
    pub(super) timeout: Duration,
    pub(super) root_certificates: Option<Vec<u8>>,
}

impl RedisSettings {
    /// The default of [`timeout`](Self::timeout): half a second.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);

    /// The default of [`prefix`](Self::prefix).
    pub const DEFAULT_PREFIX: &str = "framesign:replay:";

    /// The settings for the server at `url`.
    ///
    /// # Errors
    ///
    /// A [`RedisSettingsError`] if `url` has none of the forms above.
    pub fn new(url: &str) -> Result<Self, RedisSettingsError> {
        let (scheme, rest) = url.split_once("://").ok_or_else(other_form)?;
        let single = match scheme {
            "redis-cluster" => Some("redis"),
            "rediss-cluster" => Some("rediss"),
            "redis" | "rediss" | "redis+unix" => None,
            _ => return Err(other_form()),
        };
        let urls: Vec<Box<str>> = match single {
            Some(scheme) => nodes(scheme, rest),
            None => vec![url.into()],
        };
        if !urls.iter().all(|url| is_of_a_server(url)) {
            return Err(other_form());
        }
        Ok(Self {
            urls,
            is_cluster: single.is_some(),
            password: None,
            prefix: Self::DEFAULT_PREFIX.into(),
            timeout: Self::DEFAULT_TIMEOUT,
            root_certificates: None,
        })
    }

    /// Returns `true` if the URL holds a password, as one that others can read should not.
    #[must_use]
    pub fn has_password_in_url(&self) -> bool {
        let mut urls = self.urls.iter().filter_map(|url| redis::parse_redis_url(url));
        // That of a socket has no authority, and a query in its place.
        urls.any(|url| {
            url.password().is_some() || url.query_pairs().any(|(name, _)| name == "pass")
        })
    }

    /// Sets the password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(Zeroizing::new(password.to_owned()));
        self
    }

    /// Sets what the keys of entries begin with, for a server that keeps other things too.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long a question may take, connecting included; half a second unless set. Afterwards
    /// the store counts as one that cannot be asked.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the certificates that the server's is held to, in PEM; those of the system unless set.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(pem.into());
        self
    }
}

/// A URL for each of the nodes, with the user that stands before the first.
fn nodes(scheme: &str, rest: &str) -> Vec<Box<str>> {
    let (user, nodes) = rest.rsplit_once('@').unwrap_or(("", rest));
    let at = if user.is_empty() { "" } else { "@" };
    nodes.split(',').map(|node| format!("{scheme}://{user}{at}{node}").into()).collect()
}

fn is_of_a_server(url: &str) -> bool {
    let Some(url) = redis::parse_redis_url(url) else { return false };
    // A socket has a path, and all others have a host.
    if url.scheme() == "redis+unix" {
        return url.path().len() > 1;
    }
    url.host_str().is_some_and(|host| !host.is_empty())
}

/// Settings that cannot be used.
#[derive(Debug)]
pub struct RedisSettingsError(Box<str>);

impl RedisSettingsError {
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string().into())
    }
}

fn other_form() -> RedisSettingsError {
    RedisSettingsError::new(
        "expected redis://HOST:PORT, rediss://HOST:PORT, redis-cluster://HOST:PORT,HOST:PORT, \
         rediss-cluster://HOST:PORT,HOST:PORT or redis+unix:///PATH, found another URL",
    )
}

impl fmt::Display for RedisSettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for RedisSettingsError {}

impl fmt::Debug for RedisSettings {
    /// Without the URL, which can hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("is_cluster", &self.is_cluster)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
