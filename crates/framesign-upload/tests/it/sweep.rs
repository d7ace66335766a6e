//! The sweeper finds what was left.

use std::time::Duration;

use framesign_upload::server::{Limits, Swept};

use super::{
    client::{Call, Server, now},
    stores::Kept,
};

#[tokio::test]
async fn expired_uploads_go_with_all_their_bytes() {
    for kept in Kept::all() {
        let limits = Limits { max_age: Duration::from_secs(100), ..Limits::default() };
        let store = kept.open();
        let at =
            |seconds| Server::shared(store.clone(), limits, now() + Duration::from_secs(seconds));
        at(0).call(Call::create("old", b"a", false)).await.location();
        let young = at(50).call(Call::create("young", b"b", false)).await.location();
        assert_eq!(at(99).uploads.sweep().await.unwrap(), Swept::default());
        let swept = at(100).uploads.sweep().await.unwrap();
        assert_eq!(swept, Swept { expired: 1, ..Swept::default() });
        at(100).call(Call::part(&young, 1, b"c", true)).await.expect(201);
        assert_eq!(kept.files().await, ["young"]);
        assert_eq!(kept.rest().await, [""; 0]);
    }
}

#[tokio::test]
async fn results_are_kept_for_a_while() {
    for kept in Kept::all() {
        let limits = Limits { keep_completed: Duration::from_secs(10), ..Limits::default() };
        let store = kept.open();
        let at =
            |seconds| Server::shared(store.clone(), limits, now() + Duration::from_secs(seconds));
        let path = at(0).call(Call::create("f", b"a", false)).await.location();
        at(5).call(Call::part(&path, 1, b"", true)).await.expect(201);
        assert_eq!(at(14).uploads.sweep().await.unwrap(), Swept::default());
        at(14).call(Call::new("HEAD", &path)).await.expect(204);
        let swept = at(15).uploads.sweep().await.unwrap();
        assert_eq!(swept, Swept { forgotten: 1, ..Swept::default() });
        at(15).call(Call::new("HEAD", &path)).await.expect(404);
        assert_eq!(kept.read("f").await, b"a");
    }
}

#[tokio::test]
async fn record_that_cannot_be_read_is_deactivated_and_told() {
    let kept = &Kept::all()[0];
    let server = Server::of(kept);
    let path = server.call(Call::create("f", b"a", false)).await.location();
    let Kept::Directory(folder) = kept else { panic!() };
    let open = folder.path().join(".uploads/open");
    let record = std::fs::read_dir(open).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&record).unwrap();
    // The offset, but not the hash of as many bytes.
    std::fs::write(&record, text.replace("\"offset\":1", "\"offset\":2")).unwrap();
    server.call(Call::new("HEAD", &path)).await.expect(404);
    server.call(Call::part(&path, 2, b"b", true)).await.expect(404);
    assert_eq!(server.uploads.sweep().await.unwrap(), Swept { failed: 1, ..Swept::default() });
    assert!(record.exists());
}
