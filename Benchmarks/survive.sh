#!/bin/bash
# What a session of `pathwise forward` survives, between two network namespaces that this script makes
# and removes. Prints figures without judging them. Needs root and python3.
#
#   Benchmarks/survive.sh                   run all
#   Benchmarks/survive.sh restart           the server killed and started again
#   Benchmarks/survive.sh hold [SECONDS]    no path at all for 10 minutes: TCP and UDP go on
#   Benchmarks/survive.sh addresses         every address of the client replaced, one link after the other and at once
#   Benchmarks/survive.sh websocket         held for 5 minutes through 30 s of outage
#   Benchmarks/survive.sh status [SCENARIO] counters of `status --json` against those of the emulated links
#   Benchmarks/survive.sh soak              10 minutes of random faults (SOAK=SECONDS, RATE=20mbit for each link)
#
# PATHWISE names another binary. status needs the emulated links of ../shared/testbed, and the faults of
# soak include loss and black holes if nft is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/workspace.sh survive
. Benchmarks/networks.sh

measure_restart() {
    has python3 || return 0
    forward_echo
    sleep 0.5
    a python3 "$here/echo.py" time udp 127.0.0.1:7779
    kill -9 "$serve_pid"
    wait "$serve_pid" 2>/dev/null || true
    sleep 1
    local start; start=$(date +%s.%N)
    run serve "${serve_command[@]}"
    await 60 a python3 "$here/echo.py" time udp 127.0.0.1:7779
    echo "server killed and started again: UDP flow answers" \
        "$(awk -v s="$start" -v e="$(date +%s.%N)" 'BEGIN { printf "%.1f", e - s }') s after the start;" \
        "TCP: $(a python3 "$here/echo.py" time tcp 127.0.0.1:7778)"
    stop_all
}

# both_links up|down
both_links() { for n in 1 2; do ip -n "$client" link set "p$n" "$1"; done; }

measure_hold() {
    has python3 || return 0
    local seconds=${1:-600}
    forward_echo
    sleep 0.5
    run held a python3 "$here/soak.py" 127.0.0.1:7778 127.0.0.1:7779 "$((seconds + 20))" 20
    sleep 5
    both_links down
    sleep "$seconds"
    both_links up
    wait "$held_pid" || true
    echo "no path for $seconds s: $(cat "$work/held.log")"
    stop_all
}

# replace_address LINK HOST: removes all addresses of a client's link, then gives it another.
replace_address() {
    ip -n "$client" addr flush dev "p$1"
    sleep "${3:-0}"
    ip -n "$client" addr add "10.66.$1.$2/24" dev "p$1"
}

measure_addresses() {
    has python3 || return 0
    forward_echo
    sleep 0.5
    run moved a python3 "$here/soak.py" 127.0.0.1:7778 127.0.0.1:7779 25 20
    sleep 3
    replace_address 1 11; sleep 4; replace_address 2 12
    sleep 4
    # Both at once: for two seconds there is no address at all.
    ip -n "$client" addr flush dev p1; ip -n "$client" addr flush dev p2
    sleep 2
    replace_address 1 21; replace_address 2 22
    wait "$moved_pid" || true
    echo "every address replaced: $(cat "$work/moved.log")"
    stop_all
}

measure_websocket() {
    has python3 || return 0
    plain_network; serve
    run websocket b python3 "$here/websocket.py" serve 127.0.0.1:8765
    forward tcp:8765
    sleep 0.5
    (sleep 60; for n in 1 2; do ip -n "$client" link set "p$n" down; done
     sleep 30; for n in 1 2; do ip -n "$client" link set "p$n" up; done) &
    running+=($!)
    a python3 "$here/websocket.py" hold 127.0.0.1:8765 "${SECONDS_HELD:-300}"
    stop_all
}

# The counters of both sides' status against those of the emulated links, which count IP packets.
compare_status() {
    python3 - "$@" <<'PY'
import json, sys
near = json.load(open(sys.argv[1])); far = json.load(open(sys.argv[2]))
links = [json.loads(line) for line in open(sys.argv[3])]
def paths(status):
    # A path that does not exist now has no address.
    return [p for process in status["processes"] for s in process["sessions"] for p in s["paths"] if p["remote"]]
def number(path):  # the link of a path, by its address 10.x.N.y
    return "p" + path["remote"].split(".")[2]
worst = {}
for side, way, status in (("client", "A>B", near), ("server", "B>A", far)):
    other = far if side == "client" else near
    for path in paths(status):
        link = next(l for l in links if l["path"] == number(path) and l["dir"] == way)
        peer = next(p for p in paths(other) if number(p) == number(path))
        dropped = link["drop_queue"] + link["drop_loss"] + link["drop_outage"]
        rows = [("packets sent", path["packets_sent"], link["in_packets"]),
                ("bytes sent", path["bytes_sent"], link["in_bytes"]),
                ("packets received", peer["packets_received"], link["out_packets"]),
                ("bytes received", peer["bytes_received"], link["out_bytes"]),
                ("packets lost", path["packets_lost"], dropped)]
        for name, ours, truth in rows:
            off = abs(ours - truth) / max(1, truth)
            print(f"{link['path']} {way} {name}: status {ours}, link {truth}, {100 * off:.2f} % apart")
PY
}

measure_status() {
    has python3 || return 0
    [ -x "$testbed" ] || { echo "skipped: no emulated links in ../shared/testbed"; return 0; }
    network "${1:-S3}"
    serve
    run echo b python3 "$here/echo.py" serve 127.0.0.1:7777
    "$testbed" zero
    forward tcp:7778=127.0.0.1:7777 udp:7779=127.0.0.1:7777
    sleep 0.5
    # Bulk and datagrams, both ways.
    run both a python3 "$here/soak.py" 127.0.0.1:7778 127.0.0.1:7779 20 5
    wait "$both_pid" || true
    sleep 2
    a "$PATHWISE" status --json --state "$work/client.d" forward > "$work/near.json"
    b "$PATHWISE" status --json --state "$work/server.d" serve > "$work/far.json"
    "$testbed" stats > "$work/links.json"
    echo "status of ${1:-S3} after: $(cat "$work/both.log")"
    compare_status "$work/near.json" "$work/far.json" "$work/links.json"
    stop_all
}

# drop a|b EXPRESSION...: that side drops what arrives and matches, for a while.
drop() {
    "$1" nft -f - <<RULES
table inet soak {
 chain arriving {
  type filter hook input priority 0;
  ${*:3} drop
 }
}
RULES
    sleep "$2"
    "$1" nft delete table inet soak
}

# One random fault: a link down, both down, another address, a process stopped, loss, a black hole.
fault() {
    local n=$((RANDOM % 2 + 1)) long=$((RANDOM % 8 + 2)) kinds=5
    command -v nft > /dev/null && kinds=7
    case $((RANDOM % kinds)) in
    0) ip -n "$client" link set "p$n" down; sleep "$long"; ip -n "$client" link set "p$n" up ;;
    1) both_links down; sleep "$long"; both_links up ;;
    2) host=$((host % 200 + 3)); replace_address "$n" "$host" ;;
    3) kill -STOP "$forward_pid"; sleep "$long"; kill -CONT "$forward_pid" ;;
    4) kill -STOP "$serve_pid"; sleep "$long"; kill -CONT "$serve_pid" ;;
    5) drop b "$long" udp dport 7000 iifname "p$n" numgen random mod 100 "<" 10 ;;
    6) drop a "$long" udp sport 7000 iifname "p$n" ;;
    esac
}

# Seconds from now, and the resident memory of both sides, about each second as long as they run.
watch_memory() {
    local start=$SECONDS
    while [ -d "/proc/$1" ] && [ -d "/proc/$2" ]; do
        echo "$(memory "$1") $(memory "$2") $((SECONDS - start))"
        sleep 1
    done
}

# median FILE COLUMN FIRST LAST: of the lines whose third column is from FIRST to LAST.
median() { awk -v c="$2" -v first="$3" -v last="$4" '$3 >= first && $3 <= last { print $c }' "$1" | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

measure_soak() {
    has python3 || return 0
    local seconds=${SOAK:-600} host=2 start=$SECONDS faults=0 fds_a fds_b early late
    RANDOM=13
    forward_echo
    sleep 1
    run soak a python3 "$here/soak.py" 127.0.0.1:7778 127.0.0.1:7779 "$seconds"
    watch_memory "$forward_pid" "$serve_pid" > "$work/memory" &
    running+=($!)
    start=$SECONDS
    while [ $((SECONDS - start)) -lt $((seconds - 15)) ]; do
        sleep $((RANDOM % 8 + 2))
        fault
        faults=$((faults + 1))
    done
    fds_a=$(descriptors "$forward_pid"); fds_b=$(descriptors "$serve_pid")
    wait "$soak_pid" || true
    # Buffers are full during faults, so each figure is the median of half a minute.
    early=$((seconds / 5)); late=$((seconds - 35))
    echo "soak of $seconds s, $faults faults: $(cat "$work/soak.log");" \
        "resident memory after a fifth and at the end:" \
        "client $(median "$work/memory" 1 "$early" $((early + 30))) and $(median "$work/memory" 1 "$late" $((late + 30))) kB," \
        "server $(median "$work/memory" 2 "$early" $((early + 30))) and $(median "$work/memory" 2 "$late" $((late + 30))) kB;" \
        "descriptors during and after: client $fds_a and $(sleep 3; descriptors "$forward_pid"), server $fds_b and $(descriptors "$serve_pid");" \
        "at rest, a minute later: client $(sleep 60; memory "$forward_pid") kB, server $(memory "$serve_pid") kB"
    stop_all
}

what=${1:-all}
case $what in
all) for one in restart hold addresses websocket status soak; do "measure_$one"; done ;;
restart | hold | addresses | websocket | status | soak) "measure_$what" "${2:-}" ;;
*) sed -n '2,16p' "$0"; exit 64 ;;
esac
