//! Where bytes lie, and how large the read buffer becomes.

use std::ops::Range;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use framesign::{
    Limits,
    codec::{FrameHead, SigningCodec, SigningEvent},
};
use tokio_util::codec::Decoder;

use crate::stages::key;

const KIB: usize = 1024;

/// What an idle or slow connection may hold: the least buffer and the allocator's rounding.
const LEAST: usize = 8 * KIB;

fn upload(length: u64) -> Vec<u8> {
    format!(
        "PUT /up?a=b HTTP/1.1\r\nHost: test.com\r\nA: \t b c \r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

fn addresses(bytes: &[u8]) -> Range<usize> {
    let range = bytes.as_ptr_range();
    range.start.addr()..range.end.addr()
}

fn is_inside(part: &[u8], whole: &Range<usize>) -> bool {
    let part = addresses(part);
    whole.start <= part.start && part.end <= whole.end
}

#[test]
fn heads_and_payload_lie_where_they_were_received() {
    let frame = [&upload(5)[..], b"hello"].concat();
    let mut codec = SigningCodec::new(key());
    let mut buffer = BytesMut::with_capacity(LEAST);
    buffer.extend_from_slice(&frame);
    let received = addresses(&buffer);
    let Some(SigningEvent::Head(head)) = codec.decode(&mut buffer).unwrap() else { panic!() };
    let Some(SigningEvent::Data(data)) = codec.decode(&mut buffer).unwrap() else { panic!() };
    assert_eq!(addresses(head.bytes()).start, received.start);
    assert_eq!(addresses(&data), received.end - 5..received.end);
    for part in parts(&head) {
        assert!(is_inside(&part, &addresses(head.bytes())), "{part:?}");
    }
    let fields: Vec<_> = head.fields().collect();
    assert_eq!(fields[1], (Bytes::from_static(b"A"), Bytes::from_static(b"b c")));
    assert_eq!(head.values("HOST").collect::<Vec<_>>(), ["test.com"]);
    assert_eq!((head.method(), &head.target()[..]), ("PUT", &b"/up?a=b"[..]));
    assert!(is_inside(head.head().target(), &addresses(head.bytes())));
}

fn parts(head: &FrameHead) -> Vec<Bytes> {
    let fields = head.fields().flat_map(|(name, value)| [name, value]);
    fields.chain([head.target()]).collect()
}

#[test]
fn a_piece_of_payload_costs_no_allocation_where_the_one_before_was_dropped() {
    let mut codec = SigningCodec::new(key());
    let mut buffer = BytesMut::with_capacity(LEAST);
    let mut peer = Peer::new(&upload(u64::MAX));
    peer.fill(&mut codec, &mut buffer);
    peer.endless = true;
    for _ in 0..10 {
        peer.fill(&mut codec, &mut buffer);
    }
    let taken = measure(|| {
        for _ in 0..100 {
            peer.fill(&mut codec, &mut buffer);
        }
    });
    assert_eq!(taken.count_total, 0);
    assert!(peer.received > 100 * 64 * KIB as u64, "{}", peer.received);
}

/// Sends as fast as it is read, and then up to `step` bytes a read.
struct Peer {
    bytes: Vec<u8>,
    endless: bool,
    step: usize,
    received: u64,
    /// The largest buffer that was seen.
    most: usize,
}

impl Peer {
    fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), endless: false, step: usize::MAX, received: 0, most: 0 }
    }

    /// One read as `FramedRead` does it, and all events it brings. Whether it failed.
    fn fill(&mut self, codec: &mut SigningCodec, buffer: &mut BytesMut) -> bool {
        buffer.reserve(1);
        self.most = self.most.max(buffer.capacity());
        let room = (buffer.capacity() - buffer.len()).min(self.step);
        if self.endless {
            buffer.resize(buffer.len() + room, b'a');
            self.received += room as u64;
        } else {
            let len = room.min(self.bytes.len());
            buffer.extend_from_slice(&self.bytes[..len]);
            self.bytes.drain(..len);
        }
        loop {
            match codec.decode(buffer) {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    }
}

#[test]
fn the_buffer_of_a_head_grows_to_its_limit_at_most() {
    for max_head in [100, 4 * KIB, LEAST, 20_000, Limits::DEFAULT_MAX_HEAD] {
        for (step, start) in
            [(usize::MAX, "GET /"), (1, "GET /"), (700, ""), (977, "GET / HTTP/1.1\r\nA:")]
        {
            let limits = Limits::default().max_head(max_head);
            let mut codec = SigningCodec::new(key()).limits(limits);
            let mut buffer = BytesMut::with_capacity(LEAST);
            let mut peer = Peer::new(start.as_bytes());
            peer.fill(&mut codec, &mut buffer);
            (peer.endless, peer.step) = (true, step);
            let mut reads = 0;
            while !peer.fill(&mut codec, &mut buffer) {
                reads += 1;
                assert!(reads <= max_head + 1);
            }
            assert!(peer.most <= (max_head + 1).max(LEAST), "{} of {max_head}", peer.most);
        }
    }
}

#[test]
fn the_buffer_of_a_payload_grows_to_the_largest_read_whatever_is_claimed() {
    for (max_read, most) in
        [(1, LEAST), (LEAST, LEAST), (64 * KIB, 64 * KIB), (256 * KIB, 256 * KIB)]
    {
        for length in [1 << 30, u64::MAX] {
            let mut codec = SigningCodec::new(key()).max_read(max_read);
            let mut buffer = BytesMut::with_capacity(LEAST);
            let mut peer = Peer::new(&upload(length));
            peer.fill(&mut codec, &mut buffer);
            assert!(buffer.capacity() <= LEAST, "on the word of a Content-Length");
            peer.endless = true;
            let held = measure(|| {
                for _ in 0..300 {
                    peer.fill(&mut codec, &mut buffer);
                }
            });
            assert!(
                peer.most <= most && held.bytes_max <= 3 * most as u64,
                "{}: {held:?}",
                peer.most
            );
            assert!(max_read < LEAST || peer.most == most, "{}", peer.most);
        }
    }
}

#[test]
fn a_slow_payload_gets_a_small_buffer_back() {
    let mut codec = SigningCodec::new(key());
    let mut buffer = BytesMut::with_capacity(LEAST);
    let mut peer = Peer::new(&upload(u64::MAX));
    peer.fill(&mut codec, &mut buffer);
    peer.endless = true;
    for _ in 0..20 {
        peer.fill(&mut codec, &mut buffer);
    }
    assert_eq!(peer.most, 64 * KIB);
    (peer.step, peer.most) = (10, 0);
    for _ in 0..20_000 {
        peer.fill(&mut codec, &mut buffer);
    }
    peer.most = 0;
    peer.fill(&mut codec, &mut buffer);
    assert!(peer.most <= LEAST, "{}", peer.most);
}

#[test]
fn an_idle_connection_holds_little_whatever_came_before() {
    let filler = "name=value&".repeat(5_000);
    let large_head = format!("GET /?{filler} HTTP/1.1\r\nHost: test.com\r\n\r\n").into_bytes();
    let large_payload = [&upload(3_000_000)[..], &vec![0; 3_000_000]].concat();
    for frame in [&large_head, &large_payload] {
        for step in [usize::MAX, 1_000] {
            let mut codec = SigningCodec::new(key());
            let mut buffer = BytesMut::with_capacity(LEAST);
            let mut peer = Peer::new(frame);
            peer.step = step;
            let held = measure(|| {
                while !peer.bytes.is_empty() {
                    assert!(!peer.fill(&mut codec, &mut buffer));
                }
            });
            assert!(held.bytes_current <= 10 * 1024, "{held:?}");
            // The beginning of another frame changes nothing.
            let mut peer = Peer::new(b"GET / HT");
            peer.fill(&mut codec, &mut buffer);
            assert!(peer.most <= LEAST, "{}", peer.most);
        }
    }
    assert!(size_of::<SigningCodec>() < 2 * KIB, "{}", size_of::<SigningCodec>());
}

#[test]
fn reading_a_head_byte_by_byte_takes_time_in_proportion() {
    // Each byte of a head of 64 KiB would be looked at some 30,000 times otherwise.
    let head = format!("GET /{} HTTP/1.1\r\nHost: test.com\r\n\r\n", "a".repeat(65_000));
    for _ in 0..20 {
        let mut codec = SigningCodec::new(key());
        let mut buffer = BytesMut::with_capacity(LEAST);
        let mut peer = Peer::new(head.as_bytes());
        peer.step = 1;
        let taken = measure(|| {
            for _ in 0..head.len() {
                assert!(!peer.fill(&mut codec, &mut buffer));
            }
        });
        assert!(taken.bytes_total < 300 * KIB as u64, "{taken:?}");
    }
}
