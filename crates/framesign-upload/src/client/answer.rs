//! Answers of a server, as far as an upload asks them.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use framesign::PayloadHash;
use http::{HeaderMap, StatusCode, header, response::Parts};
use serde::Deserialize;
use sfv::{Dictionary, ListEntry, Parser};

use crate::fields::{
    ACCEPT_PATCH, PARTIAL_UPLOAD, UPLOAD_COMPLETE, UPLOAD_LIMIT, UPLOAD_OFFSET, boolean, integer,
    repr_digest,
};

/// A final answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    fields: HeaderMap,
    /// The beginning of the body.
    body: Bytes,
}

/// The members of problem details (RFC 9457) that are shown.
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
}

/// The limits that `Upload-Limit` tells, where it tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the names of the members")]
pub(super) struct Limits {
    pub(super) max_size: Option<u64>,
    pub(super) min_append_size: Option<u64>,
    pub(super) max_append_size: Option<u64>,
}

impl Answer {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        Self { status: parts.status, fields: parts.headers, body }
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// `Upload-Complete`, if it is there.
    pub(super) fn complete(&self) -> Option<bool> {
        boolean(&self.fields, &UPLOAD_COMPLETE)
    }

    pub(super) fn offset(&self) -> Option<u64> {
        integer(&self.fields, &UPLOAD_OFFSET)
    }

    pub(super) fn location(&self) -> Option<&str> {
        self.fields.get(header::LOCATION)?.to_str().ok()
    }

    /// The hash of the whole that the server names.
    pub(super) fn repr_digest(&self) -> Option<PayloadHash> {
        repr_digest(&self.fields).map(PayloadHash::from_bytes)
    }

    /// Whether a server says in its answer to OPTIONS that it takes parts.
    pub(super) fn takes_parts(&self) -> bool {
        let patches =
            self.fields.get_all(ACCEPT_PATCH).iter().filter_map(|line| line.to_str().ok());
        let types = patches.flat_map(|line| line.split(','));
        let mut types = types.map(|media| media.split(';').next().unwrap_or_default().trim());
        self.limits().is_some() || types.any(|media| media.eq_ignore_ascii_case(PARTIAL_UPLOAD))
    }

    /// The limits, if the answer has `Upload-Limit`. A member of another type than it should have
    /// makes the field one to be ignored.
    pub(super) fn limits(&self) -> Option<Limits> {
        let lines = self.fields.get_all(UPLOAD_LIMIT).iter().map(http::HeaderValue::as_bytes);
        let joined = lines.collect::<Vec<_>>().join(&b", "[..]);
        if joined.is_empty() {
            return None;
        }
        let members: Dictionary = Parser::new(&joined).parse().ok()?;
        // The outer one is of the field, the inner one of the member.
        let member = |name: &str| match members.get(name) {
            None => Some(None),
            Some(ListEntry::Item(item)) => {
                u64::try_from(item.bare_item.as_integer()?).ok().map(Some)
            }
            Some(ListEntry::InnerList(_)) => None,
        };
        Some(Limits {
            max_size: member("max-size")?,
            min_append_size: member("min-append-size")?,
            max_append_size: member("max-append-size")?,
        })
    }

    /// The time to wait before the next attempt (RFC 9110 section 10.2.3).
    pub(super) fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.fields.get(header::RETRY_AFTER)?.to_str().ok()?;
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // So many digits that they are no number are longer than anybody waits.
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let time = httpdate::parse_http_date(value).ok()?;
        Some(time.duration_since(now).unwrap_or_default())
    }

    /// What the server says of its status, on one line.
    pub(super) fn detail(&self) -> Option<String> {
        let media_type = self.fields.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/problem+json") {
            return None;
        }
        let problem: Problem = serde_json::from_slice(&self.body).ok()?;
        let detail = problem.detail?;
        let is_shown = !detail.is_empty() && !detail.contains(char::is_control);
        is_shown.then_some(detail)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use bytes::Bytes;
    use http::Response;

    use super::{Answer, Limits};

    fn answer(fields: &[(&str, &str)], body: &'static str) -> Answer {
        let mut response = Response::builder();
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let (parts, ()) = response.body(()).unwrap().into_parts();
        Answer::new(parts, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn limits_are_the_integers_of_a_dictionary() {
        let limits = |lines: &[&str]| {
            answer(&lines.iter().map(|line| ("upload-limit", *line)).collect::<Vec<_>>(), "")
                .limits()
        };
        assert_eq!(limits(&[]), None);
        let all = Limits { max_size: Some(9), min_append_size: Some(1), max_append_size: Some(5) };
        let text = "max-size=9, min-append-size=1, max-append-size=5;x, max-age=7";
        assert_eq!(limits(&[text]), Some(all));
        assert_eq!(limits(&["max-size=9", "min-append-size=1,max-append-size=5"]), Some(all));
        assert_eq!(limits(&["max-age=5, other=?1"]), Some(Limits::default()));
        for wrong in
            ["max-size=", "max-size=\"9\"", "max-size=9, min-append-size=-1", "max-size=(1)"]
        {
            assert_eq!(limits(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn server_says_that_it_takes_parts() {
        for (field, value, takes) in [
            ("upload-limit", "max-age=1", true),
            ("accept-patch", "application/partial-upload", true),
            ("accept-patch", "text/x, Application/Partial-Upload;v=1", true),
            ("accept-patch", "application/*, */*", false),
            ("upload-limit", "=", false),
            ("allow", "PATCH", false),
        ] {
            assert_eq!(answer(&[(field, value)], "").takes_parts(), takes, "{field}: {value}");
        }
    }

    #[test]
    fn pauses_are_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let after = |value| answer(&[("retry-after", value)], "").retry_after(now);
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(7));
        assert_eq!(after(&date), Some(Duration::from_secs(7)));
        let past = httpdate::fmt_http_date(now - Duration::from_secs(7));
        assert_eq!(after(&past), Some(Duration::ZERO));
        assert_eq!((after("soon"), after("-1"), after("")), (None, None, None));
    }

    #[test]
    fn detail_of_a_problem_is_shown_if_it_is_text_of_one_line() {
        let problem = [("content-type", "application/problem+json; charset=utf-8")];
        assert_eq!(answer(&problem, r#"{"detail":"no"}"#).detail().as_deref(), Some("no"));
        for body in [r#"{"detail":"a\u001b[2J"}"#, r#"{"detail":1}"#, r#"{"title":"x"}"#, "no", ""]
        {
            assert_eq!(answer(&problem, body).detail(), None, "{body}");
        }
        assert_eq!(answer(&[("content-type", "text/plain")], r#"{"detail":"no"}"#).detail(), None);
    }
}
