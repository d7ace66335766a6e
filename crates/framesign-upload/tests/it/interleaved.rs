//! Two replicas with one upload, each of which is held back before any of its calls to the objects
//! while the other goes on.

use std::{
    convert::Infallible,
    io,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use framesign_upload::server::Limits;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{
    task::{self, JoinHandle},
    time::{self, Instant},
};

use super::{
    client::{ALICE, Call, Server, bytes, now},
    ending::{delete_data, make_whole},
    failing::{Faults, Pause, objects_fail},
    faults::limits,
    stores::{Kept, PIECE},
};

/// What a replica does.
#[derive(Clone, Debug)]
enum Action {
    Request(Call),
    Sweep,
}

impl Action {
    /// The status of the answer, if there is one.
    async fn run(self, server: Server) -> Option<u16> {
        match self {
            Self::Request(call) => Some(server.call(call).await.status.as_u16()),
            Self::Sweep => {
                assert_eq!(server.uploads.sweep().await.unwrap().failed, 0);
                None
            }
        }
    }
}

/// A replica that waits before a call, or has come to its end.
struct Replica {
    pause: Pause,
    /// Unless it never came to that call.
    running: Option<JoinHandle<Option<u16>>>,
    status: Option<u16>,
}

impl Replica {
    async fn run_until(call: usize, kept: &Kept, at: SystemTime, action: &Action) -> Self {
        let pause = Pause::before(call);
        let server = Server::shared(objects_fail(kept, Faults::pausing(&pause)), limits(), at);
        let mut running = task::spawn(action.clone().run(server));
        tokio::select! {
            ended = &mut running => Self { pause, running: None, status: ended.unwrap() },
            () = pause.reached() => Self { pause, running: Some(running), status: None },
        }
    }

    async fn end(self) -> Option<u16> {
        self.pause.end();
        match self.running {
            Some(running) => running.await.unwrap(),
            None => self.status,
        }
    }
}

/// Calls to the objects of either action, and more.
const CALLS: usize = 24;

/// Ends both, the second one first. Each is held back before the call of its number.
async fn both(
    kept: &Kept,
    [first, second]: [&Action; 2],
    later: SystemTime,
    [call, other]: [usize; 2],
    is_first_begun: bool,
) -> [Option<u16>; 2] {
    let begin_first = Replica::run_until(call, kept, now(), first);
    let begin_second = Replica::run_until(other, kept, later, second);
    let (first, second) = if is_first_begun {
        let first = begin_first.await;
        (first, begin_second.await)
    } else {
        let second = begin_second.await;
        (begin_first.await, second)
    };
    let second = second.end().await;
    [first.end().await, second]
}

fn objects() -> Kept {
    let [_, objects] = Kept::all();
    objects
}

/// A part that is the last, while the upload is deleted by another replica.
async fn last_part_and(seconds: u64, delete: impl Fn(&str) -> Action) {
    for call in 0..CALLS {
        for other in 0..CALLS {
            for is_first_begun in [false, true] {
                let seen = format!("{call}, {other}, {is_first_begun}");
                let kept = objects();
                let server = Server::of(&kept);
                let path = server.call(Call::create("f", b"all ", false)).await.location();
                let last = Action::Request(Call::part(&path, 4, b"of it", true));
                let later = now() + Duration::from_secs(seconds);
                let actions = [&last, &delete(&path)];
                let [status, _] = both(&kept, actions, later, [call, other], is_first_begun).await;
                let files = kept.files().await;
                // One that is cancelled when it has become a file has no result for another request.
                if status == Some(201) || !files.is_empty() {
                    assert_eq!(kept.read("f").await, b"all of it", "{seen}");
                }
                let later = now() + Duration::from_secs(4000);
                let server = Server::shared(objects_fail(&kept, Faults::none()), limits(), later);
                assert_eq!(server.uploads.sweep().await.unwrap().failed, 0, "{seen}");
                assert_eq!(kept.rest().await, [""; 0], "{seen}");
            }
        }
    }
}

#[tokio::test]
async fn cancellation_and_the_last_part_leave_the_name_free_or_the_file() {
    // The claim of the one that receives the part is over.
    last_part_and(31, |path| Action::Request(Call::new("DELETE", path))).await;
}

#[tokio::test]
async fn sweep_and_the_last_part_leave_the_name_free_or_the_file() {
    last_part_and(1500, |_| Action::Sweep).await;
}

/// A replica that was about to end an upload, and a sweep that gives it up: neither keeps the name.
#[tokio::test]
async fn upload_whose_data_are_gone_leaves_its_name_free() {
    for call in 0..CALLS {
        for other in 0..CALLS {
            for is_first_begun in [false, true] {
                let seen = format!("{call}, {other}, {is_first_begun}");
                let kept = objects();
                let look = Action::Request(Call::new("HEAD", &make_whole(&kept).await));
                delete_data(&kept).await;
                let (actions, calls) = ([&look, &Action::Sweep], [call, other]);
                let later = now() + Duration::from_secs(1000);
                let [status, _] = both(&kept, actions, later, calls, is_first_begun).await;
                // 409: a reservation that the sweep has deleted looks like that of another upload.
                assert!(matches!(status, Some(404 | 409 | 503)), "{seen}: {status:?}");
                assert_eq!(kept.files().await, [""; 0], "{seen}");
                assert_eq!(kept.rest().await, [""; 0], "{seen}");
            }
        }
    }
}

#[tokio::test]
async fn upload_that_is_being_received_is_not_cancelled_by_another_replica() {
    let kept = objects();
    let path = Server::of(&kept).call(Call::create("f", b"", false)).await.location();
    let last = Action::Request(Call::part(&path, 0, &[0; PIECE], true));
    // Held back before the content is written, and after the claim.
    let first = Replica::run_until(2, &kept, now(), &last).await;
    let answer = Server::of(&kept).call(Call::new("DELETE", &path)).await.expect(409);
    assert!(answer.field("retry-after").is_some());
    assert_eq!(first.end().await, Some(201));
    assert_eq!(kept.files().await, ["f"]);
}

/// A replica whose clock goes on with that of tokio.
fn clocked(kept: &Kept, faults: Faults, begun: Instant) -> Server {
    let limits = Limits { idle_timeout: Duration::from_secs(200), ..limits() };
    let store = objects_fail(kept, faults);
    Server::clocked(store, limits, now(), move || now() + begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn claim_is_kept_while_the_store_is_slow() {
    let (kept, begun) = (objects(), Instant::now());
    let path = Server::of(&kept).call(Call::create("f", b"", false)).await.location();
    // The content is written, which takes far longer than a claim.
    let (pause, part) = (Pause::before(2), Call::part(&path, 0, b"slow", true));
    let first = clocked(&kept, Faults::pausing(&pause), begun);
    let running = task::spawn(async move { first.call(part).await });
    pause.reached().await;
    time::sleep(Duration::from_secs(100)).await;
    let second = clocked(&kept, Faults::none(), begun);
    second.call(Call::part(&path, 0, b"other", true)).await.expect(409);
    pause.end();
    running.await.unwrap().expect(201);
    assert_eq!(kept.read("f").await, b"slow");
}

/// What it still writes would replace what another one has written at the same place.
#[tokio::test(start_paused = true)]
async fn claim_is_kept_until_a_part_that_was_cut_writes_no_more() {
    for faults in [Faults::none(), Faults::at(3, 1, false), Faults::at(4, 3, false)] {
        part_that_was_cut_is_waited_for(faults).await;
    }
}

/// What fails meanwhile is the renewal of the claim.
async fn part_that_was_cut_is_waited_for(faults: Faults) {
    let (kept, begun) = (objects(), Instant::now());
    let path = Server::of(&kept).call(Call::create("f", b"", false)).await.location();
    let pause = Pause::before(2);
    let first = clocked(&kept, faults.and_pausing(&pause), begun);
    let whole = bytes(4 * PIECE);
    let head = Call::part(&path, 0, &whole, false).head(ALICE, &Call::options());
    let piece = Frame::data(Bytes::copy_from_slice(&whole[..PIECE]));
    let cut = stream::iter([Ok(piece), Err(io::Error::other("the connection is lost"))]);
    let request = Request::from_parts(head, StreamBody::new(cut));
    let running = task::spawn(async move { first.send_body(request).await });
    pause.reached().await;
    time::sleep(Duration::from_secs(100)).await;
    let second = clocked(&kept, Faults::none(), begun);
    let other = vec![7; 4 * PIECE];
    second.call(Call::part(&path, 0, &other, true)).await.expect(409);
    pause.end();
    running.await.unwrap().expect(400);
    second.call(Call::part(&path, 0, &other, true)).await.expect(201);
    assert!(kept.read("f").await == other);
}

#[tokio::test(start_paused = true)]
async fn claim_is_kept_while_the_sender_is_silent() {
    let (kept, begun) = (objects(), Instant::now());
    let path = Server::of(&kept).call(Call::create("f", b"", false)).await.location();
    let first = clocked(&kept, Faults::none(), begun);
    let whole = bytes(4 * PIECE);
    let head = Call::part(&path, 0, &whole, true).head(ALICE, &Call::options());
    let [piece, rest] = [&whole[..PIECE], &whole[PIECE..]].map(Bytes::copy_from_slice);
    let late = stream::once(async {
        time::sleep(Duration::from_secs(150)).await;
        Ok::<_, Infallible>(Frame::data(rest))
    });
    let content = stream::iter([Ok(Frame::data(piece))]).chain(late).boxed();
    let request = Request::from_parts(head, StreamBody::new(content));
    let second = clocked(&kept, Faults::none(), begun);
    let meanwhile = async {
        time::sleep(Duration::from_secs(100)).await;
        second.call(Call::part(&path, 0, b"other", true)).await
    };
    let (answer, other) = tokio::join!(first.send_any(request), meanwhile);
    other.expect(409);
    answer.expect(201);
    assert!(kept.read("f").await == whole);
}

#[tokio::test]
async fn two_replicas_that_end_one_upload_both_find_its_file() {
    for call in 0..CALLS {
        for other in 0..CALLS {
            for is_first_begun in [false, true] {
                let kept = objects();
                let look = Action::Request(Call::new("HEAD", &make_whole(&kept).await));
                let calls = [call, other];
                let statuses = both(&kept, [&look, &look], now(), calls, is_first_begun).await;
                assert_eq!(statuses, [Some(204); 2], "{calls:?}, {is_first_begun}");
                assert_eq!(kept.files().await, ["f"]);
                assert_eq!(kept.rest().await, [""; 0], "{calls:?}");
            }
        }
    }
}
