//! The published vectors, stage by stage and however they are cut.

use std::{
    fs,
    path::{Path, PathBuf},
};

use framesign::{Reading, Rules};

use crate::{
    stages::{Stages, stages},
    support::assert_independent_of_cuts,
};

/// How many vectors the protocol publishes.
const VECTORS: usize = 188;

pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) frame: Vec<u8>,
}

impl Vector {
    pub(crate) fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
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

    /// What the file of `reading` says, or the one for both.
    pub(crate) fn expected(&self, reading: Reading, what: &str) -> Option<Vec<u8>> {
        let reading = if reading == Reading::Strict { "strict" } else { "lenient" };
        [reading, "both"]
            .iter()
            .find_map(|prefix| fs::read(self.folder.join(format!("{prefix}.{what}"))).ok())
    }

    pub(crate) fn expected_line(&self, reading: Reading, what: &str) -> Option<String> {
        let line = String::from_utf8(self.expected(reading, what)?).unwrap();
        Some(line.strip_suffix('\n').unwrap().to_owned())
    }

    fn check(&self, reading: Reading) {
        let name = format!("{} read {reading:?}", self.name);
        let found = stages(&Rules::new(reading), [&self.frame[..]]);
        if let Some(kind) = self.expected_line(reading, "error") {
            let error = found.expect_err(&name);
            assert_eq!(error.kind().as_str(), kind, "{name}: {error}");
            return;
        }
        let Stages { canonical_request, string_to_sign, signature } = found.expect(&name);
        let expected = self.expected(reading, "canonical-request").unwrap();
        let shown = (canonical_request.escape_ascii(), expected.escape_ascii());
        assert!(canonical_request == expected, "{name}: {} is not {}", shown.0, shown.1);
        let expected = self.expected_line(reading, "string-to-sign").unwrap();
        assert_eq!(string_to_sign.to_string(), expected, "{name}");
        let expected = self.expected_line(reading, "signature").unwrap();
        assert_eq!(signature.to_string(), expected, "{name}");
    }
}

#[test]
fn strict_reading_gives_the_published_stages() {
    for vector in Vector::all() {
        vector.check(Reading::Strict);
    }
}

#[test]
fn lenient_reading_gives_the_published_stages() {
    for vector in Vector::all() {
        vector.check(Reading::Lenient);
    }
}

#[test]
fn results_do_not_depend_on_cuts() {
    for vector in Vector::all() {
        assert_independent_of_cuts(&vector.name, &Rules::strict(), &vector.frame);
        assert_independent_of_cuts(&vector.name, &Rules::lenient(), &vector.frame);
    }
}
