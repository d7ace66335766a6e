//! What is canonical already stays as it is.

use framesign::{
    CanonicalHead, FrameHasher,
    protocol::{canonical_query, canonical_uri},
};

use super::{limits, rules, split_settings};
use crate::{
    naive::{self, Mutated, Settings},
    stages::stages,
};

/// Holds the canonical path of any bytes to itself and to the oracle.
pub(crate) fn check_path(path: &[u8]) {
    let canonical = canonical_uri(path);
    assert_eq!(
        canonical,
        naive::canonical_path(Mutated::default(), path),
        "{}",
        path.escape_ascii()
    );
    assert_eq!(canonical_uri(canonical.as_bytes()), canonical, "{}", path.escape_ascii());
}

/// Holds the canonical query of any bytes to itself and to the oracle.
pub(crate) fn check_query(query: &[u8]) {
    let canonical = canonical_query(query);
    assert_eq!(
        canonical,
        naive::canonical_query(Mutated::default(), query),
        "{}",
        query.escape_ascii()
    );
    assert_eq!(canonical_query(canonical.as_bytes()), canonical, "{}", query.escape_ascii());
}

/// Makes a frame of the canonical request of an accepted one, and holds its canonical request to
/// that of the first.
pub(crate) fn check_frame(settings: &Settings, frame: &[u8]) {
    let Ok(first) = stages(&rules(settings), [frame]) else { return };
    // Escapes make a frame longer, so that the limits of the first may not hold.
    let rules = rules(settings).limits(limits(settings).max_head(usize::MAX));
    let canonical = canonical_frame(settings, frame);
    let second = stages(&rules, [&canonical[..]]);
    let texts = (frame.escape_ascii(), canonical.escape_ascii());
    assert_eq!(second.as_ref(), Ok(&first), "{settings:?}: {} as {}", texts.0, texts.1);
}

/// Method, path, query and fields of the canonical request in their places, and the payload.
fn canonical_frame(settings: &Settings, frame: &[u8]) -> Vec<u8> {
    let mut hasher = FrameHasher::new(rules(settings));
    let update = hasher.update(frame).unwrap();
    let head = update.head.unwrap();
    let mut text = Vec::new();
    CanonicalHead::new(head).write_to(&mut text).unwrap();

    let mut lines = text.split(|&byte| byte == b'\n');
    let [method, path, query] = [(); 3].map(|()| lines.next().unwrap());
    let target = match (path, query) {
        (b"", _) if method == b"CONNECT" => head.target().to_vec(),
        (b"", _) => b"*".to_vec(),
        (path, b"") => path.to_vec(),
        (path, query) => [path, b"?", query].concat(),
    };
    let mut canonical = [method, b" ", &target, b" HTTP/1.1\r\n"].concat();
    for field in lines.take_while(|line| !line.is_empty()) {
        canonical.extend([field, b"\r\n"].concat());
    }
    [&canonical, &b"\r\n"[..], update.payload].concat()
}

/// An input is the settings and a frame; the frame's bytes are taken for a path and a query too.
pub(crate) fn fuzz(input: &[u8]) {
    let Some((settings, frame)) = split_settings(input) else { return };
    check_path(frame);
    check_query(frame);
    check_frame(&settings, frame);
}
