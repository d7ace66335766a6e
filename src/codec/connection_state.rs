//! The state in which a frame leaves its connection.

use crate::frame::Head;

/// The state of a connection (protocol section 8).
///
/// ```text
///              ┌─ frame      ┌──────────── resume ───────────┐
///              ▼             ▼                               │
///   ● ───────► Open ─────────────── Upgrade ─────► UpgradePending
///               │
///               ├── CONNECT ────────────────────► Tunnel
///               ├── Connection: close ──────────► MustClose
///               ├── end of the input ───────────► Ended
///               └── refused ────────────────────► Failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionState {
    /// In a frame, or between two of them.
    Open,
    /// A frame with an `Upgrade` field ended: what follows is left in the read buffer until the
    /// caller says that the connection stays HTTP.
    UpgradePending,
    /// A CONNECT frame ended: what follows is no frame and is left in the read buffer.
    Tunnel,
    /// A frame with `Connection: close` ended: it was the last one. What follows is dropped, so
    /// that a server can go on reading until the peer has closed (RFC 9112 section 9.6).
    MustClose,
    /// The input ended between two frames.
    Ended,
    /// A frame was refused. What follows is dropped, since nobody can know where in it the next
    /// frame begins.
    Failed,
}

impl ConnectionState {
    /// The state once the frame of `head` has ended.
    pub(super) fn after(head: &Head<'_>) -> Self {
        if head.method() == "CONNECT" {
            Self::Tunnel
        } else if head.values("connection").any(|value| has_close(&value)) {
            Self::MustClose
        } else if head.values("upgrade").next().is_some() {
            Self::UpgradePending
        } else {
            Self::Open
        }
    }
}

/// Returns `true` if the option `close` is in a list of connection options (RFC 9110 section
/// 7.6.1).
fn has_close(list: &[u8]) -> bool {
    list.split(|&byte| byte == b',')
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}
