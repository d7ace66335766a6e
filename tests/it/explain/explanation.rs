//! Pieces, marks and rules of frames.

use framesign::{
    PayloadHash, Rules,
    explain::{Case, Explanation, MarkKind, Rule},
};
use proptest::{prelude::*, test_runner::Config};

use crate::{
    frames::{lenient, mutated, valid},
    naive::Settings,
    properties::explain,
    published::Vector,
};

fn config() -> Config {
    Config { cases: 1_500, failure_persistence: None, ..Config::default() }
}

fn check_both(frame: &[u8]) {
    explain::check(&Settings::strict(), frame);
    explain::check(&Settings::lenient(), frame);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn pieces_of_random_frames_are_their_canonical_request(
        frame in prop_oneof![1 => valid(), 2 => lenient(), 1 => mutated()],
    ) {
        check_both(&frame);
    }
}

#[test]
fn pieces_of_all_vectors_are_their_canonical_request() {
    for vector in Vector::all() {
        check_both(&vector.frame);
    }
}

fn explain(frame: &[u8]) -> Explanation {
    Explanation::new(&Case::new(frame, Rules::lenient())).unwrap()
}

/// Text, origin and rule of each piece that has a rule, but for line ends and separators.
fn shown(frame: &[u8]) -> Vec<(String, Vec<String>, Rule)> {
    let explanation = explain(frame);
    let is_shown = |rule| {
        !matches!(rule, Rule::PartEnd | Rule::FieldLine | Rule::PayloadHash | Rule::ParameterEnd)
    };
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let pieces = explanation.pieces().iter().filter(|piece| piece.rule.is_some_and(is_shown));
    let of = |piece: &framesign::explain::Piece| {
        let origin = piece.frame.iter().map(|range| text(&frame[range.clone()])).collect();
        let canonical = text(&explanation.canonical_request()[piece.canonical.clone()]);
        (canonical, origin, piece.rule.unwrap())
    };
    pieces.map(of).collect()
}

fn piece(text: &str, origin: &[&str], rule: Rule) -> (String, Vec<String>, Rule) {
    (text.to_owned(), origin.iter().map(|&origin| origin.to_owned()).collect(), rule)
}

#[test]
fn each_byte_of_a_target_has_its_rule() {
    assert_eq!(
        shown(b"GET /a+%2f%41%2F%zz?b=x+y&a=%7e&a HTTP/1.1\r\n\r\n"),
        [
            piece("%2B", &["+"], Rule::PlusInPath),
            piece("%2F", &["%2f"], Rule::UpperCaseEscape),
            piece("A", &["%41"], Rule::Decoded),
            piece("%25", &["%"], Rule::LiteralPercent),
            piece("a", &["a"], Rule::ParametersSorted),
            piece("=", &["="], Rule::ParametersSorted),
            piece("~", &["%7e"], Rule::Decoded),
            piece("%2C", &[], Rule::ParametersJoined),
            piece("b", &["b"], Rule::ParametersSorted),
            piece("=", &["="], Rule::ParametersSorted),
            piece("x", &["x"], Rule::ParametersSorted),
            piece("%20", &["+"], Rule::PlusInQuery),
            piece("y", &["y"], Rule::ParametersSorted),
        ]
    );
    assert_eq!(
        shown(b"GET http://h?k HTTP/1.1\r\n\r\n"),
        [piece("/", &[], Rule::EmptyPath), piece("=", &[], Rule::EqualsAdded)]
    );
}

#[test]
fn lines_of_one_field_become_one() {
    assert_eq!(
        shown(b"GET / HTTP/1.1\r\nb: 1\r\nA: x\r\n \t y\r\na: z\r\n\r\n"),
        [
            piece("a", &["A", "a"], Rule::LowerCaseName),
            piece("x", &["x"], Rule::FieldsSorted),
            piece(" ", &["\\r\\n \\t "], Rule::Folded),
            piece("y", &["y"], Rule::FieldsSorted),
            piece(",", &[], Rule::FieldsJoined),
            piece("z", &["z"], Rule::FieldsSorted),
            piece("b", &["b"], Rule::FieldsSorted),
            piece("1", &["1"], Rule::FieldsSorted),
        ]
    );
}

#[test]
fn bytes_of_the_frame_are_marked() {
    let frame = b"GET  /a%20\xb1?b+c=/ HTTP/1.1 \nA:  x \r\n y\r\nSig: 0\r\n\r\nbody";
    let case = Case::new(frame, Rules::lenient()).without_field("sig");
    let explanation = Explanation::new(&case).unwrap();
    let marks: Vec<_> = explanation
        .marks()
        .iter()
        .map(|mark| (mark.kind, frame[mark.range.clone()].escape_ascii().to_string()))
        .collect();
    let expected = [
        (MarkKind::DroppedSpace, " "),
        (MarkKind::Escape, "%20"),
        (MarkKind::EncodedByte, "\\xb1"),
        (MarkKind::Plus, "+"),
        (MarkKind::EncodedByte, "/"),
        (MarkKind::DroppedSpace, " "),
        (MarkKind::Lf, "\\n"),
        (MarkKind::DroppedSpace, "  "),
        (MarkKind::DroppedSpace, " "),
        (MarkKind::CrLf, "\\r\\n"),
        (MarkKind::FoldedLine, " y"),
        (MarkKind::DroppedSpace, " "),
        (MarkKind::CrLf, "\\r\\n"),
        (MarkKind::LeftOutField, "Sig: 0\\r\\n"),
        (MarkKind::DroppedSpace, " "),
        (MarkKind::CrLf, "\\r\\n"),
        (MarkKind::CrLf, "\\r\\n"),
        (MarkKind::Payload, "body"),
    ];
    assert_eq!(marks, expected.map(|(kind, text)| (kind, text.to_owned())));
    let text = String::from_utf8_lossy(explanation.canonical_request());
    assert!(text.starts_with("GET\n/a%20%B1\nb%20c=%2F\na:x y\n\n"), "{text}");
}

#[test]
fn a_head_alone_is_explained_with_the_hash_of_its_payload() {
    let head = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
    let whole =
        Case::new(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", Rules::strict());
    let case = Case::new(head, Rules::strict()).payload_hash(PayloadHash::of(b"hello"));
    let (alone, whole) = (Explanation::new(&case).unwrap(), Explanation::new(&whole).unwrap());
    assert_eq!(alone.canonical_request(), whole.canonical_request());
    assert_eq!(alone.string_to_sign(), whole.string_to_sign());
}

#[test]
fn a_refused_frame_has_its_byte_and_its_row() {
    let frame = b"GET / HTTP/1.1\r\nHost: h\r\nA: x\r\n y\r\n\r\n";
    let error = Explanation::new(&Case::new(frame, Rules::strict())).unwrap_err();
    assert_eq!((error.offset(), error.kind().section()), (31, "7.14"));
    assert!(error.to_string().contains("expected a field line"), "{error}");
}
