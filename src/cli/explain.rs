//! `framesign explain`: the stages on the way to a signature, to see why two sides differ.

use std::fmt;

use clap::{Args, ValueHint};
use framesign::{CanonicalHead, Rules, Signature, StringToSign};
use serde::Serialize;

use super::{
    against::{Comparison, ComparisonLine},
    args::SigningOptions,
    exit::{Exit, Stop},
    failure::Failure,
    frame,
    input::Input,
    output::Output,
    visible::{Bytes, Text},
};

/// Print canonical request, string to sign and signature, to see why two sides differ
///
/// Line ends are shown as \n, and every byte but printable ASCII is escaped. The last line of a
/// canonical request, which is the hash of the payload, has no line end.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    #[command(flatten)]
    signing: SigningOptions,

    /// Name the first line in which the canonical request in FILE differs, byte for byte; exit
    /// status 1 where it does
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    against: Option<Input>,

    /// A file that holds one frame; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    file: Input,
}

const AFTER_HELP: &str = "\
Examples:
  framesign explain upload.http
  framesign explain --against theirs.txt upload.http

With --json it prints {\"file\":…,\"canonical_request\":…,\"string_to_sign\":…,\"signature\":…}, and
--against adds \"against\":{\"file\":…,\"equal\":true} or, where it differs,
{\"file\":…,\"equal\":false,\"line\":…,\"byte\":…,\"part\":…,\"ours\":…,\"theirs\":…}.

Exit status: 0 done, 1 the frame was refused, or --against differs, 2 wrong usage or
configuration, 3 input or output failed.";

/// What a signature is made of.
struct Stages {
    canonical_request: Vec<u8>,
    string_to_sign: StringToSign,
}

/// The stages as JSON.
#[derive(Serialize)]
struct Line {
    file: String,
    canonical_request: String,
    string_to_sign: String,
    signature: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<ComparisonLine>,
}

/// The stages as text.
struct Explanation<'a> {
    stages: &'a Stages,
    signature: Signature,
    comparison: Option<&'a Comparison<'a>>,
}

/// Explains the file.
pub(crate) fn run(options: &Options) -> Result<Exit, Stop> {
    let key = options.signing.keys.signing_key()?;
    let rules = options.signing.reading.rules()?;
    let mut output = Output::new(options.signing.json);
    let stages = match Stages::of(&options.file, &rules) {
        Ok(stages) => stages,
        Err(failure) => return Ok(output.failure(&options.file, &failure)?),
    };
    let theirs = options.against.as_ref();
    let comparison =
        match theirs.map(|file| Comparison::new(file, &stages.canonical_request)).transpose() {
            Ok(comparison) => comparison,
            Err(failure) => todo!(),
        };
    Ok(Exit::Done)
}
