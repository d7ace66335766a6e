# What the scripts that measure the command share. They source this from the top of the package.

# The keys of the protocol's examples.
export FRAMESIGN_ACCESS_KEY=AKIAIOSFODNN7EXAMPLE
export FRAMESIGN_SECRET_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY

# Builds the command and sets `framesign` to its path.
build_command() {
    cargo build --quiet --release --features cli
    framesign=${CARGO_TARGET_DIR:-target}/release/framesign
}

# frame BYTES: a frame with so many bytes of payload.
frame() {
    printf 'PUT /upload HTTP/1.1\r\nHost: test.com\r\nContent-Length: %d\r\n\r\n' "$1"
    head -c "$1" /dev/zero
}

# print_figure NAME VALUE MOST NOTE: a line of the form that the benches print.
print_figure() {
    awk -v name="$1" -v value="$2" -v most="$3" -v note="$4" 'BEGIN {
        reached = value <= most ? "yes" : "no"
        printf "%-46s %7.3f  target %-7s  reached %-3s  (%s)\n", name, value, "<= " most, reached, note
    }'
}
