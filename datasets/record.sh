#!/bin/bash
# Records the traces of this folder again, with the real sender over emulated links, on loopback and
# without privileges, in about a minute.
#
#   datasets/record.sh [FOLDER]     where the traces go; this folder without it
#
# PATHWISE names another binary. Recordings depend on the machine's timing, so a second run makes
# similar but not identical traces.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/workspace.sh datasets
traces=${1:-datasets}
mkdir -p "$traces"

# Sends 12 kB every 20 ms, 4.8 Mbit/s: every path has room for such a burst, so each decision is a
# choice.
pace() {
    local step
    for ((step = 0; step < $1 * 50; step++)); do
        head -c 12000 /dev/zero
        sleep 0.018
    done
}

# Prints the n-th matching line; waits up to 5 s for it.
line() {
    local try
    for ((try = 0; try < 100; try++)); do
        if [ "$(grep -c -- "$2" "$1" 2>/dev/null)" -ge "$3" ]; then
            grep -- "$2" "$1" | sed -n "$3p"
            return
        fi
        sleep 0.05
    done
    echo "nothing like '$2' in $1" >&2
    exit 1
}

# record NAME SEED LINK LINK: records 16 s of paced stream, with paths drawn at random.
record() {
    local name=$1 seed=$2 receiver emulator port paths=() link
    shift 2
    rm -f "$traces/$name.trace"
    "$PATHWISE" receive --listen 127.0.0.1:0 --key "$work/server.key" \
        --allow "$work/client.pub" --output - > /dev/null 2> "$work/receive.txt" &
    receiver=$!
    started+=("$receiver")
    port=$(line "$work/receive.txt" "^listening on" 1 | sed 's/.*://')
    local links=()
    for link in "$@"; do links+=(--link "$link"); done
    "$PATHWISE" emulate --to "127.0.0.1:$port" "${links[@]}" --seed "$seed" --seconds 60 \
        > "$work/emulate.txt" 2>&1 &
    emulator=$!
    started+=("$emulator")
    for ((link = 1; link <= $#; link++)); do
        paths+=(--path "$(line "$work/emulate.txt" "--path" "$link" | sed "s/.*--path *//" | tr -d "'")")
    done
    local sender=(--to "127.0.0.1:$port" --key "$work/client.key" --peer "$work/server.pub"
        --policy weighted --seed "$seed" "${paths[@]}")
    pace 16 | "$PATHWISE" send - "${sender[@]}" --record "$traces/$name.trace" 2>&1 | tail -1
    kill "$emulator" "$receiver" 2>/dev/null || true
    wait "$emulator" "$receiver" 2>/dev/null || true
}

record home 1 name=dsl,rate=16,rtt=24 name=lte,rate=30,rtt=50,jitter=4
record wifi 2 name=wifi,rate=40,rtt=12,ge=0.01:0.4 name=cable,rate=25,rtt=22
