//! The store in Redis, over a server that answers what a test says.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use framesign::replay::{Rate, RedisReplayStore, RedisSettings};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
};

/// A server that refuses `command` as often as `refusals` says.
struct Server {
    command: &'static str,
    refusals: AtomicUsize,
    connections: AtomicUsize,
    /// What scripts were given.
    asked: Mutex<Vec<Vec<String>>>,
}

impl Server {
    /// Starts one, and gives its host and port. It ends with the runtime of the test.
    async fn start(command: &'static str, refusals: usize) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let refusals = AtomicUsize::new(refusals);
        let server = Arc::new(Self {
            command,
            refusals,
            connections: AtomicUsize::new(0),
            asked: Mutex::default(),
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
            let is_written = stream.write_all(answer).await.is_ok() && stream.flush().await.is_ok();
            if !is_written {
                return;
            }
        }
    }

    fn answer(&self, command: &[String]) -> &'static [u8] {
        let is_named = command[0].eq_ignore_ascii_case(self.command);
        if is_named
            && self.refusals.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok()
        {
            return if self.command == "AUTH" {
                b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
            } else {
                b"-ERR DB index is out of range\r\n"
            };
        }
        match &*command[0] {
            "PING" => b"+PONG\r\n",
            "EVAL" => {
                // Behind the script: the number of keys, the key, and what it is given.
                self.asked.lock().unwrap().push(command[2..].to_vec());
                if self.asked.lock().unwrap().len() == 1 { b":0\r\n" } else { b":1500\r\n" }
            }
            _ => b"+OK\r\n",
        }
    }
}

/// Reads a command as an array of bulk strings; none at the end of the connection.
async fn read_command(stream: &mut BufStream<TcpStream>) -> Option<Vec<String>> {
    let parts = read_number(stream).await?;
    let mut command = Vec::new();
    for _ in 0..parts {
        let mut part = vec![0; read_number(stream).await? + 2];
        stream.read_exact(&mut part).await.ok()?;
        part.truncate(part.len() - 2);
        command.push(String::from_utf8(part).unwrap());
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

#[test]
fn a_url_names_a_server() {
    for url in ["redis://h", "redis://h/1", "redis+unix:///run/redis.sock", "redis-cluster://a,b"] {
        assert!(RedisSettings::new(url).is_ok(), "{url}");
    }
    for url in
        ["redis://", "redis:///", "redis:///1", "redis+unix:///", "redis-cluster://a,,b", "h"]
    {
        assert!(RedisSettings::new(url).is_err(), "{url}");
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
