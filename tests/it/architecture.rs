//! The tables in docs/architecture.md name what is there, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
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

#[test]
fn every_file_to_change_exists() {
    let files = repository_files();
    let (paths, _) = names_to_change();
    for path in paths {
        let is_below = |folder: &str| root().join(folder).join(path).exists();
        let is_alone = !path.contains('/') && files.iter().any(|file| file.ends_with(path));
        assert!(is_below("") || is_below("src") || is_alone, "{path} does not exist");
    }
}

#[test]
fn every_item_to_change_is_defined() {
    let sources = source_files().into_iter().map(|file| fs::read_to_string(root().join(file)));
    let sources: String = sources.map(Result::unwrap).collect();
    let (_, items) = names_to_change();
    assert!(items.contains(&"RequestHead") && items.contains(&"check_method"), "{items:?}");
    for item in items {
        let is_defined = |keyword: &&str| {
            let definition = format!("{keyword} {item}");
            let mut after = sources.split(&definition).skip(1);
            after.any(|after| !after.starts_with(is_of_identifier))
        };
        let mut keywords = ["const", "enum", "fn", "struct", "trait"].iter();
        assert!(keywords.any(is_defined), "{item} is not defined");
    }
}

/// The packages whose types are in public interfaces.
#[test]
fn versions_in_the_guide_are_those_of_the_manifest() {
    let guide = include_str!("../../docs/integrations.md");
    let (_, sentence) = guide.split_once("Types of other packages").unwrap();
    let (sentence, _) = sentence.split_once(".\n").unwrap();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let named: Vec<_> = sentence.split('`').skip(1).collect();
    assert_eq!(named.len(), 10, "{named:?}");
    for pair in named.chunks_exact(2) {
        let (name, rest) = (pair[0], pair[1].trim_start());
        let is_other = |c: char| !c.is_ascii_digit() && c != '.';
        let version = rest.split(is_other).next().unwrap().trim_end_matches('.');
        let is_of = |line: &&str| {
            line.starts_with(&format!("{name} = {{ version = \"{version}"))
                && line.ends_with("optional = true }")
        };
        assert_eq!(manifest.lines().filter(is_of).count(), 1, "{name} {version}");
    }
}

/// Cargo finds no lowest versions (`.ci/run lowest`) if two packages name different ones.
#[test]
fn packages_ask_for_the_same_version_of_a_dependency() {
    let mut versions = BTreeMap::<_, BTreeSet<_>>::new();
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|folder| folder.unwrap().path());
    let others = ["", "benches/load", "tests/support"].map(|folder| root().join(folder));
    for folder in crates.chain(others) {
        for line in fs::read_to_string(folder.join("Cargo.toml")).unwrap().lines() {
            let Some((name, rest)) = line.split_once(" = ") else { continue };
            let rest = rest.strip_prefix("{ version = ").unwrap_or(rest);
            let version = rest.split('"').nth(1).unwrap_or_default();
            let is_version =
                rest.starts_with('"') && version.starts_with(|c: char| c.is_ascii_digit());
            if is_version && !["version", "rust-version", "edition"].contains(&name) {
                versions.entry(name.to_owned()).or_default().insert(version.to_owned());
            }
        }
    }
    assert!(versions.len() > 50, "{versions:?}");
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "{versions:?}");
}

/// What the library depends on without features: nothing that spawns threads or polls.
#[test]
fn library_without_features_has_no_async_runtime() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, section) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (section, _) = section.split_once("\n[").unwrap();
    let lines = section.lines().filter(|line| !line.contains("optional = true"));
    let direct = lines.filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()));
    let mut found: Vec<String> = direct.collect();
    assert_eq!(found, ["hex", "hmac", "jiff", "memchr", "sha2", "zeroize"]);

    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let mut at = 0;
    while let Some(name) = found.get(at) {
        let head = format!("[[package]]\nname = \"{name}\"\n");
        for package in lock.split(&head).skip(1) {
            let (package, _) = package.split_once("\n\n").unwrap_or((package, ""));
            let Some((_, needs)) = package.split_once("dependencies = [\n") else { continue };
            // A name, and a version if there are several.
            let names = needs.lines().filter_map(|line| line.trim().strip_prefix('"'));
            for name in names.filter_map(|name| name.split([' ', '"']).next()) {
                if !found.iter().any(|known| known == name) {
                    found.push(name.to_owned());
                }
            }
        }
        at += 1;
    }
    let runtimes =
        ["tokio", "async-std", "smol", "futures-executor", "futures-util", "mio", "rayon"];
    assert!(found.len() > 10 && !found.iter().any(|name| runtimes.contains(&&**name)), "{found:?}");
}

/// The paths and the items in the section on changes, which stand between backticks. The items of
/// a path such as `Head::path` are listed one by one.
fn names_to_change() -> (Vec<&'static str>, Vec<&'static str>) {
    let (_, section) = PAGE.split_once("\n## Where to change what\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let names = section.split('`').skip(1).step_by(2);
    // Options and command lines name no code.
    let names = names.filter(|name| !name.starts_with('-') && !name.contains(' '));
    let is_path = |name: &&str| name.contains('/') || name.rsplit_once('.').is_some_and(is_file);
    let (paths, items): (Vec<_>, Vec<_>) = names.partition(is_path);
    let items = items.into_iter().flat_map(|item| item.split(|c| !is_of_identifier(c)));
    (paths, items.filter(|item| !item.is_empty()).collect())
}

fn is_file((_, extension): (&str, &str)) -> bool {
    ["rs", "json", "md"].contains(&extension)
}

fn is_of_identifier(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
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
    files.retain(|file| is_rust(file));
    files
}

fn is_rust(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "rs")
}

/// The files of the library and of the program, with their tests, from the same root.
fn repository_files() -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["src", "tests", "crates/framesign-cli"] {
        collect(&root().join(folder), &mut files);
    }
    files
}

fn collect(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
