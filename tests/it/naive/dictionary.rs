//! Section 9: the hash that Content-Digest claims, and RFC 8941 as far as it takes to read that.

use super::{Mutated, Mutation};

/// The claimed hash of these lines of Content-Digest.
pub(crate) fn claimed_hash(mutated: Mutated, lines: &[&[u8]]) -> Option<Vec<u8>> {
    let mut lines = lines.to_vec();
    if mutated.by(Mutation::FirstDigestLineCounts) {
        lines.truncate(1);
    }
    if mutated.by(Mutation::EmptyDigestLinesSkipped) {
        lines.retain(|line| !line.is_empty());
    }
    let joined = lines.join(&b", "[..]);
    if mutated.by(Mutation::DigestFoundAnywhere) {
        let marker = b"sha-256=:";
        let at = joined.windows(marker.len()).position(|text| text == marker)?;
        let bytes = joined[at + marker.len()..].split(|&b| b == b':').next()?;
        return decode_base64(mutated, bytes).filter(|hash| hash.len() == 32);
    }
    let members = read_dictionary(mutated, &joined)?;
    let is_named = |(key, _): &&(Vec<u8>, Item)| key == b"sha-256";
    let member = if mutated.by(Mutation::FirstDigestCounts) {
        members.iter().find(is_named)
    } else if mutated.by(Mutation::LastDigestOfBytesCounts) {
        members.iter().rfind(|member| is_named(member) && member.1 != Item::Other)
    } else {
        members.iter().rfind(is_named)
    };
    match member {
        Some((_, Item::Bytes(bytes))) if bytes.len() == 32 => Some(bytes.clone()),
        Some((_, Item::Bytes(bytes)))
            if bytes.len() > 32 && mutated.by(Mutation::LongDigestCut) =>
        {
            Some(bytes[..32].to_vec())
        }
        _ => None,
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Bytes(Vec<u8>),
    Other,
}

/// RFC 8941 section 4.2.2, on text without whitespace at its ends but for spaces.
fn read_dictionary(mutated: Mutated, text: &[u8]) -> Option<Vec<(Vec<u8>, Item)>> {
    let mut text = Text { mutated, rest: text };
    let mut members = Vec::new();
    text.skip(b" ");
    while !text.rest.is_empty() {
        let mut key = text.key()?;
        if mutated.by(Mutation::DigestNamesInAnyCase) {
            key.make_ascii_lowercase();
        }
        let item = if text.takes(b"=") { text.item_or_inner_list()? } else { Item::Other };
        let has_parameters = text.rest.starts_with(b";");
        text.parameters()?;
        let is_lost = has_parameters && mutated.by(Mutation::DigestWithParametersDoesNotCount);
        members.push((key, if is_lost { Item::Other } else { item }));
        text.skip(b" \t");
        if text.rest.is_empty() {
            break;
        }
        if !text.takes(b",") {
            return None;
        }
        text.skip(b" \t");
        if text.rest.is_empty() && !mutated.by(Mutation::TrailingCommaOfDigestsAccepted) {
            return None;
        }
    }
    Some(members)
}

/// What is left to be read.
struct Text<'a> {
    mutated: Mutated,
    rest: &'a [u8],
}

impl<'a> Text<'a> {
    fn skip(&mut self, bytes: &[u8]) {
        self.run(|b| bytes.contains(&b));
    }

    fn takes(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => self.rest = rest,
            None => return false,
        }
        true
    }

    fn run(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().take_while(|b| is_part(**b)).count();
        let (run, rest) = self.rest.split_at(len);
        self.rest = rest;
        run
    }

    fn key(&mut self) -> Option<Vec<u8>> {
        let any_case = self.mutated.by(Mutation::DigestNamesInAnyCase);
        let is_letter = |b: u8| b.is_ascii_lowercase() || any_case && b.is_ascii_uppercase();
        if !self.rest.first().is_some_and(|b| is_letter(*b) || *b == b'*') {
            return None;
        }
        let is_part = |b: u8| is_letter(b) || b.is_ascii_digit() || b"_-.*".contains(&b);
        Some(self.run(is_part).to_vec())
    }

    fn parameters(&mut self) -> Option<()> {
        while self.takes(b";") {
            self.skip(b" ");
            self.key()?;
            if self.takes(b"=") {
                self.item()?;
            }
        }
        Some(())
    }

    fn item_or_inner_list(&mut self) -> Option<Item> {
        if !self.takes(b"(") {
            return self.item();
        }
        loop {
            self.skip(b" ");
            if self.takes(b")") {
                return Some(Item::Other);
            }
            self.item()?;
            self.parameters()?;
            if !self.rest.starts_with(b" ") && !self.rest.starts_with(b")") {
                return None;
            }
        }
    }

    fn item(&mut self) -> Option<Item> {
        match self.rest.first()? {
            b':' => return self.bytes(),
            b'"' => self.string()?,
            b'?' => {
                if !self.takes(b"?0") && !self.takes(b"?1") {
                    return None;
                }
            }
            b'@' if self.mutated.by(Mutation::DigestsOfRfc9651) => {
                self.takes(b"@");
                self.number()?;
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                let is_token =
                    |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b);
                self.run(is_token);
            }
            _ => return None,
        }
        Some(Item::Other)
    }

    fn bytes(&mut self) -> Option<Item> {
        self.takes(b":");
        let base64 = self.run(|b| b != b':');
        if !self.takes(b":") {
            return None;
        }
        decode_base64(self.mutated, base64).map(Item::Bytes)
    }

    fn string(&mut self) -> Option<()> {
        self.takes(b"\"");
        loop {
            self.run(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
            if self.takes(b"\"") {
                return Some(());
            }
            if !self.takes(b"\\\"") && !self.takes(b"\\\\") {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        self.takes(b"-");
        let whole = self.run(|b| b.is_ascii_digit()).len();
        if !self.takes(b".") {
            return (1..=15).contains(&whole).then_some(());
        }
        let fraction = self.run(|b| b.is_ascii_digit()).len();
        ((1..=12).contains(&whole) && (1..=3).contains(&fraction)).then_some(())
    }
}

/// RFC 4648 section 4, where padding may be missing in whole or in part, and unused bits may be
/// other than zero.
fn decode_base64(mutated: Mutated, text: &[u8]) -> Option<Vec<u8>> {
    let len = text.iter().position(|&b| b == b'=').unwrap_or(text.len());
    let (symbols, padding) = text.split_at(len);
    let needed = match symbols.len() % 4 {
        0 => 0,
        1 => return None,
        rest => 4 - rest,
    };
    let is_short = padding.len() < needed;
    if padding.iter().any(|&b| b != b'=')
        || padding.len() > needed
        || is_short && mutated.by(Mutation::MissingPaddingRefused)
        || is_short && !padding.is_empty() && mutated.by(Mutation::PartialPaddingRefused)
    {
        return None;
    }
    let (mut bits, mut count) = (0_u32, 0);
    let mut bytes = Vec::new();
    for symbol in symbols {
        let value = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'-' if mutated.by(Mutation::UrlAlphabetAccepted) => 62,
            b'_' if mutated.by(Mutation::UrlAlphabetAccepted) => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count).expect("eight bits"));
            bits &= (1 << count) - 1;
        }
    }
    if bits != 0 && mutated.by(Mutation::PadBitsMustBeZero) {
        return None;
    }
    Some(bytes)
}

/// RFC 4648 section 4, with padding.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for symbol in 0..=three.len() {
            let index = bits >> (18 - 6 * symbol) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
        text.extend(std::iter::repeat_n('=', 3 - three.len()));
    }
    text
}
