//! Finds the lines of a head, looking at each byte once however the head was cut.

use super::{rules::Rules, span::Span};
use crate::error::{ErrorKind, Expected, Found, FrameError};

/// The search for line ends (protocol rows 7.1, 7.2 and 7.23).
///
/// ```text
///   head:  G E T … CR LF H o s t : …
///                        │       └ seen: nothing before it ends the line
///                        └ start of the line that is being searched
/// ```
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    start: usize,
    seen: usize,
}

impl Lines {
    /// The next line of `head`, without its end; `None` until its end has arrived.
    ///
    /// A CR that is the last byte so far is looked at again, since what follows decides.
    #[inline]
    pub(crate) fn next(&mut self, head: &[u8], rules: &Rules) -> Result<Option<Span>, FrameError> {
        let limit = head.len().min(rules.head_limit());
        let window = head.get(..limit).unwrap_or_default();
        let unseen = window.get(self.seen..).unwrap_or_default();
        let Some(found) = memchr::memchr2(b'\r', b'\n', unseen) else {
            self.seen = limit;
            return wait(head, rules);
        };
        let end = self.seen + found;
        let after = if unseen.get(found) == Some(&b'\n') {
            if rules.is_strict() {
                return Err(bare_lf(end));
            }
            end + 1
        } else {
            match window.get(end + 1) {
                Some(b'\n') => end + 2,
                Some(&other) => return Err(bare_cr(end, other)),
                None => {
                    self.seen = end;
                    return wait(head, rules);
                }
            }
        };
        let line = Span::new(self.start, end);
        self.start = after;
        self.seen = after;
        Ok(Some(line))
    }

    /// Where the line after the last one that was found begins.
    pub(crate) fn position(&self) -> usize {
        self.start
    }
}

/// Nothing yet, unless the head is too large already.
fn wait(head: &[u8], rules: &Rules) -> Result<Option<Span>, FrameError> {
    let limit = rules.head_limit();
    if head.len() <= limit {
        return Ok(None);
    }
    let expected = Expected::Count(limit as u64, "bytes of head at the most");
    Err(FrameError::new(ErrorKind::HeadTooLarge, limit, expected, Found::Text("more")))
}

#[cold]
fn bare_lf(at: usize) -> FrameError {
    let expected = Expected::Text("CR LF at the end of a line");
    FrameError::new(ErrorKind::BareLf, at, expected, Found::Text("LF alone"))
}

#[cold]
fn bare_cr(at: usize, next: u8) -> FrameError {
    let expected = Expected::Text("LF after CR");
    FrameError::new(ErrorKind::BareCr, at + 1, expected, Found::Byte(next))
}
