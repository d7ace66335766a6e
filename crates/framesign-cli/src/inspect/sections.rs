//! Where the protocol says what a refused frame breaks.

use framesign::ErrorKind;

/// The row of section 7 that a kind of refusal is about; the first, where there are several.
pub(crate) fn of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BareLf => "7.1",
        ErrorKind::BareCr => "7.2",
        ErrorKind::RequestLine => "7.4",
        ErrorKind::Version => "7.5",
        ErrorKind::Method => "7.6",
        ErrorKind::Target => "7.8",
        ErrorKind::Authority => "7.9",
        ErrorKind::HeaderName => "7.10",
        ErrorKind::HeaderValue => "7.12",
        ErrorKind::ObsFold => "7.14",
        ErrorKind::Host => "7.15",
        ErrorKind::TransferEncoding => "7.16",
        ErrorKind::ContentLength => "7.17",
        ErrorKind::TruncatedBody => "7.20",
        ErrorKind::TrailingBytes => "7.21",
        ErrorKind::TruncatedHead => "7.22",
        ErrorKind::HeadTooLarge => "7.23",
        ErrorKind::TooManyHeaders => "7.24",
        // Kinds to come have a row there too.
        _ => "7",
    }
}

#[cfg(test)]
mod tests {
    use framesign::ErrorKind;

    use super::of;

    const PROTOCOL: &str = include_str!("../../../../docs/protocol.md");

    #[test]
    fn each_row_names_its_kind() {
        for kind in ErrorKind::ALL {
            let row = format!("| {} |", of(kind));
            let row = PROTOCOL.lines().find(|line| line.starts_with(&row)).unwrap();
            assert!(row.contains(kind.as_str()), "{kind:?}: {row}");
        }
    }
}
