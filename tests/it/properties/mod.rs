//! What holds of every frame, right or wrong.
//!
//! Tests ask it of generated frames; the targets of `fuzz/` ask it of any bytes, by the function
//! `fuzz` that each module has. What an input of theirs consists of is said there.

#[cfg(feature = "http")]
pub(crate) mod bodies;
pub(crate) mod canonical;
#[cfg(feature = "codec")]
pub(crate) mod codec;
pub(crate) mod cuts;
#[cfg(feature = "explain")]
pub(crate) mod explain;
pub(crate) mod oracle;
pub(crate) mod strict_httparse;
#[cfg(all(feature = "codec", feature = "verify"))]
pub(crate) mod verifying;

use framesign::{Limits, Rules};

use crate::naive::{Reading, Settings};

/// The same settings in the library's words.
pub(crate) fn rules(settings: &Settings) -> Rules {
    let rules = match settings.reading {
        Reading::Strict => Rules::strict(),
        Reading::Lenient => Rules::lenient(),
    };
    rules.limits(limits(settings))
}

fn limits(settings: &Settings) -> Limits {
    let Settings { max_head, max_headers, methods, .. } = settings;
    let limits = Limits::default().max_head(*max_head).max_headers(*max_headers);
    methods.iter().fold(limits, |limits, method| limits.allow_method(method).unwrap())
}

/// Takes the settings off the front of an input: a byte, of which each of the low four bits turns
/// one of them, so that `0` reads strictly and `1` leniently, both with the default limits.
fn split_settings(input: &[u8]) -> Option<(Settings, &[u8])> {
    let (byte, rest) = input.split_first()?;
    let is = |bit: u8| byte & bit != 0;
    let mut settings = if is(1) { Settings::lenient() } else { Settings::strict() };
    let limit = usize::from(byte >> 4);
    if is(2) {
        settings.max_head = 16 * limit;
    }
    if is(4) {
        settings.max_headers = limit;
    }
    if is(8) {
        settings.methods.push("PATCH".to_owned());
    }
    Some((settings, rest))
}
