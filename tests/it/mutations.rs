//! The naive implementation passes the published vectors, and none of its mutations does.

use framesign::Reading;

use crate::{
    naive::{
        self, Mutated, Mutation, Settings,
        connection::read_connection,
        make::{Maker, make},
        time::{parse_time, seconds as of_seconds},
        verify::Verifier,
    },
    published::Vector,
    published::{Connection, Signed},
    stages::{ACCESS_KEY, DATE, SECRET_KEY},
};

/// Everything that the protocol publishes.
struct Published {
    vectors: Vec<(Vector, [Expected; 2])>,
    connections: Vec<Connection>,
    signed: Vec<Signed>,
}

/// What is published of a vector in one way of reading.
struct Expected {
    settings: Settings,
    error: Option<String>,
    canonical_request: Option<Vec<u8>>,
    string_to_sign: Option<String>,
    signature: Option<String>,
}

impl Published {
    fn load() -> Self {
        let of = |vector: &Vector, reading: Reading| Expected {
            settings: match reading {
                Reading::Strict => Settings::strict(),
                Reading::Lenient => Settings::lenient(),
            },
            error: vector.expected_line(reading, "error"),
            canonical_request: vector.expected(reading, "canonical-request"),
            string_to_sign: vector.expected_line(reading, "string-to-sign"),
            signature: vector.expected_line(reading, "signature"),
        };
        let both = |vector| {
            let expected = [of(&vector, Reading::Strict), of(&vector, Reading::Lenient)];
            (vector, expected)
        };
        Self {
            vectors: Vector::all().into_iter().map(both).collect(),
            connections: Connection::all(),
            signed: Signed::all(),
        }
    }

    /// The cases that come out otherwise than is published, one after another.
    fn noticed_by(&self, mutated: Mutated) -> impl Iterator<Item = String> {
        let vectors = self.vectors.iter().flat_map(move |(vector, expected)| {
            expected.iter().filter_map(move |expected| {
                let found = expected.differs(mutated, &vector.frame)?;
                Some(format!("{} read {:?}: {found}", vector.name, expected.settings.reading))
            })
        });
        let connections = self.connections.iter().filter_map(move |connection| {
            Some(format!("{}: {}", connection.name, connection_differs(connection, mutated)?))
        });
        let signed = self.signed.iter().filter_map(move |case| {
            Some(format!("{}: {}", case.name, case_differs(case, mutated)?))
        });
        vectors.chain(connections).chain(signed)
    }
}

impl Expected {
    /// What the naive implementation makes of the frame, if that is something else.
    fn differs(&self, mutated: Mutated, frame: &[u8]) -> Option<String> {
        let settings = Settings { mutated, ..self.settings.clone() };
        let found = naive::sign(ACCESS_KEY, SECRET_KEY, DATE, &settings, frame);
        let is_same = match &found {
            Err(refused) => self.error.as_deref() == Some(refused.kind),
            Ok(stages) => {
                self.canonical_request.as_ref() == Some(&stages.canonical_request)
                    && self.string_to_sign.as_ref() == Some(&stages.string_to_sign)
                    && self.signature.as_ref() == Some(&stages.signature)
            }
        };
        let shown = |stages: naive::Stages| stages.canonical_request.escape_ascii().to_string();
        (!is_same).then(|| format!("{:?}", found.map(shown)))
    }
}

fn connection_differs(connection: &Connection, mutated: Mutated) -> Option<String> {
    let settings = Settings { mutated, ..Settings::strict() };
    let found = read_connection(ACCESS_KEY, SECRET_KEY, DATE, &settings, &connection.input);
    let is_same =
        (found.end, &found.signatures) == (connection.end.as_str(), &connection.signatures);
    (!is_same).then(|| format!("{found:?}"))
}

fn case_differs(case: &Signed, mutated: Mutated) -> Option<String> {
    let found = naive_verifier(case, mutated).verify(&case.frame);
    let result = found.err().unwrap_or_else(|| "valid".to_owned());
    if result != case.fact("result") {
        return Some(result);
    }
    let made = make_signed(case, mutated)?;
    let text = |frame: &[u8]| frame.escape_ascii().to_string();
    let is_same = made.as_ref() == Ok(&case.frame);
    (!is_same).then(|| format!("{:?}", made.map(|frame| text(&frame))))
}

/// The naive verifier of the case.
pub(crate) fn naive_verifier(case: &Signed, mutated: Mutated) -> Verifier {
    let mut verifier = Verifier {
        mutated,
        now: parse_time(case.fact("now")),
        age: None,
        hosts: Vec::new(),
        max_payload: None,
        requires_digest: false,
        secrets: Vec::new(),
    };
    for (what, rest) in case.lines() {
        match (what, rest) {
            ("now" | "revoked" | "result", _) | ("age", "off") => {}
            ("age", seconds) => verifier.age = Some(of_seconds(seconds.parse().unwrap())),
            ("host", name) => verifier.hosts.push(name.to_owned()),
            ("max-payload", bytes) => verifier.max_payload = Some(bytes.parse().unwrap()),
            ("digest", "required") => verifier.requires_digest = true,
            ("secret", pair) => {
                let (access_key, secret) = pair.split_once(' ').unwrap();
                verifier.secrets.push((access_key.to_owned(), secret.to_owned()));
            }
            (what, _) => panic!("{}: {what} is unknown", case.name),
        }
    }
    verifier
}

/// The signed frame that is made, where it is published of what.
fn make_signed(case: &Signed, mutated: Mutated) -> Option<Result<Vec<u8>, &'static str>> {
    let (access_key, secret) = case.secrets().next()?;
    let now = parse_time(case.fact("now"));
    let maker = Maker { mutated, access_key, secret, now };
    Some(make(&maker, case.unsigned.as_ref()?))
}

#[test]
fn the_naive_implementation_passes_what_is_published() {
    let published = Published::load();
    let failures: Vec<_> = published.noticed_by(Mutated::default()).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_mutation_is_noticed_by_what_is_published() {
    let published = Published::load();
    let is_missed =
        |mutation: &&Mutation| published.noticed_by(Mutated(Some(**mutation))).next().is_none();
    let missed: Vec<_> = Mutation::ALL
        .iter()
        .filter(is_missed)
        .map(|mutation| format!("{mutation:?}, {}", mutation.describe()))
        .collect();
    assert!(missed.is_empty(), "{} of {}: {missed:#?}", missed.len(), Mutation::ALL.len());
}

#[test]
fn there_is_a_mutation_for_every_row_of_section_7() {
    for row in 1..=25 {
        let row = format!("7.{row}: ");
        let is_of_row = |mutation: &Mutation| mutation.describe().starts_with(&row);
        assert!(Mutation::ALL.iter().any(is_of_row), "{row}");
    }
}
