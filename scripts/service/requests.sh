# Requests a second, their latency, and the memory they take.

sizes=(1KiB:1024 64KiB:65536 16MiB:16777216)
connections=(1 64 1000)

# On one core each, started anew for each figure, so that none has the memory of the one before.
measure_requests() {
    local size count
    for size in "${sizes[@]}"; do
        for count in "${connections[@]}"; do measure_pair "${size%:*}/$count" "${size#*:}" "$count"; done
    done
}

# measure_pair NAME SIZE CONNECTIONS: in turns, so that both meet the same machine.
measure_pair() {
    local name="service/$1" ours ours_at theirs theirs_at
    start_framesign 0 --threads 1
    ours=$server ours_at=$address
    GOMAXPROCS=1 start 0 "$peer"
    theirs=$server theirs_at=$address
    rm -f "$directory/ours" "$directory/theirs"
    for _ in $(seq "$ROUNDS"); do
        measure 1-3 "$ours" "$ours_at" "$2" "$3" >>"$directory/ours"
        measure 1-3 "$theirs" "$theirs_at" "$2" "$3" >>"$directory/theirs"
    done
    print_result "$name/framesign" "$directory/ours"
    print_result "$name/peer" "$directory/theirs"
    print_least "$name/peer/requests" "$(ratio 1)" 1 "on a core, as a multiple of the peer's"
    print_least "$name/peer/computing" "$(ratio 2)" 1 "for a second of computing, the same"
    print_figure "$name/peer/memory" "$(ratio 8)" 1 "at its peak, the same"
    stop "$ours"
    stop "$theirs"
}

measure_scaling() {
    measure_alone service/two-cores 0,1 2-3 --threads 2
    measure_alone service/logged 0 1-3 --threads 1 --log-level info
}

# measure_alone NAME CORES LOAD_CORES OPTION…: of framesign, bodies of 1 and 64 KiB.
measure_alone() {
    local name=$1 cores=$2 load_cores=$3 size count
    shift 3
    start_framesign "$cores" "$@"
    for size in "${sizes[@]:0:2}"; do
        for count in "${connections[@]}"; do
            rm -f "$directory/ours"
            for _ in $(seq "$ROUNDS"); do
                measure "$load_cores" "$server" "$address" "${size#*:}" "$count" >>"$directory/ours"
            done
            print_result "$name/${size%:*}/$count" "$directory/ours"
        done
    done
    stop "$server"
}

# measure CORES SERVER ADDRESS SIZE CONNECTIONS: a line: requests a second, the same for a second of
# its computing, p50, p99 and p99.9 in ms, failures, and its memory in MiB: before, at its peak and a
# second after.
measure() {
    local memory computing result
    check_tokens "$1" "$3" "$4"
    forget_peak "$2"
    memory=$(resident "$2")
    computing=$(cpu "$2")
    if [ "$4" -lt 1048576 ]; then result=$(run_wrk "$1" "${@:3}"); else result=$(run_counted "$1" "${@:3}"); fi
    computing=$(calculate "$(cpu "$2") - $computing")
    memory+=" $(peak "$2")"
    sleep 1
    awk -v computing="$computing" -v memory="$memory $(resident "$2")" \
        '{ printf "%.1f %.1f %s %s %s %d %s\n", $1 / $2, $1 / (computing + 0.005), $3, $4, $5, $6, memory }' <<<"$result"
}

# check_tokens CORES ADDRESS SIZE: that what is measured is right.
check_tokens() {
    local checked
    checked=$(run_load "$1" tokens "$2" -body "$3" -connections 4 -requests 2)
    [ "$(figure 200.count "$checked") $(figure wrong "$checked")" = "8 0" ]
}

# run_wrk CORES ADDRESS SIZE CONNECTIONS: as many requests as there can be within the time; a line:
# requests, seconds, p50, p99 and p99.9 in ms, failures.
run_wrk() {
    local threads=$(($4 < 3 ? $4 : 3))
    BODY=$3 taskset -c "$1" wrk --threads "$threads" --connections "$4" --duration "${DURATION}s" \
        --timeout 60s --script scripts/service/token.lua "http://$2/token" | sed -n 's/^result //p'
}

# run_counted CORES ADDRESS SIZE CONNECTIONS: the same of a number of requests. Where each takes
# seconds, those that the end of a time would cut are many, and of a fair server the most.
run_counted() {
    local each=$(($4 < 256 ? 256 / $4 : 1)) counted name
    counted=$(run_load "$1" tokens "$2" -body "$3" -connections "$4" -requests "$each" -seconds 600)
    for name in 200.count seconds 200.p50 200.p99 200.p99.9; do printf '%s ' "$(figure "$name" "$counted")"; done
    calculate "$each * $4 - $(figure 200.count "$counted") + $(figure wrong "$counted")"
}

# column N FILE: the median of a column.
column() { cut -d ' ' -f "$1" "$2" | median; }

ratio() { calculate "$(column "$1" "$directory/ours") / $(column "$1" "$directory/theirs")"; }

print_result() {
    local latency memory
    latency="p50 $(column 3 "$2") p99 $(column 4 "$2") p99.9 $(column 5 "$2") ms"
    memory="$(head -n 1 "$2" | cut -d ' ' -f 7) MiB before, $(column 8 "$2") at the most, $(column 9 "$2") after"
    print_plain "$1" "$(column 1 "$2")" \
        "a second; $(column 2 "$2") for one of computing; $latency; failed $(column 6 "$2"); $memory"
}
