#!/usr/bin/env python3
"""Worlds in virtual time beside the same links for real: the command over the testbed's namespaces.

    fidelity.py [WORLD...] [--seeds 3] [--policy steady]      default: S1 S2 S3 S4 jit_20 zombie S6

A row for each world: bulk in Mbit/s and its longest gap, messages of 1200 B each 4.8 ms with p50 and p99
one way, each as simulated / real and the difference in per cent; medians over the seeds. S6 follows
the traces of ../shared/traces. Needs root, ../shared/testbed and the command (PATHWISE); see links.py.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from common import PATHWISE, ROOT

LINKS = ROOT / "Benchmarks/links/links.py"
BED = pathlib.Path(os.environ.get("TESTBED", ROOT.parent / "shared/testbed"))
TRACES = BED.parent / "traces/mahimahi_cellular"
S6 = """
duration = "40s"
[[link]]
delay = "20ms"
queue = "300kB"
up.trace = "{0}/TMobile-LTE-short.down"
down.rate = "20mbit"
[[link]]
delay = "20ms"
queue = "300kB"
up.trace = "{0}/ATT-LTE-driving-2016.down"
down.rate = "10mbit"
"""
BULK = 'kind = "bulk"\nstart = "0s"\n'
MESSAGES = 'kind = "messages"\nsize = 1200\ninterval = "4.8ms"\ndeadline = "150ms"\n'


def seconds_of(world):
    return 40 if world == "S6" else 25 if world in ("S4", "zombie") else 20


def world_of(name, kind):
    """The text of a world that sends this alone; bulk begins at once, as the real command does.

    The usual start is half a second after the handshake. A session that idles before has measured its
    paths with single packets, which under jitter take far less than any packet of a flow does.
    """
    if name == "S6":
        text = S6.format(TRACES)
    else:
        shown = subprocess.run([PATHWISE, "world", "show", name], capture_output=True, text=True, check=True)
        text = shown.stdout.split("[[workload]]")[0]
    workload = BULK if kind == "bulk" else MESSAGES
    # As the testbed's meter counts: all of S6, the others without their first two seconds.
    warm_up = "0s" if name == "S6" else "2s"
    return f'warm-up = "{warm_up}"\n{text}\n[[workload]]\n{workload}'


def simulated(world, kind, arguments):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / f"{world}.toml"
        file.write_text(world_of(world, kind))
        run = subprocess.run([PATHWISE, "simulate", str(file), "--policy", arguments.policy,
                              "--seeds", str(arguments.seeds), "--duration", f"{seconds_of(world)}s", "--json"],
                             capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"fidelity.py: {run.stderr.strip()}")
    return [one["workloads"][0] for one in json.loads(run.stdout)["worlds"][0]["policies"][0]["runs"]]


def real(world, kind, arguments):
    seeds = ",".join(str(seed) for seed in range(1, arguments.seeds + 1))
    run = subprocess.run([sys.executable, str(LINKS), kind, world, "--seeds", seeds, "--no-peers", "--json",
                          "--send", f"--policy {arguments.policy}"], capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if not lines:
        sys.exit(f"fidelity.py: {world}: {run.stdout.strip()} {run.stderr.strip()}")
    return json.loads(lines[0])["runs"]


def compare(title, ours, theirs):
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    return f"{title} {ours:.2f} / {theirs:.2f} ({(ours / theirs - 1) * 100:+.1f} %)"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("worlds", nargs="*", default=["S1", "S2", "S3", "S4", "jit_20", "zombie", "S6"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--policy", default="steady")
    arguments = parser.parse_args()
    for world in arguments.worlds:
        ours, theirs = simulated(world, "bulk", arguments), real(world, "bulk", arguments)
        cells = [
            compare("Mbit/s", [run["goodput"] / 1e6 for run in ours],
                    [run["mean_mbps" if world == "S6" else "mbps"] for run in theirs]),
            compare("gap ms", [run["gap"] * 1e3 for run in ours], [run["gap_ms"] for run in theirs]),
        ]
        ours, theirs = simulated(world, "messages", arguments), real(world, "messages", arguments)
        cells += [compare(f"{name} ms", [run[name] * 1e3 for run in ours], [run[name] for run in theirs])
                  for name in ("p50", "p99")]
        print(f"{world:8} " + ", ".join(cells), flush=True)


main()
