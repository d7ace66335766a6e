//! The published connections and signed frames, as they lie in their folders.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// How many connections the protocol publishes.
const CONNECTIONS: usize = 45;

/// How many signed frames the protocol publishes.
const SIGNED: usize = 201;

/// A connection of protocol section 8, and what comes of it.
pub(crate) struct Connection {
    pub(crate) name: String,
    pub(crate) input: Vec<u8>,
    pub(crate) signatures: Vec<String>,
    pub(crate) end: String,
}

impl Connection {
    pub(crate) fn all() -> Vec<Self> {
        let all: Vec<_> =
            folders("tests/connections").iter().map(|path| Self::load(path)).collect();
        assert_eq!(all.len(), CONNECTIONS);
        all
    }

    fn load(folder: &Path) -> Self {
        let text = |name| fs::read_to_string(folder.join(name)).unwrap();
        Self {
            name: name_of(folder),
            input: fs::read(folder.join("input.http")).unwrap(),
            signatures: text("signatures").lines().map(str::to_owned).collect(),
            end: text("end").trim_end().to_owned(),
        }
    }
}

/// A case of protocol section 9: a signed frame, and what a verifier knows and says.
pub(crate) struct Signed {
    pub(crate) name: String,
    pub(crate) frame: Vec<u8>,
    /// The frame that the signed one was made of, where that is published.
    pub(crate) unsigned: Option<Vec<u8>>,
    /// Each line of the case: what it tells, and the rest.
    facts: Vec<(String, String)>,
}

impl Signed {
    pub(crate) fn all() -> Vec<Self> {
        let all: Vec<_> = folders("tests/signed").iter().map(|path| Self::load(path)).collect();
        assert_eq!(all.len(), SIGNED);
        all
    }

    fn load(folder: &Path) -> Self {
        let facts = fs::read_to_string(folder.join("case")).unwrap();
        let fact = |line: &str| {
            let (what, rest) = line.split_once(' ').unwrap();
            (what.to_owned(), rest.to_owned())
        };
        Self {
            name: name_of(folder),
            frame: fs::read(folder.join("frame.http")).unwrap(),
            unsigned: fs::read(folder.join("unsigned.http")).ok(),
            facts: facts.lines().map(fact).collect(),
        }
    }

    /// All lines: what each tells, and the rest.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts.iter().map(|(what, rest)| (what.as_str(), rest.as_str()))
    }

    /// The lines that tell `what`, without it.
    pub(crate) fn facts(&self, what: &str) -> impl Iterator<Item = &str> {
        self.lines().filter(move |(about, _)| *about == what).map(|(_, rest)| rest)
    }

    /// The one line that tells `what`.
    pub(crate) fn fact(&self, what: &str) -> &str {
        let mut facts = self.facts(what);
        let fact = facts.next();
        assert!(facts.next().is_none(), "{}: more than one {what}", self.name);
        fact.unwrap_or_else(|| panic!("{}: no {what}", self.name))
    }

    /// Access keys and their live secrets.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts("secret").map(|pair| pair.split_once(' ').unwrap())
    }
}

fn folders(root: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}
