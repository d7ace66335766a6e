//! What Content-Digest claims.

use sha2::{Digest, Sha256};

/// The value of Content-Digest that claims `payload` (RFC 9530, RFC 4648 section 4).
pub fn content_digest(payload: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    let hash = Sha256::digest(payload);
    let groups = hash.chunks(3).flat_map(|group| {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        let digit = move |at: usize| char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
        (0..4).map(move |at| if at <= group.len() { digit(at) } else { '=' })
    });
    format!("sha-256=:{}:", groups.collect::<String>())
}
