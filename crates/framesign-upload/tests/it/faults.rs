//! A fault at every call to the store: no object without proof, nothing acknowledged is lost, and no
//! upload that the sweeper does not find.

use std::{collections::HashMap, time::Duration};

use framesign_upload::server::Limits;

use super::{
    client::{Call, Server, bytes, now, repr_digest},
    failing::{Faults, Open, calls_fail, objects_fail},
    stores::{Kept, PIECE},
};

pub(super) fn limits() -> Limits {
    Limits { max_age: Duration::from_secs(1000), ..Limits::default() }
}

/// The exchange that meets the faults. The client goes on as the draft says: after 5xx it asks for
/// the offset. Returns whether it came to its end.
async fn exchange(server: &Server, whole: &[u8]) -> bool {
    let Some(path) = create(server, whole).await else { return false };
    let mut acknowledged = 0;
    for _ in 0..20 {
        let answer = server.call(Call::new("HEAD", &path)).await;
        match answer.status.as_u16() {
            204 => {}
            503 => continue,
            // Only an upload that is not acknowledged as complete may be gone.
            other => panic!("{other}: {answer:?}"),
        }
        if answer.field("upload-complete") == Some("?1") {
            assert_eq!(answer.field("repr-digest"), Some(&*repr_digest(whole)));
            return true;
        }
        let offset: usize = answer.field("upload-offset").unwrap().parse().unwrap();
        assert!(offset >= acknowledged, "{offset} after {acknowledged}");
        let end = whole.len().min(offset + 2 * PIECE);
        let call = Call::part(&path, offset, &whole[offset..end], end == whole.len());
        match server.call(call).await.status.as_u16() {
            201 => return true,
            204 => acknowledged = end,
            503 | 409 => {}
            other => panic!("{other}"),
        }
    }
    false
}

async fn create(server: &Server, whole: &[u8]) -> Option<String> {
    for _ in 0..3 {
        let answer = server.call(Call::create("f", &whole[..PIECE], false)).await;
        match answer.status.as_u16() {
            201 => return Some(answer.location()),
            503 => assert_eq!(answer.field("retry-after"), Some("1")),
            other => panic!("{other}: {answer:?}"),
        }
    }
    None
}

/// Runs the exchange with these faults, and looks at what is left then.
async fn check(kept: &Kept, open: &Open, faults: Faults) {
    let whole = bytes(4 * PIECE + 1);
    let seen = format!("{faults:?}");
    let server = Server::shared(open(kept, faults), limits(), now());
    let is_complete = exchange(&server, &whole).await;
    drop(server);
    // No object without proof: all of it, or nothing.
    let files = kept.files().await;
    assert!(files.len() <= 1, "{seen}: {files:?}");
    if is_complete || !files.is_empty() {
        assert!(kept.read("f").await == whole, "{seen}");
    }
    // Whatever failed, the sweeper finds it once it is old enough.
    let later = now() + Duration::from_secs(2000);
    let server = Server::shared(open(kept, Faults::none()), limits(), later);
    let swept = server.uploads.sweep().await.unwrap();
    assert_eq!(swept.failed, 0, "{seen}: {swept:?}");
    assert_eq!(kept.rest().await, [""; 0], "{seen}: {swept:?}");
    let files = kept.files().await;
    if !files.is_empty() {
        assert!(kept.read("f").await == whole, "{seen}");
    }
}

/// The number of calls of an exchange without faults.
async fn calls(kept: &Kept, open: &Open) -> usize {
    let faults = Faults::none();
    let server = Server::shared(open(kept, faults.clone()), limits(), now());
    assert!(exchange(&server, &bytes(4 * PIECE + 1)).await);
    faults.count()
}

async fn fault_at_every_call(open: &Open) {
    let mut counts = HashMap::new();
    for kept in Kept::all() {
        counts.insert(matches!(kept, Kept::Objects(_)), calls(&kept, open).await);
    }
    assert!(counts.values().all(|calls| *calls > 20), "{counts:?}");
    for is_answer in [false, true] {
        for length in [1, 2, 5, usize::MAX] {
            for first in 0..*counts.values().max().unwrap() {
                for kept in Kept::all() {
                    check(&kept, open, Faults::at(first, length, is_answer)).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn at_every_call_to_the_store() {
    fault_at_every_call(&calls_fail).await;
}

#[tokio::test]
async fn at_every_call_to_the_objects() {
    fault_at_every_call(&objects_fail).await;
}

#[tokio::test]
async fn upload_whose_file_is_not_visible_yet_is_ended_by_the_sweeper() {
    for kept in Kept::all() {
        let mut finished = 0;
        // From each call of the last part on, all fail.
        for first in 0.. {
            let server = Server::shared(calls_fail(&kept, Faults::none()), limits(), now());
            let name = format!("f{first}");
            let path = server.call(Call::create(&name, &[], false)).await.location();
            drop(server);
            let faults = Faults::at(first, usize::MAX, false);
            let server = Server::shared(calls_fail(&kept, faults), limits(), now());
            let last = Call::part(&path, 0, &bytes(PIECE), true);
            let status = server.call(last).await.status;
            drop(server);
            let server = Server::shared(calls_fail(&kept, Faults::none()), limits(), now());
            let swept = server.uploads.sweep().await.unwrap();
            assert_eq!(swept.failed, 0);
            finished += swept.finished;
            let is_there = kept.files().await.contains(&name);
            assert!(is_there || (swept.finished == 0 && status == 503));
            if status == 201 {
                break;
            }
            assert_eq!(status, 503);
            assert!(first < 40, "more calls than expected");
        }
        // The calls after the record is whole: see that it is not done, publish, note, clear, delete.
        assert_eq!(finished, 5);
    }
}

/// A file that comes in one request: whatever answer of the store is lost, the next sweep ends it.
#[tokio::test]
async fn file_in_one_request_is_whole_or_nothing_at_the_next_sweep() {
    let whole = bytes(2 * PIECE + 1);
    let mut lengths = [1, 2, 5, usize::MAX].map(|length| (length, 0));
    for (length, finished) in &mut lengths {
        for first in 0..24 {
            for kept in Kept::all() {
                let seen = format!("{length} {first}");
                let faults = Faults::at(first, *length, true);
                let server = Server::shared(objects_fail(&kept, faults), limits(), now());
                let status = server.call(Call::create("f", &whole, true)).await.status;
                drop(server);
                // The claim of the one that has died is over.
                let later = now() + Duration::from_secs(40);
                let server = Server::shared(objects_fail(&kept, Faults::none()), limits(), later);
                let swept = server.uploads.sweep().await.unwrap();
                assert_eq!(swept.failed, 0, "{seen}");
                *finished += swept.finished;
                let files = kept.files().await;
                assert!(status != 201 || !files.is_empty(), "{seen}");
                if !files.is_empty() {
                    assert!(kept.read("f").await == whole, "{seen}");
                }
            }
        }
    }
    assert!(lengths.iter().all(|(_, finished)| *finished > 0), "{lengths:?}");
}
