//! Fields that clients and proxies add, drop and rewrite, with the values that they give them.

use crate::explain::cause::{
    repair::Repair,
    search::{MAX_ITEMS, Search},
};

/// Fields and values that common clients and proxies write.
const COMMON: [(&str, &str); 22] = [
    ("accept", "*/*"),
    ("accept", "application/json"),
    ("accept-encoding", "gzip"),
    ("accept-encoding", "gzip, deflate"),
    ("accept-encoding", "gzip, deflate, br"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-encoding", "identity"),
    ("cache-control", "no-cache"),
    ("connection", "close"),
    ("connection", "keep-alive"),
    ("connection", "Keep-Alive"),
    ("connection", "upgrade"),
    ("content-length", "0"),
    ("content-type", "application/json"),
    ("content-type", "application/json; charset=utf-8"),
    ("content-type", "application/octet-stream"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-type", "text/plain"),
    ("content-type", "text/plain; charset=utf-8"),
    ("expect", "100-continue"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-proto", "https"),
];

/// Tries fields that the frame lacks, and other values of those that it has.
pub(in super::super) fn search(search: &mut Search<'_>) {
    for (name, value) in COMMON {
        given(search, name, value.as_bytes());
    }
    if let Some(payload) = search.payload {
        given(search, "content-length", payload.len().to_string().as_bytes());
    }
    let fields = search.request.fields.clone();
    for (index, field) in fields.iter().enumerate().take(MAX_ITEMS) {
        for value in variants(&field.name, &field.value) {
            rewritten(search, index, &field.name, &value);
        }
    }
}

fn given(search: &mut Search<'_>, name: &str, value: &[u8]) {
    if let Some(index) = search.request.fields.iter().position(|field| field.is_named(name)) {
        return rewritten(search, index, name, value);
    }
    let request = search.request.with_field(name, value);
    search.request(Repair::FieldDropped, Some(&subject(name)), &request);
}

fn rewritten(search: &mut Search<'_>, index: usize, name: &str, value: &[u8]) {
    let request = search.request.with_value(index, value);
    search.request(Repair::FieldRewritten, Some(&subject(name)), &request);
}

fn subject(name: &str) -> String {
    format!("field {}", name.to_ascii_lowercase())
}

/// Other values that mean the same, or that a proxy writes.
fn variants(name: &str, value: &[u8]) -> Vec<Vec<u8>> {
    let mut variants = vec![value.to_ascii_lowercase(), Vec::new()];
    let joined =
        |ends: &[&[u8]]| -> Vec<Vec<u8>> { ends.iter().map(|end| [value, end].concat()).collect() };
    match name.to_ascii_lowercase().as_str() {
        "host" => {
            let port = value.iter().rposition(|&byte| byte == b':');
            variants.extend(port.and_then(|port| value.get(..port)).map(<[u8]>::to_vec));
            variants.extend(joined(&[b":80", b":443", b":8080", b"."]));
            variants.extend([b"localhost".to_vec(), b"127.0.0.1".to_vec()]);
        }
        "content-type" => {
            let end = value.iter().position(|&byte| byte == b';');
            let bare = end.and_then(|end| value.get(..end)).map(<[u8]>::trim_ascii);
            variants.extend(bare.map(<[u8]>::to_vec));
            let charsets: [&[u8]; 4] =
                [b"; charset=utf-8", b"; charset=UTF-8", b";charset=utf-8", b";charset=UTF-8"];
            variants.extend(joined(&charsets));
        }
        _ => {}
    }
    variants
}
