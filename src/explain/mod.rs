//! Shows how a frame became its canonical request, and why the other side has another signature.
//!
//! Pure functions of bytes, for people who look for the reason why two signatures differ. None of it
//! is on the way of a frame that is signed or verified.
//!
//! - [`Explanation`]: a frame with its bytes marked, and its canonical request as [`Piece`]s, each
//!   with the bytes that it came from and the [`Rule`] that made it so.
//! - [`differences`]: the lines in which two canonical requests differ.
//! - [`find_cause`]: the single [`Repair`] that makes both sides equal.
//!
//! ```
//! use framesign::{Rules, explain::{Case, Evidence, Explanation, Repair, find_cause}};
//!
//! let frame = b"GET /find?q=a+b HTTP/1.1\r\nHost: test.com\r\n\r\n";
//! let case = Case::new(frame, Rules::strict());
//! let explanation = Explanation::new(&case)?;
//! let ours = explanation.canonical_request();
//! assert!(ours.starts_with(b"GET\n/find\nq=a%20b\nhost:test.com\n\n"));
//!
//! let theirs = String::from_utf8_lossy(ours).replace("%20", "+");
//! let cause = find_cause(&case, &Evidence::parse(theirs.as_bytes()))?.expect("a known fault");
//! assert_eq!(cause.repair, Repair::SpaceAsPlus);
//! println!("{cause}");
//! # Ok::<(), framesign::FrameError>(())
//! ```

mod case;
mod cause;
mod differences;
mod evidence;
mod explanation;
mod mark;
mod piece;
mod reading;
mod rule;
mod trace;

pub use self::case::Case;
pub use self::cause::{Cause, Repair, Side, find_cause};
pub use self::differences::{Difference, differences};
pub use self::evidence::Evidence;
pub use self::explanation::Explanation;
pub use self::mark::{Mark, MarkKind};
pub use self::piece::Piece;
pub use self::rule::Rule;
