//! Several processes over one store of objects, and several requests for one upload.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use framesign_upload::server::{HeldWhileAnswered, Limits};
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{sync::oneshot, task};

use super::{
    client::{ALICE, Answer, Call, Server, bytes, now},
    stores::{Kept, PIECE},
};

/// A part of which the last byte waits to be let.
struct Slow {
    sending: task::JoinHandle<Answer>,
    rest: oneshot::Sender<()>,
}

impl Slow {
    async fn begin(server: &Server, call: Call, content: Vec<u8>) -> Self {
        let (rest, wait) = oneshot::channel();
        let (begun, has_begun) = oneshot::channel();
        let head = call.at(server.now).head(ALICE, &Call::options());
        let (last, first) = content.split_last().unwrap();
        let (last, first) = (Bytes::copy_from_slice(&[*last]), Bytes::copy_from_slice(first));
        let first = stream::once(async move { Ok::<_, Infallible>(Frame::data(first)) });
        let last = stream::once(async move {
            begun.send(()).unwrap();
            // Never let: the client has gone.
            let _ = wait.await;
            Ok(Frame::data(last))
        });
        let body = StreamBody::new(Box::pin(first.chain(last)));
        let server = server.clone();
        let sending =
            task::spawn(async move { server.send_any(Request::from_parts(head, body)).await });
        has_begun.await.unwrap();
        Self { sending, rest }
    }

    async fn end(self) -> Answer {
        // A request that was ended has no more use for it.
        let _ = self.rest.send(());
        self.sending.await.unwrap()
    }
}

fn objects() -> Kept {
    let [_, objects] = Kept::all();
    objects
}

#[tokio::test]
async fn any_replica_takes_any_part() {
    let kept = objects();
    let replicas: Vec<_> = (0..3).map(|_| Server::of(&kept)).collect();
    let whole = bytes(10 * PIECE);
    let path = replicas[0].call(Call::create("f", &[], false)).await.location();
    for (index, part) in whole.chunks(PIECE).enumerate() {
        let call = Call::part(&path, index * PIECE, part, index == 9);
        replicas[index % 3].call(call).await.expect(if index == 9 { 201 } else { 204 });
        let answer = replicas[(index + 1) % 3].call(Call::new("HEAD", &path)).await.expect(204);
        assert_eq!(answer.field("upload-offset").unwrap(), ((index + 1) * PIECE).to_string());
    }
    assert!(kept.read("f").await == whole);
}

#[tokio::test]
async fn of_two_replicas_that_append_at_once_one_wins() {
    let kept = objects();
    let [first, second] = [Server::of(&kept), Server::of(&kept)];
    let (whole, other) = (bytes(2 * PIECE), vec![0; 2 * PIECE]);
    let path = first.call(Call::create("f", &[], false)).await.location();
    let call = |content: &[u8]| Call::part(&path, 0, content, true);
    let slow = Slow::begin(&first, call(&whole), whole.clone()).await;
    // The other has it, and says when to come again. What it has is not told meanwhile, since the
    // next part could not have it.
    let answer = second.call(call(&other)).await.expect(409);
    assert!(answer.field("retry-after").is_some());
    let answer = second.call(Call::new("HEAD", &path)).await.expect(503);
    assert!(answer.field("retry-after").is_some());
    slow.end().await.expect(201);
    assert!(kept.read("f").await == whole);
    second.call(call(&other)).await.expect(409);
}

#[tokio::test]
async fn upload_of_a_replica_that_died_goes_on_in_another() {
    let kept = objects();
    let first = Server::of(&kept);
    let (whole, path) =
        (bytes(2 * PIECE), first.call(Call::create("f", &[], false)).await.location());
    let slow = Slow::begin(&first, Call::part(&path, 0, &whole, true), whole.clone()).await;
    slow.sending.abort();
    // Half a minute later its claim is over, whether it still holds on to it or not.
    let later = now() + Duration::from_secs(31);
    let second = Server::shared(kept.open(), Limits::default(), later);
    let answer = second.call(Call::new("HEAD", &path)).await.expect(204);
    assert_eq!(answer.field("upload-offset"), Some("0"));
    second.call(Call::part(&path, 0, &whole[..PIECE], false)).await.expect(204);
    second.call(Call::part(&path, PIECE, &whole[PIECE..], true)).await.expect(201);
    // What it had begun has no effect any more.
    let _ = slow.rest.send(());
    first.call(Call::new("HEAD", &path)).await.expect(204);
    assert!(kept.read("f").await == whole);
}

#[tokio::test]
async fn further_request_in_one_process_ends_the_one_before() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let (whole, path) =
            (bytes(2 * PIECE), server.call(Call::create("f", &[], false)).await.location());
        let call = || Call::part(&path, 0, &whole, true);
        // Each of the three requests for an upload resource.
        let slow = Slow::begin(&server, call(), whole.clone()).await;
        let answer = server.call(Call::new("HEAD", &path)).await.expect(204);
        assert_eq!(answer.field("upload-offset"), Some("0"));
        slow.sending.await.unwrap().expect(409);

        let slow = Slow::begin(&server, call(), whole.clone()).await;
        server.call(Call::part(&path, 0, &whole[..PIECE], false)).await.expect(204);
        slow.sending.await.unwrap().expect(409);

        let slow = Slow::begin(
            &server,
            Call::part(&path, PIECE, &whole[PIECE..], true),
            whole[PIECE..].to_vec(),
        )
        .await;
        server.call(Call::new("DELETE", &path)).await.expect(204);
        slow.sending.await.unwrap().expect(409);
        assert_eq!(kept.files().await, [""; 0]);
        assert_eq!(kept.rest().await, [""; 0]);
    }
}

#[tokio::test]
async fn request_whose_connection_is_lost_gives_the_upload_back() {
    for kept in Kept::all() {
        let server = Server::of(&kept);
        let (whole, path) =
            (bytes(2 * PIECE), server.call(Call::create("f", &[], false)).await.location());
        // The server drops the request, and its body fails.
        let head = Call::part(&path, 0, &whole, true).head(ALICE, &Call::options());
        let (cut, is_cut) = oneshot::channel::<()>();
        let first = Bytes::copy_from_slice(&whole[..PIECE]);
        let frames =
            stream::once(async move { Ok(Frame::data(first)) }).chain(stream::once(async move {
                let _ = is_cut.await;
                Err(std::io::Error::other("connection lost"))
            }));
        let body = StreamBody::new(Box::pin(frames));
        let permit = Arc::new(());
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(HeldWhileAnswered::new(Arc::clone(&permit)));
        let mut sending = Box::pin(server.send_body(request));
        assert!(futures_util::poll!(&mut sending).is_pending());
        task::yield_now().await;
        drop(sending);
        // It goes on, and so it counts.
        assert_eq!(Arc::strong_count(&permit), 2);
        cut.send(()).unwrap();
        let answer = server.call(Call::new("HEAD", &path)).await.expect(204);
        assert_eq!(answer.field("upload-offset"), Some("0"));
        server.call(Call::part(&path, 0, &whole, true)).await.expect(201);
        assert!(kept.read("f").await == whole);
        assert_eq!(Arc::strong_count(&permit), 1);
    }
}

#[tokio::test]
async fn revoked_secret_is_asked_for_again_by_every_replica() {
    let kept = objects();
    let [first, second] = [Server::of(&kept), Server::of(&kept)];
    let path = first.call(Call::create("f", &[], false)).await.location();
    second.secrets.store().revoke(ALICE);
    second.call(Call::new("HEAD", &path)).await.expect(401);
    first.call(Call::new("HEAD", &path)).await.expect(204);
}
