//! `framesign sign`: the signature of each frame.

mod emit;

use std::{fmt, time::SystemTime};

use clap::{Args, ValueHint};
use framesign::{Rules, Signature, SigningOptions, StringToSign};
use serde::Serialize;

use crate::{
    commands::sign::emit::{EmitError, Emitter},
    exit::{Exit, FatalError},
    input::{failure::InputFailure, frame, source::Input},
    options::frame::FrameOptions,
    output::Output,
    text::json,
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

    /// Write the signed frame instead of its signature: FILE with the fields timestamp,
    /// content-digest, dynata-access-key, dynata-date, dynata-nonce and dynata-signature added; read
    /// strictly
    #[arg(long, conflicts_with = "json")]
    emit: bool,

    /// With --emit, add no content-digest: a verifier then knows only at the end of the payload
    /// whether the signature is right
    #[arg(long, requires = "emit")]
    no_digest: bool,

    /// With --emit, add no dynata-nonce: the same frame then has the same signature, and a verifier
    /// that takes each signature once refuses the second
    #[arg(long, requires = "emit")]
    no_nonce: bool,

    /// With --emit, add this dynata-nonce in place of 16 random bytes: 1 to 128 bytes of visible
    /// ASCII
    #[arg(long, value_name = "NONCE", requires = "emit", conflicts_with = "no_nonce")]
    nonce: Option<String>,

    #[command(flatten)]
    signing: FrameOptions,
}

const AFTER_HELP: &str = "\
Examples:
  framesign sign upload.http
  framesign sign --date 20230801 --json *.http
  make-request | framesign sign --secret-key-file key.txt
  framesign sign --emit upload.http > upload.signed.http

--emit takes one FILE and reads it twice. If it changes meanwhile the exit status is 3, and what was
written is not a valid frame: do not send it. A pipe is kept in a temporary file, on disk if TMPDIR is
on disk, so that memory stays small. Nothing is written of a frame that is refused. A timestamp,
content-digest or dynata-nonce that is there is kept; a content-digest of another payload is refused.

With --json each line is {\"file\":…,\"signature\":…,\"string_to_sign\":…}
or {\"file\":…,\"error\":{\"kind\":…,\"message\":…,\"offset\":…}}.

Exit status: 0 done, 1 a frame was refused, 2 wrong usage or configuration, 3 input or output
failed; of several files the worst counts.";

/// The signature of a file.
#[derive(Serialize)]
struct SignResult<'a> {
    file: &'a Input,
    #[serde(serialize_with = "json::display")]
    signature: Signature,
    #[serde(serialize_with = "json::display")]
    string_to_sign: StringToSign,
    /// True if text names the file too.
    #[serde(skip)]
    is_one_of_several: bool,
}

/// Signs each of the files.
pub(crate) fn run(options: &Options) -> Result<Exit, FatalError> {
    if options.emit {
        return emit(options);
    }
    let key = options.signing.keys.signing_key_at(SystemTime::now())?;
    let rules = options.signing.reading.rules()?;
    let mut output = Output::new(options.signing.json);
    let mut worst = Exit::Done;
    for file in &options.files {
        let exit = match string_to_sign(file, &rules) {
            Ok(string_to_sign) => output.result(&SignResult {
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

fn emit(options: &Options) -> Result<Exit, FatalError> {
    let [file] = options.files.as_slice() else {
        let count = options.files.len();
        return Err(FatalError::Configuration(format!("--emit: expected one file, found {count}")));
    };
    let now = SystemTime::now();
    let key = options.signing.keys.signing_key_at(now)?;
    let emitter = Emitter { key, now, options: signing_options(options)? };
    match emitter.emit(file) {
        Ok(()) => Ok(Exit::Done),
        Err(EmitError::Failure(failure)) => Ok(Output::new(false).failure(file, &failure)?),
        Err(EmitError::Fatal(stop)) => Err(stop),
    }
}

fn signing_options(options: &Options) -> Result<SigningOptions, FatalError> {
    let mut signing = options.signing.reading.signing()?;
    if options.no_digest {
        signing = signing.without_content_digest();
    }
    if options.no_nonce {
        signing = signing.without_nonce();
    }
    match &options.nonce {
        Some(nonce) => signing
            .nonce(nonce)
            .map_err(|error| FatalError::Configuration(format!("--nonce: {error}"))),
        None => Ok(signing),
    }
}

fn string_to_sign(file: &Input, rules: &Rules) -> Result<StringToSign, InputFailure> {
    Ok(frame::read(file, rules, |_| ())?.finish()?)
}

impl fmt::Display for SignResult<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.signature.fmt(f)?;
        if self.is_one_of_several { writeln!(f, "  {}", self.file) } else { writeln!(f) }
    }
}
