//! `framesign sign`: the signature of each frame.

use clap::{Args, ValueHint};
use framesign::{Rules, Signature, StringToSign};
use serde::Serialize;

use super::{
    args::SigningOptions,
    exit::{Exit, Stop},
    failure::Failure,
    frame,
    input::Input,
    output::Output,
};

/// Print the signatures of frames
///
/// Of several files it prints a line each: the signature, two spaces, the file. A frame that is
/// refused is reported, and the others are signed all the same.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    #[command(flatten)]
    signing: SigningOptions,

    /// Files that hold one frame each; - is standard input
    #[arg(value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = Input::parser())]
    files: Vec<Input>,
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

/// A signature as JSON.
#[derive(Serialize)]
struct Line {
    file: String,
    signature: String,
    string_to_sign: String,
}

/// Signs each of the files.
pub(crate) fn run(options: &Options) -> Result<Exit, Stop> {
    let key = options.signing.keys.signing_key()?;
    let rules = options.signing.reading.rules()?;
    let mut output = Output::new(options.signing.json);
    let mut worst = Exit::Done;
    for file in &options.files {
        let exit = match string_to_sign(file, &rules) {
            Ok(string_to_sign) => {
                let signature = key.sign(&string_to_sign);
                output.result(&line(file, signature, string_to_sign), text(options, file, signature))?;
                Exit::Done
            }
            Err(failure) => output.failure(file, &failure)?,
        };
        worst = worst.max(exit);
    }
    Ok(worst)
}

fn string_to_sign(file: &Input, rules: &Rules) -> Result<StringToSign, Failure> {
    Ok(frame::read(file, rules, |_| ())?.finish()?)
}

fn line(file: &Input, signature: Signature, string_to_sign: StringToSign) -> Line {
    Line {
        file: file.json_name(),
        signature: signature.to_string(),
        string_to_sign: string_to_sign.to_string(),
    }
}

fn text(options: &Options, file: &Input, signature: Signature) -> String {
    match *options.files {
        [_] => signature.to_string(),
        _ => format!("{signature}  {file}"),
    }
}
