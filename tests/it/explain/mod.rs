//! What `framesign::explain` shows of frames, and the causes that it finds.

mod explanation;
mod faults;
mod other_side;
mod random;
