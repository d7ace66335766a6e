//! A wire that is cut, and one that flips bits.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use framesign::PayloadHash;
use framesign_test_support::Numbers;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

use super::{Served, Told, bytes, client, file, read, served::url, source};

/// What happens to a byte, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The connection is cut before it.
    Cut(u64),
    /// One of its bits is another.
    Flip(u64),
}

/// One way of the wire: the bytes of all connections, one after another.
#[derive(Debug)]
struct Way {
    fault: Fault,
    passed: AtomicU64,
}

impl Way {
    fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self { fault, passed: AtomicU64::new(0) })
    }

    /// Passes bytes on until there is no more, or the wire is cut.
    async fn pass(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut buffer).await {
            let begin = self.passed.fetch_add(len as u64, SeqCst);
            let chunk = &mut buffer[..len];
            let place = |at: u64| {
                let at = usize::try_from(at.checked_sub(begin)?).unwrap();
                (at < len).then_some(at)
            };
            match self.fault {
                Fault::Flip(at) => {
                    if let Some(index) = place(at) {
                        chunk[index] ^= 1 << (at % 8);
                    }
                }
                Fault::Cut(at) => {
                    if let Some(index) = place(at) {
                        let _ = to.write_all(&chunk[..index]).await;
                        return;
                    }
                }
                Fault::None => {}
            }
            if to.write_all(chunk).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    }
}

/// A wire between a client and a server.
struct Wire {
    address: SocketAddr,
    to_server: Arc<Way>,
    to_client: Arc<Way>,
    accepting: JoinHandle<()>,
}

impl Wire {
    async fn new(server: SocketAddr, to_server: Fault, to_client: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (to_server, to_client) = (Way::new(to_server), Way::new(to_client));
        let ways = (Arc::clone(&to_server), Arc::clone(&to_client));
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let ways = (Arc::clone(&ways.0), Arc::clone(&ways.1));
                tokio::spawn(async move {
                    let far = TcpStream::connect(server).await.unwrap();
                    let ((near_read, near_write), (far_read, far_write)) =
                        (near.into_split(), far.into_split());
                    // If one way ends, both sides see the end.
                    tokio::select! {
                        () = ways.0.pass(near_read, far_write) => {}
                        () = ways.1.pass(far_read, near_write) => {}
                    }
                });
            }
        });
        Self { address, to_server, to_client, accepting }
    }

    fn passed(&self) -> (u64, u64) {
        (self.to_server.passed.load(SeqCst), self.to_client.passed.load(SeqCst))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Uploads 2,500 bytes over a wire with faults. The result is right, or the test fails. Returns the
/// bytes that have passed.
async fn upload_over(served: &Served, name: &str, faults: (Fault, Fault)) -> (u64, u64) {
    served.forget();
    let content = bytes(2500);
    let (wire, kept) = (Wire::new(served.address, faults.0, faults.1).await, file(&content));
    let told = Told::default();
    // A head whose end is lost is waited for by the server, and the client by its answer.
    let client = told.observe(client().timeout(Duration::from_secs(1)));
    let uploaded = client.upload(source(&kept), &url(wire.address, name)).await;
    let uploaded = uploaded.unwrap_or_else(|error| panic!("{faults:?}: {error} {:?}", told.all()));
    assert_eq!(uploaded.sha256, PayloadHash::of(&content), "{faults:?}");
    assert!(read(&served.path(name)).unwrap() == content, "{faults:?}");
    assert!(uploaded.in_parts && uploaded.is_confirmed, "{faults:?}");
    // At most one part is sent again.
    let parts = served.seen("PATCH").len();
    assert!(parts <= 4, "{faults:?}: {parts} parts {:?}", told.all());
    wire.passed()
}

/// Places all over the bytes of an upload, some more of them where many lines end.
fn places(end: u64, count: usize, seed: u64) -> Vec<u64> {
    let mut numbers = Numbers::new(seed);
    let end = usize::try_from(end).unwrap();
    let step = (end / count).max(1);
    (0..end).step_by(step).map(|at| (at + numbers.below(step)) as u64).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wire_that_is_cut_anywhere_costs_at_most_one_part() {
    let served = Served::start().await;
    let (to_server, to_client) = upload_over(&served, "whole", (Fault::None, Fault::None)).await;
    assert!(to_server > 2500 && to_client > 500, "{to_server} {to_client}");
    for place in places(to_server, 150, 1) {
        upload_over(&served, &format!("s{place}"), (Fault::Cut(place), Fault::None)).await;
    }
    for place in places(to_client, 100, 2) {
        upload_over(&served, &format!("c{place}"), (Fault::None, Fault::Cut(place))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bit_that_flips_anywhere_on_the_way_is_refused_and_the_part_sent_again() {
    let served = Served::start().await;
    let (to_server, _) = upload_over(&served, "whole", (Fault::None, Fault::None)).await;
    for place in places(to_server, 300, 3) {
        let name = format!("f{place}");
        upload_over(&served, &name, (Fault::Flip(place), Fault::None)).await;
    }
}
