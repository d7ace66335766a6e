//! Receives the content of a part: verified as it passes, hashed for the whole, and written.

use std::{mem, pin::pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use framesign::{
    http::{BoxError, VerifyingBody},
    offload::OffloadedHash,
};
use http::StatusCode;
use http_body_util::BodyExt;
use sha256_multi::State;
use tokio::{
    task::{self, JoinHandle},
    time::{self, Instant},
};

use super::{
    limits::Limits,
    problem::Problem,
    record::Part,
    store::{Piece, Place, Properties, Store, StoreError},
    uploads::{OpenUpload, Uploads},
};

/// How often the claim is looked at while a store or a sender is waited for.
const CLAIM_LOOK: Duration = Duration::from_secs(5);

/// Receives the `length` bytes of a part. What has come is not counted yet: the record stays as it
/// was, but for its claim.
///
/// One piece is written while the next comes. Before a third one is read the first must be written:
/// so a store that is slow makes the sender slow, and memory stays at two pieces.
pub(super) async fn receive<B>(
    uploads: &Uploads,
    upload: &mut OpenUpload,
    body: VerifyingBody<B>,
    length: u64,
) -> Result<Part, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let body = match &uploads.pool {
        Some(pool) => body.hash_on(pool),
        None => body,
    };
    let mut writer = Writer::new(uploads, upload);
    let result = match pass(uploads, upload, body, length, &mut writer).await {
        Ok(()) => keeping_claim(uploads, upload, writer.sync()).await,
        Err(problem) => Err(problem),
    };
    if let Err(problem) = result {
        settle(uploads, upload, &mut writer).await;
        return Err(problem);
    }
    Ok(writer.into_part(length).await)
}

/// Waits for a store, however slow it is, and keeps the claim meanwhile: whoever had it next would
/// write at the same place.
async fn keeping_claim<T>(
    uploads: &Uploads,
    upload: &mut OpenUpload,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Problem> {
    let mut call = pin!(call);
    loop {
        tokio::select! {
            done = &mut call => return Ok(done?),
            () = time::sleep(CLAIM_LOOK) => uploads.keep_claim(upload).await?,
        }
    }
}

/// Waits until nothing of a part that has failed is being written. Nothing of it may be written once
/// the next request is, of whichever process: so a claim that could not be kept is tried again.
async fn settle(uploads: &Uploads, upload: &mut OpenUpload, writer: &mut Writer) {
    let mut written = pin!(writer.written());
    loop {
        tokio::select! {
            _ = &mut written => return,
            () = time::sleep(CLAIM_LOOK) => drop(uploads.keep_claim(upload).await),
        }
    }
}

/// The number of pieces that a part of `length` bytes has.
pub(super) fn pieces(properties: &Properties, length: u64) -> u64 {
    (length / properties.piece as u64).max(1)
}

/// Reads the body, and gives the writer one piece after another.
async fn pass<B>(
    uploads: &Uploads,
    upload: &mut OpenUpload,
    mut body: VerifyingBody<B>,
    length: u64,
    writer: &mut Writer,
) -> Result<(), Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let size = length.div_ceil(pieces(&uploads.store.properties(), length));
    // Smaller than two pieces of a store.
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let mut piece = BytesMut::with_capacity(size);
    let mut rate = MinRate::begin();
    loop {
        let Some(data) = next_data(uploads, upload, &mut body).await? else { break };
        rate.check(data.len(), &uploads.limits)?;
        uploads.keep_claim(upload).await?;
        writer.hash.push(&data).await;
        // Copied, since a frame may hold on to a read buffer that is far larger than itself.
        let mut data = &data[..];
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(size - piece.len()));
            piece.extend_from_slice(now);
            if piece.len() == size {
                let next = BytesMut::with_capacity(size);
                let piece = mem::replace(&mut piece, next).freeze();
                keeping_claim(uploads, upload, writer.push(piece)).await?;
            }
            data = later;
        }
    }
    if !piece.is_empty() {
        keeping_claim(uploads, upload, writer.push(piece.freeze())).await?;
    }
    Ok(())
}

/// Waits for what comes next, and keeps the claim meanwhile. `None` at the end.
async fn next_data<B>(
    uploads: &Uploads,
    upload: &mut OpenUpload,
    body: &mut VerifyingBody<B>,
) -> Result<Option<Bytes>, Problem>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let mut frame = pin!(time::timeout(uploads.limits.idle_timeout, body.frame()));
    let frame = loop {
        tokio::select! {
            frame = &mut frame => break frame.map_err(|_| too_slow())?,
            () = upload.turn.ended() => return Err(taken_over()),
            () = time::sleep(CLAIM_LOOK) => uploads.keep_claim(upload).await?,
        }
    };
    // A refusal is answered by the layer around all this.
    let frame = frame.transpose().map_err(|_| cut())?;
    Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// The running hash of the whole.
enum RunningHash {
    /// On the threads of a pool, frame by frame as they come.
    Offloaded(OffloadedHash),
    /// On tokio's blocking threads, piece by piece.
    Blocking(State),
}

impl RunningHash {
    fn new(uploads: &Uploads, state: State) -> Self {
        match &uploads.pool {
            Some(pool) => Self::Offloaded(OffloadedHash::resume(pool, state)),
            None => Self::Blocking(state),
        }
    }

    /// Hashes the next frame, if frames are hashed.
    async fn push(&mut self, frame: &Bytes) {
        if let Self::Offloaded(hash) = self {
            hash.ready().await;
            hash.push(frame.clone());
        }
    }

    /// The state after all that has come, once it is hashed.
    async fn finish(self) -> State {
        match self {
            Self::Offloaded(hash) => hash.suspend().await,
            Self::Blocking(state) => state,
        }
    }
}

/// A piece that was written: the hash up to its end, unless frames are hashed, and what the store calls
/// it.
struct Written {
    hash: Option<State>,
    tag: Option<String>,
}

/// Hashes and writes one piece at a time, beside what receives the next.
struct Writer {
    store: Arc<dyn Store>,
    place: Place,
    index: usize,
    offset: u64,
    hash: RunningHash,
    tags: Vec<Option<String>>,
    writing: Option<JoinHandle<Result<Written, StoreError>>>,
}

impl Writer {
    fn new(uploads: &Uploads, upload: &OpenUpload) -> Self {
        let record = &upload.record;
        Self {
            store: Arc::clone(&uploads.store),
            place: record.place(upload.turn.key()),
            index: record.pieces,
            offset: record.offset,
            hash: RunningHash::new(uploads, record.hash.clone()),
            tags: Vec::new(),
            writing: None,
        }
    }

    /// Begins to write a piece, once the one before it is written.
    async fn push(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.written().await?;
        let piece = Piece { index: self.index, offset: self.offset, bytes };
        self.index += 1;
        self.offset += piece.bytes.len() as u64;
        let hash = match &self.hash {
            RunningHash::Offloaded(_) => None,
            RunningHash::Blocking(hash) => Some(hash.clone()),
        };
        let (store, place) = (Arc::clone(&self.store), self.place.clone());
        self.writing = Some(task::spawn(hash_and_write(store, place, hash, piece)));
        Ok(())
    }

    /// Waits for the piece that is being written. If this is dropped, it can be waited for again.
    async fn written(&mut self) -> Result<(), StoreError> {
        let Some(writing) = &mut self.writing else { return Ok(()) };
        let written = writing.await;
        self.writing = None;
        let Written { hash, tag } =
            written.map_err(|error| StoreError::new("write data", error))??;
        if let Some(hash) = hash {
            self.hash = RunningHash::Blocking(hash);
        }
        self.tags.push(tag);
        Ok(())
    }

    /// Waits for the last piece, and makes all of them stable.
    ///
    /// Of an empty part as well: it may be the last one, and the store fails if the data are gone.
    async fn sync(&mut self) -> Result<(), StoreError> {
        self.written().await?;
        self.store.sync(&self.place).await
    }

    /// All pieces as the part that they are, once they are hashed.
    async fn into_part(self, length: u64) -> Part {
        Part { length, hash: self.hash.finish().await, tags: self.tags }
    }
}

async fn hash_and_write(
    store: Arc<dyn Store>,
    place: Place,
    hash: Option<State>,
    piece: Piece,
) -> Result<Written, StoreError> {
    let hash = match hash {
        Some(hash) => Some(hashed(hash, piece.bytes.clone()).await?),
        None => None,
    };
    Ok(Written { hash, tag: store.write(&place, piece).await? })
}

async fn hashed(mut hash: State, bytes: Bytes) -> Result<State, StoreError> {
    let hashed = task::spawn_blocking(move || {
        hash.update(&bytes);
        hash
    });
    hashed.await.map_err(|error| StoreError::new("hash data", error))
}

/// Holds a part to a rate, over one time-out after another.
struct MinRate {
    since: Instant,
    bytes: u64,
}

impl MinRate {
    fn begin() -> Self {
        Self { since: Instant::now(), bytes: 0 }
    }

    fn check(&mut self, bytes: usize, limits: &Limits) -> Result<(), Problem> {
        self.bytes += bytes as u64;
        let took = self.since.elapsed();
        if took < limits.idle_timeout {
            return Ok(());
        }
        let least = u128::from(limits.min_rate) * took.as_millis() / 1000;
        if u128::from(self.bytes) < least {
            return Err(too_slow());
        }
        *self = Self::begin();
        Ok(())
    }
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "expected the content to come faster")
}

fn cut() -> Problem {
    Problem::bad_request("expected the whole content")
}

fn taken_over() -> Problem {
    Problem::conflict("a further request for the upload has come")
}
