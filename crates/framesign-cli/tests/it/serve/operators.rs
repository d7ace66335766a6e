//! What those who operate the service ask it.

use std::{fs, io::Write};

use serde_json::json;

use super::{Connection, Service, request::Request, schema, wait_until};

const HEALTH: [&str; 3] = ["/health", "/livez", "/readyz"];
const ALL: [&str; 5] = ["/health", "/livez", "/readyz", "/metrics", "/openapi.json"];

#[test]
fn service_says_that_it_is_well() {
    let service = Service::start(&[]);
    for target in HEALTH {
        let answer = Request::get(target).to(&service);
        assert_eq!(answer.status, 200, "{target}");
        assert_eq!(answer.field("content-type"), Some("application/health+json"));
        let members = answer.json();
        assert_eq!(
            (&members["status"], &members["serviceId"]),
            (&json!("pass"), &json!("framesign"))
        );
        assert_eq!(members["releaseId"], env!("CARGO_PKG_VERSION"));
        assert_eq!(members["version"], env!("CARGO_PKG_VERSION_MAJOR"));
    }
}

#[test]
fn health_shows_how_it_does() {
    let service = Service::start(&[]);
    let upload = Request::post("/token", "bytes").field("Expect", "100-continue");
    let mut connection = service.connect();
    connection.send(upload.head());
    assert_eq!(connection.head().status, 100);
    let checks = Request::get("/health").to(&service).json()["checks"].clone();
    // The upload, and the question itself.
    assert_eq!(checks["requests:in-flight"][0]["observedValue"], 2);
    assert_eq!(checks["connections:open"][0]["observedValue"], 2);
    assert!(checks["uptime"][0]["observedValue"].is_u64());
    connection.send("bytes");
    assert_eq!(upload.answer(&mut connection).status, 200);
}

#[test]
fn health_is_of_a_media_type_that_is_taken() {
    let service = Service::start(&[]);
    for target in HEALTH {
        let ask = |accept| Request::get(target).field("Accept", accept).to(&service);
        for (accept, media_type) in [
            ("*/*", "application/health+json"),
            ("application/json", "application/json"),
            ("application/health+json;q=0.5, application/json", "application/json"),
            ("text/html, */*;q=0.1", "application/health+json"),
        ] {
            assert_eq!(ask(accept).field("content-type"), Some(media_type), "{accept}");
        }
        assert_eq!(ask("text/html").status, 406);
    }
}

#[test]
fn head_is_get_without_a_body() {
    let service = Service::start(&[]);
    let mut connection = service.connect();
    for target in ALL.into_iter().chain(["/nothing"]) {
        let get = Request::get(target).over(&mut connection);
        let head = Request::new("HEAD", target).over(&mut connection);
        assert_eq!(head.status, get.status, "{target}");
        assert_eq!(head.field("content-type"), get.field("content-type"), "{target}");
        assert!(head.field("content-length").is_some(), "{target}");
    }
    // What would be a body would be taken for the next answer.
    assert_eq!(Request::get("/livez").over(&mut connection).status, 200);
}

#[test]
fn document_is_served_as_it_is() {
    let service = Service::start(&[]);
    let answer = Request::get("/openapi.json").to(&service);
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.text(), schema::TEXT);
    let html = Request::get("/openapi.json").field("Accept", "text/html");
    assert_eq!(html.to(&service).status, 406);
}

#[test]
fn operators_can_have_a_listener_of_their_own() {
    let service = Service::start(&["--admin-listen", "127.0.0.1:0"]);
    let admin = service.admin.unwrap();
    for target in ALL {
        assert_eq!(Request::get(target).to_address(admin).status, 200, "{target}");
        let elsewhere = service.get(target);
        assert_eq!(elsewhere.status, 404, "{target}");
        assert_eq!(elsewhere.field("content-type"), Some("application/problem+json"));
    }
    assert_eq!(Request::post("/token", "bytes").to(&service).status, 200);
    for target in ["/token", "/sign", "/verify"] {
        let mut connection = Connection::open(admin);
        connection.send(Request::post(target, "bytes").bytes());
        assert_eq!(connection.answer().status, 404, "{target}");
    }
    let numbers = Request::get("/metrics").to_address(admin).json();
    assert_eq!(numbers["requests"]["by_route"]["token"]["by_status"], json!({ "200": 1 }));
}

#[test]
fn callers_of_operators_need_no_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, "caller = ['0123456789abcdef']").unwrap();
    let path = file.path().to_str().unwrap();
    let service = Service::start(&["--callers", path, "--admin-listen", "127.0.0.1:0"]);
    let admin = service.admin.unwrap();
    assert_eq!(Request::get("/metrics").to_address(admin).status, 200);
    assert_eq!(Request::post("/token", "bytes").to(&service).status, 401);
}

#[test]
fn service_that_is_about_to_end_says_so() {
    let service = Service::start(&["--shutdown-delay", "86400"]);
    service.terminate();
    wait_until(|| Request::get("/readyz").to(&service).status == 503, || "the end".into());
    for target in ["/readyz", "/health"] {
        let answer = Request::get(target).to(&service);
        assert_eq!((answer.status, &answer.json()["status"]), (503, &json!("fail")), "{target}");
        assert!(answer.json()["output"].is_string(), "{target}");
        assert_eq!(Request::new("HEAD", target).to(&service).status, 503, "{target}");
    }
    assert_eq!(Request::get("/livez").to(&service).json()["status"], "pass");
    // Until balancers have noticed, they send what they send.
    let mut kept = service.connect();
    for _ in 0..2 {
        assert_eq!(Request::post("/token", "bytes").over(&mut kept).status, 200);
    }
    assert_eq!(Request::post("/token", "bytes").to(&service).status, 200);
}

/// A listener for operators on which no connection ends by the time that it idles.
fn patient() -> Service {
    Service::start(&["--admin-listen", "127.0.0.1:0", "--head-timeout", "86400"])
}

#[test]
fn idle_connections_keep_no_probe_from_its_answer() {
    let service = patient();
    let admin = service.admin.unwrap();
    let whole = Request::get("/livez");
    for sent in ["", "G", "GET /livez HTTP/1.1\r\nHost: h\r\n", &whole.head()] {
        let mut crowd: Vec<_> = (0..100).map(|_| Connection::open(admin)).collect();
        for connection in &mut crowd {
            // The first ones may have been closed for the last ones.
            let _ = connection.stream.write_all(sent.as_bytes());
        }
        for target in HEALTH {
            assert_eq!(Request::get(target).to_address(admin).status, 200, "{sent:?}");
        }
    }
}

#[test]
fn connection_in_use_is_not_closed_for_others() {
    let service = patient();
    let mut used = Connection::open(service.admin.unwrap());
    let mut crowd = Vec::new();
    for _ in 0..200 {
        crowd.push(Connection::open(service.admin.unwrap()));
        assert_eq!(Request::get("/readyz").over(&mut used).status, 200);
    }
    // The oldest ones are closed, the others are open.
    for connection in &mut crowd[..100] {
        assert!(connection.has_ended());
    }
    let last = crowd.last_mut().unwrap();
    assert_eq!(Request::get("/readyz").over(last).status, 200);
    let open = Request::get("/metrics").over(&mut used).json()["connections"]["open"].clone();
    assert_eq!(open, 64);
}
