//! What the body of a request is (RFC 9110 sections 8.3 and 8.4).

use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use crate::serve::routes::problem::Problem;

/// RFC 9112 section 10.1.
pub(crate) const MESSAGE_HTTP: &str = "message/http";

/// The value of Content-Type; empty if there is none that can be read.
pub(crate) struct MediaType<'a>(&'a str);

impl<'a> MediaType<'a> {
    pub(crate) fn of(fields: &'a HeaderMap) -> Self {
        let value = fields.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        Self(value.unwrap_or_default())
    }

    /// Returns whether it is `name`, whatever its parameters.
    pub(crate) fn is(&self, name: &str) -> bool {
        let found = self.0.split(';').next().unwrap_or_default();
        found.trim().eq_ignore_ascii_case(name)
    }

    /// The value of the parameter `name`, quoted or not; an error if there are several.
    pub(crate) fn parameter(&self, name: &str) -> Result<Option<&'a str>, ()> {
        let parameters = self.0.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
        let mut values = parameters.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Ok(Some(unquoted(value))),
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(()),
        }
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Refuses a content coding: what is read is what was sent.
pub(crate) fn check_coding(fields: &HeaderMap) -> Result<(), Problem> {
    let coding = fields.get(header::CONTENT_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = "expected a body without a content coding";
        let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
        return Err(problem.with(header::ACCEPT_ENCODING, "identity"));
    }
    Ok(())
}

/// RFC 9110 section 15.5.16: a body that is none of the media types `accept_post`.
pub(crate) fn unsupported(detail: &'static str, accept_post: &'static str) -> Problem {
    const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with(ACCEPT_POST, accept_post)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{MESSAGE_HTTP, MediaType};

    fn parameter(value: &'static str) -> Result<Option<String>, ()> {
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
        let media_type = MediaType::of(&fields);
        assert_eq!(media_type.is(MESSAGE_HTTP), value.to_lowercase().starts_with("message/http"));
        Ok(media_type.parameter("payload")?.map(str::to_owned))
    }

    #[test]
    fn parameter_is_found_among_others() {
        let digest = Ok(Some("digest".to_owned()));
        for value in [
            "message/http; payload=digest",
            "Message/HTTP;PAYLOAD=digest",
            "message/http ;version=1.1 ; payload=\"digest\";msgtype=request",
        ] {
            assert_eq!(parameter(value), digest, "{value}");
        }
        for value in ["", "message/http", "message/http;", "message/http; payloads=digest"] {
            assert_eq!(parameter(value), Ok(None), "{value}");
        }
        assert_eq!(parameter("message/http; payload=a; payload=a"), Err(()));
    }
}
