//! Many large bodies at once, and `/health` beside them.

use std::time::Duration;

use crate::{
    Result, Setup,
    cores::Cores,
    figure,
    load::Load,
    measure::beside,
    process::{self, Server},
    programs,
    request::{Request, TokenRequests},
    results::{Results, count},
    size::Size,
};

#[derive(clap::Args)]
pub(crate) struct Large {
    /// The size of each body; 4GiB for the record
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    size: Size,
    /// The number of bodies
    #[arg(long, value_name = "N", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    bodies: u16,
}

impl Large {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        self.measure(setup, "current-thread", 1)?;
        self.measure(setup, "two-threads", 2)
    }

    fn measure(&self, setup: &Setup, name: &str, threads: usize) -> Result {
        let (server, rest) = setup.cores.split(threads);
        let (sender, observer) = rest.split(1);
        let threads = threads.to_string();
        let options = ["--max-body", "unlimited", "--threads", &threads];
        let mut server = programs::serve(&setup.framesign, &server, &options)?;

        let alone = health(&server, &observer, setup.duration)?;
        let tokens = TokenRequests::new(server.address, self.size.0)?;
        let load = Load {
            requests: Some(1),
            ..Load::full(server.address, &sender, self.bodies.into(), Duration::from_secs(1))
        };
        let (bodies, with) = beside(
            || load.run(|number| tokens.request(number)),
            || health(&server, &observer, 2 * setup.duration),
        )?;
        if !server.is_running()? {
            return Err("the service has ended".into());
        }
        let name = format!("service/{}x{}/{name}", self.bodies, self.size);
        self.print(&name, &bodies, process::peak(server.id())?, process::computed(server.id())?);
        print_health(&name, &alone, &with);
        server.stop()?;
        bodies.check().map(drop)
    }

    fn print(&self, name: &str, bodies: &Results, peak: f64, computed: f64) {
        figure::print(&format!("{name}/memory"), peak, &(..=64.0), "MiB at most");
        let answers = bodies.of(200);
        figure::print(
            &format!("{name}/right"),
            count(answers.count() - bodies.wrong),
            &(f64::from(self.bodies)..),
            format_args!(
                "of {} answers, the last after {:.0} ms, {computed:.1} s of computing",
                self.bodies,
                answers.longest()
            ),
        );
    }
}

fn print_health(name: &str, alone: &Results, with: &Results) {
    let (not_right, with, without) = (with.not_right(), with.of(200), alone.of(200));
    figure::print(
        &format!("{name}/health"),
        with.p99(),
        &(..=100.0),
        format_args!(
            "ms p99 of GET /health, p50 {:.3}, most {:.3}; alone p99 {:.3}",
            with.p50(),
            with.longest(),
            without.p99()
        ),
    );
    let requests = format!("of {}", with.count());
    figure::print(&format!("{name}/health/failed"), count(not_right), &(..=0.0), requests);
}

fn health(server: &Server, cores: &Cores, time: Duration) -> Result<Results> {
    let load = Load { rate: Some(100.0), ..Load::full(server.address, cores, 4, time) };
    load.run(|_| Request::health(server.address))?.check()
}
