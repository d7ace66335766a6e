//! The limits: what is over one is refused, and told what it is.

use std::time::Duration;

use framesign_upload::server::Limits;

use super::{
    client::{ALICE, BOB, Call, Server, now},
    stores::{Kept, PIECE},
};

#[tokio::test]
async fn size_of_the_whole() {
    for kept in Kept::all() {
        let server = Server::limited_of(&kept, Limits { max_size: 10, ..Limits::default() });
        let over = [
            Call::create("f", &[0; 11], true),
            Call::create("f", &[0; 11], false),
            Call::create("f", &[], false).field("upload-length", 11),
        ];
        for call in over {
            let answer = server.call(call).await.expect(413);
            assert!(answer.field("upload-limit").unwrap().starts_with("max-size=10, "));
        }
        let path = server.call(Call::create("f", &[0; 6], false)).await.location();
        server.call(Call::part(&path, 6, &[0; 5], false)).await.expect(413);
        server
            .call(Call::part(&path, 6, &[0; 2], false).field("upload-length", 11))
            .await
            .expect(413);
        server.call(Call::part(&path, 6, &[0; 4], true)).await.expect(201);
    }
}

#[tokio::test]
async fn size_of_a_part() {
    for kept in Kept::all() {
        let limits = Limits { min_part: 3, max_part: 5, ..Limits::default() };
        let server = Server::limited_of(&kept, limits);
        let path = server.call(Call::create("f", &[], false)).await.location();
        let answer = server.call(Call::part(&path, 0, &[0; 6], false)).await.expect(413);
        assert!(answer.field("upload-limit").unwrap().contains("max-append-size=5"));
        let answer = server.call(Call::part(&path, 0, &[0; 2], false)).await.expect(400);
        assert!(answer.field("upload-limit").unwrap().contains("min-append-size=3"));
        server.call(Call::create("g", &[0; 2], false)).await.expect(400);
        server.call(Call::create("g", &[0; 6], true)).await.expect(413);
        server.call(Call::part(&path, 0, &[0; 3], false)).await.expect(204);
        server.call(Call::part(&path, 3, &[0; 5], false)).await.expect(204);
        // The last one may be as small as it is.
        server.call(Call::part(&path, 8, &[0; 1], true)).await.expect(201);
    }
}

#[tokio::test]
async fn number_of_parts() {
    for kept in Kept::all() {
        let server = Server::limited_of(&kept, Limits { max_parts: 2, ..Limits::default() });
        let path = server.call(Call::create("f", b"a", false)).await.location();
        server.call(Call::part(&path, 1, b"b", false)).await.expect(204);
        server.call(Call::part(&path, 2, b"c", false)).await.expect(413);
        // It can end with what is there.
        server.call(Call::part(&path, 2, b"", true)).await.expect(201);
        assert_eq!(kept.read("f").await, b"ab");
    }
}

#[tokio::test]
async fn number_of_pieces_of_a_creation() {
    let [_, kept] = Kept::all();
    let server = Server::of(&kept);
    let whole = vec![0; 10_001 * PIECE];
    let answer = server.call(Call::create("f", &whole, true)).await.expect(413);
    assert!(answer.field("upload-limit").is_some());
    // Pieces are smaller than two.
    server.call(Call::create("f", &whole[1..], true)).await.expect(201);
}

#[tokio::test]
async fn uploads_of_an_access_key() {
    for kept in Kept::all() {
        let server = Server::limited_of(&kept, Limits { max_uploads: 2, ..Limits::default() });
        let first = server.call(Call::create("a", b"", false)).await.location();
        let second = server.call(Call::create("b", b"", false)).await.location();
        let answer = server.call(Call::create("c", b"", false)).await.expect(429);
        assert!(answer.field("retry-after").is_some());
        // Another has its own.
        server.send(Call::create("c", b"", false).signed(BOB)).await.expect(201);
        // One that has ended does not count.
        server.call(Call::new("DELETE", &first)).await.expect(204);
        server.call(Call::create("d", b"", false)).await.expect(201);
        server.call(Call::create("e", b"", false)).await.expect(429);
        server.call(Call::part(&second, 0, b"", true)).await.expect(201);
        server.call(Call::create("e", b"", false)).await.expect(201);
    }
}

#[tokio::test]
async fn uploads_of_an_access_key_that_come_at_once() {
    for kept in Kept::all() {
        let server = Server::limited_of(&kept, Limits { max_uploads: 2, ..Limits::default() });
        let names: Vec<_> = (0..8).map(|number| format!("f{number}")).collect();
        let calls = names.iter().map(|name| server.call(Call::create(name, b"", false)));
        let answers = futures_util::future::join_all(calls).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(created, 2);
    }
}

#[tokio::test]
async fn age_of_an_upload() {
    for kept in Kept::all() {
        let limits = Limits { max_age: Duration::from_secs(100), ..Limits::default() };
        let store = kept.open();
        let at =
            |seconds| Server::shared(store.clone(), limits, now() + Duration::from_secs(seconds));
        let path = at(0).call(Call::create("f", b"a", false)).await.location();
        let answer = at(60).call(Call::new("HEAD", &path)).await.expect(204);
        assert!(answer.field("upload-limit").unwrap().ends_with("max-age=40"), "{answer:?}");
        at(99).call(Call::part(&path, 1, b"b", false)).await.expect(204);
        for call in
            [Call::new("HEAD", &path), Call::part(&path, 2, b"c", true), Call::new("DELETE", &path)]
        {
            at(100).call(call).await.expect(404);
        }
        assert_eq!(kept.files().await, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn silence_within_a_part() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let path = server.call(Call::create("f", b"", false)).await.location();
        let head = Call::part(&path, 0, b"abc", false).head(ALICE, &Call::options());
        // One byte, and then nothing.
        let frames = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(
            http_body::Frame::data(bytes::Bytes::from_static(b"a")),
        )]);
        let silent = futures_util::StreamExt::chain(frames, futures_util::stream::pending());
        let body = http_body_util::StreamBody::new(silent);
        server.send_any(http::Request::from_parts(head, body)).await.expect(408);
        let answer = server.call(Call::new("HEAD", &path)).await.expect(204);
        assert_eq!(answer.field("upload-offset"), Some("0"));
    }
}
