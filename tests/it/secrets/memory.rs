//! The store in memory.

use std::sync::Arc;

use framesign::{
    ApiMisuse,
    secrets::{KeyCache, MemoryStore, SecretStore, signing_keys},
    verify::{Claim, Verifier},
};

use super::{claim, claim_of, date, keys, secret, signs, signs_of, wait};
use crate::signed::Case;

/// What the live secrets of `access` sign.
fn live(store: &MemoryStore) -> Vec<String> {
    signs(&signing_keys(&claim("access"), &store.live(b"access")))
}

#[test]
fn unknown_access_key_has_no_secret() {
    let store = MemoryStore::new();
    store.add("access", secret("secret")).unwrap();
    for access_key in [&b""[..], b"acces", b"access ", b"ACCESS", b"\xFF", b"access\0"] {
        assert!(store.live(access_key).is_empty());
    }
}

#[test]
fn newest_secret_comes_first() {
    let store = MemoryStore::new();
    for text in ["first", "second", "third"] {
        store.add("access", secret(text)).unwrap();
    }
    assert_eq!(live(&store), signs_of("access", date(), &["third", "second", "first"]));
}

#[test]
fn retiring_leaves_the_newest() {
    let store = MemoryStore::new();
    store.retire("access");
    store.add("access", secret("first")).unwrap();
    store.add("access", secret("second")).unwrap();
    store.retire("access");
    assert_eq!(live(&store), signs_of("access", date(), &["second"]));
}

#[test]
fn revoked_access_key_has_no_secret_until_one_is_added() {
    let store = MemoryStore::new();
    store.add("access", secret("first")).unwrap();
    store.revoke("access");
    assert!(store.live(b"access").is_empty());
    store.add("access", secret("second")).unwrap();
    assert_eq!(live(&store), signs_of("access", date(), &["second"]));
}

#[test]
fn keys_that_cannot_sign_are_refused() {
    let store = MemoryStore::new();
    assert_eq!(store.add("", secret("secret")), Err(ApiMisuse::EmptyAccessKey));
    assert_eq!(store.add("a\0", secret("secret")), Err(ApiMisuse::NulInAccessKey));
    let error = |text| framesign::secrets::Secret::new(text).unwrap_err();
    assert_eq!(error(""), ApiMisuse::EmptySecretKey);
    assert_eq!(error("s\0"), ApiMisuse::NulInSecretKey);
}

#[test]
fn access_key_that_is_no_text_has_no_key() {
    let claim = claim_of(b"\xFF", date());
    assert!(signing_keys(&claim, &[secret("secret")]).is_empty());
}

#[test]
fn shared_store_is_a_store() {
    let store = Arc::new(MemoryStore::new());
    let cache = KeyCache::new(Arc::clone(&store));
    store.add("access", secret("secret")).unwrap();
    assert_eq!(wait(store.secrets(b"access")).unwrap().len(), 1);
    assert_eq!(keys(&cache, &claim("access")).len(), 1);
}

/// The store of a published case.
fn store_of(case: &Case) -> MemoryStore {
    let store = MemoryStore::new();
    for access_key in case.facts("revoked") {
        store.add(access_key, secret("revoked")).unwrap();
        store.revoke(access_key);
    }
    for (access_key, text) in case.secrets() {
        store.add(access_key, secret(text)).unwrap();
    }
    store
}

#[test]
fn every_published_case_is_verified_or_refused_for_its_reason() {
    for case in Case::all() {
        let cache = KeyCache::new(store_of(&case));
        let with_cache = |claim: &Claim| keys(&cache, claim);
        let without = |claim: &Claim| signing_keys(claim, &cache.store().live(claim.access_key()));
        for round in ["derived", "kept"] {
            let mut verifier = Verifier::new(&case.policy, with_cache, || case.now);
            let result = verifier.update(&case.frame).map(|_| ());
            case.check(round, &result.and_then(|()| verifier.finish()));
        }
        let mut verifier = Verifier::new(&case.policy, without, || case.now);
        let result = verifier.update(&case.frame).map(|_| ());
        case.check("without a cache", &result.and_then(|()| verifier.finish()));
    }
}
