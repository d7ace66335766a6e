//! Hashes the pieces of bodies, in place or in the batch of the runtime thread.

use std::{
    cell::RefCell,
    fmt,
    future::poll_fn,
    sync::{Arc, Weak},
    task::Poll,
};

use axum::body::Bytes;
use sha256_multi::Engine;
use tokio::task;

use crate::serve::hashing::{
    batch::{Batch, Job},
    tokens::Tokens,
};

/// A shorter piece is hashed in place: to wait for others takes longer than lanes gain. From here on
/// 64 connections with such bodies gain 1.09 (sixteen lanes), with twice as long ones 1.3.
const MIN_PIECE: usize = 4 * 1024;

/// The number of bytes that a thread hashes in place before it looks again whether other bodies have
/// pieces at the same time.
const ALONE: usize = 256 * 1024;

/// Hashes bodies, those of one runtime thread side by side.
#[derive(Clone, Copy)]
pub(crate) struct BodyHasher {
    engine: Engine,
    lanes: usize,
}

/// The service could not go on with the hash of a body: the panic that caused it is in the log.
#[derive(Debug, PartialEq)]
pub(crate) struct Lost;

/// What the requests of a runtime thread share.
struct OnThread {
    /// The batch that pieces are put into. The task that hashes it, and nobody else, keeps it alive.
    open: Weak<Batch>,
    /// The number of bytes to be hashed in place before the next batch.
    in_place: usize,
}

thread_local! {
    static THREAD: RefCell<OnThread> =
        const { RefCell::new(OnThread { open: Weak::new(), in_place: 0 }) };
}

impl BodyHasher {
    /// Finds out what the processor hashes fastest with; that takes some hundred microseconds the first
    /// time.
    pub(crate) fn new() -> Self {
        let engine = Engine::detect();
        Self { engine, lanes: engine.lanes() }
    }

    /// Hashes the next piece of a body, of which `tokens` are the states.
    ///
    /// Waits for the pieces of other bodies until the lanes are full, or until everything else that is
    /// ready on this thread has had its turn.
    pub(crate) async fn update(&self, mut tokens: Tokens, piece: Bytes) -> Result<Tokens, Lost> {
        if self.is_hashed_in_place(piece.len()) {
            tokens.update(&self.engine, &piece);
            return Ok(tokens);
        }
        let (job, hashed) = Job::new(tokens, piece);
        self.join(job);
        hashed.await.map_err(|_| Lost)
    }

    fn is_hashed_in_place(&self, len: usize) -> bool {
        len < MIN_PIECE || self.lanes == 1 || THREAD.with_borrow_mut(|thread| thread.is_alone(len))
    }

    /// Puts a job into the open batch, or into a new one.
    fn join(&self, mut job: Job) {
        let mut open = THREAD.with_borrow(|thread| thread.open.upgrade());
        loop {
            let batch = open.take().unwrap_or_else(|| self.open());
            match batch.push(job) {
                Ok(lanes) if lanes >= self.lanes => return self.hash(&batch),
                Ok(_) => return,
                // Another thread has taken over the task that hashes it.
                Err(back) => job = back,
            }
        }
    }

    /// Opens a batch, which is hashed at the latest when all that is ready has had its turn.
    fn open(&self) -> Arc<Batch> {
        let batch = Arc::new(Batch::new());
        THREAD.with_borrow_mut(|thread| thread.open = Arc::downgrade(&batch));
        let (hasher, opened) = (*self, Arc::clone(&batch));
        task::spawn(async move {
            behind_all_that_is_ready().await;
            hasher.hash(&opened);
        });
        batch
    }

    /// Hashes a batch, and no more is put into it.
    fn hash(&self, batch: &Arc<Batch>) {
        THREAD.with_borrow_mut(|thread| thread.close(batch));
        if let Some(pieces) = batch.hash(&self.engine) {
            let in_place = if pieces > 1 { 0 } else { ALONE };
            THREAD.with_borrow_mut(|thread| thread.in_place = in_place);
        }
    }
}

/// Moves the task behind all others that are ready. A runtime of several threads would begin with a
/// task that has just been spawned.
///
/// `yield_now` also polls the sockets before it continues: that finds few more pieces, and took 5 % of
/// the time of two bodies.
async fn behind_all_that_is_ready() {
    let mut is_behind = false;
    poll_fn(|cx| {
        if is_behind {
            return Poll::Ready(());
        }
        is_behind = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl OnThread {
    /// Returns `true` if the last batch had one piece and none is open, for a number of bytes.
    fn is_alone(&mut self, len: usize) -> bool {
        if self.open.strong_count() > 0 {
            return false;
        }
        let left = self.in_place.checked_sub(len);
        self.in_place = left.unwrap_or_default();
        left.is_some()
    }

    /// Has the next job open a batch, unless another one than `batch` is open by now.
    fn close(&mut self, batch: &Arc<Batch>) {
        if self.open.as_ptr() == Arc::as_ptr(batch) {
            self.open = Weak::new();
        }
    }
}

impl fmt::Debug for BodyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyHasher").field("engine", &self.engine).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::{Pin, pin},
        task::{Context, Waker},
    };

    use axum::body::Bytes;
    use futures_util::future::join_all;
    use sha2::{Digest, Sha256};
    use tokio::{runtime::Builder, task};

    use super::{ALONE, BodyHasher, Lost, MIN_PIECE, Poll};
    use crate::serve::hashing::tokens::{Mac, Tokens};

    const KEY: &[u8] = b"the key of the tests";

    /// A body of which nothing has come.
    fn tokens() -> Tokens {
        Tokens::new(Mac::new(KEY), None)
    }

    fn piece(byte: usize, len: usize) -> Bytes {
        vec![u8::try_from(byte % 256).unwrap(); len].into()
    }

    /// The token of `pieces`, hashed by themselves.
    fn expected(pieces: &[Bytes]) -> (String, Option<String>) {
        let mut tokens = tokens();
        for piece in pieces {
            tokens.update(&sha256_multi::Engine::detect(), piece);
        }
        tokens.finish()
    }

    /// A piece whose memory has an owner that panics when it is dropped.
    fn owned_by_one_who_panics(len: usize) -> Bytes {
        struct Owner(Vec<u8>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        impl Drop for Owner {
            fn drop(&mut self) {
                panic!("the owner of the piece");
            }
        }
        Bytes::from_owner(Owner(vec![7; len]))
    }

    fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Tokens, Lost>> + 'a>>;

    /// So many bodies, each with a piece that has been polled once.
    fn waiting(hasher: &BodyHasher, count: usize) -> Vec<Waiting<'_>> {
        let mut waiting = Vec::new();
        for byte in 0..count {
            let mut update: Waiting<'_> =
                Box::pin(hasher.update(tokens(), piece(byte, MIN_PIECE + byte)));
            let polled = poll(update.as_mut());
            // The one that fills the lanes goes on at once.
            assert_eq!(polled.is_ready(), byte + 1 == hasher.lanes, "body {byte}");
            if polled.is_pending() {
                waiting.push(update);
            }
        }
        waiting
    }

    /// A hasher whose processor has at least four lanes, as far as the batch is concerned.
    fn hasher() -> BodyHasher {
        let hasher = BodyHasher::new();
        BodyHasher { lanes: hasher.lanes.max(4), ..hasher }
    }

    #[tokio::test]
    async fn pieces_wait_until_the_lanes_are_full() {
        let hasher = hasher();
        let waiting = waiting(&hasher, hasher.lanes);
        assert_eq!(waiting.len(), hasher.lanes - 1);
        for (byte, mut update) in waiting.into_iter().enumerate() {
            let Poll::Ready(result) = poll(update.as_mut()) else { panic!("body {byte} waits") };
            assert_eq!(result.unwrap().finish(), expected(&[piece(byte, MIN_PIECE + byte)]));
        }
    }

    #[tokio::test]
    async fn pieces_are_hashed_when_all_others_had_their_turn() {
        let hasher = hasher();
        let waiting = waiting(&hasher, 3);
        for (byte, result) in join_all(waiting).await.into_iter().enumerate() {
            assert_eq!(result.unwrap().finish(), expected(&[piece(byte, MIN_PIECE + byte)]));
        }
    }

    #[tokio::test]
    async fn small_piece_is_hashed_in_place_while_others_wait() {
        let hasher = hasher();
        let waiting = waiting(&hasher, 2);
        let small = piece(1, MIN_PIECE - 1);
        let mut update = pin!(hasher.update(tokens(), small.clone()));
        let Poll::Ready(result) = poll(update.as_mut()) else { panic!("a small piece waits") };
        assert_eq!(result.unwrap().finish(), expected(&[small]));
        drop(waiting);
    }

    #[tokio::test]
    async fn body_that_is_alone_is_hashed_in_place_and_looks_for_others_again() {
        let hasher = hasher();
        let large = piece(1, ALONE / 4);
        let (mut tokens, mut waits) = (tokens(), Vec::new());
        for number in 0..15 {
            let mut update = pin!(hasher.update(tokens, large.clone()));
            let polled = poll(update.as_mut());
            if polled.is_pending() {
                waits.push(number);
            }
            tokens = match polled {
                Poll::Ready(result) => result,
                Poll::Pending => update.await,
            }
            .unwrap();
        }
        assert_eq!(waits, [0, 5, 10]);
        assert_eq!(tokens.finish(), expected(&vec![large; 15]));
    }

    #[tokio::test]
    async fn body_that_has_company_waits_for_it() {
        let hasher = hasher();
        join_all(waiting(&hasher, 2)).await;
        let mut update = pin!(hasher.update(tokens(), piece(1, MIN_PIECE)));
        assert!(poll(update.as_mut()).is_pending());
        update.await.unwrap();
    }

    #[tokio::test]
    async fn previous_secret_takes_a_lane_too() {
        let hasher = hasher();
        let two = Tokens::new(Mac::new(KEY), Some(Mac::new(b"previous")));
        let body = piece(9, MIN_PIECE);
        let mut waiting = waiting(&hasher, hasher.lanes - 2);
        let mut update = pin!(hasher.update(two, body.clone()));
        let Poll::Ready(result) = poll(update.as_mut()) else { panic!("the lanes are full") };
        let (current, previous) = result.unwrap().finish();
        assert_eq!((current, None), expected(&[body]));
        assert!(previous.is_some());
        assert!(waiting.iter_mut().all(|update| poll(update.as_mut()).is_ready()));
    }

    #[tokio::test]
    async fn request_that_is_dropped_takes_no_others_with_it() {
        let hasher = hasher();
        let mut waiting = waiting(&hasher, 3);
        let dropped = piece(1, MIN_PIECE);
        let mut update = Box::pin(hasher.update(tokens(), dropped.clone()));
        // The fourth fills the lanes of a processor with four: then it is hashed already.
        let is_waiting = poll(update.as_mut()).is_pending();
        drop(update);
        drop(waiting.remove(0));
        let result = join_all(waiting).await;
        for (byte, result) in (1..).zip(result) {
            assert_eq!(result.unwrap().finish(), expected(&[piece(byte, MIN_PIECE + byte)]));
        }
        // Neither a lane nor a batch holds on to it.
        assert!(dropped.is_unique(), "waited: {is_waiting}");
    }

    #[tokio::test]
    async fn panic_at_the_end_of_a_piece_keeps_nobody_waiting() {
        let hasher = hasher();
        let mut fails: Waiting<'_> =
            Box::pin(hasher.update(tokens(), owned_by_one_who_panics(MIN_PIECE)));
        assert!(poll(fails.as_mut()).is_pending());
        let mut waiting = waiting(&hasher, 2);
        waiting.push(fails);
        for result in join_all(waiting).await {
            result.unwrap();
        }
        // The next batch is hashed as any other.
        join_all(self::waiting(&hasher, 2))
            .await
            .into_iter()
            .for_each(|result| drop(result.unwrap()));
    }

    /// Nobody waits for a batch for ever, and the next runtime of the thread has one of its own.
    #[test]
    fn batch_ends_with_its_runtime() {
        let hasher = hasher();
        let runtime = || Builder::new_current_thread().build().unwrap();
        let first = runtime();
        let mut left = first.block_on(async { waiting(&hasher, 2) });
        drop(first);
        assert!(matches!(poll(left[0].as_mut()), Poll::Ready(Err(Lost))));
        let result = runtime().block_on(hasher.update(tokens(), piece(3, MIN_PIECE)));
        assert_eq!(result.unwrap().finish(), expected(&[piece(3, MIN_PIECE)]));
    }

    /// Bodies of pieces of all sizes, on one thread and on several, some of which are given up.
    #[test]
    fn interleaved_bodies_have_their_tokens() {
        for threads in [1, 4] {
            let runtime = Builder::new_multi_thread().worker_threads(threads).build().unwrap();
            runtime.block_on(async {
                let bodies = (0..60).map(|number| task::spawn(body(number)));
                for (number, result) in join_all(bodies).await.into_iter().enumerate() {
                    assert_eq!(result.unwrap(), number % 7 != 3, "body {number}");
                }
            });
        }
    }

    /// Hashes a body, and returns whether it came to its end.
    async fn body(number: usize) -> bool {
        let hasher = hasher();
        let pieces: Vec<_> = (0..50).map(|i| piece(number + i, len(number, i))).collect();
        let mut tokens = tokens();
        for (i, piece) in pieces.iter().enumerate() {
            let mut update = Box::pin(hasher.update(tokens, piece.clone()));
            if number % 7 == 3 && i == 30 {
                let _ = poll(update.as_mut());
                return false;
            }
            tokens = update.await.unwrap();
            if len(i, number).is_multiple_of(5) {
                task::yield_now().await;
            }
        }
        assert_eq!(tokens.finish(), expected(&pieces), "body {number}");
        true
    }

    /// A length from 0 to 40,000 that looks random.
    fn len(number: usize, i: usize) -> usize {
        let hash = Sha256::digest([number.to_be_bytes(), i.to_be_bytes()].concat());
        usize::from(u16::from_be_bytes([hash[0], hash[1]])) * 40_000 / 65_536
    }
}
