//! What is refused leaves the offset where it was.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use http::Request;

use super::{
    client::{ALICE, Answer, BOB, Call, Content, Server, bytes, content, repr_digest},
    stores::{Kept, PIECE},
};

/// An upload with one part, of `PIECE` bytes, and what it is an upload of.
struct Begun {
    kept: Kept,
    server: Server,
    path: String,
    whole: Vec<u8>,
}

impl Begun {
    async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for kept in Kept::all() {
            let (server, whole) = (Server::of(&kept), bytes(3 * PIECE));
            let path = server.call(Call::create("f", &whole[..PIECE], false)).await.location();
            all.push(Self { kept, server, path, whole });
        }
        all
    }

    /// The next part, which is not the last.
    fn next(&self) -> Call {
        Call::part(&self.path, PIECE, &self.whole[PIECE..2 * PIECE], false)
    }

    async fn refused(&self, request: Request<Content>, status: u16) -> Answer {
        let answer = self.server.send(request).await.expect(status);
        assert_eq!(answer.field("content-type"), Some("application/problem+json"));
        self.is_as_it_was().await;
        answer
    }

    async fn is_as_it_was(&self) {
        let answer = self.server.call(Call::new("HEAD", &self.path)).await.expect(204);
        assert_eq!(answer.field("upload-offset").unwrap(), PIECE.to_string());
        assert_eq!(answer.field("upload-complete"), Some("?0"));
        assert!(self.kept.files().await.is_empty());
    }

    /// The upload goes on to its end, whatever was refused.
    async fn goes_on(self) {
        self.is_as_it_was().await;
        self.server.call(self.next()).await.expect(204);
        let last = Call::part(&self.path, 2 * PIECE, &self.whole[2 * PIECE..], true);
        self.server.call(last).await.expect(201);
        assert!(self.kept.read("f").await == self.whole);
    }
}

#[tokio::test]
async fn flipped_bit_anywhere_in_a_part() {
    for begun in Begun::all().await {
        let part = &begun.whole[PIECE..2 * PIECE];
        for at in (0..PIECE).step_by(37).chain([PIECE - 1]) {
            let mut flipped = part.to_vec();
            flipped[at] ^= 1 << (at % 8);
            begun.refused(begun.next().in_frames(ALICE, vec![flipped]), 401).await;
        }
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn flipped_bit_in_any_field_of_a_part() {
    for begun in Begun::all().await {
        let signed = begun.next().head(ALICE, &Call::options());
        let mut count = 0;
        for name in signed.headers.keys() {
            let mut parts = signed.clone();
            let mut value = parts.headers[name].as_bytes().to_vec();
            *value.last_mut().unwrap() ^= 1;
            parts.headers.insert(name.clone(), http::HeaderValue::from_bytes(&value).unwrap());
            let part = begun.whole[PIECE..2 * PIECE].to_vec();
            let answer = begun.server.send(Request::from_parts(parts, content(vec![part]))).await;
            assert!([400, 401].contains(&answer.status.as_u16()), "{name}: {answer:?}");
            begun.is_as_it_was().await;
            count += 1;
        }
        assert!(count >= 10, "{count}");
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn part_that_is_cut_or_too_long() {
    for begun in Begun::all().await {
        let part = &begun.whole[PIECE..2 * PIECE];
        for cut in [0, 1, PIECE / 2, PIECE - 1] {
            let frames = vec![part[..cut].to_vec()];
            begun.refused(begun.next().in_frames(ALICE, frames), 400).await;
        }
        let longer = vec![part.to_vec(), vec![0]];
        begun.refused(begun.next().in_frames(ALICE, longer), 400).await;
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn parts_out_of_order_doubled_or_with_a_gap() {
    for begun in Begun::all().await {
        let part = &begun.whole[PIECE..2 * PIECE];
        for offset in [0, 1, PIECE - 1, PIECE + 1, 2 * PIECE, usize::MAX >> 20] {
            let call = Call::part(&begun.path, offset, part, false);
            let answer = begun.refused(call.signed(ALICE), 409).await;
            let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            let kind = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset";
            assert_eq!(json["type"], kind);
            assert_eq!(json["expected-offset"], PIECE);
            assert_eq!(json["provided-offset"], offset);
            assert_eq!(answer.field("upload-offset").unwrap(), PIECE.to_string());
            assert_eq!(answer.field("upload-complete"), Some("?0"));
        }
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn part_that_is_replayed() {
    for begun in Begun::all().await {
        let part = vec![begun.whole[PIECE..2 * PIECE].to_vec()];
        let head = begun.next().head(ALICE, &Call::options());
        let request = || Request::from_parts(head.clone(), content(part.clone()));
        begun.server.send(request()).await.expect(204);
        for _ in 0..3 {
            let answer = begun.server.send(request()).await.expect(409);
            assert_eq!(answer.field("upload-offset").unwrap(), (2 * PIECE).to_string());
        }
        let last = Call::part(&begun.path, 2 * PIECE, &begun.whole[2 * PIECE..], true);
        begun.server.call(last).await.expect(201);
        begun.server.send(request()).await.expect(409);
        assert!(begun.kept.read("f").await == begun.whole);
    }
}

#[tokio::test]
async fn part_of_another_upload() {
    for begun in Begun::all().await {
        let other =
            begun.server.call(Call::create("g", &begun.whole[..PIECE], false)).await.location();
        // Signed for the other upload, sent to this one.
        let call = Call::part(&other, PIECE, &begun.whole[PIECE..2 * PIECE], false);
        let mut request = call.signed(ALICE);
        *request.uri_mut() = begun.path.parse().unwrap();
        begun.refused(request, 401).await;
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn upload_of_another_access_key_is_not_found() {
    for begun in Begun::all().await {
        let calls = [
            begun.next(),
            Call::new("HEAD", &begun.path),
            Call::new("GET", &begun.path),
            Call::new("DELETE", &begun.path),
            Call::part(&begun.path, PIECE, &[], true),
        ];
        let nowhere = Call::new("HEAD", "/uploads/00000000000000000000000000000000");
        let nowhere = begun.server.send(nowhere.signed(BOB)).await.expect(404);
        for call in calls {
            let answer = begun.server.send(call.signed(BOB)).await.expect(404);
            assert_eq!(
                (answer.fields, answer.body),
                (nowhere.fields.clone(), nowhere.body.clone())
            );
            begun.is_as_it_was().await;
        }
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn requests_that_are_not_signed_or_signed_too_long_ago() {
    for begun in Begun::all().await {
        let mut unsigned = begun.next().head(ALICE, &Call::options());
        unsigned.headers.remove("dynata-signature");
        let part = begun.whole[PIECE..2 * PIECE].to_vec();
        begun.refused(Request::from_parts(unsigned, content(vec![part])), 401).await;
        begun.refused(begun.next().signed("mallory"), 401).await;
        let old = super::client::now() - Duration::from_secs(16 * 60);
        begun.refused(begun.next().at(old).signed(ALICE), 401).await;
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn part_without_a_content_digest() {
    for begun in Begun::all().await {
        let options = Call::options().without_content_digest();
        let head = begun.next().head(ALICE, &options);
        let part = begun.whole[PIECE..2 * PIECE].to_vec();
        let answer = begun.refused(Request::from_parts(head, content(vec![part])), 400).await;
        assert_eq!(answer.field("want-content-digest"), Some("sha-256=10"));
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn part_whose_secret_is_revoked_on_the_way() {
    for begun in Begun::all().await {
        let part = begun.whole[PIECE..2 * PIECE].to_vec();
        let head = begun.next().head(ALICE, &Call::options());
        let secrets = begun.server.secrets.clone();
        // Revoked once the head has passed, with the first byte.
        let body = content(vec![part[..1].to_vec(), part[1..].to_vec()]);
        let mut frames = 0;
        let body = http_body_util::BodyExt::map_frame(body, move |frame| {
            frames += 1;
            if frames == 2 {
                secrets.store().revoke(ALICE);
            }
            frame
        });
        let answer = begun.server.send_any(Request::from_parts(head, body)).await.expect(401);
        assert_eq!(answer.field("www-authenticate"), Some("framesign"));
        begun.server.restore(ALICE);
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn access_key_that_may_not_upload() {
    for begun in Begun::all().await {
        let server = begun.server.authorized(|access_key| access_key != ALICE.as_bytes());
        for call in [
            begun.next(),
            Call::create("g", b"hello", true),
            Call::create("g", b"", false),
            Call::new("HEAD", &begun.path),
            Call::new("DELETE", &begun.path),
        ] {
            server.call(call.clone()).await.expect(403);
            // Whose it is must be proven first.
            let mut unsigned = call.at(server.now).signed(ALICE);
            unsigned.headers_mut().remove("dynata-signature");
            server.send(unsigned).await.expect(401);
            begun.is_as_it_was().await;
        }
        server.send(Call::create("g", b"", false).at(server.now).signed(BOB)).await.expect(201);
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn part_whose_access_key_loses_the_right_on_the_way() {
    for begun in Begun::all().await {
        let lost = Arc::new(AtomicBool::new(false));
        let is_lost = Arc::clone(&lost);
        let server = begun.server.authorized(move |_| !is_lost.load(Relaxed));
        let part = begun.whole[PIECE..2 * PIECE].to_vec();
        let head = begun.next().head(ALICE, &Call::options());
        let body = content(vec![part[..1].to_vec(), part[1..].to_vec()]);
        let mut frames = 0;
        let body = http_body_util::BodyExt::map_frame(body, move |frame| {
            frames += 1;
            lost.store(frames == 2, Relaxed);
            frame
        });
        server.send_any(Request::from_parts(head, body)).await.expect(403);
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn part_without_what_it_must_have() {
    for begun in Begun::all().await {
        begun.refused(begun.next().without("upload-offset").signed(ALICE), 400).await;
        begun.refused(begun.next().without("upload-complete").signed(ALICE), 400).await;
        let offsets = ["x", "-1", "1.5", "\"1000\""];
        for offset in offsets {
            let call = begun.next().without("upload-offset").field("upload-offset", offset);
            begun.refused(call.signed(ALICE), 400).await;
        }
        let untyped = begun.next().without("content-type");
        for call in [untyped.clone(), untyped.field("content-type", "application/octet-stream")] {
            let answer = begun.refused(call.signed(ALICE), 415).await;
            assert_eq!(answer.field("accept-patch"), Some("application/partial-upload"));
        }
        begun.goes_on().await;
    }
}

#[tokio::test]
async fn whole_with_another_hash_than_was_claimed_is_never_visible() {
    for kept in Kept::all() {
        let (server, whole) = (Server::of(&kept), bytes(PIECE));
        let wrong = repr_digest(b"other bytes");
        // Claimed at the creation, with the last part, and for all of it in one request.
        let create = |name| Call::create(name, &whole[..100], false);
        let at_creation = create("a").field("repr-digest", &wrong);
        let path = server.call(at_creation).await.location();
        let last = Call::part(&path, 100, &whole[100..], true);
        let answer = server.call(last).await.expect(400);
        assert_eq!(answer.field("upload-complete"), Some("?1"));
        server.call(Call::new("HEAD", &path)).await.expect(404);

        let path = server.call(create("b")).await.location();
        let last = Call::part(&path, 100, &whole[100..], true).field("repr-digest", &wrong);
        server.call(last).await.expect(400);
        server.call(Call::new("HEAD", &path)).await.expect(404);

        server.call(Call::create("c", &whole, true).field("repr-digest", &wrong)).await.expect(400);
        assert_eq!(kept.files().await, [""; 0]);
        assert_eq!(kept.rest().await, [""; 0]);
    }
}

#[tokio::test]
async fn hash_that_is_claimed_anew_must_be_the_same() {
    for kept in Kept::all() {
        let (server, whole) = (Server::of(&kept), bytes(200));
        let create = Call::create("f", &whole[..100], false);
        let path = server.call(create.field("repr-digest", repr_digest(&whole))).await.location();
        let last = Call::part(&path, 100, &whole[100..], true);
        let other = last.clone().field("repr-digest", repr_digest(b"other"));
        server.call(other).await.expect(400);
        server.call(last.field("repr-digest", repr_digest(&whole))).await.expect(201);
        assert!(kept.read("f").await == whole);
    }
}

/// Only a creation and the last part speak of the whole.
#[tokio::test]
async fn hash_with_a_part_that_is_not_the_last_claims_nothing() {
    for kept in Kept::all() {
        let (server, whole) = (Server::of(&kept), bytes(200));
        for (name, claims) in [("claimed", true), ("unclaimed", false)] {
            let path = server.call(Call::create(name, b"", false)).await.location();
            let middle = Call::part(&path, 0, &whole[..100], false);
            let of_itself = repr_digest(&whole[..100]);
            server.call(middle.field("repr-digest", of_itself)).await.expect(204);
            let last = Call::part(&path, 100, &whole[100..], true);
            let claiming = last.clone().field("repr-digest", repr_digest(&whole));
            server.call(if claims { claiming } else { last }).await.expect(201);
            assert!(kept.read(name).await == whole);
        }
    }
}

#[tokio::test]
async fn bytes_of_a_refused_part_are_never_in_the_file() {
    let [directory, _] = Kept::all();
    let (server, whole) = (Server::of(&directory), bytes(PIECE));
    let path = server.call(Call::create("f", &[], false)).await.location();
    // Longer than all of the upload, and refused at its end: its bytes lie where it was written.
    let longer = Call::part(&path, 0, &vec![7; 3 << 20], false);
    let frames = vec![vec![8; 1 << 20]; 3];
    server.send(longer.in_frames(ALICE, frames)).await.expect(401);
    server.call(Call::part(&path, 0, &whole, true)).await.expect(201);
    assert!(directory.read("f").await == whole);
}

#[tokio::test]
async fn creation_that_is_refused_leaves_nothing() {
    for kept in Kept::all() {
        let (server, whole) = (Server::of(&kept), bytes(2 * PIECE));
        for is_last in [false, true] {
            let call = Call::create("f", &whole, is_last);
            let mut flipped = whole.clone();
            flipped[PIECE] ^= 1;
            server.send(call.in_frames(ALICE, vec![flipped])).await.expect(401);
            server.send(call.in_frames(ALICE, vec![whole[..PIECE].to_vec()])).await.expect(400);
        }
        assert_eq!(kept.files().await, [""; 0]);
        assert_eq!(kept.rest().await, [""; 0]);
    }
}
