//! How many times as fast as the others framesign signs, timed in turns.

use std::{error::Error, hint::black_box};

use framesign_peers::{FRAME, URI, prepare, sign_sigv4};

#[path = "../../support/figure.rs"]
mod figure;
#[path = "../../support/paired.rs"]
mod paired;

use paired::Paired;

fn main() -> Result<(), Box<dyn Error>> {
    let paired = Paired::from_args();
    let (mut framesign, dynata_sig, aws_sigv4) = prepare()?;
    let params = aws_sigv4.params()?;
    paired.ratio(
        "peers/example-2/dynata-sig",
        3.3..,
        || black_box(&dynata_sig).sign(),
        || framesign.sign(black_box(FRAME)),
    );
    paired.ratio(
        "peers/example-2/aws-sigv4",
        9.0..,
        || sign_sigv4(black_box(&params), black_box(URI)),
        || framesign.sign(black_box(FRAME)),
    );
    Ok(())
}
