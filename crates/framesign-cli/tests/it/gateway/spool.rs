//! Bodies that are taken into files first: bounded, and nothing is left of them.

use std::{thread, time::Duration};

use super::{Setup, Signed, complaint, noise, wait_until};

const LARGE: usize = 700_000;

#[test]
fn large_bodies_without_a_digest_arrive_byte_for_byte() {
    let setup = Setup::inbound(&["--spool", "."]);
    for len in [65_536, 65_537, 262_144, 262_145, LARGE] {
        let answer = setup.answer(Signed::put("/", noise(len)).unclaimed().bytes());
        assert_eq!((answer.status, answer.text()), (200, len.to_string().as_str()));
        let received = setup.upstream.whole().pop().unwrap();
        assert!(received.body == noise(len));
        assert_eq!(received.field("content-length"), Some(len.to_string().as_str()));
        assert_eq!(received.values("framesign-access-key").len(), 1);
    }
    assert_eq!(setup.names(), ["secrets.toml"]);
}

#[test]
fn body_that_was_tampered_with_is_not_heard_of() {
    let setup = Setup::inbound(&["--spool", ".", "--spool-claimed"]);
    for (is_claimed, len) in [(true, 1000), (true, LARGE), (false, 1000), (false, LARGE)] {
        let body = noise(len);
        let request = Signed::put("/", &body);
        let request = if is_claimed { request } else { request.unclaimed() };
        for at in [0, len / 2, len - 1] {
            let mut tampered = body.clone();
            tampered[at] ^= 1;
            let answer = setup.answer([request.head(), tampered].concat());
            assert_eq!(answer.status, 401, "{at}");
        }
        let mut connection = setup.connect();
        connection.send(request.head());
        connection.send(&body[..len / 2]);
        connection.finish_sending();
        assert_eq!(connection.answer().status, 400);
        assert!(setup.upstream.received().is_empty());
        assert_eq!(setup.answer(request.bytes()).status, 200);
        assert!(setup.upstream.only().body == body);
        return_to_start(&setup);
        break_off_for_next(&setup, is_claimed);
    }
}

/// Nothing is left: no name, no open file.
fn return_to_start(setup: &Setup) {
    assert_eq!(setup.names(), ["secrets.toml"]);
    wait_until(|| setup.spooled() == 0, "its files to be closed");
}

/// The next round counts from none.
fn break_off_for_next(setup: &Setup, is_claimed: bool) {
    let whole = setup.upstream.whole();
    assert_eq!(whole.len(), 1, "{is_claimed}");
    setup.upstream.forget();
}

/// Room is kept for what has come, not for what a head announces.
#[test]
fn all_files_together_are_bounded() {
    let setup = Setup::inbound(&["--spool", ".", "--spool-max", "1000000"]);
    let large = Signed::put("/", noise(LARGE)).unclaimed();
    let mut first = setup.connect();
    first.send(large.head());
    first.send(&large.body()[..100_000]);
    wait_until(|| setup.spooled() == 1, "its file");
    assert_eq!(setup.answer(large.bytes()).status, 200);
    // Two portions, which are written as soon as they have come: of two bodies that grow at once
    // either can be the one without room.
    first.send(&large.body()[100_000..524_288]);
    wait_until(|| setup.spooled_bytes() == 524_288, "its room to be kept");
    assert_eq!(setup.answer(large.bytes()).status, 503);
    assert_eq!(setup.answer(Signed::put("/", noise(LARGE)).bytes()).status, 200);
    first.send(&large.body()[524_288..]);
    assert_eq!(first.answer().status, 200);
    wait_until(|| setup.answer(large.bytes()).status == 200, "room again");
    return_to_start(&setup);
}

#[test]
fn body_that_all_files_have_no_room_for_is_refused_at_its_head() {
    let setup = Setup::inbound(&["--spool", ".", "--spool-max", "1000000"]);
    let mut connection = setup.connect();
    connection.send(Signed::put("/", noise(1_000_001)).unclaimed().head());
    let answer = connection.answer();
    assert_eq!((answer.status, answer.field("retry-after")), (503, Some("1")));
    let answer = setup.answer(Signed::put("/", noise(1_000_000)).unclaimed().bytes());
    assert_eq!(answer.status, 200);
}

/// One access key fills the files with so many bodies, and what is only said to be its own takes no
/// place of what is.
#[test]
fn bodies_in_files_count_for_their_access_key() {
    let options = ["--spool", ".", "--spool-claimed", "--max-requests-per-caller", "1"];
    let setup = Setup::inbound(&options);
    let claimed = Signed::put("/", noise(LARGE));
    let unclaimed = claimed.clone().unclaimed();
    for (large, status_of_proven) in [(&unclaimed, 200), (&claimed, 429)] {
        let mut first = setup.connect();
        first.send(large.head());
        first.send(&large.body()[..100_000]);
        wait_until(|| setup.spooled() == 1, "its file");
        let mut second = setup.connect();
        second.send(large.head());
        assert_eq!(second.answer().status, 429);
        assert_eq!(setup.answer(Signed::get("/").bytes()).status, status_of_proven);
        first.send(&large.body()[100_000..]);
        assert_eq!(first.answer().status, 200);
        wait_until(|| setup.answer(large.bytes()).status == 200, "its place");
    }
    return_to_start(&setup);
}

#[test]
fn client_that_is_gone_leaves_nothing() {
    let setup = Setup::inbound(&["--spool", ".", "--spool-max", "1000000"]);
    let large = Signed::put("/", noise(LARGE)).unclaimed();
    let mut first = setup.connect();
    first.send(large.head());
    first.send(&large.body()[..300_000]);
    wait_until(|| setup.spooled() == 1, "its file");
    drop(first);
    wait_until(|| setup.answer(large.bytes()).status == 200, "room again");
    return_to_start(&setup);
}

/// Each thread has a stack, and memory that the allocator keeps for it.
#[test]
fn threads_of_a_burst_end_although_there_is_a_little_to_do() {
    let setup = Setup::inbound(&["--spool", ".", "--threads", "2"]);
    let large = Signed::put("/", noise(LARGE)).unclaimed();
    let send = || assert_eq!(setup.answer(large.bytes()).status, 200);
    let before = setup.threads();
    let burst = || {
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(send);
            }
        });
        setup.threads() >= before + 6
    };
    wait_until(burst, "threads to be started");
    let rest = || {
        thread::sleep(Duration::from_millis(200));
        send();
        setup.threads() <= before + 3
    };
    wait_until(rest, "them to end");
}

#[test]
fn folder_that_is_not_there_is_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let command = super::inbound(&folder, "http://127.0.0.1:1", &["--spool", "missing"]);
    let err = complaint(command);
    assert!(err.starts_with("framesign: missing: No such file"), "{err}");
}
