//! `framesign sign`: the signature of each frame.

mod by_hash;
mod emit;
mod signer;

#[cfg(feature = "remote")]
use std::path::PathBuf;
use std::{fmt, time::SystemTime};

use clap::{Args, ValueHint};
#[cfg(feature = "remote")]
use framesign::SigningDate;
use framesign::{Head, PayloadHash, Rules, Signature, SigningOptions, StringToSign};
use serde::Serialize;

#[cfg(feature = "remote")]
use crate::remote::{Client, RemoteSigner};
use crate::{
    commands::sign::{
        emit::{EmitError, Emitter},
        signer::Signer,
    },
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

    /// Sign heads alone, up to the empty line that ends them, with this SHA-256 of the payload in place
    /// of the payload: 64 lower-case hexadecimal digits
    #[arg(long, value_name = "HEX")]
    payload_hash: Option<PayloadHash>,

    #[cfg(feature = "remote")]
    #[command(flatten)]
    remote: RemoteOptions,

    #[command(flatten)]
    signing: FrameOptions,
}

/// The service that signs.
#[cfg(feature = "remote")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Remote")]
struct RemoteOptions {
    /// Have the framesign service at URL sign, in place of a secret key: it is sent the heads and the
    /// hashes of the payloads, no payload; https, or http on loopback
    #[arg(long, value_name = "URL", conflicts_with_all = ["secret_key_file", "date"])]
    remote: Option<String>,

    /// The bearer token of the caller, in FILE or a pipe; one line end at its end does not count
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "remote")]
    caller_token_file: Option<PathBuf>,

    /// Trust the authorities in FILE, in PEM, in place of those that the system trusts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "remote")]
    remote_ca_file: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Examples:
  framesign sign upload.http
  framesign sign --date 20230801 --json *.http
  make-request | framesign sign --secret-key-file key.txt
  framesign sign --emit upload.http > upload.signed.http
  framesign sign --remote https://sign.example.org --caller-token-file token.txt upload.http
  framesign sign --payload-hash \"$(sha256sum < upload | cut -c 1-64)\" head.http

--emit takes one FILE and reads it twice. If it changes meanwhile the exit status is 3, and what was
written is not a valid frame: do not send it. A pipe is kept in a temporary file, on disk if TMPDIR
is on disk, so that memory stays small. Nothing is written of a frame that is refused. A timestamp,
content-digest or dynata-nonce that is there is kept; a content-digest of another payload is
refused. With --payload-hash FILE is a head, and the signed head is written: to send it with a
payload by curl, see \"With curl\" in docs/gateway.md.

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
    let signer = options.signer(SystemTime::now())?;
    let rules = options.signing.reading.rules()?;
    let mut output = Output::new(options.signing.json);
    let mut worst = Exit::Done;
    for file in &options.files {
        match sign(file, &rules, options.payload_hash, &signer) {
            Ok((signature, string_to_sign)) => output.result(&SignResult {
                file,
                signature,
                string_to_sign,
                is_one_of_several: options.files.len() > 1,
            })?,
            Err(failure) => worst = worst.max(output.failure(file, &failure)?),
        }
        if output.is_closed() {
            break;
        }
    }
    Ok(worst)
}

fn emit(options: &Options) -> Result<Exit, FatalError> {
    let [file] = options.files.as_slice() else {
        let count = options.files.len();
        return Err(FatalError::Configuration(format!("--emit: expected one file, found {count}")));
    };
    let now = SystemTime::now();
    let signer = options.signer(now)?;
    let (access_key, date) = match &signer {
        Signer::Key(key) => (key.access_key().to_owned(), key.date()),
        #[cfg(feature = "remote")]
        Signer::Remote(_) => {
            (options.signing.keys.required_access_key()?.to_owned(), SigningDate::of(now))
        }
    };
    let emitter = Emitter { signer, access_key, date, now, options: signing_options(options)? };
    let result = match options.payload_hash {
        Some(payload) => emitter.emit_head(file, payload),
        None => emitter.emit(file),
    };
    match result {
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

/// Signs a file: a frame, or a head whose payload has a hash that is known.
fn sign(
    file: &Input,
    rules: &Rules,
    payload: Option<PayloadHash>,
    signer: &Signer,
) -> Result<(Signature, StringToSign), InputFailure> {
    let (head, payload, string_to_sign) = match payload {
        Some(payload) => {
            let on_head = |head: Head<'_>| Ok(head.as_bytes().to_vec());
            let (head, string_to_sign) = by_hash::read(file, rules, payload, on_head)?;
            (head, payload, string_to_sign)
        }
        None => read_whole(file, rules)?,
    };
    let signature = signer.sign(&head, payload, &string_to_sign, None)?;
    Ok((signature, string_to_sign))
}

/// Reads a frame for its head, the hash of its payload, and its string to sign.
fn read_whole(
    file: &Input,
    rules: &Rules,
) -> Result<(Vec<u8>, PayloadHash, StringToSign), InputFailure> {
    let mut head = Vec::new();
    let hasher = frame::read(file, rules, |whole| head = whole.as_bytes().to_vec())?;
    let payload = hasher.payload_hash();
    let string_to_sign = hasher.finish()?;
    #[expect(clippy::expect_used, reason = "what has no whole head cannot be finished")]
    Ok((head, payload.expect("the head is whole"), string_to_sign))
}

impl Options {
    /// Who signs: the service that is named, or the key of the day that `now` is in.
    fn signer(&self, now: SystemTime) -> Result<Signer, FatalError> {
        #[cfg(feature = "remote")]
        if let Some(url) = &self.remote.remote {
            let (token, ca) = (&self.remote.caller_token_file, &self.remote.remote_ca_file);
            let client = Client::new("--remote", url, token.as_deref(), ca.as_deref())?;
            let remote = RemoteSigner::new(client, self.signing.keys.access_key())?;
            return Ok(Signer::Remote(Box::new(remote)));
        }
        self.signing.keys.signing_key_at(now).map(Signer::Key)
    }
}

impl fmt::Display for SignResult<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.signature.fmt(f)?;
        if self.is_one_of_several { writeln!(f, "  {}", self.file) } else { writeln!(f) }
    }
}
