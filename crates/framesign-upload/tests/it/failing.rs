//! Stores whose calls fail, or wait, when a test says so.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use async_trait::async_trait;
use framesign_upload::server::{
    Answer, Directory, FileName, Listing, Objects, Piece, Place, Properties, Published, RecordKind,
    RecordName, Store, StoreError, UploadKey, Version, Whole,
};
use futures_util::{
    FutureExt,
    stream::{self, BoxStream},
};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
    memory::InMemory,
    multipart::{MultipartStore, PartId},
    path::Path,
};
use tokio::sync::Notify;

use super::stores::{Kept, PIECE};

/// Which call fails, and whether it does what it was asked for before.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    calls: Arc<AtomicUsize>,
    /// The number of the first call that fails; those after it fail for `length`.
    first: usize,
    length: usize,
    /// The answer is lost, and not the call.
    is_answer: bool,
    pause: Option<Pause>,
}

/// Holds one call back until it is let.
#[derive(Clone, Debug)]
pub(super) struct Pause {
    call: usize,
    reached: Arc<Notify>,
    go: Arc<Notify>,
}

impl Pause {
    pub(super) fn before(call: usize) -> Self {
        Self { call, reached: Arc::default(), go: Arc::default() }
    }

    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(super) fn end(&self) {
        self.go.notify_one();
    }
}

impl Faults {
    pub(super) fn none() -> Self {
        Self::at(usize::MAX, 0, false)
    }

    pub(super) fn at(first: usize, length: usize, is_answer: bool) -> Self {
        Self { calls: Arc::default(), first, length, is_answer, pause: None }
    }

    /// No fault, but a call to the objects that waits.
    pub(super) fn pausing(pause: &Pause) -> Self {
        Self::none().and_pausing(pause)
    }

    /// These faults, and a call to the objects that waits.
    pub(super) fn and_pausing(self, pause: &Pause) -> Self {
        Self { pause: Some(pause.clone()), ..self }
    }

    /// Counts a call, and waits if it is the one that is held back. Returns whether it fails.
    async fn pass(&self) -> bool {
        let (call, fails) = (self.count(), self.fails());
        if let Some(pause) = self.pause.as_ref().filter(|pause| pause.call == call) {
            pause.reached.notify_one();
            pause.go.notified().await;
        }
        fails
    }

    /// Counts a call. Returns whether it fails.
    fn fails(&self) -> bool {
        let call = self.calls.fetch_add(1, Relaxed);
        (self.first..self.first.saturating_add(self.length)).contains(&call)
    }

    pub(super) fn count(&self) -> usize {
        self.calls.load(Relaxed)
    }
}

/// A store whose calls fail.
#[derive(Debug)]
struct FailingStore<S> {
    store: S,
    faults: Faults,
}

impl<S: Store> FailingStore<S> {
    fn run<'a, T: Send + 'a>(&'a self, call: Answer<'a, T>) -> Answer<'a, T> {
        let fails = self.faults.fails();
        Box::pin(async move {
            if !fails {
                return call.await;
            }
            if self.faults.is_answer {
                call.await?;
            }
            Err(StoreError::new("do anything", "a fault of the test"))
        })
    }
}

impl<S: Store> Store for FailingStore<S> {
    fn properties(&self) -> Properties {
        self.store.properties()
    }

    fn exists<'a>(&'a self, name: &'a FileName) -> Answer<'a, bool> {
        self.run(self.store.exists(name))
    }

    fn read<'a>(&'a self, record: &'a RecordName) -> Answer<'a, Option<(Vec<u8>, Version)>> {
        self.run(self.store.read(record))
    }

    fn replace<'a>(
        &'a self,
        record: &'a RecordName,
        text: Vec<u8>,
        expected: Option<&'a Version>,
    ) -> Answer<'a, Option<Version>> {
        self.run(self.store.replace(record, text, expected))
    }

    fn delete<'a>(&'a self, record: &'a RecordName) -> Answer<'a, ()> {
        self.run(self.store.delete(record))
    }

    fn list<'a>(&'a self, kind: RecordKind, owner: Option<&'a str>) -> Listing<'a> {
        if self.faults.fails() {
            let error = StoreError::new("list records", "a fault of the test");
            return Box::pin(stream::iter([Err(error)]));
        }
        self.store.list(kind, owner)
    }

    fn begin<'a>(&'a self, key: &'a UploadKey, name: &'a FileName) -> Answer<'a, Option<String>> {
        self.run(self.store.begin(key, name))
    }

    fn write<'a>(&'a self, place: &'a Place, piece: Piece) -> Answer<'a, Option<String>> {
        self.run(self.store.write(place, piece))
    }

    fn sync<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        self.run(self.store.sync(place))
    }

    fn publish<'a>(&'a self, whole: &'a Whole) -> Answer<'a, Published> {
        self.run(self.store.publish(whole))
    }

    fn clear<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        self.run(self.store.clear(place))
    }
}

/// Objects in memory whose calls fail. As in S3, to abort a multipart upload that is gone is "not
/// found", and to complete one as well; and parts that are not listed do not count. Each multipart
/// upload that has not ended is there as an object.
#[derive(Debug)]
struct FailingObjects {
    objects: InMemory,
    faults: Faults,
}

impl FailingObjects {
    async fn run<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        if !self.faults.pass().await {
            return call.await;
        }
        if self.faults.is_answer {
            call.await?;
        }
        Err(Error::Generic { store: "test", source: "a fault of the test".into() })
    }

    async fn begin_noted(&self, at: &Path) -> Result<MultipartId> {
        let id = self.objects.create_multipart(at).await?;
        self.objects.put(&multipart(&id), PutPayload::new()).await?;
        Ok(id)
    }

    async fn abort_noted(&self, at: &Path, id: &MultipartId) -> Result<()> {
        self.objects.abort_multipart(at, id).await?;
        self.objects.delete(&multipart(id)).await
    }

    async fn put_listed(
        &self,
        at: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.objects.put(&part(id, index), data.clone()).await?;
        self.objects.put_part(at, id, index, data).await
    }

    /// Completes an upload of the listed parts alone, as S3 does. The store in memory takes all that
    /// there are, those of a request that broke off too.
    async fn complete_listed(
        &self,
        at: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.objects.delete(&multipart(id)).await?;
        if self.objects.head(&part(id, parts.len())).await.is_err() {
            return self.objects.complete_multipart(at, id, parts).await;
        }
        self.objects.abort_multipart(at, id).await?;
        let listed = self.objects.create_multipart(at).await?;
        for index in 0..parts.len() {
            let data = self.objects.get(&part(id, index)).await?.bytes().await?;
            self.objects.put_part(at, &listed, index, data.into()).await?;
        }
        self.objects.complete_multipart(at, &listed, parts).await
    }
}

/// Where a part is kept, so that it can be listed.
fn part(id: &MultipartId, index: usize) -> Path {
    Path::from(format!("parts/{id}/{index}"))
}

/// Notes a multipart upload that has not ended.
fn multipart(id: &MultipartId) -> Path {
    Path::from(format!("multiparts/{id}"))
}

fn gone<T>(result: Result<T>) -> Result<T> {
    match result {
        Err(Error::Generic { source, .. }) if format!("{source:?}").contains("Upload") => {
            Err(Error::NotFound { path: "upload".into(), source })
        }
        result => result,
    }
}

impl fmt::Display for FailingObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

#[async_trait]
impl ObjectStore for FailingObjects {
    async fn put_opts(
        &self,
        at: &Path,
        data: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.run(self.objects.put_opts(at, data, options)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.run(self.objects.put_multipart_opts(at, options)).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.run(self.objects.get_opts(at, options)).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (faults, objects) = (self.faults.clone(), self.objects.clone());
        let deleted = async move {
            if !faults.pass().await {
                return objects.delete_stream(paths);
            }
            Box::pin(stream::once(async {
                Err(Error::Generic { store: "test", source: "a fault of the test".into() })
            }))
        };
        Box::pin(deleted.flatten_stream())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if !self.faults.fails() {
            return self.objects.list(prefix);
        }
        Box::pin(stream::once(async {
            Err(Error::Generic { store: "test", source: "a fault of the test".into() })
        }))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.run(self.objects.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.run(self.objects.copy_opts(from, to, options)).await
    }
}

#[async_trait]
impl MultipartStore for FailingObjects {
    async fn create_multipart(&self, at: &Path) -> Result<MultipartId> {
        self.run(self.begin_noted(at)).await
    }

    async fn put_part(
        &self,
        at: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.run(self.put_listed(at, id, index, data)).await
    }

    async fn complete_multipart(
        &self,
        at: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        gone(self.run(self.complete_listed(at, id, parts)).await)
    }

    async fn abort_multipart(&self, at: &Path, id: &MultipartId) -> Result<()> {
        gone(self.run(self.abort_noted(at, id)).await)
    }
}

/// Opens a store that fails as `faults` say.
pub(super) type Open = dyn Fn(&Kept, Faults) -> Arc<dyn Store>;

pub(super) fn calls_fail(kept: &Kept, faults: Faults) -> Arc<dyn Store> {
    match kept {
        Kept::Directory(folder) => {
            let store = Directory::open(folder.path()).unwrap();
            Arc::new(FailingStore { store, faults })
        }
        Kept::Objects(objects) => {
            let objects = FailingObjects { objects: objects.clone(), faults: Faults::none() };
            let store = Objects::new(objects, "received").piece(PIECE).min_part(0);
            Arc::new(FailingStore { store, faults })
        }
    }
}

pub(super) fn objects_fail(kept: &Kept, faults: Faults) -> Arc<dyn Store> {
    let Kept::Objects(objects) = kept else { return calls_fail(kept, faults) };
    let objects = FailingObjects { objects: objects.clone(), faults };
    Arc::new(Objects::new(objects, "received").piece(PIECE).min_part(0))
}
