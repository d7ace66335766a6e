//! `framesign sign --payload-hash`: a head alone, whose payload is elsewhere.

use framesign::{ApiMisuse, FrameHasher, Head, PayloadHash, Rules, StringToSign};

use crate::input::{failure::InputFailure, read_ahead, source::Input};

/// Reads the head that `input` is, and nothing else. Returns what `on_head` made of it, and the string
/// to sign with a payload of this hash.
pub(super) fn read<T>(
    input: &Input,
    rules: &Rules,
    payload: PayloadHash,
    mut on_head: impl FnMut(Head<'_>) -> Result<T, InputFailure>,
) -> Result<(T, StringToSign), InputFailure> {
    let mut hasher = FrameHasher::new(rules.clone());
    let mut made = None;
    read_ahead::for_each_chunk(input.open()?, |chunk| {
        let update = hasher.update(chunk)?;
        let has_payload = !update.payload.is_empty();
        if let Some(head) = update.head {
            check_claim(head, payload)?;
            made = Some(on_head(head)?);
        }
        if has_payload {
            // Refuses it at once, however much there is.
            hasher.clone().finish_with(payload)?;
        }
        Ok::<_, InputFailure>(())
    })?;
    let string_to_sign = hasher.finish_with(payload)?;
    #[expect(clippy::expect_used, reason = "what has no whole head cannot be finished")]
    Ok((made.expect("the head is whole"), string_to_sign))
}

/// Refuses a head that claims another hash: no verifier would take the frame.
fn check_claim(head: Head<'_>, payload: PayloadHash) -> Result<(), InputFailure> {
    match head.content_digest() {
        Some(claimed) if claimed != payload => {
            Err(InputFailure::Unsignable(ApiMisuse::ContentDigest))
        }
        _ => Ok(()),
    }
}
