//! The interface that a `FramedRead` and an `OffloadedRead` share.

use futures_core::Stream;
use tokio::io::AsyncRead;
use tokio_util::codec::{Decoder, FramedParts, FramedRead};

use super::{CodecError, FrameCodec, OffloadedRead};

/// The frames of a connection, wherever their payloads are hashed: a
/// [`FramedRead`](tokio_util::codec::FramedRead) with a codec of this module, or an
/// [`OffloadedRead`].
///
/// For functions that take either. Its methods are those that both have by themselves.
///
/// ```
/// use framesign::codec::{
///     CodecError, ConnectionState, FrameStream, OffloadedRead, SigningCodec, SigningEvent,
/// };
/// use framesign::offload::HashPool;
/// use futures_util::StreamExt;
/// use tokio_util::codec::FramedRead;
///
/// async fn print<S>(mut frames: S) -> Result<(), CodecError>
/// where
///     S: FrameStream<Codec = SigningCodec> + Unpin,
/// {
///     while let Some(event) = frames.next().await {
///         if let SigningEvent::Signed(signature) = event? {
///             println!("{signature}");
///         }
///         if frames.decoder().state() != ConnectionState::Open {
///             break;
///         }
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let key = framesign::SigningKey::derive(
/// #     &framesign::Credentials::new("access", "secret")?, framesign::SigningDate::today());
/// let socket = &b"PUT /up HTTP/1.1\r\nHost: test.com\r\nContent-Length: 5\r\n\r\nhello"[..];
/// print(FramedRead::new(socket, SigningCodec::new(key.clone()))).await?;
/// let pool = HashPool::new(2.try_into()?)?;
/// print(OffloadedRead::new(socket, SigningCodec::new(key), &pool)).await?;
/// # Ok(())
/// # }
/// ```
pub trait FrameStream: Stream<Item = Result<<Self::Codec as Decoder>::Item, CodecError>> {
    /// The reader.
    type Reader: AsyncRead;
    /// The codec.
    type Codec: FrameCodec;

    /// The reader.
    fn get_ref(&self) -> &Self::Reader;

    /// The reader; bytes that are read from it here are lost to the frames.
    fn get_mut(&mut self) -> &mut Self::Reader;

    /// The codec.
    fn decoder(&self) -> &Self::Codec;

    /// The codec.
    fn decoder_mut(&mut self) -> &mut Self::Codec;

    /// The reader, the codec, and the bytes that were read and are not decoded: those behind a
    /// CONNECT or an `Upgrade`, which are of another protocol.
    fn into_parts(self) -> FramedParts<Self::Reader, Self::Codec>;
}

impl<R: AsyncRead, D: FrameCodec> FrameStream for FramedRead<R, D> {
    type Reader = R;
    type Codec = D;

    fn get_ref(&self) -> &R {
        self.get_ref()
    }

    fn get_mut(&mut self) -> &mut R {
        self.get_mut()
    }

    fn decoder(&self) -> &D {
        self.decoder()
    }

    fn decoder_mut(&mut self) -> &mut D {
        self.decoder_mut()
    }

    fn into_parts(self) -> FramedParts<R, D> {
        self.into_parts()
    }
}

impl<R: AsyncRead, D: FrameCodec> FrameStream for OffloadedRead<R, D> {
    type Reader = R;
    type Codec = D;

    fn get_ref(&self) -> &R {
        self.get_ref()
    }

    fn get_mut(&mut self) -> &mut R {
        self.get_mut()
    }

    fn decoder(&self) -> &D {
        self.decoder()
    }

    fn decoder_mut(&mut self) -> &mut D {
        self.decoder_mut()
    }

    fn into_parts(self) -> FramedParts<R, D> {
        self.into_parts()
    }
}
