//! Two clients that append to one upload at once, each to a replica of its own.

use std::net::SocketAddr;

use sha2::{Digest, Sha256};

use super::uploads::{PART, content};
use crate::{
    Result,
    parts::{Answer, Content, Sender},
};

/// The name of the file.
pub(crate) const NAME: &str = "race";

pub(crate) const ROUNDS: u64 = 10;

/// Sends two parts at once for each part of an upload. Returns its hash, which is that of the winners.
///
/// Of two exactly one counts, and the other one is answered with 409.
pub(crate) async fn run(addresses: [SocketAddr; 2]) -> Result<[u8; 32]> {
    let [mut one, mut other] = [Sender::new(addresses[0])?, Sender::new(addresses[1])?];
    let path = one.create(NAME).await?.location.ok_or("race: expected a location")?;
    let mut hash = Sha256::new();
    for round in 0..ROUNDS {
        let is_last = round + 1 == ROUNDS;
        let offset = round * PART as u64;
        let bytes = [1, 2].map(|client| content(u64::MAX / client - round, false));
        let [first, second] = [Content::new(&bytes[0]), Content::new(&bytes[1])];
        let (first, second) = tokio::join!(
            one.append(&path, offset, first, is_last),
            other.append(&path, offset, second, is_last)
        );
        let winner = winner(&[first?, second?], if is_last { 201 } else { 204 })?;
        hash.update(&bytes[winner]);
    }
    Ok(hash.finalize().into())
}

fn winner(answers: &[Answer; 2], counted: u16) -> Result<usize> {
    match [answers[0].status, answers[1].status] {
        [first, 409] if first == counted => Ok(0),
        [409, second] if second == counted => Ok(1),
        _ => Err(format!("race: expected one winner and 409, found {answers:?}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn winner_is_the_one_that_counts_beside_a_refusal() {
        let winner = |statuses: [u16; 2]| {
            winner(&statuses.map(|status| Answer { status, ..Answer::default() }), 204).ok()
        };
        assert_eq!([winner([204, 409]), winner([409, 204])], [Some(0), Some(1)]);
        for statuses in [[204, 204], [409, 409], [204, 503], [201, 409]] {
            assert_eq!(winner(statuses), None, "{statuses:?}");
        }
    }
}
