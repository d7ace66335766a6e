//! No two source files import each other, in a circle of any length.
//!
//! Reads the paths that begin with `crate`, `self` or `super`, and those that begin with a module
//! that the file declares or imports. What a `mod.rs` re-exports counts as imported from where it is defined,
//! so that a `mod.rs` that only declares and re-exports is its folder and no file of its own.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::Path,
};

/// A module path, from the root of its crate.
type Module = Vec<String>;

/// A source file, without its tests and comments.
struct Source {
    /// Relative to the folder of the crate's sources.
    path: String,
    code: String,
    /// What it re-exports, by name.
    exports: BTreeMap<String, Module>,
}

/// The sources of a crate, by module.
struct Sources(BTreeMap<Module, Source>);

impl Sources {
    fn read(root: &Path) -> Self {
        let mut sources = Self(BTreeMap::new());
        sources.add_folder(root, root);
        sources
    }

    fn add_folder(&mut self, root: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_folder(root, &path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                self.add(name, &fs::read_to_string(&path).unwrap());
            }
        }
    }

    fn add(&mut self, path: &str, text: &str) {
        let mut module: Module =
            path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            module.pop();
        }
        // With a library beside it a binary is a crate of its own.
        if path == "main.rs" && self.0.contains_key(&module) {
            return;
        }
        // Tests may use what they test with.
        if module.last().is_some_and(|name| name == "tests") {
            return;
        }
        let code = without_tests_and_comments(text);
        let exports = uses(&code)
            .filter(|import| import.is_public)
            .flat_map(|import| leaves(import.tree))
            .map(|(path, name)| (name, absolute(&path, &module)))
            .collect();
        self.0.insert(module, Source { path: path.to_owned(), code, exports });
    }

    /// The module in which what `path` names is defined, if that is in this crate.
    fn definition(&self, path: &[String]) -> Option<&Module> {
        let mut path = path.to_vec();
        // As long as a chain of re-exports can be.
        for _ in 0..16 {
            let len = (0..=path.len()).rev().find(|len| self.0.contains_key(&path[..*len]))?;
            let (module, source) = self.0.get_key_value(&path[..len])?;
            match path.get(len).and_then(|name| source.exports.get(name)) {
                Some(exported) if *exported != path => path.clone_from(exported),
                _ => return Some(module),
            }
        }
        None
    }

    /// The files that each file imports from.
    fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let imports_of = |(module, source): (&Module, &'_ Source)| {
            let definitions = source.paths(module).into_iter().filter_map(|path| {
                let definition = self.definition(&path)?;
                // What stands for a whole folder imports nothing, and is imported by nobody.
                let is_folder = path.starts_with(definition) && path.len() == definition.len();
                let is_other = definition != module && !(is_folder && self.declares(definition));
                is_other.then(|| &*self.0[definition].path)
            });
            definitions.collect::<BTreeSet<_>>()
        };
        self.0.iter().map(|entry| (&*entry.1.path, imports_of(entry))).collect()
    }

    /// Whether `module` has modules of its own, so that its name may mean one of them.
    fn declares(&self, module: &Module) -> bool {
        self.0.keys().any(|other| other.len() > module.len() && other.starts_with(module))
    }

    /// The shortest circle through each file that is in one.
    fn circles(&self) -> BTreeSet<Vec<&str>> {
        let imports = self.imports();
        imports.keys().filter_map(|file| circle(file, &imports)).collect()
    }
}

impl Source {
    /// The paths of this crate that the file names, re-exports left out.
    fn paths(&self, module: &Module) -> Vec<Module> {
        let imports = uses(&self.code).filter(|import| !import.is_public);
        let imports = imports.flat_map(|import| leaves(import.tree));
        let imports: Vec<_> = imports.map(|(path, name)| (name, absolute(&path, module))).collect();
        let (rest, children) = (without_uses(&self.code), declared(&self.code));
        let named = paths_in(&rest).filter_map(|path| {
            let (first, more) = path.split_once("::")?;
            if let Some((_, imported)) = imports.iter().find(|(name, _)| name == first) {
                return Some([&imported[..], &absolute(more, &Module::new())].concat());
            }
            let is_ours = matches!(first, "crate" | "self" | "super") || children.contains(first);
            is_ours.then(|| absolute(path, module))
        });
        let named: Vec<_> = named.collect();
        imports.into_iter().map(|(_, path)| path).chain(named).collect()
    }
}

/// The files of the shortest circle through `file`, the first of them by name first.
fn circle<'a>(
    file: &'a str,
    imports: &BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![file]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in &imports[way.last()?] {
            if *next == file {
                let first = way.iter().enumerate().min_by_key(|(_, file)| **file)?.0;
                return Some([&way[first..], &way[..first]].concat());
            }
            if seen.insert(*next) {
                ways.push_back([&way[..], &[*next]].concat());
            }
        }
    }
    None
}

fn without_tests_and_comments(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// A `use` without its semicolon.
struct Import<'a> {
    is_public: bool,
    tree: &'a str,
}

fn uses(code: &str) -> impl Iterator<Item = Import<'_>> {
    code.split_inclusive('\n')
        .scan(0, |at, line| {
            *at += line.len();
            Some((*at - line.len(), line))
        })
        .filter_map(|(at, line)| {
            let (before, _) = line.split_once("use ")?;
            let is_public = before.trim_start().starts_with("pub");
            if !(before.trim().is_empty() || is_public && !before.contains('"')) {
                return None;
            }
            let tree = code.get(at + before.len() + "use ".len()..)?.split(';').next()?;
            Some(Import { is_public, tree })
        })
}

fn without_uses(code: &str) -> String {
    uses(code).fold(code.to_owned(), |code, import| code.replacen(import.tree, "", 1))
}

/// The modules that `code` declares.
fn declared(code: &str) -> BTreeSet<&str> {
    code.lines()
        .filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod ").map(|(_, name)| name))
        .collect()
}

/// Each path of a tree of imports, and the name that it gives.
fn leaves(tree: &str) -> Vec<(String, String)> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(tree.get(begin..at).unwrap());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(tree.get(begin..).unwrap());
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).flat_map(leaves_of).collect()
}

fn leaves_of(part: &str) -> Vec<(String, String)> {
    if let Some((base, inner)) = part.split_once('{') {
        let inner = leaves(inner.trim_end().trim_end_matches('}'));
        return inner.into_iter().map(|(path, name)| (format!("{base}{path}"), name)).collect();
    }
    let (path, name) = part.split_once(" as ").unwrap_or((part, ""));
    let path = path.trim().trim_end_matches("::self");
    let last = path.rsplit("::").next().unwrap_or_default();
    let name = if name.is_empty() { last } else { name.trim() };
    vec![(path.to_owned(), name.to_owned())]
}

/// What looks like a path, anywhere in `code`.
fn paths_in(code: &str) -> impl Iterator<Item = &str> {
    let is_of_path = |character: char| character.is_alphanumeric() || "_:".contains(character);
    code.split(move |character| !is_of_path(character)).filter(|path| path.contains("::"))
}

/// The path from the root of the crate, as it is meant in `module`.
fn absolute(path: &str, module: &Module) -> Module {
    let mut segments = path.split("::").filter(|segment| !segment.is_empty()).peekable();
    let mut base = match segments.peek() {
        Some(&"crate") => Module::new(),
        _ => module.clone(),
    };
    while let Some(first) = segments.next_if(|it| matches!(*it, "crate" | "self" | "super")) {
        if first == "super" {
            base.pop();
        }
    }
    base.extend(segments.map(str::to_owned));
    base
}

fn sources(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources(BTreeMap::new());
    for (path, text) in files {
        sources.add(path, text);
    }
    sources
}

#[test]
fn no_files_of_the_program_import_each_other() {
    let sources = Sources::read(&crate::support::repository().join("crates/framesign-cli/src"));
    assert!(sources.0.len() > 50, "found {} files", sources.0.len());
    assert_eq!(sources.circles(), BTreeSet::new());
}

#[test]
fn no_files_of_the_library_import_each_other() {
    let sources = Sources::read(&crate::support::repository().join("src"));
    assert!(sources.0.len() > 50, "found {} files", sources.0.len());
    assert_eq!(sources.circles(), BTreeSet::new());
}

#[test]
fn circles_are_found() {
    let two = sources(&[
        ("main.rs", "mod a;\nmod b;\nfn main() { a::run() }"),
        ("a.rs", "use crate::b::{self, B};"),
        ("b.rs", "fn f() { super::a::run() }"),
    ]);
    assert_eq!(two.circles(), BTreeSet::from([vec!["a.rs", "b.rs"]]));
    let through_an_export = sources(&[
        ("lib.rs", "mod a;\nmod b;"),
        ("a/mod.rs", "mod x;\npub(crate) use self::x::X;"),
        ("a/x.rs", "use crate::b::B;"),
        ("b.rs", "use crate::{\n    a::X,\n};"),
    ]);
    assert_eq!(through_an_export.circles(), BTreeSet::from([vec!["a/x.rs", "b.rs"]]));
    let with_its_folder = sources(&[
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod x;\npub(crate) struct A;\nfn f() { x::run() }"),
        ("a/x.rs", "use super::A;"),
    ]);
    assert_eq!(with_its_folder.circles(), BTreeSet::from([vec!["a/mod.rs", "a/x.rs"]]));
    let through_a_folder = sources(&[
        ("a.rs", "use crate::b;\nfn f() { b::run() }"),
        ("b/mod.rs", "mod x;\npub(crate) use self::x::run;"),
        ("b/x.rs", "use crate::a::A;"),
    ]);
    assert_eq!(through_a_folder.circles(), BTreeSet::from([vec!["a.rs", "b/x.rs"]]));
    let of_three = sources(&[
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::a::A;"),
    ]);
    assert_eq!(of_three.circles(), BTreeSet::from([vec!["a.rs", "b.rs", "c.rs"]]));
}

#[test]
fn what_is_no_circle_is_none() {
    let line = sources(&[
        ("main.rs", "mod a;\nmod b;\nuse self::a::A;"),
        ("a/mod.rs", "mod x;\nmod y;\npub(crate) use self::{x::X, y::Y};"),
        ("a/x.rs", "use crate::a::Y;\n// use crate::b::B;"),
        ("a/y.rs", "struct Y;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}"),
        ("b.rs", "use crate::a::{X, Y as Z};\nuse std::fmt;"),
    ]);
    assert_eq!(line.circles(), BTreeSet::new());
}
