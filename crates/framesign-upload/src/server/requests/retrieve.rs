//! Offset retrieval: HEAD or GET of an upload resource.

use std::time::Duration;

use bytes::Bytes;
use framesign::{http::BoxError, secrets::KeySource};
use http::{Response, StatusCode};

use super::{Signed, insert, limit_field, progress};
use crate::{
    fields::{REPR_DIGEST, UPLOAD_LENGTH, UPLOAD_LIMIT},
    server::{
        names::UploadKey,
        problem::{Body, Problem, number},
        record::Record,
        uploads::Found,
    },
};

impl<B, S> Signed<'_, B, S>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    S: KeySource,
{
    pub(super) async fn retrieve(self, key: &UploadKey) -> Result<Response<Body>, Problem> {
        let uploads = self.uploads;
        let turn = uploads.in_flight.turn(key).await;
        match uploads.find(turn).await?.ok_or_else(Problem::not_found)? {
            Found::Open(upload) => {
                // An offset that is told must be one that the next part can have.
                if let Some(left) = uploads.claimed_elsewhere(&upload.record) {
                    return Err(being_received(left));
                }
                Ok(self.state(&upload.record, false))
            }
            Found::Done(record) => {
                let mut response = self.state(&record, true);
                let digest = record.digest().content_digest();
                insert(response.headers_mut(), REPR_DIGEST, &digest);
                Ok(response)
            }
        }
    }

    fn state(&self, record: &Record, is_complete: bool) -> Response<Body> {
        let mut response = progress(StatusCode::NO_CONTENT, record, is_complete);
        let fields = response.headers_mut();
        if let Some(length) = record.length {
            fields.insert(UPLOAD_LENGTH, number(length));
        }
        insert(fields, UPLOAD_LIMIT, &limit_field(record, self.uploads));
        response
    }
}

/// Another process receives a part. Its offset is known when that has ended.
fn being_received(left: Duration) -> Problem {
    let detail = "another process receives a part of the upload";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(left.as_secs() + 1)
}
