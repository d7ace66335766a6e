//! Repairs of the text as a whole (protocol section 2).

use crate::explain::{
    cause::{form::Form, keys, repair::Repair, search::Search},
    evidence::Evidence,
};

/// Tries line ends, the empty line, and upper-case hex.
pub(in super::super) fn search(search: &mut Search<'_>) {
    let form = Form::default();
    upper_case(search);
    for end in [&b"\n"[..], b"\r\n", b"\n\n"] {
        search.form(Repair::TrailingLineEnd, &Form { end, ..form });
    }
    search.form(Repair::CrLfLines, &Form { line_end: b"\r\n", ..form });
    search.form(Repair::CrLfLines, &Form { line_end: b"\r\n", end: b"\r\n", ..form });
    search.form(Repair::EmptyLineMissing, &Form { has_empty_line: false, ..form });
    let payload = search.request.payload.to_ascii_uppercase();
    let request = search.request.with_payload(payload);
    search.request(Repair::UpperCasePayloadHash, None, &request);
    method(search);
}

fn upper_case(search: &mut Search<'_>) {
    let (Evidence::StringToSign(theirs) | Evidence::Signature(theirs) | Evidence::Digits(theirs)) =
        search.evidence
    else {
        return;
    };
    let lower = theirs.to_ascii_lowercase();
    if lower != *theirs && search.fits_as(&lower) {
        search.note(Repair::UpperCaseHex, None);
    }
    keys::all_upper_case(search);
}

const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

fn method(search: &mut Search<'_>) {
    let mut request = search.request.clone();
    let lower = request.method.to_ascii_lowercase();
    for method in METHODS.map(|method| method.as_bytes().to_vec()).into_iter().chain([lower]) {
        request.method = method;
        search.request(Repair::MethodRewritten, None, &request);
    }
}
