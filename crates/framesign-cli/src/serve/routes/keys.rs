//! `GET /keys/{access_key}/{date}`: the day's signing keys, for verifiers that hold no secret.

use std::time::SystemTime;

use axum::{
    body::Body,
    extract::State,
    http::{Request, Response, StatusCode, Uri},
};
use framesign::SigningDate;
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::serve::{
    admission::permissions::{Denied, Right},
    net::peer::Peer,
    routes::{app_state::AppState, content_negotiation, problem::Problem, response},
};

#[derive(Serialize)]
struct KeysResponse<'a> {
    access_key: &'a str,
    date: String,
    keys: Vec<&'a str>,
}

/// Answers with the keys of the live secrets, the current one first.
pub(crate) async fn keys(
    State(app): State<AppState>,
    request: Request<Body>,
) -> Result<Response<Body>, Problem> {
    let permit = app.admission.admit(&request, Right::Keys).await?;
    if !(app.state.server.tls.is_some() || is_from_loopback(&request)) {
        return Err(Problem::forbidden(Denied::Clear));
    }
    content_negotiation::choose(request.headers(), &[response::JSON])?;
    let frames = app.state.secrets.current().frames().ok_or_else(Problem::no_keys)?;
    // An access key that the caller may not know is not told apart from one that is not there.
    let (access_key, date) = named(request.uri()).ok_or_else(not_here)?;
    permit.permissions().check_access_key(&access_key).map_err(|_| not_here())?;
    if !app.state.settings.is_current(date, SystemTime::now()) {
        return Err(not_here());
    }
    let keys = frames.hex(&access_key, date);
    if keys.is_empty() {
        return Err(not_here());
    }
    let answer = KeysResponse {
        access_key: &access_key,
        date: date.to_string(),
        keys: keys.iter().map(|key| key.as_str()).collect(),
    };
    Ok(response::secret_json(&answer, length(&access_key, keys.len())))
}

/// The most bytes of an answer: a byte of the access key takes six at most (`\u0001`), a key 64 digits with its
/// quotes and comma, the rest less than 64.
fn length(access_key: &str, keys: usize) -> usize {
    6 * access_key.len() + 67 * keys + 64
}

/// The access key and the date that the path names, the former percent-encoded.
fn named(uri: &Uri) -> Option<(String, SigningDate)> {
    let (access_key, date) = uri.path().strip_prefix("/keys/")?.split_once('/')?;
    let access_key = percent_decode_str(access_key).decode_utf8().ok()?;
    Some((access_key.into_owned(), date.parse().ok()?))
}

/// Returns whether nobody between here and there can read the answer.
fn is_from_loopback(request: &Request<Body>) -> bool {
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|peer| peer.address.is_local())
}

fn not_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is no key of this access key for this date")
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};

    use super::{KeysResponse, is_from_loopback, length};
    use crate::serve::net::{endpoint::PeerAddress, peer::Peer};

    #[test]
    fn the_longest_answer_has_the_length_that_room_is_made_for() {
        let (access_key, key) = ("\u{1}".repeat(40), "a".repeat(64));
        for keys in 1..4 {
            let date = "20260801".into();
            let answer = KeysResponse { access_key: &access_key, date, keys: vec![&key; keys] };
            let text = serde_json::to_vec(&answer).unwrap();
            assert!(text.len() <= length(&access_key, keys), "{}", text.len());
        }
    }

    #[test]
    fn request_of_nobody_known_is_not_from_loopback() {
        let mut request = Request::new(Body::empty());
        assert!(!is_from_loopback(&request));
        request.extensions_mut().insert(Peer { address: PeerAddress::Unix, certificate: None });
        assert!(is_from_loopback(&request));
        let address = PeerAddress::Tcp("10.0.0.1:80".parse().unwrap());
        request.extensions_mut().insert(Peer { address, certificate: None });
        assert!(!is_from_loopback(&request));
    }
}
