//! The pieces of an explanation are the canonical request, and a cause is never made up.

use framesign::{
    Credentials,
    explain::{Case, Evidence, Explanation, find_cause},
};

use super::{rules, split_settings};
use crate::{
    naive::Settings,
    stages::{ACCESS_KEY, DATE, SECRET_KEY, Stages, stages},
};

/// Holds the explanation of a frame, or its error, to what the library makes of it elsewhere.
pub(crate) fn check(settings: &Settings, frame: &[u8]) {
    let rules = rules(settings);
    let explanation = Explanation::new(&Case::new(frame, rules.clone()));
    match (explanation, stages(&rules, [frame])) {
        (Ok(explanation), Ok(stages)) => {
            check_pieces(&explanation, frame);
            check_marks(&explanation, frame);
            assert_eq!(explanation.canonical_request(), stages.canonical_request, "{settings:?}");
            assert_eq!(explanation.string_to_sign(), stages.string_to_sign);
            check_equal_sides(&Case::new(frame, rules), &stages);
        }
        (Err(error), Err(expected)) => assert_eq!(error, expected),
        (explanation, stages) => panic!("{explanation:?} is not {stages:?}"),
    }
}

/// Pieces follow each other without gaps, and one without a rule is what stands in the frame.
fn check_pieces(explanation: &Explanation, frame: &[u8]) {
    let text = explanation.canonical_request();
    let mut end = 0;
    for piece in explanation.pieces() {
        assert_eq!(piece.canonical.start, end, "{piece:?}");
        assert!(piece.canonical.end > end, "{piece:?}");
        end = piece.canonical.end;
        for range in &piece.frame {
            assert!(!range.is_empty() && range.end <= frame.len(), "{piece:?}");
        }
        if piece.rule.is_none() {
            let [range] = &piece.frame[..] else { panic!("{piece:?} is not of one place") };
            assert_eq!(&text[piece.canonical.clone()], &frame[range.clone()], "{piece:?}");
        }
    }
    assert_eq!(end, text.len());
}

fn check_marks(explanation: &Explanation, frame: &[u8]) {
    let mut start = 0;
    for mark in explanation.marks() {
        assert!(!mark.range.is_empty() && mark.range.end <= frame.len(), "{mark:?}");
        assert!(mark.range.start >= start, "{mark:?}");
        start = mark.range.start;
    }
}

/// Sides that are equal have no cause.
fn check_equal_sides(case: &Case<'_>, stages: &Stages) {
    let keys = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    let case = case.clone().keys(keys, DATE.parse().unwrap());
    for evidence in [
        Evidence::CanonicalRequest(stages.canonical_request.clone()),
        Evidence::parse(stages.string_to_sign.to_string().as_bytes()),
        Evidence::parse(stages.signature.to_string().as_bytes()),
    ] {
        assert_eq!(find_cause(&case, &evidence), Ok(None));
    }
}

/// Whatever the other side has, a cause is found only of a difference, and found again.
pub(crate) fn check_cause(settings: &Settings, frame: &[u8], theirs: &[u8]) {
    let case = Case::new(frame, rules(settings));
    let evidence = Evidence::CanonicalRequest(theirs.to_vec());
    let Ok(found) = find_cause(&case, &evidence) else { return };
    assert_eq!(find_cause(&case, &evidence), Ok(found.clone()));
    let Some(found) = found else { return };
    assert_ne!(Explanation::new(&case).unwrap().canonical_request(), theirs, "{found}");
    assert!(found.also.iter().all(|other| *other > found.repair), "{found:?}");
}

/// An input is the settings and a frame, whose canonical request is held against that of what comes
/// after its last two empty lines.
pub(crate) fn fuzz(input: &[u8]) {
    let Some((settings, frame)) = split_settings(input) else { return };
    check(&settings, frame);
    let split = frame.windows(3).rposition(|bytes| bytes == b"\n\n\n");
    let (frame, theirs) = split.map_or((frame, frame), |at| (&frame[..at], &frame[at + 3..]));
    check_cause(&settings, frame, theirs);
}
