//! `GET /metrics`: what is counted, in both of its formats.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Service, request::Request, serve, wait_until};

const OPENMETRICS: &str = "application/openmetrics-text";

fn numbers(service: &Service) -> Value {
    Request::get("/metrics").to(service).json()
}

fn text(service: &Service) -> String {
    let answer = Request::get("/metrics").field("Accept", OPENMETRICS).to(service);
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.field("content-type"), Some(media_type));
    answer.text().to_owned()
}

/// Samples of the text: each name with its labels, and the number.
fn samples(text: &str) -> BTreeMap<&str, &str> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').unwrap()).collect()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

/// A service of which everything has been asked that is counted.
fn busy() -> Service {
    let mut command = serve(&[]);
    command.env("FRAMESIGN_ACCESS_KEY", "key").env("FRAMESIGN_SECRET_KEY", "sixteen bytes or more");
    let service = Service::run(&mut command);
    for request in [
        Request::post("/token", "bytes"),
        Request::post_chunks("/token", [&b"by"[..], b"tes"]),
        Request::post("/token", "bytes").field("Accept", "text/html"),
        Request::get("/token"),
        Request::frame("/sign", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        Request::frame("/sign", "nonsense"),
        Request::frame("/verify", "nonsense"),
        Request::get("/nothing"),
        Request::new("OPTIONS", "/livez"),
        Request::get("/openapi.json"),
    ] {
        request.to(&service);
    }
    service
}

#[test]
fn requests_are_counted_by_route_and_status() {
    let service = busy();
    let counted = numbers(&service);
    let of = |route: &str| counted["requests"]["by_route"][route]["by_status"].clone();
    assert_eq!(of("token"), json!({ "200": 2, "405": 1, "406": 1 }));
    assert_eq!(of("sign"), json!({ "200": 1, "422": 1 }));
    assert_eq!(of("verify"), json!({ "200": 1 }));
    assert_eq!(of("other"), json!({ "404": 1 }));
    assert_eq!(of("livez"), json!({ "204": 1 }));
    assert_eq!(of("openapi"), json!({ "200": 1 }));
    // A question about the numbers is not in its own answer.
    assert_eq!(of("metrics"), json!({}));
    let text = text(&service);
    let samples = samples(&text);
    let of = |route: &str, status: &str| {
        let labels = format!("{{route=\"{route}\",status=\"{status}\"}}");
        samples[&*format!("framesign_http_requests_total{labels}")]
    };
    assert_eq!([of("token", "200"), of("token", "405"), of("token", "406")], ["2", "1", "1"]);
    assert_eq!([of("sign", "422"), of("other", "404"), of("metrics", "200")], ["1"; 3]);
    // An alert on the first one needs a 0 before it.
    assert_eq!([of("sign", "500"), of("token", "500")], ["0"; 2]);
}

#[test]
fn both_formats_have_the_same_numbers() {
    let service = busy();
    let (numbers, text) = (numbers(&service), text(&service));
    let samples = samples(&text);
    for (name, number) in [
        ("framesign_hashed_bytes_total", &numbers["hashed_bytes"]),
        ("framesign_http_requests_in_flight", &numbers["requests"]["in_flight"]),
        ("framesign_verifications_total{result=\"valid\"}", &numbers["verifications"]["valid"]),
        ("framesign_verifications_total{result=\"refused\"}", &numbers["verifications"]["refused"]),
        ("framesign_replays_total", &numbers["replays"]["refused"]),
        (
            "framesign_replay_outages_total{result=\"refused\"}",
            &numbers["replays"]["outages"]["refused"],
        ),
        (
            "framesign_replay_outages_total{result=\"accepted\"}",
            &numbers["replays"]["outages"]["accepted"],
        ),
        ("framesign_reloads_total{result=\"done\"}", &numbers["reloads"]["done"]),
        ("framesign_reloads_total{result=\"failed\"}", &numbers["reloads"]["failed"]),
    ] {
        assert_eq!(samples[name], number.to_string(), "{name}");
    }
    // The body of every request that was let in, and no other.
    let hashed = 5 + 5 + "GET / HTTP/1.1\r\nHost: h\r\n\r\n".len() + 2 * "nonsense".len();
    assert_eq!(numbers["hashed_bytes"], hashed);
    assert_eq!(numbers["verifications"], json!({ "valid": 0, "refused": 1 }));
    assert_eq!(numbers["connections"]["accepted"], 11);
    assert_eq!(samples["framesign_connections_accepted_total"], "12");
    assert_eq!(numbers["build"]["version"], env!("CARGO_PKG_VERSION"));
    let build = format!("framesign_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(samples[&*build], "1");
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"]
    {
        assert!(number(samples[name]) > 0.0, "{name}");
    }
}

#[test]
fn durations_fall_into_buckets() {
    let service = busy();
    let text = text(&service);
    let samples = samples(&text);
    let name = "framesign_http_request_duration_seconds";
    let bucket = |le: &str| samples[&*format!("{name}_bucket{{route=\"token\",le=\"{le}\"}}")];
    let bounds =
        "0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 30.0 60.0";
    let counts: Vec<_> = bounds.split(' ').map(|bound| number(bucket(bound))).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(bucket("+Inf"), "4");
    assert_eq!(samples[&*format!("{name}_count{{route=\"token\"}}")], "4");
    assert!(number(samples[&*format!("{name}_sum{{route=\"token\"}}")]) > 0.0);
    let numbers = numbers(&service)["requests"]["by_route"]["token"]["duration_seconds"].clone();
    assert_eq!((&numbers["count"], &numbers["buckets"]["+Inf"]), (&json!(4), &json!(4)));
    assert_eq!(numbers["buckets"].as_object().unwrap().len(), counts.len() + 1);
}

#[test]
fn text_is_openmetrics() {
    let service = busy();
    let text = text(&service);
    let families = text.strip_suffix("# EOF\n").unwrap().split("# TYPE ").skip(1);
    let mut names = BTreeSet::new();
    for family in families {
        let (first, rest) = family.split_once('\n').unwrap();
        let (name, kind) = first.split_once(' ').unwrap();
        assert!(names.insert(name), "{name} comes twice");
        let suffixes: &[_] = match kind {
            "counter" => &["_total"],
            "info" => &["_info"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => panic!("{family}"),
        };
        for line in rest.lines() {
            if let Some(about) = line.strip_prefix("# ") {
                let (what, rest) = about.split_once(' ').unwrap();
                assert!(["HELP", "UNIT"].contains(&what) && rest.starts_with(name), "{line}");
                continue;
            }
            let sample = line.split(['{', ' ']).next().unwrap();
            let suffix = sample.strip_prefix(name).unwrap_or_else(|| panic!("{line}"));
            assert!(suffixes.contains(&suffix), "{line} is of {kind} {name}");
        }
    }
    assert_eq!(samples(&text).len(), text.lines().filter(|line| !line.starts_with('#')).count());
}

#[test]
fn what_clients_send_makes_no_series() {
    let service = busy();
    // Every status that is to follow has been there once.
    text(&service);
    let before = text(&service);
    let before: BTreeSet<_> = samples(&before).into_keys().collect();
    for number in 0..50 {
        for request in [
            Request::get(&format!("/path-{number}")),
            Request::new(&format!("METHOD{number}"), "/token"),
            Request::post(&format!("/token?query-{number}"), format!("body {number}")),
            Request::post("/token", "").field(&format!("X-Name-{number}"), "value"),
            Request::post("/token", "").field("X-Request-Id", &format!("id-{number}")),
            Request::post("/token", "").field("User-Agent", &format!("agent-{number}")),
        ] {
            request.to(&service);
        }
    }
    let after = text(&service);
    assert_eq!(samples(&after).into_keys().collect::<BTreeSet<_>>(), before);
    let routes = numbers(&service)["requests"]["by_route"].as_object().unwrap().len();
    assert_eq!(routes, 12);
}

#[test]
fn requests_in_flight_are_those_without_an_answer() {
    let service = Service::start(&[]);
    let upload = Request::post("/token", "bytes").field("Expect", "100-continue");
    let mut connection = service.connect();
    connection.send(upload.head());
    assert_eq!(connection.head().status, 100);
    // The question itself is one.
    assert_eq!(numbers(&service)["requests"]["in_flight"], 2);
    connection.send("bytes");
    assert_eq!(upload.answer(&mut connection).status, 200);
    assert_eq!(numbers(&service)["requests"]["in_flight"], 1);
}

#[test]
fn client_that_is_gone_is_counted_as_that() {
    let service = Service::start(&[]);
    let upload = Request::post("/token", "bytes").field("Expect", "100-continue");
    for _ in 0..3 {
        let mut connection = service.connect();
        connection.send(upload.head());
        assert_eq!(connection.head().status, 100);
    }
    let ended = || {
        let statuses = numbers(&service)["requests"]["by_route"]["token"]["by_status"].clone();
        let count = |status: &str| statuses[status].as_u64().unwrap_or(0);
        // Whether the end of its side is seen as that of the body or as that of the client.
        count("aborted") + count("400")
    };
    wait_until(|| ended() == 3, || format!("3 ends, found {}", numbers(&service)));
    assert_eq!(numbers(&service)["requests"]["in_flight"], 1);
}

#[test]
fn format_is_the_one_that_is_liked_better() {
    let service = Service::start(&[]);
    let ask = |accept| Request::get("/metrics").field("Accept", accept).to(&service);
    let scraper = "application/openmetrics-text;version=1.0.0;q=0.5,\
                   application/openmetrics-text;version=0.0.1;q=0.4,text/plain;q=0.3,*/*;q=0.2";
    for (accept, media_type) in [
        ("*/*", "application/json"),
        ("application/json, application/openmetrics-text", "application/json"),
        ("application/json;q=0.1, application/openmetrics-text", OPENMETRICS),
        (scraper, OPENMETRICS),
    ] {
        let answer = ask(accept);
        assert_eq!(answer.media_type(), Some(media_type), "{accept}");
        assert_eq!(answer.field("vary"), Some("accept"));
    }
    assert_eq!(ask("text/plain").status, 406);
}
