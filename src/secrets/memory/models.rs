//! Models of a store that is asked while it changes.

use super::{MemoryStore, Secret};
use crate::sync::{Arc, model, thread};

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn live(store: &MemoryStore) -> Vec<&'static str> {
    let known = |live: &Secret| ["old", "new"].into_iter().find(|text| live.is(&secret(text)));
    store.live(b"access").iter().map(|live| known(live).unwrap()).collect()
}

#[test]
fn somebody_is_live_at_every_moment_of_a_rotation() {
    model(|| {
        let store = Arc::new(MemoryStore::new());
        store.add("access", secret("old")).unwrap();
        let reader = {
            let store = Arc::clone(&store);
            thread::spawn(move || [live(&store), live(&store)])
        };
        store.add("access", secret("new")).unwrap();
        store.retire("access");
        assert_eq!(live(&store), ["new"]);
        let states: [&[&str]; 3] = [&["old"], &["new", "old"], &["new"]];
        let seen =
            reader.join().unwrap().map(|seen| states.iter().position(|state| *state == seen));
        assert!(seen[0].is_some() && seen[0] <= seen[1], "{seen:?}");
    });
}

#[test]
fn of_two_that_add_neither_is_lost() {
    model(|| {
        let store = Arc::new(MemoryStore::new());
        let other = {
            let store = Arc::clone(&store);
            thread::spawn(move || store.add("access", secret("old")).unwrap())
        };
        store.add("access", secret("new")).unwrap();
        other.join().unwrap();
        let mut found = live(&store);
        found.sort_unstable();
        assert_eq!(found, ["new", "old"]);
    });
}
