//! Options that several commands share.

pub(crate) mod frame;
pub(crate) mod keys;
pub(crate) mod policy;
pub(crate) mod reading;
#[cfg(feature = "serve")]
pub(crate) mod seconds;
