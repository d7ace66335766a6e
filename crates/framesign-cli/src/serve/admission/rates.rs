//! Limits how many requests of a caller come in a time.

use std::time::{Duration, Instant};

#[cfg(feature = "replay-redis")]
use framesign::replay::{Outage, RedisRates};
#[cfg(feature = "replay-redis")]
use tracing::warn;

#[cfg(feature = "replay-redis")]
use crate::serve::admission::caller_rate::Rate;
use crate::serve::admission::callers::Caller;

/// Where requests are counted.
#[derive(Debug, Default)]
pub(crate) enum Rates {
    /// In each process by itself.
    #[default]
    Local,
    /// In the store that replicas share. While that is away, requests are refused or each process counts
    /// by itself.
    #[cfg(feature = "replay-redis")]
    Shared(RedisRates, Outage),
}

/// Why a request is not within the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// There is room again after this time.
    Until(Duration),
    /// The store cannot be asked.
    #[cfg(feature = "replay-redis")]
    Unknown,
}

impl Rates {
    /// Counts a request of `caller`, if it has a rate and is within it.
    #[cfg_attr(
        not(feature = "replay-redis"),
        expect(clippy::unused_async, reason = "only a store that is elsewhere is waited for")
    )]
    pub(crate) async fn check(&self, caller: &Caller) -> Result<(), Excess> {
        let Some(rate) = caller.rate else { return Ok(()) };
        match self {
            Self::Local => caller.local_rate.acquire(rate, Instant::now()).map_err(Excess::Until),
            #[cfg(feature = "replay-redis")]
            Self::Shared(rates, outage) => shared(rates, *outage, caller, rate).await,
        }
    }
}

#[cfg(feature = "replay-redis")]
async fn shared(
    rates: &RedisRates,
    outage: Outage,
    caller: &Caller,
    rate: Rate,
) -> Result<(), Excess> {
    let name = &*caller.name;
    let over_all = framesign::replay::Rate { interval: rate.interval(), burst: rate.burst };
    match rates.acquire(name, over_all).await {
        Ok(None) => Ok(()),
        Ok(Some(pause)) => Err(Excess::Until(pause)),
        Err(error) if outage == Outage::Accept => {
            warn!(%error, caller = name, "a request was counted without the store of rates");
            // By this process alone, so that to bring Redis down is no way around the rate.
            caller.local_rate.acquire(rate, Instant::now()).map_err(Excess::Until)
        }
        Err(error) => {
            warn!(%error, caller = name, "a request was not taken without the store of rates");
            Err(Excess::Unknown)
        }
    }
}
