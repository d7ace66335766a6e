//! Upstreams that fail at every stage of a request: a clear status, and neither a connection nor a file
//! is left.

use std::{io::Write, net::TcpListener, os::unix::net::UnixListener, thread, time::Duration};

use super::{Recorder, Setup, Signed, noise, nowhere, recorder::Exchange, wait_until};
use crate::serve::{
    Answer,
    certificates::{Authority, Files},
};

/// Streams in many pieces.
const LARGE: usize = 700_000;

/// Times that are short, for upstreams that let them pass, and a folder for bodies.
const OPTIONS: [&str; 8] = [
    "--connect-timeout",
    "0.5",
    "--response-timeout",
    "0.3",
    "--upstream-idle-timeout",
    "0.5",
    "--spool",
    ".",
];

/// What an upstream does with a request, and the status that the client then sees.
type Stage = (&'static str, u16, fn(&mut Exchange<'_>) -> bool);

const STAGES: [Stage; 13] = [
    ("dies behind the head", 502, |_| false),
    ("stalls behind the head", 504, |_| stall()),
    ("dies in the body", 502, |exchange| {
        exchange.read(500);
        false
    }),
    ("stalls in the body", 504, |exchange| exchange.read(500) && stall()),
    ("half-closes in the body", 502, |exchange| {
        exchange.read(500);
        exchange.finish_sending();
        exchange.read_body();
        false
    }),
    ("asks for the body and dies in it", 502, |exchange| {
        exchange.send("HTTP/1.1 100 Continue\r\n\r\n");
        exchange.read(500);
        false
    }),
    ("answers nonsense in the body", 502, |exchange| {
        exchange.read(500);
        exchange.send_last("nonsense\r\n\r\n")
    }),
    ("dies behind the body", 502, |exchange| {
        exchange.read_body();
        false
    }),
    ("stalls behind the body", 504, |exchange| {
        exchange.read_body();
        stall()
    }),
    ("hints and stalls", 504, |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n") && stall()
    }),
    ("dies in the head of its answer", 502, |exchange| {
        exchange.read_body();
        exchange.send_last("HTTP/1.1 200 OK\r\nContent-Le")
    }),
    ("stalls in the head of its answer", 504, |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Le") && stall()
    }),
    ("half-closes in the head of its answer", 502, |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Le");
        exchange.finish_sending();
        stall()
    }),
];

/// What an upstream does once its answer has begun, which the client must not take for a whole one.
const ANSWERS: [Stage; 5] = [
    ("dies in the body of its answer", 200, |exchange| {
        exchange.read_body();
        exchange.send_last("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    }),
    ("dies in a chunk of its answer", 200, |exchange| {
        exchange.read_body();
        exchange.send_last("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf")
    }),
    ("stalls in the body of its answer", 200, |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") && stall()
    }),
    ("half-closes in the body of its answer", 200, |exchange| {
        exchange.read_body();
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        exchange.finish_sending();
        stall()
    }),
    ("answers early and half-closes in that", 200, |exchange| {
        exchange.read(500);
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        exchange.finish_sending();
        // Were bytes left unread at its end, the system would take the answer back.
        exchange.read_body();
        false
    }),
];

/// Does nothing for longer than the gateway waits. Returns that the upstream ends the connection then.
fn stall() -> bool {
    thread::sleep(Duration::from_secs(2));
    false
}

/// Uploads of every kind that reaches the upstream in its own way.
fn uploads() -> [(&'static str, Signed); 4] {
    [
        ("small", Signed::put("/", noise(1000))),
        ("from memory", Signed::put("/", noise(1000)).unclaimed()),
        ("streamed", Signed::put("/", noise(LARGE))),
        ("from a file", Signed::put("/", noise(LARGE)).unclaimed()),
    ]
}

/// Sends each upload to an upstream, and looks at what is left when all are answered.
fn each_upload(setup: &Setup, what: &str, check: impl Fn(&str, &Signed)) {
    let files = setup.open_files();
    for (kind, upload) in uploads() {
        check(&format!("{what}, {kind}"), &upload);
    }
    wait_until(|| setup.open_files() <= files, &format!("{what}: its files to be closed"));
    assert_eq!((setup.spooled(), setup.names().len()), (0, 1), "{what}");
    assert_eq!(setup.gateway.get("/").status, 401, "{what}: {}", setup.gateway.log());
}

fn assert_problem(setup: &Setup, what: &str, upload: &Signed, status: u16) {
    let answer = send(setup, upload);
    assert_eq!(answer.status, status, "{what}: {answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{what}");
    let request_id = answer.field("x-request-id");
    assert_eq!(problem["request_id"].as_str(), request_id, "{what}");
    // The log alone tells where the upstream is.
    assert!(!answer.text().contains("127.0.0.1"), "{what}: {}", answer.text());
}

fn send(setup: &Setup, upload: &Signed) -> Answer {
    let mut connection = setup.connect();
    // The answer may come before all was sent, and the connection end with it.
    let _ = connection.stream.write_all(&upload.bytes());
    connection.answer()
}

#[test]
fn upstream_that_fails_at_any_stage_is_a_clear_status() {
    thread::scope(|scope| {
        for (what, status, handler) in STAGES {
            scope.spawn(move || {
                let setup = Setup::before(Recorder::with(handler), &OPTIONS);
                each_upload(&setup, what, |what, upload| {
                    assert_problem(&setup, what, upload, status);
                });
            });
        }
    });
}

#[test]
fn answer_that_fails_at_any_stage_is_no_whole_one() {
    thread::scope(|scope| {
        for (what, status, handler) in ANSWERS {
            scope.spawn(move || {
                let setup = Setup::before(Recorder::with(handler), &OPTIONS);
                each_upload(&setup, what, |what, upload| {
                    let mut connection = setup.connect();
                    let _ = connection.stream.write_all(&upload.bytes());
                    let rest = String::from_utf8(connection.rest()).unwrap();
                    // The end may come before the head has gone out.
                    let is_begun = rest.starts_with(&format!("HTTP/1.1 {status} OK\r\n"));
                    assert!(rest.is_empty() || is_begun, "{what}: {rest}");
                    let is_whole = rest.ends_with("\r\n0\r\n\r\n") || rest.len() > 1000;
                    assert!(!is_whole, "{what}: {rest}");
                });
                setup.gateway.wait_for_log("the answer of the upstream broke off");
            });
        }
    });
}

/// A gateway before what is no recorder.
fn before(url: &str, options: &[&str], what: &str, status: u16) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = super::inbound(&folder, url, &[&OPTIONS, options].concat());
    let gateway = crate::serve::Service::run(&mut command);
    let setup = Setup { gateway, upstream: Recorder::start(), folder };
    each_upload(&setup, what, |what, upload| assert_problem(&setup, what, upload, status));
    assert!(setup.upstream.received().is_empty());
}

#[test]
fn upstream_that_takes_no_connection_is_a_clear_status() {
    before(&format!("http://{}", nowhere()), &[], "nobody listens", 502);
    before("unix:/nowhere/upstream.sock", &[], "there is no socket", 502);
    // The system takes the connections, and nobody ever does.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    before(&format!("http://{address}"), &[], "nobody reads", 504);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("upstream.sock");
    let _silent = UnixListener::bind(&socket).unwrap();
    before(&format!("unix:{}", socket.display()), &[], "nobody reads the socket", 504);
    let files = Files::new();
    let authority = files.write("authority.pem", &Authority::new().pem());
    let options = ["--upstream-ca", authority.as_str()];
    before(&format!("https://{address}"), &options, "nobody shakes hands", 504);
}
