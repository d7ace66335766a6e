//! Upload creation: POST or PUT to a file, with all of it, a first part or nothing.

use bytes::Bytes;
use framesign::{http::BoxError, secrets::KeySource};
use http::{Response, StatusCode, header};

use super::{
    Received, Signed, Terms, UPLOADS, agreed, check_content, check_room, check_size, claimed,
    described, end, insert, limit_field, other_hash,
};
use crate::{
    fields::{UPLOAD_COMPLETE, UPLOAD_LENGTH, UPLOAD_LIMIT, boolean, integer},
    server::{
        limits::Limits,
        names::FileName,
        problem::{Body, Problem},
        uploads::{OpenUpload, Uploads, name_taken},
    },
};

impl<B, S> Signed<'_, B, S>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    S: KeySource,
{
    pub(super) async fn create(self, name: &str) -> Result<Response<Body>, Problem> {
        let (uploads, content_length) = (self.uploads, self.content_length);
        let name = FileName::from_segment(name);
        let name = name.map_err(|error| Problem::bad_request(error.to_string()))?;
        // Without the field it is a plain upload, which has all of it.
        let is_last = boolean(&self.fields, &UPLOAD_COMPLETE).unwrap_or(true);
        let length = self.length(is_last)?;
        check_sizes(&uploads.limits, length, content_length, is_last)?;
        if content_length > 0 {
            check_room(uploads, 0, 0, content_length)?;
        }
        let creation = uploads.creation(&self.access_key).await;
        check_count(uploads, &self.access_key).await?;
        if uploads.store.exists(&name).await? {
            return Err(name_taken());
        }
        let claimed = claimed(&self.fields);
        let mut upload = uploads.create(&self.access_key, name, length, claimed).await?;
        drop(creation);
        if content_length == 0 && !is_last {
            uploads.release(&mut upload).await;
            return Ok(created(uploads, &upload));
        }
        match self.receive(&mut upload, Terms { is_last, length, claimed }).await {
            Ok(Received::Counted) if is_last => end(uploads, upload).await,
            Ok(Received::Counted) => Ok(created(uploads, &upload)),
            // Nobody knows of it: its name is told with the answer.
            Ok(Received::OtherHash) => {
                uploads.remove_quietly(upload).await;
                Err(other_hash())
            }
            Err(problem) => {
                uploads.give_up(upload).await;
                Err(problem)
            }
        }
    }

    /// The length of the whole, if the request tells it.
    fn length(&self, is_last: bool) -> Result<Option<u64>, Problem> {
        let of_content = is_last.then_some(self.content_length);
        let length = agreed([integer(&self.fields, &UPLOAD_LENGTH), of_content, None])?;
        if length.is_some_and(|length| length < self.content_length) {
            let detail = "expected no more content than the length of the upload";
            return Err(Problem::inconsistent_length(detail));
        }
        Ok(length)
    }
}

fn check_sizes(
    limits: &Limits,
    length: Option<u64>,
    content_length: u64,
    is_last: bool,
) -> Result<(), Problem> {
    check_size(limits, length.unwrap_or(content_length))?;
    // The least is for parts, and a creation need not have one.
    check_content(limits, content_length, is_last || content_length == 0)
}

async fn check_count(uploads: &Uploads, access_key: &[u8]) -> Result<(), Problem> {
    if uploads.count(access_key).await? < uploads.limits.max_uploads {
        return Ok(());
    }
    let detail = "as many uploads of the access key as there may be; complete or cancel some";
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(60))
}

/// The answer to a creation that is not complete: where to send the rest.
fn created(uploads: &Uploads, upload: &OpenUpload) -> Response<Body> {
    let mut response = described(&upload.record, false);
    let fields = response.headers_mut();
    insert(fields, header::LOCATION, &format!("{UPLOADS}{}", upload.turn.key().id()));
    insert(fields, UPLOAD_LIMIT, &limit_field(&upload.record, uploads));
    response
}
