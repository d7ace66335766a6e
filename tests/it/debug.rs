//! `Debug` tells what a value is, and shows no secret: no key, query, value of a field or payload.

use framesign::{
    CanonicalHead, Credentials, FrameHasher, Rules, Signer, SigningDate, SigningKey,
    frame::HeadReader,
};

/// In every test here the secret, and nothing else.
const SECRET: &str = "hunter2";

const HEAD: &str = "PUT /up?token=hunter2 HTTP/1.1\r\nHost: h\r\nAuthorization: hunter2\r\n\
    Content-Length: 7\r\n\r\n";

/// What is shown of that head.
const SHOWN: &str = "Head { method: \"PUT\", target_form: Origin, \
    fields: [\"Host\", \"Authorization\", \"Content-Length\"], content_length: Some(7), .. }";

fn credentials() -> Credentials {
    Credentials::new("access", SECRET).unwrap()
}

fn date() -> SigningDate {
    "20230801".parse().unwrap()
}

fn key() -> SigningKey {
    SigningKey::derive(&credentials(), date())
}

/// Holds that `shown` begins in this way, and has the secret in none of the ways in which bytes are
/// shown.
fn check(shown: &str, begins: &str) {
    assert!(shown.starts_with(begins), "expected {begins}, found {shown}");
    assert_silent(shown);
}

fn assert_silent(shown: &str) {
    let in_decimal = format!("{:?}", SECRET.as_bytes());
    let key = &*credentials().signing_key_hex(date());
    for secret in [SECRET, in_decimal.trim_matches(['[', ']']), &hex::encode(SECRET), key] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn heads_and_fields_show_names_alone() {
    let mut reader = HeadReader::new(Rules::strict());
    let head = reader.read(HEAD.as_bytes()).unwrap().unwrap();
    check(&format!("{head:?}"), SHOWN);
    check(&format!("{:?}", head.fields()), "[\"Host\", \"Authorization\", \"Content-Length\"]");
    check(&format!("{:?}", head.fields().nth(1)), "Some(Field { name: \"Authorization\", .. })");
    // Whoever wants to see the values says so.
    assert!(CanonicalHead::new(head).to_string().contains(SECRET));
}

#[test]
fn signers_show_how_far_they_are() {
    let frame = [HEAD, SECRET].concat();
    let mut signer = Signer::new(&key());
    check(&format!("{signer:?}"), "Signer { hasher: FrameHasher { state: \"Head\", .. }, .. }");
    let update = signer.update(frame.as_bytes()).unwrap();
    check(&format!("{update:?}"), &format!("Update {{ head: Some({SHOWN}), payload: 7 bytes }}"));
    let begins = "Signer { hasher: FrameHasher { state: Some(Progress {";
    check(&format!("{signer:?}"), begins);
    let mut hasher = FrameHasher::new(Rules::strict());
    hasher.update(format!("GET /{SECRET}").as_bytes()).unwrap();
    check(&format!("{hasher:?}"), "FrameHasher { state: \"Head\", .. }");
    hasher.update(b"\rh").unwrap_err();
    check(&format!("{hasher:?}"), "FrameHasher { state: FrameError {");
}

#[test]
fn keys_show_whose_they_are() {
    check(&format!("{:?}", credentials()), "Credentials { access_key: \"access\", .. }");
    check(&format!("{:?}", key()), "SigningKey { access_key: \"access\", date: SigningDate(");
}

#[cfg(feature = "verify")]
mod verifying {
    use std::time::{Duration, SystemTime};

    use framesign::{
        PayloadHash, SignableHead, SigningOptions, UnsignedHead, sign_head,
        verify::{Claim, Policy, Verifier},
    };

    use super::{HEAD, HeadReader, SECRET, check, date, key};

    pub(super) fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_690_900_000)
    }

    /// A signed head of a payload that is the secret.
    pub(super) fn signed() -> Vec<u8> {
        let (payload, options) = (PayloadHash::of(SECRET.as_bytes()), SigningOptions::default());
        sign_head(HEAD.as_bytes(), &key(), payload, now(), &options).unwrap()
    }

    /// The same, and that the signature is not shown, with which the frame can be sent again.
    pub(super) fn check_signed(shown: &str, begins: &str, head: &[u8]) {
        check(shown, begins);
        let text = str::from_utf8(head).unwrap();
        let (_, rest) = text.split_once("dynata-signature: ").unwrap();
        let (signature, _) = rest.split_once("\r\n").unwrap();
        assert!(!shown.contains(signature), "{shown}");
    }

    #[test]
    fn claims_and_proofs_show_whose_they_are() {
        let (head, policy) = (signed(), Policy::default());
        let mut reader = HeadReader::new(policy.rules().clone());
        let claim = policy.examine(&reader.read(&head).unwrap().unwrap(), now()).unwrap();
        let whose = "{ access_key: \"access\", ";
        check_signed(&format!("{claim:?}"), &format!("Claim {whose}date: SigningDate("), &head);
        let pending = claim.check(&[key()]).unwrap();
        check_signed(&format!("{pending:?}"), &format!("Pending {whose}progress: "), &head);

        let mut verifier = Verifier::new(&policy, |_: &Claim| vec![key()], now);
        let begins = "Verifier { state: \"Head\", .. }";
        check_signed(&format!("{verifier:?}"), begins, &head);
        verifier.update(&head).unwrap();
        let begins = format!("Verifier {{ state: Pending {whose}");
        check_signed(&format!("{verifier:?}"), &begins, &head);
        verifier.update(SECRET.as_bytes()).unwrap();
        let proof = verifier.finish().unwrap();
        check_signed(&format!("{proof:?}"), &format!("Verified {whose}date: "), &head);
    }

    #[test]
    fn verifiers_that_have_refused_show_why() {
        let (head, policy) = (signed(), Policy::default());
        let mut verifier = Verifier::new(&policy, |_: &Claim| Vec::new(), now);
        verifier.update(&head).unwrap_err();
        check_signed(&format!("{verifier:?}"), "Verifier { state: Refusal {", &head);
    }

    /// The bytes of a peer must not act on the line in which they stand, nor fill it.
    #[test]
    fn access_keys_of_peers_are_shown_escaped_and_cut() {
        let shown = |access_key: &[u8]| {
            let head = signed();
            let at = head.windows(6).position(|bytes| bytes == b"access").unwrap();
            let at = at + b"access-key: ".len();
            let head = [&head[..at], access_key, &head[at + b"access".len()..]].concat();
            let mut reader = HeadReader::new(Policy::default().rules().clone());
            let head = reader.read(&head).unwrap().unwrap();
            format!("{:?}", Policy::default().examine(&head, now()).unwrap())
        };
        let escaped = shown(b"a\tb\"\xff\x80");
        assert!(escaped.contains(r#"access_key: "a\\tb\\\"\\xff\\x80""#), "{escaped}");
        for (len, expected) in [(63, 63), (64, 64), (65, 64), (10_000, 64)] {
            let cut = if len > expected { "…" } else { "" };
            let expected = format!("access_key: \"{}{cut}\"", "x".repeat(expected));
            assert!(shown(&vec![b'x'; len]).contains(&expected), "{len}");
        }
    }

    #[test]
    fn heads_to_be_signed_show_no_value() {
        let (key, options) = (key(), SigningOptions::default());
        let signable = SignableHead::new(HEAD.as_bytes(), &key, now(), &options).unwrap();
        check(&format!("{signable:?}"), "SignableHead { key: SigningKey { access_key: ");
        let unsigned = UnsignedHead::new(HEAD.as_bytes(), "access", date(), now(), &options);
        check(&format!("{:?}", unsigned.unwrap()), "UnsignedHead { len: ");
    }
}

#[cfg(feature = "explain")]
mod explain {
    use framesign::explain::{Case, Evidence, Explanation, differences};

    use super::{HEAD, Rules, SECRET, check, credentials, date};

    #[test]
    fn what_is_explained_shows_no_value() {
        let frame = [HEAD, SECRET].concat();
        let case = Case::new(frame.as_bytes(), Rules::strict()).without_field("signature");
        let case = case.keys(credentials(), date());
        let shown = format!("{case:?}");
        check(&shown, &format!("Case {{ frame: {} bytes, rules: Rules {{", frame.len()));
        let whose = "left_out: Some(\"signature\"), \
            keys: Some((Credentials { access_key: \"access\", .. }, SigningDate(";
        assert!(shown.contains(whose), "{shown}");

        let explanation = Explanation::new(&case).unwrap();
        let [marks, pieces] = [explanation.marks().len(), explanation.pieces().len()];
        let begins = format!("Explanation {{ marks: {marks}, pieces: {pieces}, string_to_sign: ");
        check(&format!("{explanation:?}"), &begins);

        let ours = explanation.canonical_request();
        check(&format!("{:?}", Evidence::parse(ours)), "Evidence(canonical-request)");
        let theirs = String::from_utf8_lossy(ours).replace("token=", "Token=");
        let shown = "[Difference { line: 3, byte: 0, part: \"CanonicalQuery\", .. }]";
        check(&format!("{:?}", differences(ours, theirs.as_bytes())), shown);
    }
}

#[cfg(feature = "codec")]
mod codec {
    use std::task::{Context, Poll, Waker};

    use bytes::{Bytes, BytesMut};
    use framesign::{
        codec::{OffloadedRead, SigningCodec, SigningEvent},
        io::{SigningReader, SigningStream},
        offload::{HashPool, OffloadedHash},
    };
    use futures_util::Stream;
    use tokio_util::codec::Decoder;

    use super::{HEAD, SECRET, SHOWN, Signer, check, key};

    pub(super) fn pool() -> HashPool {
        HashPool::new(1.try_into().unwrap()).unwrap()
    }

    /// Reads as far as there is something, so that what was read waits to be decoded.
    pub(super) fn read_on<S: Stream<Item: std::fmt::Debug> + Unpin>(stream: &mut S) {
        let mut context = Context::from_waker(Waker::noop());
        let first = std::pin::Pin::new(stream).poll_next(&mut context);
        assert!(matches!(first, Poll::Ready(Some(_))), "{first:?}");
    }

    #[test]
    fn codec_and_its_events_show_no_value() {
        let mut codec = SigningCodec::new(key());
        check(&format!("{codec:?}"), "SigningCodec { state: Open, .. }");
        let mut buffer = BytesMut::from(&*[HEAD, SECRET].concat());
        let mut next = || codec.decode(&mut buffer).unwrap().unwrap();
        let head = next();
        check(&format!("{head:?}"), &format!("Head(FrameHead({SHOWN}))"));
        check(&format!("{:?}", next()), "Data(7 bytes)");
        let signed = next();
        let SigningEvent::Signed(signature) = signed else { panic!("{signed:?}") };
        check(&format!("{signed:?}"), &format!("Signed(Signature({signature}))"));
    }

    #[test]
    fn readers_do_not_show_what_they_have_read() {
        let frame = [HEAD, SECRET].concat();
        let mut read = OffloadedRead::new(frame.as_bytes(), SigningCodec::new(key()), &pool());
        read_on(&mut read);
        check(&format!("{read:?}"), "OffloadedRead { decoder: SigningCodec { state: Open, .. }, ");

        let empty = tokio::io::empty();
        let reader = SigningReader::new(empty, Signer::new(&key()));
        check(&format!("{reader:?}"), "SigningReader { inner: Empty");
        assert!(format!("{reader:?}").contains("signer: StreamSigner { progress: None"));
        let none = futures_util::stream::empty::<std::io::Result<Bytes>>();
        let stream = SigningStream::new(none, Signer::new(&key()));
        check(&format!("{stream:?}"), "SigningStream { inner: Empty");
    }

    #[test]
    fn pools_and_their_payloads_show_no_byte() {
        let pool = pool();
        check(&format!("{pool:?}"), "HashPool { .. }");
        let mut hash = OffloadedHash::new(&pool);
        hash.push(Bytes::from_static(SECRET.as_bytes()));
        check(&format!("{hash:?}"), "OffloadedHash { queued: ");
    }
}

#[cfg(all(feature = "codec", feature = "verify"))]
mod verifying_codec {
    use bytes::BytesMut;
    use framesign::{
        codec::VerifyingCodec,
        verify::{Claim, Policy},
    };
    use tokio_util::codec::Decoder;

    use super::{
        SECRET, key,
        verifying::{check_signed, now, signed},
    };

    pub(super) fn codec() -> VerifyingCodec {
        VerifyingCodec::new(Policy::default(), |_: &Claim| vec![key()]).clock(now)
    }

    #[test]
    fn codec_and_its_events_show_no_value() {
        let (head, mut codec) = (signed(), codec());
        check_signed(&format!("{codec:?}"), "VerifyingCodec { state: Open, .. }", &head);
        let mut buffer = BytesMut::from(&*[&head, SECRET.as_bytes()].concat());
        for begins in ["Head(FrameHead(Head { ", "Data(7 bytes)", "Verified(Verified { "] {
            let event = codec.decode(&mut buffer).unwrap().unwrap();
            check_signed(&format!("{event:?}"), begins, &head);
        }
    }

    #[cfg(feature = "replay")]
    #[tokio::test]
    async fn guarded_frames_do_not_show_what_was_read() {
        use framesign::{
            codec::ReplayGuarded,
            replay::{MemoryReplayStore, Outage, ReplayGuard},
        };
        use futures_util::StreamExt;
        use tokio_util::codec::FramedRead;

        let guard = ReplayGuard::new(MemoryReplayStore::new(1), Outage::Refuse).clock(now);
        let head = signed();
        check_signed(&format!("{guard:?}"), "ReplayGuard { outage: Refuse, .. }", &head);
        let frame = [&head, SECRET.as_bytes()].concat();
        let mut frames = ReplayGuarded::new(FramedRead::new(&frame[..], codec()), guard);
        frames.next().await.unwrap().unwrap();
        let begins = "ReplayGuarded { check: Some(ReplayCheck { state: \"Reserved\", .. }), .. }";
        check_signed(&format!("{frames:?}"), begins, &head);
    }
}

#[cfg(feature = "replay")]
mod replay {
    use framesign::{
        replay::MemoryReplayStore,
        verify::{Claim, Policy, Verifier},
    };

    use super::{
        SECRET, check, key,
        verifying::{check_signed, now, signed},
    };

    #[test]
    fn stores_show_how_much_they_hold() {
        let shown = format!("{:?}", MemoryReplayStore::new(7));
        check(&shown, "MemoryReplayStore { max_entries: 7, entries: 0, .. }");
    }

    /// The name of an entry tells nothing of its frame.
    #[test]
    fn entries_show_their_name_and_their_end() {
        let head = signed();
        let mut verifier = Verifier::new(&Policy::default(), |_: &Claim| vec![key()], now);
        verifier.update(&[&head, SECRET.as_bytes()].concat()).unwrap();
        let entry = verifier.finish().unwrap().replay_entry();
        let (name, expires_at) = (hex::encode(entry.name()), entry.expires_at());
        let expected = format!("ReplayEntry {{ name: {name}, expires_at: {expires_at:?} }}");
        check_signed(&format!("{entry:?}"), &expected, &head);
    }

    #[cfg(feature = "replay-redis")]
    #[tokio::test]
    async fn a_store_in_redis_shows_its_prefix_and_its_time_out() {
        use std::time::Duration;

        use framesign::replay::{RedisReplayStore, RedisSettings};

        let settings = RedisSettings::new("redis://user:hunter2@127.0.0.1:1").unwrap();
        let settings = settings.timeout(Duration::from_secs(7));
        let store = RedisReplayStore::new(&settings).unwrap();
        let expected = "RedisReplayStore { prefix: \"framesign:replay:\", timeout: 7s, .. }";
        check(&format!("{store:?}"), expected);
    }

    #[cfg(feature = "replay-redis")]
    #[test]
    fn settings_of_redis_show_no_password() {
        use framesign::replay::RedisSettings;

        let settings = RedisSettings::new("redis://user:hunter2@127.0.0.1:1").unwrap();
        check(&format!("{settings:?}"), "RedisSettings { is_cluster: false, prefix: ");
        let settings = RedisSettings::new("redis://127.0.0.1:1").unwrap().password("hunter2");
        check(&format!("{settings:?}"), "RedisSettings { is_cluster: false, prefix: ");
    }
}

#[cfg(feature = "tower")]
mod layer {
    use bytes::Bytes;
    use framesign::{
        PayloadHash, SigningOptions,
        http::{SigningBody, VerifyingBody, sign_request},
        secrets::{MemoryStore, Secret},
        tower::VerifyLayer,
        verify::Policy,
    };
    use http::request::Parts;
    use http_body_util::Full;
    use tower::Layer;

    use super::{Rules, SECRET, check, key, verifying::now};

    fn parts() -> Parts {
        let request = http::Request::put("http://h/up?token=hunter2").header("content-length", 7);
        let (mut parts, ()) =
            request.header("authorization", SECRET).body(()).unwrap().into_parts();
        let (payload, options) = (PayloadHash::of(SECRET.as_bytes()), SigningOptions::default());
        sign_request(&mut parts, &key(), payload, now(), &options).unwrap();
        parts
    }

    #[test]
    fn layer_and_service_show_settings() {
        let store = MemoryStore::new();
        store.add("access", Secret::new(SECRET).unwrap()).unwrap();
        let layer = VerifyLayer::new(store).max_buffered_payload(5);
        let shown = format!("{layer:?}");
        check(&shown, "VerifyLayer { policy: Policy {");
        assert!(shown.contains("max_buffered_payload: 5, stream_unproven: false"), "{shown}");
        check(&format!("{:?}", layer.layer("inner")), "Verify { inner: \"inner\", .. }");
    }

    #[test]
    fn bodies_show_how_far_they_are() {
        let body = || Full::<Bytes>::from(SECRET);
        let claim = Policy::default().examine_parts(&parts(), now()).unwrap();
        let verifying = VerifyingBody::new(body(), claim.check(&[key()]).unwrap());
        check(&format!("{verifying:?}"), "VerifyingBody { progress: Some(Progress {");
        let signing = SigningBody::new(&parts(), body(), &key(), &Rules::strict()).unwrap();
        check(&format!("{signing:?}"), "SigningBody { progress: Some(Progress {");
    }
}

#[cfg(feature = "tower-sign")]
mod client {
    use framesign::{client::RequestSigner, tower::SignLayer};

    use super::{check, credentials};

    #[test]
    fn layer_and_signer_show_whose_they_are() {
        let signer = RequestSigner::new(credentials());
        let begins = "RequestSigner { keys: DailyKey(Credentials { access_key: \"access\", .. }";
        check(&format!("{signer:?}"), begins);
        let layer = SignLayer::new(signer);
        check(&format!("{layer:?}"), &format!("SignLayer {{ signer: {begins}"));
    }
}
