//! A store of objects: S3, Google Cloud Storage, Azure, or one in memory for tests.

use std::{fmt, sync::Arc};

use futures_util::TryStreamExt;
use object_store::{
    Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, PutResult, UpdateVersion,
    multipart::{MultipartStore, PartId},
    path::Path,
};

use super::{
    Answer, Listing, Piece, Place, Properties, Published, RecordKind, RecordName, Store,
    StoreError, Version,
};
use crate::server::{
    names::{FileName, UploadKey},
    record::Whole,
};

/// A store of objects that has multipart uploads.
pub trait ObjectBackend: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> ObjectBackend for T {}

/// A store of objects. Any number of processes use it together.
///
/// ```text
/// PREFIX/backup.tar                  a file: all of it, proven
/// PREFIX/.uploads/open/OWNER/ID      the record of an upload
/// PREFIX/.uploads/done/OWNER/ID      the record of one that is complete
/// PREFIX/.uploads/names/backup.tar   the upload that is about to become this file
/// ```
///
/// The bytes of an upload are the parts of a multipart upload to the file's object, which becomes
/// visible when that is completed. Records are replaced by conditional writes (If-Match,
/// If-None-Match), so the store must have them.
///
/// If a process dies between the beginning of a multipart upload and the record that names it, no
/// sweep finds that upload. It has no bytes. A rule of the bucket that aborts multipart uploads after
/// some days deletes it.
///
/// ```
/// # #[cfg(feature = "objects")] {
/// use framesign_upload::server::{Limits, Objects, Uploads};
/// use object_store::memory::InMemory;
///
/// let uploads = Uploads::new(Objects::new(InMemory::new(), "received"), Limits::default());
/// assert_eq!(uploads.limits().min_part, 5 << 20);
/// # }
/// ```
pub struct Objects {
    backend: Arc<dyn ObjectBackend>,
    files: Path,
    own: Path,
    piece: usize,
    min_part: u64,
}

/// What a name is reserved for: an upload, and whether the name was free once it was reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reservation {
    upload: String,
    is_checked: bool,
}

impl Objects {
    /// The bytes of a piece, unless they are set. With 10,000 of them an upload has at least 78 GiB.
    const PIECE: usize = 8 << 20;

    /// The least bytes of a part that S3 takes, unless it is the last.
    const MIN_PART: u64 = 5 << 20;

    /// The most parts of a multipart upload of S3.
    const MAX_PIECES: usize = 10_000;

    /// Keeps files below `prefix` in `backend`.
    pub fn new(backend: impl ObjectBackend, prefix: &str) -> Self {
        let files = Path::from(prefix);
        let own = files.clone().join(".uploads");
        Self {
            backend: Arc::new(backend),
            files,
            own,
            piece: Self::PIECE,
            min_part: Self::MIN_PART,
        }
    }

    /// Sets the bytes of a piece: so much is sent to the store at a time, and a part in flight holds
    /// up to four times as much in memory. S3 takes no less than 5 MiB.
    #[must_use]
    pub fn piece(mut self, bytes: usize) -> Self {
        self.piece = bytes.max(1);
        self
    }

    /// Sets the least bytes of a part that is not the last, for a store that asks for less than
    /// S3's 5 MiB.
    #[must_use]
    pub fn min_part(mut self, bytes: u64) -> Self {
        self.min_part = bytes;
        self
    }

    /// Keeps files where a URL says: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or
    /// `az://CONTAINER/PREFIX`, each with the feature of its name. Credentials and endpoints come
    /// from the environment, by the names of the provider, such as `AWS_ACCESS_KEY_ID`,
    /// `AWS_ENDPOINT` or `GOOGLE_APPLICATION_CREDENTIALS`.
    ///
    /// If the process has no TLS provider of rustls yet, it becomes ring. A program with one of these
    /// features that builds clients of reqwest itself sets a provider before it does.
    ///
    /// # Errors
    ///
    /// If the scheme is none of these, or the environment does not have what it needs.
    #[cfg(feature = "cloud")]
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(StoreError::new("open", "expected a URL such as s3://BUCKET/PREFIX"));
        }
        // Fails if the process has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self::of_scheme(scheme, bucket, prefix)
    }

    #[cfg(feature = "cloud")]
    fn of_scheme(scheme: &str, bucket: &str, prefix: &str) -> Result<Self, StoreError> {
        let opened: Result<Self, Error> = match scheme {
            #[cfg(feature = "s3")]
            "s3" => object_store::aws::AmazonS3Builder::from_env()
                .with_bucket_name(bucket)
                .build()
                .map(|backend| Self::new(backend, prefix)),
            #[cfg(feature = "gcs")]
            "gs" => object_store::gcp::GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .build()
                .map(|backend| Self::new(backend, prefix)),
            #[cfg(feature = "azure")]
            "az" => object_store::azure::MicrosoftAzureBuilder::from_env()
                .with_container_name(bucket)
                .build()
                // A block has no least size.
                .map(|backend| Self::new(backend, prefix).min_part(0)),
            _ => {
                let problem = format!("expected a scheme that this program has, found {scheme}");
                return Err(StoreError::new("open", problem));
            }
        };
        opened.map_err(|error| StoreError::new("open", error))
    }

    fn file(&self, name: &FileName) -> Path {
        self.files.clone().join(name.as_str())
    }

    fn record(&self, record: &RecordName) -> Path {
        let folder = self.own.clone().join(record.kind.as_str());
        folder.join(record.key.owner()).join(record.key.id())
    }

    fn reservation(&self, name: &FileName) -> Path {
        self.own.clone().join("names").join(name.as_str())
    }

    async fn has(&self, path: &Path) -> Result<bool, Error> {
        Ok(absent(self.backend.head(path).await)?.is_some())
    }

    async fn get(&self, path: &Path) -> Result<Option<(Vec<u8>, Version)>, Error> {
        let Some(found) = absent(self.backend.get(path).await)? else { return Ok(None) };
        let version = version(found.meta.e_tag.as_deref(), found.meta.version.as_deref());
        Ok(Some((found.bytes().await?.to_vec(), version)))
    }

    /// Replaces an object by condition. A condition that does not hold because the store has done it
    /// already, but its answer was lost and it was asked again, holds.
    async fn put(
        &self,
        path: &Path,
        text: Vec<u8>,
        expected: Option<&Version>,
    ) -> Result<Option<Version>, Error> {
        let mode = expected.map_or(PutMode::Create, |expected| PutMode::Update(update(expected)));
        let payload = PutPayload::from(text.clone());
        match self.backend.put_opts(path, payload, PutOptions::from(mode)).await {
            Ok(PutResult { e_tag, version: found, .. }) => {
                Ok(Some(version(e_tag.as_deref(), found.as_deref())))
            }
            Err(
                Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotFound { .. },
            ) => {
                let found = self.get(path).await?.filter(|(found, _)| *found == text);
                Ok(found.map(|(_, version)| version))
            }
            Err(error) => Err(error),
        }
    }

    async fn delete_one(&self, path: &Path) -> Result<(), Error> {
        absent(self.backend.delete(path).await).map(|_| ())
    }

    /// The object of a file is made by whoever has reserved its name, and found it free then. So an
    /// object that is there after that is the own one: an attempt before this one has made it.
    async fn make_visible(&self, whole: &Whole) -> Result<Published, Error> {
        let Place { key, name, .. } = whole.place();
        let Some(is_checked) = self.reserve(key, name).await? else {
            return Ok(Published::NameTaken);
        };
        if self.has(&self.file(name)).await? {
            // Read again: another process may have ended the upload since.
            let is_own = is_checked || self.reserved(key, name).await? == Some(true);
            return Ok(if is_own { Published::Visible } else { Published::NameTaken });
        }
        if !is_checked && !self.note_free(key, name).await? {
            return Ok(Published::NameTaken);
        }
        match self.complete(whole).await {
            Err(error) if !self.has(&self.file(name)).await? => Err(error),
            // The answer of the store was lost, but not the object.
            _ => Ok(Published::Visible),
        }
    }

    /// Reserves a name. Returns whether it was found free before; `None` if another upload has it.
    async fn reserve(&self, key: &UploadKey, name: &FileName) -> Result<Option<bool>, Error> {
        let own = Reservation { upload: upload(key), is_checked: false };
        if self.put(&self.reservation(name), own.to_text(), None).await?.is_some() {
            return Ok(Some(false));
        }
        self.reserved(key, name).await
    }

    /// Returns whether a name was found free after it was reserved; `None` if it is not reserved for
    /// this upload.
    async fn reserved(&self, key: &UploadKey, name: &FileName) -> Result<Option<bool>, Error> {
        let found = self.get(&self.reservation(name)).await?;
        let found = found.and_then(|(text, _)| Reservation::parse(&text));
        Ok(found.filter(|found| found.upload == upload(key)).map(|found| found.is_checked))
    }

    /// Notes that a reserved name was found free. Returns whether it is still reserved.
    async fn note_free(&self, key: &UploadKey, name: &FileName) -> Result<bool, Error> {
        let path = self.reservation(name);
        let Some((text, version)) = self.get(&path).await? else { return Ok(false) };
        let found = Reservation::parse(&text).filter(|found| found.upload == upload(key));
        let Some(found) = found else { return Ok(false) };
        let checked = Reservation { is_checked: true, ..found };
        Ok(self.put(&path, checked.to_text(), Some(&version)).await?.is_some())
    }

    async fn complete(&self, whole: &Whole) -> Result<(), Error> {
        let Place { name, handle, .. } = whole.place();
        let path = self.file(name);
        if whole.tags().is_empty() {
            // It takes no part, and would stay for ever with those of requests that were refused.
            if let Some(id) = handle {
                absent(self.backend.abort_multipart(&path, id).await)?;
            }
            let mode = PutOptions::from(PutMode::Create);
            return self.backend.put_opts(&path, PutPayload::new(), mode).await.map(|_| ());
        }
        let tags = whole.tags().iter().cloned();
        let parts = tags.map(|content_id| PartId { content_id }).collect();
        let id = handle.clone().unwrap_or_default();
        self.backend.complete_multipart(&path, &id, parts).await.map(|_| ())
    }

    async fn clear_all(&self, place: &Place) -> Result<(), Error> {
        let reservation = self.reservation(&place.name);
        let found = self.get(&reservation).await?.and_then(|(text, _)| Reservation::parse(&text));
        let own = found.filter(|found| found.upload == upload(&place.key));
        let is_checked = own.as_ref().is_some_and(|own| own.is_checked);
        let is_visible = is_checked && self.has(&self.file(&place.name)).await?;
        if let Some(id) = place.handle.as_ref().filter(|_| !is_visible) {
            absent(self.backend.abort_multipart(&self.file(&place.name), id).await)?;
        }
        if own.is_some() {
            self.delete_one(&reservation).await?;
        }
        Ok(())
    }
}

impl Store for Objects {
    fn properties(&self) -> Properties {
        let Self { piece, min_part, .. } = *self;
        Properties { is_shared: true, piece, max_pieces: Self::MAX_PIECES, min_part }
    }

    fn exists<'a>(&'a self, name: &'a FileName) -> Answer<'a, bool> {
        let path = self.file(name);
        Box::pin(async move { self.has(&path).await.map_err(failed("find a file")) })
    }

    fn read<'a>(&'a self, record: &'a RecordName) -> Answer<'a, Option<(Vec<u8>, Version)>> {
        let path = self.record(record);
        Box::pin(async move { self.get(&path).await.map_err(failed("read a record")) })
    }

    fn replace<'a>(
        &'a self,
        record: &'a RecordName,
        text: Vec<u8>,
        expected: Option<&'a Version>,
    ) -> Answer<'a, Option<Version>> {
        let path = self.record(record);
        let failed = failed("replace a record");
        Box::pin(async move { self.put(&path, text, expected).await.map_err(failed) })
    }

    fn delete<'a>(&'a self, record: &'a RecordName) -> Answer<'a, ()> {
        let path = self.record(record);
        Box::pin(async move { self.delete_one(&path).await.map_err(failed("delete a record")) })
    }

    fn list<'a>(&'a self, kind: RecordKind, owner: Option<&'a str>) -> Listing<'a> {
        let mut folder = self.own.clone().join(kind.as_str());
        if let Some(owner) = owner {
            folder = folder.join(owner);
        }
        let objects = self.backend.list(Some(&folder)).map_err(failed("list records"));
        Box::pin(objects.try_filter_map(async |object| Ok(key(&object.location))))
    }

    fn begin<'a>(&'a self, _: &'a UploadKey, name: &'a FileName) -> Answer<'a, Option<String>> {
        let path = self.file(name);
        Box::pin(async move {
            let begun = self.backend.create_multipart(&path).await;
            begun.map(Some).map_err(failed("begin with data"))
        })
    }

    fn write<'a>(&'a self, place: &'a Place, piece: Piece) -> Answer<'a, Option<String>> {
        let path = self.file(&place.name);
        let id = place.handle.clone().unwrap_or_default();
        Box::pin(async move {
            let payload = PutPayload::from_bytes(piece.bytes);
            let written = self.backend.put_part(&path, &id, piece.index, payload).await;
            written.map(|part| Some(part.content_id)).map_err(failed("write data"))
        })
    }

    fn sync<'a>(&'a self, _: &'a Place) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn publish<'a>(&'a self, whole: &'a Whole) -> Answer<'a, Published> {
        Box::pin(async move { self.make_visible(whole).await.map_err(failed("publish a file")) })
    }

    fn clear<'a>(&'a self, place: &'a Place) -> Answer<'a, ()> {
        Box::pin(async move { self.clear_all(place).await.map_err(failed("delete data")) })
    }
}

impl Reservation {
    const CHECKED: &'static str = " was free";

    fn to_text(&self) -> Vec<u8> {
        let checked = if self.is_checked { Self::CHECKED } else { "" };
        format!("{}{checked}", self.upload).into_bytes()
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let checked = text.strip_suffix(Self::CHECKED);
        Some(Self { upload: checked.unwrap_or(text).to_owned(), is_checked: checked.is_some() })
    }
}

fn upload(key: &UploadKey) -> String {
    format!("{}.{}", key.owner(), key.id())
}

/// The upload whose record is there; `None` for what is no record.
fn key(record: &Path) -> Option<UploadKey> {
    let mut parts = record.parts().rev();
    let (id, owner) = (parts.next()?, parts.next()?);
    UploadKey::parse(owner.as_ref(), id.as_ref())
}

/// Both names that a store has for a version, of which it may have one.
fn version(e_tag: Option<&str>, version: Option<&str>) -> Version {
    Version::new(format!("{}\n{}", e_tag.unwrap_or_default(), version.unwrap_or_default()))
}

fn update(version: &Version) -> UpdateVersion {
    let (e_tag, version) = version.as_str().split_once('\n').unwrap_or_default();
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    UpdateVersion { e_tag: some(e_tag), version: some(version) }
}

fn absent<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(Error::NotFound { .. }) => Ok(None),
        result => result.map(Some),
    }
}

fn failed(call: &'static str) -> impl Fn(Error) -> StoreError {
    move |error| StoreError::new(call, error)
}

impl fmt::Debug for Objects {
    /// Without what a backend may show of its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("files", &self.files)
            .field("piece", &self.piece)
            .finish_non_exhaustive()
    }
}
