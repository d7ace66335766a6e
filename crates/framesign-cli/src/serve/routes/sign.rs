//! `POST /sign`: a frame, a head alone whose payload has a known hash, or several such heads.

use std::time::SystemTime;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, Request, Response, StatusCode, Uri},
};
use framesign::{
    FrameHasher, Head, PayloadHash, Rules, SigningKey, StringToSign, frame::HeadReader,
};
use serde::Serialize;

use crate::serve::{
    admission::{
        admit::permissions_of,
        permissions::{Permissions, Right},
    },
    body::reader::BodyReader,
    routes::{
        app_state::AppState,
        content_negotiation,
        media_type::{self, MESSAGE_HTTP, MediaType},
        problem::Problem,
        query, response,
    },
    state::settings::Settings,
};

/// RFC 9112 section 10.2: several messages, one after the other.
const APPLICATION_HTTP: &str = "application/http";

/// The media types of bodies that can be signed.
const ACCEPT_POST: &str =
    "message/http, message/http; payload=digest, application/http; payload=digest";

/// The parameter of the query that names the access key.
const ACCESS_KEY: &str = "access_key";

/// The most heads of a request.
const MAX_HEADS: usize = 1000;

const CHANGED: &str = "what may be signed has changed meanwhile; send the request again";

/// What the body of a request is.
enum Content {
    /// A frame.
    Frame,
    /// A head, and the hash of its payload, if it is not the head that claims it.
    Head(Option<PayloadHash>),
    /// Heads that claim the hashes of their payloads.
    Heads,
}

#[derive(Serialize)]
struct SignResponse {
    #[serde(flatten)]
    signed: Signed,
    date: String,
}

#[derive(Serialize)]
struct SignaturesResponse {
    date: String,
    signatures: Vec<Signed>,
}

#[derive(Serialize)]
struct Signed {
    signature: String,
    string_to_sign: String,
}

/// Signs what is in the body, as of today in UTC.
pub(crate) async fn sign(
    State(app): State<AppState>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let permit = app.admission.admit(&request, Right::Sign).await?;
    let permissions = permit.permissions();
    let access_key = access_key(&app, permissions, request.uri())?;
    // What could not be signed is not read.
    check_key(&app, permissions, &access_key)?;
    content_negotiation::choose(request.headers(), &[response::JSON])?;
    let content = Content::of(request.headers())?;
    let mut body = BodyReader::new(request, &app.state.server.limits, &app.state.server.metrics)?;
    let reader = Reader { permissions, settings: &app.state.settings };
    let what = reader.read(&mut body, content).await?;
    // A body comes as slowly as it likes, and nothing has been told yet: what counts is what the caller
    // may do now, and the key of now.
    let caller = app.admission.recheck(&permit, Right::Sign)?;
    let live = permissions_of(caller.as_ref());
    let key = key(&app, live, &access_key)?;
    if !live.has_same_frames(permissions) {
        return Err(Problem::unavailable(CHANGED));
    }
    let date = key.date().to_string();
    Ok(match what {
        ToSign::One(string_to_sign) => {
            response::json(&SignResponse { signed: signed(&key, &string_to_sign), date })
        }
        ToSign::Many(strings) => {
            let signatures = strings.iter().map(|string_to_sign| signed(&key, string_to_sign));
            response::json(&SignaturesResponse { date, signatures: signatures.collect() })
        }
    })
}

/// The access key that the request names, or the only one.
fn access_key(app: &AppState, permissions: &Permissions, uri: &Uri) -> Result<Box<str>, Problem> {
    let frames = app.state.secrets.current().frames().ok_or_else(Problem::no_keys)?;
    let named = query::parameter(uri, ACCESS_KEY)?;
    named
        .as_deref()
        .or_else(|| permissions.only_access_key())
        .or_else(|| frames.only_access_key())
        .map(Into::into)
        .ok_or_else(unnamed)
}

/// The key of today, if the caller may use it.
fn key(app: &AppState, permissions: &Permissions, access_key: &str) -> Result<SigningKey, Problem> {
    permissions.check_access_key(access_key).map_err(Problem::forbidden)?;
    let frames = app.state.secrets.current().frames().ok_or_else(Problem::no_keys)?;
    frames.signing_key(access_key, SystemTime::now()).ok_or_else(no_secret)
}

/// Checks the same without deriving the key, which is a twentieth of the work of a small request.
fn check_key(app: &AppState, permissions: &Permissions, access_key: &str) -> Result<(), Problem> {
    permissions.check_access_key(access_key).map_err(Problem::forbidden)?;
    let frames = app.state.secrets.current().frames().ok_or_else(Problem::no_keys)?;
    if frames.live(access_key.as_bytes()).is_empty() { Err(no_secret()) } else { Ok(()) }
}

fn no_secret() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "this service has no secret of this access key")
}

fn signed(key: &SigningKey, string_to_sign: &StringToSign) -> Signed {
    let signature = key.sign(string_to_sign).to_string();
    Signed { signature, string_to_sign: string_to_sign.to_string() }
}

impl Content {
    /// RFC 9110 section 15.5.16.
    fn of(fields: &HeaderMap) -> Result<Self, Problem> {
        let detail = "expected a body of message/http, or of heads alone, with payload=digest";
        let unsupported = || media_type::unsupported(detail, ACCEPT_POST);
        let media_type = MediaType::of(fields);
        let payload = media_type.parameter("payload").map_err(|()| unsupported())?;
        let content = match payload {
            None if media_type.is(MESSAGE_HTTP) => Self::Frame,
            Some("digest") if media_type.is(MESSAGE_HTTP) => Self::Head(None),
            Some("digest") if media_type.is(APPLICATION_HTTP) => Self::Heads,
            Some(hash) if media_type.is(MESSAGE_HTTP) => {
                Self::Head(Some(hash.parse().map_err(|_| unsupported())?))
            }
            _ => return Err(unsupported()),
        };
        media_type::check_coding(fields)?;
        Ok(content)
    }
}

/// What a body comes to.
enum ToSign {
    One(StringToSign),
    /// Of heads that follow each other: all of them.
    Many(Vec<StringToSign>),
}

/// Reads what a caller wants to have signed.
struct Reader<'a> {
    permissions: &'a Permissions,
    settings: &'a Settings,
}

impl Reader<'_> {
    async fn read(&self, body: &mut BodyReader<'_>, content: Content) -> Result<ToSign, Problem> {
        let rules = &self.settings.rules;
        Ok(match content {
            Content::Frame => ToSign::One(self.frame(body, rules).await?),
            Content::Head(given) => ToSign::One(self.head(body, rules, given).await?),
            // As the frames of a connection: read strictly in any case.
            Content::Heads => ToSign::Many(self.heads(body, self.settings.policy.rules()).await?),
        })
    }

    fn check(&self, head: &Head<'_>) -> Result<(), Problem> {
        self.permissions.check_frame(head).map_err(Problem::forbidden)
    }

    /// The string to sign of a whole frame.
    async fn frame(
        &self,
        body: &mut BodyReader<'_>,
        rules: &Rules,
    ) -> Result<StringToSign, Problem> {
        let mut hasher = FrameHasher::new(rules.clone());
        while let Some(piece) = body.next().await? {
            let update = hasher.update(&piece).map_err(|error| Problem::frame(&error))?;
            if let Some(head) = update.head {
                self.check(&head)?;
            }
        }
        hasher.finish().map_err(|error| Problem::frame(&error))
    }

    /// The string to sign of a head alone.
    async fn head(
        &self,
        body: &mut BodyReader<'_>,
        rules: &Rules,
        given: Option<PayloadHash>,
    ) -> Result<StringToSign, Problem> {
        let mut hasher = FrameHasher::new(rules.clone());
        let mut payload = None;
        while let Some(piece) = body.next().await? {
            let update = hasher.update(&piece).map_err(|error| Problem::frame(&error))?;
            if let Some(head) = update.head {
                self.check(&head)?;
                payload = Some(payload_hash(&head, given)?);
            }
            if hasher.progress().is_some_and(|progress| progress.seen > 0) {
                // What follows the head is refused, however much it is.
                break;
            }
        }
        let finished = match payload {
            Some(payload) => hasher.finish_with(payload),
            None => hasher.finish(),
        };
        finished.map_err(|error| Problem::frame(&error))
    }

    /// The strings to sign of heads that follow each other: of all of them, or of none.
    async fn heads(
        &self,
        body: &mut BodyReader<'_>,
        rules: &Rules,
    ) -> Result<Vec<StringToSign>, Problem> {
        let mut heads = Heads::new(rules);
        let mut hasher = FrameHasher::new(rules.clone());
        let mut strings = Vec::new();
        while let Some(piece) = body.next().await? {
            heads.update(&piece, |head| {
                if strings.len() == MAX_HEADS {
                    let detail = format!("expected at most {MAX_HEADS} heads");
                    return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).closing());
                }
                self.check(head)?;
                let payload = payload_hash(head, None)?;
                hasher.update(head.as_bytes()).map_err(|error| Problem::frame(&error))?;
                let string_to_sign =
                    hasher.clone().finish_with(payload).map_err(|error| Problem::frame(&error))?;
                hasher.reset();
                strings.push(string_to_sign);
                Ok(())
            })?;
        }
        heads.finish()?;
        Ok(strings)
    }
}

/// Finds the ends of heads that follow each other, as they come.
struct Heads {
    reader: HeadReader,
    /// What has come of the next head.
    buffer: Vec<u8>,
    count: usize,
}

impl Heads {
    fn new(rules: &Rules) -> Self {
        Self { reader: HeadReader::new(rules.clone()), buffer: Vec::new(), count: 0 }
    }

    /// Passes the heads that become whole with `piece` to `take`. A problem says which one it is of.
    fn update(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(&Head<'_>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.buffer.extend_from_slice(piece);
        let mut start = 0;
        loop {
            let rest = self.buffer.get(start..).unwrap_or_default();
            let read = self.reader.read(rest).map_err(|error| Problem::frame(&error));
            let Some(head) = read.map_err(|problem| problem.of_frame(self.count))? else { break };
            take(&head).map_err(|problem| problem.of_frame(self.count))?;
            start += head.as_bytes().len();
            self.count += 1;
            self.reader.reset();
        }
        self.buffer.drain(..start);
        Ok(())
    }

    /// Refuses a head that is cut, and a body without any. Empty lines are no part of a head.
    fn finish(&self) -> Result<(), Problem> {
        let is_empty = self.buffer.chunks(2).all(|line| line == b"\r\n");
        if is_empty && self.count > 0 {
            return Ok(());
        }
        let error = self.reader.truncated(self.buffer.len() as u64);
        Err(Problem::frame(&error).of_frame(self.count))
    }
}

/// The hash of the payload: the one that the head claims, or the one that was given for it.
fn payload_hash(head: &Head<'_>, given: Option<PayloadHash>) -> Result<PayloadHash, Problem> {
    match (head.content_digest(), given) {
        (Some(claimed), Some(given)) if claimed != given => Err(Problem::claim(
            "digest",
            "expected a Content-Digest of the hash in `payload`, found another one",
        )),
        (Some(hash), _) | (None, Some(hash)) => Ok(hash),
        (None, None) => Err(Problem::claim(
            "digest-required",
            "expected a head with a Content-Digest of sha-256, found none",
        )),
    }
}

fn unnamed() -> Problem {
    let detail = "expected the parameter access_key in the query, since there is more than one";
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
