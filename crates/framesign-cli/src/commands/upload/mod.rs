//! `framesign upload`: a file or a pipe in signed parts, which go on after a break.

mod failure;
mod http_client;
mod state;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clap::{Args, ValueHint};
use framesign::PayloadHash;
use framesign_upload::client::{Client, Event, Retries, Source, UploadError, Uploaded};
use http::{Uri, uri::Scheme};
use serde::Serialize;
use tokio::runtime::Builder;

use self::{
    failure::UploadFailure,
    http_client::{http_client, is_of_certificate},
    state::{Kept, StateFile},
};
use crate::{
    exit::{Exit, FatalError, complain},
    input::{progress_bar::ProgressBar, source::Input},
    options::{
        keys::KeyPairOptions,
        seconds::{seconds, seconds_or_none},
    },
    output::Output,
    text::{json, visible::Name},
};

/// Upload a file in signed parts, and go on after a break
///
/// The file is read once, and need not have a known length. Each part is an ordinary signed request;
/// one that fails is sent again. Prints the SHA-256 of the whole, two spaces, and the URL.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Options {
    /// The file to upload; - is standard input
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, value_parser = Input::parser())]
    file: Input,

    /// Where to upload it to, at `framesign serve --uploads` /files/NAME; to a URL that ends with / the
    /// name of FILE is added
    #[arg(value_name = "URL", value_hint = ValueHint::Url, value_parser = url)]
    url: Uri,

    /// Go on with an upload of FILE to URL that was broken off; begin anew if there is none
    #[arg(long)]
    resume: bool,

    /// The size of a part; it is larger or smaller where the server or the length of FILE asks for
    /// it, and of a pipe two parts are held in memory
    #[arg(long, value_name = "BYTES", default_value_t = Client::DEFAULT_PART_SIZE)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    part_size: u64,

    /// Send what fails again for at most SECONDS from the first failure on, as often as it takes; with
    /// 0 nothing is sent again [default: 300, and at most 20 times]
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_none)]
    retry_for: Option<Duration>,

    /// The longest silence before a request counts as failed; the answer to a part may take three
    /// times as long
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,

    /// Trust the authorities in FILE, in PEM, instead of those of the system
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ca_file: Option<PathBuf>,

    /// Write the result or the error as a JSON object, a line, to standard output
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    keys: KeyPairOptions,
}

const AFTER_HELP: &str = "\
Examples:
  framesign upload backup.tar https://uploads.example.org/files/backup.tar
  framesign upload --resume backup.tar https://uploads.example.org/files/
  tar -c /srv | framesign upload - https://uploads.example.org/files/srv.tar

While a file is uploaded, a small file beside it, .NAME.….framesign-upload, says where the upload
is; if the folder cannot be written, it is in $XDG_STATE_HOME/framesign/uploads. It holds no secret,
and --resume goes on from it after the program was ended. Without --resume the upload begins anew. A
file that changed since is refused. A pipe cannot be resumed.

A server that takes no parts gets the whole by one signed PUT; a pipe must then fit into one part.

If the server names no hash of the whole, a warning says so, and \"confirmed\" is false.

With --json the line is {\"file\":…,\"url\":…,\"bytes\":…,\"sha256\":…,\"confirmed\":…}
or {\"file\":…,\"error\":{\"kind\":…,\"message\":…}}. The kinds are io, input, changed, refused, gone,
too-large, part-size, without-parts, digest, protocol and unavailable.

Exit status: 0 uploaded, 1 the server refused it, names another hash, or the file is another than
the one to resume, 2 wrong usage or configuration, 3 input or output failed, the file changed while
it was sent, or the server does not answer. Where the error says so, --resume goes on.";

/// The result, as it is told.
#[derive(Serialize)]
struct UploadResult<'a> {
    file: &'a Input,
    #[serde(serialize_with = "json::display")]
    url: Uri,
    bytes: u64,
    #[serde(serialize_with = "json::display")]
    sha256: PayloadHash,
    /// Whether the server names the same hash.
    confirmed: bool,
}

/// Uploads the file.
pub(crate) fn run(options: &Options) -> Result<Exit, FatalError> {
    let credentials = options.keys.credentials()?;
    let access_key = credentials.access_key().to_owned();
    let url = options.target()?;
    let http = http_client(options.ca_file.as_deref(), url.scheme() == Some(&Scheme::HTTPS))?;
    let client = Client::new(http, credentials)
        .part_size(options.part_size)
        .retries(retries(options.retry_for))
        .lasting(is_of_certificate)
        .timeout(options.timeout);
    // What blocks, such as reading and hashing, has threads of its own.
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| FatalError::Configuration(format!("threads: {error}")))?;
    let uploaded = runtime.block_on(upload(options, &url, &access_key, client));
    // A thread may wait for a pipe that nobody writes to any more.
    runtime.shutdown_background();
    let (mut output, file) = (Output::new(options.json), &options.file);
    match uploaded {
        Ok((Uploaded { url, bytes, sha256, is_confirmed: confirmed, .. }, state)) => {
            output.result(&UploadResult { file, url, bytes, sha256, confirmed })?;
            if output.is_closed() {
                let how = if state.is_some() { "; --resume prints it again" } else { "" };
                complain(format_args!("{file}: it is uploaded, but nobody reads the result{how}"));
                return Ok(Exit::Failed);
            }
            // Not before: if it was not told, it can be by --resume.
            if let Some(state) = state {
                state.remove();
            }
            Ok(Exit::Done)
        }
        Err(failure) => Ok(output.failure(file, &failure)?),
    }
}

/// An upload that is complete, and its state if it has one, to be removed when that was told.
type Ended = (Uploaded, Option<Kept>);

/// Uploads the file, or goes on with an upload of it that was broken off.
async fn upload(
    options: &Options,
    url: &Uri,
    access_key: &str,
    client: Client,
) -> Result<Ended, UploadFailure> {
    let mut source = open(&options.file)?;
    let state = match (options.file.path(), source.stamp()) {
        (Some(path), Some(stamp)) => {
            Some(StateFile::new(path, url, access_key, stamp.to_string())?)
        }
        _ if options.resume => return Err(UploadFailure::Pipe),
        _ => None,
    };
    let watch = Arc::new(Watch::new(&options.file, source.length(), state));
    let observer = Arc::clone(&watch);
    let client = client.observe(move |event| observer.observe(&event));
    if !options.resume {
        watch.tell_of_what_is_left();
    } else if let Some(state) = &watch.state
        && let Some((saved, path)) = state.load(|problem| watch.warn(problem))
    {
        if !state.is_of_source(&saved) {
            return Err(UploadFailure::ChangedSince(path.to_owned()));
        }
        let upload = saved.upload()?;
        watch.keep(state.of(&upload));
        match client.resume(source, url, &upload).await {
            Err(UploadError::Gone) => {
                watch.warn(&"the server does not know the upload any more; it begins anew");
                watch.forget();
                source = open(&options.file)?;
            }
            result => return watch.end(result),
        }
    }
    watch.end(client.upload(source, url).await)
}

fn open(file: &Input) -> io::Result<Source> {
    match file.open_file()? {
        Some(file) => Source::file(file),
        None => Ok(Source::reader(file.open()?.reader)),
    }
}

/// Watches an upload: shows how far it is, keeps its state, and tells what goes otherwise than
/// planned.
struct Watch {
    file: Input,
    progress: Mutex<ProgressBar>,
    state: Option<StateFile>,
    /// The state of this upload, if there is one.
    kept: Mutex<Option<Kept>>,
}

impl Watch {
    fn new(file: &Input, length: Option<u64>, state: Option<StateFile>) -> Self {
        let progress = Mutex::new(ProgressBar::new(file, length));
        Self { file: file.clone(), progress, state, kept: Mutex::new(None) }
    }

    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Sent { bytes } => self.progress().set(*bytes),
            Event::Resumed { offset } => self.progress().begin_at(*offset),
            Event::Created { upload } => self.save(upload),
            Event::WithoutParts => {
                self.warn(&"the server takes no parts; the whole is sent by one PUT");
            }
            Event::Retrying { problem, pause } => {
                self.warn(&format_args!("{problem}; trying again in {:.1} s", pause.as_secs_f64()));
            }
            _ => {}
        }
    }

    /// Warns of an upload of the same file that `--resume` would have gone on with.
    fn tell_of_what_is_left(&self) {
        let Some(state) = &self.state else { return };
        // What is no state is nothing to go on with.
        if state.load(|_| {}).is_some_and(|(saved, _)| state.is_of_source(&saved)) {
            self.warn(
                &"an upload of it to this URL has not ended, and --resume goes on with it; this one \
                  begins anew",
            );
        }
    }

    fn save(&self, upload: &Uri) {
        let Some(state) = &self.state else { return };
        match state.save(upload) {
            Ok(kept) => self.keep(kept),
            Err(error) => self.warn(&format_args!("it cannot be resumed: {error}")),
        }
    }

    fn warn(&self, problem: &dyn fmt::Display) {
        // The words of a server can be among it.
        let problem = problem.to_string();
        let (file, problem) = (&self.file, Name::new(problem.as_bytes()));
        self.progress().suspend(|| complain(format_args!("{file}: warning: {problem}")));
    }

    /// Hands on the state of an upload that is complete, and removes that of one that nobody can go on
    /// with.
    fn end(&self, result: Result<Uploaded, UploadError>) -> Result<Ended, UploadFailure> {
        match result {
            Ok(uploaded) => {
                if !uploaded.is_confirmed {
                    self.warn(
                        &"the server named no hash of the whole; compare the one that is printed with \
                          that of what it has",
                    );
                }
                Ok((uploaded, self.kept().take()))
            }
            Err(error) if error.can_be_resumed() => {
                let is_kept = self.kept().as_ref().is_some_and(Kept::is_there);
                Err(UploadFailure::Upload { error, is_kept })
            }
            Err(error) => {
                self.forget();
                Err(UploadFailure::Upload { error, is_kept: false })
            }
        }
    }

    fn keep(&self, kept: Kept) {
        *self.kept() = Some(kept);
    }

    /// Removes the state of an upload, if there is one.
    fn forget(&self) {
        if let Some(kept) = self.kept().take() {
            kept.remove();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        // It is replaced as a whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, ProgressBar> {
        // A bar is drawn wrongly at worst.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Options {
    /// The URL, with the name of the file if that is to be added.
    fn target(&self) -> Result<Uri, FatalError> {
        if !self.url.path().ends_with('/') {
            return Ok(self.url.clone());
        }
        let name = self.file.path().and_then(Path::file_name).ok_or_else(|| {
            let problem = "expected a name at the end of URL, since FILE has none, found /";
            FatalError::Configuration(problem.into())
        })?;
        let segment = segment(name.as_encoded_bytes());
        let target = with_segment(&self.url, &segment);
        target.map_err(|error| FatalError::Configuration(format!("{segment}: {error}")))
    }
}

/// A URL with one more segment at the end of its path. The query stays.
fn with_segment(url: &Uri, segment: &str) -> Result<Uri, http::Error> {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = url.clone().into_parts();
    parts.path_and_query = Some(format!("{}{segment}{query}", url.path()).parse()?);
    Ok(Uri::from_parts(parts)?)
}

/// What is sent again. Who says for how long is not held to a number of attempts.
fn retries(retry_for: Option<Duration>) -> Retries {
    match retry_for {
        None => Retries::default(),
        Some(Duration::ZERO) => Retries::none(),
        Some(longest) => Retries { longest, attempts: u32::MAX, ..Retries::default() },
    }
}

/// A name as a segment of a path: what is not unreserved is percent-encoded (RFC 3986 section 2.3).
fn segment(name: &[u8]) -> String {
    let encode = |&byte: &u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.iter().map(encode).collect()
}

/// A URL of HTTP, with or without TLS.
fn url(text: &str) -> Result<Uri, String> {
    let expected = "expected an http:// or https:// URL with a host, in visible ASCII";
    // The parser drops it, and the file would get another name.
    if text.contains('#') {
        return Err(
            "expected a URL without a fragment, found #; if it is of the name, write %23".into()
        );
    }
    let url: Uri = text.parse().map_err(|error| format!("{expected}: {error}"))?;
    let is_http = url.scheme() == Some(&Scheme::HTTP) || url.scheme() == Some(&Scheme::HTTPS);
    // User and password would be sent to nobody.
    let has_user = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if is_http && !has_user && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(url)
    } else {
        Err(expected.into())
    }
}

/// Name and hash, as `sha256sum` prints them.
impl fmt::Display for UploadResult<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}", self.sha256, self.url)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use framesign_upload::client::Retries;

    use super::{retries, segment, url, with_segment};

    #[test]
    fn name_is_one_segment() {
        assert_eq!(segment(b"backup-1_2.tar~"), "backup-1_2.tar~");
        assert_eq!(segment("a b/\u{e9}%?#".as_bytes()), "a%20b%2F%C3%A9%25%3F%23");
    }

    #[test]
    fn url_is_one_of_http() {
        for right in ["http://a/files/x", "https://[::1]:8443/", "http://a"] {
            assert!(url(right).is_ok(), "{right}");
        }
        for wrong in [
            "a/files/x",
            "ftp://a/x",
            "http://u:p@a/x",
            "http://a/\u{e9}",
            "http://a/x#3.tar",
            "http://a/x?q#",
            "/x",
            "",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        assert!(url("http://a/x#3.tar").unwrap_err().contains("%23"));
    }

    #[test]
    fn segment_is_added_to_the_path() {
        for (text, with) in [
            ("http://a/files/", "http://a/files/n"),
            ("http://a", "http://a/n"),
            ("http://a/files/?to=/", "http://a/files/n?to=/"),
            ("https://[::1]:8443/?", "https://[::1]:8443/n?"),
        ] {
            assert_eq!(with_segment(&url(text).unwrap(), "n").unwrap().to_string(), with);
        }
    }

    #[test]
    fn time_alone_bounds_what_is_sent_again_if_it_is_given() {
        assert_eq!(retries(None), Retries::default());
        assert_eq!(retries(Some(Duration::ZERO)), Retries::none());
        for seconds in [1, 300, 86_400] {
            let longest = Duration::from_secs(seconds);
            let given = retries(Some(longest));
            // Nobody makes as many attempts in a day.
            assert_eq!((given.longest, given.attempts), (longest, u32::MAX));
            assert_eq!(given.refusals, Retries::default().refusals);
        }
    }
}
