//! Receives uploads through the codec and writes them to a folder.
//!
//! What arrives goes into a file whose name begins with a dot. It gets its own name only once the
//! frame is verified and the file is on the disk, by a rename, which happens whole or not at all.
//! So a file without the dot is complete, at whatever moment the service was killed.
//!
//! Until a frame is verified its path is as untrusted as its payload: it names a temporary file and
//! brings about nothing else.

use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use framesign::{
    Credentials, SigningKey,
    codec::{CodecError, ConnectionState, FrameHead, FrameStream, VerifyingCodec, VerifyingEvent},
    verify::{Claim, Policy, Verified},
};
use futures_util::StreamExt;
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::codec::FramedRead;

/// The folder that uploads go to, and who may upload.
pub(crate) struct Service {
    folder: PathBuf,
    credentials: Credentials,
    policy: Arc<Policy>,
    uploads: AtomicU64,
}

impl Service {
    /// Removes what a killed service has left in `folder`.
    pub(crate) fn new(folder: PathBuf, credentials: Credentials) -> io::Result<Arc<Self>> {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            if name.starts_with(b".") && name.ends_with(b".part") {
                fs::remove_file(path)?;
            }
        }
        let policy = Arc::new(Policy::default().max_payload(16 << 30));
        Ok(Arc::new(Self { folder, credentials, policy, uploads: AtomicU64::new(0) }))
    }

    /// Serves all connections that come, each by itself.
    #[expect(clippy::print_stderr, reason = "its log")]
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        loop {
            let (socket, peer) = listener.accept().await?;
            let service = Arc::clone(&self);
            tokio::spawn(async move {
                if let Err(error) = service.serve(socket).await {
                    eprintln!("{peer}: {error}");
                }
            });
        }
    }

    async fn serve(self: Arc<Self>, socket: TcpStream) -> Result<(), CodecError> {
        let keys = Arc::clone(&self);
        let codec = VerifyingCodec::new(Arc::clone(&self.policy), move |claim| keys.keys(claim));
        let mut frames = FramedRead::new(socket, codec);
        let result = self.receive(&mut frames).await;
        if let Err(error) = &result {
            refuse(frames.into_inner(), error).await?;
        }
        result
    }

    /// Receives the uploads of a connection, wherever their payloads are hashed.
    async fn receive<S>(&self, frames: &mut S) -> Result<(), CodecError>
    where
        S: FrameStream<Reader = TcpStream, Codec = VerifyingCodec> + Unpin,
    {
        let mut upload = None;
        while let Some(event) = frames.next().await {
            match (event?, &mut upload) {
                (VerifyingEvent::Head(head, _), _) => {
                    upload = Some(self.begin(&head).await?);
                    if head
                        .values("expect")
                        .any(|value| value.eq_ignore_ascii_case(b"100-continue"))
                    {
                        frames.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                    }
                }
                (VerifyingEvent::Data(data), Some(upload)) => upload.file.write_all(&data).await?,
                (VerifyingEvent::Verified(verified), _) => {
                    if let Some(upload) = upload.take() {
                        upload.commit(&verified).await?;
                    }
                    let created = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
                    frames.get_mut().write_all(created).await?;
                    if frames.decoder().state() != ConnectionState::Open {
                        break;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The keys of a claim: those of the one sender that is known here.
    fn keys(&self, claim: &Claim) -> Vec<SigningKey> {
        if claim.access_key() != self.credentials.access_key().as_bytes() {
            return Vec::new();
        }
        vec![SigningKey::derive(&self.credentials, claim.date())]
    }

    async fn begin(&self, head: &FrameHead) -> io::Result<Upload> {
        let path = head.head().path().unwrap_or_default();
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let name = str::from_utf8(name).unwrap_or_default();
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(|byte| is_plain(&byte)) {
            let what = "expected a path that ends in a plain name, found another one";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let temporary = self.folder.join(format!(".{name}.{}-{number}.part", std::process::id()));
        let file = File::create_new(&temporary).await?;
        Ok(Upload { file, path: self.folder.join(name), temporary })
    }
}

/// A file that is not complete. It is removed unless it becomes so.
struct Upload {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Upload {
    /// Gives the file its name. The proof is asked for, so that nothing unverified gets here.
    async fn commit(mut self, _: &Verified) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        tokio::fs::rename(&self.temporary, &self.path).await?;
        // The name is on the disk once the folder is.
        let folder = self.path.parent().map(File::open);
        if let Some(folder) = folder {
            folder.await?.sync_all().await?;
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After a commit there is nothing by this name any more.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Tells the peer no more than the status, and closes.
async fn refuse(mut socket: TcpStream, error: &CodecError) -> io::Result<()> {
    let own = |status: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let answer = match error {
        CodecError::Io(error) if error.kind() == io::ErrorKind::InvalidInput => {
            own("400 Bad Request")
        }
        error => error.http1_response().unwrap_or_else(|| own("500 Internal Server Error")),
    };
    socket.write_all(&answer).await?;
    socket.shutdown().await?;
    // What the peer is still sending would reset the connection, and the answer be lost.
    let mut rest = socket.take(1 << 20);
    let _ =
        timeout(Duration::from_secs(1), tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    Ok(())
}
