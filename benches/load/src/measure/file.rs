//! The command on a large file in the page cache.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Instant,
};

use tempfile::NamedTempFile;

use crate::{
    Result, Setup, figure,
    measure::{median, pipe},
    size::Size,
};

#[derive(clap::Args)]
pub(crate) struct File {
    /// The size of the payload, for which the directory of temporary files (TMPDIR) needs room
    #[arg(long, value_name = "SIZE", default_value = "2GiB")]
    size: Size,
}

impl File {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let mut file = NamedTempFile::new()?;
        pipe::write_frame(self.size, &mut file)?;
        file.flush()?;
        let sign = || time(pipe::sign(&setup.framesign).arg(file.path()));
        let digest = || time(Command::new("openssl").args(["dgst", "-sha256"]).arg(file.path()));
        // Not counted: they bring the file into the cache.
        sign()?;
        digest()?;

        let mut pairs = Vec::new();
        for _ in 0..setup.rounds {
            pairs.push((sign()?, digest()?));
        }
        let (ours, theirs) =
            (median(pairs.iter().map(|pair| pair.0)), median(pairs.iter().map(|pair| pair.1)));
        let ratios = || pairs.iter().map(|(ours, theirs)| ours / theirs);
        let (least, most) = (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max));
        figure::print(
            &format!("file/{}/openssl", self.size),
            ours / theirs,
            &(..=0.85),
            format_args!(
                "{:.0} ms / {:.0} ms, pairs from {least:.3} to {most:.3}",
                ours * 1e3,
                theirs * 1e3
            ),
        );
        Ok(())
    }
}

/// The seconds that a command takes, which has to succeed.
fn time(command: &mut Command) -> Result<f64> {
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).status();
    let seconds = started.elapsed().as_secs_f64();
    let program = command.get_program().display();
    match status {
        Ok(status) if status.success() => Ok(seconds),
        Ok(status) => Err(format!("{program}: {status}").into()),
        Err(error) => Err(format!("{program}: {error}").into()),
    }
}
