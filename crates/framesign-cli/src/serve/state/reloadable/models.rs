//! Models of a value that is used while it is read again.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use loom::thread;

use super::Reloadable;
use crate::{exit::FatalError, serve::metrics::counters::Metrics};

type State = (Reloadable<[u8; 2]>, Metrics);

/// Runs `threads` in every order, but for those in which they are interrupted more than twice while they
/// could go on. Fails if one of them panics, or if they wait for each other.
fn model(threads: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound.get_or_insert(2);
    model.check(threads);
}

fn spawn<T: Send + 'static>(
    state: &Arc<State>,
    run: impl FnOnce(&State) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let state = Arc::clone(state);
    thread::spawn(move || run(&state))
}

fn reload((value, metrics): &State) {
    value.reload("numbers", metrics, |before, _| Ok(before.map(|number| number + 1)));
}

#[test]
fn value_is_seen_whole_and_never_goes_back() {
    model(|| {
        let state = Arc::new((Reloadable::new([0; 2]), Metrics::default()));
        let others = [spawn(&state, reload), spawn(&state, reload)];
        let reader = spawn(&state, |(value, _)| [*value.current(), *value.current()]);
        let [first, second] = reader.join().unwrap();
        assert!(first[0] == first[1] && second[0] == second[1] && first <= second);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(*state.0.current(), [2; 2]);
        assert_eq!(state.1.reloads_done.load(Relaxed), 2);
    });
}

#[test]
fn of_two_that_look_at_a_change_one_reads_it() {
    model(|| {
        let state = Arc::new((Reloadable::new([0; 2]), Metrics::default()));
        let look = |(value, metrics): &State| {
            value.reload_if("numbers", metrics, |now| *now == [0; 2], |_, _| Ok([1; 2]));
        };
        let other = spawn(&state, look);
        look(&state);
        other.join().unwrap();
        assert_eq!(*state.0.current(), [1; 2]);
        assert_eq!(state.1.reloads_done.load(Relaxed), 1);
    });
}

#[test]
fn failure_that_two_find_is_counted_once() {
    model(|| {
        let state = Arc::new((Reloadable::new([0; 2]), Metrics::default()));
        let look = |(value, metrics): &State| {
            let problem = FatalError::Configuration("a problem".into());
            value.reload_if("numbers", metrics, |_| true, |_, _| Err(problem));
        };
        let other = spawn(&state, look);
        look(&state);
        other.join().unwrap();
        assert_eq!(*state.0.current(), [0; 2]);
        assert_eq!(state.1.reloads_failed.load(Relaxed), 1);
    });
}
