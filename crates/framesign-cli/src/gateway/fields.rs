//! The fields of requests and answers that a gateway removes, adds and sets.

use std::{fmt::Write, net::IpAddr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};

/// Who signed a request.
pub(crate) const ACCESS_KEY: HeaderName = HeaderName::from_static("framesign-access-key");
/// When its head was proven.
pub(crate) const VERIFIED_AT: HeaderName = HeaderName::from_static("framesign-verified-at");
/// Its id in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("framesign-request-id");

/// The name of the gateway in Via (RFC 9110 section 7.6.3).
const PSEUDONYM: &str = "framesign";

/// The fields that are of one connection and no other (RFC 9110 section 7.6.1), and those of
/// authentication to a proxy.
const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// Fields by which some frameworks take another method or another path than those of the request
/// line.
const OVERRIDES: [&str; 5] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// The fields that tell an upstream about the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ForwardedFields {
    /// Forwarded and X-Forwarded-*
    Both,
    /// Forwarded (RFC 7239)
    Forwarded,
    /// X-Forwarded-For, -Host and -Proto
    XForwarded,
    /// Neither
    None,
}

/// What an upstream is told about the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) address: Option<IpAddr>,
    pub(crate) host: Option<&'a HeaderValue>,
    pub(crate) is_tls: bool,
}

/// Removes the fields that are of one connection, those that Connection names among them.
pub(crate) fn remove_hop_by_hop(fields: &mut HeaderMap) {
    for name in connection_options(fields).into_iter().chain(HOP_BY_HOP) {
        fields.remove(name);
    }
}

/// The names of fields in Connection.
pub(crate) fn connection_options(fields: &HeaderMap) -> Vec<HeaderName> {
    let lines = fields.get_all(header::CONNECTION).iter();
    let options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    options.filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok()).collect()
}

/// Removes what only a gateway says: that a request is verified, and by whom.
pub(crate) fn remove_reserved(fields: &mut HeaderMap) {
    remove_if(fields, |name| name.starts_with("framesign-"));
}

/// Removes what only a proxy says about the client.
pub(crate) fn remove_forwarded(fields: &mut HeaderMap) {
    remove_if(fields, |name| {
        name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
    });
}

/// Removes Proxy, which CGI hands to programs as the variable `HTTP_PROXY`, by which many choose the
/// proxy of their own requests ("httpoxy").
pub(crate) fn remove_proxy(fields: &mut HeaderMap) {
    remove_if(fields, |name| name == "proxy");
}

/// Joins the lines of Cookie, which HTTP/2 may split and HTTP/1.1 may not (RFC 9113 section 8.2.3).
pub(crate) fn join_cookies(fields: &mut HeaderMap) {
    let lines: Vec<_> = fields.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if lines.len() < 2 {
        return;
    }
    // What is between values is of a value too.
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        fields.insert(header::COOKIE, joined);
    }
}

/// Joins several equal lengths (RFC 9110 section 8.6) to one. What is none is removed: it stands at an
/// answer without a body, where nobody else has looked at it.
pub(crate) fn join_lengths(fields: &mut HeaderMap) {
    let lines = fields.get_all(header::CONTENT_LENGTH).iter();
    let members = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let mut lengths = members.map(length);
    let Some(first) = lengths.next() else { return };
    match first.filter(|_| lengths.all(|length| length == first)) {
        Some(length) => drop(fields.insert(header::CONTENT_LENGTH, length.into())),
        None => drop(fields.remove(header::CONTENT_LENGTH)),
    }
}

/// RFC 9110 section 8.6: digits, and nothing else.
fn length(member: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(member.trim_ascii()).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Removes what would have an upstream take an unsigned request for another one.
pub(crate) fn remove_overrides(fields: &mut HeaderMap) {
    remove_if(fields, |name| OVERRIDES.contains(&name));
}

/// Removes the fields with a name of which `is_removed` is true. It is shown the name as CGI and what
/// follows it (WSGI, Rack, PHP) read it: they know no difference between a hyphen, an underscore and
/// other signs, so that `Framesign_Access_Key` would pass for the field of the gateway.
fn remove_if(fields: &mut HeaderMap, is_removed: impl Fn(&str) -> bool) {
    let read = |name: &HeaderName| name.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let names: Vec<_> = fields.keys().filter(|name| is_removed(&read(name))).cloned().collect();
    for name in names {
        fields.remove(name);
    }
}

/// Adds the gateway to those that a request of `version` came through.
pub(crate) fn append_via(fields: &mut HeaderMap, version: Version) {
    let received = if version >= Version::HTTP_2 {
        "2"
    } else if version == Version::HTTP_10 {
        "1.0"
    } else {
        "1.1"
    };
    if let Ok(via) = HeaderValue::try_from(format!("{received} {PSEUDONYM}")) {
        fields.append(header::VIA, via);
    }
}

/// Sets what an upstream is told about the client.
pub(crate) fn set_forwarded(fields: &mut HeaderMap, which: ForwardedFields, client: Client<'_>) {
    if matches!(which, ForwardedFields::Both | ForwardedFields::Forwarded)
        && let Ok(forwarded) = HeaderValue::try_from(forwarded(client))
    {
        fields.insert(header::FORWARDED, forwarded);
    }
    if matches!(which, ForwardedFields::Both | ForwardedFields::XForwarded) {
        set_x_forwarded(fields, client);
    }
}

/// RFC 7239 section 4.
fn forwarded(client: Client<'_>) -> String {
    let mut text = match client.address {
        Some(IpAddr::V4(address)) => format!("for={address}"),
        // Brackets and colons are in quotes.
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        None => "for=unknown".into(),
    };
    if let Some(host) = client.host.and_then(|host| host.to_str().ok()) {
        let quoted = host.replace('\\', "\\\\").replace('"', "\\\"");
        // A string takes whatever is written to it.
        let _ = write!(text, ";host=\"{quoted}\"");
    }
    text.push_str(if client.is_tls { ";proto=https" } else { ";proto=http" });
    text
}

fn set_x_forwarded(fields: &mut HeaderMap, client: Client<'_>) {
    let proto = if client.is_tls { "https" } else { "http" };
    fields.insert("x-forwarded-proto", HeaderValue::from_static(proto));
    if let Some(host) = client.host {
        fields.insert("x-forwarded-host", host.clone());
    }
    let address =
        client.address.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
    if let Some(address) = address {
        fields.insert("x-forwarded-for", address);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Version};

    use super::{
        Client, ForwardedFields, append_via, join_cookies, join_lengths, remove_forwarded,
        remove_hop_by_hop, remove_overrides, remove_proxy, remove_reserved, set_forwarded,
    };

    fn fields(lines: &[(&str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&str, &'static str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static(value))
        };
        lines.iter().map(field).collect()
    }

    fn names(fields: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn fields_of_one_connection_are_removed() {
        let mut fields = fields(&[
            ("Connection", "close, X-One"),
            ("Connection", " x-two ,,"),
            ("X-One", "1"),
            ("X-Two", "2"),
            ("X-Three", "3"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "close"),
            ("Proxy-Authorization", "Basic x"),
            ("TE", "trailers"),
            ("Trailer", "X"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "x"),
            ("Host", "h"),
        ]);
        remove_hop_by_hop(&mut fields);
        assert_eq!(names(&fields), ["host", "x-three"]);
    }

    #[test]
    fn names_of_the_gateway_are_dropped_however_they_are_written() {
        let mut fields = fields(&[
            ("Framesign-Access-Key", "a"),
            ("FRAMESIGN-VERIFIED-AT", "b"),
            ("framesign_access_key", "c"),
            ("Framesign.Request~Id", "d"),
            ("framesign-", "e"),
            ("framesigned", "f"),
            ("x-framesign-access-key", "g"),
        ]);
        remove_reserved(&mut fields);
        assert_eq!(names(&fields), ["framesigned", "x-framesign-access-key"]);
    }

    #[test]
    fn proxy_of_programs_is_dropped() {
        let mut fields = fields(&[("Proxy", "evil:80"), ("PROXY", "b"), ("x-proxy", "c")]);
        remove_proxy(&mut fields);
        assert_eq!(names(&fields), ["x-proxy"]);
    }

    #[test]
    fn lines_of_cookie_are_joined() {
        for (lines, joined) in [
            (&["a=1"][..], "a=1"),
            (&["a=1", "b=2"], "a=1; b=2"),
            (&["a=1; b=2", "c=3", "d"], "a=1; b=2; c=3; d"),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("cookie", *line)).collect();
            let mut fields = fields(&lines);
            join_cookies(&mut fields);
            assert_eq!(fields.get_all("cookie").iter().collect::<Vec<_>>(), [joined]);
        }
        let mut fields = fields(&[("accept", "a"), ("accept", "b")]);
        join_cookies(&mut fields);
        assert_eq!(fields.len(), 2);
    }

    #[test]
    fn lengths_are_joined() {
        for (lines, joined) in [
            (&["5"][..], Some("5")),
            (&["5", "5"], Some("5")),
            (&["5, 5,5"], Some("5")),
            (&["0 , 0", "0"], Some("0")),
            (&["5", "6"], None),
            (&["5, 6"], None),
            (&["5,"], None),
            (&["+5"], None),
            (&[""], None),
            (&["18446744073709551615"], Some("18446744073709551615")),
            (&["18446744073709551616"], None),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| ("content-length", *line)).collect();
            let mut fields = fields(&lines);
            join_lengths(&mut fields);
            let lengths: Vec<_> = fields.get_all("content-length").iter().collect();
            assert_eq!(lengths, Vec::from_iter(joined), "{lines:?}");
        }
        let mut none = fields(&[("accept", "a")]);
        join_lengths(&mut none);
        assert_eq!(names(&none), ["accept"]);
    }

    #[test]
    fn what_a_client_says_of_itself_is_dropped() {
        let mut fields = fields(&[
            ("Forwarded", "for=1.1.1.1"),
            ("X-Forwarded-For", "1.1.1.1"),
            ("X_Forwarded_Host", "h"),
            ("X-Real-IP", "1.1.1.1"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X_Original_URL", "/"),
            ("Accept", "*/*"),
        ]);
        remove_forwarded(&mut fields);
        assert_eq!(names(&fields), ["accept", "x-http-method-override", "x_original_url"]);
        remove_overrides(&mut fields);
        assert_eq!(names(&fields), ["accept"]);
    }

    #[test]
    fn upstream_is_told_of_the_client() {
        let host = HeaderValue::from_static("h:80");
        let client = Client {
            address: Some("2001:db8::1".parse().unwrap()),
            host: Some(&host),
            is_tls: true,
        };
        let mut fields = HeaderMap::new();
        set_forwarded(&mut fields, ForwardedFields::Both, client);
        assert_eq!(fields["forwarded"], "for=\"[2001:db8::1]\";host=\"h:80\";proto=https");
        assert_eq!(fields["x-forwarded-for"], "2001:db8::1");
        assert_eq!(fields["x-forwarded-host"], "h:80");
        assert_eq!(fields["x-forwarded-proto"], "https");
        for (which, expected) in [
            (ForwardedFields::Forwarded, &["forwarded"][..]),
            (
                ForwardedFields::XForwarded,
                &["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"],
            ),
            (ForwardedFields::None, &[]),
        ] {
            let mut fields = HeaderMap::new();
            set_forwarded(&mut fields, which, client);
            assert_eq!(names(&fields), expected, "{which:?}");
        }
    }

    #[test]
    fn host_cannot_leave_its_quotes() {
        let host = HeaderValue::from_static("h\";for=evil;x=\"\\");
        let client = Client { address: None, host: Some(&host), is_tls: false };
        let mut fields = HeaderMap::new();
        set_forwarded(&mut fields, ForwardedFields::Forwarded, client);
        let expected = "for=unknown;host=\"h\\\";for=evil;x=\\\"\\\\\";proto=http";
        assert_eq!(fields["forwarded"], expected);
    }

    #[test]
    fn via_is_added_to_what_is_there() {
        let mut fields = fields(&[("Via", "1.0 other")]);
        append_via(&mut fields, Version::HTTP_2);
        append_via(&mut fields, Version::HTTP_11);
        let lines: Vec<_> = fields.get_all("via").iter().collect();
        assert_eq!(lines, ["1.0 other", "2 framesign", "1.1 framesign"]);
    }
}
