//! The client: its requests, over sockets of loopback, to the service and to servers that fail.

mod answers;
mod exchange;
mod failures;
mod resumed;
mod served;
mod wire;

use std::{
    fs::{self, File},
    io::{self, Cursor, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use framesign::Credentials;
use framesign_upload::client::{Client, Event, Retries, Source};
use http::Uri;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tempfile::NamedTempFile;

pub(super) use self::served::{Seen, Served};
use super::client::{ALICE, bytes};

/// The size of the parts of tests.
const PART: u64 = 1000;

/// Attempts as there are, without the pauses between them.
fn retries() -> Retries {
    Retries { longest_pause: Duration::from_millis(1), ..Retries::default() }
}

fn client() -> Client {
    client_of(ALICE, &super::client::secret(ALICE))
}

fn client_of(access_key: &str, secret: &str) -> Client {
    let http = legacy::Client::builder(TokioExecutor::new()).build_http();
    let credentials = Credentials::new(access_key, secret).unwrap();
    Client::new(http, credentials).part_size(PART).retries(retries())
}

/// A file that is removed at the end of the test.
fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn source(file: &NamedTempFile) -> Source {
    Source::file(File::open(file.path()).unwrap()).unwrap()
}

fn stream(content: &[u8]) -> Source {
    Source::reader(Cursor::new(content.to_vec()))
}

/// The same content as a file and as a stream.
fn sources(content: &[u8]) -> [(NamedTempFile, Source); 2] {
    let of_file = file(content);
    let opened = source(&of_file);
    [(of_file, opened), (file(b""), stream(content))]
}

/// What a client tells, in words.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn observe(&self, client: Client) -> Client {
        let told = Arc::clone(&self.0);
        client.observe(move |event| {
            let words = match event {
                // Many, and at any places.
                Event::Sent { .. } => return,
                Event::Created { upload } => format!("created {upload}"),
                Event::Resumed { offset } => format!("resumed {offset}"),
                Event::Acknowledged { offset } => format!("acknowledged {offset}"),
                Event::Retrying { problem, .. } => format!("retrying: {problem}"),
                Event::WithoutParts => "without parts".into(),
                other => panic!("{other:?}"),
            };
            told.lock().unwrap().push(words);
        })
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn created(&self) -> Uri {
        let all = self.all();
        all.iter().find_map(|words| words.strip_prefix("created ")).unwrap().parse().unwrap()
    }

    fn retries(&self) -> usize {
        self.all().iter().filter(|words| words.starts_with("retrying")).count()
    }
}

/// Waits, within bounds, until something `is_so`.
async fn wait_until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for a minute in vain");
}

fn read(path: &std::path::Path) -> io::Result<Vec<u8>> {
    fs::read(path)
}
