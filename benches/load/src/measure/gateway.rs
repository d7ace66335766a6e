//! Signed uploads and small requests through the gateway, beside the same through a proxy that hashes
//! with plain sha2, and through nginx.

use std::{net::SocketAddr, time::Duration};

use crate::{
    Result, Setup,
    cores::Cores,
    figure,
    load::Load,
    measure::median,
    nginx::Nginx,
    process::{self, Server},
    programs,
    request::SignedRequests,
    results::{Results, count},
    size::Size,
};

/// The size of small requests.
const SMALL: u64 = 1024;

#[derive(clap::Args)]
pub(crate) struct Gateway {
    /// The size of each upload
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    size: Size,
    /// The number of uploads at once
    #[arg(long, value_name = "N", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    bodies: u16,
    /// The connections of small requests
    #[arg(long, value_name = "N", default_value_t = 32)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Only the uploads through the gateway, once: their rate and the memory
    #[arg(long)]
    alone: bool,
}

/// The programs, which hand on to one upstream, and the cores of the load.
struct Programs {
    gateway: Server,
    hashing: Server,
    nginx: Nginx,
    _upstream: Server,
    load: Cores,
}

impl Gateway {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let (proxies, rest) = setup.cores.split(1);
        let (upstream, load) = rest.split(1);
        let upstream = programs::reference(&upstream)?;
        let programs = Programs {
            gateway: programs::gateway(&setup.framesign, &proxies, upstream.address)?,
            hashing: programs::reference_proxy(&proxies, upstream.address)?,
            nginx: Nginx::start(&proxies, upstream.address)?,
            _upstream: upstream,
            load,
        };
        if self.alone {
            self.measure_alone(&programs)?;
        } else {
            self.measure_uploads(setup, &programs)?;
            self.measure_small(setup, &programs)?;
        }
        programs.gateway.stop()
    }

    fn measure_alone(&self, programs: &Programs) -> Result {
        process::forget_peak(programs.gateway.id())?;
        let rate =
            self.upload(&SignedRequests::new(self.size.0)?, programs, programs.gateway.address)?;
        figure::print(&self.name(), rate, &(..), "GB/s");
        self.print_peak(programs)
    }

    fn name(&self) -> String {
        format!("gateway/{}x{}", self.bodies, self.size)
    }

    fn print_peak(&self, programs: &Programs) -> Result {
        let peak = process::peak(programs.gateway.id())?;
        figure::print(&format!("{}/memory", self.name()), peak, &(..=32.0), "MiB at most");
        Ok(())
    }

    /// Sends all uploads at once: their GB/s.
    fn upload(
        &self,
        requests: &SignedRequests,
        programs: &Programs,
        address: SocketAddr,
    ) -> Result<f64> {
        let load = Load {
            requests: Some(1),
            ..Load::full(address, &programs.load, self.bodies.into(), Duration::from_secs(1))
        };
        let results = load.run(|_| requests.request())?.check()?;
        match results.not_right() {
            0 => Ok(count(self.size.0) * f64::from(self.bodies) / results.seconds / 1e9),
            others => Err(format!("{others} of {} uploads were not taken", self.bodies).into()),
        }
    }

    /// All uploads at once, in turns.
    fn measure_uploads(&self, setup: &Setup, programs: &Programs) -> Result {
        let requests = SignedRequests::new(self.size.0)?;
        let mut rates = Vec::new();
        process::forget_peak(programs.gateway.id())?;
        for _ in 0..setup.rounds {
            let Programs { gateway, hashing, nginx, .. } = programs;
            let addresses = [gateway.address, hashing.address, nginx.address];
            let round =
                addresses.into_iter().map(|address| self.upload(&requests, programs, address));
            let round = round.collect::<Result<Vec<_>>>()?;
            rates.push(round);
        }
        let name = self.name();
        let [own, hashing, nginx] =
            [0, 1, 2].map(|at| median(rates.iter().map(move |rates| rates[at])));
        let ratio = |beside| median(rates.iter().map(move |rates| rates[0] / rates[beside]));
        figure::print(&name, own, &(..), "GB/s");
        let note = format!("a proxy that hashes with plain sha2, at {hashing:.3} GB/s");
        figure::print(&format!("{name}/plain-sha2"), ratio(1), &(0.97..), note);
        let note = format!("nginx, which does not hash, at {nginx:.3} GB/s");
        figure::print(&format!("{name}/nginx"), ratio(2), &(..), note);
        self.print_peak(programs)
    }

    /// Small requests, in turns.
    fn measure_small(&self, setup: &Setup, programs: &Programs) -> Result {
        let requests = SignedRequests::new(SMALL)?;
        let send = |address| -> Result<Results> {
            let connections = self.connections.into();
            let load = Load::full(address, &programs.load, connections, setup.duration);
            load.run(|_| requests.request())?.check()
        };
        for round in 1..=setup.rounds {
            let [own, other] = [send(programs.gateway.address)?, send(programs.nginx.address)?]
                .map(|results| (results.rate(), results.of(200), results.not_right()));
            let name = format!("gateway/1KiB/{}/round-{round}", self.connections);
            let note = format!(
                "requests a second, p50 {:.3} and p99 {:.3} ms; nginx {:.0}, {:.3} and {:.3}",
                own.1.p50(),
                own.1.p99(),
                other.0,
                other.1.p50(),
                other.1.p99(),
            );
            figure::print(&name, own.0, &(..), note);
            let failed = count(own.2 + other.2);
            figure::print(&format!("{name}/failed"), failed, &(..=0.0), "requests");
        }
        Ok(())
    }
}
