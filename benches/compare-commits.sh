#!/usr/bin/env bash
# Prints how long this tree takes to sign each FRAME, beside COMMIT: the ratio of the medians, 1 if as long.
# Both are built in five places. Where code lies in memory changes its time by one or two percent, which is
# as much as the differences that are looked for; five places have five layouts.
# Call: benches/compare-commits.sh COMMIT FRAME…
set -eu
shopt -s inherit_errexit

if [ $# -lt 2 ]; then
    echo "usage: benches/compare-commits.sh COMMIT FRAME…" >&2
    exit 2
fi
commit=$1
shift
frames=()
for frame; do frames+=("$(realpath "$frame")"); done
cd "$(dirname "$0")/.."

readonly PLACES=5 ROUNDS=7
places=$(mktemp -d)
trap 'rm -r "$places"' EXIT

# Puts a program that signs with the library in $2 at $1.
build() {
    mkdir -p "$1/src"
    cat >"$1/Cargo.toml" <<END
[package]
name = "timed"
version = "0.0.0"
edition = "2024"
[dependencies]
framesign = { path = "$2", default-features = false }
[profile.release]
lto = "thin"
codegen-units = 1
[workspace]
END
    cat >"$1/src/main.rs" <<'END'
//! Prints the nanoseconds that a frame takes to be signed, the least of many turns.

use std::{env, error::Error, fs, hint::black_box, time::Instant};

use framesign::{Credentials, Signer, SigningKey};

fn main() -> Result<(), Box<dyn Error>> {
    let frame = fs::read(env::args().nth(1).ok_or("expected a file")?)?;
    let key = SigningKey::derive(&Credentials::new("access", "secret")?, "20230801".parse()?);
    let mut signer = Signer::new(&key);
    let mut least = u128::MAX;
    for _ in 0..100 {
        let began = Instant::now();
        for _ in 0..1000 {
            signer.update(black_box(&frame))?;
            black_box(signer.finish_reset()?);
        }
        least = least.min(began.elapsed().as_nanos());
    }
    println!("{}", least / 1000);
    Ok(())
}
END
    CARGO_TARGET_DIR=$1/target cargo build --quiet --release --manifest-path "$1/Cargo.toml"
    mv "$1/target/release/timed" "$1/timed"
    rm -r "$1/target"
}

median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

for place in $(seq "$PLACES"); do
    mkdir -p "$places"/{before,after}-library-"$place"
    git archive "$commit" | tar --extract --directory "$places/before-library-$place"
    git ls-files -z | tar --create --null --files-from - |
        tar --extract --directory "$places/after-library-$place"
    for side in before after; do
        build "$places/$side-$place" "$places/$side-library-$place"
    done
done

for frame in "${frames[@]}"; do
    for _ in $(seq "$ROUNDS"); do
        for place in $(seq "$PLACES"); do
            for side in before after; do
                "$places/$side-$place/timed" "$frame" >>"$places/$side-$place/times"
            done
        done
    done
    for side in before after; do
        for place in $(seq "$PLACES"); do
            median <"$places/$side-$place/times"
            rm "$places/$side-$place/times"
        done >"$places/$side"
    done
    awk -v name="$(basename "$frame")" -v before="$(median <"$places/before")" \
        -v after="$(median <"$places/after")" -v each="$(cat "$places/before" "$places/after" | paste -sd ' ')" \
        'BEGIN { printf "%s: %.3f (%d and %d ns; by place %s)\n", name, after / before, after, before, each }'
done
