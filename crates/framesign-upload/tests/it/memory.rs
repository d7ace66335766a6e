//! Memory stays bounded, and a store that is slow makes the sender slow.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use framesign_upload::server::{
    Answer, Directory, FileName, Limits, Listing, Piece, Place, Properties, Published, RecordKind,
    RecordName, Store, UploadKey, Version, Whole,
};
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{sync::Semaphore, task, time};

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

    fn list<'a>(&'a self, kind: RecordKind, owner: Option<&'a str>) -> Listing<'a> {
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

/// What was let through, and what was read.
#[derive(Debug, Default)]
struct Progress {
    read: AtomicUsize,
    /// Bytes of the pieces that may be written.
    written: AtomicUsize,
    /// The most that was read and may not be written yet.
    most_ahead: AtomicUsize,
}

impl Progress {
    fn ahead(&self) -> usize {
        self.read.load(Relaxed) - self.written.load(Relaxed)
    }

    fn note(&self, bytes: usize) {
        self.read.fetch_add(bytes, Relaxed);
        self.most_ahead.fetch_max(self.ahead(), Relaxed);
    }
}

const FRAME: usize = 16 * 1024;

/// The whole, in frames that are counted when they are read.
fn counted(
    whole: &[u8],
    progress: &Arc<Progress>,
) -> StreamBody<impl stream::Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Unpin + use<>>
{
    let frames: Vec<_> = whole.chunks(FRAME).map(Bytes::copy_from_slice).collect();
    let progress = Arc::clone(progress);
    StreamBody::new(stream::iter(frames).map(move |bytes| {
        progress.note(bytes.len());
        Ok(Frame::data(bytes))
    }))
}

#[tokio::test]
async fn no_more_is_read_than_two_pieces_ahead_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (permits, largest) = (Arc::new(Semaphore::new(0)), Arc::<AtomicUsize>::default());
    let store = Directory::open(folder.path()).unwrap();
    let store = SlowStore { store, permits: permits.clone(), largest: Arc::clone(&largest) };
    let server = Server::shared(Arc::new(store), Limits::default(), now());
    let path = server.call(Call::create("f", &[], false)).await.location();

    // Ten pieces, each one byte larger than the least.
    let (pieces, piece) = (10, (1 << 20) + 1);
    let (whole, progress) = (bytes(pieces * piece), Arc::<Progress>::default());
    let head = Call::part(&path, 0, &whole, true).head(ALICE, &Call::options());
    let request = Request::from_parts(head, counted(&whole, &progress));
    let sending = task::spawn(async move { server.send_any(request).await });
    for written in 1..=pieces {
        // It reads on while a piece waits to be written, as far as there is more.
        let next = piece.min(whole.len() - progress.written.load(Relaxed));
        for _ in 0..60_000 {
            if progress.ahead() > next || progress.read.load(Relaxed) == whole.len() {
                break;
            }
            time::sleep(Duration::from_millis(1)).await;
        }
        assert!(progress.ahead() > next || progress.read.load(Relaxed) == whole.len());
        progress.written.store(written * piece, Relaxed);
        permits.add_permits(1);
    }
    sending.await.unwrap().expect(201);
    // One piece waits to be written, one is full and waits for that, and a frame is at hand.
    let most = progress.most_ahead.load(Relaxed);
    assert!(most <= 2 * piece + FRAME, "{most} bytes ahead");
    assert_eq!(largest.load(Relaxed), piece);
    assert!(std::fs::read(folder.path().join("f")).unwrap() == whole);
}
