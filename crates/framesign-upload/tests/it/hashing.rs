//! Where parts are hashed.

use std::{
    num::NonZeroUsize,
    sync::{Arc, mpsc},
    time::Duration,
};

use bytes::Bytes;
use framesign::offload::{HashPool, OffloadedHash};
use framesign_test_support::{Numbers, random_chunks};
use tokio::time::timeout;

use crate::{
    client::{ALICE, Call, Server, bytes, content, repr_digest},
    stores::Kept,
};

fn pool() -> HashPool {
    HashPool::new(NonZeroUsize::MIN).unwrap()
}

/// Parts in frames of any length, each received by another process, with a pool and without in turns.
#[tokio::test]
async fn hash_goes_on_whoever_hashes_the_next_part() {
    let whole = bytes(150_000);
    for kept in Kept::all() {
        let path = {
            let server = Server::of(&kept);
            server.call(Call::create("file", b"", false)).await.location()
        };
        let mut numbers = Numbers::new(7);
        let mut offset = 0;
        for (number, part) in whole.chunks(40_000).enumerate() {
            let mut server = Server::of(&kept);
            if number % 2 == 0 {
                server = server.hash_on(&pool());
            }
            let end = offset + part.len();
            let is_last = end == whole.len();
            let call = Call::part(&path, offset, part, is_last);
            let frames = random_chunks(part, 30_000, &mut numbers);
            let frames = frames.into_iter().map(<[u8]>::to_vec).collect();
            let head = call.head(ALICE, &Call::options());
            let request = http::Request::from_parts(head, content(frames));
            let answer = server.send(request).await.expect(if is_last { 201 } else { 204 });
            if is_last {
                assert_eq!(answer.field("repr-digest"), Some(&*repr_digest(&whole)));
            }
            offset = end;
        }
        assert_eq!(kept.read("file").await, whole);
    }
}

/// A part with a flipped bit is refused, and the hash stays where it was.
#[tokio::test]
async fn refused_part_leaves_the_hash_where_it_was() {
    for kept in Kept::all() {
        let server = Server::of(&kept).hash_on(&pool());
        let whole = bytes(60_000);
        let path = server.call(Call::create("file", &whole[..20_000], false)).await.location();
        let part = Call::part(&path, 20_000, &whole[20_000..], true);
        let mut flipped = whole[20_000..].to_vec();
        flipped[17] ^= 1;
        server.send(part.in_frames(ALICE, vec![flipped])).await.expect(401);
        let answer = server.call(part).await.expect(201);
        assert_eq!(answer.field("repr-digest"), Some(&*repr_digest(&whole)));
    }
}

/// A piece that keeps the thread of a pool busy until its sender is dropped.
struct Busy {
    bytes: Vec<u8>,
    until: mpsc::Receiver<()>,
}

impl AsRef<[u8]> for Busy {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.until.recv();
    }
}

#[tokio::test]
async fn parts_are_hashed_on_the_pool() {
    for kept in Kept::all() {
        let pool = pool();
        let server = Arc::new(Server::of(&kept).hash_on(&pool));
        let (release, until) = mpsc::channel();
        let mut busy = OffloadedHash::new(&pool);
        busy.push(Bytes::from_owner(Busy { bytes: vec![0; 20_000], until }));

        let whole = bytes(50_000);
        let upload = Call::create("file", &whole, true);
        let mut answer = tokio::spawn(async move { server.call(upload).await });
        // Not a matter of speed: as long as the thread is busy there is no answer, however long that is.
        assert!(timeout(Duration::from_millis(200), &mut answer).await.is_err());
        drop(release);
        answer.await.unwrap().expect(201);
    }
}
