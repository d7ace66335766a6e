//! The names of the repairs, and which side has to change.

use std::fmt;

macro_rules! repairs {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal $section:literal $sentence:literal,)*) => {
        /// A single change that makes both sides equal.
        ///
        /// The order of their declaration is that of preference: if several fit, the first one is
        /// named. The names that [`Repair::as_str`] returns are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Repair {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Repair {
            /// Every repair, in the order of preference.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in lower case, with a hyphen between words, such as `space-as-plus`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The section of the protocol that decides, as in [`Rule::section`](super::super::Rule::section).
            #[must_use]
            pub const fn section(self) -> &'static str {
                match self { $(Self::$name => $section,)* }
            }

            /// What is wrong and what to do, in one sentence.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

repairs! {
    /// The other side has upper-case hexadecimal digits in its string to sign or signature.
    UpperCaseHex "upper-case-hex" "2"
        "the other side writes its hex in upper case; write every hex in lower case",
    /// The other side has a line end after the payload hash.
    TrailingLineEnd "trailing-line-end" "2"
        "the other side ends its canonical request in a line end; end it with the payload hash",
    /// The other side ends lines in CR LF.
    CrLfLines "cr-lf-lines" "2"
        "the other side ends the lines of its canonical request in CR LF; end them in LF",
    /// The other side has no empty line between fields and payload hash.
    EmptyLineMissing "empty-line-missing" "2"
        "the other side has no empty line between the fields and the payload hash; add it",
    /// The other side writes the payload hash in upper case.
    UpperCasePayloadHash "upper-case-payload-hash" "2"
        "the other side writes the payload hash in upper case; write it in lower case",
    /// The other side writes the payload hash in base64.
    Base64PayloadHash "base64-payload-hash" "2"
        "the other side writes the payload hash in base64; write it in lower-case hex",
    /// The other side writes the payload itself, not its hash.
    PayloadNotHashed "payload-not-hashed" "2"
        "the other side puts something else in the place of the payload hash; put the SHA-256 of the payload there, also of an empty one",
    /// The other side keeps the case of field names.
    NamesNotLowered "names-not-lowered" "6.1"
        "the other side keeps the case of field names; write them in lower case",
    /// The other side does not sort the fields.
    FieldsNotSorted "fields-not-sorted" "6.3"
        "the other side does not sort the fields; sort them by name in lower case, byte by byte",
    /// The other side joins the lines of one field by a comma and a space.
    JoinedWithSpace "joined-with-space" "6.2"
        "the other side joins values of one name by `, `; join them by `,` alone",
    /// The other side does not join the lines of one field.
    FieldsNotJoined "fields-not-joined" "6.2"
        "the other side has several lines of one name; join their values by `,` in one line",
    /// The other side keeps one line of a field that is on several.
    OneLineOfMany "one-line-of-many" "6.2"
        "the other side signs one of several lines of a name; join the values of all of them by `,`",
    /// The other side joins the values of a name in another order.
    JoinedInOtherOrder "joined-in-other-order" "6.2"
        "values of one name are joined in another order; join them in the order of the frame, and let no proxy change it",
    /// The other side writes a space after the colon of a field.
    SpaceAfterColon "space-after-colon" "6.3"
        "the other side has a space after the colon of each field; write name, colon and value without one",
    /// The other side makes one space of several in values.
    SpacesCollapsed "spaces-collapsed" "6.1"
        "the other side makes one space of several inside of values; keep whitespace inside of a value as it is",
    /// The other side writes values in lower case.
    ValuesLowered "values-lowered" "6.1"
        "the other side writes field values in lower case; keep values as they are",
    /// The other side writes a space in a path or query as `+`.
    SpaceAsPlus "space-as-plus" "3"
        "the other side writes a space as `+`; write it as %20",
    /// The other side takes `+` in a query for a plus sign.
    PlusKept "plus-kept" "5.2"
        "the other side takes `+` in the query for a plus sign; it is a space there: write it as %20",
    /// The other side has a plus sign in a path as it stands, or takes it for a space.
    PlusInPath "plus-in-path" "4"
        "the other side does not write `+` in the path as %2B; it is a plus sign there",
    /// The other side escapes without decoding first.
    DoubleEncoded "double-encoded" "3"
        "the other side escapes what is escaped already, so that % becomes %25; decode once, then escape",
    /// The other side decodes twice.
    DecodedTwice "decoded-twice" "3"
        "the other side decodes twice; decode once, then escape",
    /// The other side takes an escaped slash for a slash.
    EscapedSlash "escaped-slash" "4"
        "the other side makes a slash of %2F in the path; keep it escaped",
    /// The other side writes decoded text.
    NotEncoded "not-encoded" "3"
        "the other side writes decoded text; escape every byte that is not unreserved",
    /// The other side writes escapes in lower case.
    LowerCaseEscapes "lower-case-escapes" "3"
        "the other side writes escapes in lower case; write their digits in upper case",
    /// The other side leaves bytes unescaped that are not unreserved.
    ReservedKept "reserved-kept" "3"
        "the other side leaves bytes unescaped that are not unreserved; escape all but `A-Z a-z 0-9 - . _ ~`",
    /// The other side escapes unreserved bytes.
    UnreservedEncoded "unreserved-encoded" "3"
        "the other side escapes an unreserved byte; leave `- . _ ~` as they are",
    /// The other side does not join parameters of one name.
    ParametersNotJoined "parameters-not-joined" "5.3"
        "the other side has several parameters of one name; join their values by a comma, which becomes %2C",
    /// The other side does not sort the parameters.
    ParametersNotSorted "parameters-not-sorted" "5.4"
        "the other side does not sort the parameters; sort them by their escaped names, byte by byte",
    /// The other side signs one of several parameters of a name.
    OneParameterOfMany "one-parameter-of-many" "5.3"
        "the other side signs one of several parameters of a name; join the values of all of them by a comma",
    /// The other side writes a parameter without value without `=`.
    EqualsMissing "equals-missing" "5.1"
        "the other side writes no `=` after a parameter without value; write it",
    /// The other side drops parameters that have no value.
    EmptyParametersDropped "empty-parameters-dropped" "5.1"
        "the other side drops parameters without value; they are signed with an empty value",
    /// The other side normalises the path.
    PathNormalised "path-normalised" "4"
        "the other side normalises the path; `//`, `.` and `..` stay, and so does the last slash",
    /// The other side signs the path as it stands.
    PathAsItStands "path-as-it-stands" "4"
        "the other side signs the path as it stands; decode and escape each segment",
    /// The other side signs the query as it stands.
    QueryAsItStands "query-as-it-stands" "5"
        "the other side signs the query as it stands; decode, join, escape and sort its parameters",
    /// The other side signs the whole target as the path.
    TargetAsPath "target-as-path" "4"
        "the other side signs scheme, authority or query as part of the path; the path goes from the first `/` after the authority to the `?`",
    /// The frame has a field that the other side did not sign.
    FieldAdded "field-added" "6"
        "the frame has a field that the other side did not sign; a proxy or client added it afterwards: remove it, or sign it",
    /// The frame lacks a field that the other side signed.
    FieldDropped "field-dropped" "6"
        "the frame lacks a field that the other side signed; a proxy or client dropped it, or adds it later: keep it, or do not sign it",
    /// A field has another value than the other side signed.
    FieldRewritten "field-rewritten" "6"
        "a field has another value than the other side signed; a proxy or client rewrote it, or the other side changes it: sign the value that arrives",
    /// The frame has a parameter that the other side did not sign.
    ParameterAdded "parameter-added" "5"
        "the frame has a parameter that the other side did not sign; it was added afterwards: sign the target that is sent",
    /// The other side signs no query.
    QueryNotSigned "query-not-signed" "5"
        "the other side signs no query; sign the parameters of the target",
    /// The other side signs no fields.
    FieldsNotSigned "fields-not-signed" "6"
        "the other side signs none or only some of the fields; sign every field of the frame",
    /// The other side signed before the fields of a signed frame were added.
    SigningFieldsNotSigned "signing-fields-not-signed" "9"
        "the other side signs before it adds access key, date and time; add them first, then sign",
    /// The other side hashes the payload as if it were empty.
    PayloadNotSigned "payload-not-signed" "2"
        "the other side hashes no payload; hash the bytes of the payload as they are sent",
    /// The body of one side has one line end more at its end.
    BodyTrailingLineEnd "body-trailing-line-end" "2"
        "the payloads differ in a line end at their end; hash the payload exactly as it is sent",
    /// The line ends of the body differ.
    BodyLineEnds "body-line-ends" "2"
        "the line ends of the payloads differ; hash and send the same bytes, without a change of line ends",
    /// A proxy removed or added the start of the path.
    PathPrefix "path-prefix" "4"
        "the paths differ in their start; a proxy removes or adds a prefix: sign the path that arrives",
    /// The method is another one.
    MethodRewritten "method-rewritten" "2"
        "the methods differ, case counts; sign the method that is sent",
    /// The path is another one, by none of the other repairs.
    PathRewritten "path-rewritten" "4"
        "the paths differ, and nothing else; sign the path that arrives",
    /// The query is another one, by none of the other repairs.
    QueryRewritten "query-rewritten" "5"
        "the queries differ, and nothing else; sign the query that arrives",
    /// The payload is another one, by none of the other repairs.
    PayloadRewritten "payload-rewritten" "2"
        "the payload hashes differ, and nothing else; hash the bytes that are sent, after every coding",
    /// The date is the day before or after.
    OtherDay "other-day" "2"
        "the other side derives its key for the day before or after; both have to use the day of the signature in UTC",
    /// The date is written in another form.
    DateForm "date-form" "1"
        "the other side writes the date in another form; write it as YYYYMMDD",
    /// A raw digest goes into a step that takes hexadecimal text.
    RawDigest "raw-digest" "2"
        "the other side takes the raw digest for the next step; take its 64 hexadecimal digits as text",
    /// An upper-case hexadecimal text goes into the next step.
    UpperCaseKey "upper-case-key" "2"
        "the other side takes upper-case hex for the next step; write every hex in lower case",
    /// The secret key has a line end or blanks at its ends, on one side alone.
    SecretBlanks "secret-blanks" "1"
        "the secret key has a line end, blanks or quotes around it on one side; remove them",
    /// The access key has a line end or blanks at its ends, on one side alone.
    AccessKeyBlanks "access-key-blanks" "1"
        "the access key has a line end, blanks or quotes around it on one side; remove them",
    /// Access key and secret key are swapped.
    KeysSwapped "keys-swapped" "2"
        "access key and secret key are swapped on one side; swap them back",
    /// The steps of the derivation are in another order.
    StepsSwapped "steps-swapped" "2"
        "the other side takes date and access key in another order, or key for message; follow the order of the protocol",
}

impl Repair {
    /// The side that has to change, unless a candidate says another one.
    pub(super) const fn side(self) -> Side {
        match self {
            Self::JoinedInOtherOrder
            | Self::BodyTrailingLineEnd
            | Self::BodyLineEnds
            | Self::FieldAdded
            | Self::FieldDropped
            | Self::FieldRewritten
            | Self::ParameterAdded
            | Self::PathPrefix
            | Self::MethodRewritten
            | Self::PathRewritten
            | Self::QueryRewritten
            | Self::PayloadRewritten => Side::Between,
            _ => Side::Theirs,
        }
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The side that has to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Side {
    /// The side that has the frame and asks.
    Ours,
    /// The other side, which the evidence is from.
    Theirs,
    /// What stands between the two: a proxy, or the client that sends what was signed.
    Between,
}

impl Side {
    /// The name in lower case: `ours`, `theirs` or `between`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Between => "between",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
