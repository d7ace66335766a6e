//! Signed frames that are sent again, to whichever replica the balancer chooses.

use std::{net::SocketAddr, sync::Arc};

use tokio::runtime::{Builder, Runtime};

use super::{check, show};
use crate::{
    Result,
    replay::{
        racers::{ACCESS_KEY, Addresses, Frames, SECRET_KEY, accepted_again},
        redis::Redis,
    },
};

/// The frames of each check.
const FRAMES: usize = 100;

/// The times that each of them is sent.
const TIMES: usize = 4;

/// The store that the replicas share, and what was accepted so far.
pub(super) struct Once {
    redis: Redis,
    frames: Frames,
    accepted: Vec<Arc<[u8]>>,
    runtime: Runtime,
}

impl Once {
    pub(super) fn start() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (redis, frames) = (Redis::start(&[])?, Frames::new()?);
        Ok(Self { redis, frames, accepted: Vec::new(), runtime })
    }

    /// What a replica is told.
    pub(super) fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("FRAMESIGN_ACCESS_KEY", ACCESS_KEY.into()),
            ("FRAMESIGN_SECRET_KEY", SECRET_KEY.into()),
            ("FRAMESIGN_REPLAY", self.redis.url()),
            ("FRAMESIGN_REPLAY_OUTAGE", "refuse".into()),
        ]
    }

    /// Sends new frames several times through the balancer, and all that were accepted before once
    /// more: each new one is accepted once, and no other.
    pub(super) fn check(&mut self, balancer: SocketAddr) -> Result {
        let balancer = Addresses::new([balancer]);
        let frames = (0..FRAMES).map(|_| self.frames.next()).collect::<Result<Vec<_>>>()?;
        let mut accepted = [0; TIMES];
        for accepted in &mut accepted {
            *accepted = accepted_again(&self.runtime, &balancer, &frames)?;
        }
        let again = accepted_again(&self.runtime, &balancer, &self.accepted)?;
        show(&format!(
            "    {FRAMES} frames, each sent {TIMES} times: accepted {accepted:?}; \
             {again} of {} from before",
            self.accepted.len()
        ));
        self.accepted.extend(frames);
        let expected = [FRAMES, 0, 0, 0];
        check(accepted == expected && again == 0, "each frame to be accepted once")
    }
}
