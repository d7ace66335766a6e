//! Random requests by seed, and their frames.

/// Random numbers by seed (splitmix64).
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn is_once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn word(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(self.pick(b"abcdefghijklmnopqrstuvwxyz0123456789"))).collect()
    }

    /// Text as it stands in paths and queries once decoded.
    fn text(&mut self, max: usize) -> Vec<u8> {
        let common = b"abcdefghijkXYZ0189-._~";
        let rare = b" /%&=?:;,@!*'()+\xc3\xa9\"<";
        let len = self.below(max + 1);
        (0..len)
            .map(|_| if self.is_once_in(5) { self.pick(rare) } else { self.pick(common) })
            .collect()
    }
}

/// A request, decoded. In its query a plus sign is sent as `%2B`.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) segments: Vec<Vec<u8>>,
    pub(crate) parameters: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How the client sends a space in a query.
    pub(crate) is_space_plus: bool,
}

const MORE: [&str; 12] = [
    "Accept",
    "User-Agent",
    "X-Trace",
    "Cookie",
    "Cache-Control",
    "Accept-Language",
    "x-tenant",
    "X-Amz-Meta-Name",
    "Origin",
    "Referer",
    "If-None-Match",
    "Date",
];

impl Sent {
    pub(crate) fn random(random: &mut Random) -> Self {
        let method = random.pick(&["GET", "POST", "PUT", "DELETE"]);
        let segments = (0..=random.below(5)).map(|_| match random.below(9) {
            0 => Vec::new(),
            1 => b"..".to_vec(),
            2 => b".".to_vec(),
            _ => random.text(9),
        });
        let segments = segments.collect();
        let mut names: Vec<Vec<u8>> = (0..4).map(|_| random.text(5)).collect();
        names.retain(|name| !name.is_empty());
        names.push(b"id".to_vec());
        let parameters = (0..random.below(7)).map(|_| {
            let name = names[random.below(names.len())].clone();
            (name, if random.is_once_in(6) { None } else { Some(random.text(8)) })
        });
        let parameters = parameters.collect();
        let body = Self::random_body(random, method);
        let fields = Self::random_fields(random, !body.is_empty());
        let is_space_plus = random.is_once_in(2);
        Self { method, segments, parameters, fields, body, is_space_plus }
    }

    fn random_body(random: &mut Random, method: &str) -> Vec<u8> {
        if method == "GET" || random.is_once_in(4) {
            return Vec::new();
        }
        let lines = (0..random.below(6)).map(|_| random.text(20)).collect::<Vec<_>>();
        // Text, so that it can pass through a program that changes line ends.
        let text: Vec<u8> = lines.join(&b'\n').into_iter().filter(u8::is_ascii).collect();
        [b"{", &text[..], b"}"].concat()
    }

    fn random_fields(random: &mut Random, has_body: bool) -> Vec<(String, String)> {
        let mut fields = vec![("Host".to_owned(), format!("{}.example.com", random.word(5)))];
        let connection = random.pick(&["close", "keep-alive"]);
        fields.push(("Connection".to_owned(), connection.to_owned()));
        if has_body {
            let kind = random.pick(&["application/json", "text/plain", "application/x-ndjson"]);
            fields.push(("Content-Type".to_owned(), kind.to_owned()));
        }
        for _ in 0..random.below(7) {
            let (name, gap) = (random.pick(&MORE), random.below(3));
            let (first, second) = (random.word(4), random.word(gap + 1));
            let value = format!("{first}{}{second}", " ".repeat(gap));
            fields.push((name.to_owned(), value));
        }
        for index in (1..fields.len()).rev() {
            let other = random.below(index + 1);
            fields.swap(index, other);
        }
        fields
    }

    /// The frame. Its length is not signed by anybody here: it is that of the body that arrives.
    pub(crate) fn frame(&self, random: &mut Random) -> Vec<u8> {
        let mut target = String::new();
        for segment in &self.segments {
            target = target + "/" + &send(segment, random, false);
        }
        for (number, (name, value)) in self.parameters.iter().enumerate() {
            target.push(if number == 0 { '?' } else { '&' });
            target += &send(name, random, self.is_space_plus);
            if let Some(value) = value {
                target = target + "=" + &send(value, random, self.is_space_plus);
            }
        }
        let mut frame = format!("{} {target} HTTP/1.1\r\n", self.method);
        for (name, value) in &self.fields {
            frame = frame + name + ": " + value + "\r\n";
        }
        let mut frame = frame.into_bytes();
        frame.extend(b"\r\n");
        frame.extend(&self.body);
        frame
    }
}

/// Escapes as clients do: some with lower-case digits, some more bytes than they must.
fn send(text: &[u8], random: &mut Random, is_space_plus: bool) -> String {
    let is_lower = random.is_once_in(3);
    let keeps_some = random.is_once_in(2);
    let one = |byte: u8| match byte {
        b' ' if is_space_plus => "+".to_owned(),
        b'!' | b'*' | b'\'' | b'(' | b')' | b':' | b'@' if keeps_some => {
            char::from(byte).to_string()
        }
        _ if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
            char::from(byte).to_string()
        }
        _ if is_lower => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.iter().copied().map(one).collect()
}
