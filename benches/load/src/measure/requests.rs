//! Requests a second to `/token`, their latency, and the memory that they take.

use std::{ops::Bound, path::PathBuf, thread, time::Duration};

use crate::{
    Result, Setup,
    cores::Cores,
    figure,
    load::Load,
    measure::median,
    process::{self, Server},
    programs::{self, Kind, Reference},
    request::TokenRequests,
    results::count,
    size::Size,
};

/// From this size on a number of requests is measured instead of a time. If each takes seconds,
/// those that the end of a time would cut are many, and of a fair server the most.
const LARGE: Size = Size(1 << 20);

/// The longest that such a number may take.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

#[derive(clap::Args)]
pub(crate) struct Requests {
    #[command(flatten)]
    shape: Shape,
    /// The service that is measured in turns with it
    #[arg(long, value_enum, default_value = "any", conflicts_with = "against")]
    reference: Kind,
    /// Another build of the program that is measured in turns with it
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// The least that requests a second should be as a multiple of the other's; 1 beside Go's,
    /// 0.98 beside another build
    #[arg(long, value_name = "RATIO")]
    target: Option<f64>,
}

#[derive(clap::Args)]
pub(crate) struct Scaling {
    #[command(flatten)]
    shape: Shape,
}

#[derive(clap::Args)]
struct Shape {
    /// The sizes of bodies
    #[arg(long, value_name = "SIZE,…", value_delimiter = ',', default_value = "1KiB,64KiB,16MiB")]
    body: Vec<Size>,
    /// The numbers of connections
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64,1000")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    connections: Vec<u16>,
    /// The requests of bodies of 1 MiB or more that make up a round, at least one a connection
    #[arg(long, value_name = "N", default_value_t = 256)]
    large: u64,
}

impl Shape {
    fn points(&self) -> impl Iterator<Item = Point> {
        self.body.iter().flat_map(move |size| {
            self.connections.iter().map(move |connections| Point {
                size: *size,
                connections: usize::from(*connections),
                requests: (size.0 >= LARGE.0)
                    .then(|| (self.large / u64::from(*connections)).max(1)),
            })
        })
    }
}

impl Requests {
    /// Both servers are started anew for each figure, so that none has the memory of the one before.
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let reference = match &self.against {
            Some(path) => Reference::Framesign(path.canonicalize()?),
            None => Reference::new(self.reference)?,
        };
        let (server, load) = setup.cores.split(1);
        for point in self.shape.points() {
            let ours = programs::serve(&setup.framesign, &server, &["--threads", "1"])?;
            let theirs = reference.start(&server)?;
            let mut rounds = Rounds::default();
            // In turns, so that both meet the same machine.
            for _ in 0..setup.rounds {
                rounds.ours.push(point.measure(&ours, &load, setup.duration)?);
                rounds.theirs.push(point.measure(&theirs, &load, setup.duration)?);
            }
            let name = format!("service/{point}/{}", reference.name());
            print_rounds(&format!("service/{point}/framesign"), &rounds.ours);
            print_rounds(&name, &rounds.theirs);
            Self::print_ratios(&name, &rounds, &Targets::new(&reference, self.target));
            ours.stop()?;
            theirs.stop()?;
        }
        Ok(())
    }

    fn print_ratios(name: &str, rounds: &Rounds, targets: &Targets) {
        let print = |what: &str, of: fn(&Round) -> f64, target, note: &str| {
            let ratio = median(rounds.ours.iter().map(of)) / median(rounds.theirs.iter().map(of));
            let note = format!("{note}, as a multiple of the other's");
            figure::print(&format!("{name}/{what}"), ratio, &target, note);
        };
        print("requests", |round| round.rate, targets.requests, "a second");
        print("computing", |round| round.efficiency, targets.requests, "for a second of computing");
        print("memory", |round| round.peak, targets.memory, "at its peak");
    }
}

/// The rounds that were measured in turns.
#[derive(Default)]
struct Rounds {
    ours: Vec<Round>,
    theirs: Vec<Round>,
}

/// The targets of the ratios of two services.
struct Targets {
    requests: (Bound<f64>, Bound<f64>),
    memory: (Bound<f64>, Bound<f64>),
}

impl Targets {
    /// A service of Go should not be better, another build hardly. One of hyper that does nothing
    /// else is better.
    fn new(reference: &Reference, requests: Option<f64>) -> Self {
        let (least, most) = match reference {
            Reference::Go(_) => (Some(1.0), Some(1.0)),
            Reference::Framesign(_) => (Some(0.98), Some(1.1)),
            Reference::Hyper => (None, None),
        };
        let bound = |bound: Option<f64>| bound.map_or(Bound::Unbounded, Bound::Included);
        Self {
            requests: (bound(requests.or(least)), Bound::Unbounded),
            memory: (Bound::Unbounded, bound(most)),
        }
    }
}

impl Scaling {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        self.measure(setup, "two-cores", 2, &["--threads", "2"])?;
        self.measure(setup, "logged", 1, &["--threads", "1", "--log-level", "info"])
    }

    fn measure(&self, setup: &Setup, name: &str, cores: usize, options: &[&str]) -> Result {
        let (server, load) = setup.cores.split(cores);
        let server = programs::serve(&setup.framesign, &server, options)?;
        for point in self.shape.points() {
            let round = |_| point.measure(&server, &load, setup.duration);
            let rounds: Vec<_> = (0..setup.rounds).map(round).collect::<Result<_>>()?;
            print_rounds(&format!("service/{name}/{point}"), &rounds);
        }
        server.stop()?;
        Ok(())
    }
}

/// A size of body, and a number of connections that send it.
struct Point {
    size: Size,
    connections: usize,
    /// The requests of each connection, where a number is measured.
    requests: Option<u64>,
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.size, self.connections)
    }
}

/// The results of one round.
struct Round {
    /// Tokens a second, and the same for a second of the server's computing.
    rate: f64,
    efficiency: f64,
    /// Latencies in milliseconds.
    latency: [f64; 3],
    /// The number of requests that were not answered by a token.
    failed: u64,
    /// Memory in MiB.
    before: f64,
    peak: f64,
    after: f64,
}

impl Point {
    fn measure(&self, server: &Server, cores: &Cores, duration: Duration) -> Result<Round> {
        let id = server.id();
        let tokens = TokenRequests::new(server.address, self.size.0)?;
        let time = if self.requests.is_some() { PATIENCE } else { duration };
        let load = Load {
            requests: self.requests,
            ..Load::full(server.address, cores, self.connections, time)
        };
        let warm_up = Load { connections: 4, requests: Some(2), ..load.clone() };
        warm_up.run(|number| tokens.request(number))?.check()?;

        process::forget_peak(id)?;
        let before = process::resident(id)?;
        let computed = process::computed(id)?;
        let results = load.run(|number| tokens.request(number))?.check()?;
        let computed = process::computed(id)? - computed;
        let peak = process::peak(id)?;
        thread::sleep(Duration::from_secs(1).min(duration));
        let latencies = results.of(200);
        Ok(Round {
            rate: results.rate(),
            // Half of what the clock of processes resolves, so that nothing is divided by zero.
            efficiency: count(latencies.count()) / (computed + 0.005),
            latency: [latencies.p50(), latencies.p99(), latencies.p999()],
            failed: results.not_right(),
            before,
            peak,
            after: process::resident(id)?,
        })
    }
}

fn print_rounds(name: &str, rounds: &[Round]) {
    let of = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    let note = format!(
        "a second; {:.1} for one of computing; p50 {:.3} p99 {:.3} p99.9 {:.3} ms; failed {}; \
         {:.1} MiB before, {:.1} at most, {:.1} after",
        of(|round| round.efficiency),
        of(|round| round.latency[0]),
        of(|round| round.latency[1]),
        of(|round| round.latency[2]),
        rounds.iter().map(|round| round.failed).sum::<u64>(),
        rounds[0].before,
        of(|round| round.peak),
        of(|round| round.after),
    );
    figure::print(name, of(|round| round.rate), &(..), note);
}
