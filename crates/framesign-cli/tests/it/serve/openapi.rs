//! The document is true. Every answer of these tests is held to it too.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Service, request::Request, schema, serve};

/// All methods that the document can describe.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"];

/// A service with all routes, and the folder of its uploads.
fn start() -> (Service, tempfile::TempDir) {
    let uploads = tempfile::tempdir().unwrap();
    let mut command = serve(&["--uploads", uploads.path().to_str().unwrap()]);
    command.env("FRAMESIGN_ACCESS_KEY", "key").env("FRAMESIGN_SECRET_KEY", "sixteen bytes or more");
    (Service::run(&mut command), uploads)
}

fn text() -> Value {
    serde_json::from_str(schema::TEXT).unwrap()
}

#[test]
fn document_is_of_this_version() {
    assert_eq!(text()["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(text()["openapi"].as_str().unwrap().starts_with("3.1."));
}

#[test]
fn document_has_the_methods_that_are_answered_and_no_others() {
    let (service, _uploads) = start();
    for path in schema::paths().keys() {
        let known = METHODS.into_iter().filter(|method| schema::operation(method, path).is_some());
        let known: BTreeSet<_> = known.collect();
        for method in METHODS {
            let answer = Request::new(method, path).field("Content-Length", "0").to(&service);
            let is_answered = ![404, 405].contains(&answer.status);
            assert_eq!(is_answered, known.contains(method), "{method} {path}");
            if [204, 405].contains(&answer.status) {
                let allowed = answer.field("allow").unwrap().split(", ");
                assert_eq!(allowed.collect::<BTreeSet<_>>(), known, "{method} {path}");
            }
        }
    }
}

#[test]
fn document_has_every_route() {
    let (service, _uploads) = start();
    let numbers = Request::get("/metrics").to(&service).json();
    let routes: BTreeSet<_> =
        numbers["requests"]["by_route"].as_object().unwrap().keys().cloned().collect();
    let paths = schema::paths().keys().map(|path| path.trim_start_matches('/'));
    // Without a parameter of the path.
    let paths = paths.map(|path| path.split('/').next().unwrap());
    let of_paths = paths.map(|path| path.strip_suffix(".json").unwrap_or(path));
    assert_eq!(of_paths.chain(["other"]).map(str::to_owned).collect::<BTreeSet<_>>(), routes);
}

/// Every reference in `value`.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").map(|target| target.as_str().unwrap().to_owned()));
            for member in members.values() {
                references(member, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                references(item, found);
            }
        }
        _ => {}
    }
}

#[test]
fn document_refers_to_all_that_it_holds_and_nothing_else() {
    let text = text();
    let mut referred = BTreeSet::new();
    references(&text, &mut referred);
    let mut held = BTreeSet::new();
    for (kind, components) in text["components"].as_object().unwrap() {
        let names = components.as_object().unwrap().keys();
        // These are referred to by name.
        let names = names.filter(|_| kind != "securitySchemes");
        held.extend(names.map(|name| format!("#/components/{kind}/{name}")));
    }
    assert_eq!(referred, held);
}

#[test]
fn examples_of_the_document_are_frames() {
    let (service, _uploads) = start();
    let text = text();
    let content = text["components"]["requestBodies"]["ToSign"]["content"].as_object().unwrap();
    for (media_type, body) in content {
        for (name, example) in body["examples"].as_object().into_iter().flatten() {
            let request = Request::post("/sign", example["value"].as_str().unwrap());
            let answer = request.field("Content-Type", media_type).to(&service);
            assert_eq!(answer.status, 200, "{name}");
        }
    }
    let frame = &text["components"]["requestBodies"]["Frame"]["content"]["message/http"];
    for (name, example) in frame["examples"].as_object().unwrap() {
        let answer = Request::frame("/verify", example["value"].as_str().unwrap()).to(&service);
        assert_eq!(answer.status, 200, "{name}");
    }
}
