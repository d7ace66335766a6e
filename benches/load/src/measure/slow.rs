//! Clients that send a byte at a time, beside a normal one.

use std::{thread, time::Duration};

use crate::{
    Result, Setup,
    cores::Cores,
    figure,
    load::Load,
    measure::beside,
    process::{self, Server},
    programs,
    request::TokenRequests,
    results::{Results, count},
    slow::{self, Part},
};

/// The time until slow clients are all there.
const ARRIVAL: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(crate) struct Slow {
    /// The number of slow clients
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    clients: u32,
}

impl Slow {
    /// The service's time-outs are `--duration`, short enough to be seen.
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let (server, rest) = setup.cores.split(2);
        let (slow, normal) = rest.split(1);
        let timeout = setup.duration.as_secs_f64().to_string();
        let requests = (2 * self.clients).to_string();
        let timeouts = ["--head-timeout", &timeout, "--idle-timeout", &timeout];
        let others = ["--threads", "2", "--max-requests", &requests];
        let server = programs::serve(&setup.framesign, &server, &[timeouts, others].concat())?;

        let time = 2 * setup.duration + ARRIVAL;
        let before = process::resident(server.id())?;
        let alone = normal_client(&server, &normal, time)?;
        for (name, part) in [("head", Part::Head), ("body", Part::Body)] {
            let slow_time = time + 2 * ARRIVAL + setup.duration / 5;
            let (closed, (with, held)) = beside(
                || slow::run(server.address, &slow, self.clients, part, slow_time),
                || {
                    thread::sleep(ARRIVAL);
                    let with = normal_client(&server, &normal, time)?;
                    Ok((with, process::resident(server.id())? - before))
                },
            )?;
            self.print(name, &closed, &alone, &with, held);
        }
        server.stop()?;
        Ok(())
    }

    fn print(&self, name: &str, slow: &Results, alone: &Results, with: &Results, held: f64) {
        let name = format!("service/slow-{name}");
        let (not_right, with, without) = (with.not_right(), with.of(200), alone.of(200));
        figure::print(
            &format!("{name}/p99"),
            with.p99() / without.p99(),
            &(..=2.0),
            format_args!(
                "{:.3} ms / {:.3} ms; p99.9 {:.3} / {:.3}",
                with.p99(),
                without.p99(),
                with.p999(),
                without.p999()
            ),
        );
        let requests = format!("of {} normal requests", with.count());
        figure::print(&format!("{name}/failed"), count(not_right), &(..=0.0), requests);
        let each = held * 1024.0 / f64::from(self.clients);
        let clients = format!("KiB for each of {}", self.clients);
        figure::print(&format!("{name}/memory"), each, &(..=32.0), clients);
        figure::print(
            &format!("{name}/closed"),
            count(slow.closed.count()),
            &(f64::from(self.clients)..),
            format_args!(
                "by the service, after {:.0} to {:.0} ms; {} by 408",
                slow.closed.p50(),
                slow.closed.longest(),
                slow.of(408).count()
            ),
        );
    }
}

/// Sends each request on a connection of its own, so that getting one counts.
fn normal_client(server: &Server, cores: &Cores, time: Duration) -> Result<Results> {
    let tokens = TokenRequests::new(server.address, 1024)?;
    let load =
        Load { rate: Some(500.0), is_fresh: true, ..Load::full(server.address, cores, 8, time) };
    load.run(|number| tokens.request(number))?.check()
}
