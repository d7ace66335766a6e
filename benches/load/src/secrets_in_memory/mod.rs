//! Looks for secrets that were rotated away in the memory of the processes that had them.
//!
//! A service, a gateway and a verifier with the keys of the day work under load with one set of secrets,
//! get another by a reload, and go on. Then each is stopped where it is, and all that it has written is
//! searched for both: the second set must be found, else the search shows nothing.

use std::{
    sync::{Arc, atomic::AtomicU64},
    thread,
    time::{Duration, Instant, SystemTime},
};

use framesign::SigningDate;
use hmac::{Hmac, KeyInit, Mac};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Sha256, block_api::compress256};
use tokio::{runtime::Builder, task::JoinSet};

mod search;

use search::{Found, Needles, STACK};

use crate::{
    Result, Setup,
    process::Server,
    soak::{ACCESS_KEY, Client, Live, Pair, Preloaded, Tally, Upstream, World},
};

/// The clients, and the pause that each makes.
const CLIENTS: u64 = 16;
const PAUSE: Duration = Duration::from_millis(50);

/// The time of each load at least.
const LEAST: Duration = Duration::from_secs(3);

/// A verifier may use a key for a minute before it asks again, and it asks beside a frame.
const KEYS_ARE_KEPT: Duration = Duration::from_secs(75);

/// Not a form of a secret, so that it is found in a verifier too.
const DERIVED: &str = "signing key";

const TOKEN_OF_CALLER: &str = "token of the caller";

/// Looks for secrets that were rotated away in the memory of service, gateway and verifier
#[derive(clap::Args)]
pub(crate) struct SecretsInMemory {
    /// The seed of the requests
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl SecretsInMemory {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let tally = Arc::new(Tally::default());
        let upstream = runtime.block_on(Upstream::start(Arc::clone(&tally)))?;
        let folder = tempfile::tempdir()?;
        let pair = Pair::start(setup, 0, folder.path(), Preloaded::default(), upstream.address)?;
        let verifier = pair.start_verifier()?;
        let world = World {
            pairs: vec![Arc::clone(&pair)],
            upstream,
            tally: Arc::clone(&tally),
            numbers: Arc::new(AtomicU64::new(0)),
        };
        let world = Arc::new(world);
        let before = pair.live();
        let span = setup.duration.max(LEAST);
        runtime.block_on(self.load(&world, &verifier, span))?;
        runtime.block_on(async {
            let load = self.load(&world, &verifier, span + Duration::from_secs(10));
            let (loaded, rotated) = tokio::join!(load, pair.rotate(&tally));
            loaded.and(rotated)
        })?;
        runtime.block_on(self.load(&world, &verifier, span.max(KEYS_ARE_KEPT)))?;
        let (problems, shown) = tally.problems();
        if problems > 0 {
            return Err(format!("{problems} answers were wrong: {shown:?}").into());
        }
        let mut wrong = Vec::new();
        let after = pair.live();
        let ids = pair.ids();
        let processes = [("service", ids[0]), ("gateway", ids[1]), ("verifier", verifier.id())];
        for (name, id) in processes {
            wrong.extend(check(name, id, &before, &after)?);
        }
        pair.stop()?;
        verifier.stop()?;
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
    }

    /// Sends requests of every kind to the pair, and frames to the verifier.
    async fn load(&self, world: &Arc<World>, verifier: &Server, span: Duration) -> Result {
        let until = Instant::now() + span;
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let (world, random) = (Arc::clone(world), random.fork());
            let client = Client { world, random, until, pause: PAUSE, verifier: None };
            // A verifier learns of a rotation within a minute: what it says until then is not judged.
            if number % 4 == 0 {
                let world = World { tally: Arc::default(), ..World::clone(&client.world) };
                let client = Client { world: Arc::new(world), ..client };
                clients.spawn(client.verify_at(verifier.address));
            } else {
                clients.spawn(client.run());
            }
        }
        while let Some(ended) = clients.join_next().await {
            ended?;
        }
        Ok(())
    }
}

/// Searches a process, prints what was found, and gives what must not be.
fn check(name: &str, id: u32, before: &Live, after: &Live) -> Result<Vec<String>> {
    let mut needles = Needles::default();
    add(&mut needles, "old", before)?;
    add(&mut needles, "new", after)?;
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).ok_or("expected a process")?;
    kill_process(pid, Signal::STOP)?;
    thread::sleep(Duration::from_millis(200));
    let searched = needles.search(id);
    kill_process(pid, Signal::CONT)?;
    let (found, bytes) = searched?;
    show(&format!("{name}: {:.1} MiB searched", crate::results::count(bytes) / f64::from(1 << 20)));
    for ((needle, memory), count) in &found {
        show(&format!("  {needle:<52}{count:>5}  in {memory}"));
    }
    Ok(judge(name, &found))
}

/// What was found that must not be there, and what must be there and was not found.
fn judge(name: &str, found: &Found) -> Vec<String> {
    let mut wrong = Vec::new();
    for (needle, memory) in found.keys() {
        let is_long_term = !needle.contains(DERIVED);
        // docs/security.md names both: what the compiler moves leaves copies on stacks, until other calls
        // overwrite them, and the buffers of requests have held the tokens of callers.
        let is_named = memory.starts_with(STACK) || needle.ends_with(TOKEN_OF_CALLER);
        if needle.starts_with("old") && !is_named {
            wrong.push(format!("the {name} holds {needle} in {memory}"));
        } else if name == "verifier" && is_long_term {
            wrong.push(format!("the {name} holds {needle}, which it must never have"));
        }
    }
    let is_found = |start: &str| found.keys().any(|(needle, _)| needle.starts_with(start));
    if !is_found(&format!("new frame secret, {DERIVED}")) {
        wrong.push(format!(
            "the {name} does not hold the new signing key: the search shows nothing"
        ));
    }
    wrong
}

/// Adds all forms of the secrets that processes have had.
fn add(needles: &mut Needles, age: &str, live: &Live) -> Result {
    let date = SigningDate::of(SystemTime::now()).to_string();
    let secret = live.frame[0].as_bytes();
    let date_key = mac(secret, date.as_bytes())?;
    let signing_key = mac(hex::encode(date_key).as_bytes(), ACCESS_KEY.as_bytes())?;
    add_key(needles, &format!("{age} frame secret, itself"), secret)?;
    for (name, key) in [("date key", date_key), (DERIVED, signing_key)] {
        let name = format!("{age} frame secret, {name}");
        needles.add(format!("{name}, bytes"), &key)?;
        add_key(needles, &name, hex::encode(key).as_bytes())?;
    }
    add_key(needles, &format!("{age} token secret, itself"), live.token[0].as_bytes())?;
    needles.add(format!("{age} {TOKEN_OF_CALLER}"), live.caller[0].as_bytes())
}

/// A key of HMAC, its block with each pad, and what SHA-256 makes of those: whoever has these can sign.
fn add_key(needles: &mut Needles, name: &str, key: &[u8]) -> Result {
    needles.add(format!("{name}, text"), key)?;
    let mut block = [0; 64];
    block.get_mut(..key.len()).ok_or("expected a key of at most 64 bytes")?.copy_from_slice(key);
    for (pad, with) in [("inner", 0x36), ("outer", 0x5c)] {
        let block = block.map(|byte: u8| byte ^ with);
        needles.add(format!("{name}, {pad} pad"), &block[..key.len()])?;
        let mut state = INITIAL;
        compress256(&mut state, &[block]);
        let state: Vec<u8> = state.iter().flat_map(|word| word.to_ne_bytes()).collect();
        needles.add(format!("{name}, {pad} state"), &state)?;
    }
    Ok(())
}

/// FIPS 180-4 section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

fn mac(key: &[u8], message: &[u8]) -> Result<[u8; 32]> {
    Ok(Hmac::<Sha256>::new_from_slice(key)?.chain_update(message).finalize().into_bytes().into())
}

#[expect(clippy::print_stdout, reason = "printing is the purpose")]
fn show(line: &str) {
    println!("{line}");
}
