//! Stores of secrets, and the cache before them.

mod cache;
mod file;
mod memory;
mod read;
mod redaction;
#[cfg(feature = "remote-keys")]
mod remote;
mod store;

use std::time::{Duration, SystemTime};

use framesign::{
    PayloadHash, SigningDate, SigningKey, SigningOptions, StringToSign,
    frame::HeadReader,
    secrets::{KeyCache, Secret, SecretStore},
    sign_head,
    verify::{Claim, Policy, Verified, Verifier},
};

/// Noon of the day that claims are for, unless a test moves it.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_891_200)
}

fn date() -> SigningDate {
    "20230801".parse().unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

/// What a head with this access key claims for `date`.
fn claim_of(access_key: &[u8], date: SigningDate) -> Claim {
    let before = b"GET / HTTP/1.1\r\nHost: a\r\ndynata-access-key: ";
    let rest = format!("\r\ndynata-date: {date}\r\ndynata-signature: {}\r\n\r\n", "0".repeat(64));
    let head = [before, access_key, rest.as_bytes()].concat();
    let policy = Policy::default().without_freshness().skew(Duration::from_secs(30 * 86_400));
    let mut reader = HeadReader::new(policy.rules().clone());
    policy.examine(&reader.read(&head).unwrap().unwrap(), noon()).unwrap()
}

fn claim(access_key: &str) -> Claim {
    claim_of(access_key.as_bytes(), date())
}

/// The proof of a frame of `access_key` that was signed at noon, when `secret` was live.
fn verified(access_key: &str, secret: &Secret) -> Verified {
    let policy = Policy::default();
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let key = secret.signing_key(access_key, date()).unwrap();
    let options = SigningOptions::for_policy(&policy);
    let frame = sign_head(head, &key, PayloadHash::of(b""), noon(), &options).unwrap();
    let mut verifier = Verifier::new(&policy, |_: &Claim| vec![key.clone()], noon);
    verifier.update(&frame).unwrap();
    verifier.finish().unwrap()
}

/// Runs a future to its end.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn keys<S: SecretStore>(cache: &KeyCache<S>, claim: &Claim) -> Vec<SigningKey> {
    wait(cache.keys(claim)).unwrap()
}

/// What keys sign tells them apart.
fn signs(keys: &[SigningKey]) -> Vec<String> {
    let text = PayloadHash::of(b"").to_string();
    let string_to_sign: StringToSign = text.parse().unwrap();
    keys.iter().map(|key| key.sign(&string_to_sign).to_string()).collect()
}

/// What the keys of these secrets sign.
fn signs_of(access_key: &str, date: SigningDate, secrets: &[&str]) -> Vec<String> {
    let key = |text: &&str| secret(text).signing_key(access_key, date).unwrap();
    signs(&secrets.iter().map(key).collect::<Vec<_>>())
}
