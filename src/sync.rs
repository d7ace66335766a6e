//! Locks, atomics and threads: those of [`std`], or in models those of [loom](https://docs.rs/loom).
//!
//! A model is a test of a few threads that loom runs in every order in which their locks, atomics
//! and wakers can meet, each load of an atomic with every value that its ordering allows. Loom can
//! look only into what it has made itself. So code with a model takes these types from here, and the
//! model checks the code that ships:
//!
//! ```text
//!   RUSTFLAGS='--cfg framesign_loom' cargo test --lib models
//! ```
//!
//! The cfg has a name of its own, since dependencies know `loom` too and would change with it. Without
//! it there is nothing here but names of `std`. Tests that are no models fail with it.

#[cfg(all(test, framesign_loom))]
#[allow(unused_imports, reason = "not every feature has threads")]
pub(crate) use loom::{sync::*, thread};
#[cfg(not(all(test, framesign_loom)))]
#[allow(unused_imports, reason = "not every feature has threads")]
pub(crate) use std::{sync::*, thread};

/// Runs `threads` in every order, but for those in which they are interrupted more than twice while they
/// could go on: nearly all mistakes need no more, and others take hours to look through.
///
/// Fails if one of them panics, if all wait for each other, or if one still waits when the others
/// have ended.
#[cfg(all(test, framesign_loom))]
#[expect(clippy::print_stdout, reason = "tests print it only if they are asked to")]
pub(crate) fn model(threads: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound.get_or_insert(2);
    model.max_branches = 10_000;
    let orders = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, atomic::Ordering::Relaxed);
        threads();
    });
    let orders = orders.load(atomic::Ordering::Relaxed);
    println!("{orders} orders");
    assert!(orders > 1, "the threads never meet");
}
