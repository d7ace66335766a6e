//! The connection to a server, or to the nodes of a cluster.

use std::time::Duration;

use redis::{
    Client, Cmd, ConnectionInfo, FromRedisValue, IntoConnectionInfo, RedisResult, TlsCertificates,
    aio::ConnectionManagerConfig,
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
    io::tcp::TcpSettings,
};

use super::{
    settings::{RedisSettings, RedisSettingsError},
    single::SingleConnection,
};

/// A connection that all questions share.
pub(super) enum Connection {
    Single(SingleConnection),
    Cluster(ClusterConnection),
}

/// The questions that can wait to be written: about as many as a service answers at a time.
const QUEUE: usize = 1024;

impl Connection {
    /// Connects with the first question.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, RedisSettingsError> {
        choose_tls();
        let connection =
            if settings.is_cluster { Self::cluster(settings) } else { Self::single(settings) };
        connection.map_err(RedisSettingsError::new)
    }

    fn single(settings: &RedisSettings) -> RedisResult<Self> {
        // There is one, unless it is a cluster.
        let url = settings.urls.first().map(|url| &**url).unwrap_or_default();
        let info = connection_info(url, settings)?;
        let client = match &settings.root_certificates {
            Some(_) => Client::build_with_tls(info, certificates(settings))?,
            None => Client::open(info)?,
        };
        // One attempt to connect answers all that wait for it. The next question makes another one, so
        // that nobody waits for a server that refuses, and one that is back is found at once.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_pipeline_buffer_size(QUEUE)
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout));
        Ok(Self::Single(SingleConnection::new(client, config)?))
    }

    fn cluster(settings: &RedisSettings) -> RedisResult<Self> {
        let nodes = settings.urls.iter().map(|url| connection_info(url, settings));
        let nodes = nodes.collect::<RedisResult<Vec<_>>>()?;
        let builder = ClusterClient::builder(nodes)
            .tcp_settings(tcp_settings(settings.timeout))
            .connection_timeout(settings.timeout)
            .response_timeout(settings.timeout);
        let client = match &settings.root_certificates {
            Some(_) => builder.certs(certificates(settings)).build()?,
            None => builder.build()?,
        };
        let connection = client.get_pending_async_connection_with_config(ClusterConfig::new());
        Ok(Self::Cluster(connection))
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Single(connection) => connection.query(command).await,
            Self::Cluster(connection) => command.query_async(&mut connection.clone()).await,
        }
    }
}

fn connection_info(url: &str, settings: &RedisSettings) -> RedisResult<ConnectionInfo> {
    let info = url.into_connection_info()?.set_tcp_settings(tcp_settings(settings.timeout));
    let Some(password) = &settings.password else { return Ok(info) };
    let redis = info.redis_settings().clone().set_password(password.as_str());
    Ok(info.set_redis_settings(redis))
}

fn certificates(settings: &RedisSettings) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: settings.root_certificates.clone() }
}

/// A server that vanished without a word must not hold up its connection for as long as the kernel
/// sends again.
fn tcp_settings(timeout: Duration) -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(timeout.max(Duration::from_secs(1)).saturating_mul(4));
    settings
}

/// A feature of another package can leave the choice of the TLS provider to the program: ring, then,
/// unless the program has chosen.
fn choose_tls() {
    // An error says that it is chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Connection, RedisSettings, tcp_settings};

    /// What waits for its acknowledgement is given up after four time-outs, none under a second.
    #[test]
    fn connection_to_a_server_that_vanished_is_given_up() {
        for (timeout, seconds) in [(0, 4), (999, 4), (1000, 4), (2500, 10)] {
            let settings = tcp_settings(Duration::from_millis(timeout));
            assert!(settings.nodelay());
            #[cfg(target_os = "linux")]
            assert_eq!(settings.user_timeout(), Some(Duration::from_secs(seconds)), "{timeout} ms");
            #[cfg(not(target_os = "linux"))]
            let _ = seconds;
        }
    }

    #[tokio::test]
    async fn time_out_has_no_greatest() {
        for url in ["redis://127.0.0.1:1", "redis-cluster://127.0.0.1:1"] {
            let settings = RedisSettings::new(url).unwrap().timeout(Duration::MAX);
            assert!(Connection::new(&settings).is_ok(), "{url}");
        }
    }
}
