//! Stores of one's own.

use std::{error::Error, io};

use framesign::secrets::{AnyStore, KeyCache, MemoryStore, Secret, SecretStore, StoreError};

use super::{claim, keys, secret, wait};

/// A store that answers after a while, or fails.
struct Slow {
    is_down: bool,
}

impl SecretStore for Slow {
    async fn secrets(&self, _: &[u8]) -> Result<Vec<Secret>, StoreError> {
        tokio::task::yield_now().await;
        if self.is_down {
            let source = io::Error::new(io::ErrorKind::TimedOut, "no answer");
            return Err(StoreError::new(source));
        }
        Ok(vec![secret("secret")])
    }
}

#[test]
fn answer_may_take_its_time() {
    let cache = KeyCache::new(Slow { is_down: false });
    assert_eq!(keys(&cache, &claim("access")).len(), 1);
}

#[test]
fn failure_of_a_store_is_told_with_its_source() {
    let cache = KeyCache::new(Slow { is_down: true });
    let error = wait(cache.keys(&claim("access"))).unwrap_err();
    let message = "the live secrets of an access key cannot be had: no answer";
    assert_eq!(error.to_string(), message);
    let inner = error.into_inner();
    assert_eq!(inner.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::TimedOut);
    assert!(StoreError::new("down").source().is_none());
}

#[test]
fn store_is_chosen_at_run_time() {
    let memory = MemoryStore::new();
    memory.add("access", secret("secret")).unwrap();
    for (store, count) in [
        (AnyStore::new(memory), 1),
        (AnyStore::new(MemoryStore::new()), 0),
        (AnyStore::new(Slow { is_down: false }), 1),
    ] {
        assert_eq!(keys(&KeyCache::new(store.clone()), &claim("access")).len(), count);
        assert_eq!(wait(store.secrets(b"access")).unwrap().len(), count);
    }
}

#[test]
fn keys_can_be_asked_for_in_a_spawned_task() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cache = KeyCache::new(AnyStore::new(Slow { is_down: false }));
    let task = runtime.spawn(async move { cache.keys(&claim("access")).await.unwrap().len() });
    assert_eq!(runtime.block_on(task).unwrap(), 1);
}
