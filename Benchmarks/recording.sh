#!/bin/bash
# Measures the cost of recording for a real sender: a file over two paths on loopback, with
# --record. Prints decisions per second, the processor time of the sender's process and of the
# writer thread, and the share of the latter; `make -C Benchmarks ONLY=record` has the cost of the
# ring for the sender's own thread. Prints figures without judging them; needs no privileges.
#
#   Benchmarks/recording.sh [MB]     3000 by default
#
# PATHWISE names another binary, POLICY another policy, REPEATS another number of repeats.
set -euo pipefail
cd "$(dirname "$0")/.."
POLICY=${POLICY:-learned}
. Benchmarks/workspace.sh recording
head -c "${1:-3000}M" /dev/zero > "$work/file"

for _ in $(seq "${REPEATS:-3}"); do
    rm -f "$work/run.trace" "$work/receive.err"
    "$PATHWISE" receive --listen 127.0.0.1:0 --listen 127.0.0.1:0 --key "$work/server.key" \
        --allow "$work/client.pub" --once --output - > /dev/null 2> "$work/receive.err" &
    receiver=$!
    started=("$receiver")
    for _ in $(seq 100); do
        [ "$(grep -sc '^listening' "$work/receive.err")" = 2 ] && break
        sleep 0.05
    done
    mapfile -t ports < <(sed -n 's/^listening on //p' "$work/receive.err")
    "$PATHWISE" send "$work/file" --to "${ports[0]}" --to "${ports[1]}" \
        --path "one=127.0.0.1>${ports[0]}" --path "two=127.0.0.1>${ports[1]}" \
        --key "$work/client.key" --peer "$work/server.pub" --policy "$POLICY" \
        --record "$work/run.trace" --json > "$work/sent.json" &
    sender=$!
    writer=
    last="0 0"
    # Processor time of all threads and of the writer's, nanoseconds: the maximum seen, because the
    # time of a thread that has ended is in no file.
    while [ -d "/proc/$sender/task" ]; do
        for task in "/proc/$sender/task/"*; do
            [ -n "$writer" ] || ! grep -qs trace-writer "$task/comm" || writer=${task##*/}
        done
        now=$(cat "/proc/$sender/task/"*/schedstat 2>/dev/null \
            | awk '{ s += $1 } END { printf "%.0f", s }')
        part=$(awk '{ print $1 }' "/proc/$sender/task/$writer/schedstat" 2>/dev/null || true)
        if [ -n "$part" ] && [ "$now" -gt "${last% *}" ]; then last="$now $part"; fi
        sleep 0.1
    done
    wait "$sender"
    wait "$receiver" || true
    started=()
    "$PATHWISE" trace info "$work/run.trace" --json > "$work/info.json"
    python3 - "$work/info.json" "$last" <<'PY'
import json
import sys

info = json.load(open(sys.argv[1]))
process, writer = (float(part) * 1e-9 for part in sys.argv[2].split())
session = info["sessions"][0]
decisions, seconds = session["decisions"], session["seconds"]
print(f"{decisions} decisions in {seconds:.2f} s ({decisions / seconds:.0f}/s), sender "
      f"{process:.2f} s of processor time, trace writer {writer:.3f} s: "
      f"{100 * writer / process:.2f} % of the sender's, {1e6 * writer / decisions:.2f} us each, "
      f"{100 * writer / seconds:.2f} % of a core")
PY
done
