//! Clients that sign by themselves, over loopback with a server that verifies.

mod bodies;
#[cfg(feature = "reqwest-middleware")]
mod reqwest;
#[cfg(feature = "tower-sign")]
mod tower;

use std::{
    collections::VecDeque,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body, extract::State};
use framesign::{
    client::RequestSigner,
    http::Verification,
    tower::{VerifyFailure, VerifyLayer},
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    server::store,
    support::{choose_tls, credentials, now},
};

/// A server that verifies and notes what it has got, and answers as it is told.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// The verified requests: target, fields, payload.
    verified: Mutex<Vec<(String, HeaderMap, Vec<u8>)>>,
    /// Why others were refused.
    failures: Mutex<Vec<String>>,
    /// Status and Location; 201 once there are none.
    answers: Mutex<VecDeque<(u16, Option<String>)>>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> Self {
        let answers = answers.iter().map(|status| (*status, None)).collect();
        Self::start_at(answers, now()).await
    }

    /// Verifies by a clock that stands at `now`.
    async fn start_at(answers: VecDeque<(u16, Option<String>)>, now: SystemTime) -> Self {
        choose_tls();
        let seen = Arc::new(Seen { answers: Mutex::new(answers), ..Seen::default() });
        let log = seen.clone();
        let layer = VerifyLayer::new(store()).clock(move || now).on_failure(
            move |failure: VerifyFailure<'_>| {
                log.failures.lock().unwrap().push(failure.to_string());
            },
        );
        let app = Router::new().fallback(receive).with_state(seen.clone()).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, task }
    }

    fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    fn redirect(&self, status: u16, location: &str) {
        self.seen.answers.lock().unwrap().push_back((status, Some(location.to_owned())));
    }

    fn payloads(&self) -> Vec<Vec<u8>> {
        self.each(|(_, _, payload)| payload.clone())
    }

    fn targets(&self) -> Vec<String> {
        self.each(|(target, _, _)| target.clone())
    }

    /// The values of a field in the verified requests.
    fn values(&self, name: &str) -> Vec<Option<String>> {
        self.each(|(_, fields, _)| fields.get(name).map(|value| value.to_str().unwrap().to_owned()))
    }

    fn each<T>(&self, map: impl Fn(&(String, HeaderMap, Vec<u8>)) -> T) -> Vec<T> {
        self.seen.verified.lock().unwrap().iter().map(map).collect()
    }

    fn failures(&self) -> Vec<String> {
        self.seen.failures.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(State(seen): State<Arc<Seen>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let verification = parts.extensions.get::<Verification>().unwrap().clone();
    let answer = |status: u16| Response::builder().status(status);
    // What is refused is answered by the layer.
    let Ok(payload) = body.collect().await else {
        return answer(400).body(Body::empty()).unwrap();
    };
    verification.verified().unwrap();
    let target = parts.uri.path_and_query().unwrap().to_string();
    seen.verified.lock().unwrap().push((target, parts.headers, payload.to_bytes().to_vec()));
    match seen.answers.lock().unwrap().pop_front() {
        Some((status, Some(location))) => answer(status).header("location", location),
        Some((status, None)) => answer(status),
        None => answer(201),
    }
    .body(Body::empty())
    .unwrap()
}

/// A signer with the credentials and by the clock of the tests.
fn signer() -> RequestSigner {
    RequestSigner::new(credentials()).clock(now)
}

/// A signer whose clock goes on by a second whenever it is asked.
fn ticking() -> RequestSigner {
    let ticks = Mutex::new(0..);
    RequestSigner::new(credentials())
        .clock(move || now() + Duration::from_secs(ticks.lock().unwrap().next().unwrap()))
}

/// A file in a folder of its own.
struct TestFile {
    path: PathBuf,
    _folder: TempDir,
}

impl TestFile {
    fn new(contents: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upload");
        fs::write(&path, contents).unwrap();
        Self { path, _folder: folder }
    }

    /// Writes other contents into the same file, which then says that it is of `modified`.
    fn overwrite(&self, contents: &[u8], modified: SystemTime) {
        fs::write(&self.path, contents).unwrap();
        let file = fs::File::options().append(true).open(&self.path).unwrap();
        file.set_modified(modified).unwrap();
    }

    fn modified(&self) -> SystemTime {
        fs::metadata(&self.path).unwrap().modified().unwrap()
    }
}

fn contents(len: u32) -> Vec<u8> {
    (0..len).map(|number| (number % 251) as u8).collect()
}

fn assert_all_differ(receiver: &Receiver, names: &[&str]) {
    for name in names {
        let values = receiver.values(name);
        for (at, value) in values.iter().enumerate() {
            assert!(value.is_some() && !values[..at].contains(value), "{name}: {values:?}");
        }
    }
}

fn is_created(status: StatusCode) {
    assert_eq!(status, 201);
}
