//! What a head tells of its request line, and in which order its fields are signed.

use framesign::{CanonicalHead, Rules, TargetForm, frame::HeadReader};

#[test]
fn every_form_of_a_target_has_its_parts() {
    let (http, port) = (Some("h"), Some("h:443"));
    for (method, target, form, authority, path, query) in [
        ("GET", "/a?b", TargetForm::Origin, None, Some("/a"), Some("b")),
        ("GET", "//h/p", TargetForm::Origin, None, Some("//h/p"), None),
        ("OPTIONS", "/", TargetForm::Origin, None, Some("/"), None),
        ("GET", "http://h/a?b", TargetForm::Absolute, http, Some("/a"), Some("b")),
        ("GET", "HTTPS://h?b", TargetForm::Absolute, http, Some("/"), Some("b")),
        ("PUT", "http://h", TargetForm::Absolute, http, Some("/"), None),
        ("OPTIONS", "http://h", TargetForm::Absolute, http, None, None),
        ("CONNECT", "h:443", TargetForm::Authority, port, None, None),
        ("OPTIONS", "*", TargetForm::Asterisk, None, None, None),
    ] {
        let host = authority.unwrap_or("h");
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        for rules in [Rules::strict(), Rules::lenient()] {
            let mut reader = HeadReader::new(rules);
            let head = reader.read(head.as_bytes()).unwrap().unwrap();
            let text =
                |part: Option<&[u8]>| part.map(|part| String::from_utf8_lossy(part).into_owned());
            assert_eq!((head.method(), head.target()), (method, target.as_bytes()));
            assert_eq!(head.target_form(), form, "{method} {target}");
            let parts = [head.authority(), head.path(), head.query()].map(text);
            let expected = [authority, path, query].map(|part| part.map(str::to_owned));
            assert_eq!(parts, expected, "{method} {target}");
        }
    }
}

/// Names of all lengths around a machine word that begin alike, and differ in their last byte alone.
#[test]
fn names_that_begin_alike_are_signed_in_their_order() {
    for alike in 1..30 {
        let start = "n".repeat(alike);
        let line = |last| format!("{start}{last}:{last}\n");
        let fields: String = "gcaebfd".chars().map(line).collect();
        let fields = fields.replace('\n', "\r\n");
        let parameter = |last| format!("{start}{last}");
        let parameters = "gcaebfd".chars().map(parameter).collect::<Vec<_>>().join("&");
        let head = format!("GET /?{parameters} HTTP/1.1\r\nHost:h\r\n{fields}\r\n");
        let mut reader = HeadReader::new(Rules::strict());
        let head = reader.read(head.as_bytes()).unwrap().unwrap();
        let canonical = CanonicalHead::new(head).to_string();
        let sorted: String = "abcdefg".chars().map(line).collect();
        assert!(canonical.contains(&sorted), "{canonical}");
        let sorted: Vec<_> = "abcdefg".chars().map(|last| format!("{start}{last}=")).collect();
        assert!(canonical.contains(&format!("\n{}\n", sorted.join("&"))), "{canonical}");
    }
}
