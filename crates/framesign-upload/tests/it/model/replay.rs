//! The model without the fuzzer: over the seeds of its target, and over random bytes.

use std::fs;

use framesign_test_support::{Numbers, repository};

use super::fuzz;

#[test]
fn uploads_are_as_the_model_has_them_over_the_seeds() {
    let mut seeds = 0;
    for entry in fs::read_dir(repository().join("fuzz/seeds/uploads")).unwrap() {
        fuzz(&fs::read(entry.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds > 10, "{seeds}");
}

#[test]
fn uploads_are_as_the_model_has_them_over_random_steps() {
    let mut numbers = Numbers::new(31);
    for _ in 0..100 {
        let byte = |_| numbers.below(256).to_le_bytes()[0];
        fuzz(&(0..600).map(byte).collect::<Vec<_>>());
    }
}
