//! The names and sentences by which `framesign::explain` speaks of what it finds.

use std::fmt::Debug;

use framesign::explain::{Evidence, MarkKind, Rule, Side};

/// The name of a variant in lower case, with a hyphen between words.
fn hyphened(variant: impl Debug) -> String {
    let mut name = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[test]
fn sides_have_names() {
    for side in [Side::Ours, Side::Theirs, Side::Between] {
        assert_eq!([side.as_str(), &side.to_string()], [&hyphened(side); 2]);
    }
}

#[test]
fn marks_have_names() {
    for kind in [
        MarkKind::CrLf,
        MarkKind::Lf,
        MarkKind::DroppedSpace,
        MarkKind::FoldedLine,
        MarkKind::Escape,
        MarkKind::Plus,
        MarkKind::EncodedByte,
        MarkKind::LeftOutField,
        MarkKind::Payload,
    ] {
        assert_eq!([kind.as_str(), &kind.to_string()], [&hyphened(kind); 2]);
    }
}

#[test]
fn evidence_is_named_by_its_stage() {
    for (evidence, name) in [
        (Evidence::CanonicalRequest(Vec::new()), "canonical-request"),
        (Evidence::StringToSign(String::new()), "string-to-sign"),
        (Evidence::Signature(String::new()), "signature"),
        (Evidence::Digits(String::new()), "digits"),
    ] {
        assert_eq!(evidence.as_str(), name);
        assert_eq!(format!("{evidence:?}"), format!("Evidence({name})"));
    }
}

#[test]
fn rules_have_names_and_are_shown_with_their_sections() {
    for (rule, shown) in [
        (Rule::PartEnd, "A line feed ends each part but the last. (protocol 2)"),
        (
            Rule::PayloadHash,
            "The last line is the SHA-256 of the payload in lower-case hex. (protocol 2)",
        ),
        (Rule::Encoded, "A byte that is not unreserved is escaped. (protocol 3)"),
        (Rule::Decoded, "An escape of an unreserved byte becomes that byte. (protocol 3)"),
        (Rule::UpperCaseEscape, "The digits of an escape are upper case. (protocol 3)"),
        (
            Rule::LiteralPercent,
            "A % without two hexadecimal digits is a percent sign: %25. (protocol 3)",
        ),
        (Rule::EmptyPath, "An empty path of an absolute-form is /. (protocol 4)"),
        (Rule::PlusInPath, "A + in a path is a plus sign: %2B. (protocol 4)"),
        (Rule::EqualsAdded, "A parameter without = has an empty value. (protocol 5.1)"),
        (Rule::PlusInQuery, "A + in a query is a space: %20. (protocol 5.2)"),
        (
            Rule::ParametersJoined,
            "Values of one parameter are joined by a comma: %2C. (protocol 5.3)",
        ),
        (Rule::ParametersSorted, "Parameters are sorted by their encoded names. (protocol 5.4)"),
        (Rule::ParameterEnd, "Parameters are joined by &. (protocol 5.4)"),
        (Rule::LowerCaseName, "Field names are in lower case. (protocol 6.1)"),
        (Rule::FieldsJoined, "Values of one field are joined by a comma. (protocol 6.2)"),
        (Rule::FieldsSorted, "Fields are sorted by their names. (protocol 6.3)"),
        (Rule::FieldLine, "Each field is name, colon, value and a line feed. (protocol 6.3)"),
        (Rule::Folded, "Lines of a folded value are joined by one space. (protocol 7.14)"),
    ] {
        assert_eq!(rule.to_string(), shown);
        assert_eq!(format!("{} (protocol {})", rule.text(), rule.section()), shown);
        assert_eq!(rule.as_str(), hyphened(rule));
    }
}
