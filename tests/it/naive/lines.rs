//! Rows 7.1, 7.2, 7.22 and 7.23: the lines of a head.

use super::{Mutation, Refused, Settings, refused};

/// A line without its end, and where in the frame it begins.
pub(crate) struct Line {
    pub(crate) start: usize,
    pub(crate) text: Vec<u8>,
}

/// The lines of a frame, one after another.
pub(crate) struct Lines<'a> {
    settings: &'a Settings,
    frame: &'a [u8],
    /// Where the next line begins.
    pub(crate) at: usize,
    /// An error that a mutation puts off.
    later: Option<Refused>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(settings: &'a Settings, frame: &'a [u8]) -> Self {
        Self { settings, frame, at: 0, later: None }
    }

    /// The next line. Nothing in it is looked at before its end is found.
    pub(crate) fn next(&mut self) -> Result<Line, Refused> {
        if let Some(later) = self.later.take() {
            return Err(later);
        }
        let start = self.at;
        let limit = self.limit().min(self.frame.len());
        let readable = &self.frame[start..limit];
        let mut from = 0;
        loop {
            let Some(found) = readable[from..].iter().position(|b| b"\r\n".contains(b)) else {
                return self.unfinished(start);
            };
            let (text, rest) = readable.split_at(from + found);
            let line = Line { start, text: text.to_vec() };
            let end = start + text.len();
            let after = match rest {
                [b'\r', b'\n', ..] => end + 2,
                [b'\r', b'\r', b'\n', ..] if self.settings.has(Mutation::CrCrLfEndsALine) => {
                    end + 3
                }
                [b'\r', _, ..] if self.settings.has(Mutation::BareCrEndsALine) => end + 1,
                [b'\r', _, ..] if self.settings.has(Mutation::BareCrIsKept) => {
                    from += found + 1;
                    continue;
                }
                [b'\r', ..] if rest.len() > 1 => return self.end_is(line, "bare-cr", end + 1), // 7.2
                [b'\r'] => return self.unfinished(start),
                _ if self.accepts_bare_lf(&line) => end + 1, // 7.1
                _ => return self.end_is(line, "bare-lf", end), // 7.1
            };
            self.at = after;
            return Ok(line);
        }
    }

    fn accepts_bare_lf(&self, line: &Line) -> bool {
        let is_leading =
            self.frame[..line.start + line.text.len()].iter().all(|b| b"\r\n".contains(b));
        is_leading && self.settings.has(Mutation::LeadingBareLfAcceptedStrictly)
            || !self
                .settings
                .holds_strictly(Mutation::BareLfAcceptedStrictly, Mutation::BareLfRefusedLeniently)
    }

    /// A line whose end is wrong.
    fn end_is(&mut self, line: Line, kind: &'static str, offset: usize) -> Result<Line, Refused> {
        if self.settings.has(Mutation::LineEndsJudgedLast) {
            self.later = refused::<Line>(kind, offset).err();
            return Ok(line);
        }
        refused(kind, offset)
    }

    /// A line whose end is not there, or not within the limit.
    fn unfinished(&mut self, start: usize) -> Result<Line, Refused> {
        let (len, limit) = (self.frame.len(), self.limit());
        let is_at_limit = len == limit && self.settings.has(Mutation::HeadCutAtTheLimitIsTooLarge);
        if len > limit || is_at_limit {
            return refused("head-too-large", limit); // 7.23
        }
        if self.frame.ends_with(b"\r") && self.settings.has(Mutation::LastCrIsBare) {
            return refused("bare-cr", len);
        }
        let rest = &self.frame[start..];
        let has_begun = self.frame.iter().any(|b| !b"\r\n".contains(b));
        if self.settings.has(Mutation::EndOfInputEndsTheHead) && rest.is_empty() && has_begun {
            return Ok(Line { start, text: Vec::new() });
        }
        if self.settings.has(Mutation::CutLineIsJudged) && !rest.is_empty() {
            self.later = refused::<Line>("truncated-head", len).err();
            return Ok(Line { start, text: rest.to_vec() });
        }
        refused("truncated-head", len) // 7.22
    }

    fn limit(&self) -> usize {
        let max = self.settings.max_head;
        let leading = self.frame.iter().take_while(|b| b"\r\n".contains(b)).count();
        match self.settings {
            s if s.has(Mutation::HeadOfTheLimitIsTooLarge) => max - 1,
            s if s.has(Mutation::LeadingLinesDoNotCount) => max + leading,
            s if s.has(Mutation::LastLineDoesNotCount) => max + 2,
            _ => max,
        }
    }
}
