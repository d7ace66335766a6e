//! Spans of requests, as a collector gets them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use super::{Service, request::Request, serve, startup::complaint, wait_until};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A collector that takes what comes.
struct Collector {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, taken) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let of_thread = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&of_thread);
                thread::spawn(move || take(stream, &taken));
            }
        });
        Self { address, taken }
    }

    fn has(&self, bytes: &[u8]) -> bool {
        self.taken.lock().unwrap().windows(bytes.len()).any(|window| window == bytes)
    }
}

/// Takes the requests of a connection, to its end.
fn take(stream: TcpStream, taken: &Mutex<Vec<u8>>) -> Option<()> {
    let (mut answers, mut requests) = (stream.try_clone().ok()?, BufReader::new(stream));
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            (requests.read_until(b'\n', &mut head).ok()? > 0).then_some(())?;
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        requests.read_exact(&mut body).ok()?;
        taken.lock().unwrap().extend(body);
        answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok()?;
    }
}

fn command(collector: SocketAddr) -> Command {
    let mut command = serve(&[]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
    command
}

#[test]
fn requests_are_spans_of_their_trace_and_tell_no_path_and_no_key() {
    let collector = Collector::start();
    let service = Service::run(&mut command(collector.address));
    let sampled = format!("00-{TRACE}-{PARENT}-01");
    let request = Request::post("/token", "bytes").field("traceparent", &sampled);
    assert_eq!(request.to(&service).status, 200);
    // Whoever asks has not recorded its part, and so does nobody.
    let unsampled = format!("00-{}-{PARENT}-00", "c".repeat(32));
    let request = Request::post("/sign", "bytes").field("traceparent", &unsampled);
    assert_eq!(request.to(&service).status, 404);
    let request =
        Request::get("/a-path-of-its-own?a-query").field("X-Request-Id", "an-id-of-its-own");
    assert_eq!(request.to(&service).status, 404);
    service.terminate();
    let (code, log) = service.wait();
    assert_eq!(code, 0, "{log}");
    // What waits is sent at the end.
    for text in ["POST token", "GET other", "framesign.route", "service.version"] {
        assert!(collector.has(text.as_bytes()), "{text}");
    }
    assert!(
        collector.has(&hex::decode(TRACE).unwrap()) && collector.has(&hex::decode(PARENT).unwrap())
    );
    assert!(!collector.has(&[0xcc; 16]) && !collector.has(b"POST sign"));
    for text in ["a-path", "a-query", "an-id", super::SECRET, "bytes"] {
        assert!(!collector.has(text.as_bytes()), "{text}");
    }
}

#[test]
fn spans_come_while_the_service_runs_and_have_the_name_that_the_environment_gives() {
    let collector = Collector::start();
    let mut command = command(collector.address);
    command.env("OTEL_BSP_SCHEDULE_DELAY", "20").env("OTEL_SERVICE_NAME", "another-name");
    let service = Service::run(&mut command);
    service.assert_lives();
    wait_until(|| collector.has(b"another-name"), || "a span".into());
    assert!(!collector.has(b"GET livez"));
}

#[test]
fn collector_that_is_away_costs_no_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let service = Service::run(&mut command(address));
    service.assert_lives();
    service.terminate();
    let (code, log) = service.wait();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn collector_that_cannot_be_asked_is_refused_at_the_start() {
    let mut command = serve(&[]);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.test");
    let complaint = complaint(&mut command);
    assert!(complaint.contains("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: expected"), "{complaint}");
}
