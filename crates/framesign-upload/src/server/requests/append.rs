//! Upload append: PATCH of an upload resource, with the next part.

use bytes::Bytes;
use framesign::{http::BoxError, secrets::KeySource};
use http::{HeaderValue, Response, StatusCode, header};

use super::{
    Received, Signed, Terms, agreed, check_content, check_room, check_size, claimed, completed,
    end, other_hash, progress,
};
use crate::{
    fields::{
        ACCEPT_PATCH, PARTIAL_UPLOAD, UPLOAD_COMPLETE, UPLOAD_LENGTH, UPLOAD_OFFSET, boolean,
        integer,
    },
    server::{
        names::UploadKey,
        problem::{Body, Problem},
        record::{Hash, Record},
        uploads::Found,
    },
};

impl<B, S> Signed<'_, B, S>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    S: KeySource,
{
    pub(super) async fn append(self, key: &UploadKey) -> Result<Response<Body>, Problem> {
        self.check_type()?;
        let offset = integer(&self.fields, &UPLOAD_OFFSET)
            .ok_or_else(|| Problem::bad_request("expected Upload-Offset with an integer"))?;
        let is_last = boolean(&self.fields, &UPLOAD_COMPLETE)
            .ok_or_else(|| Problem::bad_request("expected Upload-Complete with a boolean"))?;
        let turn = self.uploads.in_flight.turn(key).await;
        let mut upload = match self.uploads.find(turn).await?.ok_or_else(Problem::not_found)? {
            Found::Open(upload) => upload,
            Found::Done(record) => return self.again(&record, offset, is_last),
        };
        if offset != upload.record.offset {
            return Err(Problem::mismatching_offset(upload.record.offset, offset));
        }
        let length = self.check(&upload.record, is_last)?;
        let claimed = self.claimed(&upload.record, is_last)?;
        self.uploads.claim(&mut upload).await?;
        let uploads = self.uploads;
        match self.receive(&mut upload, Terms { is_last, length, claimed }).await {
            Ok(Received::Counted) if is_last => end(uploads, *upload).await,
            Ok(Received::Counted) => Ok(progress(StatusCode::NO_CONTENT, &upload.record, false)),
            Ok(Received::OtherHash) => {
                uploads.remove(*upload).await?;
                Err(other_hash())
            }
            Err(problem) => {
                uploads.release(&mut upload).await;
                Err(problem)
            }
        }
    }

    /// Answers a part of an upload that is complete. The last one may come again, empty, if its
    /// answer was lost. What it says of the whole must be so.
    fn again(
        &self,
        record: &Record,
        offset: u64,
        is_last: bool,
    ) -> Result<Response<Body>, Problem> {
        if offset != record.offset {
            return Err(Problem::mismatching_offset(record.offset, offset));
        }
        if !is_last || self.content_length > 0 {
            return Err(Problem::completed());
        }
        agreed([record.length, integer(&self.fields, &UPLOAD_LENGTH), None])?;
        if claimed(&self.fields).is_some_and(|Hash(claimed)| claimed != record.digest()) {
            return Err(other_hash());
        }
        Ok(completed(record))
    }

    fn check_type(&self) -> Result<(), Problem> {
        let mut lines = self.fields.get_all(header::CONTENT_TYPE).iter();
        let media_type = match (lines.next(), lines.next()) {
            (Some(line), None) => line.to_str().unwrap_or_default(),
            _ => "",
        };
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case(PARTIAL_UPLOAD) {
            return Ok(());
        }
        let detail = "expected content of application/partial-upload";
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
        Err(problem.with(ACCEPT_PATCH, HeaderValue::from_static(PARTIAL_UPLOAD)))
    }

    /// Checks the content against what is known of the upload, and the limits. Returns the length of
    /// the whole, if it is known now.
    fn check(&self, record: &Record, is_last: bool) -> Result<Option<u64>, Problem> {
        let limits = &self.uploads.limits;
        check_content(limits, self.content_length, is_last)?;
        let end = record.offset.saturating_add(self.content_length);
        let said = integer(&self.fields, &UPLOAD_LENGTH);
        let length = agreed([record.length, said, is_last.then_some(end)])?;
        if length.is_some_and(|length| length < end) {
            let detail = "expected no more content than is left of the upload's length";
            return Err(Problem::inconsistent_length(detail));
        }
        check_size(limits, length.unwrap_or(end))?;
        if self.content_length > 0 {
            check_room(self.uploads, record.parts, record.pieces, self.content_length)?;
        }
        Ok(length)
    }

    /// The hash of the whole that is claimed, by this request or before. A part that is not the last
    /// does not speak of the whole.
    fn claimed(&self, record: &Record, is_last: bool) -> Result<Option<Hash>, Problem> {
        let now = if is_last { claimed(&self.fields) } else { None };
        match (record.claimed, now) {
            (Some(before), Some(now)) if before != now => {
                let detail = "expected the Repr-Digest of the creation, found another one";
                Err(Problem::bad_request(detail).complete(false))
            }
            (before, now) => Ok(now.or(before)),
        }
    }
}
