# Sourced by forward.sh and survive.sh after workspace.sh: two network namespaces, a server and a
# client between them, and programs at both sides. All of it ends with the script.
[ "$(id -u)" = 0 ] || { echo "needs root for network namespaces" >&2; exit 77; }
here=$PWD/Benchmarks
testbed=$(readlink -f "${TESTBED:-../shared/testbed}/testbed" 2>/dev/null || true)
links=none
a() { ip netns exec "$client" "$@"; }
b() { ip netns exec "$server" "$@"; }

# ---- network ----

remove_network() {
    case $links in
    plain) ip netns delete "$client" 2>/dev/null || true; ip netns delete "$server" 2>/dev/null || true ;;
    emulated) "$testbed" down > /dev/null 2>&1 || true ;;
    esac
    links=none
}
at_exit() { stop_all; remove_network; }
trap 'at_exit; finish' EXIT

# plain_network: two links, without limits or with RATE (20mbit) each.
plain_network() {
    remove_network
    links=plain
    client=pwf$$-a server=pwf$$-b
    ip netns add "$client"; ip netns add "$server"
    ip -n "$client" link set lo up; ip -n "$server" link set lo up
    for n in 1 2; do
        ip -n "$client" link add "p$n" type veth peer name "p$n" netns "$server"
        ip -n "$client" addr add "10.66.$n.1/24" dev "p$n"
        ip -n "$server" addr add "10.66.$n.2/24" dev "p$n"
        ip -n "$client" link set "p$n" up; ip -n "$server" link set "p$n" up
        [ -n "${RATE:-}" ] || continue
        for side in "$client" "$server"; do
            ip netns exec "$side" tc qdisc add dev "p$n" root tbf rate "$RATE" burst 32kb latency 60ms
        done
    done
    addresses=(10.66.1.2 10.66.2.2)
}

# network [SCENARIO]: emulated links, or plain ones.
network() {
    if [ -z "${1:-}" ] || [ ! -x "$testbed" ]; then plain_network; return; fi
    remove_network
    links=emulated
    export TESTBED_ID=${TESTBED_ID:-9}
    "$testbed" down > /dev/null 2>&1 || true
    "$testbed" up "$1" 1 > /dev/null
    mapfile -t addresses < <("$testbed" addr | awk '$1 ~ /^p[0-9]+$/ { print $3 }')
    client=tb$TESTBED_ID-a server=tb$TESTBED_ID-b
    # The kernel's own IPv6 packets (router solicitations, multicast reports) would count as ours.
    for side in "$client" "$server"; do
        ip netns exec "$side" sysctl -q net.ipv6.conf.all.disable_ipv6=1
    done
}

# ---- processes ----

running=()
stop_all() {
    for process in "${running[@]:-}"; do
        [ -n "$process" ] && kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || true
    done
    running=()
}
# run NAME a|b COMMAND...: in the background at one side; its output goes to $work/NAME.log. The
# process that the shell knows becomes the command itself, so that it can be ended.
run() {
    local name=$1 side=$client
    [ "$2" = b ] && side=$server
    shift 2
    ip netns exec "$side" "$@" > "$work/$name.log" 2>&1 &
    running+=($!)
    eval "${name}_pid=$!"
}
stop_one() { local pid="${1}_pid"; kill "${!pid}"; wait "${!pid}" 2>/dev/null || true; }
# await SECONDS COMMAND...: until the command succeeds.
await() {
    local tries=$(($1 * 20))
    shift
    for _ in $(seq "$tries"); do "$@" > /dev/null 2>&1 && return; sleep 0.05; done
    echo "forward.sh: gave up waiting for: $*" >&2
    tail -n 5 "$work"/*.log >&2
    return 1
}
logged() { grep -q "$2" "$work/$1.log"; }
has() {
    for program in "$@"; do
        command -v "$program" > /dev/null && continue
        echo "skipped: $program is not installed"
        return 1
    done
}
same() { [ "$1" = "$2" ] && echo same || echo DIFFERENT; }
sum() { sha256sum "$1" | cut -d' ' -f1; }

# serve [OPTIONS]: the server, and the client's profile.
serve() {
    rm -rf "$work/server.d" "$work/client.d"
    local listen=() public=()
    for address in "${addresses[@]}"; do
        listen+=(--listen "$address:7000"); public+=(--public "$address:7000")
    done
    serve_command=(b "$PATHWISE" serve --state "$work/server.d" "${listen[@]}" "${public[@]}" "$@")
    run serve "${serve_command[@]}"
    await 10 logged serve "pathwise join"
    a "$PATHWISE" join "$(sed -n 's/^ *pathwise join //p' "$work/serve.log" | tail -n 1)" \
        --state "$work/client.d" --name server > "$work/join.log" 2>&1
}
# forward ARGUMENTS: starts the client and waits until it is connected.
forward() {
    run forward a "$PATHWISE" forward --state "$work/client.d" "$@"
    await 10 logged forward "connected over"
}

memory() { awk '/VmRSS/ { print $2 }' "/proc/$1/status"; }
descriptors() { ls "/proc/$1/fd" | wc -l; }

# An echo at the server, forwarded to tcp 7778 and udp 7779 of the client.
forward_echo() {
    plain_network; serve
    run echo b python3 "$here/echo.py" serve 127.0.0.1:7777
    forward tcp:7778=127.0.0.1:7777 udp:7779=127.0.0.1:7777
}
