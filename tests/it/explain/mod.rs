//! What `framesign::explain` shows of frames, and the causes that it finds.

mod explanation;
mod fault;
mod faults;
mod names;
mod other_side;
mod random;
mod repairs;
mod rewritten;

use framesign::explain::Repair;

const PAGE: &str = include_str!("../../../docs/explain.md");

#[test]
fn page_lists_every_repair_in_its_order() {
    let (_, table) = PAGE.split_once("|---|---|---|\n").unwrap();
    let rows: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    let row =
        |repair: &Repair| format!("| `{repair}` | {} | {} |", repair.section(), repair.text());
    assert_eq!(rows, Repair::ALL.iter().map(row).collect::<Vec<_>>());
}
