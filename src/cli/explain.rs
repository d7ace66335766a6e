//! `framesign explain`: the stages on the way to a signature, to see why two sides differ.

use std::fmt;

use clap::{Args, ValueHint};
use framesign::{CanonicalHead, Rules, Signature, SigningKey, StringToSign};
use serde::Serialize;

use super::{
    against::Comparison,
    args::SigningOptions,
    exit::{Exit, Stop},
    failure::Failure,
    frame,
    input::Input,
    json,
    output::Output,
    visible::Bytes,
};

/// Print canonical request, string to sign and signature, to see why two sides differ
///
/// Line ends are shown as \n, and every byte but printable ASCII is escaped. The last line of a
/// canonical request, the hash of the payload, has no line end.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    /// Name the first line in which the canonical request in FILE differs, byte for byte; exit
    /// status 1 where it does
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    against: Option<Input>,

    /// A file that holds one frame; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    file: Input,

    #[command(flatten)]
    signing: SigningOptions,
}

const AFTER_HELP: &str = "\
Examples:
  framesign explain upload.http
  framesign explain --against theirs.txt upload.http

With --json it prints {\"file\":…,\"canonical_request\":…,\"string_to_sign\":…,\"signature\":…}.
--against adds \"against\":{\"file\":…,\"equal\":true} or, where it differs,
\"against\":{\"file\":…,\"equal\":false,\"line\":…,\"byte\":…,\"part\":…,\"ours\":…,\"theirs\":…}.

Exit status: 0 done, 1 the frame was refused or --against differs, 2 wrong usage or configuration,
3 input or output failed.";

/// What the signature of a file is made of.
#[derive(Serialize)]
struct Explanation<'a> {
    file: &'a Input,
    #[serde(serialize_with = "json::text")]
    canonical_request: Vec<u8>,
    #[serde(serialize_with = "json::display")]
    string_to_sign: StringToSign,
    #[serde(serialize_with = "json::display")]
    signature: Signature,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Comparison<'a>>,
}

/// Explains the file.
pub(crate) fn run(options: &Options) -> Result<Exit, Stop> {
    let key = options.signing.keys.signing_key()?;
    let rules = options.signing.reading.rules()?;
    let mut output = Output::new(options.signing.json);
    match explain(options, &key, &rules) {
        Ok(explanation) => {
            output.result(&explanation)?;
            Ok(explanation.exit())
        }
        Err((file, failure)) => Ok(output.failure(file, &failure)?),
    }
}

fn explain<'a>(
    options: &'a Options,
    key: &SigningKey,
    rules: &Rules,
) -> Result<Explanation<'a>, (&'a Input, Failure)> {
    let file = &options.file;
    let (canonical_request, string_to_sign) =
        stages(file, rules).map_err(|failure| (file, failure))?;
    let compare = |other| {
        Comparison::new(other, &canonical_request).map_err(|error| (other, Failure::Io(error)))
    };
    let against = options.against.as_ref().map(compare).transpose()?;
    let signature = key.sign(&string_to_sign);
    Ok(Explanation { file, canonical_request, string_to_sign, signature, against })
}

/// The canonical request and the string to sign. The payload is hashed as it passes, so that a
/// frame of any size can be explained.
fn stages(file: &Input, rules: &Rules) -> Result<(Vec<u8>, StringToSign), Failure> {
    let mut canonical_request = Vec::new();
    let hasher = frame::read(file, rules, |head| {
        // A vector takes everything.
        let _ = CanonicalHead::new(head).write_to(&mut canonical_request);
    })?;
    if let Some(payload) = hasher.payload_hash() {
        canonical_request.extend_from_slice(payload.to_string().as_bytes());
    }
    Ok((canonical_request, hasher.finish()?))
}

impl Explanation<'_> {
    fn exit(&self) -> Exit {
        match &self.against {
            Some(against) if !against.is_equal() => Exit::Refused,
            _ => Exit::Done,
        }
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "canonical request:")?;
        for line in self.canonical_request.split_inclusive(|&byte| byte == b'\n') {
            writeln!(f, "  {}", Bytes(line))?;
        }
        writeln!(f, "string to sign:\n  {}", self.string_to_sign)?;
        writeln!(f, "signature:\n  {}", self.signature)?;
        self.against.as_ref().map_or(Ok(()), |against| against.fmt(f))
    }
}
