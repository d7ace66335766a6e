//! What docs/protocol.md has to name.

use std::{collections::BTreeMap, fs};

use framesign::{Credentials, ErrorKind};

use crate::{
    naive,
    stages::{ACCESS_KEY, DATE, SECRET_KEY},
};

fn page() -> String {
    fs::read_to_string(crate::support::repository().join("docs/protocol.md")).unwrap()
}

/// The cells of the rows of a table, for tables whose header begins with this cell.
fn table(first: &str) -> Vec<Vec<String>> {
    let header = format!("| {first} |");
    let page = page();
    let rows = page.lines().skip_while(|line| !line.starts_with(&header)).skip(2);
    let cells = |line: &str| {
        let line = line.strip_prefix("| ")?.strip_suffix('|')?;
        Some(line.split(" | ").map(|cell| cell.trim().to_owned()).collect())
    };
    rows.map_while(cells).collect()
}

/// The list of names: what each is, and its status.
fn names(is_a: &str) -> BTreeMap<String, String> {
    let rows = table("name").into_iter().filter(|row| row[1] == is_a);
    rows.map(|row| (row[0].trim_matches('`').to_owned(), row[3].clone())).collect()
}

#[test]
fn the_keys_of_the_examples_are_those_of_their_derivation() {
    let date_key = hex::encode(naive::hmac(SECRET_KEY.as_bytes(), DATE.as_bytes()));
    let signing_key = hex::encode(naive::hmac(date_key.as_bytes(), ACCESS_KEY.as_bytes()));
    let page = page();
    for line in [format!("DateKey    = {date_key}\n"), format!("SigningKey = {signing_key}\n")] {
        assert!(page.contains(&line), "{line}");
    }
    let (credentials, date) = (Credentials::new(ACCESS_KEY, SECRET_KEY).unwrap(), DATE.parse());
    assert_eq!(*credentials.date_key_hex(date.unwrap()), date_key);
    assert_eq!(*credentials.signing_key_hex(date.unwrap()), signing_key);
}

#[test]
fn defaults_are_those_of_the_page() {
    let page = page();
    assert!(page.contains("the head is longer than the limit: 64 KiB unless set"));
    assert_eq!(framesign::Limits::DEFAULT_MAX_HEAD, 65_536);
    #[cfg(feature = "verify")]
    {
        assert!(page.contains("skew is 15 minutes unless set"));
        assert_eq!(framesign::verify::Policy::DEFAULT_SPAN.as_secs(), 900);
    }
    // Of the layer, by its documentation.
    #[cfg(feature = "tower")]
    assert_eq!(framesign::tower::VerifyLayer::<()>::DEFAULT_MAX_BUFFERED_PAYLOAD, 65_536);
}

#[test]
fn every_kind_is_in_the_list() {
    let mut kinds: Vec<_> = ErrorKind::ALL.map(ErrorKind::as_str).into();
    kinds.sort_unstable();
    assert!(names("kind").keys().eq(&kinds), "{:?}", names("kind"));
}

#[test]
fn every_kind_has_a_place_for_its_offset() {
    for row in table("name").iter().filter(|row| row[1] == "kind") {
        assert!(row.len() == 5 && !row[4].is_empty(), "{row:?}");
    }
}

#[test]
fn vectors_stand_under_sections_and_rows_of_the_page() {
    let page = page();
    let root = crate::support::repository().join("tests/vectors");
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let is_named =
            page.contains(&format!("\n## {name}. ")) || page.contains(&format!("\n| {name} |"));
        assert!(is_named || ["protocol", "README.md"].contains(&name.as_str()), "{name}");
    }
}

#[cfg(feature = "verify")]
mod verifying {
    use framesign::verify::Reason;

    use super::names;
    use crate::signed::Case;

    #[test]
    fn every_reason_is_in_the_list() {
        let mut reasons: Vec<_> = Reason::ALL.map(Reason::as_str).into();
        reasons.sort_unstable();
        assert!(names("reason").keys().eq(&reasons), "{:?}", names("reason"));
    }

    #[test]
    fn statuses_are_those_of_the_list() {
        let (kinds, reasons) = (names("kind"), names("reason"));
        for case in Case::all() {
            let Err(refusal) = case.verify([&case.frame[..]]) else { continue };
            let expected = match refusal.frame_error() {
                Some(error) => &kinds[error.kind().as_str()],
                None => &reasons[refusal.reason().as_str()],
            };
            assert_eq!(refusal.status().to_string(), *expected, "{}: {refusal}", case.name);
            assert_eq!(refusal.status(), case.status(), "{}", case.name);
        }
    }
}
