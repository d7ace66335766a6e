//! The document of the service, and answers held to it.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::Answer;

/// What is served at `/openapi.json`.
pub(super) const TEXT: &str = include_str!("../../../src/serve/routes/openapi.json");

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(TEXT).unwrap());

/// The paths, each with its operations.
pub(super) fn paths() -> &'static Map<String, Value> {
    members(&DOCUMENT["paths"])
}

/// What the document says of a method at a path.
pub(super) fn operation(method: &str, path: &str) -> Option<&'static Value> {
    paths().get(path)?.get(method.to_ascii_lowercase())
}

/// Holds the answer to a request to what the document says of it.
pub(super) fn check(method: &str, path: &str, answer: &Answer) {
    let what = format!("{method} {path}: {answer:?}");
    let Some(operation) = operation(method, path) else {
        // Where there is nothing; a head that is too large is not looked at even so far.
        assert!([404, 405, 431].contains(&answer.status), "{what}");
        return;
    };
    let response = operation["responses"].get(answer.status.to_string());
    let response = resolved(response.unwrap_or_else(|| panic!("not in the document: {what}")));
    check_fields(response, answer, &what);
    match response.get("content") {
        Some(content) => check_body(content, method, answer, &what),
        None => assert!(answer.body.is_empty(), "{what}"),
    }
}

fn check_fields(response: &'static Value, answer: &Answer, what: &str) {
    for (name, header) in members(&response["headers"]) {
        let header = resolved(header);
        match answer.field(&name.to_ascii_lowercase()) {
            Some(text) if header["schema"]["type"] == "integer" => {
                check_value(&header["schema"], &text.parse::<u64>().unwrap().into(), what);
            }
            Some(text) => check_value(&header["schema"], &text.into(), what),
            None => assert_ne!(header["required"], true, "without {name}: {what}"),
        }
    }
}

fn check_body(content: &'static Value, method: &str, answer: &Answer, what: &str) {
    let media_type = answer.media_type().unwrap();
    let described = content.get(media_type);
    let described = described.unwrap_or_else(|| panic!("{media_type} is not described: {what}"));
    if method != "HEAD" && media_type.ends_with("json") {
        check_value(&described["schema"], &answer.json(), what);
    }
}

/// Holds a value to a schema, as far as the document goes in schemas. Members that the schema does
/// not know are none of the service either.
fn check_value(schema: &'static Value, value: &Value, what: &str) {
    let schema = members(resolved(schema));
    for (keyword, operand) in schema {
        assert!(holds(keyword, operand, value), "{value} is not of {keyword} {operand}: {what}");
    }
    let properties = schema.get("properties").map(members);
    let others = schema.get("additionalProperties");
    for (name, member) in value.as_object().into_iter().flatten() {
        match (properties.and_then(|known| known.get(name)), others) {
            (Some(schema), _) | (None, Some(schema)) => check_value(schema, member, what),
            (None, None) => assert!(properties.is_none(), "{name} is not described: {what}"),
        }
    }
    if let (Some(schema), Some(items)) = (schema.get("items"), value.as_array()) {
        for item in items {
            check_value(schema, item, what);
        }
    }
}

fn holds(keyword: &str, operand: &Value, value: &Value) -> bool {
    match keyword {
        "type" => match operand.as_array() {
            Some(types) => types.iter().any(|name| is_a(name, value)),
            None => is_a(operand, value),
        },
        "const" => value == operand,
        "enum" => operand.as_array().unwrap().contains(value),
        "minimum" => value.as_f64() >= operand.as_f64(),
        "maximum" => value.as_f64() <= operand.as_f64(),
        "required" => {
            let mut names = operand.as_array().unwrap().iter();
            names.all(|name| value.get(name.as_str().unwrap()).is_some())
        }
        // Looked at by the caller, or by `.ci/run api` alone.
        "properties" | "additionalProperties" | "items" | "pattern" | "description" => true,
        _ => panic!("{keyword} is not checked"),
    }
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    }
}

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("expected an object, found {value}"))
}

/// What a reference stands for.
fn resolved(value: &'static Value) -> &'static Value {
    match value.get("$ref") {
        Some(reference) => {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not there"))
        }
        None => value,
    }
}
