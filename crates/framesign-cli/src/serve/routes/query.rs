//! Parameters of the query of a request.

use axum::http::{StatusCode, Uri};
use percent_encoding::percent_decode_str;

use crate::serve::routes::problem::Problem;

/// The value of the parameter `name`, whose escapes are decoded; a plus sign is a space, as in forms.
///
/// # Errors
///
/// 400: it is there twice, or is no UTF-8.
pub(crate) fn parameter(uri: &Uri, name: &str) -> Result<Option<String>, Problem> {
    let pieces = uri.query().unwrap_or_default().split('&');
    let parameters = pieces.map(|piece| piece.split_once('=').unwrap_or((piece, "")));
    let mut values = parameters.filter(|(found, _)| *found == name).map(|(_, value)| value);
    let (Some(value), further) = (values.next(), values.next()) else { return Ok(None) };
    let value = value.replace('+', " ");
    if let (Ok(value), None) = (percent_decode_str(&value).decode_utf8(), further) {
        return Ok(Some(value.into_owned()));
    }
    let detail = format!("expected one parameter {name} in UTF-8 in the query");
    Err(Problem::new(StatusCode::BAD_REQUEST, detail))
}

#[cfg(test)]
mod tests {
    use super::parameter;

    fn value(query: &str) -> Result<Option<String>, ()> {
        parameter(&format!("/sign?{query}").parse().unwrap(), "access_key").map_err(|_| ())
    }

    #[test]
    fn parameter_is_decoded() {
        for (query, expected) in [
            ("access_key=one", "one"),
            ("a=b&access_key=o%6Ee&c", "one"),
            ("access_key=%26%3d%2B+%20", "&=+  "),
            ("access_key=%C3%A9", "é"),
            ("access_key=a=b", "a=b"),
            ("access_key", ""),
            ("access_key=%2", "%2"),
        ] {
            assert_eq!(value(query), Ok(Some(expected.to_owned())), "{query}");
        }
        assert_eq!(value("access_keys=one&a=access_key"), Ok(None));
        for query in ["access_key=one&access_key=one", "access_key=%FF"] {
            assert_eq!(value(query), Err(()), "{query}");
        }
    }
}
