# Clients that send a byte at a time.

# Time-outs short enough to be seen.
measure_slow() {
    start_framesign 0,1 --threads 2 --head-timeout 5 --idle-timeout 5 --max-requests 2000
    local before after alone
    before=$(resident "$server")
    alone=$(normal_client)
    for kind in head body; do
        run_load 2 slow "$address" -kind "$kind" -connections 1000 -pause 100 -seconds 17 >"$directory/slow" &
        local slow=$!
        sleep 2
        with=$(normal_client)
        after=$(resident "$server")
        wait "$slow"
        print_slow "$kind"
    done
    stop "$server"
}

# Each request on a connection of its own, so that getting one counts.
normal_client() { run_load 3 tokens "$address" -connections 8 -rate 500 -fresh -seconds 12; }

print_slow() {
    local slow
    slow=$(<"$directory/slow")
    print_figure "service/slow-$1/p99" "$(calculate "$(figure 200.p99 "$with") / $(figure 200.p99 "$alone")")" 2 \
        "$(figure 200.p99 "$with") ms / $(figure 200.p99 "$alone") ms; p99.9 $(figure 200.p99.9 "$with") / $(figure 200.p99.9 "$alone")"
    print_figure "service/slow-$1/failed" "$(calculate "$(figure failed "$with") + $(figure wrong "$with")")" 0 \
        "of $(figure 200.count "$with") normal requests"
    print_figure "service/slow-$1/memory" "$(calculate "($after - $before) * 1024 / 1000")" 32 "KiB for each of 1,000"
    print_least "service/slow-$1/cut" "$(figure cut.count "$slow")" 1000 \
        "by the service, after $(figure cut.p50 "$slow") to $(figure cut.p100 "$slow") ms; $(figure 408.count "$slow") by 408"
}
