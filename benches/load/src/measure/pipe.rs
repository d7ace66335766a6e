//! The command on a large frame from a pipe.

use std::{
    io::{self, Write},
    path::Path,
    process::{Command, Stdio},
};

use crate::{Result, Setup, figure, process, request::zeros, size::Size};

/// The frame that the large one is held beside.
const SMALL: Size = Size(1 << 20);

#[derive(clap::Args)]
pub(crate) struct Pipe {
    /// The size of the payload
    #[arg(long, value_name = "SIZE", default_value = "32GiB")]
    size: Size,
}

impl Pipe {
    pub(crate) fn run(&self, setup: &Setup) -> Result {
        let small = peak(&setup.framesign, SMALL)?;
        let large = peak(&setup.framesign, self.size)?;
        figure::print(&format!("pipe/{SMALL}"), small, &(..=8.0), "MiB at most");
        let name = format!("pipe/{}", self.size);
        figure::print(&name, large, &(..=8.0), "MiB at most");
        let note = format!("{large:.2} MiB / {small:.2} MiB");
        figure::print(&format!("{name}/{SMALL}"), large / small, &(..=1.1), note);
        Ok(())
    }
}

/// The most memory that the command holds, in MiB. It is read while the command waits for the end
/// of the input, with all of the frame written, since nothing is left of a process that has ended.
fn peak(framesign: &Path, size: Size) -> Result<f64> {
    let mut command = sign(framesign);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("expected a standard input")?;
    write_frame(size, &mut input)?;
    let peak = process::peak(child.id())?;
    drop(input);
    let output = child.wait_with_output()?;
    let signature = String::from_utf8(output.stdout)?;
    let is_signature = hex::decode(signature.trim_end()).is_ok_and(|bytes| bytes.len() == 32);
    if output.status.success() && is_signature { Ok(peak) } else { Err("framesign failed".into()) }
}

/// `framesign sign` with the keys of the protocol's examples.
pub(crate) fn sign(framesign: &Path) -> Command {
    let mut command = Command::new(framesign);
    command
        .arg("sign")
        .env("FRAMESIGN_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE")
        .env("FRAMESIGN_SECRET_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    command
}

/// Writes a frame with a payload of zeros.
pub(crate) fn write_frame(size: Size, to: &mut impl Write) -> io::Result<()> {
    write!(to, "PUT /upload HTTP/1.1\r\nHost: test.com\r\nContent-Length: {}\r\n\r\n", size.0)?;
    let mut left = size.0;
    while left > 0 {
        to.write_all(zeros(&mut left))?;
    }
    Ok(())
}
