//! How many times as fast sha256-multi hashes messages side by side as StringZilla's lanes do.
//!
//! `cargo bench` in this folder prints a line for each; a word behind `--` chooses some.

use sha256_multi::{Digest, Engine};
use stringzilla::{stringzilla as sz, sz::Sha256};

#[path = "../../support"]
mod support {
    pub(crate) mod paired;
    pub(crate) mod workload;
}

use support::{
    paired::Paired,
    workload::{KIB, Workload},
};

fn main() {
    let paired = Paired::from_args();
    let engine = Engine::detect();
    for messages in [1, 2, 3, 4, 8, 15, 16, 17, 64] {
        for piece in [64, KIB, 16 * KIB, 64 * KIB] {
            let equal = Workload::new(vec![piece; messages], piece);
            let lengths = (1..=messages).map(|i| (piece * i).div_ceil(messages));
            let different = Workload::new(lengths, piece);
            for (name, workload) in [("equal", equal), ("different", different)] {
                let name = format!("{name}/{messages}x{piece}B");
                let (over, under) = (|| stringzilla(&workload), || workload.multi(engine));
                paired.ratio(&name, None, over, under);
            }
        }
    }
}

fn stringzilla(workload: &Workload) -> Vec<Digest> {
    let mut states = vec![Sha256::new(); workload.messages.len()];
    for pieces in workload.turns() {
        let pieces: Vec<_> = pieces.collect();
        sz::sha256_multistate_update(&mut states, &pieces).expect("a piece for each state");
    }
    let mut digests = vec![[0; 32]; states.len()];
    sz::sha256_multistate_digest(&states, &mut digests).expect("a digest for each state");
    digests
}
