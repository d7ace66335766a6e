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

/// What stands before the table of the clients in other languages.
const CLIENTS: &str = "The clients in Python and for Node";

/// The texts of the files in a folder of a client.
fn texts(folder: &str) -> String {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients");
    let files = fs::read_dir(clients.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap()).collect()
}

#[test]
fn every_test_of_other_clients_that_is_named_is_there() {
    let (_, table) = PAGE.split_once(CLIENTS).unwrap();
    let (python, node) = (texts("python/tests"), texts("node/test"));
    let mut count = 0;
    for line in table.lines().filter(|line| line.starts_with('|')) {
        let names = line.split('`').skip(1).step_by(2).filter(|name| name.contains(' '));
        for name in names {
            let snake = name.to_lowercase().replace([' ', '-'], "_");
            let is_in_python = python.contains(&format!("def test_{snake}("));
            // There it is a class of tests.
            assert!(is_in_python || name == "sizes of parts", "{name} is not there");
            assert!(node.contains(name), "{name} is not there");
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

#[test]
fn every_test_that_is_named_is_there() {
    let (_, table) = PAGE.split_once("## Conformance").unwrap();
    let (table, _) = table.split_once(CLIENTS).unwrap();
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
