//! Uploads in signed parts that survive a break.
//!
//! A file goes in parts. Each part is an ordinary signed request of `framesign`, so a sender reads
//! it once, does not need to know its length before, and after a break goes on where the server is.
//! The wire form is "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload, the text
//! after number 11, interop version 8). `docs/uploads.md` of the source draws the exchange, and says
//! what happens when what fails.
//!
//! ```text
//! POST /files/backup.tar   Upload-Complete: ?0                    ──► 201, Location: /uploads/ID
//! PATCH /uploads/ID        Upload-Offset: 0, Upload-Complete: ?0  ──► 204, Upload-Offset: 16777216
//! HEAD /uploads/ID         after a break                          ──► 204, Upload-Offset: 16777216
//! PATCH /uploads/ID        … Upload-Complete: ?1                  ──► 201, Location: /files/backup.tar
//! ```
//!
//! # Features
//!
//! - `server`, on by default: [`server`], a tower service over a store, with a local directory as
//!   the store.
//! - `client`: [`client`], which sends files and streams through any client of HTTP that is a tower
//!   service.
//! - `s3`, `gcs`, `azure`: a store of objects there. `objects` is what they share.
//! - Without any: [`fields`], which both sides write and read.

#[cfg(feature = "client")]
pub mod client;
pub mod fields;
#[cfg(feature = "server")]
pub mod server;
