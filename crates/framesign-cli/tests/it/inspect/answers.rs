//! What the page is answered.

use framesign::{CanonicalHead, Credentials, Head, PayloadHash, Reading, Rules, frame::HeadReader};
use serde_json::{Value, json};

use super::{Inspect, about, bytes};
use crate::{
    published::{Signed, Vector},
    stages::{self, ACCESS_KEY, DATE, SECRET_KEY},
};

const FRAME: &[u8] = b"POST /a?b=c+d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn published_vectors_are_explained_or_refused() {
    let page = Inspect::start(&[]);
    let mut refused = 0;
    for vector in Vector::all().iter().filter(|vector| !vector.looks_signed()) {
        for (reading, name) in [(Reading::Strict, "strict"), (Reading::Lenient, "lenient")] {
            let answer = page.ask(&about(&vector.frame, name));
            let shown = bytes(&answer["frame"]["bytes_b64"]);
            assert!(vector.frame.starts_with(&shown), "{}", vector.name);
            assert_eq!(answer["frame"]["len"], vector.frame.len(), "{}", vector.name);
            if let Some(kind) = vector.expected_line(reading, "error") {
                is_refused(&answer, &kind, &vector.name);
                refused += 1;
                continue;
            }
            let canonical = vector.expected(reading, "canonical-request").unwrap();
            assert_eq!(bytes(&answer["canonical_request_b64"]), canonical, "{}", vector.name);
            let signature = vector.expected_line(reading, "signature").unwrap();
            assert_eq!(answer["signature"], signature, "{}", vector.name);
            assert_eq!(answer["error"], Value::Null, "{}", vector.name);
        }
    }
    assert!(refused >= 100, "{refused}");
}

fn is_refused(answer: &Value, kind: &str, name: &str) {
    let error = &answer["error"];
    let kind = kind.split(' ').next().unwrap();
    assert_eq!(error["kind"], kind, "{name}: {error}");
    assert!(error["offset"].as_u64().is_some(), "{name}: {error}");
    assert!(error["section"].as_str().unwrap().starts_with("7."), "{name}: {error}");
    assert!(error["message"].as_str().unwrap().contains("expected "), "{name}: {error}");
    assert_eq!(answer["signature"], Value::Null, "{name}");
}

#[test]
fn a_refused_frame_names_its_byte() {
    let page = Inspect::start(&[]);
    let frame = b"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n";
    let answer = page.ask(&about(frame, "strict"));
    assert_eq!(answer["error"]["kind"], "bare-lf");
    assert_eq!(answer["error"]["offset"], 23);
    assert_eq!(answer["error"]["section"], "7.1");
    assert_eq!(bytes(&answer["frame"]["bytes_b64"]), frame);
    assert_eq!(page.ask(&about(frame, "lenient"))["error"], Value::Null);
}

#[test]
fn keys_are_shown_only_if_asked_for() {
    let page = Inspect::start(&[]);
    let mut question = about(FRAME, "strict");
    for asked in [json!(null), json!(false)] {
        if !asked.is_null() {
            question["show_keys"] = asked;
        }
        let answer = page.ask(&question);
        assert!(answer.get("keys").is_none(), "{answer}");
        let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
        let date = DATE.parse().unwrap();
        for key in [credentials.date_key_hex(date), credentials.signing_key_hex(date)] {
            assert!(!answer.to_string().contains(key.as_str()));
        }
    }
    question["show_keys"] = json!(true);
    let keys = page.ask(&question)["keys"].clone();
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap();
    assert_eq!(keys["date_key"], credentials.date_key_hex(DATE.parse().unwrap()).as_str());
    assert_eq!(keys["signing_key"], credentials.signing_key_hex(DATE.parse().unwrap()).as_str());
}

#[test]
fn without_a_secret_there_is_no_signature() {
    let page = Inspect::start(&[]);
    for missing in ["secret_key", "access_key"] {
        let mut question = about(FRAME, "strict");
        question[missing] = json!("");
        question["show_keys"] = json!(true);
        let answer = page.ask(&question);
        assert!(answer["signature"].is_null() && answer.get("keys").is_none(), "{answer}");
        assert_eq!(answer["string_to_sign"].as_str().unwrap().len(), 64);
    }
}

#[test]
fn keys_that_cannot_be_used_are_told() {
    let page = Inspect::start(&[]);
    for (member, value) in [("date", "20230230"), ("date", "today"), ("secret_key", "a\0b")] {
        let mut question = about(FRAME, "strict");
        question[member] = json!(value);
        let error = &page.ask(&question)["error"];
        assert_eq!(error["kind"], "key", "{member}: {error}");
    }
}

#[test]
fn keys_of_the_process_sign_too() {
    let expected = stages::key().sign(&stages::string_to_sign(&Rules::strict(), [FRAME]).unwrap());
    let asks = |page: &Inspect, access_key: &str| {
        let mut question = about(FRAME, "strict");
        question["secret_key"] = json!(null);
        question["access_key"] = json!(access_key);
        page.ask(&question)["signature"].clone()
    };
    let page = Inspect::with_keys(&[]);
    assert_eq!(asks(&page, ""), expected.to_string());
    assert_eq!(asks(&page, ACCESS_KEY), expected.to_string());
    assert_eq!(asks(&page, "another"), Value::Null);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.toml");
    std::fs::write(&path, format!("\"{ACCESS_KEY}\" = [\"{SECRET_KEY}\"]\nb = [\"x\"]\n")).unwrap();
    #[cfg(unix)]
    crate::support::set_mode(&path, 0o600);
    let page = Inspect::start(&["--secrets", path.to_str().unwrap()]);
    assert_eq!(asks(&page, ACCESS_KEY), expected.to_string());
    assert_eq!(asks(&page, ""), Value::Null);
    assert!(asks(&page, "b").is_string());
}

/// Access key and date are those in the frame, and the field of the signature is left out.
#[test]
fn the_signature_in_a_frame_is_compared() {
    let page = Inspect::with_keys(&[]);
    let mut seen = (0, 0);
    for case in Signed::all() {
        let Some(expected) = carried(&case.frame) else { continue };
        let mut question = about(&case.frame, "strict");
        for member in ["access_key", "date", "secret_key"] {
            question[member] = json!("");
        }
        let answer = page.ask(&question);
        let Some(signature) = answer["signature"].as_str() else { continue };
        let is_equal = signature == expected;
        assert_eq!(answer["carried"]["equal"], is_equal, "{}", case.name);
        if is_equal { seen.0 += 1 } else { seen.1 += 1 }
    }
    assert!(seen.0 >= 20 && seen.1 >= 1, "{seen:?}");
}

/// The value of the only signature field of a frame that reads strictly.
fn carried(frame: &[u8]) -> Option<String> {
    let mut reader = HeadReader::new(Rules::strict());
    let head = reader.read(frame).ok()??;
    let values: Vec<_> = head.values("dynata-signature").collect();
    let [value] = values.as_slice() else { return None };
    String::from_utf8(value.to_vec()).ok()
}

#[test]
fn long_payloads_are_hashed_whole_and_shown_in_part() {
    let page = Inspect::start(&[]);
    let payload = vec![b'x'; 100_000];
    let head = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let frame = [&head[..], &payload].concat();
    let answer = page.ask(&about(&frame, "strict"));
    assert_eq!(answer["frame"]["len"], frame.len());
    assert_eq!(bytes(&answer["frame"]["bytes_b64"]), &frame[..head.len() + 4096]);
    let canonical = bytes(&answer["canonical_request_b64"]);
    assert!(canonical.ends_with(PayloadHash::of(&payload).to_string().as_bytes()));
}

#[test]
fn curl_and_har_become_the_frames_that_they_send() {
    let page = Inspect::start(&[]);
    let frame = b"POST /a?b=c+d HTTP/1.1\r\nHost: h\r\nUser-Agent: me\r\nAccept: */*\r\n\
                  Content-Length: 2\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nhi";
    let expected = page.ask(&about(frame, "strict"))["signature"].clone();
    assert!(expected.is_string());
    let mut question = about(b"", "strict");
    question["encoding"] = json!("text");
    question["kind"] = json!("curl");
    question["input"] = json!("curl 'http://h/a?b=c+d' \\\n  -A me -d hi");
    let answer = page.ask(&question);
    assert_eq!(answer["signature"], expected);
    assert_eq!(bytes(&answer["frame"]["bytes_b64"]), frame);
    question["input"] = json!("curl http://h/");
    assert!(page.ask(&question)["notes"][0].as_str().unwrap().contains("User-Agent"));
    let mut reader = HeadReader::new(Rules::strict());
    let head: Head<'_> = reader.read(frame).unwrap().unwrap();
    let headers: Vec<_> = head
        .fields()
        .map(
            |field| json!({"name": field.name(), "value": String::from_utf8_lossy(&field.value())}),
        )
        .collect();
    let entry = json!({"request": {"method": "POST", "url": "http://h/a?b=c+d", "headers": headers,
        "postData": {"mimeType": "application/x-www-form-urlencoded", "text": "hi"}}});
    question["kind"] = json!("har");
    question["entry"] = json!(1);
    question["input"] =
        json!(json!({"log": {"version": "1.2", "entries": [{"request": {}}, entry]}}).to_string());
    assert_eq!(page.ask(&question)["error"]["kind"], "har");
    question["entry"] = json!(0);
    question["input"] = json!(json!({"log": {"version": "1.2", "entries": [entry]}}).to_string());
    assert_eq!(page.ask(&question)["signature"], expected);
    let canonical = CanonicalHead::new(head).with_payload(PayloadHash::of(b"hi")).to_string();
    assert_eq!(bytes(&page.ask(&question)["canonical_request_b64"]), canonical.as_bytes());
}

#[test]
fn what_was_pasted_is_refused_with_its_byte() {
    let page = Inspect::start(&[]);
    for (kind, encoding, input, at) in [
        ("curl", "text", "curl -T file http://h", json!(5)),
        ("har", "text", "{", json!(1)),
        ("frame", "base64", "R0V*", json!(3)),
    ] {
        let mut question = about(b"", "strict");
        question["kind"] = json!(kind);
        question["encoding"] = json!(encoding);
        question["input"] = json!(input);
        let answer = page.ask(&question);
        assert_eq!(answer["error"]["input_offset"], at, "{kind}: {answer}");
        assert!(answer.get("frame").is_none() && answer["error"]["offset"].is_null(), "{answer}");
    }
}

#[test]
fn lines_of_pasted_text_end_as_they_are_told() {
    let page = Inspect::start(&[]);
    let mut question = about(b"", "strict");
    question["encoding"] = json!("text");
    question["input"] = json!("POST / HTTP/1.1\nHost: h\nContent-Length: 2\n\na\n");
    assert_eq!(page.ask(&question)["error"]["kind"], "bare-lf");
    question["line_ends"] = json!("crlf");
    let expected = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na\n";
    let answer = page.ask(&question);
    assert_eq!(bytes(&answer["frame"]["bytes_b64"]), expected);
    assert_eq!(answer["signature"], page.ask(&about(expected, "strict"))["signature"]);
}

#[test]
fn pieces_cover_the_canonical_request_and_point_into_the_frame() {
    let page = Inspect::start(&[]);
    let frame = b"POST /a%2fb?q=c+d&e HTTP/1.1\r\nHost: h\r\nX: 1\r\nx:  2\r\n y\r\nContent-Length: 2\r\n\r\nhi";
    let answer = page.ask(&about(frame, "lenient"));
    let canonical = bytes(&answer["canonical_request_b64"]);
    let pieces = answer["pieces"].as_array().unwrap();
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let mut end = 0;
    let mut changes = Vec::new();
    for piece in pieces {
        assert_eq!(number(&piece["start"]), end);
        end = number(&piece["end"]);
        let to = &canonical[number(&piece["start"])..end];
        let from = piece["frame"].as_array().unwrap().iter();
        let from: Vec<_> = from.map(|range| &frame[number(&range[0])..number(&range[1])]).collect();
        match (piece["section"].as_str(), from.as_slice()) {
            // Nothing is changed without a rule.
            (None, [from]) => assert_eq!(*from, to),
            (None, _) => panic!("{piece}"),
            (Some(section), from) => changes.push((section, from.concat(), to.to_vec())),
        }
    }
    assert_eq!(end, canonical.len());
    for (section, from, to) in [("5.2", "+", "%20"), ("3", "%2f", "%2F"), ("7.14", "\r\n ", " ")] {
        let is =
            |change: &&(&str, Vec<u8>, Vec<u8>)| change.0 == section && change.2 == to.as_bytes();
        let change = changes.iter().find(is).unwrap_or_else(|| panic!("{section}"));
        assert!(change.1.starts_with(&from.as_bytes()[..1]), "{section}");
    }
    let marks: Vec<_> = answer["frame"]["marks"].as_array().unwrap().iter().collect();
    for (kind, text) in [("escape", "%2f"), ("plus", "+"), ("folded-line", " y"), ("payload", "hi")]
    {
        let mark = marks.iter().find(|mark| mark["kind"] == kind).unwrap();
        assert_eq!(&frame[number(&mark["start"])..number(&mark["end"])], text.as_bytes(), "{kind}");
    }
}

#[test]
fn the_other_side_is_compared_and_the_cause_is_named() {
    let page = Inspect::start(&[]);
    let mut question = about(FRAME, "strict");
    let ours = page.ask(&question);
    let canonical = String::from_utf8(bytes(&ours["canonical_request_b64"])).unwrap();
    let mut ask = |other: &str| {
        question["other"] = json!(other);
        page.ask(&question)
    };
    for (other, kind) in [
        (canonical.as_str(), "canonical-request"),
        (ours["string_to_sign"].as_str().unwrap(), "string-to-sign"),
        (ours["signature"].as_str().unwrap(), "signature"),
    ] {
        let answer = ask(other);
        assert_eq!(answer["other"], json!({"kind": kind, "equal": true}));
        assert_eq!(
            (&answer["cause"], &answer["differences"]),
            (&Value::Null, &json!([])),
            "{kind}"
        );
    }
    let wrong = canonical.replace("c%20d", "c%2Bd");
    let signature = {
        let string_to_sign = PayloadHash::of(wrong.as_bytes()).to_string().parse().unwrap();
        stages::key().sign(&string_to_sign).to_string()
    };
    for (other, differences) in [(wrong.as_str(), 1), (signature.as_str(), 0)] {
        let answer = ask(other);
        assert_eq!(answer["other"]["equal"], false);
        assert_eq!(answer["cause"]["repair"], "plus-kept", "{}", answer["cause"]);
        assert_eq!(
            (&answer["cause"]["section"], &answer["cause"]["side"]),
            (&json!("5.2"), &json!("theirs"))
        );
        assert_eq!(answer["differences"].as_array().unwrap().len(), differences);
    }
    let difference = &ask(&wrong)["differences"][0];
    assert_eq!((&difference["line"], &difference["part"]), (&json!(3), &json!("CanonicalQuery")));
    assert_eq!(bytes(&difference["ours_b64"]), b"b=c%20d\n");
    assert_eq!(bytes(&difference["theirs_b64"]), b"b=c%2Bd\n");
    let answer = ask(&"0".repeat(64));
    assert_eq!((&answer["other"]["equal"], &answer["cause"]), (&json!(false), &Value::Null));
    assert_eq!(ask(" \n")["other"], Value::Null);
}
