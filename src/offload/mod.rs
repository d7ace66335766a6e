//! Hashing beside receiving: on another core, in order, bounded in memory.
//!
//! One core that receives and hashes does neither at full speed, and a large chunk that is hashed
//! on a thread of a runtime holds up everything else there. A [`HashPool`] has threads for hashing
//! alone. An [`OffloadedHash`] hands the pieces of a payload to one of them at a time, in their
//! order, and lets its receiver wait where they come faster than they are hashed.
//!
//! ```text
//!   receiver ──push──► ▐ piece ▐ piece ▐ ──► a thread of the pool ──► hash
//!            ◄──ready── at most 1 MiB and a piece
//! ```
//!
//! # Side by side
//!
//! SHA-256 of one payload is a chain: each step waits for the one before, and the core with it. A
//! thread that has several payloads therefore hashes them side by side, as many as the processor has
//! lanes, 16 at most, by multi-buffer hashing (the package `sha256-multi`):
//!
//! ```text
//!   payloads that wait        a thread, round by round
//!   ▐ ▐ ▐ ▐  ──turns──►       piece ▐────▐────▐────  a lane for each payload
//!                             piece ▐────▐────▐────
//!                             piece ▐────▐────▐────
//! ```
//!
//! A round takes about as many bytes of each as the shortest piece has, 64 KiB at most. A payload
//! without a further piece leaves; one that waits takes its place. After 16 rounds those that wait
//! have their turn. The pieces of a payload are hashed in their order, whatever the lanes. With
//! several threads, each has its share of the payloads. A payload that is alone is hashed as fast as
//! one can be.
//!
//! # Memory
//!
//! A queue has room up to [`OffloadedHash::LIMIT`], and payloads that share a thread share those
//! bytes, down to 128 KiB each; [`HashPool::with_max_queued`] sets less. A codec reads into the
//! memory of what is hashed again, so that none is allocated on one core to be freed on another. For
//! that a pool keeps 16 buffers a thread: 1 MiB where reads are of the default size.
//!
//! # Panics
//!
//! The memory of a piece can belong to an owner, and who waits has a waker: both are code
//! of others that runs on a thread of the pool, and may panic there. Then the payload that it belongs
//! to fails, and the others go on: the panic goes on in the next call that asks for room or for the
//! hash of that payload, as it does in `std::thread::scope`, and every further call panics too. Of
//! a failed payload there is never a hash.
//!
//! # When it pays
//!
//! If one connection is to be faster than one core, and if many payloads are received at once on a
//! processor with lanes: side by side a core hashes up to twice as many.

mod batch;
mod buffers;
mod foreign;
mod job;
mod offloaded_hash;
mod payload_queue;
mod pool;

pub use self::offloaded_hash::OffloadedHash;
pub use self::pool::HashPool;
