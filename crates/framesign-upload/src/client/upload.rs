//! An upload, from its first request to its last.

use std::{mem, sync::Arc};

use framesign::PayloadHash;
use http::{Method, StatusCode, Uri};
use tokio::task;

use super::{
    answer::{Answer, Limits},
    error::UploadError,
    event::Event,
    part::{self, Part, Sent},
    part_reader::PartReader,
    part_size::{max_append_size, part_size},
    requester::{Requester, refused},
    requests,
    settings::Settings,
    source::Source,
    url::Url,
};

/// A complete upload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uploaded {
    /// Where it was uploaded to.
    pub url: Uri,
    /// The number of its bytes.
    pub bytes: u64,
    /// The hash of all of them, as they were read.
    pub sha256: PayloadHash,
    /// Whether the server named the same hash.
    pub is_confirmed: bool,
    /// Whether it was sent in parts.
    pub in_parts: bool,
}

/// Uploads all of a source.
pub(super) async fn upload(
    settings: &Settings,
    source: Source,
    url: Url,
) -> Result<Uploaded, UploadError> {
    let mut upload = Upload::new(settings, &source, url);
    let takes_parts = match upload.discover().await {
        Err(UploadError::Refused { status, .. }) if status != StatusCode::UNAUTHORIZED => false,
        discovered => discovered?,
    };
    if !takes_parts {
        return upload.put(source).await;
    }
    upload.create().await?;
    upload.send_all(PartReader::new(source)).await
}

/// Goes on with an upload.
pub(super) async fn resume(
    settings: &Settings,
    source: Source,
    url: Url,
    location: Url,
) -> Result<Uploaded, UploadError> {
    let mut upload = Upload::new(settings, &source, url);
    upload.location = Some(location);
    match upload.discover().await {
        // It tells the limits and no more. Only HEAD of the upload tells that it is gone.
        Ok(_) | Err(UploadError::Refused { .. }) => {}
        Err(error) => return Err(error),
    }
    let state = upload.ask_offset(0, upload.length.unwrap_or(u64::MAX)).await?;
    upload.requester.progressed();
    settings.observer.tell(Event::Resumed { offset: upload.offset });
    let (mut reader, offset) = (PartReader::new(source), upload.offset);
    let reader = part::run(move || reader.skip(offset).map(|()| reader)).await??;
    if state.complete() == Some(true) {
        return upload.already_complete(&reader, &state);
    }
    upload.send_all(reader).await
}

/// Cancels an upload.
pub(super) async fn cancel(settings: &Settings, location: Url) -> Result<(), UploadError> {
    let mut upload = Upload::of(settings, location, None);
    let location = upload.url.clone();
    let answer = upload.requester.send(|| requests::plain(&Method::DELETE, &location)).await;
    answer.map(drop).map_err(gone_if_not_found)
}

/// An upload while it lasts.
struct Upload<'a> {
    settings: &'a Settings,
    url: Url,
    location: Option<Url>,
    length: Option<u64>,
    /// The number of bytes that the server has.
    offset: u64,
    limits: Limits,
    requester: Requester<'a>,
}

impl<'a> Upload<'a> {
    fn new(settings: &'a Settings, source: &Source, url: Url) -> Self {
        Self::of(settings, url, source.length())
    }

    fn of(settings: &'a Settings, url: Url, length: Option<u64>) -> Self {
        Self {
            settings,
            url,
            location: None,
            length,
            offset: 0,
            limits: Limits::default(),
            requester: Requester::new(settings),
        }
    }

    // How an upload begins.

    /// Asks whether the server takes parts, and what its limits are.
    ///
    /// An answer that is no success, without limits, may be one to a bit that flipped on the way. So
    /// it counts if it comes twice.
    async fn discover(&mut self) -> Result<bool, UploadError> {
        let url = self.url.clone();
        let answered = self.requester.send(|| requests::plain(&Method::OPTIONS, &url)).await;
        self.requester.forget_acceptance();
        let answer = answered?;
        if !answer.takes_parts() {
            return Ok(false);
        }
        self.adopt_limits(&answer);
        self.check_limits().map(|()| true)
    }

    /// An error if the source cannot be sent within the limits.
    fn check_limits(&self) -> Result<(), UploadError> {
        match (self.length, self.limits.max_size) {
            (Some(length), Some(max_size)) if length > max_size => {
                Err(UploadError::TooLarge { length, max_size })
            }
            _ => part_size(self.settings.part_size, &self.limits, self.length, 0).map(drop),
        }
    }

    async fn create(&mut self) -> Result<(), UploadError> {
        let (url, length) = (self.url.clone(), self.length);
        let answer = self.requester.send(|| requests::create(&url, length)).await?;
        let no_location = UploadError::Protocol(
            "does not say where the upload is; its answer to the creation has no Location",
        );
        let location = self.url.resolve(answer.location().ok_or(no_location)?)?;
        self.adopt_limits(&answer);
        self.settings.observer.tell(Event::Created { upload: &location.to_uri() });
        self.location = Some(location);
        self.requester.progressed();
        Ok(())
    }

    /// Sends all of the source by one request, to a server that takes no parts.
    async fn put(&mut self, source: Source) -> Result<Uploaded, UploadError> {
        self.settings.observer.tell(Event::WithoutParts);
        let size = self.length.unwrap_or(self.settings.part_size);
        let mut reader = PartReader::new(source);
        let whole = part::run(move || reader.next_part(size)).await??;
        let Some(sha256) = whole.whole else { return Err(UploadError::WithoutParts) };
        let (url, sent) = (self.url.clone(), Arc::new(Sent::default()));
        let observer = &self.settings.observer;
        let make = || requests::put(&url, whole.body(&sent, observer));
        let answered = self.requester.send_with_body(make, &sent).await;
        if answered.is_err() {
            whole.check_unchanged().await?;
        }
        let answer = answered?;
        self.offset = whole.length;
        self.complete(sha256, &answer, false)
    }

    // Parts.

    /// Sends what the reader has still to read. One part is read and hashed while another is sent.
    async fn send_all(&mut self, reader: PartReader) -> Result<Uploaded, UploadError> {
        let sent = self.send_parts(reader).await;
        if matches!(sent, Err(UploadError::SourceChanged)) || self.is_lost(&sent) {
            self.abandon().await;
        }
        sent
    }

    /// Whether a stream ended early at this end, and nobody can read its beginning again.
    fn is_lost(&self, sent: &Result<Uploaded, UploadError>) -> bool {
        use UploadError::{PartsTooLarge, PartsTooSmall, Read};
        matches!(sent, Err(Read(_) | PartsTooLarge { .. } | PartsTooSmall { .. }))
            && self.length.is_none()
    }

    async fn send_parts(&mut self, reader: PartReader) -> Result<Uploaded, UploadError> {
        let (mut reader, mut part) = self.read(reader).await?;
        loop {
            if let Some(sha256) = part.whole {
                let answer = self.send_part(&part).await?;
                return self.complete(sha256, &answer, true);
            }
            let next = self.read(reader);
            self.send_part(&part).await?;
            let (next_reader, next_part) = next.await?;
            reader = next_reader;
            // The part after the next one is read into its memory.
            reader.recycle(mem::replace(&mut part, next_part));
        }
    }

    /// Begins to read the next part at once, beside all else.
    fn read(
        &self,
        mut reader: PartReader,
    ) -> impl Future<Output = Result<(PartReader, Part), UploadError>> + use<> {
        let (asked, limits) = (self.settings.part_size, self.limits);
        let size = part_size(asked, &limits, reader.length(), reader.offset());
        let reading = task::spawn_blocking(move || {
            let part = reader.next_part(size?)?;
            Ok((reader, part))
        });
        async { reading.await.map_err(|error| UploadError::Read(error.into()))? }
    }

    /// Sends a part until the server has all of it. Returns the last answer.
    async fn send_part(&mut self, part: &Part) -> Result<Answer, UploadError> {
        loop {
            let max = max_append_size(&self.limits, part.end() - self.offset)?;
            let rest = part.rest(self.offset, max).await?;
            let before = self.offset;
            let Some(answer) = self.try_append(&rest).await? else {
                let state = self.ask_offset(part.begin, part.end()).await?;
                if self.offset > before {
                    self.progressed();
                }
                let has_all = self.offset == part.end();
                match (state.complete(), part.whole.is_some()) {
                    (Some(true), true) if has_all => return Ok(state),
                    (Some(true), _) => return Err(UploadError::CompleteEarly),
                    (_, false) if has_all => return Ok(state),
                    _ => continue,
                }
            };
            self.offset = rest.end();
            self.progressed();
            if self.offset == part.end() {
                return Ok(answer);
            }
        }
    }

    fn progressed(&mut self) {
        self.requester.progressed();
        self.settings.observer.tell(Event::Acknowledged { offset: self.offset });
    }

    /// Sends what is left of a part once. `None` if it is to be asked how much of it the server has,
    /// after a pause.
    async fn try_append(&mut self, rest: &Part) -> Result<Option<Answer>, UploadError> {
        let sent = Arc::new(Sent::default());
        let body = rest.body(&sent, &self.settings.observer);
        let request = requests::append(self.location(), rest, body);
        let answered = self.requester.try_send(request, &sent).await;
        match answered {
            Ok(answer) if answer.is_success() && is_of(&answer, rest) => return Ok(Some(answer)),
            // It has another part of it, or more, or says nothing of it. Of a server that does so
            // again and again there is an end as well.
            Ok(answer) if answer.is_success() => {
                if !self.requester.pause().await {
                    return Err(UploadError::Protocol("has another part than was sent"));
                }
            }
            // Whatever it was, it is no use to go on.
            Ok(answer) if !answer.is_success() && answer.complete() == Some(true) => {
                return Err(refused(&Method::PATCH, &answer));
            }
            Ok(answer) if answer.status == StatusCode::PAYLOAD_TOO_LARGE => {
                self.adopt_limits(&answer);
                self.requester.pause_after(&Method::PATCH, &answer).await?;
            }
            Ok(answer) => self.requester.pause_after(&Method::PATCH, &answer).await?,
            Err(problem) => {
                // The bytes of a file that changed are not those that were signed.
                rest.check_unchanged().await?;
                self.requester.pause_after_break(problem).await?;
            }
        }
        rest.check_unchanged().await?;
        Ok(None)
    }

    /// Asks how many bytes the server has.
    async fn ask_offset(&mut self, least: u64, most: u64) -> Result<Answer, UploadError> {
        let location = self.location().clone();
        let answer = self.requester.send(|| requests::plain(&Method::HEAD, &location)).await;
        let answer = answer.map_err(gone_if_not_found)?;
        match answer.offset() {
            Some(offset) if (least..=most).contains(&offset) => {
                self.offset = offset;
                Ok(answer)
            }
            Some(_) => Err(UploadError::Protocol("has another number of bytes than were sent")),
            None => Err(UploadError::Protocol("does not say in Upload-Offset what it has")),
        }
    }

    /// The upload was complete before it was resumed.
    fn already_complete(
        &self,
        reader: &PartReader,
        state: &Answer,
    ) -> Result<Uploaded, UploadError> {
        match reader.length() {
            Some(length) if length == self.offset => self.complete(reader.whole(), state, true),
            _ => Err(UploadError::CompleteEarly),
        }
    }

    /// Compares the hash of the whole with the one that the server names.
    fn complete(
        &self,
        sha256: PayloadHash,
        answer: &Answer,
        in_parts: bool,
    ) -> Result<Uploaded, UploadError> {
        let named = answer.repr_digest();
        match named {
            Some(named) if named != sha256 => Err(UploadError::OtherHash { read: sha256, named }),
            _ => Ok(Uploaded {
                url: self.url.to_uri(),
                bytes: self.offset,
                sha256,
                is_confirmed: named.is_some(),
                in_parts,
            }),
        }
    }

    /// Tries to cancel an upload that nobody can go on with. If it fails, the server deletes it in
    /// time.
    async fn abandon(&mut self) {
        let request = requests::plain(&Method::DELETE, self.location());
        let _ = self.requester.try_send(request, &Sent::default()).await;
    }

    fn adopt_limits(&mut self, answer: &Answer) {
        if let Some(limits) = answer.limits() {
            self.limits = limits;
        }
    }

    /// Where the parts go. Only an upload that was created has any.
    fn location(&self) -> &Url {
        self.location.as_ref().unwrap_or(&self.url)
    }
}

/// Whether a success says of a part that the server has it, and whether it is the last.
///
/// Whoever stands between may answer 200 to everything, such as the portal of a network that asks
/// for a login. So an answer counts only if it has a field that such an answer has not.
fn is_of(answer: &Answer, part: &Part) -> bool {
    let has_end = answer.offset().map(|offset| offset == part.end());
    let has_kind = answer.complete().map(|is_complete| is_complete == part.whole.is_some());
    let is_said = match part.whole {
        Some(whole) => has_kind.is_some() || answer.repr_digest() == Some(whole),
        None => has_kind.or(has_end).is_some(),
    };
    is_said && has_end.unwrap_or(true) && has_kind.unwrap_or(true)
}

/// An upload that is asked for and not found is gone.
fn gone_if_not_found(error: UploadError) -> UploadError {
    match error {
        UploadError::Refused { status: StatusCode::NOT_FOUND | StatusCode::GONE, .. } => {
            UploadError::Gone
        }
        error => error,
    }
}
