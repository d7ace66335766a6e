//! Upload cancellation: DELETE of an upload resource.

use bytes::Bytes;
use framesign::{http::BoxError, secrets::KeySource};
use http::{Response, StatusCode};

use super::Signed;
use crate::server::{
    names::UploadKey,
    problem::{Body, Problem},
    uploads::Found,
};

impl<B, S> Signed<'_, B, S>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    S: KeySource,
{
    /// Deletes an upload. Of one that is complete the result alone: the file stays.
    pub(super) async fn cancel(self, key: &UploadKey) -> Result<Response<Body>, Problem> {
        let turn = self.uploads.in_flight.turn(key).await;
        match self.uploads.find(turn).await?.ok_or_else(Problem::not_found)? {
            Found::Open(mut upload) => {
                // So that a process that goes on with it cannot save its record any more.
                self.uploads.claim(&mut upload).await?;
                self.uploads.remove(*upload).await?;
            }
            Found::Done(_) => self.uploads.delete_done(key).await?,
        }
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}
