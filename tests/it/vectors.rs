//! The published vectors, stage by stage and however they are cut.

use framesign::{Reading, Rules};
use framesign_test_support::published::Vector;

use crate::{
    stages::{Stages, stages},
    support::assert_independent_of_cuts,
};

fn check(vector: &Vector, reading: Reading) {
    let name = format!("{} read {reading:?}", vector.name);
    let found = stages(&Rules::new(reading), [&vector.frame[..]]);
    if let Some(kind) = vector.expected_line(reading, "error") {
        let error = found.expect_err(&name);
        assert_eq!(error.kind().as_str(), kind, "{name}: {error}");
        return;
    }
    let Stages { canonical_request, string_to_sign, signature } = found.expect(&name);
    let expected = vector.expected(reading, "canonical-request").unwrap();
    let shown = (canonical_request.escape_ascii(), expected.escape_ascii());
    assert!(canonical_request == expected, "{name}: {} is not {}", shown.0, shown.1);
    let expected = vector.expected_line(reading, "string-to-sign").unwrap();
    assert_eq!(string_to_sign.to_string(), expected, "{name}");
    let expected = vector.expected_line(reading, "signature").unwrap();
    assert_eq!(signature.to_string(), expected, "{name}");
}

#[test]
fn strict_reading_gives_the_published_stages() {
    for vector in Vector::all() {
        check(&vector, Reading::Strict);
    }
}

#[test]
fn lenient_reading_gives_the_published_stages() {
    for vector in Vector::all() {
        check(&vector, Reading::Lenient);
    }
}

#[test]
fn results_do_not_depend_on_cuts() {
    for vector in Vector::all() {
        assert_independent_of_cuts(&vector.name, &Rules::strict(), &vector.frame);
        assert_independent_of_cuts(&vector.name, &Rules::lenient(), &vector.frame);
    }
}
