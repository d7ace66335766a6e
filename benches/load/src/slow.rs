//! Clients that send a byte at a time.

use std::{cell::RefCell, io, net::SocketAddr, pin::pin, rc::Rc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    time::{Instant, interval, sleep, sleep_until},
};

use crate::{
    Result,
    connection::{Connection, read},
    cores::Cores,
    load::concurrently,
    results::{Results, count},
};

/// The pause between two bytes.
const PAUSE: Duration = Duration::from_millis(100);

/// The part of a request that is sent a byte at a time.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// A head that never ends.
    Head,
    /// A body that never ends, after a head at once.
    Body,
}

impl Part {
    /// The bytes that are sent at once, and those that slow sending begins with.
    fn beginning(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Head => (b"", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "),
            Self::Body => {
                (b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", b"")
            }
        }
    }
}

/// Holds connections open, a byte at a time each, and opens again those that the service closes.
pub(crate) fn run(
    address: SocketAddr,
    cores: &Cores,
    connections: u32,
    part: Part,
    time: Duration,
) -> Result<Results> {
    let end = Instant::now() + time;
    concurrently(cores, connections as usize, |number, results| async move {
        // Spread over a pause, so that not all send at once.
        sleep(PAUSE.mul_f64(count(number as u64) / f64::from(connections))).await;
        while Instant::now() < end {
            if hold(address, part, end, &results).await.is_err() {
                results.borrow_mut().failed += 1;
                sleep(PAUSE).await;
            }
        }
    })
}

/// Holds one connection until the service closes it or the time is over.
async fn hold(
    address: SocketAddr,
    part: Part,
    end: Instant,
    results: &Rc<RefCell<Results>>,
) -> io::Result<()> {
    let mut connection = Connection::open(address).await?;
    let started = Instant::now();
    let (mut reader, mut writer) = connection.split();
    let (at_once, beginning) = part.beginning();
    writer.write_all(at_once).await?;
    let mut bytes = beginning.iter().copied().chain(std::iter::repeat(b'x'));
    let mut reading = pin!(read(&mut reader));
    let mut pulse = interval(PAUSE);
    loop {
        tokio::select! {
            answer = &mut reading => {
                let mut results = results.borrow_mut();
                results.closed.add(started.elapsed());
                if let Ok(answer) = answer {
                    results.answers(answer.status).add(started.elapsed());
                }
                return Ok(());
            }
            _ = pulse.tick() => {
                // Whether it fails is noticed by reading.
                let byte = bytes.next().unwrap_or_default();
                let _ = writer.write_all(&[byte]).await;
            }
            () = sleep_until(end) => return Ok(()),
        }
    }
}
