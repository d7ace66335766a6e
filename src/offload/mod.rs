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
//! A codec reads into the memory of what is hashed again, so that none is allocated on one core to
//! be freed on another. For that a pool keeps 16 buffers a thread: 1 MiB where reads are of the
//! default size.
//!
//! **Panics.** The memory of a piece can belong to an owner, and who waits has a waker: both are code
//! of others that runs on a thread of the pool, and may panic there. Then the payload that it belongs
//! to fails, and the others go on: the panic goes on in the next call that asks for room or for the
//! hash of that payload, as it does in `std::thread::scope`, and every further call panics too. Of
//! a failed payload there is never a hash.
//!
//! It pays where one connection is to be faster than one core. Many connections that keep all
//! cores busy anyway gain nothing by it.

mod batch;
mod buffers;
mod foreign;
mod job;
mod pool;
mod queue;

pub use self::pool::HashPool;
pub use self::queue::OffloadedHash;
