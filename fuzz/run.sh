#!/bin/sh
# Runs fuzz targets, each for a number of seconds; fails on a finding.
#
#   fuzz/run.sh SECONDS [TARGET…]
#
# Begins with the seeds; what is found on the way is thrown away. An input that fails is shown and
# stays in fuzz/artifacts/TARGET/. FUZZ_TARGET_DIR says where to build (fuzz/target by default).
set -eu

if [ $# -eq 0 ]; then
    echo "usage: fuzz/run.sh SECONDS [TARGET…]" >&2
    exit 2
fi
seconds=$1
shift
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- answers bodies canonical codec cuts explain gateway oracle strict_httparse uploads verifying

build=${FUZZ_TARGET_DIR:-fuzz/target}
corpus=$(mktemp -d)
trap 'rm -r "$corpus"' EXIT
trap 'exit 1' INT TERM

cargo +nightly fuzz build --target-dir "$build"
for target; do
    mkdir "$corpus/$target"
    cargo +nightly fuzz run --target-dir "$build" "$target" "$corpus/$target" "fuzz/seeds/$target" -- \
        -dict=fuzz/http.dict -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048
done
