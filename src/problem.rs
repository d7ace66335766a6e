//! Answers to what is refused, as problem details (RFC 9457): written once, for every integration.

/// The answer for a peer: a status, the field that belongs to it, and nothing of the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: u16,
    title: &'static str,
    field: Option<Field>,
}

/// Name, in lower case, and value.
type Field = (&'static str, &'static str);

impl Problem {
    pub(crate) const BAD_REQUEST: Self = Self::new(400, "Bad Request");
    pub(crate) const LENGTH_REQUIRED: Self = Self::new(411, "Length Required");
    #[cfg(feature = "replay")]
    pub(crate) const UNAVAILABLE: Self = Self::new(503, "Service Unavailable");

    /// An answer of `status`, whose phrase in RFC 9110 section 15 is `title`.
    pub(crate) const fn new(status: u16, title: &'static str) -> Self {
        Self { status, title, field: None }
    }

    /// The same with a field of its own.
    #[cfg(feature = "verify")]
    pub(crate) const fn with(self, name: &'static str, value: &'static str) -> Self {
        Self { field: Some((name, value)), ..self }
    }

    pub(crate) const fn status(self) -> u16 {
        self.status
    }

    /// The fields of the answer, without those that say how it is framed.
    pub(crate) fn fields(self) -> impl Iterator<Item = Field> {
        [("content-type", "application/problem+json")].into_iter().chain(self.field)
    }

    pub(crate) fn json(self) -> String {
        let Self { status, title, .. } = self;
        format!(r#"{{"type":"about:blank","title":"{title}","status":{status}}}"#)
    }

    /// The bytes of the whole answer in HTTP/1.1, which ends its connection.
    pub(crate) fn to_http1(self) -> Vec<u8> {
        let json = self.json();
        let mut response = format!("HTTP/1.1 {} {}\r\n", self.status, self.title);
        for (name, value) in self.fields().chain([("connection", "close")]) {
            response.extend([name, ": ", value, "\r\n"]);
        }
        response.extend(["content-length: ", &json.len().to_string(), "\r\n\r\n", &json]);
        response.into_bytes()
    }
}
