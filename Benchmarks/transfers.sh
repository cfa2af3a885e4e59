#!/bin/bash
# Measures transfers between two processes on this machine: `send` and `receive` over loopback,
# directly or through `pathwise emulate`. Prints figures without judging them; needs no privileges.
#
#   Benchmarks/transfers.sh                 run all
#   Benchmarks/transfers.sh file            1 GB file, two paths, learned policy: SHA-256, memory
#   Benchmarks/transfers.sh bulk            a 4 GB file to /dev/null, two paths: Gbit/s
#   Benchmarks/transfers.sh emulated        20 MB over two paths of 20 Mbit/s, 20 ms RTT, five times
#   Benchmarks/transfers.sh blackhole       each of two paths in turn down for 5 s
#   Benchmarks/transfers.sh outage          both paths down for 3 s
#   Benchmarks/transfers.sh flood           a transfer during 10,000 handshakes/s with unknown keys
#   Benchmarks/transfers.sh small           a folder of 100,000 files of 1 kB: files/s, memory; with
#                                           and without waiting for the disk, in both orders
#   Benchmarks/transfers.sh clients         200 senders of one file each at the same moment
#   Benchmarks/transfers.sh resume          each side killed half-way; bytes of the second run
#
# PATHWISE names another binary, POLICY another policy, REPEATS another number of repeats, FILES
# another number of small files, CLIENTS another number of senders; TMPDIR names another folder for
# the files, for example /dev/shm, which uses no disk.
set -euo pipefail
cd "$(dirname "$0")/.."
POLICY=${POLICY:-learned}
. Benchmarks/workspace.sh transfers

# Prints the largest resident memory of a process, MB, sampled while it runs.
watch_memory() {
    local peak=0 now
    while now=$(awk '/VmHWM/ { print $2 }' "/proc/$1/status" 2>/dev/null) && [ -n "$now" ]; do
        peak=$now
        sleep 0.05
    done
    echo $((peak / 1024)) > "$2"
}

# Starts a receiver for one client; RECEIVER is its process id, PORTS its addresses.
receive() {
    # Removes the output of the receiver before, which would be mistaken for this one's.
    rm -f "$work/receive.err"
    "$PATHWISE" receive --listen 127.0.0.1:0 --listen 127.0.0.1:0 --key "$work/server.key" \
        --allow "$work/client.pub" --once --json "$@" > "$work/received.json" 2> "$work/receive.err" &
    RECEIVER=$!
    listening
}

# The same, but discards what arrives.
receive_nowhere() {
    rm -f "$work/receive.err"
    "$PATHWISE" receive --listen 127.0.0.1:0 --listen 127.0.0.1:0 --key "$work/server.key" \
        --allow "$work/client.pub" --once --output - > /dev/null 2> "$work/receive.err" &
    RECEIVER=$!
    listening
}

# Waits until the receiver listens.
listening() {
    started+=("$RECEIVER")
    for _ in $(seq 100); do
        [ "$(grep -sc '^listening' "$work/receive.err")" = 2 ] && break
        sleep 0.05
    done
    mapfile -t PORTS < <(sed -n 's/^listening on //p' "$work/receive.err")
}

# Sends and waits for both sides; further arguments go to `send`.
send() {
    "$PATHWISE" send "$@" --key "$work/client.key" --peer "$work/server.pub" \
        --policy "$POLICY" --json > "$work/sent.json" &
    local sender=$!
    watch_memory "$sender" "$work/sender.mb" & local one=$!
    watch_memory "$RECEIVER" "$work/receiver.mb" & local two=$!
    wait "$sender"
    wait "$RECEIVER" || true
    wait "$one" "$two"
}

# Prints the first number of that name in a JSON file.
value() { sed -n "s/.*\"$2\": *\([-0-9.e+]*\).*/\1/p" "$1" | head -n 1; }
rate() { awk -v r="$(value "$work/sent.json" goodput_bits_per_second)" -v u="$1" 'BEGIN { printf "%.2f", r / u }'; }
median() { sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

measure_file() {
    head -c 1000000000 /dev/urandom > "$work/file"
    receive --output "$work/arrived"
    send "$work/file" --to "${PORTS[0]}" --to "${PORTS[1]}"
    local same=different
    cmp -s "$work/file" "$work/arrived" && same=same
    echo "1 GB file, two paths on loopback: $(rate 1e9) Gbit/s with writing and SHA-256, bytes $same," \
        "resident memory: sender $(cat "$work/sender.mb") MB, receiver $(cat "$work/receiver.mb") MB"
    rm -f "$work/file" "$work/arrived"
}

measure_bulk() {
    # The file is written and read once: a sparse file would measure how fast the kernel clears
    # pages.
    head -c 4000000000 /dev/zero > "$work/bulk"
    cat "$work/bulk" > /dev/null
    for _ in $(seq "${REPEATS:-3}"); do
        receive_nowhere
        send "$work/bulk" --to "${PORTS[0]}" --to "${PORTS[1]}"
        rate 1e9 >> "$work/rates"
        echo >> "$work/rates"
    done
    rm -f "$work/bulk"
    echo "4 GB on loopback, AES-128-GCM, both sides hash: median $(median < "$work/rates") Gbit/s" \
        "of $(tr '\n' ' ' < "$work/rates")"
}

# emulated LABEL LINK LINK FILE: makes one transfer through two emulated links.
through_links() {
    receive --output "$work/arrived"
    local port=$((20000 + RANDOM % 20000))
    "$PATHWISE" emulate --link "$1" --link "$2" --to "${PORTS[0]}" --listen "127.0.0.1:$port" \
        --seconds 120s > "$work/emulate.out" 2>&1 &
    local emulator=$!
    started+=("$emulator")
    sleep 0.3
    send "$3" --path "one=127.0.0.1>127.0.0.1:$port" --path "two=127.0.0.1>127.0.0.1:$((port + 1))" \
        --to "127.0.0.1:$port"
    kill "$emulator"
    wait "$emulator" 2>/dev/null || true
    SAME=different
    cmp -s "$3" "$work/arrived" && SAME=same
    rm -f "$work/arrived"
}

measure_emulated() {
    head -c 20000000 /dev/urandom > "$work/file"
    local link=rate=20,rtt=20,queue=150000b
    for _ in $(seq "${REPEATS:-5}"); do
        through_links $link $link "$work/file"
        rate 1e6 >> "$work/emulated"
        echo >> "$work/emulated"
    done
    echo "20 MB over two emulated paths of 20 Mbit/s: median $(median < "$work/emulated") Mbit/s" \
        "of $(tr '\n' ' ' < "$work/emulated")(bytes $SAME)"
}

# Prints the changes of the paths after the first second.
changes() {
    awk -F'[:,]' '/"after_seconds"/ { t = $2 } /"from"/ { from = $2 } /"to"/ { to = $2 }
        /"cause"/ { if (t > 1 && !seen[t]++) printf "%.2f s%s ->%s; ", t, from, to }' \
        "$work/sent.json" | tr -d '"'
}

measure_blackhole() {
    head -c 60000000 /dev/urandom > "$work/file"
    local steady=rate=20,rtt=20,queue=150000b
    for down in first second; do
        local one=$steady two=$steady
        [ $down = first ] && one=$steady,down=4-9 || two=$steady,down=4-9
        through_links $one $two "$work/file"
        echo "$down path down from 4 to 9 s: bytes $SAME, $(rate 1e6) Mbit/s," \
            "longest gap $(printf %.0f "$(value "$work/received.json" longest_gap_ms)") ms;" \
            "$(changes)"
    done
}

measure_outage() {
    head -c 30000000 /dev/urandom > "$work/file"
    local link=rate=20,rtt=20,queue=150000b,down=3-6
    through_links $link $link "$work/file"
    echo "both paths down from 3 to 6 s: bytes $SAME," \
        "longest gap $(printf %.0f "$(value "$work/received.json" longest_gap_ms)") ms"
}

# Transfers 1 GB over two paths limited to LIMIT each, alone or during the flood.
flooded() {
    receive_nowhere
    if [ "$2" = flood ]; then
        [ -p "$work/go" ] || mkfifo "$work/go"
        exec 9<> "$work/go"
        Benchmarks/.build/release/HandshakeFlood "${PORTS[0]}" "$(cat "$work/server.pub")" 10000 60 \
            < "$work/go" > "$work/flood.out" &
        FLOOD=$!
        started+=("$FLOOD")
        until grep -qs ready "$work/flood.out"; do sleep 0.1; done
        # The transfer is established before the flood begins.
        { sleep 0.5; echo go >&9; } &
    fi
    send "$work/bulk" --path "one=127.0.0.1>${PORTS[0]}$1" --path "two=127.0.0.1>${PORTS[1]}$1" \
        --to "${PORTS[0]}"
    if [ "$2" = flood ]; then kill "$FLOOD"; wait "$FLOOD" 2>/dev/null || true; fi
}

measure_flood() {
    make -s -C Benchmarks flood > "$work/build.out" || { cat "$work/build.out" >&2; exit 1; }
    head -c 1000000000 /dev/zero > "$work/bulk"
    for limit in ",limit=500mbit" ""; do
        rm -f "$work/alone" "$work/flooded"
        for _ in $(seq "${REPEATS:-3}"); do
            flooded "$limit" alone
            rate 1e9 >> "$work/alone"; echo >> "$work/alone"
            flooded "$limit" flood
            rate 1e9 >> "$work/flooded"; echo >> "$work/flooded"
        done
        echo "the flood: $(tail -n 1 "$work/flood.out")"
        awk -v a="$(median < "$work/alone")" -v f="$(median < "$work/flooded")" \
            -v l="${limit:-no limit}" 'BEGIN {
            printf "10,000 handshakes/s of unknown keys, 1 GB (%s a path): %s Gbit/s alone, ", l, a
            printf "%s under the flood: %.1f %% of the rate lost\n", f, 100 * (1 - f / a) }'
    done
    rm -f "$work/bulk"
}

measure_small() {
    local files=${FILES:-100000} arrived
    python3 - "$work/small" "$files" <<'PY'
import os
import sys

root, count = sys.argv[1], int(sys.argv[2])
block = os.urandom(1024)
for number in range(count):
    if number % 1000 == 0:
        folder = f"{root}/{number // 1000:04d}"
        os.makedirs(folder)
    with open(f"{folder}/{number:06d}", "wb") as file:
        file.write(number.to_bytes(8, "big") + block[8:])
PY
    # Each run has its own folder, and all are kept to the end: when ext4 without a journal creates
    # a file, it skips every inode that was freed in the last minutes (recently_deleted in
    # fs/ext4/ialloc.c), so a run after an `rm -r` would measure that.
    local run=0
    for durability in "" --no-sync --no-sync ""; do
        run=$((run + 1))
        receive --output "$work/arrived-$run/" $durability
        send "$work/small" --to "${PORTS[0]}" --to "${PORTS[1]}"
        arrived=different
        diff -rq "$work/small" "$work/arrived-$run/small" > /dev/null && arrived=same
        echo "$files files of 1 kB${durability:+, $durability}: bytes $arrived," \
            "$(awk -v n="$files" -v s="$(value "$work/sent.json" seconds)" \
                'BEGIN { printf "%.0f", n / s }') files/s," \
            "resident memory: sender $(cat "$work/sender.mb") MB," \
            "receiver $(cat "$work/receiver.mb") MB"
    done
    rm -rf "$work/small" "$work"/arrived-*
}

measure_clients() {
    local clients=${CLIENTS:-200} stored
    # Each client sends its own file, all under one name.
    for number in $(seq "$clients"); do
        mkdir -p "$work/sources/$number"
        head -c 100000 /dev/urandom > "$work/sources/$number/file"
    done
    rm -f "$work/receive.err"
    "$PATHWISE" receive --listen 127.0.0.1:0 --listen 127.0.0.1:0 --key "$work/server.key" \
        --allow "$work/client.pub" --output "$work/arrived/" > "$work/received.txt" \
        2> "$work/receive.err" &
    RECEIVER=$!
    listening
    local senders=() failed=0 before=$EPOCHREALTIME
    for number in $(seq "$clients"); do
        "$PATHWISE" send "$work/sources/$number/file" --to "${PORTS[0]}" --to "${PORTS[1]}" \
            --key "$work/client.key" --peer "$work/server.pub" --policy "$POLICY" \
            > /dev/null 2> "$work/sources/$number/said" &
        senders+=("$!")
    done
    for sender in "${senders[@]}"; do wait "$sender" || failed=$((failed + 1)); done
    local seconds
    seconds=$(awk -v a="$before" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    kill -INT "$RECEIVER"
    wait "$RECEIVER" || true
    stored=$(comm -12 <(sha256sum "$work"/sources/*/file | cut -d' ' -f1 | sort) \
        <(sha256sum "$work"/arrived/* | cut -d' ' -f1 | sort) | wc -l)
    echo "$clients clients at once: $failed failed, $stored of $clients files arrived, $seconds s"
    cat "$work"/sources/*/said | grep -v 'was stored as' | sort | uniq -c | sort -rn | head -n 3
    rm -rf "$work/arrived" "$work/sources"
}

# Prints the bytes sent on the loopback interface, by the kernel's counter.
loopback_bytes() { cat /sys/class/net/lo/statistics/tx_bytes; }

measure_resume() {
    head -c 100000000 /dev/urandom > "$work/file"
    for victim in sender receiver; do
        receive --output "$work/arrived/"
        local first_receiver=$RECEIVER before after
        before=$(loopback_bytes)
        "$PATHWISE" send "$work/file" --path "one=127.0.0.1>${PORTS[0]},limit=200mbit" \
            --to "${PORTS[0]}" --key "$work/client.key" --peer "$work/server.pub" \
            --policy "$POLICY" > /dev/null 2>&1 &
        local first_sender=$!
        started+=("$first_sender")
        sleep 2
        after=$(loopback_bytes)
        if [ "$victim" = sender ]; then kill -9 "$first_sender"; else kill -9 "$first_receiver"; fi
        wait "$first_receiver" 2>/dev/null || true
        [ "$victim" = sender ] || kill "$first_sender" 2>/dev/null || true
        wait "$first_sender" 2>/dev/null || true
        local first=$((after - before))
        receive --output "$work/arrived/"
        before=$(loopback_bytes)
        send "$work/file" --to "${PORTS[0]}" --to "${PORTS[1]}"
        after=$(loopback_bytes)
        SAME=different
        cmp -s "$work/file" "$work/arrived/file" && SAME=same
        awk -v victim="$victim" -v same="$SAME" -v first="$first" -v second=$((after - before)) \
            'BEGIN { printf "100 MB, kill -9 of the %s: bytes %s, %.1f MB on the wire before, " \
                "%.1f MB after, %.1f MB in all\n", victim, same, first / 1e6, second / 1e6, \
                (first + second) / 1e6 }'
        rm -rf "$work/arrived"
    done
    rm -f "$work/file"
}

date -u '+%F %T UTC'; uname -srm; nproc | sed 's/$/ processors/'
for what in ${1:-file bulk emulated blackhole outage flood small clients resume}; do "measure_$what"; done
