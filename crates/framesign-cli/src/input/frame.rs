//! Reads one frame: from its input, with a look at the head, past the progress bar, to its hash.

use framesign::{FrameHasher, Head, Rules, Update};

use crate::input::{failure::InputFailure, progress_bar::ProgressBar, read_ahead, source::Input};

/// Reads the frame of `input` to the end of the input; what is left to do is to finish it.
pub(crate) fn read(
    input: &Input,
    rules: &Rules,
    mut on_head: impl FnMut(Head<'_>),
) -> Result<FrameHasher, InputFailure> {
    read_whole(input, rules, |update| update.head.into_iter().for_each(&mut on_head))
}

/// Reads the frame as [`read`] does, with a look at its payload too.
pub(crate) fn read_whole(
    input: &Input,
    rules: &Rules,
    mut on_update: impl FnMut(Update<'_>),
) -> Result<FrameHasher, InputFailure> {
    let source = input.open()?;
    let mut progress = ProgressBar::new(input, source.len);
    let mut hasher = FrameHasher::new(rules.clone());
    read_ahead::for_each_chunk(source, |chunk| {
        on_update(hasher.update(chunk)?);
        progress.advance(chunk.len(), hasher.progress());
        Ok::<_, InputFailure>(())
    })?;
    Ok(hasher)
}
