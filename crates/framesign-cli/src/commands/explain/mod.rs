//! `framesign explain`: the stages on the way to a signature, to see why two sides differ.

mod against;
mod carried;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use clap::{Args, ValueHint};
use framesign::{
    CanonicalHead, PayloadHash, Rules, Signature, SigningKey, StringToSign,
    frame::HeadReader,
    verify::{FieldNames, Policy},
};
use serde::Serialize;

use crate::{
    commands::explain::{against::Comparison, carried::Carried},
    exit::{Exit, FatalError},
    input::{failure::InputFailure, frame, source::Input},
    options::{frame::FrameOptions, keys::SigningKeyOptions},
    output::Output,
    text::{json, visible::Bytes},
};

/// Print canonical request, string to sign and signature, to see why two sides differ
///
/// Line ends are shown as \n, and every byte but printable ASCII is escaped. The last line of a
/// canonical request, the hash of the payload, has no line end.
///
/// If the frame carries a signature, its field is left out, the access key and the date are those in
/// the frame, and the signature in the frame is compared with the computed one, if the secret key is
/// given; exit status 1 if it differs, or if the content-digest is that of another payload.
///
/// `framesign inspect` shows the same as a picture in the browser.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    /// Name the lines in which the canonical request in FILE differs, byte for byte, the first of
    /// them first; exit status 1 if there are any
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    against: Option<Input>,

    /// A file that holds one frame; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    file: Input,

    #[command(flatten)]
    signing: FrameOptions,
}

const AFTER_HELP: &str = "\
Examples:
  framesign explain upload.http
  framesign explain --against theirs.txt upload.http

With --json it prints {\"file\":…,\"canonical_request\":…,\"string_to_sign\":…,\"signature\":…}.
A frame that carries a signature adds
\"frame\":{\"access_key\":…,\"date\":…,\"signature\":…,\"digest_equal\":true|false,\"equal\":true|false};
without its secret key \"signature\" and \"equal\" are missing, without a claimed hash \"digest_equal\".
--against adds \"against\":{\"file\":…,\"equal\":true} or, if it differs,
\"against\":{\"file\":…,\"equal\":false,\"line\":…,\"byte\":…,\"part\":…,\"ours\":…,\"theirs\":…,
\"differences\":[{\"line\":…,\"byte\":…,\"part\":…,\"ours\":…,\"theirs\":…},…]}: the first difference, and
all of them. A line that one side lacks is null; \"line_end\" is there if theirs ends in a line end.

Exit status: 0 done, 1 the frame was refused, its signature or --against differs, 2 wrong usage or
configuration, 3 input or output failed.";

/// The stages of the signature of a file.
#[derive(Serialize)]
struct Explanation<'a> {
    file: &'a Input,
    #[serde(serialize_with = "json::text")]
    canonical_request: Vec<u8>,
    #[serde(serialize_with = "json::display")]
    string_to_sign: StringToSign,
    #[serde(serialize_with = "json::optional_display", skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
    #[serde(rename = "frame", skip_serializing_if = "Option::is_none")]
    carried: Option<Carried>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Comparison<'a>>,
    /// The key of the signature.
    #[serde(skip)]
    key: Option<SigningKey>,
}

/// The stages of a frame that need no key, and the signature that it carries.
struct Stages {
    canonical_request: Vec<u8>,
    string_to_sign: StringToSign,
    carried: Option<Carried>,
}

/// The reason why there is no explanation.
enum ExplainError<'a> {
    Failure(&'a Input, InputFailure),
    Fatal(FatalError),
}

/// Explains the file.
pub(crate) fn run(options: &Options) -> Result<Exit, FatalError> {
    let reading = &options.signing.reading;
    // Any date and any time: it is the frame that is looked at, not how old it is.
    let policy = Policy::default().without_freshness().skew(Duration::MAX);
    let (rules, policy) = (reading.rules()?, reading.limit(policy)?);
    let mut output = Output::new(options.signing.json);
    match explain(options, &rules, &policy) {
        Ok(explanation) => {
            output.result(&explanation)?;
            Ok(explanation.exit())
        }
        Err(ExplainError::Failure(file, failure)) => Ok(output.failure(file, &failure)?),
        Err(ExplainError::Fatal(stop)) => Err(stop),
    }
}

fn explain<'a>(
    options: &'a Options,
    rules: &Rules,
    policy: &Policy,
) -> Result<Explanation<'a>, ExplainError<'a>> {
    let (file, keys) = (&options.file, &options.signing.keys);
    let Stages { canonical_request, string_to_sign, mut carried } =
        stages(file, rules, policy, keys)
            .map_err(|failure| ExplainError::Failure(file, failure))?;
    let key = match &carried {
        Some(carried) => carried.key(keys),
        None => keys.signing_key_at(SystemTime::now()).map(Some),
    }
    .map_err(ExplainError::Fatal)?;
    let compare = |other| {
        Comparison::new(other, &canonical_request)
            .map_err(|error| ExplainError::Failure(other, InputFailure::Io(error)))
    };
    let against = options.against.as_ref().map(compare).transpose()?;
    let signature = key.as_ref().map(|key| key.sign(&string_to_sign));
    if let Some(carried) = &mut carried {
        carried.compare(signature);
    }
    Ok(Explanation { file, canonical_request, string_to_sign, signature, carried, against, key })
}

/// Reads the frame. The payload is hashed as it passes, so that a frame of any size can be
/// explained.
fn stages(
    file: &Input,
    rules: &Rules,
    policy: &Policy,
    keys: &SigningKeyOptions,
) -> Result<Stages, InputFailure> {
    let mut bytes = Vec::new();
    let hasher = frame::read(file, rules, |head| bytes.extend_from_slice(head.as_bytes()))?;
    let payload = hasher.payload_hash();
    hasher.finish()?;
    let mut reader = HeadReader::new(rules.clone());
    #[expect(clippy::expect_used, reason = "what has no whole head cannot be finished")]
    let (head, payload) = reader.read(&bytes)?.zip(payload).expect("the head is whole");
    let names = FieldNames::default();
    let mut carried = Carried::of(&head, &names, keys);
    let mut canonical = CanonicalHead::new(head);
    if let Some(carried) = &mut carried {
        canonical = canonical.without_field(names.signature());
        carried.compare_payload(claimed(&bytes, policy), payload);
    }
    let request = canonical.with_payload(payload);
    let mut canonical_request = Vec::new();
    request.write_to(&mut canonical_request)?;
    Ok(Stages { canonical_request, string_to_sign: request.string_to_sign(), carried })
}

/// The hash that a verifier takes for claimed, of a head that is read strictly.
fn claimed(head: &[u8], policy: &Policy) -> Option<PayloadHash> {
    let mut reader = HeadReader::new(policy.rules().clone());
    let head = reader.read(head).ok()??;
    policy.examine(&head, SystemTime::now()).ok()?.content_digest()
}

impl Explanation<'_> {
    fn exit(&self) -> Exit {
        let differs = self.against.as_ref().is_some_and(|against| !against.is_equal());
        let is_wrong = self.carried.as_ref().is_some_and(Carried::is_wrong);
        if differs || is_wrong { Exit::Refused } else { Exit::Done }
    }

    /// The result of the comparison with the signature in the frame.
    fn is_own_equal(&self) -> Option<bool> {
        self.carried.as_ref().and_then(Carried::is_equal)
    }

    /// Writes what is left if the canonical requests of both sides, and so the strings to sign, are
    /// equal.
    fn write_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let condition = match self.is_own_equal() {
            Some(true) => return Ok(()),
            Some(false) => "",
            None => "if the signatures differ, ",
        };
        write!(f, "  {condition}what is left is the derivation of the key: the secret key")?;
        let (date, access_key) = match (&self.key, &self.carried) {
            (Some(key), _) => (Some(key.date()), Some(key.access_key())),
            (None, Some(carried)) => (carried.date(), carried.access_key()),
            (None, None) => (None, None),
        };
        if let Some(date) = date {
            write!(f, ", the date {date}")?;
        }
        if let Some(access_key) = access_key {
            write!(f, ", the access key {}", Bytes(access_key.as_bytes()))?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "canonical request:")?;
        for line in self.canonical_request.split_inclusive(|&byte| byte == b'\n') {
            writeln!(f, "  {}", Bytes(line))?;
        }
        writeln!(f, "string to sign:\n  {}", self.string_to_sign)?;
        if let Some(signature) = &self.signature {
            writeln!(f, "signature:\n  {signature}")?;
        }
        if let Some(carried) = &self.carried {
            carried.fmt(f)?;
        }
        let Some(against) = &self.against else { return Ok(()) };
        against.fmt(f)?;
        if against.is_equal() { self.write_rest(f) } else { Ok(()) }
    }
}
