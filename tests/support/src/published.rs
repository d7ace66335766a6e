//! The published vectors, connections and signed frames, as they lie in their folders.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// How many connections the protocol publishes.
const CONNECTIONS: usize = 45;

/// How many signed frames the protocol publishes.
const SIGNED: usize = 218;

/// How many vectors the protocol publishes.
const VECTORS: usize = 188;

/// A frame of protocol sections 2 to 7, and what comes of it in either reading.
#[derive(Debug)]
pub struct Vector {
    /// Name of the folder.
    pub name: String,
    /// Where it lies.
    pub folder: PathBuf,
    /// The frame, byte by byte.
    pub frame: Vec<u8>,
}

impl Vector {
    /// All that are published.
    pub fn all() -> Vec<Self> {
        let root = crate::repository().join("tests/vectors");
        let sections = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        let vectors: Vec<_> = sections
            .filter(|path| path.is_dir())
            .flat_map(|section| fs::read_dir(section).unwrap())
            .map(|entry| Self::load(entry.unwrap().path()))
            .collect();
        assert_eq!(vectors.len(), VECTORS);
        vectors
    }

    fn load(folder: PathBuf) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let frame = fs::read(folder.join("frame.http")).unwrap();
        Self { name, folder, frame }
    }

    /// Whether the frame has a field as signed frames have it, which is shown without that field.
    pub fn looks_signed(&self) -> bool {
        self.name == "headers-named-signature"
    }

    /// What the file of `reading` (`Strict` or `Lenient` by its `Debug`) says, or the one for both.
    pub fn expected(&self, reading: impl fmt::Debug, what: &str) -> Option<Vec<u8>> {
        let reading = format!("{reading:?}").to_lowercase();
        [reading.as_str(), "both"]
            .iter()
            .find_map(|prefix| fs::read(self.folder.join(format!("{prefix}.{what}"))).ok())
    }

    /// The same of a file of one line.
    pub fn expected_line(&self, reading: impl fmt::Debug, what: &str) -> Option<String> {
        let line = String::from_utf8(self.expected(reading, what)?).unwrap();
        Some(line.strip_suffix('\n').unwrap().to_owned())
    }
}

/// A connection of protocol section 8, and what comes of it.
#[derive(Debug)]
pub struct Connection {
    /// Name of the folder.
    pub name: String,
    /// The bytes of the peer.
    pub input: Vec<u8>,
    /// Those of the frames that are read.
    pub signatures: Vec<String>,
    /// How the connection ends.
    pub end: String,
}

impl Connection {
    /// All that are published.
    pub fn all() -> Vec<Self> {
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
#[derive(Debug)]
pub struct Signed {
    /// Name of the folder.
    pub name: String,
    /// The frame, byte by byte.
    pub frame: Vec<u8>,
    /// The frame that the signed one was made of, where that is published.
    pub unsigned: Option<Vec<u8>>,
    /// Each line of the case: what it tells, and the rest.
    facts: Vec<(String, String)>,
}

impl Signed {
    /// All that are published.
    pub fn all() -> Vec<Self> {
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
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts.iter().map(|(what, rest)| (what.as_str(), rest.as_str()))
    }

    /// The lines that tell `what`, without it.
    pub fn facts(&self, what: &str) -> impl Iterator<Item = &str> {
        self.lines().filter(move |(about, _)| *about == what).map(|(_, rest)| rest)
    }

    /// The one line that tells `what`.
    pub fn fact(&self, what: &str) -> &str {
        let mut facts = self.facts(what);
        let fact = facts.next();
        assert!(facts.next().is_none(), "{}: more than one {what}", self.name);
        fact.unwrap_or_else(|| panic!("{}: no {what}", self.name))
    }

    /// `valid`, or the reason.
    pub fn result(&self) -> &str {
        self.fact("result").split(' ').next().unwrap()
    }

    /// Whether the verifier of the case has neither own hosts nor a limit for payloads, and requires
    /// no claim.
    pub fn takes_every_frame(&self) -> bool {
        ["host", "max-payload", "digest"].iter().all(|fact| self.facts(fact).next().is_none())
    }

    /// Access keys and their live secrets.
    pub fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.facts("secret").map(|pair| pair.split_once(' ').unwrap())
    }
}

fn folders(root: &str) -> Vec<PathBuf> {
    let root = crate::repository().join(root);
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}
