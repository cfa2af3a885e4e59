#!/usr/bin/env python3
"""What --http costs: scale.py [--clients 100] [--flows 20] [--minutes 3] [--policy P --shadow P --rounds 20].

First a pair of idle programs, with and without --http; then a server with many clients, each with
open TCP flows: time and size of a scrape, processor time of scrapes and of a browser that follows,
and resident memory under a scrape each second. It prints figures and asserts the bounds of
docs/watch.md. PATHWISE names the binary (default: .build/release/pathwise).
"""

import argparse
import contextlib
import http.client
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from programs import Echo, Program, get, run

problems = []


def check(what, value, bound, unit):
    holds = value <= bound
    print(f"{'ok  ' if holds else 'FAIL'} {what}: {value:.3g} {unit} (bound {bound} {unit})", flush=True)
    if not holds:
        problems.append(what)


def idle(seconds):
    """Memory and processor time of idle forwards, without --http and with it."""
    with tempfile.TemporaryDirectory(prefix="pathwise-watch-") as name:
        here = Path(name)
        server = Program("serve", "--state", here / "server", "--listen", "127.0.0.1:0")
        token = server.until(r"(pathwise1-\S+)")[1]
        run("join", token, "--state", here / "van", "--as", "van")
        forwards = []
        for words in ([], ["--http", "127.0.0.1:0"]):
            forwards.append(Program("forward", "--state", here / "van", "tcp:0=127.0.0.1:9", *words))
            forwards[-1].until("connected over")
        time.sleep(3)
        before = [(f.seconds(), time.monotonic()) for f in forwards]
        time.sleep(seconds)
        for forward, (used, since), what in zip(forwards, before, ("without --http", "with --http")):
            share = (forward.seconds() - used) / (time.monotonic() - since)
            check(f"idle forward {what}, resident", forward.resident() / 2**20, 30, "MiB")
            check(f"idle forward {what}, processor", share * 100, 0.2, "% of a core")
        for program in [*forwards, server]:
            program.end()


class Follower(threading.Thread):
    """Reads /events as a browser does."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.bytes, self.is_over = port, 0, False

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/events")
            answer = connection.getresponse()
            while not self.is_over and (piece := answer.read1(65536)):
                self.bytes += len(piece)
        connection.close()


def talk(connections, rounds):
    """Has every flow echo a byte, so many times."""
    for _ in range(rounds):
        for one in connections:
            one.sendall(b"x")
        for one in connections:
            assert one.recv(1) == b"x"


def many(clients, flows, minutes, words, rounds):
    with tempfile.TemporaryDirectory(prefix="pathwise-watch-") as name:
        here = Path(name)
        echo = Echo()
        server = Program("serve", "--state", here / "server", "--listen", "127.0.0.1:0",
                         "--forward-allow", "127.0.0.1:*", "--http", "127.0.0.1:0",
                         *words)
        port = server.watched()
        server.until(r"(pathwise1-\S+)")
        tokens = [run("invite", f"van{n}", "--state", here / "server").split()
                  for n in range(clients)]
        time.sleep(1)
        forwards = []
        try:
            for number, words in enumerate(tokens):
                state = here / f"van{number}"
                run("join", next(w for w in words if w.startswith("pathwise1-")), "--state", state)
                forwards.append(Program("forward", "--state", state, f"tcp:0=127.0.0.1:{echo.port}",
                                        "--path", "dsl=127.0.0.1", "--path", "lte=127.0.0.2"))
            connections = []
            for forward in forwards:
                forward.until("connected over 2 paths")
                local = int(forward.until(r"tcp: listening on 127\.0\.0\.1:(\d+)")[1])
                for _ in range(flows):
                    one = socket.create_connection(("127.0.0.1", local))
                    one.sendall(b"x")
                    connections.append(one)
            for number, one in enumerate(connections):
                one.settimeout(60)
                try:
                    assert one.recv(1) == b"x"
                except (OSError, AssertionError) as error:
                    log = forwards[number // flows].lines[-8:] + server.lines[-8:]
                    raise RuntimeError(f"flow {number}: {error}\n{''.join(log)}") from error
            talk(connections, rounds - 1)
            text = get(port, "/metrics").decode()
            sessions = float(next(l for l in text.splitlines() if l.startswith("pathwise_sessions ")).split()[1])
            is_open = sum(float(l.rsplit(" ", 1)[1]) for l in text.splitlines()
                          if l.startswith("pathwise_forward_open_flows{"))
            print(f"     {sessions:.0f} sessions, {is_open:.0f} open flows; a scrape has {len(text) / 1e3:.0f} kB "
                  f"in {len(text.splitlines())} lines", flush=True)
            if sessions != clients or is_open != clients * flows:
                problems.append("not all clients and flows are there")
            time.sleep(3)
            rest = processor(server, lambda: time.sleep(10))
            for path, bound in (("/metrics", 50), ("/status", 100)):
                times = []

                def scrape():
                    for _ in range(100):
                        begin = time.perf_counter()
                        get(port, path)
                        times.append(time.perf_counter() - begin)

                began = time.monotonic()
                used = server.seconds()
                scrape()
                cost = (server.seconds() - used - rest * (time.monotonic() - began)) / 100
                check(f"{path}, median of 100", statistics.median(times) * 1000, bound, "ms")
                check(f"{path}, longest of 100", max(times) * 1000, 2 * bound, "ms")
                if path == "/metrics":
                    check("scrapes every 15 s", cost / 15 * 100, 1, "% of a core")
            print(f"     the server without any: {rest * 100:.2f} % of a core", flush=True)
            follower = Follower(port)
            follower.start()
            time.sleep(2)
            used, taken = processor(server, lambda: time.sleep(20)), follower.bytes
            print(f"     one browser that follows: {(used - rest) * 100:.2f} % of a core, "
                  f"{taken / 22e3:.0f} kB/s", flush=True)
            # Memory: the first minute fills what is reused.
            samples = []
            end = time.monotonic() + minutes * 60
            while time.monotonic() < end:
                get(port, "/metrics")
                samples.append(server.resident())
                time.sleep(1)
            follower.is_over = True
            half = len(samples) // 2
            growth = statistics.mean(samples[-10:]) - statistics.mean(samples[half:half + 10])
            print(f"     resident: {samples[0] / 1e6:.1f} MB at first, {samples[-1] / 1e6:.1f} MB after "
                  f"{minutes} min with a scrape each second and a browser", flush=True)
            text = get(port, "/metrics").decode()
            judged = [float(l.rsplit(" ", 1)[1]) for l in text.splitlines()
                      if l.startswith("pathwise_judged_decisions{")]
            print(f"     judged decisions of a client: {statistics.median(judged or [0]):.0f} in the median; the server has "
                  f"{server.resident() / 2**20:.1f} MiB", flush=True)
            check(f"growth in the second half of {minutes} min", growth / 1e6, 0.5, "MB")
        finally:
            for program in forwards:
                program.process.terminate()
            for program in forwards:
                program.end()
            server.end()
            echo.shutdown()


def processor(program, body):
    """The share of a core that a program takes meanwhile."""
    used, since = program.seconds(), time.monotonic()
    body()
    return (program.seconds() - used) / (time.monotonic() - since)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--flows", type=int, default=20, help="of each client")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--policy", help="the policy of the server; answers are forced with learned, and not judged")
    parser.add_argument("--shadow", help="the policy in the shadow of the server")
    parser.add_argument("--rounds", type=int, default=1, help="echoes of each flow; with many, decisions are judged")
    parser.add_argument("--idle", type=float, default=60, help="seconds of the idle forwards; 0 for none")
    options = parser.parse_args()
    if options.idle:
        idle(options.idle)
    words = [w for name in ("policy", "shadow") if (given := getattr(options, name)) for w in (f"--{name}", given)]
    many(options.clients, options.flows, options.minutes, words, options.rounds)
    print(f"{len(problems)} bounds do not hold" if problems else "all bounds hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
