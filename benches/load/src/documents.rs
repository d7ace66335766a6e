//! What the READMEs of benches and scripts name is what there is.
