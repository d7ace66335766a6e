//! What strict reading accepts, httparse reads in the same way.
//!
//! There is no head that strict reading accepts and httparse refuses. The other way round httparse
//! takes what strict reading does not, and is not asked: lines that end in LF alone, HTTP/1.0, any
//! token as a method, any target of visible ASCII or UTF-8, fields without Host, any
//! Transfer-Encoding and Content-Length. How many fields there may be is the caller's choice in
//! both.

use framesign::{
    Head,
    frame::{HeadReader, Reading, Rules},
};

use super::{rules, split_settings};

/// Holds the head of a frame, if strict reading finds one in it, to what httparse finds.
pub(crate) fn check(rules: Rules, frame: &[u8]) {
    assert_eq!(rules.reading(), Reading::Strict);
    let mut reader = HeadReader::new(rules);
    let Ok(Some(head)) = reader.read(frame) else { return };

    let mut fields = vec![httparse::EMPTY_HEADER; head.fields().len()];
    let mut request = httparse::Request::new(&mut fields);
    let len = head.as_bytes().len();
    let status = request.parse(frame);
    assert_eq!(status, Ok(httparse::Status::Complete(len)), "{}", frame.escape_ascii());
    assert_same(&head, &request);
}

fn assert_same(head: &Head<'_>, request: &httparse::Request<'_, '_>) {
    let what = head.as_bytes().escape_ascii();
    assert_eq!(request.method, Some(head.method()), "{what}");
    assert_eq!(request.path.map(str::as_bytes), Some(head.target()), "{what}");
    assert_eq!(request.version, Some(1), "{what}");
    let fields = head.fields().map(|field| (field.name(), field.value().into_owned()));
    let expected = request.headers.iter().map(|field| (field.name, field.value.to_vec()));
    assert!(fields.eq(expected), "{what}");
}

/// An input is the settings, of which the way of reading does not count, and a frame.
pub(crate) fn fuzz(input: &[u8]) {
    let Some((mut settings, frame)) = split_settings(input) else { return };
    settings.reading = crate::naive::Reading::Strict;
    check(rules(&settings), frame);
}
