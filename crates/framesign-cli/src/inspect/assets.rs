//! The files of the page, out of the binary.

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, media type and text of each file. The page itself has no name.
const FILES: [(&str, &str, &str); 9] = [
    ("", HTML, include_str!("page/index.html")),
    ("style.css", CSS, include_str!("page/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("inspect.js", SCRIPT, include_str!("page/inspect.js")),
    ("picture.js", SCRIPT, include_str!("page/picture.js")),
    ("wires.js", SCRIPT, include_str!("page/wires.js")),
    ("verdict.js", SCRIPT, include_str!("page/verdict.js")),
    ("bytes.js", SCRIPT, include_str!("page/bytes.js")),
    ("examples.js", SCRIPT, include_str!("page/examples.js")),
];

/// The file of this name, if the page has one.
pub(crate) fn file(name: &str) -> Option<Response<Body>> {
    let (_, media_type, text) = FILES.iter().find(|(known, ..)| *known == name)?;
    let mut response = Response::new(Body::from(*text));
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    Some(response)
}
