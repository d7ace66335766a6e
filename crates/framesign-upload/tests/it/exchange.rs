//! The exchange of the draft: creation, appending, offset retrieval, completion, cancellation.

use framesign_test_support::{Numbers, random_chunks};

use super::{
    client::{ALICE, Answer, Call, Server, bytes, repr_digest},
    stores::{Kept, PIECE},
};
use framesign_upload::server::Limits;

async fn offset(server: &Server, path: &str) -> Answer {
    server.call(Call::new("HEAD", path)).await
}

#[tokio::test]
async fn upload_in_parts_becomes_a_file_with_its_last_part() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let whole = bytes(5 * PIECE + 7);
        let path = server.call(Call::create("a%20b.bin", &[], false)).await.location();
        let cuts = [0, 1000, 2500, 4507, whole.len()];
        for (index, part) in cuts.windows(2).enumerate() {
            let is_last = index == cuts.len() - 2;
            assert!(kept.files().await.is_empty(), "visible before its end");
            let call = Call::part(&path, part[0], &whole[part[0]..part[1]], is_last);
            let answer = server.call(call).await.expect(if is_last { 201 } else { 204 });
            assert_eq!(answer.field("upload-offset").unwrap(), part[1].to_string());
            assert_eq!(answer.field("upload-complete"), Some(if is_last { "?1" } else { "?0" }));
            let answer = offset(&server, &path).await.expect(204);
            assert_eq!(answer.field("upload-offset").unwrap(), part[1].to_string());
            if is_last {
                assert_eq!(answer.field("repr-digest"), Some(&*repr_digest(&whole)));
            }
        }
        assert_eq!(kept.files().await, ["a b.bin"]);
        assert_eq!(kept.read("a b.bin").await, whole);
        assert_eq!(kept.rest().await, [""; 0]);
    }
}

#[tokio::test]
async fn answer_to_the_last_part_has_name_length_and_hash() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let whole = bytes(1234);
        let path = server.call(Call::create("f", &whole[..1000], false)).await.location();
        let answer = server.call(Call::part(&path, 1000, &whole[1000..], true)).await.expect(201);
        assert_eq!(answer.field("location"), Some("/files/f"));
        assert_eq!(answer.field("content-type"), Some("application/json"));
        assert_eq!(answer.field("repr-digest"), Some(&*repr_digest(&whole)));
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(json["name"], "f");
        assert_eq!(json["bytes"], 1234);
        let hash = framesign::PayloadHash::of(&whole).to_string();
        assert_eq!(json["sha256"], *hash);
    }
}

#[tokio::test]
async fn answer_to_a_creation_says_where_to_send_the_rest_and_what_is_taken() {
    let kept = Kept::all();
    let server = Server::limited_of(&kept[0], Limits { max_size: 5000, ..Limits::default() });
    for content in [&[][..], b"part"] {
        let answer = server.call(Call::create("f", content, false)).await.expect(201);
        let path = answer.field("location").unwrap();
        let id = path.strip_prefix("/uploads/").unwrap();
        assert_eq!(id.len(), 32, "{id}");
        assert_eq!(answer.field("upload-complete"), Some("?0"));
        assert_eq!(answer.field("upload-offset"), Some(&*content.len().to_string()));
        assert_eq!(
            answer.field("upload-limit"),
            Some("max-size=5000, min-append-size=0, max-append-size=1073741824, max-age=604800")
        );
    }
}

#[tokio::test]
async fn whole_upload_in_one_request_needs_no_parts() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let whole = bytes(3 * PIECE + 1);
        let calls = [
            Call::create("post", &whole, true),
            Call::new("PUT", "/files/put").content(&whole),
            Call::create("empty", &[], true),
            Call::create("digest", &whole, true).field("repr-digest", repr_digest(&whole)),
        ];
        for call in calls {
            let answer = server.call(call).await.expect(201);
            assert_eq!(answer.field("upload-complete"), Some("?1"));
            assert!(answer.field("repr-digest").is_some());
        }
        assert_eq!(kept.files().await, ["digest", "empty", "post", "put"]);
        assert_eq!(kept.read("put").await, whole);
        assert_eq!(kept.read("empty").await, b"");
        assert_eq!(kept.rest().await, [""; 0]);
    }
}

#[tokio::test]
async fn upload_can_end_with_an_empty_part() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let path = server.call(Call::create("f", b"all of it", false)).await.location();
        server.call(Call::part(&path, 9, &[], true)).await.expect(201);
        assert_eq!(kept.read("f").await, b"all of it");
    }
}

#[tokio::test]
async fn content_is_the_same_however_it_is_cut() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let whole = bytes(2 * PIECE + 100);
        let mut ways = vec![whole.iter().map(|byte| vec![*byte]).collect()];
        for cut in [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, whole.len() - 1] {
            ways.push(vec![whole[..cut].to_vec(), whole[cut..].to_vec()]);
        }
        let mut numbers = Numbers::new(1);
        for _ in 0..20 {
            ways.push(
                random_chunks(&whole, 400, &mut numbers).into_iter().map(<[u8]>::to_vec).collect(),
            );
        }
        for (index, frames) in ways.into_iter().enumerate() {
            let name = format!("file-{index}");
            let path = server.call(Call::create(&name, &[], false)).await.location();
            let call = Call::part(&path, 0, &whole, true);
            server.send(call.in_frames(ALICE, frames)).await.expect(201);
            assert!(kept.read(&name).await == whole, "{name}");
        }
    }
}

#[tokio::test]
async fn upload_goes_on_in_a_further_process() {
    for kept in Kept::all() {
        let whole = bytes(4 * PIECE);
        let server = Server::of(&kept);
        let path = server
            .call(Call::create("f", &[], false).field("repr-digest", repr_digest(&whole)))
            .await
            .location();
        drop(server);
        for (index, part) in whole.chunks(PIECE).enumerate() {
            let server = Server::of(&kept);
            let answer = offset(&server, &path).await.expect(204);
            assert_eq!(answer.field("upload-offset").unwrap(), (index * PIECE).to_string());
            server.call(Call::part(&path, index * PIECE, part, index == 3)).await;
        }
        assert_eq!(kept.read("f").await, whole);
    }
}

#[tokio::test]
async fn offset_retrieval_tells_the_state_and_is_not_stored() {
    let kept = Kept::all();
    let server = Server::limited_of(&kept[0], Limits::default());
    let path = server.call(Call::create("f", b"abc", false)).await.location();
    for method in ["HEAD", "GET"] {
        let answer = server.call(Call::new(method, &path)).await.expect(204);
        assert_eq!(answer.field("upload-offset"), Some("3"));
        assert_eq!(answer.field("upload-complete"), Some("?0"));
        assert_eq!(answer.field("upload-length"), None);
        assert_eq!(answer.field("cache-control"), Some("no-store"));
        assert!(answer.field("upload-limit").unwrap().contains("max-age=604800"));
    }
    server.call(Call::part(&path, 3, b"de", false).field("upload-length", 9)).await.expect(204);
    let answer = offset(&server, &path).await.expect(204);
    assert_eq!(answer.field("upload-length"), Some("9"));
    server.call(Call::part(&path, 5, b"fghi", true)).await.expect(201);
    let answer = offset(&server, &path).await.expect(204);
    assert_eq!(answer.field("upload-complete"), Some("?1"));
    assert_eq!(answer.field("upload-length"), Some("9"));
    assert_eq!(answer.field("repr-digest"), Some(&*repr_digest(b"abcdefghi")));
}

#[tokio::test]
async fn lost_answer_to_the_last_part_can_be_had_again() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let path = server.call(Call::create("f", b"abc", false)).await.location();
        let first = server.call(Call::part(&path, 3, b"de", true)).await.expect(201);
        let again = server.call(Call::part(&path, 5, &[], true)).await.expect(201);
        assert_eq!(again.body, first.body);
        assert_eq!(again.field("repr-digest"), first.field("repr-digest"));
        // Anything else is no part of it any more.
        let answer = server.call(Call::part(&path, 5, b"more", true)).await.expect(400);
        assert!(answer.text().contains("#completed-upload"), "{answer:?}");
        assert_eq!(answer.field("upload-complete"), Some("?0"));
        let answer = server.call(Call::part(&path, 3, b"de", true)).await.expect(409);
        assert!(answer.text().contains("#mismatching-upload-offset"), "{answer:?}");
        assert_eq!(kept.read("f").await, b"abcde");
    }
}

#[tokio::test]
async fn repeated_last_part_that_claims_something_else_is_refused() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let path = server.call(Call::create("f", b"abc", false)).await.location();
        server.call(Call::part(&path, 3, b"de", true)).await.expect(201);
        let again = Call::part(&path, 5, &[], true);
        let claiming = |content, length| {
            again.clone().field("repr-digest", repr_digest(content)).field("upload-length", length)
        };
        server.call(claiming(b"abcde", 5)).await.expect(201);
        let answer = server.call(claiming(b"other", 5)).await.expect(400);
        assert!(answer.text().contains("Repr-Digest"), "{answer:?}");
        let answer = server.call(claiming(b"abcde", 6)).await.expect(400);
        assert!(answer.text().contains("#inconsistent-upload-length"), "{answer:?}");
        // What is complete stays so.
        server.call(again).await.expect(201);
        assert_eq!(kept.read("f").await, b"abcde");
    }
}

#[tokio::test]
async fn cancellation_leaves_nothing() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let path = server.call(Call::create("f", &bytes(2 * PIECE), false)).await.location();
        server.call(Call::new("DELETE", &path)).await.expect(204);
        assert_eq!(kept.rest().await, [""; 0]);
        for call in
            [Call::new("HEAD", &path), Call::new("DELETE", &path), Call::part(&path, 0, b"", true)]
        {
            server.call(call).await.expect(404);
        }
        assert_eq!(kept.files().await, [""; 0]);
        // Of an upload that is complete the result goes, and not the file.
        let path = server.call(Call::create("f", b"x", false)).await.location();
        server.call(Call::part(&path, 1, b"", true)).await.expect(201);
        server.call(Call::new("DELETE", &path)).await.expect(204);
        server.call(Call::new("HEAD", &path)).await.expect(404);
        assert_eq!(kept.files().await, ["f"]);
    }
}

#[tokio::test]
async fn options_need_no_signature_and_tell_the_limits() {
    let kept = Kept::all();
    let server = Server::limited_of(&kept[1], Limits::default());
    let upload = "/uploads/0123456789abcdef0123456789abcdef";
    for (path, allow, patch) in [
        ("/files/f", "POST, PUT, OPTIONS", None),
        (upload, "GET, HEAD, PATCH, DELETE, OPTIONS", Some("application/partial-upload")),
    ] {
        let request = http::Request::builder().method("OPTIONS").uri(path).header("host", "h");
        let answer =
            server.send(request.body(super::client::content(vec![])).unwrap()).await.expect(204);
        assert_eq!(answer.field("allow"), Some(allow));
        assert_eq!(answer.field("accept-patch"), patch);
        assert!(answer.field("upload-limit").unwrap().starts_with("max-size="));
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_problems() {
    let kept = Kept::all();
    let server = Server::limited_of(&kept[0], Limits::default());
    let path = server.call(Call::create("f", b"", false)).await.location();
    for (method, path, status) in [
        ("GET", "/files/f", 405),
        ("DELETE", "/files/f", 405),
        ("PATCH", "/files/f", 405),
        ("POST", &*path, 405),
        ("HEAD", "/uploads/x", 404),
        ("HEAD", "/uploads/0123456789abcdef0123456789abcdef", 404),
        ("POST", "/elsewhere", 404),
        ("POST", "/files/", 400),
        ("POST", "/files/..", 400),
        ("POST", "/files/.uploads", 400),
        ("POST", "/files/a%2fb", 400),
        ("POST", "/files/a/b", 400),
    ] {
        let answer = server.call(Call::new(method, path)).await.expect(status);
        assert_eq!(answer.field("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(answer.field("allow").is_some(), status == 405);
    }
    assert_eq!(kept[0].files().await, [""; 0]);
}

#[tokio::test]
async fn file_is_never_replaced() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        // Both are begun while the name is free.
        let first = server.call(Call::create("f", b"first", false)).await.location();
        let second = server.call(Call::create("f", b"second", false)).await.location();
        server.call(Call::part(&first, 5, b"", true)).await.expect(201);
        let answer = server.call(Call::part(&second, 6, b"", true)).await.expect(409);
        assert_eq!(answer.field("upload-complete"), Some("?1"));
        server.call(Call::new("HEAD", &second)).await.expect(404);
        server.call(Call::create("f", b"third", true)).await.expect(409);
        assert_eq!(kept.read("f").await, b"first");
        assert_eq!(kept.rest().await, [""; 0]);
    }
}
