# Many large bodies at once.

measure_large() {
    measure_bodies current-thread 0 --threads 1
    measure_bodies two-threads 0,1 --threads 2
}

# measure_bodies NAME CORES OPTION…
measure_bodies() {
    local name="service/64x${GIB}GiB/$1" cores=$2 alone with bodies
    shift 2
    start_framesign "$cores" --max-body unlimited "$@"
    alone=$(health_client 5)
    run_load 2 tokens "$address" -body $((GIB * 1024 ** 3)) -connections 64 -requests 1 -seconds 1 >"$directory/bodies" &
    local sender=$!
    # The load hashes a body itself before it starts.
    until [ "$(calculate "$(cpu "$server") > 1")" = 1 ]; do
        kill -0 "$sender"
        sleep 0.5
    done
    with=$(health_client 10)
    wait "$sender"
    bodies=$(<"$directory/bodies")
    print_figure "$name/memory" "$(peak "$server")" 64 "MiB at the most"
    print_least "$name/right" "$(calculate "$(figure 200.count "$bodies") - $(figure wrong "$bodies")")" 64 \
        "of 64 answers, the last after $(figure 200.p100 "$bodies") ms, $(cpu "$server") s of computing"
    print_figure "$name/health" "$(figure 200.p99 "$with")" 100 \
        "ms p99 of GET /health, p50 $(figure 200.p50 "$with"), most $(figure 200.p100 "$with"); alone p99 $(figure 200.p99 "$alone")"
    print_figure "$name/health/failed" "$(calculate "$(figure failed "$with") + $(figure wrong "$with")")" 0 \
        "of $(figure 200.count "$with")"
    stop "$server"
}

health_client() { run_load 3 health "$address" -connections 4 -rate 100 -seconds "$1"; }
