#!/bin/bash
# Makes models/default.safetensors and the traces of datasets/. It records traces with the real
# sender over emulated links, on loopback and without privileges, and trains from them, in about
# two minutes.
#
#   models/make.sh [FOLDER]     where the traces go; a temporary folder without it
#
# PATHWISE names another binary. Recordings depend on the machine's timing, so a second run makes a
# similar but not identical model. The same traces give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/workspace.sh models
traces=${1:-$work}
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

# record NAME SEED LINK LINK: records 16 s of paced stream, then 8 MB at once, with paths drawn at
# random.
record() {
    local name=$1 seed=$2 receiver emulator port paths=() link
    shift 2
    rm -f "$traces/$name.trace" "$traces/$name-bulk.trace"
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
    head -c 8000000 /dev/zero > "$work/bulk"
    "$PATHWISE" send "$work/bulk" "${sender[@]}" --record "$traces/$name-bulk.trace" 2>&1 | tail -1
    kill "$emulator" "$receiver" 2>/dev/null || true
    wait "$emulator" "$receiver" 2>/dev/null || true
}

record home 1 name=dsl,rate=16,rtt=24 name=lte,rate=30,rtt=50,jitter=4
record wifi 2 name=wifi,rate=40,rtt=12,ge=0.01:0.4 name=cable,rate=25,rtt=22
record bloated 3 name=dsl,rate=7,rtt=20,queue=300000b name=5g,rate=60,rtt=36
record uneven 4 name=sat,rate=30,fdelay=45,rdelay=8 name=dsl,rate=20,fdelay=18,rdelay=30
record outages 5 name=cable,rate=20,rtt=18,down=5-6/6 name=lte,rate=20,rtt=45
record changing 6 name=lte,rate=30,rate@5=5,rate@10=30,rtt=40 name=dsl,rate=12,rtt=30

"$PATHWISE" train "$traces"/*.trace --output models/default.safetensors
cp "$traces/home.trace" "$traces/wifi.trace" datasets/
