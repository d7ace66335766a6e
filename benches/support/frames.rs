//! The protocol's three examples, and what hashing alone takes for each.

use sha2::block_api::compress256;

/// A frame that is signed whole.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) frame: &'static [u8],
    pub(crate) canonical_request: &'static [u8],
    pub(crate) signature: &'static str,
}

macro_rules! example {
    ($name:literal, $reading:literal) => {
        Example {
            name: $name,
            frame: include_bytes!(concat!("../../tests/vectors/protocol/", $name, "/frame.http")),
            canonical_request: include_bytes!(concat!(
                "../../tests/vectors/protocol/",
                $name,
                "/",
                $reading,
                ".canonical-request"
            )),
            signature: include_str!(concat!(
                "../../tests/vectors/protocol/",
                $name,
                "/",
                $reading,
                ".signature"
            )),
        }
    };
}

pub(crate) const EXAMPLES: [Example; 3] = [
    example!("example-1", "both"),
    example!("example-2", "both"),
    example!("example-3", "lenient"),
];

impl Example {
    /// The SHA-256 compressions that no implementation can do without: those of the canonical
    /// request, of the payload, and three of an HMAC whose key blocks are hashed beforehand.
    pub(crate) fn compressions(&self) -> usize {
        let payload = self.frame.len() - self.head_len();
        blocks(self.canonical_request.len()) + blocks(payload) + blocks(64) + blocks(32)
    }

    pub(crate) fn head_len(&self) -> usize {
        let end = self.frame.windows(4).position(|window| window == b"\r\n\r\n");
        end.map_or(self.frame.len(), |end| end + 4)
    }
}

/// The blocks of a message of `len` bytes: padding takes nine bytes more.
fn blocks(len: usize) -> usize {
    (len + 9).div_ceil(64)
}

/// The bare compressions and nothing else.
pub(crate) fn compress(blocks: &[[u8; 64]]) -> [u32; 8] {
    let mut state = [0; 8];
    compress256(&mut state, blocks);
    state
}
