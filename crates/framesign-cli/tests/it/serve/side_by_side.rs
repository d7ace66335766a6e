//! Bodies that come at the same time, and are hashed side by side.

use std::{sync::Barrier, thread};

use super::{
    SECRET, Service, head,
    request::Request,
    secrets::{PREVIOUS, token_under},
    serve, token_of,
};
use crate::support::{Numbers, random_chunks};

/// Bodies at the same time: more than lanes.
const BODIES: usize = 40;

/// A body of some hundred KiB that is like no other.
fn body(number: usize) -> Vec<u8> {
    let mut numbers = Numbers::new(number as u64);
    let len = 200_000 + numbers.below(400_000);
    (0..len).map(|_| u8::try_from(numbers.below(256)).unwrap()).collect()
}

/// Sends all bodies at once, in chunks of all sizes, each over a connection of its own. Every seventh
/// goes away in the middle of its body. The others have their tokens.
fn interleaved(service: &Service, is_right: impl Fn(&[u8], &serde_json::Value) + Sync) {
    let start = Barrier::new(BODIES);
    thread::scope(|scope| {
        for number in 0..BODIES {
            let (start, is_right) = (&start, &is_right);
            scope.spawn(move || {
                let body = body(number);
                let mut connection = service.connect();
                start.wait();
                if number % 7 == 3 {
                    connection.send(head("/token", body.len()));
                    connection.send(&body[..150_000]);
                    return;
                }
                let mut numbers = Numbers::new(number as u64);
                let request =
                    Request::post_chunks("/token", random_chunks(&body, 50_000, &mut numbers));
                is_right(&body, &request.over(&mut connection).json());
            });
        }
    });
}

#[test]
fn bodies_at_the_same_time_have_their_own_tokens() {
    for threads in ["1", "3"] {
        let service = Service::start(&["--threads", threads]);
        interleaved(&service, |body, members| assert_eq!(members["token"], token_of(body)));
        service.assert_lives();
    }
}

#[test]
fn bodies_at_the_same_time_have_the_tokens_of_both_secrets() {
    let mut command = serve(&["--threads", "1"]);
    let service = Service::run(command.env("SECRET_PREVIOUS", PREVIOUS));
    interleaved(&service, |body, members| {
        assert_eq!(members["token"], token_under(SECRET, body));
        assert_eq!(members["previous_token"], token_under(PREVIOUS, body));
    });
}

/// Who waits for its next piece holds nobody up, nor does who sends one byte at a time.
#[test]
fn slow_body_holds_nobody_up() {
    let service = Service::start(&["--threads", "1"]);
    let slow: Vec<u8> = vec![7; 100_000];
    let mut connection = service.connect();
    connection.send(head("/token", slow.len()));
    connection.send(&slow[..50_000]);
    for number in 0..3 {
        let body = body(number);
        let answer = Request::post("/token", &body).to(&service);
        assert_eq!(answer.json()["token"], token_of(&body));
    }
    for byte in slow[50_000..50_300].chunks(1) {
        connection.send(byte);
    }
    connection.send(&slow[50_300..]);
    assert_eq!(connection.answer().json()["token"], token_of(&slow));
}
