//! The uploads as the model has them: what is there, and what an operation makes of it.

use std::collections::BTreeMap;

use framesign::PayloadHash;

use super::operation::{Client, Creation, Offset, Part};

/// The limits of the service, which the model keeps to by itself.
pub(crate) const MAX_SIZE: usize = 20_000;
pub(crate) const MAX_PART: usize = 8_000;
pub(crate) const MAX_PARTS: u32 = 6;
pub(crate) const MAX_AGE: u64 = 40_000;
pub(crate) const KEEP_COMPLETED: u64 = 5_000;

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// So many bytes are there.
    Open(usize),
    Complete(usize),
    /// It was cancelled or failed, or it expired.
    Gone,
}

/// An upload whose path a client knows.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) path: String,
    pub(crate) owner: Client,
    pub(crate) name: String,
    /// Says which bytes it has.
    pub(crate) number: usize,
    pub(crate) phase: Phase,
    created: u64,
    ended: u64,
    parts: u32,
    length: Option<usize>,
    claimed: Option<usize>,
}

/// What is to come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken,
    Refused,
}

/// All that is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) uploads: Vec<Upload>,
    /// The files that are visible, byte by byte.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Seconds since the beginning.
    pub(crate) now: u64,
    /// How many creations there were, so that each has bytes of its own.
    pub(crate) creations: usize,
}

/// The bytes of an upload, from its first one on.
pub(crate) fn bytes(number: usize, len: usize) -> Vec<u8> {
    let byte = |at: usize| (at.wrapping_mul(167) >> 2).wrapping_add(number * 31).to_le_bytes()[0];
    (0..len).map(byte).collect()
}

/// The distance that a byte names: 1 to 8 for most bytes, further for those from 248 on.
fn near(by: u8) -> usize {
    match by {
        0..248 => usize::from(by % 8) + 1,
        248.. => usize::from(by),
    }
}

/// The hash of a whole as Repr-Digest claims it.
pub(crate) fn claim(number: usize, len: usize) -> String {
    PayloadHash::of(&bytes(number, len)).content_digest()
}

impl State {
    /// The bytes that a part has.
    pub(crate) fn content(upload: &Upload, part: &Part) -> Vec<u8> {
        let offset = match upload.phase {
            Phase::Open(offset) | Phase::Complete(offset) => offset,
            Phase::Gone => 0,
        };
        let whole = bytes(upload.number, offset + usize::from(part.content));
        whole[offset..].to_vec()
    }

    /// The offset that a part says it has.
    pub(crate) fn offset(upload: &Upload, part: &Part) -> usize {
        let (Phase::Open(offset) | Phase::Complete(offset)) = upload.phase else { return 0 };
        match part.offset {
            Offset::OfTheUpload => offset,
            Offset::Ahead(by) => offset + near(by),
            Offset::Behind(by) => offset.saturating_sub(near(by)),
            Offset::Zero => 0,
        }
    }

    /// Time passes: uploads that are too old are gone.
    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now += seconds;
        for upload in &mut self.uploads {
            let is_old = upload.created + MAX_AGE <= self.now;
            if matches!(upload.phase, Phase::Open(_)) && is_old {
                upload.phase = Phase::Gone;
            }
        }
    }

    /// The sweeper forgets results that were kept long enough.
    pub(crate) fn sweep(&mut self) {
        for upload in &mut self.uploads {
            let is_old = upload.ended + KEEP_COMPLETED <= self.now;
            if matches!(upload.phase, Phase::Complete(_)) && is_old {
                upload.phase = Phase::Gone;
            }
        }
    }

    /// A creation that comes whole. `path` is where the rest of it goes, if it is not the last part.
    pub(crate) fn create(&mut self, creation: &Creation, number: usize, path: &str) -> Answer {
        let name = file_name(creation.name);
        let content = usize::from(creation.content);
        let of_content = creation.is_last.then_some(content);
        let Ok(length) = agreed(creation.length.map(usize::from), of_content) else {
            return Answer::Refused;
        };
        let is_short = length.is_some_and(|length| length < content);
        let is_large = content > MAX_PART || length.unwrap_or(content) > MAX_SIZE;
        if creation.by == Client::Mallory || is_short || is_large || self.files.contains_key(&name)
        {
            return Answer::Refused;
        }
        let mut upload = Upload {
            path: path.to_owned(),
            owner: creation.by,
            name,
            number,
            phase: Phase::Open(content),
            created: self.now,
            ended: self.now,
            parts: u32::from(content > 0),
            length,
            claimed: creation.claimed.map(usize::from),
        };
        if creation.is_last {
            return self.complete(&mut upload, content);
        }
        self.uploads.push(upload);
        Answer::Taken
    }

    /// A part that comes whole.
    pub(crate) fn append(&mut self, index: usize, part: &Part) -> Answer {
        let mut upload = self.uploads[index].clone();
        let (said, content) = (Self::offset(&upload, part), usize::from(part.content));
        if part.by != upload.owner {
            return Answer::Refused;
        }
        let offset = match upload.phase {
            Phase::Gone => return Answer::Refused,
            Phase::Open(offset) => offset,
            Phase::Complete(offset) => {
                // The last part may come again, empty, if its answer was lost.
                let is_again = said == offset && part.is_last && content == 0;
                return if is_again { Answer::Taken } else { Answer::Refused };
            }
        };
        let end = offset + content;
        let Ok(length) = agreed(upload.length, part.is_last.then_some(end)) else {
            return Answer::Refused;
        };
        let is_long = length.is_some_and(|length| length < end);
        let is_large = content > MAX_PART || length.unwrap_or(end) > MAX_SIZE;
        let is_one_too_many = content > 0 && upload.parts >= MAX_PARTS;
        if said != offset || is_long || is_large || is_one_too_many {
            return Answer::Refused;
        }
        upload.parts += 1;
        upload.length = length;
        upload.phase = Phase::Open(end);
        let answer = if part.is_last { self.complete(&mut upload, end) } else { Answer::Taken };
        self.uploads[index] = upload;
        answer
    }

    /// The last part is there: the upload becomes a file, unless it is not what was claimed or there
    /// is a file of its name.
    fn complete(&mut self, upload: &mut Upload, len: usize) -> Answer {
        let is_other = upload.claimed.is_some_and(|claimed| claimed != len);
        if is_other || self.files.contains_key(&upload.name) {
            upload.phase = Phase::Gone;
            return Answer::Refused;
        }
        upload.phase = Phase::Complete(len);
        upload.ended = self.now;
        self.files.insert(upload.name.clone(), bytes(upload.number, len));
        Answer::Taken
    }

    pub(crate) fn head(&self, index: usize, by: Client) -> Answer {
        let upload = &self.uploads[index];
        let is_there = upload.phase != Phase::Gone && upload.owner == by;
        if is_there { Answer::Taken } else { Answer::Refused }
    }

    /// A file that is there stays.
    pub(crate) fn cancel(&mut self, index: usize, by: Client) -> Answer {
        let answer = self.head(index, by);
        if answer == Answer::Taken {
            self.uploads[index].phase = Phase::Gone;
        }
        answer
    }
}

pub(crate) fn file_name(name: u8) -> String {
    format!("file-{}", name % 3)
}

/// The length of the whole, if what is said of it agrees.
fn agreed(first: Option<usize>, second: Option<usize>) -> Result<Option<usize>, ()> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => Err(()),
        (first, second) => Ok(first.or(second)),
    }
}
