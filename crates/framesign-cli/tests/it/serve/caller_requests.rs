//! The requests of each caller in the metrics.

use std::fs;

use tempfile::NamedTempFile;

use super::{
    Service,
    request::Request,
    rights::{ask, path, secrets, token, with_callers},
};

#[test]
fn names_of_callers_are_for_operators_alone() {
    let callers = [("name-of-a-caller", "")];
    let of = |options: &[&str]| {
        let (service, _files) = with_callers(&callers, options);
        assert_eq!(ask(&service, callers[0].0, Request::post("/token", "bytes")).status, 200);
        let address = service.admin.unwrap_or(service.address);
        let request = Request::get("/metrics");
        let text = request.clone().field("Accept", "application/openmetrics-text");
        [request.to_address(address), text.to_address(address)]
    };
    for answer in of(&["--admin-listen", "127.0.0.1:0"]) {
        assert!(answer.text().contains("name-of-a-caller"), "{answer:?}");
    }
    for answer in of(&[]) {
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("caller"), "{answer:?}");
    }
}

#[test]
fn requests_are_counted_by_caller() {
    let callers = [("\"a \\\"b\\\" \\\\c\"", ""), ("signs", "rights = ['sign']"), ("idle", "")];
    let quoted = "a \"b\" \\c";
    let (secrets, file) = (secrets(), NamedTempFile::new().unwrap());
    let write = |callers: &[(&str, &str)]| {
        let table = |(number, (name, members)): (usize, &(&str, &str))| {
            format!("[{name}]\ntokens = ['{}']\n{members}\n", token(&number.to_string()))
        };
        let text: Vec<_> = callers.iter().enumerate().map(table).collect();
        fs::write(&file, text.concat()).unwrap();
    };
    write(&callers);
    let files = ["--secrets", path(&secrets), "--callers", path(&file)];
    let service = Service::start(&[&files[..], &["--admin-listen", "127.0.0.1:0"]].concat());
    let admin = service.admin.unwrap();
    for (caller, status) in [("0", 200), ("1", 403), ("0", 200), ("1", 403), ("1", 403), ("x", 401)]
    {
        assert_eq!(ask(&service, caller, Request::post("/token", "bytes")).status, status);
    }
    let numbers = || Request::get("/metrics").to_address(admin).json()["callers"].clone();
    let expected = serde_json::json!({
        quoted: { "requests": { "2xx": 2 } },
        "signs": { "requests": { "4xx": 3 } },
        "idle": { "requests": {} },
    });
    assert_eq!(numbers(), expected);
    let request = Request::get("/metrics").field("Accept", "application/openmetrics-text");
    let text = request.to_address(admin).text().to_owned();
    for line in [
        r#"framesign_caller_requests_total{caller="a \"b\" \\c",class="2xx"} 2"#,
        r#"framesign_caller_requests_total{caller="signs",class="4xx"} 3"#,
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
    assert_eq!(text.matches("framesign_caller_requests_total{").count(), 2, "{text}");
    // Who stays in the file keeps the numbers; who leaves it takes them along.
    write(&callers[..1]);
    service.hangup();
    service.wait_for_log("callers were read again");
    assert_eq!(numbers(), serde_json::json!({ quoted: { "requests": { "2xx": 2 } } }));
}
