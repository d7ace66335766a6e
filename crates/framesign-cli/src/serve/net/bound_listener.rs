//! Sockets that are listened on: of TCP, and unix sockets.

use std::{
    fs,
    io::{self, ErrorKind},
    net::SocketAddr,
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::UnixDatagram,
    },
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixSocket, UnixStream};
use tokio_util::either::Either;

use crate::{
    exit::FatalError,
    serve::net::endpoint::{ListenAddress, PeerAddress},
};

/// The most connections that wait in the kernel's queue; it takes fewer if `net.core.somaxconn`
/// is less.
const BACKLOG: u32 = 4096;

/// The socket of a connection.
pub(crate) type Socket = Either<TcpStream, UnixStream>;

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) enum BoundListener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

impl BoundListener {
    /// Listens at the `address` that `option` gives.
    ///
    /// # Errors
    ///
    /// If the address is in use, is not one of this machine, or is a path at which no socket can be
    /// made.
    pub(crate) fn bind(option: &str, address: &ListenAddress) -> Result<Self, FatalError> {
        let bound = match address {
            ListenAddress::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            ListenAddress::Unix(path) => {
                bind_unix(path).map(|(listener, file)| Self::Unix(listener, file))
            }
        };
        bound.map_err(|error| FatalError::Configuration(format!("{option} {address}: {error}")))
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, PeerAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                Ok((Either::Left(stream), PeerAddress::Tcp(address)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Either::Right(stream), PeerAddress::Unix))
            }
        }
    }

    /// The URL at which it listens. A port of 0 was replaced by the one that the system chose.
    pub(crate) fn url(&self, scheme: &str) -> io::Result<String> {
        match self {
            Self::Tcp(listener) => Ok(format!("{scheme}://{}", listener.local_addr()?)),
            Self::Unix(_, file) => Ok(ListenAddress::Unix(file.path.clone()).to_string()),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a process that has just ended do not keep its successor from the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    remove_unused(path)?;
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    let file = SocketFile::new(path)?;
    Ok((socket.listen(BACKLOG)?, file))
}

/// Removes the socket of a process that was killed. One that is in use stays, as does every other file.
fn remove_unused(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    // A datagram never waits: it is refused if nobody has the socket, and else of another type.
    let connected = || UnixDatagram::unbound()?.connect(path);
    if is_socket && connected().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The file of a unix socket, removed with it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), id: file_id(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A successor may have put its own there.
        if file_id(&self.path).is_ok_and(|id| id == self.id) {
            // One that stays is removed by the next process.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device and inode.
fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}
