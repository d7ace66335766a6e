//! Reads one frame: from its input, with a look at the head, past the progress bar, to its hash.

use framesign::{FrameHasher, Head, Rules};

use crate::input::{failure::InputFailure, progress_bar::ProgressBar, read_ahead, source::Input};

/// Reads the frame of `input` to the end of the input; what is left to do is to finish it.
pub(crate) fn read(
    input: &Input,
    rules: &Rules,
    mut on_head: impl FnMut(Head<'_>),
) -> Result<FrameHasher, InputFailure> {
    let source = input.open()?;
    let mut progress = ProgressBar::new(input, source.len);
    let mut hasher = FrameHasher::new(rules.clone());
    read_ahead::for_each_chunk(source, |chunk| {
        if let Some(head) = hasher.update(chunk)?.head {
            on_head(head);
        }
        progress.advance(chunk.len(), hasher.progress());
        Ok::<_, InputFailure>(())
    })?;
    Ok(hasher)
}
