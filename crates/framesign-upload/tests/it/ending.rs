//! Uploads that are whole and cannot become visible: they end all the same.

use std::{fs, time::Duration};

use framesign_upload::server::Swept;
use object_store::{ObjectStoreExt, multipart::MultipartStore, path::Path as ObjectPath};

use super::{
    client::{ALICE, Call, Server, bytes, now},
    failing::{Faults, Open, calls_fail, objects_fail},
    faults::limits,
    stores::{Kept, PIECE},
};

/// Begins two uploads of one name, and ends the first. The second has all but its last part.
async fn begin_the_loser(kept: &Kept) -> String {
    let server = Server::shared(calls_fail(kept, Faults::none()), limits(), now());
    let [first, second] = [b"first", b"other"].map(|content| Call::create("f", content, false));
    let first = server.call(first).await.location();
    let second = server.call(second).await.location();
    server.call(Call::part(&first, 5, b"", true)).await.expect(201);
    second
}

async fn name_is_taken(open: &Open, is_answer: bool) {
    for kept in Kept::all() {
        for call in 0.. {
            let path = begin_the_loser(&kept).await;
            // From this call on all fail, as if the process was killed.
            let server = Server::shared(
                open(&kept, Faults::at(call, usize::MAX, is_answer)),
                limits(),
                now(),
            );
            let answer = server.call(Call::part(&path, 5, b" one", true)).await;
            drop(server);
            let later = now() + Duration::from_secs(40);
            let server = Server::shared(calls_fail(&kept, Faults::none()), limits(), later);
            let status = server.call(Call::new("HEAD", &path)).await.status;
            assert!([204, 404, 409].contains(&status.as_u16()), "{call}: {status}");
            let status = server.call(Call::new("DELETE", &path)).await.status;
            assert!([204, 404].contains(&status.as_u16()), "{call}: {status}");
            assert_eq!(kept.rest().await, [""; 0], "{call}");
            assert_eq!(kept.read("f").await, b"first");
            drop(server);
            forget(&kept).await;
            if answer.status == 409 {
                assert!(call > 3);
                break;
            }
            assert_eq!(answer.status, 503);
            assert!(call < 40, "more calls than expected");
        }
    }
}

/// Deletes the file.
async fn forget(kept: &Kept) {
    match kept {
        Kept::Directory(folder) => fs::remove_file(folder.path().join("f")).unwrap(),
        Kept::Objects(objects) => objects.delete(&"received/f".into()).await.unwrap(),
    }
}

#[tokio::test]
async fn upload_whose_name_was_taken_is_gone_whatever_call_fails() {
    for is_answer in [false, true] {
        name_is_taken(&calls_fail, is_answer).await;
        name_is_taken(&objects_fail, is_answer).await;
    }
}

/// Makes an upload whole without making it visible.
pub(super) async fn make_whole(kept: &Kept) -> String {
    for call in 0..40 {
        let server = Server::shared(calls_fail(kept, Faults::none()), limits(), now());
        let path = server.call(Call::create("f", &[], false)).await.location();
        drop(server);
        let faults = Faults::at(call, usize::MAX, false);
        let server = Server::shared(calls_fail(kept, faults), limits(), now());
        server.call(Call::part(&path, 0, &bytes(PIECE), true)).await.expect(503);
        drop(server);
        if record(kept).await["phase"] == "whole" {
            return path;
        }
        // Once the claim of the process that failed is over.
        let later = now() + Duration::from_secs(40);
        let server = Server::shared(calls_fail(kept, Faults::none()), limits(), later);
        server.call(Call::new("DELETE", &path)).await.expect(204);
    }
    panic!("never whole");
}

async fn record(kept: &Kept) -> serde_json::Value {
    let open = kept.rest().await.into_iter().find(|name| !name.starts_with("names/")).unwrap();
    let text = match kept {
        Kept::Directory(folder) => {
            fs::read(folder.path().join(".uploads/open").join(open)).unwrap()
        }
        Kept::Objects(objects) => {
            let path = ObjectPath::from(format!("received/.uploads/{open}"));
            objects.get(&path).await.unwrap().bytes().await.unwrap().to_vec()
        }
    };
    serde_json::from_slice(&text).unwrap()
}

/// Deletes what has come of an upload, behind the back of its record.
pub(super) async fn delete_data(kept: &Kept) {
    match kept {
        Kept::Directory(folder) => {
            let data = folder.path().join(".uploads/data");
            let data = fs::read_dir(data).unwrap().next().unwrap().unwrap();
            fs::remove_file(data.path()).unwrap();
        }
        Kept::Objects(objects) => {
            let id = record(kept).await["handle"].as_str().unwrap().to_owned();
            objects.abort_multipart(&"received/f".into(), &id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn whole_upload_whose_data_are_gone_lives_no_longer_than_another() {
    for by_request in [false, true] {
        for kept in Kept::all() {
            let path = make_whole(&kept).await;
            delete_data(&kept).await;
            let at = |seconds| {
                let time = now() + Duration::from_secs(seconds);
                Server::shared(calls_fail(&kept, Faults::none()), limits(), time)
            };
            let server = at(999);
            server.call(Call::new("HEAD", &path)).await.expect(503);
            let swept = server.uploads.sweep().await.unwrap();
            assert_eq!(swept, Swept { failed: 1, ..Swept::default() });
            drop(server);
            let server = at(1000);
            if by_request {
                server.call(Call::new("DELETE", &path)).await.expect(404);
            } else {
                let swept = server.uploads.sweep().await.unwrap();
                assert_eq!(swept, Swept { expired: 1, ..Swept::default() });
            }
            assert_eq!(kept.rest().await, [""; 0]);
            server.call(Call::create("f", b"anew", true)).await.expect(201);
        }
    }
}

#[tokio::test]
async fn empty_part_does_not_end_an_upload_whose_data_are_gone() {
    let kept = &Kept::all()[0];
    let server = Server::shared(calls_fail(kept, Faults::none()), limits(), now());
    let path = server.call(Call::create("f", b"content", false)).await.location();
    delete_data(kept).await;
    server.call(Call::part(&path, 7, b"", true)).await.expect(503);
    server.call(Call::new("DELETE", &path)).await.expect(204);
    assert_eq!(kept.rest().await, [""; 0]);
}

#[tokio::test]
async fn creation_whose_record_is_made_and_whose_answer_is_lost_does_not_count() {
    for kept in Kept::all() {
        // The calls before: to count, and to ask for a file.
        let server = Server::shared(calls_fail(&kept, Faults::at(2, 1, true)), limits(), now());
        server.call(Call::create("f", b"", false)).await.expect(503);
        assert_eq!(kept.rest().await, [""; 0]);
    }
}

/// Its object is made without the multipart upload, which may hold bytes of a part that was refused.
#[tokio::test]
async fn file_without_content_leaves_no_multipart_upload() {
    for kept in Kept::all() {
        let server = Server::shared(objects_fail(&kept, Faults::none()), limits(), now());
        server.call(Call::create("at-once", b"", true)).await.expect(201);
        let path = server.call(Call::create("refused", b"", false)).await.location();
        let part = Call::part(&path, 0, &bytes(2 * PIECE), false);
        let other = part.in_frames(ALICE, vec![vec![0; 2 * PIECE]]);
        server.send(other).await.expect(401);
        server.call(Call::part(&path, 0, b"", true)).await.expect(201);
        assert_eq!(kept.files().await, ["at-once", "refused"]);
        assert_eq!(kept.multiparts().await, [""; 0]);
    }
}

/// Whichever call fails, and whatever answer is lost: it ends, and is empty.
#[tokio::test]
async fn file_without_content_leaves_no_multipart_upload_when_calls_fail() {
    for (call, is_answer) in (0..24).flat_map(|call| [(call, false), (call, true)]) {
        for kept in Kept::all() {
            let seen = format!("{call}, {is_answer}");
            let server = Server::shared(objects_fail(&kept, Faults::none()), limits(), now());
            let path = server.call(Call::create("f", b"", false)).await.location();
            drop(server);
            let faults = Faults::at(call, 2, is_answer);
            let server = Server::shared(objects_fail(&kept, faults), limits(), now());
            let status = server.call(Call::part(&path, 0, b"", true)).await.status;
            assert!([201, 503].contains(&status.as_u16()), "{seen}: {status}");
            drop(server);
            let later = now() + Duration::from_secs(40);
            let server = Server::shared(objects_fail(&kept, Faults::none()), limits(), later);
            server.call(Call::part(&path, 0, b"", true)).await.expect(201);
            assert_eq!(kept.read("f").await, b"", "{seen}");
            assert_eq!(kept.multiparts().await, [""; 0], "{seen}");
        }
    }
}
