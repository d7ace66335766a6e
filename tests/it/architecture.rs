//! The table of modules in docs/architecture.md names what is there, and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = include_str!("../../docs/architecture.md");
const TABLE: &str = "| module | purpose | protocol |";

#[test]
fn every_source_file_is_of_exactly_one_module() {
    let modules = modules();
    for file in source_files() {
        let of: Vec<_> = modules.iter().filter(|module| contains(module, &file)).collect();
        assert_eq!(of.len(), 1, "{file} belongs to {of:?}; change the table of modules");
    }
}

#[test]
fn every_module_that_is_named_exists() {
    for module in modules() {
        let path = root().join(&module);
        let is_there = if module.ends_with('/') { path.is_dir() } else { path.is_file() };
        assert!(is_there, "{module} does not exist; change the table of modules");
    }
}

/// A folder, which ends with a slash, contains what is below it; a file itself.
fn contains(module: &str, file: &str) -> bool {
    if module.ends_with('/') { file.starts_with(module) } else { file == module }
}

/// The paths in the first column, from the root of the repository.
fn modules() -> Vec<String> {
    let (_, table) = PAGE.split_once(TABLE).expect(TABLE);
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix('|'));
    let cells = rows.map(|row| row.split('|').next().expect("a row has a first cell"));
    let paths = cells.flat_map(|cell| cell.split(',').map(|path| path.trim().trim_matches('`')));
    paths.map(str::to_owned).collect()
}

/// The `.rs` files of the library and of each package under `crates/`, from the same root.
fn source_files() -> Vec<String> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    for package in fs::read_dir(root().join("crates")).unwrap() {
        collect(&package.unwrap().path().join("src"), &mut files);
    }
    files
}

fn collect(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
