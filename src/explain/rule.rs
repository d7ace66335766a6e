//! The rules of the protocol that shape a canonical request.

use std::fmt;

/// A rule of the protocol that made a piece of the canonical request what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// The line end after each part.
    PartEnd,
    /// The hash of the payload.
    PayloadHash,
    /// A byte that is escaped.
    Encoded,
    /// An escape that stands for an unreserved byte.
    Decoded,
    /// An escape whose digits become upper case.
    UpperCaseEscape,
    /// A percent sign that begins no escape.
    LiteralPercent,
    /// The path of an absolute-form that has none.
    EmptyPath,
    /// A plus sign in a path.
    PlusInPath,
    /// The `=` of a parameter that has none.
    EqualsAdded,
    /// A plus sign in a query.
    PlusInQuery,
    /// The comma between values of one parameter.
    ParametersJoined,
    /// A parameter in another place than in the frame.
    ParametersSorted,
    /// The `&` between parameters.
    ParameterEnd,
    /// A field name in lower case.
    LowerCaseName,
    /// The comma between the values of one field.
    FieldsJoined,
    /// A field in another place than in the frame.
    FieldsSorted,
    /// The colon after a name and the line end after a value.
    FieldLine,
    /// The space between the lines of a folded value.
    Folded,
}

impl Rule {
    /// The section of the protocol, and after a dot the bullet of section 5 or 6 or the row of the
    /// table of section 7: `5.2`, `7.14`.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::PartEnd | Self::PayloadHash => "2",
            Self::Encoded | Self::Decoded | Self::UpperCaseEscape | Self::LiteralPercent => "3",
            Self::EmptyPath | Self::PlusInPath => "4",
            Self::EqualsAdded => "5.1",
            Self::PlusInQuery => "5.2",
            Self::ParametersJoined => "5.3",
            Self::ParametersSorted | Self::ParameterEnd => "5.4",
            Self::LowerCaseName => "6.1",
            Self::FieldsJoined => "6.2",
            Self::FieldsSorted | Self::FieldLine => "6.3",
            Self::Folded => "7.14",
        }
    }

    /// The rule in one sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::PartEnd => "A line feed ends each part but the last.",
            Self::PayloadHash => "The last line is the SHA-256 of the payload in lower-case hex.",
            Self::Encoded => "A byte that is not unreserved is escaped.",
            Self::Decoded => "An escape of an unreserved byte becomes that byte.",
            Self::UpperCaseEscape => "The digits of an escape are upper case.",
            Self::LiteralPercent => "A % without two hexadecimal digits is a percent sign: %25.",
            Self::EmptyPath => "An empty path of an absolute-form is /.",
            Self::PlusInPath => "A + in a path is a plus sign: %2B.",
            Self::EqualsAdded => "A parameter without = has an empty value.",
            Self::PlusInQuery => "A + in a query is a space: %20.",
            Self::ParametersJoined => "Values of one parameter are joined by a comma: %2C.",
            Self::ParametersSorted => "Parameters are sorted by their encoded names.",
            Self::ParameterEnd => "Parameters are joined by &.",
            Self::LowerCaseName => "Field names are in lower case.",
            Self::FieldsJoined => "Values of one field are joined by a comma.",
            Self::FieldsSorted => "Fields are sorted by their names.",
            Self::FieldLine => "Each field is name, colon, value and a line feed.",
            Self::Folded => "Lines of a folded value are joined by one space.",
        }
    }

    /// The name in lower case, with a hyphen between words, such as `plus-in-query`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartEnd => "part-end",
            Self::PayloadHash => "payload-hash",
            Self::Encoded => "encoded",
            Self::Decoded => "decoded",
            Self::UpperCaseEscape => "upper-case-escape",
            Self::LiteralPercent => "literal-percent",
            Self::EmptyPath => "empty-path",
            Self::PlusInPath => "plus-in-path",
            Self::EqualsAdded => "equals-added",
            Self::PlusInQuery => "plus-in-query",
            Self::ParametersJoined => "parameters-joined",
            Self::ParametersSorted => "parameters-sorted",
            Self::ParameterEnd => "parameter-end",
            Self::LowerCaseName => "lower-case-name",
            Self::FieldsJoined => "fields-joined",
            Self::FieldsSorted => "fields-sorted",
            Self::FieldLine => "field-line",
            Self::Folded => "folded",
        }
    }
}

impl fmt::Display for Rule {
    /// The sentence with its section.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (protocol {})", self.text(), self.section())
    }
}
