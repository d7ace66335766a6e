//! `framesign explain`: the stages on the way to a signature, to see why two sides differ.

mod against;
mod carried;
mod cause;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use clap::{Args, ValueHint};
use framesign::{
    CanonicalHead, PayloadHash, Rules, Signature, SigningKey, StringToSign,
    explain::Evidence,
    frame::HeadReader,
    verify::{FieldNames, Policy},
};
use serde::Serialize;

use crate::{
    commands::explain::{
        against::Comparison,
        carried::Carried,
        cause::{Kept, Known, Search},
    },
    exit::{Exit, FatalError},
    input::{failure::InputFailure, frame, source::Input},
    options::frame::FrameOptions,
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

    /// Name the single repair that makes both sides equal. The other side is FILE of --against, a
    /// canonical request, string to sign or signature, or else the signature in the frame
    #[arg(long)]
    find_cause: bool,

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
  framesign explain --find-cause --against theirs.txt upload.http

With --json it prints {\"file\":…,\"canonical_request\":…,\"string_to_sign\":…,\"signature\":…}.
A frame that carries a signature adds
\"frame\":{\"access_key\":…,\"date\":…,\"signature\":…,\"digest_equal\":true|false,\"equal\":true|false};
without its secret key \"signature\" and \"equal\" are missing, without a claimed hash \"digest_equal\".
--against adds \"against\":{\"file\":…,\"equal\":true} or, if it differs,
\"against\":{\"file\":…,\"equal\":false,\"line\":…,\"byte\":…,\"part\":…,\"ours\":…,\"theirs\":…,
\"differences\":[{\"line\":…,\"byte\":…,\"part\":…,\"ours\":…,\"theirs\":…},…]}: the first difference, and
all of them. A line that one side lacks is null; \"line_end\" is there if theirs ends in a line end.
--find-cause adds \"cause\":{\"repair\":…,\"section\":…,\"side\":…,\"message\":…,\"also\":[…]}, or
\"cause\":null if both sides are equal or no single repair makes them so.

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
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Search>,
    /// The key of the signature.
    #[serde(skip)]
    key: Option<SigningKey>,
}

/// The stages of a frame that need no key, and the signature that it carries.
struct Stages {
    canonical_request: Vec<u8>,
    string_to_sign: StringToSign,
    carried: Option<Carried>,
    /// What the signature in the frame tells of its signer.
    own: Option<Evidence>,
    payload: PayloadHash,
    kept: Kept,
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
    let mut stages =
        stages(options, rules, policy).map_err(|failure| ExplainError::Failure(file, failure))?;
    // The secret key is read once: it may come from a pipe.
    let pair = match &stages.carried {
        Some(carried) => carried.keys(keys),
        None => keys.credentials_at(SystemTime::now()).map(Some),
    }
    .map_err(ExplainError::Fatal)?;
    let key = pair.as_ref().map(|(credentials, date)| SigningKey::derive(credentials, *date));
    let signature = key.as_ref().map(|key| key.sign(&stages.string_to_sign));
    if let Some(carried) = &mut stages.carried {
        carried.compare(signature);
    }
    let theirs = match &options.against {
        Some(other) => Some((other, read_theirs(other, &stages)?)),
        None => None,
    };
    let against = theirs.as_ref().map(|(other, theirs)| {
        compare(other, theirs, &stages, signature.as_ref(), options.find_cause)
    });
    let cause = match &against {
        _ if !options.find_cause => None,
        Some(against) if against.is_equal() && stages.own.is_none() => Some(Search::default()),
        against => {
            let differs = against.as_ref().is_some_and(|against| !against.is_equal());
            let theirs = theirs.as_ref().filter(|_| differs);
            let theirs = theirs.map(|(_, theirs)| Evidence::parse(theirs));
            let evidence = theirs.or(stages.own.take());
            let evidence = evidence.ok_or_else(|| ExplainError::Fatal(cause::no_evidence()))?;
            let known =
                Known { rules, payload: stages.payload, is_signed: stages.carried.is_some(), pair };
            let search = Search::new(stages.kept, known, &evidence);
            Some(search.map_err(|failure| ExplainError::Failure(file, failure))?)
        }
    };
    let Stages { canonical_request, string_to_sign, carried, .. } = stages;
    Ok(Explanation {
        file,
        canonical_request,
        string_to_sign,
        signature,
        carried,
        against,
        cause,
        key,
    })
}

fn read_theirs<'a>(other: &'a Input, stages: &Stages) -> Result<Vec<u8>, ExplainError<'a>> {
    against::read(other, &stages.canonical_request)
        .map_err(|error| ExplainError::Failure(other, InputFailure::Io(error)))
}

/// Holds what the other side has against ours. Digits are a later stage if a cause is searched.
fn compare<'a>(
    other: &'a Input,
    theirs: &[u8],
    stages: &Stages,
    signature: Option<&Signature>,
    find_cause: bool,
) -> Comparison<'a> {
    match Evidence::parse(theirs) {
        Evidence::Digits(digits) if find_cause => {
            let is_string_to_sign = digits == stages.string_to_sign.to_string();
            let is_signature = signature.is_some_and(|signature| digits == signature.to_string());
            Comparison::of_digits(other, is_string_to_sign || is_signature)
        }
        _ => Comparison::new(other, &stages.canonical_request, theirs),
    }
}

/// Reads the frame. The payload is hashed as it passes, so that a frame of any size can be
/// explained.
fn stages(options: &Options, rules: &Rules, policy: &Policy) -> Result<Stages, InputFailure> {
    let (file, keys) = (&options.file, &options.signing.keys);
    let mut kept = Kept::new(options.find_cause);
    let hasher = frame::read_whole(file, rules, |update| kept.update(update))?;
    let payload = hasher.payload_hash();
    hasher.finish()?;
    let mut reader = HeadReader::new(rules.clone());
    #[expect(clippy::expect_used, reason = "what has no whole head cannot be finished")]
    let (head, payload) = reader.read(kept.head())?.zip(payload).expect("the head is whole");
    let names = FieldNames::default();
    let mut carried = Carried::of(&head, &names, keys);
    let own = cause::own_signature(&head);
    let mut canonical = CanonicalHead::new(head);
    if let Some(carried) = &mut carried {
        canonical = canonical.without_field(names.signature());
        carried.compare_payload(claimed(kept.head(), policy), payload);
    }
    let request = canonical.with_payload(payload);
    let mut canonical_request = Vec::new();
    request.write_to(&mut canonical_request)?;
    let string_to_sign = request.string_to_sign();
    Ok(Stages { canonical_request, string_to_sign, carried, own, payload, kept })
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
        if let Some(against) = &self.against {
            against.fmt(f)?;
            if against.is_equal() {
                self.write_rest(f)?;
            }
        }
        self.cause.as_ref().map_or(Ok(()), |cause| cause.fmt(f))
    }
}
