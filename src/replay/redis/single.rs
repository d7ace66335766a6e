//! The connection to one server, made anew if the server refused the login.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

/// A connection to one server. Clones are the same one.
///
/// A [`ConnectionManager`] connects anew after an I/O error alone. The answer to a login that was
/// refused would stay its answer for ever, so the manager is replaced then.
#[derive(Clone)]
pub(super) struct SingleConnection(Arc<Shared>);

struct Shared {
    client: Client,
    config: ConnectionManagerConfig,
    current: Mutex<Current>,
}

/// The manager that is asked, and how many there were before it.
#[derive(Clone)]
struct Current {
    manager: ConnectionManager,
    generation: u64,
}

impl SingleConnection {
    /// Connects with the first question.
    pub(super) fn new(client: Client, config: ConnectionManagerConfig) -> RedisResult<Self> {
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
        let current = Mutex::new(Current { manager, generation: 0 });
        Ok(Self(Arc::new(Shared { client, config, current })))
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let Current { mut manager, generation } = self.current().clone();
        let answer = command.query_async(&mut manager).await;
        if answer.as_ref().is_err_and(is_of_login) {
            self.replace(generation)?;
        }
        answer
    }

    /// Replaces the manager, unless another question has done so: all that met one refusal share
    /// the next attempt, which the next question makes.
    fn replace(&self, generation: u64) -> RedisResult<()> {
        let Shared { client, config, .. } = &*self.0;
        let mut current = self.current();
        if current.generation == generation {
            current.manager =
                ConnectionManager::new_lazy_with_config(client.clone(), config.clone())?;
            current.generation += 1;
        }
        Ok(())
    }

    // A value is whole whenever its lock is free: nothing under the lock panics half-way.
    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns `true` if a refused AUTH or SELECT can be the cause. The error of a refused SELECT is of
/// the kind of any answer `-ERR`, which scripts that are right do not get.
fn is_of_login(error: &RedisError) -> bool {
    let is_kind = matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::ResponseError)
    );
    is_kind || error.code() == Some("NOAUTH")
}

#[cfg(test)]
mod tests {
    use super::{Client, ConnectionManagerConfig, SingleConnection};

    /// The second one that met a refusal finds the manager of the first, which may have connected.
    #[tokio::test]
    async fn one_refusal_replaces_the_manager_once() {
        let client = Client::open("redis://127.0.0.1:1").unwrap();
        let connection = SingleConnection::new(client, ConnectionManagerConfig::new()).unwrap();
        for (refused, generation) in [(0, 1), (0, 1), (1, 2), (0, 2), (1, 2), (2, 3)] {
            connection.replace(refused).unwrap();
            assert_eq!(connection.current().generation, generation);
        }
    }
}
