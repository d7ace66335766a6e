//! The answers to requests for uploads.

use std::{io, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt};

/// The most that an answer may have.
const LIMIT: usize = 64 * 1024;

/// The answer to a request for an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Upload-Offset.
    pub(crate) offset: Option<u64>,
    /// Upload-Complete is `?1`.
    pub(crate) is_complete: bool,
    /// Location.
    pub(crate) location: Option<String>,
    /// Retry-After.
    pub(crate) retry_after: Option<Duration>,
    /// True if the connection cannot be used again.
    pub(crate) is_last: bool,
    pub(crate) content_length: usize,
}

impl Answer {
    /// Reads an answer, or the interim one before it, of which `bytes` has the beginning. What was
    /// read beyond its head stays there.
    pub(crate) async fn read(
        from: &mut (impl AsyncRead + Unpin),
        bytes: &mut Vec<u8>,
    ) -> io::Result<Self> {
        loop {
            if let Some((answer, head)) = Self::parse(bytes)? {
                bytes.drain(..head);
                return Ok(answer);
            }
            read_some(from, bytes).await?;
        }
    }

    /// Reads the content of an answer, which says what its fields say.
    pub(crate) async fn read_content(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        bytes: &mut Vec<u8>,
    ) -> io::Result<()> {
        while bytes.len() < self.content_length {
            read_some(from, bytes).await?;
        }
        bytes.drain(..self.content_length);
        Ok(())
    }

    /// Tells whether it is an interim one, such as 100 (Continue).
    pub(crate) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status)
    }

    /// An answer, and the length of its head; none if that is not whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(head) = response.parse(bytes).map_err(invalid)? else {
            return Ok(None);
        };
        let field = |name: &str| {
            let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            field.and_then(|field| str::from_utf8(field.value).ok())
        };
        let seconds = field("retry-after").and_then(|seconds| seconds.parse().ok());
        let answer = Self {
            status: response.code.unwrap_or_default(),
            offset: field("upload-offset").and_then(|offset| offset.parse().ok()),
            is_complete: field("upload-complete") == Some("?1"),
            location: field("location").map(str::to_owned),
            retry_after: seconds.map(Duration::from_secs),
            is_last: field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
            content_length: field("content-length").map_or(Ok(0), str::parse).map_err(invalid)?,
        };
        Ok(Some((answer, head)))
    }
}

async fn read_some(from: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> io::Result<()> {
    if bytes.len() > LIMIT {
        return Err(invalid("expected an answer of at most 64 KiB"));
    }
    match from.read_buf(bytes).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut from: &[u8]) -> io::Result<(Answer, Vec<u8>)> {
        let mut bytes = Vec::new();
        let answer = Answer::read(&mut from, &mut bytes).await?;
        answer.read_content(&mut from, &mut bytes).await?;
        Ok((answer, bytes))
    }

    #[tokio::test]
    async fn answer_has_what_its_fields_say() {
        let text = b"HTTP/1.1 201 Created\r\nUpload-Offset: 12\r\nupload-complete: ?1\r\n\
                     location: /files/a\r\ncontent-length: 2\r\nConnection: close\r\n\r\n{}rest";
        let (answer, rest) = read(text).await.unwrap();
        let expected = Answer {
            status: 201,
            offset: Some(12),
            is_complete: true,
            location: Some("/files/a".into()),
            retry_after: None,
            is_last: true,
            content_length: 2,
        };
        assert_eq!((answer, &rest[..]), (expected, &b"rest"[..]));
        let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nupload-complete: ?0\r\n\r\n";
        let (answer, _) = read(busy).await.unwrap();
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        assert!(!answer.is_complete && !answer.is_interim() && !answer.is_last);
    }

    #[tokio::test]
    async fn interim_answer_is_followed_by_another() {
        let (answer, rest) = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 ").await.unwrap();
        assert!(answer.is_interim());
        assert_eq!(rest, b"HTTP/1.1 ");
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_an_error() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for len in 0..whole.len() {
            let error = read(&whole[..len]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}");
        }
        for bytes in [&b"SSH-2.0-OpenSSH\r\n"[..], b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
        {
            assert_eq!(read(bytes).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
