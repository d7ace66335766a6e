//! Chooses the media type that a client wants (RFC 9110 section 12.5.1).

use axum::http::{HeaderMap, StatusCode, header};

use crate::serve::routes::problem::Problem;

/// The one of `offers` that the client likes most; of several the first.
///
/// # Errors
///
/// 406: it takes none of them.
pub(crate) fn choose<'a>(fields: &HeaderMap, offers: &[&'a str]) -> Result<&'a str, Problem> {
    let ranges: Vec<_> = fields
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(Range::parse)
        .collect();
    let liked = |offer: &str| if ranges.is_empty() { 1000 } else { quality(&ranges, offer) };
    let best = offers.iter().rev().max_by_key(|offer| liked(offer));
    best.filter(|offer| liked(offer) > 0).copied().ok_or_else(|| {
        let detail = format!("expected an Accept that takes {}", offers.join(" or "));
        Problem::new(StatusCode::NOT_ACCEPTABLE, detail)
    })
}

/// A media range, and how much it is liked in thousandths.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    /// Parameters but the quality are not looked at; what is no range is left out.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        Some(Self { main, sub, quality: weight.map_or(Some(1000), thousandths)? })
    }

    /// Returns how closely the range names `offer`; `None` if it does not.
    fn closeness(&self, offer: &str) -> Option<u8> {
        let (main, sub) = offer.split_once('/')?;
        match (self.main, self.sub) {
            ("*", "*") => Some(0),
            (of, "*") if of.eq_ignore_ascii_case(main) => Some(1),
            (of, to) if of.eq_ignore_ascii_case(main) && to.eq_ignore_ascii_case(sub) => Some(2),
            _ => None,
        }
    }
}

/// Returns the quality of `offer`: that of the range that names it most closely.
fn quality(ranges: &[Range<'_>], offer: &str) -> u16 {
    let named = ranges.iter().filter_map(|range| Some((range.closeness(offer)?, range.quality)));
    named.max().map_or(0, |(_, quality)| quality)
}

/// RFC 9110 section 12.4.2: `qvalue`.
fn thousandths(text: &str) -> Option<u16> {
    let quality: f32 = text.parse().ok()?;
    let is_qvalue = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    (is_qvalue && quality <= 1.0).then_some((quality * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::choose;
    use crate::serve::routes::response::JSON;

    const TEXT: &str = "application/openmetrics-text";

    fn chosen(accept: &[&'static str]) -> Option<&'static str> {
        let mut fields = HeaderMap::new();
        for value in accept {
            fields.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        choose(&fields, &[JSON, TEXT]).ok()
    }

    #[test]
    fn first_offer_is_for_those_who_do_not_care() {
        for accept in [&[][..], &["*/*"], &["application/*"], &["nonsense"], &["text/html, */*"]] {
            assert_eq!(chosen(accept), Some(JSON), "{accept:?}");
        }
    }

    #[test]
    fn higher_quality_wins() {
        assert_eq!(chosen(&["application/openmetrics-text"]), Some(TEXT));
        assert_eq!(
            chosen(&["application/json;q=0.4", "Application/OpenMetrics-Text; q=0.5"]),
            Some(TEXT)
        );
        let scraper = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3,*/*;q=0.2";
        assert_eq!(chosen(&[scraper]), Some(TEXT));
        assert_eq!(chosen(&["*/*;q=0.1, application/json;q=0"]), Some(TEXT));
    }

    /// RFC 9110 section 12.4.2: `qvalue` is `0` to `1` with digits alone.
    #[test]
    fn a_range_without_a_right_quality_does_not_count() {
        for quality in ["2", "1.1", "1e-1", "-1", "+0.5", "inf", "NaN", ""] {
            let accept =
                format!("application/openmetrics-text;q={quality}, application/json;q=0.1");
            assert_eq!(chosen(&[accept.leak()]), Some(JSON), "{quality}");
        }
    }

    #[test]
    fn what_is_not_taken_is_not_chosen() {
        assert_eq!(chosen(&["text/html"]), None);
        assert_eq!(chosen(&["*/*;q=0"]), None);
        assert_eq!(chosen(&["application/json;q=0, text/html"]), None);
    }
}
