# More than it can take: what is accepted is answered in time and right, the rest is shed.

# Bodies that take a core much longer than to refuse one does, and few of them at a time, so that
# each is done soon: what waits in the service makes those before it late.
measure_overload() {
    local size=$((1024 * 1024)) accepted=4
    start_framesign 0,1 --threads 2 --max-requests "$accepted"
    local full capacity unloaded seconds overloaded early late
    full=$(run_load 2-3 tokens "$address" -body "$size" -connections "$accepted" -seconds "$DURATION")
    capacity=$(calculate "$(figure 200.count "$full") / $(figure seconds "$full")")
    unloaded=$(run_load 2-3 tokens "$address" -body "$size" -connections "$accepted" \
        -rate "$(calculate "$capacity / 10")" -seconds "$((2 * DURATION))")

    seconds=$((MINUTES * 60))
    run_load 2-3 tokens "$address" -body "$size" -connections 500 -rate "$(calculate "$capacity * 2")" \
        -seconds "$seconds" >"$directory/overloaded" &
    local loader=$!
    sleep $((seconds / 6))
    early=$(resident "$server")
    sleep $((seconds * 4 / 6))
    late=$(resident "$server")
    wait "$loader"
    overloaded=$(<"$directory/overloaded")
    print_overload
    stop "$server"
}

print_overload() {
    local name=service/overload count
    count=$(calculate "$(figure 200.count "$overloaded") / $(figure seconds "$overloaded")")
    print_figure "$name/p99" "$(calculate "$(figure 200.p99 "$overloaded") / $(figure 200.p99 "$unloaded")")" 5 \
        "$(figure 200.p99 "$overloaded") ms / $(figure 200.p99 "$unloaded") ms at a tenth; at full $(figure 200.p99 "$full")"
    print_least "$name/accepted" "$(calculate "$count / $capacity")" 0.8 "$count a second / $capacity"
    print_plain "$name/shed" "$(figure 503.count "$overloaded")" \
        "answers 503; p99 $(figure 503.p99 "$overloaded") ms; held back $(figure held-back "$overloaded")"
    print_figure "$name/wrong" "$(figure wrong "$overloaded")" 0 "of $(figure 200.count "$overloaded") tokens"
    print_figure "$name/failed" "$(figure failed "$overloaded")" 0 "without an answer"
    print_figure "$name/memory" "$(calculate "$late / $early")" 1.1 "$late MiB / $early MiB; peak $(peak "$server")"
}
