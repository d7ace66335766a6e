//! What clients do with uploads, and what becomes of it on the way.

use arbitrary::Arbitrary;

/// A request, the time that passes, or the sweeper; and the fault that it meets.
#[derive(Arbitrary, Clone, Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) crash: Option<Crash>,
    /// Which of two processes gets it.
    pub(crate) replica: bool,
}

/// From a call to the objects on none succeeds; then the process is started again.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) struct Crash {
    pub(crate) call: u8,
    /// The call does what it is asked for, and its answer is lost.
    pub(crate) is_answer: bool,
}

#[derive(Arbitrary, Clone, Debug)]
pub(crate) enum Operation {
    Create(Creation),
    Append(Part),
    Head { upload: u8, by: Client },
    Cancel { upload: u8, by: Client },
    Sweep,
    Wait { seconds: u16 },
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Alice,
    Bob,
    /// Says that it is Alice, and has another secret.
    Mallory,
}

#[derive(Arbitrary, Clone, Debug)]
pub(crate) struct Creation {
    pub(crate) by: Client,
    /// One of a few, so that two want the same.
    pub(crate) name: u8,
    pub(crate) content: u16,
    pub(crate) is_last: bool,
    /// The length of the whole that the request tells.
    pub(crate) length: Option<u16>,
    /// The length of the whole whose hash the request claims.
    pub(crate) claimed: Option<u16>,
    pub(crate) damage: Damage,
}

#[derive(Arbitrary, Clone, Debug)]
pub(crate) struct Part {
    pub(crate) upload: u8,
    pub(crate) by: Client,
    pub(crate) offset: Offset,
    pub(crate) content: u16,
    pub(crate) is_last: bool,
    pub(crate) damage: Damage,
}

/// The offset that a part says it has: by a few bytes another one, most often, since bounds are missed
/// by one.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(crate) enum Offset {
    OfTheUpload,
    Ahead(u8),
    Behind(u8),
    Zero,
}

/// What becomes of a request on its way.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    None,
    /// A byte of the content is another one.
    OtherByte(u8),
    /// The last byte of the content is missing.
    Cut,
    /// A byte follows the content.
    Longer,
    /// It comes a second time.
    Twice,
}

impl Damage {
    /// Whether the content that comes is another than what was signed. One that is empty stays so.
    pub(crate) fn is_noticed(self, content: &[u8]) -> bool {
        matches!(self, Self::OtherByte(_) | Self::Cut | Self::Longer) && !content.is_empty()
    }

    /// The content that comes.
    pub(crate) fn apply(self, content: &[u8]) -> Vec<u8> {
        let mut content = content.to_vec();
        let Some(last) = content.len().checked_sub(1) else { return content };
        match self {
            Self::None | Self::Twice => {}
            Self::OtherByte(at) => content[usize::from(at) % (last + 1)] ^= 1,
            Self::Cut => content.truncate(last),
            Self::Longer => content.push(0),
        }
        content
    }
}
