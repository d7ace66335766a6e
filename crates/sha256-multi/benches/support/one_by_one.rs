//! The same messages, hashed one after the other by `sha2`.

use sha2::{Digest as _, Sha256};
use sha256_multi::Digest;

use super::workload::Workload;

/// One message after the other, each in its pieces.
pub(crate) fn sha2(workload: &Workload) -> Vec<Digest> {
    let hash = |message: &Vec<u8>| {
        let mut hasher = Sha256::new();
        message.chunks(workload.piece).for_each(|piece| hasher.update(piece));
        hasher.finalize().into()
    };
    workload.messages.iter().map(hash).collect()
}
