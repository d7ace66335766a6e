//! `framesign inspect`: a page on loopback that shows how a request is signed, and why two
//! signatures differ.
//!
//! ```text
//! pasted text ──► input ──► frame ──► explanation, cause ──► picture ──► page
//!                 frame,              of the library         JSON        HTML, CSS, script
//!                 curl, HAR                                              out of the binary
//! ```
//!
//! Nothing is stored, and nothing is fetched from elsewhere. Only who knows the token in the address
//! gets an answer, and only for a Host of loopback.

mod assets;
mod explain;
mod guard;
mod input;
mod inspector;
mod keys;
mod picture;
mod question;
mod routes;
pub(crate) mod server;
mod token;

pub(crate) use self::{inspector::Inspector, keys::KnownKeys, token::Token};
