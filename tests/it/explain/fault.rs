//! The faults that another side may have, and the names of their causes.

/// A fault of the other side, or between both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    FieldAddedByProxy,
    FieldDroppedByProxy,
    HostRewritten,
    TypeRewritten,
    SpaceIsPlus,
    PlusIsPlus,
    EncodedTwice,
    CommaSpace,
    LinesNotJoined,
    LastLineOnly,
    SlashesMerged,
    DotsRemoved,
    Unsorted,
    NamesAsSent,
    CrLf,
    NewlineAtEnd,
    BodyNewline,
    BodyCrLf,
    BodyForgotten,
    HashUpper,
    ParametersUnsorted,
    ParametersNotJoined,
    ParameterAddedByProxy,
    LowerEscapes,
    EqualsForgotten,
    SlashDecoded,
    MethodLower,
    Yesterday,
    Tomorrow,
    DateKeyRaw,
    SigningKeyRaw,
    UpperSignature,
    UpperSteps,
    SecretNewline,
    SecretBlank,
    Swapped,
}

impl Fault {
    pub(crate) const ALL: [(Self, &str); 36] = [
        (Self::FieldAddedByProxy, "field-added"),
        (Self::FieldDroppedByProxy, "field-dropped"),
        (Self::HostRewritten, "field-rewritten"),
        (Self::TypeRewritten, "field-rewritten"),
        (Self::SpaceIsPlus, "space-as-plus"),
        (Self::PlusIsPlus, "plus-kept"),
        (Self::EncodedTwice, "double-encoded"),
        (Self::CommaSpace, "joined-with-space"),
        (Self::LinesNotJoined, "fields-not-joined"),
        (Self::LastLineOnly, "one-line-of-many"),
        (Self::SlashesMerged, "path-normalised"),
        (Self::DotsRemoved, "path-normalised"),
        (Self::Unsorted, "fields-not-sorted"),
        (Self::NamesAsSent, "names-not-lowered"),
        (Self::CrLf, "cr-lf-lines"),
        (Self::NewlineAtEnd, "trailing-line-end"),
        (Self::BodyNewline, "body-trailing-line-end"),
        (Self::BodyCrLf, "body-line-ends"),
        (Self::BodyForgotten, "payload-not-signed"),
        (Self::HashUpper, "upper-case-payload-hash"),
        (Self::ParametersUnsorted, "parameters-not-sorted"),
        (Self::ParametersNotJoined, "parameters-not-joined"),
        (Self::ParameterAddedByProxy, "parameter-added"),
        (Self::LowerEscapes, "lower-case-escapes"),
        (Self::EqualsForgotten, "equals-missing"),
        (Self::SlashDecoded, "escaped-slash"),
        (Self::MethodLower, "method-rewritten"),
        (Self::Yesterday, "other-day"),
        (Self::Tomorrow, "other-day"),
        (Self::DateKeyRaw, "raw-digest"),
        (Self::SigningKeyRaw, "raw-digest"),
        (Self::UpperSignature, "upper-case-hex"),
        (Self::UpperSteps, "upper-case-key"),
        (Self::SecretNewline, "secret-blanks"),
        (Self::SecretBlank, "secret-blanks"),
        (Self::Swapped, "keys-swapped"),
    ];

    /// Asks if a request cannot show both: one covers the other, or they change the same place.
    pub(crate) fn excludes(self, other: Self) -> bool {
        use Fault::*;
        let groups: [&[Fault]; 8] = [
            &[BodyForgotten, BodyNewline, BodyCrLf],
            &[Yesterday, Tomorrow],
            &[SecretNewline, SecretBlank, Swapped],
            &[LinesNotJoined, LastLineOnly, CommaSpace],
            &[SpaceIsPlus, PlusIsPlus],
            &[DateKeyRaw, UpperSteps],
            &[SigningKeyRaw, UpperSteps],
            &[SlashesMerged, DotsRemoved],
        ];
        self == other || groups.iter().any(|group| group.contains(&self) && group.contains(&other))
    }

    /// Asks if it only shows in the signature.
    pub(crate) fn is_of_keys(self) -> bool {
        use Fault::*;
        matches!(
            self,
            Yesterday
                | Tomorrow
                | DateKeyRaw
                | SigningKeyRaw
                | UpperSignature
                | UpperSteps
                | SecretNewline
                | SecretBlank
                | Swapped
        )
    }
}
