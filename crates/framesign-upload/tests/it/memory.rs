//! Memory stays bounded, and a store that is slow makes the sender slow.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use framesign_upload::server::{
    Answer, Directory, FileName, Limits, Piece, Place, Properties, Published, RecordKind,
    RecordName, Store, UploadKey, Version, Whole,
};
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{sync::Semaphore, task};

use super::client::{ALICE, Call, Server, bytes, now};

/// A directory that writes a piece only when it is let.
#[derive(Debug)]
struct SlowStore {
    store: Directory,
    permits: Arc<Semaphore>,
    /// The largest piece so far.
    largest: Arc<AtomicUsize>,
}

impl Store for SlowStore {
    fn properties(&self) -> Properties {
        self.store.properties()
    }

    fn exists<'a>(&'a self, name: &'a FileName) -> Answer<'a, bool> {
        self.store.exists(name)
    }

    fn read<'a>(&'a self, record: &'a RecordName) -> Answer<'a, Option<(Vec<u8>, Version)>> {
        self.store.read(record)
    }

    fn replace<'a>(
        &'a self,
        record: &'a RecordName,
        text: Vec<u8>,
        expected: Option<&'a Version>,
    ) -> Answer<'a, Option<Version>> {
        self.store.replace(record, text, expected)
    }

    fn delete<'a>(&'a self, record: &'a RecordName) -> Answer<'a, ()> {
        self.store.delete(record)
    }

    fn list<'a>(&'a self, kind: RecordKind, owner: Option<&'a str>) -> Answer<'a, Vec<UploadKey>> {
        self.store.list(kind, owner)
    }

    fn begin<'a>(&'a self, key: &'a UploadKey, name: &'a FileName) -> Answer<'a, Option<String>> {
        self.store.begin(key, name)
    }

    fn write<'a>(&'a self, place: &'a Place, piece: Piece) -> Answer<'a, Option<String>> {
        self.largest.fetch_max(piece.bytes.len(), Relaxed);
        Box::pin(async move {
            self.permits.acquire().await.unwrap().forget();
            self.store.write(place, piece).await
        })
    }

    fn sync<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        self.store.sync(place)
    }

    fn publish<'a>(&'a self, whole: &'a Whole) -> Answer<'a, Published> {
        self.store.publish(whole)
    }

    fn clear<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        self.store.clear(place)
    }
}

/// Lets everything run that can.
async fn settle() {
    for _ in 0..200 {
        task::yield_now().await;
        task::spawn_blocking(|| {}).await.unwrap();
    }
}

#[tokio::test]
async fn no_more_is_read_than_two_pieces_ahead_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (permits, largest) = (Arc::new(Semaphore::new(0)), Arc::default());
    let store = Directory::open(folder.path()).unwrap();
    let store = SlowStore { store, permits: permits.clone(), largest: Arc::clone(&largest) };
    let server = Server::shared(Arc::new(store), Limits::default(), now());
    let path = server.call(Call::create("f", &[], false)).await.location();

    let whole = bytes(10 * (1 << 20) + 5);
    let head = Call::part(&path, 0, &whole, true).content(&whole).head(ALICE, &Call::options());
    let read = Arc::new(AtomicUsize::new(0));
    let frames: Vec<_> = whole.chunks(16 * 1024).map(Bytes::copy_from_slice).collect();
    let counted = stream::iter(frames).map_counted(Arc::clone(&read));
    let sending = {
        let (server, is_done) = (server.clone(), Arc::new(AtomicBool::new(false)));
        let done = Arc::clone(&is_done);
        let task = task::spawn(async move {
            let answer = server.send_any(Request::from_parts(head, StreamBody::new(counted))).await;
            done.store(true, Relaxed);
            answer
        });
        (task, is_done)
    };
    let mut written = 0;
    for _ in 0..10 {
        settle().await;
        let ahead = read.load(Relaxed) - written;
        let piece = largest.load(Relaxed);
        assert!((1 << 20..2 << 20).contains(&piece), "{piece}");
        // One piece waits to be written, one is being filled, and a frame is at hand.
        assert!(ahead <= 2 * piece + 2 * 16 * 1024, "{ahead} bytes ahead");
        assert!(ahead > piece, "it reads on while it writes");
        assert!(!sending.1.load(Relaxed));
        permits.add_permits(1);
        settle().await;
        written = (written + piece).min(whole.len());
        if written + 2 * piece >= whole.len() {
            break;
        }
    }
    permits.add_permits(10);
    sending.0.await.unwrap().expect(201);
    assert!(std::fs::read(folder.path().join("f")).unwrap() == whole);
}

trait MapCounted: Sized {
    /// The frames of a body, whose bytes are counted when they are read.
    fn map_counted(
        self,
        read: Arc<AtomicUsize>,
    ) -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Unpin + 'static;
}

impl<S: stream::Stream<Item = Bytes> + Send + Unpin + 'static> MapCounted for S {
    fn map_counted(
        self,
        read: Arc<AtomicUsize>,
    ) -> impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Unpin + 'static {
        futures_util::StreamExt::map(self, move |bytes| {
            read.fetch_add(bytes.len(), Relaxed);
            Ok(Frame::data(bytes))
        })
    }
}
