//! Starts the program framesign, loads it over loopback, and prints how it did: a line for each
//! figure, with its target if it has one. Needs Linux, whose /proc tells memory and computing.
//!
//! `benches/README.md` names the command for each figure.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

mod connection;
mod cores;
#[cfg(test)]
mod documents;
#[path = "../../support/figure.rs"]
mod figure;
mod growth;
mod histogram;
mod load;
mod measure;
mod nginx;
mod parts;
mod process;
mod programs;
mod reference;
mod reference_proxy;
mod replay;
mod replicas;
mod request;
mod results;
mod secrets_in_memory;
mod size;
mod slow;
mod soak;
mod upload_replicas;

use cores::Cores;
use measure::{
    file, gateway, large, overload, pipe, requests, slow as slow_clients, tenants, upload_parts,
    uploads,
};

pub(crate) type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> =
    std::result::Result<T, E>;

/// Measures the program framesign under load.
#[derive(Parser)]
#[command(name = "framesign-load")]
struct Arguments {
    /// The program to measure; without it, it is built in release mode
    #[arg(long, global = true, value_name = "PATH")]
    framesign: Option<PathBuf>,
    /// The time of each figure
    #[arg(long, global = true, env = "DURATION", value_name = "SECONDS", default_value = "5")]
    #[arg(value_parser = seconds)]
    duration: Duration,
    /// The number of times that each figure is measured; the median counts
    #[arg(long, global = true, env = "ROUNDS", value_name = "N", default_value = "3")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    #[command(subcommand)]
    figures: Figures,
}

#[derive(Subcommand)]
enum Figures {
    /// Requests a second on one core, latency and memory, in turns with a reference
    Requests(requests::Requests),
    /// The same on two cores, and on one with a line logged for each request, without a reference
    Scaling(requests::Scaling),
    /// Twice the requests that it can answer: what is accepted is answered in time, the rest is 503
    Overload(overload::Overload),
    /// Many clients that send a byte at a time, beside a normal one
    Slow(slow_clients::Slow),
    /// Many large bodies at once, and GET /health beside them
    Large(large::Large),
    /// Signed uploads and small requests through `framesign gateway`, beside nginx without buffers
    Gateway(gateway::Gateway),
    /// The time of `framesign sign` on a large file, beside `openssl dgst -sha256`
    File(file::File),
    /// The peak memory of `framesign sign` on a large frame from a pipe
    Pipe(pipe::Pipe),
    /// The time of uploads in parts into a directory, beside one signed PUT of the same file
    UploadParts(upload_parts::UploadParts),
    /// Uploads in parts by `framesign upload`, beside one signed PUT; several at once; the memory of
    /// both sides
    Uploads(uploads::Uploads),
    /// Three replicas behind HAProxy under load, one of which is killed and one drained
    Replicas,
    /// Uploads in parts over three replicas behind HAProxy, each of which is killed, and one S3 server
    UploadReplicas,
    /// Many processes over one Redis, and racers that send each frame several times: each is accepted
    /// once, while processes and Redis are killed
    Replay(replay::Replay),
    /// Signing by hash beside tokens, and many access keys and callers beside one of each
    Tenants(tenants::TenantsOptions),
    /// Mixed load over service, uploads and gateway with faults: nothing is lost, nothing is wrong, and
    /// memory stays the same
    Soak(soak::Soak),
    /// Time and memory while one thing doubles six times: how fast they grow
    Growth(growth::Growth),
    /// Looks for secrets that were rotated away in the memory of service, gateway and verifier
    SecretsInMemory(secrets_in_memory::SecretsInMemory),
    /// Serves as the reference made of hyper
    #[command(hide = true)]
    Reference,
    /// Serves as the proxy made of hyper, before this address
    #[command(hide = true)]
    ReferenceProxy { upstream: SocketAddr },
}

/// The settings of all measurements.
pub(crate) struct Setup {
    pub(crate) framesign: PathBuf,
    pub(crate) cores: Cores,
    pub(crate) duration: Duration,
    pub(crate) rounds: u16,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "that is where errors go")]
            {
                eprintln!("framesign-load: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result {
    match arguments.figures {
        Figures::Reference => return reference::run(),
        Figures::ReferenceProxy { upstream } => return reference_proxy::run(upstream),
        _ => {}
    }
    process::raise_file_limit()?;
    let framesign = match arguments.framesign {
        Some(path) => {
            path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))?
        }
        None => programs::build()?,
    };
    let setup = Setup {
        framesign,
        cores: Cores::available()?,
        duration: arguments.duration,
        rounds: arguments.rounds,
    };
    match arguments.figures {
        Figures::Requests(requests) => requests.run(&setup),
        Figures::Scaling(scaling) => scaling.run(&setup),
        Figures::Overload(overload) => overload.run(&setup),
        Figures::Slow(slow) => slow.run(&setup),
        Figures::Large(large) => large.run(&setup),
        Figures::Gateway(gateway) => gateway.run(&setup),
        Figures::File(file) => file.run(&setup),
        Figures::Pipe(pipe) => pipe.run(&setup),
        Figures::UploadParts(parts) => parts.run(&setup),
        Figures::Uploads(uploads) => uploads.run(&setup),
        Figures::Replicas => replicas::run(&setup),
        Figures::UploadReplicas => upload_replicas::run(&setup),
        Figures::Replay(replay) => replay.run(&setup),
        Figures::Tenants(tenants) => tenants.run(&setup),
        Figures::Soak(soak) => soak.run(&setup),
        Figures::Growth(growth) => growth.run(&setup),
        Figures::SecretsInMemory(secrets) => secrets.run(&setup),
        Figures::Reference | Figures::ReferenceProxy { .. } => Ok(()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds));
    let seconds = seconds.ok_or("expected 0.1 to 86400 seconds")?;
    Ok(Duration::from_secs_f64(seconds))
}
