//! `--replay`: a request that came before is refused, and the upstream does not hear of it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use super::{
    Recorder, Setup, Signed, complaint, gateway, inbound, noise, nowhere, redis::Redis, wait_until,
};
use crate::serve::{Answer, Service};

/// Large enough to stream in many pieces.
const LARGE: usize = 700_000;

/// Requests of every kind that is proven in its own way, by name.
fn requests() -> [(&'static str, Signed); 5] {
    [
        ("without a body", Signed::get("/")),
        ("claimed", Signed::put("/", noise(1000))),
        ("not claimed", Signed::put("/", noise(1000)).unclaimed()),
        ("claimed and large", Signed::put("/", noise(LARGE))),
        ("not claimed and large", Signed::put("/", noise(LARGE)).unclaimed()),
    ]
}

fn assert_replayed(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 409, "{what}: {answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], 409, "{what}");
    assert_eq!(Some(problem["request_id"].as_str().unwrap()), answer.field("x-request-id"));
}

/// Sends `request` again, as it is.
fn assert_not_handed_on(setup: &Setup, what: &str, request: &[u8]) {
    let before = setup.upstream.received().len();
    assert_replayed(&setup.answer(request), what);
    assert_eq!(setup.upstream.received().len(), before, "{what}");
}

#[test]
fn request_is_handed_on_once() {
    for options in [&["--spool", "."][..], &["--spool", ".", "--spool-claimed"]] {
        let setup = Setup::inbound(&[options, &["--replay", "memory"]].concat());
        for (what, request) in requests() {
            let bytes = request.bytes();
            refuse_others(&setup, &request);
            setup.upstream.forget();
            assert_eq!(setup.answer(&bytes).status, 200, "{what}");
            assert_not_handed_on(&setup, what, &bytes);
            assert_not_handed_on(&setup, what, &bytes);
            assert_eq!(setup.answer(request.bytes()).status, 200, "{what}, signed anew");
            assert_eq!(setup.upstream.whole().len(), 2, "{what}");
        }
        // Lines are written beside the answers, in their order.
        let replayed = || setup.gateway.log().matches("reason=\"replayed\"").count();
        wait_until(|| replayed() >= 10, "ten lines of the log");
        assert_eq!(replayed(), 10);
    }
}

/// What is refused for its body does not use the request up.
fn refuse_others(setup: &Setup, request: &Signed) {
    let (head, body) = (request.head(), request.body());
    if body.is_empty() {
        return;
    }
    let mut tampered = body.to_vec();
    tampered[body.len() - 1] ^= 1;
    assert_eq!(setup.answer([&head[..], &tampered].concat()).status, 401);
    let mut connection = setup.connect();
    connection.send([&head[..], &body[..body.len() / 2]].concat());
    connection.finish_sending();
    assert_eq!(connection.answer().status, 400);
    assert_eq!(setup.answer([&head[..], body].concat()).status, 200, "the same head");
}

/// The head is enough: not a byte of a body is asked for.
#[test]
fn replay_of_a_claimed_body_is_refused_at_its_head() {
    let setup = Setup::inbound(&["--replay", "memory"]);
    let request = Signed::put("/", noise(LARGE)).field("Expect", "100-continue");
    let (head, body) = (request.head(), request.body());
    assert_eq!(setup.answer([&head[..], body].concat()).status, 200);
    let mut connection = setup.connect();
    connection.send(&head);
    let answer = connection.head();
    assert_eq!(answer.status, 409);
}

/// An upload that is under way holds its place.
#[test]
fn request_that_is_sent_beside_itself_is_refused() {
    let setup = Setup::inbound(&["--replay", "memory"]);
    let request = Signed::put("/", noise(LARGE));
    let (head, body) = (request.head(), request.body());
    let mut first = setup.connect();
    first.send([&head[..], &body[..LARGE / 2]].concat());
    wait_until(|| setup.upstream.received().len() == 1, "the first to begin");
    assert_not_handed_on(&setup, "beside itself", &[&head[..], body].concat());
    first.send(&body[LARGE / 2..]);
    assert_eq!(first.answer().status, 200);
    assert!(setup.upstream.only().body == body);
}

#[test]
fn metrics_count_replays() {
    let setup = Setup::inbound(&["--replay", "memory", "--admin-listen", "127.0.0.1:0"]);
    let request = Signed::put("/", "body").bytes();
    for status in [200, 409, 409] {
        assert_eq!(setup.answer(&request).status, status);
    }
    let mut connection = crate::serve::Connection::open(setup.gateway.admin.unwrap());
    connection.send("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let metrics = connection.answer().json();
    assert_eq!(metrics["replays"]["refused"], 2);
    assert_eq!(metrics["verifications"], serde_json::json!({ "valid": 1, "refused": 2 }));
}

#[test]
fn request_comes_as_often_as_it_likes_without_the_option() {
    let setup = Setup::inbound(&[]);
    let request = Signed::put("/", "body").bytes();
    assert_eq!(setup.answer(&request).status, 200);
    assert_eq!(setup.answer(&request).status, 200);
}

/// The options of a gateway that asks `url`.
fn asking<'a>(url: &'a str, outage: &'a str) -> [&'a str; 8] {
    ["--replay", url, "--replay-outage", outage, "--replay-timeout", "30", "--spool", "."]
}

#[test]
fn gateways_that_share_a_store_hand_on_a_request_once() {
    let redis = Redis::start();
    let (url, upstream) = (redis.url(), Recorder::start());
    let first = Setup::before(upstream, &asking(&url, "refuse"));
    let second =
        Service::run(&mut inbound(&first.folder, &first.upstream.url(), &asking(&url, "refuse")));
    for (number, (what, request)) in requests().into_iter().enumerate() {
        let bytes = request.bytes();
        let gateways = [&first.gateway, &second];
        let statuses: Vec<_> = thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|racer| {
                    let (gateway, bytes) = (gateways[racer % 2], &bytes);
                    scope.spawn(move || status_of(gateway, bytes))
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let of = |status| statuses.iter().filter(|other| **other == status).count();
        assert_eq!((of(200), of(409)), (1, 7), "{what}: {statuses:?}");
        assert_eq!(first.upstream.received().len(), number + 1, "{what}");
        assert_eq!(redis.entries(), number + 1, "{what}");
    }
    assert_eq!(first.upstream.whole().len(), 5);
}

/// The status of the answer to a request of which the gateway may not read all.
fn status_of(gateway: &Service, request: &[u8]) -> u16 {
    let mut connection = gateway.connect();
    let _ = std::io::Write::write_all(&mut connection.stream, request);
    connection.head().status
}

#[test]
fn store_that_is_away_is_a_503_or_nothing_as_was_said() {
    let nobody = format!("redis://{}", nowhere());
    for (outage, status, heard) in [("refuse", 503, 0), ("accept", 200, 5)] {
        let setup = Setup::inbound(&asking(&nobody, outage));
        for (what, request) in requests() {
            let answer = setup.answer(request.bytes());
            assert_eq!(answer.status, status, "{what}: {answer:?}");
        }
        assert_eq!(setup.upstream.received().len(), heard);
        setup.gateway.wait_for_log("it cannot be known whether the frame came before");
    }
}

/// The proof of a body that streams waits for the store, and its last piece for the proof.
#[test]
fn upload_is_cut_if_the_store_falls_silent_under_it() {
    let redis = Redis::silent_after(1);
    let url = redis.url();
    let options = ["--replay", &url, "--replay-outage", "refuse", "--replay-timeout", "0.5"];
    let setup = Setup::inbound(&options);
    let answer = setup.answer(Signed::put("/", noise(LARGE)).bytes());
    assert_eq!(answer.status, 503, "{answer:?}");
    setup.gateway.wait_for_log("status=503");
    let log = setup.gateway.log();
    assert_eq!(log.matches("a request was not verified").count(), 1, "{log}");
    assert!(!log.contains("the upstream broke off"), "{log}");
    wait_until(|| setup.upstream.received().len() == 1, "the upload");
    assert!(setup.upstream.whole().is_empty());
}

/// What the upstream was asked for has happened, whatever became of its answer.
#[test]
fn request_that_the_upstream_has_heard_of_stays_used() {
    let (tell, told) = mpsc::channel();
    let (told, is_first) = (Mutex::new(told), AtomicBool::new(true));
    let upstream = Recorder::with(move |exchange| {
        exchange.read_body();
        if is_first.swap(false, SeqCst) {
            told.lock().unwrap().recv().unwrap();
            return false;
        }
        exchange.answer_length()
    });
    let setup = Setup::before(upstream, &["--replay", "memory"]);
    let request = Signed::put("/", noise(LARGE)).bytes();
    let mut first = setup.connect();
    first.send(&request);
    wait_until(|| setup.upstream.whole().len() == 1, "the upload");
    tell.send(()).unwrap();
    assert_eq!(first.answer().status, 502);
    assert_not_handed_on(&setup, "after a 502", &request);
}

#[test]
fn nothing_is_remembered_of_what_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = gateway(&folder, "http://127.0.0.1:1", &["--sign", "--replay", "memory"]);
    command.env("FRAMESIGN_ACCESS_KEY", "key").env("FRAMESIGN_SECRET_KEY", "a secret key");
    let err = complaint(command);
    assert!(err.contains("--sign") && err.contains("--replay"), "{err}");
}
