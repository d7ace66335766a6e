//! The arguments: the subcommands, and the options that several of them share.

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use framesign::{InputError, Rules, SigningOptions, verify::Policy};

#[cfg(feature = "serve")]
use crate::serve;

use super::{exit::Stop, explain, generate, keys::KeyOptions, sign, verify, visible::Name};

/// Signs and verifies HTTP/1.1 request frames as they stream, in constant memory
///
/// A frame is a request as it goes over the wire: request line, fields, an empty line, and the
/// payload. It is read once, from a file or a pipe, whatever its size.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_long_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sign(sign::Options),
    Explain(explain::Options),
    Verify(verify::Options),
    #[cfg(feature = "serve")]
    Serve(Box<serve::Options>),
    #[cfg(feature = "serve")]
    Healthcheck(serve::healthcheck::Options),
    #[command(hide = true)]
    Completions(generate::CompletionsOptions),
    #[command(hide = true)]
    Man(generate::ManOptions),
}

impl Cli {
    /// Reads the arguments, and for the service the environment.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::definition().try_get_matches()?)
    }

    /// The definition that arguments, help, completions and manual pages come from.
    pub(crate) fn definition() -> clap::Command {
        let command = Self::command();
        #[cfg(feature = "serve")]
        let command = command.mut_subcommand("serve", serve::with_environment);
        command
    }
}

const AFTER_HELP: &str = "\
Environment:
  FRAMESIGN_ACCESS_KEY  the access key, unless --access-key gives it
  FRAMESIGN_SECRET_KEY  the secret key, unless --secret-key-file gives it; never an argument,
                        because arguments are public

Exit status:
  0  done
  1  a frame was refused, is not what it claims to be, or differs from what it was held against
  2  wrong usage or configuration
  3  input or output failed
  Of several files the worst counts.

Errors are one line on standard error: framesign: FILE: what was expected, what was found, at
which byte. With --json they are objects on standard output, as results are.

Examples:
  framesign sign upload.http            one signature
  framesign sign --json *.http          an object a line
  framesign explain --against theirs.txt upload.http
  framesign sign --emit upload.http | framesign verify

Shell completions: framesign completions bash|elvish|fish|powershell|zsh
Manual pages:      framesign man [COMMAND]";

/// What everything that signs frames has in common.
#[derive(Debug, Args)]
pub(crate) struct FrameOptions {
    /// Write results and errors as JSON objects, a line each, to standard output
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) keys: KeyOptions,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,
}

/// How frames are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadingOptions {
    /// Refuse what lenient reading repairs, such as bare line feeds and folded fields: read as a
    /// verifier does
    #[arg(long)]
    strict: bool,

    /// Accept a further method, such as PATCH, beside GET, HEAD, POST, PUT, DELETE, CONNECT,
    /// OPTIONS and TRACE; case counts; repeatable, or several with commas between
    #[arg(long = "allow-method", value_name = "NAME", value_delimiter = ',')]
    allowed_methods: Vec<String>,

    /// The most bytes that a head may have, the empty line that ends it counted
    #[arg(long, value_name = "BYTES", default_value_t = Rules::DEFAULT_MAX_HEAD)]
    max_head: usize,

    /// The most field lines that a head may have
    #[arg(long, value_name = "N", default_value_t = Rules::DEFAULT_MAX_HEADERS)]
    max_headers: usize,
}

impl ReadingOptions {
    pub(crate) fn rules(&self) -> Result<Rules, Stop> {
        let rules = if self.strict { Rules::strict() } else { Rules::lenient() };
        let rules = rules.max_head(self.max_head).max_headers(self.max_headers);
        self.allow_methods(rules, Rules::allow_method)
    }

    /// Adds the limits and methods to what a verifier asks, which reads strictly in any case.
    pub(crate) fn limit(&self, policy: Policy) -> Result<Policy, Stop> {
        let policy = policy.max_head(self.max_head).max_headers(self.max_headers);
        self.allow_methods(policy, Policy::allow_method)
    }

    /// The options for making signed frames, which are read strictly in any case.
    pub(crate) fn signing(&self) -> Result<SigningOptions, Stop> {
        let options = SigningOptions::default();
        let options = options.max_head(self.max_head).max_headers(self.max_headers);
        self.allow_methods(options, SigningOptions::allow_method)
    }

    fn allow_methods<T>(
        &self,
        rules: T,
        allow: impl Fn(T, &str) -> Result<T, InputError>,
    ) -> Result<T, Stop> {
        self.allowed_methods.iter().try_fold(rules, |rules, name| {
            allow(rules, name).map_err(|error| {
                let name = Name::new(name.as_bytes());
                Stop::Configuration(format!("--allow-method {name}: {error}"))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;

    #[test]
    fn definitions_are_sound() {
        Cli::definition().debug_assert();
    }
}
