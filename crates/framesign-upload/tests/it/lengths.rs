//! The length of an upload: said once or more, always the same, and never exceeded.

use super::{
    client::{Call, Server, bytes},
    stores::Kept,
};

async fn inconsistent(server: &Server, call: Call) {
    let answer = server.call(call).await.expect(400);
    assert!(answer.text().contains("#inconsistent-upload-length"), "{answer:?}");
    assert_eq!(answer.field("upload-complete"), Some("?0"));
}

#[tokio::test]
async fn creation_whose_lengths_differ() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        // Content-Length of all of it, and Upload-Length.
        inconsistent(&server, Call::create("f", b"abc", true).field("upload-length", 4)).await;
        inconsistent(&server, Call::create("f", b"abc", true).field("upload-length", 2)).await;
        // More content than the length.
        inconsistent(&server, Call::create("f", b"abc", false).field("upload-length", 2)).await;
        assert_eq!(kept.rest().await, [""; 0]);
        server.call(Call::create("f", b"abc", true).field("upload-length", 3)).await.expect(201);
    }
}

#[tokio::test]
async fn part_whose_lengths_differ_from_what_was_said() {
    for kept in Kept::all() {
        let (server, whole) = (Server::of(&kept), bytes(10));
        let path = server
            .call(Call::create("f", &whole[..4], false).field("upload-length", 10))
            .await
            .location();
        let refused = [
            // Another length.
            Call::part(&path, 4, &whole[4..8], false).field("upload-length", 11),
            // The last part, too short and too long.
            Call::part(&path, 4, &whole[4..9], true),
            Call::part(&path, 4, &[0; 7], true),
            // Beyond the length, though not the last.
            Call::part(&path, 4, &[0; 7], false),
        ];
        for call in refused {
            inconsistent(&server, call).await;
            let answer = server.call(Call::new("HEAD", &path)).await.expect(204);
            assert_eq!(answer.field("upload-offset"), Some("4"));
            assert_eq!(answer.field("upload-length"), Some("10"));
        }
        // As long as said, but not said to be complete: the upload goes on.
        server.call(Call::part(&path, 4, &whole[4..], false)).await.expect(204);
        assert_eq!(kept.files().await, [""; 0]);
        server.call(Call::part(&path, 10, &[], true)).await.expect(201);
        assert_eq!(kept.read("f").await, whole);
    }
}

#[tokio::test]
async fn length_that_comes_with_a_part_is_recorded_if_the_part_counts() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let path = server.call(Call::create("f", b"", false)).await.location();
        let part = Call::part(&path, 0, b"abc", false).field("upload-length", 6);
        server.send(part.in_frames("alice", vec![b"abd".to_vec()])).await.expect(401);
        let length = async || {
            server.call(Call::new("HEAD", &path)).await.field("upload-length").map(str::to_owned)
        };
        assert_eq!(length().await, None);
        server.call(part).await.expect(204);
        assert_eq!(length().await.as_deref(), Some("6"));
    }
}
