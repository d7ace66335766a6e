//! Keys from elsewhere: how often the source is asked, and what happens while it is away.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use framesign::{
    PayloadHash, SigningDate, SigningKey,
    secrets::{KeyCache, KeySource, MemoryStore, RemoteKeys, Secret, StoreError},
};
use futures_util::future::join_all;
use tokio::time;

/// A source that takes its time, can be away, and counts. It fails for one access key alone.
#[derive(Clone, Default)]
struct Distant(Arc<Inner>);

#[derive(Default)]
struct Inner {
    store: MemoryStore,
    asked: Mutex<HashMap<(Vec<u8>, SigningDate), usize>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    is_away: AtomicBool,
}

const TAKES: Duration = Duration::from_millis(100);

impl KeySource for Distant {
    async fn keys(
        &self,
        access_key: &[u8],
        date: SigningDate,
    ) -> Result<Vec<SigningKey>, StoreError> {
        *self.0.asked.lock().unwrap().entry((access_key.to_vec(), date)).or_default() += 1;
        let under_way = self.0.under_way.fetch_add(1, Relaxed) + 1;
        self.0.most_under_way.fetch_max(under_way, Relaxed);
        time::sleep(TAKES).await;
        self.0.under_way.fetch_sub(1, Relaxed);
        if self.0.is_away.load(Relaxed) || access_key == b"failing" {
            return Err(StoreError::new("the source is away"));
        }
        self.0.store.keys(access_key, date).await
    }
}

impl Distant {
    fn with(access_key: &str) -> Self {
        let source = Self::default();
        source.0.store.add(access_key, secret()).unwrap();
        source
    }

    fn asked(&self, access_key: &str) -> usize {
        let asked = self.0.asked.lock().unwrap();
        let of = |((name, _), count): (&(Vec<u8>, _), &usize)| {
            if name == access_key.as_bytes() { *count } else { 0 }
        };
        asked.iter().map(of).sum()
    }

    fn set_away(&self, is_away: bool) {
        self.0.is_away.store(is_away, Relaxed);
    }
}

fn secret() -> Secret {
    Secret::new("the secret of the tests").unwrap()
}

fn day(number: u32) -> SigningDate {
    format!("202308{number:02}").parse().unwrap()
}

fn signs(key: &SigningKey) -> String {
    let text = PayloadHash::of(b"").to_string();
    key.sign(&text.parse().unwrap()).to_string()
}

/// The number of keys, which must be the right ones.
async fn count(keys: &impl KeySource, access_key: &str, date: SigningDate) -> usize {
    let keys = keys.keys(access_key.as_bytes(), date).await.unwrap();
    let expected = signs(&secret().signing_key(access_key, date).unwrap());
    assert!(keys.iter().all(|key| signs(key) == expected && key.date() == date));
    keys.len()
}

/// Waits until what goes on beside has had its time.
async fn settle() {
    time::sleep(TAKES + Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn all_wait_for_one_question() {
    let source = Distant::with("access");
    let keys = RemoteKeys::new(source.clone());
    let counts = join_all((0..100).map(|_| count(&keys, "access", day(1)))).await;
    assert_eq!((counts, source.asked("access")), (vec![1; 100], 1));
    assert_eq!(count(&keys, "access", day(1)).await, 1);
    assert_eq!(source.asked("access"), 1);
}

#[tokio::test(start_paused = true)]
async fn answer_counts_for_the_refresh_time_and_is_used_while_it_is_refreshed() {
    let source = Distant::with("access");
    let keys = RemoteKeys::new(source.clone());
    assert_eq!(count(&keys, "access", day(1)).await, 1);
    source.0.store.revoke("access");
    time::sleep(Duration::from_millis(59_999)).await;
    assert_eq!((count(&keys, "access", day(1)).await, source.asked("access")), (1, 1));
    time::sleep(Duration::from_millis(1)).await;
    let before = time::Instant::now();
    let counts = join_all((0..10).map(|_| count(&keys, "access", day(1)))).await;
    assert_eq!((counts, before.elapsed()), (vec![1; 10], Duration::ZERO));
    settle().await;
    assert_eq!((count(&keys, "access", day(1)).await, source.asked("access")), (0, 2));
}

/// Nobody came for hours: then neither a revoked access key nor a stranger is answered from memory.
#[tokio::test(start_paused = true)]
async fn answer_older_than_two_refresh_times_is_used_no_more() {
    for (idle, expected) in [(119_999, [1, 0]), (120_000, [0, 1]), (8 * 3_600_000, [0, 1])] {
        let source = Distant::with("access");
        let keys = RemoteKeys::new(source.clone());
        let counts = async || {
            join_all(["access", "stranger"].map(|access_key| count(&keys, access_key, day(1))))
                .await
        };
        assert_eq!(counts().await, [1, 0]);
        source.0.store.revoke("access");
        source.0.store.add("stranger", secret()).unwrap();
        time::sleep(Duration::from_millis(idle)).await;
        assert_eq!(counts().await, expected, "after {idle} ms");
    }
}

/// So many access keys that a round of questions takes longer than their answers are used.
#[tokio::test(start_paused = true)]
async fn source_that_is_away_holds_up_no_access_key_that_is_known() {
    let names: Vec<_> = (0..1000).map(|number| format!("access {number}")).collect();
    let source = Distant::default();
    for name in &names {
        source.0.store.add(name, secret()).unwrap();
    }
    let keys = RemoteKeys::with(source.clone(), Duration::from_secs(4), 10_000);
    let ask = async || join_all(names.iter().map(|name| keys.keys(name.as_bytes(), day(1)))).await;
    ask().await;
    source.set_away(true);
    for second in 0..40 {
        time::sleep(Duration::from_secs(1)).await;
        let before = time::Instant::now();
        assert!(ask().await.into_iter().all(|found| found.unwrap().len() == 1));
        assert_eq!(before.elapsed(), Duration::ZERO, "second {second}");
    }
}

/// Each stranger's question waits for its turn while the source is away.
#[tokio::test(start_paused = true)]
async fn strangers_hold_up_no_access_key_that_is_known() {
    let source = Distant::with("access");
    let keys = RemoteKeys::with(source.clone(), Duration::from_secs(4), 10_000);
    assert_eq!(count(&keys, "access", day(1)).await, 1);
    source.set_away(true);
    let flood = async {
        for number in 0.. {
            let ask = |stranger| {
                let name = format!("stranger {number} {stranger}");
                let keys = &keys;
                async move { keys.keys(name.as_bytes(), day(1)).await }
            };
            // For 10 seconds.
            join_all((0..1600).map(ask)).await;
        }
    };
    let known = async {
        for second in 0..60 {
            time::sleep(Duration::from_secs(1)).await;
            let before = time::Instant::now();
            assert_eq!(keys.keys(b"access", day(1)).await.unwrap().len(), 1);
            assert_eq!(before.elapsed(), Duration::ZERO, "second {second}");
        }
    };
    tokio::select! {
        () = flood => {}
        () = known => {}
    }
}

/// Whoever has a revoked key could name one that the source fails for.
#[tokio::test(start_paused = true)]
async fn source_that_fails_for_a_stranger_is_not_away() {
    let source = Distant::with("access");
    let keys = RemoteKeys::new(source.clone());
    assert_eq!(count(&keys, "access", day(1)).await, 1);
    source.0.store.revoke("access");
    time::sleep(Duration::from_secs(3600)).await;
    assert!(keys.keys(b"failing", day(1)).await.is_err());
    assert_eq!(count(&keys, "access", day(1)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn refresh_time_has_no_greatest() {
    let source = Distant::with("access");
    let keys = RemoteKeys::with(source.clone(), Duration::MAX, 10);
    for _ in 0..2 {
        assert_eq!(count(&keys, "access", day(1)).await, 1);
        time::sleep(Duration::from_secs(1 << 30)).await;
    }
    assert_eq!(source.asked("access"), 1);
}

#[tokio::test(start_paused = true)]
async fn source_that_is_away_takes_nothing_away() {
    let source = Distant::with("access");
    let keys = RemoteKeys::new(source.clone());
    assert_eq!(count(&keys, "access", day(1)).await, 1);
    source.set_away(true);
    for _ in 0..24 * 60 {
        time::sleep(Duration::from_secs(60)).await;
        assert_eq!(count(&keys, "access", day(1)).await, 1);
    }
    // It is asked again and again, but not all the time.
    assert!((24..=24 * 60 + 1).contains(&source.asked("access")), "{}", source.asked("access"));
    source.set_away(false);
    source.0.store.revoke("access");
    time::sleep(Duration::from_secs(60)).await;
    count(&keys, "access", day(1)).await;
    settle().await;
    assert_eq!(count(&keys, "access", day(1)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_answered_is_an_error_for_a_second() {
    let source = Distant::with("access");
    source.set_away(true);
    let keys = RemoteKeys::new(source.clone());
    let ask = || keys.keys(b"access", day(1));
    let errors = join_all((0..100).map(|_| ask())).await;
    for error in errors {
        assert!(error.unwrap_err().to_string().contains("the source is away"));
    }
    assert!(ask().await.is_err());
    assert_eq!(source.asked("access"), 1);
    source.set_away(false);
    time::sleep(Duration::from_secs(1)).await;
    assert_eq!((count(&keys, "access", day(1)).await, source.asked("access")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn question_that_is_dropped_is_asked_by_the_next() {
    let source = Distant::with("access");
    let keys = RemoteKeys::new(source.clone());
    let dropped = time::timeout(TAKES / 2, keys.keys(b"access", day(1)));
    assert!(dropped.await.is_err());
    assert_eq!((count(&keys, "access", day(1)).await, source.asked("access")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn strangers_are_bounded_in_number_and_in_questions() {
    let source = Distant::with("access");
    let keys = RemoteKeys::with(source.clone(), Duration::from_secs(3600), 100);
    let names: Vec<_> = (0..1000).map(|number| format!("stranger {number}")).collect();
    for _ in 0..2 {
        join_all(names.iter().map(|name| count(&keys, name, day(1)))).await;
        assert!(keys.len() <= 100, "{}", keys.len());
        assert!(source.0.most_under_way.load(Relaxed) <= 16);
        // What is in use stays.
        assert_eq!(count(&keys, "access", day(1)).await, 1);
    }
    let known = join_all((0..50).map(|_| count(&keys, "stranger 999", day(1)))).await;
    assert_eq!((known, source.asked("stranger 999")), (vec![0; 50], 2));
    // Neither what cannot be signed with nor what is far too long is asked for.
    let long = "a".repeat(1025);
    for access_key in [&b"\xff"[..], long.as_bytes()] {
        assert!(keys.keys(access_key, day(1)).await.unwrap().is_empty());
    }
    assert_eq!((source.asked(&long), count(&keys, &"a".repeat(1024), day(1)).await), (0, 0));
    assert_eq!(source.asked(&"a".repeat(1024)), 1);
}

/// Signers whose clocks differ use both days around midnight, and nobody is refused.
#[tokio::test(start_paused = true)]
async fn midnight_passes_under_load_without_a_refusal() {
    let source = Distant::with("access");
    let keys = Arc::new(KeyCache::new(RemoteKeys::new(source.clone())));
    // Seconds before and after midnight: the day of a signer whose clock is up to 15 minutes off.
    for second in -1800_i32..1800 {
        let dates = [-900, 0, 900].map(|skew| if second + skew < 0 { day(1) } else { day(2) });
        // The source is away for a minute in between, but for the first question about a day.
        source.set_away((100..160).contains(&second.abs()));
        let asks = dates.iter().cycle().take(30).map(|date| keys.store().keys(b"access", *date));
        for (date, found) in dates.iter().cycle().zip(join_all(asks).await) {
            let found = found.unwrap_or_else(|error| panic!("{second}: {error}"));
            assert_eq!((found.len(), found[0].date()), (1, *date), "second {second}");
        }
        time::sleep(Duration::from_secs(1)).await;
    }
    assert!(source.asked("access") < 400, "{}", source.asked("access"));
}

/// Of four, two were used last; the others make room, when there is another one or another day.
#[tokio::test(start_paused = true)]
async fn answers_are_kept_for_as_many_access_keys_as_there_is_room_for() {
    let keys = RemoteKeys::with(Distant::with("access"), Duration::from_secs(1 << 30), 4);
    assert!(keys.is_empty());
    for (access_key, date, kept) in [
        ("a", 1, 1),
        ("b", 1, 2),
        ("a", 1, 2),
        ("c", 1, 3),
        ("d", 1, 4),
        ("e", 1, 3),
        ("f", 1, 4),
        ("e", 2, 2),
        ("e", 3, 1),
        ("e", 2, 1),
    ] {
        count(&keys, access_key, day(date)).await;
        assert_eq!((keys.len(), keys.is_empty()), (kept, false), "{access_key} on day {date}");
    }
}

/// What is evicted with its day is gone: the keys of the day before yesterday are asked for again.
#[tokio::test(start_paused = true)]
async fn keys_are_kept_for_their_day_and_the_one_beside_it() {
    let source = Distant::with("access");
    let keys = RemoteKeys::with(source.clone(), Duration::from_secs(1 << 30), 10);
    for (date, asked) in [(1, 1), (2, 2), (1, 2), (2, 2), (3, 3), (2, 3), (1, 4)] {
        count(&keys, "access", day(date)).await;
        assert_eq!(source.asked("access"), asked, "{date}");
    }
}

#[tokio::test]
async fn store_is_a_source_by_derivation() {
    let store = MemoryStore::new();
    store.add("access", Secret::new("older").unwrap()).unwrap();
    store.add("access", secret()).unwrap();
    let keys = store.keys(b"access", day(1)).await.unwrap();
    let derived = [secret(), Secret::new("older").unwrap()]
        .map(|secret| signs(&secret.signing_key("access", day(1)).unwrap()));
    assert_eq!(keys.iter().map(signs).collect::<Vec<_>>(), derived);
    for access_key in [&b"other"[..], b"", b"\xff"] {
        assert!(store.keys(access_key, day(1)).await.unwrap().is_empty());
    }
}

#[test]
fn key_goes_elsewhere_as_text() {
    let text = secret().signing_key_hex("access", day(1)).unwrap();
    let key = SigningKey::from_hex("access", day(1), &text).unwrap();
    assert_eq!(signs(&key), signs(&secret().signing_key("access", day(1)).unwrap()));
    assert_eq!((key.access_key(), key.date()), ("access", day(1)));
    for wrong in
        ["", &text.to_uppercase(), &text.replace(char::is_numeric, "g"), &format!("{}0", *text)]
    {
        assert_eq!(
            SigningKey::from_hex("access", day(1), wrong).unwrap_err(),
            framesign::ApiMisuse::Hex
        );
    }
    let empty = SigningKey::from_hex("", day(1), &text).unwrap_err();
    assert_eq!(empty, framesign::ApiMisuse::EmptyAccessKey);
    let nul = SigningKey::from_hex("a\0", day(1), &text).unwrap_err();
    assert_eq!(nul, framesign::ApiMisuse::NulInAccessKey);
    assert!(!format!("{key:?}").contains(&*text));
}
