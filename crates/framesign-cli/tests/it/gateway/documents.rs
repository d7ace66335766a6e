//! What docs/gateway.md names is what there is, and nothing else.

use crate::serve::documents::{self, Options};

const PAGE: &str = include_str!("../../../../../docs/gateway.md");

/// The options of the table, each with its default.
fn documented() -> Options {
    documents::rows(PAGE, "| gateway option | default | meaning |")
        .map(|row| (row[0].trim_matches('`').to_owned(), row[1].to_owned()))
        .collect()
}

#[test]
fn every_option_of_its_own_is_documented_with_its_default() {
    let (own, documented) = (documents::options("gateway"), documented());
    let of_service = documents::options("serve");
    for (option, default) in &own {
        match documented.get(option) {
            Some(found) => assert_eq!(found, default, "{option}"),
            None => assert_eq!(of_service.get(option), Some(default), "{option}"),
        }
    }
    for option in documented.keys() {
        assert!(own.contains_key(option), "{option}");
    }
}
