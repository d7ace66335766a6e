//! Text that somebody pastes, made into the bytes of a frame.

mod curl;
mod error;
mod frame;
mod har;
mod url;

pub(crate) use self::{
    curl::curl,
    error::InputError,
    frame::{LineEnds, PastedFrame, decoded, raw},
    har::har,
};

#[cfg(test)]
mod tests {
    use framesign_test_support::Numbers;

    use super::{LineEnds, curl, decoded, har, raw};

    /// What is special to a shell, to curl, to URLs and to frames.
    const PARTS: &str = "curl ¦'¦\"¦$'¦\\¦\\\n¦\n¦\r\n¦ ¦\t¦-H ¦-d ¦-X¦-G ¦-I ¦--json ¦--data-urlencode ¦--url ¦\
        -sS¦--¦-¦@¦=¦&¦%2¦?¦#¦/¦/../¦http://¦https://¦[¦{¦:¦;¦a¦é¦\0¦\\x¦\\u¦\\U0010¦\\777¦h¦8";

    /// An error is in the text, or at its end; a frame has no line end that nobody gave.
    #[test]
    fn whatever_is_pasted_is_a_frame_or_an_error_in_it() {
        let parts: Vec<_> = PARTS.split('¦').collect();
        let mut numbers = Numbers::new(15);
        let (mut frames, mut errors) = (0, 0);
        for round in 0..20_000 {
            let mut text = if round % 4 == 0 { String::new() } else { "curl h ".to_owned() };
            for _ in 0..numbers.below(12) {
                text.push_str(parts[numbers.below(parts.len())]);
            }
            match curl(&text) {
                Ok(frame) => {
                    let lines = frame.bytes.split(|byte| *byte == b'\n').next().unwrap();
                    assert!(lines.ends_with(b" HTTP/1.1\r"), "{text:?}");
                    frames += 1;
                }
                Err(error) => {
                    assert!(error.offset().unwrap() <= text.len(), "{text:?}: {error}");
                    errors += 1;
                }
            }
            assert!(har(&text, 0).unwrap_err().offset().unwrap() <= text.len());
            if let Err(error) = decoded(&text) {
                assert!(error.offset().unwrap() <= text.len(), "{text:?}: {error}");
            }
            let frame = raw(&text, LineEnds::Crlf).bytes;
            let without_cr = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != b'\r').count();
            assert_eq!(without_cr(&frame), without_cr(text.as_bytes()), "{text:?}");
        }
        assert!(frames > 500 && errors > 500, "{frames} frames, {errors} errors");
    }
}
