#!/bin/bash
# Real programs through `pathwise forward`, between two network namespaces that this script makes and
# removes. Prints figures without judging them. Needs root, and the programs that each line names
# (Debian's packages); a measurement whose program is missing is skipped by name.
#
#   Benchmarks/forward.sh                   run all
#   Benchmarks/forward.sh curl              100 MB from nginx over two paths: SHA-256    curl, nginx
#   Benchmarks/forward.sh iperf             TCP and UDP in both directions               iperf3
#   Benchmarks/forward.sh wireguard         a tunnel over udp:, MTU 1420: ping, TCP      wireguard-go, wg
#   Benchmarks/forward.sh ssh               100 MB by scp: SHA-256                       sshd, scp
#   Benchmarks/forward.sh srt [SCENARIO]    6 Mbit/s for 30 s: packets that SRT dropped  srt-live-transmit
#   Benchmarks/forward.sh dns               names through SOCKS UDP                      dig, dnsmasq
#   Benchmarks/forward.sh wrk               2,000 connections at once                    wrk, nginx
#   Benchmarks/forward.sh latency           a round trip of 1 byte, against loopback     python3
#   Benchmarks/forward.sh messages [SCENARIO] 200 messages a second: one-way delay       `make -C Benchmarks messages`
#   Benchmarks/forward.sh bulk [SCENARIO]   TCP for 15 s each way, then by send          python3
#   Benchmarks/forward.sh pages [SCENARIO]  20 kB to 5 MB on new connections, and by TCP   python3
#
# What sessions survive is measured by survive.sh. PATHWISE names another binary. srt, messages, bulk and pages use the emulated
# links of ../shared/testbed (TESTBED names another place) if it is there (SCENARIO S1 to S6), else plain links. With
# SRT_OPTIONS="deadline=120ms ordered=1s ..." srt measures forwards with these options instead, and not the single paths.
set -euo pipefail
cd "$(dirname "$0")/.."
. Benchmarks/workspace.sh forward
. Benchmarks/networks.sh

serve_folder() {
    mkdir -p "$work/www"
    cat > "$work/nginx.conf" <<CONF
worker_processes 1; pid $work/nginx.pid; error_log $work/nginx.error; daemon off;
events { worker_connections 4096; }
http { access_log off; sendfile on; keepalive_requests 1000000; client_body_temp_path $work/t1;
  proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
  server { listen 127.0.0.1:8080 backlog=4096; root $work/www; } }
CONF
    chmod 755 "$work" "$work/www"
    run nginx b nginx -c "$work/nginx.conf"
    await 10 b curl -s -o /dev/null http://127.0.0.1:8080/
}

# ---- measurements ----

measure_curl() {
    has curl nginx || return 0
    plain_network; serve; serve_folder
    head -c 100000000 /dev/urandom > "$work/www/file"
    forward tcp:8080 socks:1080 http:3128
    local want; want=$(sum "$work/www/file")
    for way in "http://127.0.0.1:8080/file" \
        "--socks5-hostname 127.0.0.1:1080 http://localhost:8080/file" \
        "--proxytunnel --proxy http://127.0.0.1:3128 http://127.0.0.1:8080/file"; do
        # shellcheck disable=SC2086
        a curl -sS -o "$work/got" -w '%{time_total}' $way > "$work/curl.time"
        echo "curl ${way%% *}: 100 MB in $(cat "$work/curl.time") s, bytes $(same "$want" "$(sum "$work/got")")"
    done
    "$PATHWISE" status --state "$work/client.d" > /dev/null 2>&1 || true
    stop_all
}

measure_iperf() {
    has iperf3 python3 || return 0
    plain_network; serve
    run iperf b iperf3 -s -B 127.0.0.1
    forward tcp:5201 udp:5201
    sleep 0.5
    for way in "" "-R" "-u -b 50M -l 1200" "-u -b 50M -l 1200 -R"; do
        # shellcheck disable=SC2086
        a iperf3 -c 127.0.0.1 -t 5 -J $way > "$work/iperf.json" || true
        python3 - "$work/iperf.json" "$way" <<'PY'
import json, sys
end = json.load(open(sys.argv[1])).get("end", {})
way = sys.argv[2] or "TCP to the server"
if "sum_received" in end and "-u" not in way:
    print(f"iperf3 {way}: {end['sum_received']['bits_per_second'] / 1e6:.0f} Mbit/s")
elif "sum" in end:
    s = end["sum"]
    print(f"iperf3 {way}: {s['bits_per_second'] / 1e6:.1f} Mbit/s, lost {s['lost_packets']} of {s['packets']}")
else:
    print(f"iperf3 {way}: no result")
PY
    done
    stop_all
}

measure_wireguard() {
    has wireguard-go wg ping iperf3 python3 || return 0
    plain_network; serve
    forward udp:51820
    # The control sockets of both name spaces are in one folder, so the names differ.
    local side other
    for side in a b; do
        (umask 077; wg genkey > "$work/wg.$side")
        wg pubkey < "$work/wg.$side" > "$work/wg.$side.pub"
        rm -f "/var/run/wireguard/pwf$side.sock"
        run "wireguard_$side" "$side" env WG_PROCESS_FOREGROUND=1 wireguard-go -f "pwf$side"
        await 10 "$side" ip link show "pwf$side"
        await 10 wg show "pwf$side"
    done
    for side in a b; do
        other=$([ $side = a ] && echo b || echo a)
        # shellcheck disable=SC2046
        "$side" wg set "pwf$side" $([ $side = b ] && echo listen-port 51820) \
            private-key "$work/wg.$side" peer "$(cat "$work/wg.$other.pub")" \
            allowed-ips 10.67.0.0/24 $([ $side = a ] && echo endpoint 127.0.0.1:51820)
        "$side" ip addr add "10.67.0.$([ $side = a ] && echo 1 || echo 2)/24" dev "pwf$side"
        "$side" ip link set "pwf$side" mtu 1420 up
    done
    await 10 a ping -c 1 -W 1 10.67.0.2
    echo "WireGuard over forward udp: $(a ping -c 50 -i 0.02 -s 1392 -M do 10.67.0.2 | tail -n 2 | tr '\n' ' ')"
    run iperf b iperf3 -s -B 10.67.0.2
    sleep 0.5
    a iperf3 -c 10.67.0.2 -t 5 -J > "$work/iperf.json" || true
    python3 -c "import json,sys; print('TCP inside WireGuard: %.0f Mbit/s' % (json.load(open(sys.argv[1]))['end']['sum_received']['bits_per_second'] / 1e6))" "$work/iperf.json"
    stop_all
}

measure_ssh() {
    has /usr/sbin/sshd scp ssh-keygen || return 0
    plain_network; serve
    ssh-keygen -q -t ed25519 -N '' -f "$work/host"; ssh-keygen -q -t ed25519 -N '' -f "$work/user"
    mkdir -p /run/sshd
    run sshd b /usr/sbin/sshd -D -e -p 2200 -h "$work/host" -o ListenAddress=127.0.0.1 \
        -o AuthorizedKeysFile="$work/user.pub" -o StrictModes=no -o PidFile=none -o UsePAM=no
    forward tcp:2200
    head -c 100000000 /dev/urandom > "$work/file"
    local start; start=$(date +%s.%N)
    await 10 a ssh-keyscan -p 2200 127.0.0.1
    start=$(date +%s.%N)
    a scp -q -P 2200 -i "$work/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR "$work/file" "root@127.0.0.1:$work/copied"
    echo "scp: 100 MB in $(awk -v s="$start" -v e="$(date +%s.%N)" 'BEGIN { printf "%.2f", e - s }') s," \
        "bytes $(same "$(sum "$work/file")" "$(sum "$work/copied")")"
    stop_all
}

# The drops of SRT at the receiver, as its statistics count them.
srt_drops() {
    python3 - "$1" <<'PY'
import json, sys
received = dropped = 0
for line in open(sys.argv[1]):
    line = line.strip().rstrip(",")
    if not line.startswith("{"): continue
    try: recv = json.loads(line).get("recv", {})
    except ValueError: continue
    received += recv.get("packets", 0); dropped += recv.get("packetsDropped", 0)
print(f"{received} packets, {dropped} dropped")
PY
}

srt_run() { # LABEL TARGET
    run srt_in b srt-live-transmit -q -s 500 -pf json -statsout "$work/srt.json" \
        "srt://$3:10080?mode=listener&latency=120" "udp://127.0.0.1:10099"
    run srt_out a srt-live-transmit -q "udp://127.0.0.1:9500?mode=listener" \
        "srt://$2?mode=caller&latency=120"
    run reap b python3 "$here/echo.py" reap 127.0.0.1:10099
    sleep 1
    a python3 "$here/echo.py" feed 127.0.0.1:9500 30
    wait "$reap_pid"
    kill "$srt_out_pid" "$srt_in_pid" 2>/dev/null || true
    wait "$srt_out_pid" "$srt_in_pid" 2>/dev/null || true
    echo "SRT 6 Mbit/s, latency 120 ms, ${links_name}, $1: $(srt_drops "$work/srt.json"), $(cat "$work/reap.log")"
    rm -f "$work/srt.json"
}

measure_srt() {
    has srt-live-transmit python3 || return 0
    for scenario in ${1:-S3 S6}; do
        network "$scenario"
        links_name=$([ $links = emulated ] && echo "$scenario" || echo "plain links")
        serve
        for options in ${SRT_OPTIONS:-ordered=400ms}; do
            forward "udp:9000=127.0.0.1:10080,$options"
            [ $links = emulated ] && "$testbed" zero
            srt_run "forward udp:9000,$options" 127.0.0.1:9000 127.0.0.1
            stop_one forward
        done
        for index in "${!addresses[@]}"; do
            [ -n "${SRT_OPTIONS:-}" ] && break
            [ $links = emulated ] && "$testbed" zero
            srt_run "path $((index + 1)) alone" "${addresses[$index]}:10080" 0.0.0.0
        done
        stop_all
    done
}

measure_dns() {
    has dig dnsmasq python3 || return 0
    plain_network; serve
    run dnsmasq b dnsmasq -k -C /dev/null -p 5353 --listen-address=127.0.0.1 --bind-interfaces \
        --no-resolv --address=/pathwise.test/192.0.2.77 --pid-file="$work/dnsmasq.pid"
    forward socks:1080 udp:5300=127.0.0.1:5353
    sleep 0.3
    echo "dig through udp: $(a dig +short +tries=1 -p 5300 @127.0.0.1 www.pathwise.test)"
    a python3 - <<'PY'
import socket, struct
# RFC 1928: no authentication, UDP ASSOCIATE; a query of RFC 1035 to 127.0.0.1:5353 at the server.
tcp = socket.create_connection(("127.0.0.1", 1080)); tcp.settimeout(5)
tcp.sendall(b"\x05\x01\x00"); assert tcp.recv(2) == b"\x05\x00"
tcp.sendall(b"\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")
reply = tcp.recv(64); assert reply[1] == 0, reply
relay = (socket.inet_ntoa(reply[4:8]), struct.unpack(">H", reply[8:10])[0])
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(5)
name = b"".join(bytes([len(p)]) + p for p in (b"socks", b"pathwise", b"test")) + b"\x00"
query = struct.pack(">HHHHHH", 77, 0x0100, 1, 0, 0, 0) + name + struct.pack(">HH", 1, 1)
udp.sendto(b"\x00\x00\x00\x01" + socket.inet_aton("127.0.0.1") + struct.pack(">H", 5353) + query, relay)
answer = udp.recv(2048)[10:]
print("DNS through SOCKS UDP:", socket.inet_ntoa(answer[-4:]), "id", struct.unpack(">H", answer[:2])[0])
PY
    stop_all
}

measure_wrk() {
    has wrk nginx || return 0
    ulimit -n "$(ulimit -Hn)"
    plain_network; serve; serve_folder
    head -c 1000 /dev/urandom > "$work/www/small"
    forward tcp:8080
    local before_a before_b
    a wrk -t 2 -c 2000 -d 15s --latency http://127.0.0.1:8080/small > "$work/wrk.log"
    echo "wrk, 2,000 connections: $(grep -E 'Requests/sec' "$work/wrk.log" | tr -s ' ')," \
        "$(grep -E 'Socket errors' "$work/wrk.log" || echo 'no socket errors')," \
        "p50 $(awk '/ 50%/ { print $2 }' "$work/wrk.log"), p99 $(awk '/ 99%/ { print $2 }' "$work/wrk.log")"
    # Idle connections: each has carried a byte both ways.
    run echo b python3 "$here/echo.py" serve 127.0.0.1:7777
    stop_one forward
    forward tcp:7778=127.0.0.1:7777
    sleep 1
    before_a=$(memory "$forward_pid"); before_b=$(memory "$serve_pid")
    run idle a python3 "$here/echo.py" idle 127.0.0.1:7778 2000
    await 60 logged idle "2000 open"
    sleep 8
    echo "2,000 idle connections: $((($(memory "$forward_pid") - before_a) / 2000)) kB each at the client," \
        "$((($(memory "$serve_pid") - before_b) / 2000)) kB at the server"
    stop_all
}

measure_latency() {
    has python3 || return 0
    forward_echo
    run echo_near a python3 "$here/echo.py" serve 127.0.0.1:7777
    sleep 0.5
    for round in 1 2 3; do
        echo "round trip of 1 byte, round $round: loopback $(a python3 "$here/echo.py" time tcp 127.0.0.1:7777)," \
            "tcp: $(a python3 "$here/echo.py" time tcp 127.0.0.1:7778)," \
            "udp loopback $(a python3 "$here/echo.py" time udp 127.0.0.1:7777)," \
            "udp: $(a python3 "$here/echo.py" time udp 127.0.0.1:7779)"
    done
    stop_all
}

measure_bulk() {
    has python3 || return 0
    for scenario in ${1:-S1 S2 S3 S4}; do
        network "$scenario"
        serve --output "$work/in"
        forward tcp:5201 --reverse-forward tcp:5301=localhost:5302
        run sink b python3 "$here/echo.py" sink 127.0.0.1:5201
        run back a python3 "$here/echo.py" sink 127.0.0.1:5302
        sleep 0.5
        [ $links = emulated ] && "$testbed" zero
        local result; result=$(a python3 "$here/echo.py" push 127.0.0.1:5201 15)
        sleep 1
        [ $links = emulated ] && "$testbed" zero
        local back; back=$(b python3 "$here/echo.py" push 127.0.0.1:5301 15)
        stop_all
        network "$scenario"
        serve --output "$work/in"
        head -c "${result%% *}" /dev/urandom > "$work/bulk"
        [ $links = emulated ] && "$testbed" zero
        a "$PATHWISE" send "$work/bulk" --state "$work/client.d" --json > "$work/sent.json"
        rm -f "$work/in/bulk"
        echo "bulk $scenario, forward tcp: ${result#* bytes, }; back: ${back#* bytes, }; send: $(python3 -c '
import json, sys
print("%.2f Mbit/s" % (json.load(sys.stdin)["goodput_bits_per_second"] / 1e6))' < "$work/sent.json")"
        stop_all
    done
}

# What a browser does: a request and its answer on a connection of its own, through a session that has idled.
measure_pages() {
    has python3 || return 0
    for scenario in ${1:-S1 S2 S3}; do
        network "$scenario"
        serve
        forward tcp:5300
        run pages b python3 "$here/echo.py" pages 0.0.0.0:5300
        sleep 0.5
        for size in 20000 100000 1000000 5000000; do
            local line="pages $scenario, $size bytes, forward tcp: $(a python3 "$here/echo.py" fetch 127.0.0.1:5300 $size)"
            for address in "${addresses[@]}"; do
                line+="; TCP on one path: $(a python3 "$here/echo.py" fetch "$address:5300" $size)"
            done
            echo "$line"
        done
        stop_all
    done
}

# Messages of 1200 bytes each 4.8 ms, from program to program: through the library, then as datagrams
# through forward udp:.
measure_messages() {
    local relay=Benchmarks/.build/release/MessageLatency traffic
    traffic=$(dirname "$testbed")/build/traffic
    [ -x "$testbed" ] && [ -x "$traffic" ] || { echo "skipped: no emulated links in ../shared/testbed"; return 0; }
    [ -x "$relay" ] || { echo "skipped: make -C Benchmarks messages"; return 0; }
    local listen keys near far
    mapfile -t keys < <("$relay" keys)
    read -r -a near <<< "${keys[0]}"; read -r -a far <<< "${keys[1]}"
    for scenario in ${1:-S1 S2 S3 S4}; do
        network "$scenario"
        listen=("${addresses[@]/%/:7000}")
        run receiver b "$relay" receive "${far[0]}" "${near[1]}" "${listen[@]}"
        await 10 logged receiver ready
        "$testbed" zero
        a "$relay" send "${near[0]}" "${far[1]}" 25 "${listen[@]}" > "$work/sent.log"
        wait "$receiver_pid" || true
        echo "messages $scenario, library: $(cat "$work/sent.log"), $(tail -n 1 "$work/receiver.log")"
        stop_all
        serve
        forward udp:6000=127.0.0.1:5201,deadline=500ms
        run receiver b "$traffic" recv --proto udp --host 127.0.0.1 --port 5201 --deadline 100 --quiet 3
        sleep 0.5
        "$testbed" zero
        a "$traffic" msg --proto udp --host 127.0.0.1 --port 6000 --seconds 25 > "$work/sent.log"
        wait "$receiver_pid" || true
        echo "messages $scenario, forward udp: $(cat "$work/receiver.log")"
        stop_all
    done
}

what=${1:-all}
case $what in
all) for one in curl iperf ssh srt dns wrk latency messages bulk pages wireguard; do "measure_$one"; done ;;
curl | iperf | wireguard | ssh | srt | dns | wrk | latency | messages | bulk | pages) "measure_$what" "${2:-}" ;;
*) sed -n '2,21p' "$0"; exit 64 ;;
esac
