//! More requests than the service can answer.

use std::{thread, time::Duration};

use crate::{
    Result, Setup, figure,
    load::Load,
    measure::beside,
    process, programs,
    request::TokenRequests,
    results::{Results, count},
    seconds,
};

/// The bodies: a core takes much longer for one than to refuse one.
const SIZE: u64 = 1 << 20;

/// The requests that are accepted at a time: few, so that each is done soon. What waits in the
/// service makes those before it late.
const ACCEPTED: usize = 4;

#[derive(clap::Args)]
pub(crate) struct Overload {
    /// The time of the overload; 600 for the record
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    overload: Duration,
    /// The connections that send twice as much as the service can answer
    #[arg(long, value_name = "N", default_value_t = 500)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
}

/// The results.
struct Measured {
    full: Results,
    /// At a tenth of what the service can answer.
    tenth: Results,
    overloaded: Results,
    /// Memory in MiB after a sixth and after five sixths of the overload, and at its peak.
    early: f64,
    late: f64,
    peak: f64,
}

impl Overload {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let (server, cores) = setup.cores.split(2);
        let accepted = ACCEPTED.to_string();
        let options = ["--threads", "2", "--max-requests", &accepted];
        let server = programs::serve(&setup.framesign, &server, &options)?;
        let tokens = TokenRequests::new(server.address, SIZE)?;
        let request = |number| tokens.request(number);

        let load = Load::full(server.address, &cores, ACCEPTED, setup.duration);
        let full = load.run(request)?.check()?;
        let tenth =
            Load { rate: Some(full.rate() / 10.0), time: 2 * setup.duration, ..load.clone() };
        let tenth = tenth.run(request)?.check()?;
        let overload = Load {
            connections: self.connections.into(),
            rate: Some(full.rate() * 2.0),
            time: self.overload,
            ..load
        };
        let ((early, late), overloaded) =
            beside(|| self.memory(server.id()), || overload.run(request)?.check())?;
        let peak = process::peak(server.id())?;
        print(&Measured { full, tenth, overloaded, early, late, peak });
        server.stop()?;
        Ok(())
    }

    fn memory(&self, id: u32) -> Result<(f64, f64)> {
        thread::sleep(self.overload / 6);
        let early = process::resident(id)?;
        thread::sleep(self.overload * 4 / 6);
        Ok((early, process::resident(id)?))
    }
}

fn print(measured: &Measured) {
    let Measured { full, tenth, overloaded, early, late, peak } = measured;
    let (accepted, refused) = (overloaded.of(200), overloaded.of(503));
    let (over, at_tenth, at_full) = (accepted.p99(), tenth.of(200).p99(), full.of(200).p99());
    figure::print(
        "service/overload/p99",
        over / at_tenth,
        &(..=5.0),
        format_args!("{over:.3} ms / {at_tenth:.3} ms at a tenth; at full {at_full:.3}"),
    );
    let (rate, capacity) = (overloaded.rate(), full.rate());
    figure::print(
        "service/overload/accepted",
        rate / capacity,
        &(0.8..),
        format_args!("{rate:.1} a second / {capacity:.1}"),
    );
    figure::print(
        "service/overload/shed",
        count(refused.count()),
        &(..),
        format_args!(
            "answers 503; p99 {:.3} ms; held back {}",
            refused.p99(),
            overloaded.held_back
        ),
    );
    let tokens = format!("of {} tokens", accepted.count());
    figure::print("service/overload/wrong", count(overloaded.wrong), &(..=0.0), tokens);
    figure::print(
        "service/overload/failed",
        count(overloaded.failed),
        &(..=0.0),
        "without an answer",
    );
    figure::print(
        "service/overload/memory",
        late / early,
        &(..=1.1),
        format_args!("{late:.1} MiB / {early:.1} MiB; peak {peak:.1}"),
    );
}
