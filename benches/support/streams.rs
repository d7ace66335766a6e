//! Connections received through the codec, and by the barest loop that reads and hashes.

use std::{io, pin::pin};

use framesign::codec::{CodecError, SigningEvent};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::upload::CHUNK;

/// The number of frames that were signed.
pub(crate) async fn count_signed(
    frames: impl Stream<Item = Result<SigningEvent, CodecError>>,
) -> Result<usize, CodecError> {
    let mut frames = pin!(frames);
    let mut signed = 0;
    while let Some(event) = frames.next().await {
        signed += usize::from(matches!(event?, SigningEvent::Signed(_)));
    }
    Ok(signed)
}

/// The barest loop: what cannot be done without.
pub(crate) async fn read_and_hash(mut input: impl AsyncRead + Unpin) -> io::Result<[u8; 32]> {
    let mut buffer = vec![0; CHUNK];
    let mut hash = Sha256::new();
    loop {
        match input.read(&mut buffer).await? {
            0 => return Ok(hash.finalize().into()),
            len => hash.update(buffer.get(..len).unwrap_or_default()),
        }
    }
}
