//! The state that connections and requests share: settings, secrets, readiness, uploads; and reloading.

pub(crate) mod environment;
pub(crate) mod failure_log;
mod file_stamp;
mod frame_keys;
pub(crate) mod live_keys;
pub(crate) mod readiness;
pub(crate) mod reloadable;
pub(crate) mod replay;
pub(crate) mod secrets;
pub(crate) mod server_state;
pub(crate) mod service_state;
pub(crate) mod settings;
pub(crate) mod uploads;
pub(crate) mod warnings;
