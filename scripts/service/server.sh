# Servers and the programs that load them: built, started on cores of their own, watched, stopped.

export SECRET=0123456789abcdef0123456789abcdef

directory=$(mktemp -d)
servers=()
trap 'stop_all; rm -rf "$directory"' EXIT

# Builds service, peer and load, and sets `framesign`, `peer` and `load` to their paths.
build_service() {
    cargo build --quiet --release --features serve
    framesign=${CARGO_TARGET_DIR:-target}/release/framesign
    peer=$directory/peer
    load=$directory/load
    (cd benches/peers/token-go && "$GO" build -o "$peer" .)
    (cd benches/peers/load-go && "$GO" build -o "$load" .)
    echo "against $("$GO" version | cut -d ' ' -f 3) and under $(wrk -v 2>&1 | head -n 1 | cut -d ' ' -f 1,2)"
}

# start CORES COMMAND…: starts a server, and sets `server` to its process and `address` to where it
# listens.
start() {
    local cores=$1 out="$directory/out${#servers[@]}"
    shift
    # There before it is looked into.
    : >"$out"
    taskset -c "$cores" "$@" >"$out" 2>>"$directory/log" &
    server=$!
    servers+=("$server")
    for _ in $(seq 100); do
        address=$(sed -n 's,^listening on http://,,p' "$out")
        [ -z "$address" ] || return 0
        sleep 0.1
    done
    tail "$directory/log"
    return 1
}

# start_framesign CORES OPTION…: on loopback and with a log of what goes wrong, unless told otherwise.
start_framesign() {
    local cores=$1
    shift
    FRAMESIGN_LOG_LEVEL=warn start "$cores" "$framesign" serve --listen 127.0.0.1:0 "$@"
}

# stop SERVER: asks it to end, and waits for it.
stop() {
    kill "$1"
    wait "$1" || true
}

stop_all() {
    for server in "${servers[@]}"; do kill -KILL "$server" 2>/dev/null || true; done
}

# resident SERVER: its memory now, in MiB.
resident() { memory "$1" VmRSS; }

# peak SERVER: the most that it had since it started, or since `forget_peak`, in MiB.
peak() { memory "$1" VmHWM; }

memory() { awk "/^$2:/ { printf \"%.1f\", \$2 / 1024 }" "/proc/$1/status"; }

forget_peak() { echo 5 >"/proc/$1/clear_refs"; }

# cpu SERVER: the seconds that it has computed.
cpu() { awk -v hertz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hertz }' "/proc/$1/stat"; }

# run_load CORES COMMAND…: runs a load, which prints lines of name and value.
run_load() {
    local cores=$1
    shift
    taskset -c "$cores" timeout 3600 "$load" "$@"
}

# figure NAME FIGURES: one of what a load printed, or 0.
figure() { awk -v name="$1" '$1 == name { value = $2 } END { print value + 0 }' <<<"$2"; }

calculate() { awk "BEGIN { printf \"%.6g\", ($1) }"; }

# median: of a column of numbers.
median() { sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

# print_least NAME VALUE LEAST NOTE: as print_figure, of a figure that should be large.
print_least() {
    awk -v name="$1" -v value="$2" -v least="$3" -v note="$4" 'BEGIN {
        reached = value >= least ? "yes" : "no"
        printf "%-46s %7.3f  target %-7s  reached %-3s  (%s)\n", name, value, ">= " least, reached, note
    }'
}

# print_plain NAME VALUE NOTE: a figure without a target.
print_plain() { printf '%-46s %7.7g  (%s)\n' "$1" "$2" "$3"; }
