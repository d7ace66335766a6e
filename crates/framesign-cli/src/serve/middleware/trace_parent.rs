//! The trace that a request is a part of (W3C Trace Context).

use axum::http::HeaderMap;

/// The value of `traceparent`, as far as the log has it: identifiers of fixed length in hexadecimal,
/// so that nothing else that a client sends gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    trace_id: String,
    parent_id: String,
    is_sampled: bool,
}

impl TraceParent {
    /// The trace that `fields` name; `None` if there is none, there are several, or it is malformed
    /// (W3C Trace Context section 3.2: then it is ignored).
    pub(crate) fn of(fields: &HeaderMap) -> Option<Self> {
        let mut values = fields.get_all("traceparent").iter();
        let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
        let mut parts = value.split('-');
        let [version, trace_id, parent_id, flags] =
            [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let is_whole = parts.next().is_none() || version != "00";
        let is_right = is_id(version, 2)
            && version != "ff"
            && is_id(flags, 2)
            && [(trace_id, 32), (parent_id, 16)]
                .iter()
                .all(|(id, len)| is_id(id, *len) && id.bytes().any(|digit| digit != b'0'));
        // The last bit: the caller may have recorded its part (section 3.2.2.5.1).
        let is_sampled = matches!(
            flags.bytes().last(),
            Some(b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f')
        );
        let trace = || Self { trace_id: trace_id.into(), parent_id: parent_id.into(), is_sampled };
        (is_whole && is_right).then(trace)
    }

    pub(crate) fn trace_id(&self) -> &str {
        &self.trace_id
    }

    pub(crate) fn parent_id(&self) -> &str {
        &self.parent_id
    }

    /// Whether the caller may have recorded its part of the trace.
    #[cfg(feature = "otlp")]
    pub(crate) fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

fn is_id(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::TraceParent;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "b7ad6b7169203331";

    fn trace(values: &[&str]) -> Option<TraceParent> {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append("traceparent", HeaderValue::from_str(value).unwrap());
        }
        TraceParent::of(&fields)
    }

    #[test]
    fn ids_of_a_trace_are_found() {
        let expected = |is_sampled| {
            Some(TraceParent { trace_id: TRACE.into(), parent_id: PARENT.into(), is_sampled })
        };
        // A version that is not known may have more (section 4.3).
        for (value, is_sampled) in [
            (format!("00-{TRACE}-{PARENT}-01"), true),
            (format!("00-{TRACE}-{PARENT}-fe"), false),
            (format!("cc-{TRACE}-{PARENT}-00-what-comes-then"), false),
        ] {
            assert_eq!(trace(&[&value]), expected(is_sampled), "{value}");
        }
    }

    #[test]
    fn what_is_malformed_is_ignored() {
        let right = format!("00-{TRACE}-{PARENT}-01");
        let zeros = "0".repeat(32);
        for value in [
            String::new(),
            TRACE.into(),
            format!("00-{TRACE}-{PARENT}"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("00-{zeros}-{PARENT}-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            right.to_uppercase(),
            format!("00-{TRACE}x-{PARENT}-01"),
            format!("00-{PARENT}-{TRACE}-01"),
            format!("0-{TRACE}-{PARENT}-01"),
            format!(" {right}"),
        ] {
            assert_eq!(trace(&[&value]), None, "{value}");
        }
        assert_eq!(trace(&[&right, &right]), None);
        assert_eq!(trace(&[]), None);
    }
}
