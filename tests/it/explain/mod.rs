//! What `framesign::explain` shows of frames, and the causes that it finds.

mod explanation;
mod fault;
mod faults;
mod forms;
mod names;
mod other_side;
mod random;
mod repairs;
mod rewritten;

use framesign::explain::{Evidence, Repair};

const PAGE: &str = include_str!("../../../docs/explain.md");

#[test]
fn page_lists_every_repair_in_its_order() {
    let (_, table) = PAGE.split_once("|---|---|---|\n").unwrap();
    let rows: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let row =
        |repair: &Repair| format!("| `{repair}` | {} | {} |", repair.section(), repair.text());
    assert_eq!(rows, Repair::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn exactly_64_hexadecimal_digits_are_taken_for_digits() {
    let digits = "0aF9".repeat(16);
    for text in [digits.clone(), format!(" {digits}\r\n")] {
        assert_eq!(Evidence::parse(text.as_bytes()), Evidence::Digits(digits.clone()), "{text:?}");
    }
    let not_hexadecimal = digits.replacen('0', "g", 1);
    for text in [&*"0".repeat(63), &"0".repeat(65), &not_hexadecimal, ""] {
        let expected = Evidence::CanonicalRequest(text.as_bytes().to_vec());
        assert_eq!(Evidence::parse(text.as_bytes()), expected, "{text:?}");
    }
}
