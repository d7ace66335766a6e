//! The tests that the table in docs/uploads.md names are there.

use std::{collections::BTreeMap, fs, path::Path};

const PAGE: &str = include_str!("../../../../docs/uploads.md");

/// The texts of the source files, by their names; those of one name together.
fn sources() -> BTreeMap<String, String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/it", "tests/it/sending", "src", "src/client", "src/server"]
        .map(|folder| package.join(folder));
    let mut sources = BTreeMap::<_, String>::new();
    for entry in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            sources.entry(name).or_default().push_str(&fs::read_to_string(&path).unwrap());
        }
    }
    sources
}

#[test]
fn every_test_that_is_named_is_there() {
    let (_, table) = PAGE.split_once("## Conformance").unwrap();
    let (sources, mut count) = (sources(), 0);
    for line in table.lines().filter(|line| line.starts_with('|')) {
        let shown_by = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut file = None;
        for name in shown_by.split('`').skip(1).step_by(2) {
            if name.contains('.') {
                file = Some(sources.get(name).unwrap_or_else(|| panic!("{name} is not there")));
            } else {
                assert!(file.unwrap().contains(&format!("fn {name}(")), "{name} is not there");
            }
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}
