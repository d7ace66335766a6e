//! A wire to the service, which counts bytes and can be cut.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
};

/// A wire to a server. It is there for as long as the test.
pub(super) struct Wire {
    pub(super) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    server: Mutex<SocketAddr>,
    /// The bytes that have come from clients.
    passed: AtomicU64,
    /// The bytes that may still come from clients.
    left: AtomicU64,
}

impl Wire {
    pub(super) fn new(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (passed, left) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let state = Arc::new(State { server: Mutex::new(server), passed, left });
        let of_thread = Arc::clone(&state);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                // The server may be away.
                let server = *of_thread.server.lock().unwrap();
                if let Ok(far) = TcpStream::connect(server) {
                    connect(&near, &far, &of_thread);
                }
            }
        });
        Self { address, state }
    }

    pub(super) fn url(&self, name: &str) -> String {
        format!("http://{}/files/{name}", self.address)
    }

    /// Leads from now on to another server, such as the same one after its restart.
    pub(super) fn lead_to(&self, server: SocketAddr) {
        *self.state.server.lock().unwrap() = server;
    }

    /// The bytes that have come from clients.
    pub(super) fn passed(&self) -> u64 {
        self.state.passed.load(SeqCst)
    }

    /// Lets so many bytes more come from clients, and cuts what is sent after them.
    pub(super) fn cut_after(&self, bytes: u64) {
        self.state.left.store(bytes, SeqCst);
    }
}

fn connect(near: &TcpStream, far: &TcpStream, state: &Arc<State>) {
    let clone = |stream: &TcpStream| stream.try_clone().unwrap();
    let (mut from, mut to) = (clone(near), clone(far));
    let state = Arc::clone(state);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            let left = state.left.load(SeqCst);
            let passing = usize::try_from(left).unwrap_or(usize::MAX).min(len);
            if left != u64::MAX {
                state.left.store(left - passing as u64, SeqCst);
            }
            state.passed.fetch_add(passing as u64, SeqCst);
            if to.write_all(&buffer[..passing]).is_err() || passing < len {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
    let (mut from, mut to) = (clone(far), clone(near));
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            if to.write_all(&buffer[..len]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}
