#!/usr/bin/env python3
"""Estimates of `evaluate` beside the truth: what a policy would have done, and what it then did.

    audit.py [--worlds 36] [--seed 1] [--jobs 1] [--json FILE]

Worlds of two or three links with messages are drawn from the seed. In each one a policy A is recorded
(`simulate --record`), every estimator of `evaluate` says from A's recording what a policy B would have
been worth, and B runs in the same world with the same losses, jitter and changes. The tables have the
bias, as a share of the delivery time, and how many 95 % intervals have the truth, by the sender's own
share of the load (`own_load` of the recording), and by how A learns: not at all (weighted), with a
constant share of exploration (epsilon-greedy), or with one that fades (softmax, lin-ts, learned).
Estimates whose verdict is "do not trust" are counted and left out.

The value is minus the logarithm of the delivery time, minus one if late. Delivery times of a recording
have the sender's estimate of the offset between two clocks, which differs by up to some milliseconds
between runs; the world knows it, so B's times are moved to A's clock before they are compared, and the
error that this takes away is printed by itself. Virtual time: the same seed gives the same tables.
"""
import argparse
import concurrent.futures
import csv
import io
import json
import math
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

from common import PATHWISE, log_uniform

LOGGERS = {
    "weighted": "not at all",
    "epsilon-greedy:epsilon=0.2": "constant",
    "softmax:temperature=0.3": "fading",
    "lin-ts:scale=2": "fading",
    "learned": "fading",
}
TARGETS = ["steady", "min-rtt", "earliest", "single:link1", "single:link2"]
# Shares of the slowest link's rate that the messages need.
LOADS = [0.03, 0.1, 0.25, 0.5, 0.9, 1.4]
BINS = [(0, 0.05), (0.05, 0.1), (0.1, 0.2), (0.2, 0.35), (0.35, 0.5), (0.5, 1.01)]
SHOWN = ["dr", "sndr", "adr-stable", "adr-min", "snips", "ips", "dm", "switch-dr", "mrdr"]
DEADLINE = 0.4


def command(*words):
    run = subprocess.run([PATHWISE, *words], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"audit.py: {' '.join(words[:2])}: {run.stderr.strip()}")
    return run.stdout


def world(number, seed):
    """A world's text, and its load."""
    draw = random.Random(seed * 1_000_003 + number)
    load = LOADS[number % len(LOADS)]
    rates, text = [], 'duration = "60s"\nwarm-up = "0s"\n'
    for link in range(1, draw.choice([2, 2, 3]) + 1):
        rate = log_uniform(draw, 4, 40)
        delay = draw.uniform(5, 50)
        rates.append(rate)
        text += f'[[link]]\nname = "link{link}"\nrate = "{rate:.2f}mbit"\ndelay = "{delay:.2f}ms"\n'
        text += f'queue = {int(rate * 1e6 / 8 * draw.uniform(0.03, 0.15))}\n'
        if draw.random() < 0.5:
            text += f'loss = "{draw.uniform(0, 0.3):.3f}%"\n'
        if draw.random() < 0.5:
            text += f'jitter = "{draw.uniform(0.5, 5):.2f}ms"\n'
        if draw.random() < 0.4:
            text += f'[[link.change]]\nat = "{draw.uniform(15, 45):.1f}s"\n'
            text += f'delay = "{delay * draw.uniform(0.6, 1.8):.2f}ms"\n'
    interval = 1200 * 8 / (load * min(rates) * 1e6)
    text += f'[[workload]]\nkind = "messages"\nsize = 1200\ninterval = "{interval * 1000:.4f}ms"\n'
    return text + f'deadline = "{DEADLINE * 1000:.0f}ms"\n'


def recorded(trace):
    """The decisions of a trace: seconds to delivery, and whether each was late."""
    text = command("trace", "export", str(trace), "--table", "decisions", "--format", "csv")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["late"]]
    return [(float(row["delivery_s"] or DEADLINE), row["late"] == "1") for row in rows]


def value(rows, shift):
    """The mean value of decisions, with delivery times on another clock."""
    total = 0
    for delivery, late in rows:
        time = DEADLINE if late else min(DEADLINE, max(1e-4, delivery + shift))
        total -= math.log(time) + (1 if late else 0)
    return total / len(rows)


def audit(number, seed):
    """All estimates of one world, with the truth."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "w.toml").write_text(world(number, seed))
        policies = [*LOGGERS, *TARGETS]
        words = [word for policy in policies for word in ("--policy", policy)]
        runs = json.loads(command("simulate", str(place / "w.toml"), *words, "--seeds", "1", "--seed",
                                  str(seed + number), "--jobs", "1", "--record", folder, "--json"))
        means = {one["policy"]: one["runs"][0]["workloads"][0]["mean"] for one in runs["worlds"][0]["policies"]}
        rows, clocks = {}, {}
        for policy in policies:
            trace = place / f"w.{policy.replace(':', '-').replace('=', '-')}.{seed + number}.trace"
            rows[policy] = (trace, recorded(trace))
            timely = [delivery for delivery, late in rows[policy][1] if not late]
            clocks[policy] = statistics.fmean(timely) - means[policy] if timely else math.nan
        for logger in LOGGERS:
            words = [word for policy in TARGETS for word in ("--policy", policy)]
            report = json.loads(command("evaluate", str(rows[logger][0]), *words, "--estimator", "all", "--json"))
            for target, result in zip(TARGETS, report["policies"]):
                truth = value(rows[target][1], clocks[logger] - clocks[target])
                own = value(rows[target][1], 0)
                for estimate in result["estimates"]:
                    low, high = estimate["interval"]
                    if None in (low, high, estimate["value"]):
                        continue
                    found.append({
                        "world": number, "logger": logger, "target": target,
                        "estimator": estimate["estimator"], "load": result["diagnostics"]["own_load"],
                        "verdict": result["verdict"], "error": estimate["value"] - truth,
                        "covers": low <= truth <= high, "width": high - low, "clock": truth - own,
                        "reasons": result["reasons"],
                    })
    return found


def line(name, rows):
    if not rows:
        return f"{name:32}       0"
    bias = statistics.fmean(row["error"] for row in rows)
    spread = math.sqrt(statistics.fmean(row["error"] ** 2 for row in rows))
    covered = statistics.fmean(row["covers"] for row in rows)
    width = statistics.median(row["width"] for row in rows)
    return (f"{name:32} {len(rows):7} {100 * bias:8.2f} % {100 * spread:8.2f} % {100 * covered:7.1f} % "
            f"{width:8.4f}")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--worlds", type=int, default=36)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--jobs", type=int, default=1)
    options.add_argument("--json", help="also write every estimate to this file")
    chosen = options.parse_args()
    with concurrent.futures.ThreadPoolExecutor(chosen.jobs) as pool:
        parts = pool.map(lambda number: audit(number, chosen.seed), range(chosen.worlds))
        found = [row for part in parts for row in part]
    if chosen.json:
        pathlib.Path(chosen.json).write_text(json.dumps(found))
    kept = [row for row in found if row["verdict"] != "do not trust"]
    one = [row for row in found if row["estimator"] == "dr"]
    clock = math.sqrt(statistics.fmean(row["clock"] ** 2 for row in one))
    print(f"{chosen.worlds} worlds from seed {chosen.seed}; {len(one)} pairs of policies, "
          f"{sum(row['verdict'] == 'do not trust' for row in one)} not to be trusted and left out; "
          f"clocks differ by {100 * clock:.1f} % of a delivery time (root mean square)\n")
    head = f"{'':32}   pairs     bias      rms error  covered    width"
    print("DR, by own load\n" + head)
    for low, high in BINS:
        print(line(f"{100 * low:.0f} to {100 * min(1, high):.0f} %",
                   [row for row in kept if row["estimator"] == "dr" and low <= row["load"] < high]))
    for title, test in [("below 20 %", lambda load: load < 0.2), ("20 % and more", lambda load: load >= 0.2)]:
        print(f"\nEstimators, own load {title}\n{head}")
        for name in SHOWN:
            print(line(name, [row for row in kept if row["estimator"] == name and test(row["load"])]))
        print(f"\nBy how the recorded policy explores, own load {title}\n{head}")
        for kind in ["not at all", "constant", "fading"]:
            for name in ["dr", "adr-stable", "adr-min"]:
                print(line(f"{kind}: {name}", [
                    row for row in kept if row["estimator"] == name and test(row["load"])
                    and LOGGERS[row["logger"]] == kind]))


main()
