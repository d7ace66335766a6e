//! Who may call, and how often at a time.

use std::fs;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::{Answer, Service, request::Request, serve, startup::complaint, wait_until};

const ALICE: &str = "token-of-alice-0001";
const OLDER: &str = "token-of-alice-0000";
const BOB: &str = "token+of/bob~0001===";

fn callers() -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let text = format!("alice = ['{ALICE}', '{OLDER}']\n\"bob & co\" = ['{BOB}']\n");
    fs::write(&file, text).unwrap();
    file
}

fn start(file: &NamedTempFile, options: &[&str]) -> Service {
    let path = file.path().to_str().unwrap();
    Service::start(&[&["--callers", path], options].concat())
}

fn ask(service: &Service, authorization: &[&str]) -> Answer {
    let request = Request::post("/token", "bytes");
    let with = |request: Request, value: &&str| request.field("Authorization", value);
    authorization.iter().fold(request, with).to(service)
}

fn status(service: &Service, token: &str) -> u16 {
    ask(service, &[&format!("Bearer {token}")]).status
}

#[test]
fn only_known_callers_are_answered() {
    let file = callers();
    let service = start(&file, &[]);
    for token in [ALICE, OLDER, BOB] {
        assert_eq!(status(&service, token), 200, "{token}");
        assert_eq!(ask(&service, &[&format!("bEARER   {token}")]).status, 200, "{token}");
    }
    let (alice, bob) = (format!("Bearer {ALICE}"), format!("Bearer {BOB}"));
    for authorization in [
        &[][..],
        &[""],
        &["Bearer"],
        &["Bearer ="],
        &[ALICE],
        &[&format!("Basic {ALICE}")],
        &[&format!("Bearer{ALICE}")],
        &[alice.strip_suffix('1').unwrap()],
        &[&format!("{alice}1")],
        &[&alice.to_uppercase()],
        &[&format!("{alice} {BOB}")],
        &[&format!("{alice}, {bob}")],
        &[&alice, &alice],
        &[&alice, &bob],
        &["", &alice],
    ] {
        let answer = ask(&service, authorization);
        assert_eq!(answer.status, 401, "{authorization:?}");
        assert_eq!(answer.field("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn body_of_a_stranger_is_not_asked_for() {
    let file = callers();
    let service = start(&file, &[]);
    let mut connection = service.connect();
    connection.send(Request::post("/token", "bytes").field("Expect", "100-continue").head());
    assert_eq!(connection.head().status, 401);
}

#[test]
fn operators_need_no_token() {
    let file = callers();
    let service = start(&file, &[]);
    for target in ["/health", "/livez", "/readyz", "/metrics", "/openapi.json"] {
        assert_eq!(Request::get(target).to(&service).status, 200, "{target}");
    }
    assert_eq!(Request::new("OPTIONS", "/token").to(&service).status, 204);
}

#[test]
fn one_caller_does_not_take_the_place_of_others() {
    let file = callers();
    let service = start(&file, &["--max-requests-per-caller", "1"]);
    let held = Request::post("/token", "bytes").field("Authorization", &format!("Bearer {ALICE}"));
    let mut connection = service.connect();
    connection.send(held.clone().field("Expect", "100-continue").head());
    assert_eq!(connection.head().status, 100);
    // Whichever of the tokens.
    for token in [ALICE, OLDER] {
        let answer = ask(&service, &[&format!("Bearer {token}")]);
        assert_eq!((answer.status, answer.field("retry-after")), (429, Some("1")));
    }
    assert_eq!(status(&service, BOB), 200);
    connection.send("bytes");
    assert_eq!(held.answer(&mut connection).status, 200);
    assert_eq!(status(&service, ALICE), 200);
}

#[test]
fn rate_of_a_caller_is_kept_and_the_rest_is_told_when_to_come_again() {
    let file = NamedTempFile::new().unwrap();
    let limits = "rate = 1\nburst = 300\n";
    let text = format!("bob = ['{BOB}']\n[alice]\ntokens = ['{ALICE}', '{OLDER}']\n{limits}");
    fs::write(&file, text).unwrap();
    let service = start(&file, &[]);
    // What is refused before does not count.
    assert_eq!(status(&service, "token-of-a-stranger"), 401);
    let alice = |token: &str| ask(&service, &[&format!("Bearer {token}")]);
    let answers: Vec<_> = (0..400).map(|number| alice([ALICE, OLDER][number % 2])).collect();
    let taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((300..400).contains(&taken), "{taken} of 400");
    assert!(answers[..300].iter().all(|answer| answer.status == 200));
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.field("retry-after")), (429, Some("1")));
    }
    assert_eq!(status(&service, BOB), 200);
    // The count outlives a reload, and is bounded by the new rate: it would fill minutes of the old one.
    fs::write(&file, format!("[alice]\ntokens = ['{ALICE}']\nrate = 1\nburst = 1\n")).unwrap();
    service.hangup();
    service.wait_for_log("callers were read again");
    assert_eq!(status(&service, ALICE), 429);
    wait_until(|| status(&service, ALICE) == 200, || "room in the new rate".into());
}

/// Two replicas, one rate.
#[cfg(feature = "replay-redis")]
#[test]
fn rate_of_a_caller_is_counted_where_replicas_share_it() {
    use crate::gateway::redis::Redis;

    let (file, redis) = (NamedTempFile::new().unwrap(), Redis::silent_after(12));
    let text = format!("bob = ['{BOB}']\n[alice]\ntokens = ['{ALICE}']\nrate = 1\nburst = 10\n");
    fs::write(&file, text).unwrap();
    let url = redis.url();
    let start = |url: &str, outage: &str| {
        let options = ["--replay", url, "--replay-outage", outage, "--replay-timeout", "2"];
        start(&file, &options)
    };
    let replicas = [start(&url, "refuse"), start(&url, "refuse")];
    for number in 0..10 {
        assert_eq!(status(&replicas[number % 2], ALICE), 200, "{number}");
    }
    for replica in &replicas {
        let answer = ask(replica, &[&format!("Bearer {ALICE}")]);
        assert_eq!((answer.status, answer.field("retry-after")), (429, Some("2")));
        // Who has no rate is not counted.
        assert_eq!(status(replica, BOB), 200);
    }
    // While the store does not answer, none is taken, or each replica counts by itself.
    assert_eq!(status(&replicas[0], ALICE), 503);
    let alone = start("redis://127.0.0.1:1", "accept");
    let taken = (0..100).filter(|_| status(&alone, ALICE) == 200).count();
    assert!((10..100).contains(&taken), "{taken} of 100");
}

#[test]
fn place_of_a_caller_that_is_gone_is_given_back() {
    let file = callers();
    let service = start(&file, &["--max-requests-per-caller", "1"]);
    let held = Request::post("/token", "bytes").field("Authorization", &format!("Bearer {ALICE}"));
    let mut connection = service.connect();
    connection.send(held.field("Expect", "100-continue").head());
    assert_eq!(connection.head().status, 100);
    drop(connection);
    wait_until(|| status(&service, ALICE) == 200, || "a place".into());
}

#[test]
fn log_names_the_caller_and_shows_no_token() {
    let file = callers();
    let service = start(&file, &["--log-format", "json", "--log-level", "debug"]);
    for token in [ALICE, OLDER, BOB, "token-of-a-stranger"] {
        status(&service, token);
    }
    service.terminate();
    let (_, log) = service.wait();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let requests: Vec<_> = lines.filter(|line| line["message"] == "request").collect();
    let callers: Vec<_> = requests.iter().map(|line| line["caller"].as_str()).collect();
    assert_eq!(callers, [Some("alice"), Some("alice"), Some("bob & co"), None]);
    assert!(!log.contains("token-of") && !log.contains(BOB), "{log}");
}

#[test]
fn callers_are_read_again_and_stay_where_that_fails() {
    let file = callers();
    let service = start(&file, &[]);
    fs::write(&file, format!("carol = ['token-of-carol-01']\nalice = ['{ALICE}']")).unwrap();
    service.hangup();
    service.wait_for_log("callers were read again");
    assert_eq!(status(&service, "token-of-carol-01"), 200);
    assert_eq!((status(&service, ALICE), status(&service, OLDER)), (200, 401));
    assert_eq!(status(&service, BOB), 401);
    fs::write(&file, "carol = ['token-of-carol-01', ").unwrap();
    service.hangup();
    service.wait_for_log("callers could not be read again");
    assert_eq!(status(&service, ALICE), 200);
    let reloads = Request::get("/metrics").to(&service).json()["reloads"].clone();
    // Secrets are read with them.
    assert_eq!(reloads, serde_json::json!({ "done": 3, "failed": 1 }));
    assert!(!service.log().contains("token-of"), "{}", service.log());
}

#[test]
fn callers_that_cannot_be_known_keep_the_service_from_starting() {
    let file = NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for text in [
        "",
        "alice = 'token-of-alice-0001'",
        "alice = ['token-of-a']",
        "alice = ['token-of alice 0001']",
        "alice = [5]",
        "alice = ['token-of-alice-0001'\n",
        "[alice]\ntoken = ['token-of-alice-0001']",
    ] {
        fs::write(&file, text).unwrap();
        let complaint = complaint(&mut serve(&["--callers", path]));
        assert!(complaint.starts_with(path) && !complaint.contains("token-of"), "{complaint}");
    }
    let missing = complaint(&mut serve(&["--callers", "/nowhere/at all"]));
    assert!(missing.starts_with("/nowhere/at all: "), "{missing}");
    let both = complaint(&mut serve(&["--callers", path, "--allow-anonymous"]));
    assert!(both.contains("--callers") && both.contains("--allow-anonymous"), "{both}");
}

#[test]
fn network_is_answered_where_callers_are_known() {
    let file = callers();
    let path = file.path().to_str().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let complaint = complaint(&mut serve(&["--listen", listen]));
        assert!(complaint.contains("--callers") && complaint.contains("--tls-client-ca"));
    }
    drop(Service::start(&["--listen", "0.0.0.0:0", "--callers", path]));
}
