//! Options that several commands share.

pub(crate) mod frame;
pub(crate) mod keys;
pub(crate) mod policy;
pub(crate) mod reading;
#[cfg(any(feature = "serve", feature = "upload"))]
pub(crate) mod seconds;
