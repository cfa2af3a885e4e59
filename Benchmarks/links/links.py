#!/usr/bin/env python3
"""The real command over emulated links, beside kernel MPTCP on the same links in the same run.

    links.py bulk      [SCENARIO...]   Mbit/s of payload without the first 2 s, and the longest gap
    links.py transfer  [SCENARIO...]   1 MB on a new session: ms from the first datagram to the last byte
    links.py messages  [SCENARIO...]   1200 B each 4.8 ms through `forward udp`: one-way delay in ms
    links.py resume    [SCENARIO...]   5 MB on a new session, with and without what an earlier one measured; "A then B":
                                       over the links A when it did, and B now
    links.py shared                    two paths and one kernel TCP flow over one link of 20 Mbit/s: our share
    links.py all                       the tables of docs/measurements.md (hours)

A scenario may also be the links themselves, as "rate=50,rtt=320 rate=10,rtt=100".
Options: --seeds 1,2,3   --seconds 20   --size 5000000   --send "OPTIONS OF SEND"   --no-peers   --json

It prints figures without judging them: medians of the seeds, and the smallest and largest. Needs root,
the testbed in ../shared/testbed (TESTBED names another place), and the command (PATHWISE).
"""
import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve()
BED = pathlib.Path(os.environ.get("TESTBED", HERE.parents[2].parent / "shared/testbed"))
PATHWISE = os.environ.get("PATHWISE", str(HERE.parents[2] / ".build/release/pathwise"))
ENV = dict(os.environ, TESTBED_ID=os.environ.get("TESTBED_ID", "41"))
SCENARIOS = {
    "core": "S1 S2 S3 S4 S6".split(),
    "reorder": "reorder_1 reorder_3 reorder_5 reorder_10 reorder_20".split(),
    "profiles": "baseline rtt_40 rtt_70 rtt_120 rtt_320 jit_5 jit_20 loss_05 loss_2 bw_4to1 bw_10to1 "
                "dual_lte fiber_lte lte_starlink lte_geo congested agg_300_80 sym_100x2".split(),
    "failures": "blackhole_one_way flap zombie dead_zone".split(),
}
REAL_TIME = ["chrt", "-r", "2"]


class Bed:
    """Two namespaces joined by the links of a scenario, or by links that are given as such."""

    def __init__(self, scenario, seed):
        self.scenario, self.seed, self.place, self.own = scenario, seed, BED, None
        if "=" in scenario:
            self.scenario, self.own = "given", tempfile.TemporaryDirectory()
            self.place = pathlib.Path(self.own.name) / "testbed"
            shutil.copytree(BED, self.place)
            (self.place / "scenarios.conf").chmod(0o600)
            (self.place / "scenarios.conf").write_text(f"given | {scenario} | 0 | given\n")

    def __enter__(self):
        self.call("down", check=False)
        self.call("up", self.scenario, str(self.seed))
        rows = [line.split() for line in self.call("addr").splitlines()]
        self.addresses = [row[2] for row in rows if len(row) > 2]
        self.started = []
        return self

    def __exit__(self, *_):
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
            if process.poll() is None:
                process.kill()
                process.wait()
        self.call("down", check=False)
        if self.own:
            subprocess.run(["chmod", "-R", "u+w", self.own.name])
            self.own.cleanup()

    def call(self, *words, check=True):
        run = subprocess.run([str(self.place / "testbed"), *words], env=ENV, cwd=self.place, capture_output=True,
                             text=True)
        if check and run.returncode:
            sys.exit(f"links.py: testbed {' '.join(words)}: {run.stderr.strip()}")
        return run.stdout

    def namespace(self, side):
        return f"tb{'' if ENV['TESTBED_ID'] == '0' else ENV['TESTBED_ID']}-{side}"

    def start(self, side, *words, **more):
        process = subprocess.Popen(["ip", "netns", "exec", self.namespace(side), *REAL_TIME, *words], **more)
        self.started.append(process)
        return process

    def stats(self):
        return [json.loads(line) for line in self.call("stats").splitlines()]


class FirstDatagram(threading.Thread):
    """When the client's namespace sends its first datagram to a port, by the kernel's clock."""

    def __init__(self, namespace, port):
        super().__init__(daemon=True)
        self.namespace, self.port, self.at, self.ready = namespace, port, None, threading.Event()
        self.start()
        self.ready.wait(5)

    def run(self):
        with open(f"/run/netns/{self.namespace}") as space:
            if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
        # ETH_P_ALL without link headers; SO_TIMESTAMPNS adds the time of each packet.
        peer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        peer.setsockopt(socket.SOL_SOCKET, 35, 1)
        peer.settimeout(60)
        self.ready.set()
        with contextlib.suppress(OSError):
            while self.at is None:
                packet, extra, _, source = peer.recvmsg(128, 64)
                if packet[:1] and packet[0] >> 4 == 4 and packet[9] == 17 and source[2] == socket.PACKET_OUTGOING \
                        and struct.unpack(">H", packet[22:24])[0] == self.port:
                    seconds, nanoseconds = struct.unpack("qq", extra[0][2])
                    self.at = seconds + nanoseconds * 1e-9


def keys(folder):
    pairs = {}
    for name in ("server", "client"):
        public = subprocess.run([PATHWISE, "keygen", str(folder / name)], capture_output=True, text=True, check=True)
        pairs[name] = public.stdout.strip()
    return pairs


def transfer_commands(bed, folder, output):
    pair = keys(folder)
    listen = [word for address in bed.addresses for word in ("--listen", f"{address}:4433")]
    to = [word for address in bed.addresses for word in ("--to", f"{address}:4433")]
    receive = [PATHWISE, "receive", *listen, "--key", str(folder / "server"), "--allow", pair["client"], "--output",
               output, "--once"]
    send = [PATHWISE, "send", *to, "--key", str(folder / "client"), "--peer", pair["server"], "--json"]
    return receive, send


def bulk(bed, seconds, options):
    """As much as goes through for a time, read by the testbed's meter."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        receive, send = transfer_commands(bed, folder, "-")
        receiver = bed.start("b", *receive, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        meter = subprocess.Popen([*REAL_TIME, str(BED / "build/meter"), "2", str(seconds)], stdin=receiver.stdout,
                                 stdout=subprocess.PIPE, text=True)
        receiver.stdout.close()
        time.sleep(0.7)
        bed.call("zero")
        zeros = subprocess.Popen(["timeout", str(seconds), "cat", "/dev/zero"], stdout=subprocess.PIPE)
        sender = bed.start("a", *send, *options, "-", stdin=zeros.stdout, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
        zeros.stdout.close()
        _, errors = sender.communicate(timeout=seconds + 60)
        zeros.wait()
        result = json.loads(meter.communicate(timeout=30)[0])
        if sender.returncode:
            raise RuntimeError(errors.strip())
        return {"mbps": result["mbps"], "mean_mbps": result["mbps_all"], "gap_ms": result["gap_ms"],
                "bins": result["bins"]}


def transfer(bed, size, options, commands=None):
    """A file on a new session: from the first datagram on the link to the last byte at the receiver."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        receive, send = commands or transfer_commands(bed, folder, "-")
        (folder / "file").write_bytes(os.urandom(size))
        receiver = bed.start("b", *receive, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        meter = subprocess.Popen([*REAL_TIME, str(BED / "build/meter"), "0", "60"], stdin=receiver.stdout,
                                 stdout=subprocess.PIPE, text=True)
        receiver.stdout.close()
        time.sleep(0.7)
        bed.call("zero")
        first = FirstDatagram(bed.namespace("a"), 4433)
        started = time.time()
        sender = bed.start("a", *send, *options, str(folder / "file"), stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
        _, errors = sender.communicate(timeout=90)
        result = json.loads(meter.communicate(timeout=30)[0])
        if sender.returncode or first.at is None or result["bytes"] != size:
            raise RuntimeError(errors.strip() or "the transfer is not complete")
        dropped = sum(row["drop_queue"] for row in bed.stats())
        return {"ms": (result["last"] - first.at) * 1e3, "process_ms": (result["last"] - started) * 1e3,
                "dropped": dropped}


def joined_commands(bed, folder, state):
    """The same by a profile in a state folder, in which the sender remembers its paths."""
    receive, _ = transfer_commands(bed, folder, "-")
    public = subprocess.run([PATHWISE, "pubkey", str(folder / "server")], capture_output=True, text=True, check=True)
    (state / "servers").mkdir(mode=0o700, parents=True)
    state.chmod(0o700)
    lines = [f"server {public.stdout.strip()}", f"key {(folder / 'client').read_text().split()[-1]}"]
    profile = state / "servers" / "server"
    profile.write_text("\n".join(lines + [f"address {address}:4433" for address in bed.addresses]) + "\n")
    profile.chmod(0o600)
    return receive, [PATHWISE, "send", "--state", str(state), "--json"]


def resume(before, after, seed, size, options):
    """The time of a file without and with what a transfer of 40 MB over the links of `before` has measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        state, memory = folder / "state", folder / "state" / "known-paths"
        with Bed(before, seed) as bed:
            commands = joined_commands(bed, folder, state)
            transfer(bed, 40_000_000, options, commands)
        known = memory.read_bytes() if memory.exists() else b""
        runs = {}
        for word in ("plain", "resumed"):
            memory.unlink(missing_ok=True)
            if word == "resumed" and known:
                memory.write_bytes(known)
                memory.chmod(0o600)
            with Bed(after, seed) as bed:
                runs[word] = transfer(bed, size, options, commands)
        return {"plain_ms": runs["plain"]["ms"], "resumed_ms": runs["resumed"]["ms"],
                "gain": 1 - runs["resumed"]["ms"] / runs["plain"]["ms"], "plain_dropped": runs["plain"]["dropped"],
                "resumed_dropped": runs["resumed"]["dropped"], "known": len(known.splitlines()) - 1 if known else 0}


def messages(bed, seconds, options):
    """Datagrams of the testbed's traffic program through `forward udp`."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        places = [word for address in bed.addresses
                  for word in ("--listen", f"{address}:7000", "--public", f"{address}:7000")]
        log = open(folder / "serve.log", "w+")
        bed.start("b", PATHWISE, "serve", "--state", str(folder / "server"), *places, stdout=log, stderr=log)
        token = None
        for _ in range(200):
            words = (folder / "serve.log").read_text().split()
            token = next((word for word in words if word.startswith("pathwise1-")), None)
            if token:
                break
            time.sleep(0.05)
        subprocess.run(["ip", "netns", "exec", bed.namespace("a"), PATHWISE, "join", token, "--state",
                        str(folder / "client"), "--name", "server"], check=True, capture_output=True)
        forwarded = open(folder / "forward.log", "w+")
        bed.start("a", PATHWISE, "forward", "--state", str(folder / "client"), *options,
                  "udp:6000=127.0.0.1:5201,deadline=500ms", stdout=forwarded, stderr=forwarded)
        for _ in range(200):
            if "connected over" in (folder / "forward.log").read_text():
                break
            time.sleep(0.05)
        time.sleep(0.5)
        receiver = bed.start("b", str(BED / "build/traffic"), "recv", "--proto", "udp", "--host", "127.0.0.1",
                             "--deadline", "100", "--quiet", "3", stdout=subprocess.PIPE, text=True)
        time.sleep(0.3)
        bed.call("zero")
        sender = bed.start("a", str(BED / "build/traffic"), "msg", "--proto", "udp", "--host", "127.0.0.1", "--port",
                           "6000", "--seconds", str(seconds), stdout=subprocess.DEVNULL)
        sender.wait(seconds + 30)
        result = json.loads(receiver.communicate(timeout=30)[0].splitlines()[-1])
        sent = sum(row["in_bytes"] for row in bed.stats() if row["dir"] == "A>B")
        delays = result["latency_ms"]
        return {"p50": delays["p50"], "p99": delays["p99"], "max": delays["max"], "lost": result["lost"],
                "late": result.get("late_share"), "bytes": sent / (result["sent"] * 1228)}


def shared(bed, algorithm, options):
    """Two paths over the first link beside a kernel TCP flow; the rates of the same 20 s."""
    with tempfile.TemporaryDirectory() as name:
        folder, host = pathlib.Path(name), bed.addresses[0]
        pair = keys(folder)
        ports = [f"{host}:4433", f"{host}:4434"]
        receiver = bed.start("b", PATHWISE, "receive", "--listen", ports[0], "--listen", ports[1], "--key",
                             str(folder / "server"), "--allow", pair["client"], "--output", "-", "--once",
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        meter = subprocess.Popen([*REAL_TIME, str(BED / "build/meter"), "5", "25"], stdin=receiver.stdout,
                                 stdout=subprocess.PIPE, text=True)
        receiver.stdout.close()
        rival = bed.start("b", str(BED / "build/traffic"), "recv", "--proto", "tcp", "--cc", algorithm,
                          stdout=subprocess.PIPE, text=True)
        time.sleep(0.7)
        bed.call("zero")
        zeros = subprocess.Popen(["timeout", "28", "cat", "/dev/zero"], stdout=subprocess.PIPE)
        paths = [word for name, place in zip("ab", ports) for word in ("--path", f"{name}=p1>{place}")]
        sender = bed.start("a", PATHWISE, "send", "--to", ports[0], "--to", ports[1], *paths, "--key",
                           str(folder / "client"), "--peer", pair["server"], *options, "-", stdin=zeros.stdout,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        zeros.stdout.close()
        time.sleep(1)
        bed.start("a", str(BED / "build/traffic"), "bulk", "--proto", "tcp", "--cc", algorithm, "--host", host,
                  "--seconds", "27", stdout=subprocess.DEVNULL).wait(60)
        sender.wait(60)
        zeros.wait()
        ours = json.loads(meter.communicate(timeout=30)[0])["mbps"]
        theirs = json.loads(rival.communicate(timeout=30)[0].splitlines()[-1])["steady_mbps"]
        return {"mbps": ours, "tcp_mbps": theirs, "share": ours / (ours + theirs)}


def peer(scenario, kind, algorithm, seeds, seconds):
    """Kernel MPTCP, seeds 1 to the number of seeds."""
    name = {"bulk": "bulk", "transfer": "xfer1M", "messages": "msg"}[kind]
    run = subprocess.run([str(BED / "testbed"), "peer", scenario, name, "mptcp", algorithm, str(len(seeds))],
                         env=dict(ENV, TESTBED_SECONDS=str(seconds), TESTBED_DEADLINE="100"), cwd=BED,
                         capture_output=True, text=True)
    rows = []
    for line in run.stdout.splitlines():
        receiver = json.loads(line)["receiver"]
        if kind == "bulk":
            rows.append({"mbps": receiver.get("steady_mbps", receiver["mbps"]), "mean_mbps": receiver["mbps"],
                         "gap_ms": receiver["gap_ms"]})
        elif kind == "transfer":
            rows.append({"ms": receiver["transfer_ms"]})
        else:
            delays = receiver["latency_ms"]
            rows.append({"p50": delays["p50"], "p99": delays["p99"], "max": delays["max"], "lost": receiver["lost"]})
    return rows


def show(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def spread(rows, name):
    values = [row[name] for row in rows if row.get(name) is not None]
    if not values:
        return "-"
    text = show(statistics.median(values))
    return text if len(values) == 1 else f"{text} [{show(min(values))}-{show(max(values))}]"


def measure_shared(arguments):
    for algorithm in ("cubic", "bbr"):
        found = []
        for seed in arguments.seeds:
            with Bed("S1", seed) as bed:
                found.append(shared(bed, algorithm, shlex.split(arguments.send)))
        if arguments.json:
            print(json.dumps({"kind": "shared", "rival": algorithm, "runs": found}), flush=True)
        else:
            cells = ", ".join(f"{name} {spread(found, name)}" for name in ("mbps", "tcp_mbps", "share"))
            print(f"shared    beside TCP {algorithm:7} pathwise     {cells}", flush=True)


FIGURES = {"bulk": ["mbps", "mean_mbps", "gap_ms"], "transfer": ["ms", "process_ms"],
           "resume": ["plain_ms", "resumed_ms", "gain", "plain_dropped", "resumed_dropped", "known"],
           "messages": ["p50", "p99", "max", "lost", "bytes"]}


def seconds_of(scenario, given):
    if given:
        return given
    return 40 if scenario == "S6" else 25 if scenario in ["S4", *SCENARIOS["failures"]] else 20


def measure(kind, scenario, arguments):
    """One row for each sender; seeds and senders take turns."""
    seconds, options = seconds_of(scenario, arguments.seconds), shlex.split(arguments.send)
    rows = {"pathwise": []}
    for seed in arguments.seeds:
        if kind == "resume":
            before, _, after = scenario.partition(" then ")
            rows["pathwise"].append(resume(before, after or before, seed, arguments.size, options))
            continue
        with Bed(scenario, seed) as bed:
            if kind == "bulk":
                rows["pathwise"].append(bulk(bed, seconds, options))
            elif kind == "transfer":
                rows["pathwise"].append(transfer(bed, 1_000_000, options))
            else:
                rows["pathwise"].append(messages(bed, seconds, options))
    if not arguments.no_peers and kind != "resume":
        for algorithm in ("cubic", "bbr"):
            rows[f"mptcp {algorithm}"] = peer(scenario, kind, algorithm, arguments.seeds, seconds)
    for sender, found in rows.items():
        if arguments.json:
            print(json.dumps({"kind": kind, "scenario": scenario, "sender": sender, "runs": found}), flush=True)
        else:
            cells = ", ".join(f"{name} {spread(found, name)}" for name in FIGURES[kind] if spread(found, name) != "-")
            print(f"{kind:9} {scenario:18} {sender:12} {cells}", flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("kind", choices=["bulk", "transfer", "resume", "messages", "shared", "all"])
    parser.add_argument("scenarios", nargs="*")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[1, 2, 3])
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--size", type=int, default=5_000_000)
    parser.add_argument("--send", default="")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("links.py: needs root for network namespaces")
    if not (BED / "testbed").exists():
        print("skipped: no emulated links in ../shared/testbed")
        return
    subprocess.run(["make", "-s", "-C", str(BED)], check=True)
    everything = [name for group in SCENARIOS.values() for name in group]
    wanted = {"bulk": everything, "transfer": ["S1", "S2", "S3"],
              "resume": ["S1", "S2", "S3", "rtt_320", "rate=50,rtt=320", "rate=50,rtt=320 then rate=12.5,rtt=320"],
              "messages": [*SCENARIOS["core"], *SCENARIOS["failures"]]}
    if arguments.kind in ("shared", "all"):
        measure_shared(arguments)
    for kind in wanted if arguments.kind == "all" else [arguments.kind] if arguments.kind in wanted else []:
        for scenario in [name for word in arguments.scenarios for name in SCENARIOS.get(word, [word])] or wanted[kind]:
            try:
                measure(kind, scenario, arguments)
            except (RuntimeError, subprocess.SubprocessError, ValueError) as error:
                print(f"{kind:9} {scenario:18} failed: {error}", flush=True)


main()
