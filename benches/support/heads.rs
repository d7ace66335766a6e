//! The heads that cost most: as large as the limits allow, each bad for another part.

use framesign::Limits;

/// A head that is one thing over and over, at half the limits and at the limits.
pub(crate) struct WorstHead {
    pub(crate) name: &'static str,
    pub(crate) half: Vec<u8>,
    pub(crate) full: Vec<u8>,
}

/// The lines after a request line without its end.
const END: &str = " HTTP/1.1\r\nHost: test.com\r\n\r\n";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: test.com\r\n";

/// With these, half the size is half the fields that are allowed.
const LINE: usize = Limits::DEFAULT_MAX_HEAD / Limits::DEFAULT_MAX_HEADERS;

/// All of them, to be read leniently.
pub(crate) fn worst_heads() -> Vec<WorstHead> {
    let long = "n".repeat(LINE - "00000: v\r\n".len());
    let value = "v".repeat(LINE - "00000: \r\n".len());
    vec![
        filled("one-byte-parameters", "GET /?", one_byte, END),
        filled("one-repeated-parameter", "GET /?", |_| "name=value&".into(), END),
        filled("distinct-parameters", "GET /?", |index| scatter(index) + "&", END),
        filled(
            "parameters-alike-at-first",
            "GET /?",
            |index| format!("a-longer-name-{}&", scatter(index)),
            END,
        ),
        filled("escapes-in-path", "GET /", |_| "%2f".into(), END),
        filled("escapes-in-query", "GET /?", |_| "%2f".into(), END),
        filled(
            "fields-of-distinct-names",
            REQUEST,
            |index| format!("{}: {value}\r\n", scatter(index)),
            "\r\n",
        ),
        filled(
            "fields-alike-at-first",
            REQUEST,
            |index| format!("{long}{}: v\r\n", scatter(index)),
            "\r\n",
        ),
        filled("fields-of-one-name", REQUEST, |_| format!("{long}00000: v\r\n"), "\r\n"),
        filled("one-value", "GET / HTTP/1.1\r\nHost: ", |_| "v".into(), "\r\n\r\n"),
        filled("folded-value", "GET / HTTP/1.1\r\nHost: ", |_| "\n v".into(), "\r\n\r\n"),
        filled("blank-folds", "GET / HTTP/1.1\r\nHost: ", |_| "\n ".into(), "\r\n\r\n"),
        filled("empty-lines", "", |_| "\n".into(), "GET / HTTP/1.1\r\n\r\n"),
    ]
}

fn filled(
    name: &'static str,
    before: &str,
    piece: impl Fn(usize) -> String,
    after: &str,
) -> WorstHead {
    let fill = |size| {
        let room = size - before.len() - after.len();
        let mut pieces = String::new();
        for piece in (0..).map(&piece) {
            if pieces.len() + piece.len() > room {
                break;
            }
            pieces += &piece;
        }
        [before, &pieces, after].concat().into_bytes()
    };
    WorstHead {
        name,
        half: fill(Limits::DEFAULT_MAX_HEAD / 2),
        full: fill(Limits::DEFAULT_MAX_HEAD),
    }
}

/// Names that are all different and in no order: an odd factor maps 20 bits to 20 bits.
fn scatter(index: usize) -> String {
    format!("{:05x}", (index * 0x9_E375) & 0xF_FFFF)
}

fn one_byte(index: usize) -> String {
    let letters = b"hIc5xR~bq0ZtM_e";
    format!("{}&", char::from(letters[index % letters.len()]))
}
