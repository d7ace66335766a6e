//! The store in Redis, over a server that answers what a test says.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use framesign::replay::{Outage, Rate, RedisReplayStore, RedisSettings, ReplayGuard};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    task, time,
};

use super::{assert_replayed, claimed, now, verifier, verify};

/// A server that refuses `command` as often as `refusals` says.
struct Server {
    command: &'static str,
    /// How it refuses; one that is empty closes the connection.
    refusal: &'static [u8],
    refusals: AtomicUsize,
    /// How often `command` came, whether it was refused or not.
    commands: AtomicUsize,
    connections: AtomicUsize,
    /// What scripts were given.
    asked: Mutex<Vec<Vec<String>>>,
    /// The holders of keys.
    held: Mutex<HashMap<String, String>>,
}

impl Server {
    /// Starts one, and gives its host and port. It ends with the runtime of the test.
    async fn start(command: &'static str, refusals: usize) -> (Arc<Self>, String) {
        let refusal: &[u8] = if command == "AUTH" {
            b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        } else {
            b"-ERR DB index is out of range\r\n"
        };
        Self::start_with(command, refusal, refusals).await
    }

    async fn start_with(
        command: &'static str,
        refusal: &'static [u8],
        refusals: usize,
    ) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let refusals = AtomicUsize::new(refusals);
        let server = Arc::new(Self {
            command,
            refusal,
            refusals,
            commands: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            asked: Mutex::default(),
            held: Mutex::default(),
        });
        let accepting = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, SeqCst);
                let server = Arc::clone(&accepting);
                tokio::spawn(async move { server.serve(BufStream::new(stream)).await });
            }
        });
        (server, address)
    }

    async fn serve(&self, mut stream: BufStream<TcpStream>) {
        while let Some(command) = read_command(&mut stream).await {
            let answer = self.answer(&command);
            if answer.is_empty() {
                return;
            }
            let is_written = stream.write_all(answer).await.is_ok() && stream.flush().await.is_ok();
            if !is_written {
                return;
            }
        }
    }

    fn answer(&self, command: &[String]) -> &'static [u8] {
        if command[0].eq_ignore_ascii_case(self.command) {
            self.commands.fetch_add(1, SeqCst);
            let refused = self.refusals.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
            if refused.is_ok() {
                return self.refusal;
            }
        }
        match &*command[0] {
            "PING" => b"+PONG\r\n",
            "EVAL" => {
                // Behind the script: the number of keys, the key, and what it is given.
                self.asked.lock().unwrap().push(command[2..].to_vec());
                if command[3].starts_with("framesign:replay:rate:") {
                    return self.rate();
                }
                let is_held = if command[1].contains("'DEL'") {
                    self.release(&command[3], &command[4])
                } else {
                    self.hold(&command[3], &command[4])
                };
                if is_held { b":1\r\n" } else { b":0\r\n" }
            }
            _ => b"+OK\r\n",
        }
    }

    /// The first one is within the rate.
    fn rate(&self) -> &'static [u8] {
        if self.asked.lock().unwrap().len() == 1 { b":0\r\n" } else { b":1500\r\n" }
    }

    /// What the script that takes an entry does.
    fn hold(&self, key: &str, holder: &str) -> bool {
        let mut held = self.held.lock().unwrap();
        held.entry(key.to_owned()).or_insert_with(|| holder.to_owned()) == holder
    }

    /// What the script that releases an entry does.
    fn release(&self, key: &str, holder: &str) -> bool {
        let mut held = self.held.lock().unwrap();
        held.get(key).is_some_and(|found| found == holder) && held.remove(key).is_some()
    }
}

/// Reads a command as an array of bulk strings, in which each byte is a character; none at the end
/// of the connection.
async fn read_command(stream: &mut BufStream<TcpStream>) -> Option<Vec<String>> {
    let parts = read_number(stream).await?;
    let mut command = Vec::new();
    for _ in 0..parts {
        let mut part = vec![0; read_number(stream).await? + 2];
        stream.read_exact(&mut part).await.ok()?;
        part.truncate(part.len() - 2);
        command.push(part.into_iter().map(char::from).collect());
    }
    Some(command)
}

/// The number of a line such as `*3` or `$4`.
async fn read_number(stream: &mut BufStream<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|len| *len > 0)?;
    Some(line.get(1..)?.trim_end().parse().unwrap())
}

fn settings(url: &str) -> RedisSettings {
    let minute = Duration::from_secs(60);
    RedisSettings::new(url).unwrap().password("a password").timeout(minute)
}

#[tokio::test]
async fn a_login_that_was_refused_is_made_again() {
    for command in ["AUTH", "SELECT"] {
        let (server, address) = Server::start(command, 4).await;
        let store = RedisReplayStore::new(&settings(&format!("redis://{address}/1"))).unwrap();
        let mut pings = 0;
        while let Err(error) = store.ping().await {
            pings += 1;
            assert!(!error.to_string().contains("a password"), "{error}");
            assert!(pings <= 4, "{command}: {error}");
        }
        assert!(pings > 0, "{command}");
        let connections = server.connections.load(SeqCst);
        assert_eq!(connections, 5, "{command}: each attempt is one connection");
        // What has connected stays connected.
        store.ping().await.unwrap();
        assert_eq!(server.connections.load(SeqCst), connections, "{command}");
    }
}

/// A loss is met by the question that notices it, which is asked again, and once.
#[tokio::test]
async fn a_question_is_asked_again_only_if_its_connection_was_lost() {
    let (close, garbage) = (&b""[..], &b"what?\r\n"[..]);
    let full = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    let no_login = b"-NOAUTH Authentication required.\r\n";
    for (refusal, refusals, is_answered, asked, connections) in [
        (close, 1, true, 2, 2),
        (close, 2, false, 2, 3),
        (garbage, 1, true, 2, 2),
        // What is refused on a connection that stays would be refused again.
        (full, 1, false, 1, 1),
        (no_login, 1, false, 1, 2),
    ] {
        let case = refusal.escape_ascii();
        let (server, address) = Server::start_with("PING", refusal, refusals).await;
        let store = RedisReplayStore::new(&settings(&format!("redis://{address}"))).unwrap();
        assert_eq!(store.ping().await.is_ok(), is_answered, "{case}");
        assert_eq!(server.commands.load(SeqCst), asked, "{case}");
        store.ping().await.unwrap();
        assert_eq!(server.connections.load(SeqCst), connections, "{case}");
    }
}

#[tokio::test]
async fn an_entry_is_held_by_one_and_released_if_it_is_not_committed() {
    let (server, address) = Server::start("", 0).await;
    let store = RedisReplayStore::new(&settings(&format!("redis://{address}"))).unwrap();
    let guard = ReplayGuard::new(store, Outage::Refuse).clock(now);
    let frame = claimed("/");
    let proof = verify(&frame).unwrap();
    let begin = async || {
        let mut verifier = verifier();
        verifier.update(&frame).unwrap();
        guard.begin(verifier.pending().unwrap()).await
    };
    // Its drop releases it, in a task.
    let check = begin().await.unwrap();
    assert_replayed(guard.accept(&proof).await);
    drop(check);
    let released = async {
        while !server.held.lock().unwrap().is_empty() {
            task::yield_now().await;
        }
    };
    time::timeout(Duration::from_secs(60), released).await.expect("it is released");
    // An entry that was lost is written again by the commit.
    let check = begin().await.unwrap();
    server.held.lock().unwrap().clear();
    check.finish(&proof).await.unwrap();
    assert_replayed(begin().await.map(drop));
    guard.accept(&verify(&claimed("/other")).unwrap()).await.unwrap();

    let asked = server.asked.lock().unwrap().clone();
    let entry = proof.replay_entry();
    let key = format!("framesign:replay:{}", hex::encode(entry.name()));
    // A minute longer than the frame can be verified.
    let lasts = entry.expires_at().duration_since(now()).unwrap() + Duration::from_secs(60);
    let lasts = lasts.as_millis().to_string();
    let holder = |at: usize| asked[at][2].as_str();
    let expected = [
        vec!["1", &key, holder(0), &lasts],
        vec!["1", &key, holder(1), &lasts],
        vec!["1", &key, holder(0)],
        vec!["1", &key, holder(3), &lasts],
        vec!["1", &key, holder(3), &lasts],
        vec!["1", &key, holder(5), &lasts],
        vec!["1", &asked[6][1], holder(6), &lasts],
    ];
    assert_eq!(asked, expected);
    let holders: std::collections::HashSet<_> = [0, 1, 3, 5, 6].map(holder).into();
    assert!(holders.len() == 5 && holders.iter().all(|holder| holder.chars().count() == 16));
}

#[tokio::test]
async fn a_store_chooses_tls_unless_the_program_has_chosen() {
    RedisReplayStore::new(&settings("rediss://127.0.0.1:1")).unwrap();
    assert!(rustls::crypto::CryptoProvider::get_default().is_some());
}

#[test]
fn a_url_names_a_server() {
    for url in ["redis://h", "redis://h/1", "redis+unix:///run/redis.sock", "redis-cluster://a,b"] {
        assert!(RedisSettings::new(url).is_ok(), "{url}");
    }
    for url in [
        "redis://",
        "redis:///",
        "redis:///1",
        "redis+unix:///",
        "redis-cluster://a,,b",
        "h",
        "ftp://user:secret@h",
    ] {
        let message = RedisSettings::new(url).unwrap_err().to_string();
        assert!(message.starts_with("expected redis://HOST:PORT,"), "{url}: {message}");
        assert!(!message.contains("secret"), "{url}: {message}");
    }
}

#[test]
fn a_password_is_found_wherever_a_url_can_have_it() {
    let has = |url: &str| RedisSettings::new(url).unwrap().has_password_in_url();
    for url in [
        "redis://user:secret@h",
        "redis-cluster://user:secret@a,b",
        "redis+unix:///run/redis.sock?pass=secret",
        "redis+unix:///run/redis.sock?db=1&user=u&pass=secret",
        "redis+unix:///run/redis.sock?p%61ss=secret",
    ] {
        assert!(has(url), "{url}");
    }
    for url in ["redis://user@h/1", "redis+unix:///run/redis.sock?db=1&user=pass"] {
        assert!(!has(url), "{url}");
    }
}

#[tokio::test]
async fn a_rate_is_one_question_and_its_answer_the_time_to_wait() {
    let (server, address) = Server::start("", 0).await;
    let store = RedisReplayStore::new(&settings(&format!("redis://{address}"))).unwrap();
    let rates = store.rates();
    let rate = |interval| Rate { interval, burst: NonZeroU32::new(5).unwrap() };
    let within = rates.acquire("alice", rate(Duration::from_millis(20))).await.unwrap();
    assert_eq!(within, None);
    let over = rates.acquire("bob & co", rate(Duration::ZERO)).await.unwrap();
    assert_eq!(over, Some(Duration::from_millis(1500)));
    let asked = server.asked.lock().unwrap().clone();
    let expected = [
        ["1", "framesign:replay:rate:alice", "20000", "5"],
        ["1", "framesign:replay:rate:bob & co", "1", "5"],
    ];
    assert_eq!(asked, expected);
    assert_eq!(format!("{rates:?}"), "RedisRates { .. }");
}

#[tokio::test]
async fn a_rate_that_cannot_be_asked_for_is_an_error_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let store = RedisReplayStore::new(&settings(&format!("redis://{address}"))).unwrap();
    let rate = Rate { interval: Duration::from_secs(1), burst: NonZeroU32::MIN };
    let error = store.rates().acquire("alice", rate).await.unwrap_err().to_string();
    assert!(error.starts_with("it cannot be known whether the request is within the rate: "));
    assert!(!error.contains("a password"), "{error}");
}
