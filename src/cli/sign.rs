//! `framesign sign`: the signature of each frame.

use std::fmt;

use clap::{Args, ValueHint};
use framesign::{Rules, Signature, StringToSign};
use serde::Serialize;

use super::{
    args::SigningOptions,
    exit::{Exit, Stop},
    failure::Failure,
    frame,
    input::Input,
    json,
    output::Output,
};

/// Print the signatures of frames
///
/// Of several files it prints a line each: the signature, two spaces, the file. A frame that is
/// refused is reported, and the others are signed all the same.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    /// Files that hold one frame each; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    files: Vec<Input>,

    #[command(flatten)]
    signing: SigningOptions,
}

const AFTER_HELP: &str = "\
Examples:
  framesign sign upload.http
  framesign sign --date 20230801 --json *.http
  make-request | framesign sign --secret-key-file key.txt

With --json each line is {\"file\":…,\"signature\":…,\"string_to_sign\":…}
or {\"file\":…,\"error\":{\"kind\":…,\"message\":…,\"offset\":…}}.

Exit status: 0 done, 1 a frame was refused, 2 wrong usage or configuration, 3 input or output
failed; of several files the worst counts.";

/// The signature of a file.
#[derive(Serialize)]
struct Signed<'a> {
    file: &'a Input,
    #[serde(serialize_with = "json::display")]
    signature: Signature,
    #[serde(serialize_with = "json::display")]
    string_to_sign: StringToSign,
    /// Whether text names the file too.
    #[serde(skip)]
    is_one_of_several: bool,
}

/// Signs each of the files.
pub(crate) fn run(options: &Options) -> Result<Exit, Stop> {
    let key = options.signing.keys.signing_key()?;
    let rules = options.signing.reading.rules()?;
    let mut output = Output::new(options.signing.json);
    let mut worst = Exit::Done;
    for file in &options.files {
        let exit = match string_to_sign(file, &rules) {
            Ok(string_to_sign) => output.result(&Signed {
                file,
                signature: key.sign(&string_to_sign),
                string_to_sign,
                is_one_of_several: options.files.len() > 1,
            }),
            Err(failure) => output.failure(file, &failure),
        };
        worst = worst.max(exit?);
    }
    Ok(worst)
}

fn string_to_sign(file: &Input, rules: &Rules) -> Result<StringToSign, Failure> {
    Ok(frame::read(file, rules, |_| ())?.finish()?)
}

impl fmt::Display for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.signature.fmt(f)?;
        if self.is_one_of_several { writeln!(f, "  {}", self.file) } else { writeln!(f) }
    }
}
