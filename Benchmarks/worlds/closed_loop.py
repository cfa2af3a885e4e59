#!/usr/bin/env python3
"""Policies in closed loop over worlds that they were not made on.

    closed_loop.py [--first 9001] [--worlds 60] [--families random,lte,drive,series,starlink]
                   [--policy NAME]... [--duration 60s] [--seeds 1] [--keep FOLDER] [--json]

`random` are the worlds of `pathwise world random`, with messages. The others take their links from
../shared/traces: `lte` delivery opportunities of two operators from random moments on, `drive` the
round trips of three operators in one car, `series` throughput of access networks, `starlink` round
trips of a dish beside an operator of the drive. Each number of `--first ...` is another world.

Prints for each family and for all of them, for each policy: the mean over the worlds of the relative
difference in cost from steady (mean time of a message, where a late one counts as twice its deadline)
with a 95 % interval over worlds, the difference in late messages (percentage points), bytes against
steady's, and in how many worlds it is within 2 % of the best policy that spends no more than 105 % of
steady's bytes; the worst world; and in how many it is worse than steady by more than 1 % or 0.1 points late,
with an interval over three or more seeds that is clear of zero at a level corrected for 200 comparisons.
"""
import argparse
import csv
import functools
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

from common import PATHWISE, TRACES, drives, log_uniform

FAMILIES = ["random", "lte", "drive", "series", "starlink"]
MESSAGES = """
[[workload]]
kind = "messages"
size = {size}
interval = "{interval:.3f}ms"
deadline = "{deadline:.1f}ms"
"""


def messages(draw, size=None, interval=None, deadline=None):
    return MESSAGES.format(
        size=size or round(log_uniform(draw, 80, 1300)), interval=interval or log_uniform(draw, 4, 40),
        deadline=deadline or log_uniform(draw, 60, 300))


def lte(draw, folder, name, seconds):
    files = [TRACES / "mahimahi_cellular" / f for f in (
        "ATT-LTE-driving-2016.down", "TMobile-LTE-short.down", "ATT-LTE-driving-2016.up", "TMobile-LTE-short.up")]
    pair = draw.choice([files[:2], files[:2], [files[0], files[3]], [files[2], files[1]]])
    text = ""
    for index, file in enumerate(pair):
        times = opportunities(file)
        start = draw.choice(times)
        place = folder / f"{name}.{index}.trace"
        span = times[-1]
        shifted = sorted((t - start) % span + 1 for t in times)
        place.write_text("\n".join(map(str, shifted)) + "\n")
        text += (f'\n[[link]]\ndelay = "{draw.uniform(10, 40):.2f}ms"\nqueue = "300kB"\n'
                 f'up.trace = "{place}"\ndown.rate = "20mbit"\n')
    return text + messages(draw, 1200, draw.choice([4.8, 10, 20]), draw.choice([80, 100, 150]))


@functools.lru_cache(None)
def opportunities(file):
    return [int(line) for line in open(file) if line.strip()]


def series_file(folder, name, values):
    place = folder / name
    place.write_text("\n".join("lost" if v is None else f"{v:.3f}" for v in values) + "\n")
    return place


@functools.lru_cache(None)
def whole_drives(slots):
    """Table, operators, slots in which all were probed, and possible starts of each day.

    A probing session has about 20 s, so a window has several one after the other."""
    found = []
    for day, table in sorted(drives().items()):
        names = sorted({o for row in table.values() for o in row})
        whole = [s for s in sorted(table) if len(table[s]) == len(names)]
        if len(whole) > slots:
            found.append((table, names, whole, range(len(whole) - slots)))
    return found


def drive(draw, folder, name, seconds):
    slots = round(seconds * 5)
    table, names, whole, starts = draw.choice(whole_drives(slots))
    start = draw.choice(starts)
    window = whole[start:start + slots]
    text = ""
    for operator in names:
        file = series_file(folder, f"{name}.{operator}.delays", [table[s][operator] for s in window])
        text += f'\n[[link]]\nname = "{operator}"\nreorder = true\nup.delays = "{file}"\n'
    return text + messages(draw, 100, draw.choice([20, 20, 50]), draw.choice([100, 150, 150, 250]))


@functools.lru_cache(None)
def throughputs():
    """Series of Mbit/s each second."""
    found = []
    for file in sorted((TRACES / "broadband_3g_throughput").glob("[a-z]*__*")):
        rows = [line.split() for line in open(file) if len(line.split()) == 2]
        points = [(float(a), float(b)) for a, b in rows]
        step, values = 0, []
        for second in range(int(points[-1][0])):
            while step + 1 < len(points) and points[step + 1][0] <= second:
                step += 1
            values.append(points[step][1])
        found.append((file.name, values))
    for file in sorted((TRACES / "ucc_5g_download").glob("*.csv")):
        values = [float(row["DL_bitrate"]) / 1000 for row in csv.DictReader(open(file)) if row["State"] == "D"]
        found.append((file.name, values))
    file = TRACES / "starlink_on_the_road/iperf.csv"
    values = [float(row["upload_mbps"] or 0) for row in csv.DictReader(open(file))]
    found.append((file.name, values))
    return [(n, v) for n, v in found if len(v) > 60 and statistics.fmean(v) > 0.5]


def series(draw, folder, name, seconds):
    text, least = "", 1e9
    for index in range(draw.choice([2, 2, 3])):
        _, values = draw.choice(throughputs())
        start = draw.randrange(len(values))
        window = [max(0.05, values[(start + s) % len(values)]) for s in range(int(seconds) + 1)]
        file = series_file(folder, f"{name}.{index}.rates", window)
        file.write_text("interval 1s\n" + file.read_text())
        least = min(least, statistics.fmean(window))
        text += (f'\n[[link]]\ndelay = "{log_uniform(draw, 5, 60):.2f}ms"\nqueue = "{draw.choice([64, 150, 300, 600])}kB"\n'
                 f'up.rates = "{file}"\ndown.rate = "20mbit"\n')
    load = draw.uniform(0.1, 0.6) * least * 1e6 / 8
    size = 1000
    return text + messages(draw, size, min(40.0, max(2.0, 1000 * size / load)))


@functools.lru_cache(None)
def dish():
    """Seconds and round trip, ms; None for a lost sample."""
    rows = csv.DictReader(open(TRACES / "starlink_mmsys24/ping_gateway_noisl.csv"))
    return [(float(r["unix_s"]), float(r["rtt_ms"]) if r["rtt_ms"] else None) for r in rows]


def starlink(draw, folder, name, seconds):
    rows = dish()
    start = draw.randrange(len(rows) - 600)
    window = []
    origin = rows[start][0]
    place = start
    for slot in range(round(seconds * 5)):
        while place + 1 < len(rows) and rows[place + 1][0] <= origin + 0.2 * slot:
            place += 1
        window.append(rows[place][1])
    file = series_file(folder, f"{name}.dish.delays", [v if v is None else v / 2 for v in window])
    text = f'\n[[link]]\nname = "dish"\nup.delays = "{file}"\ndown.delay = "20ms"\n'
    table = drives()[draw.choice(sorted(drives()))]
    operator = draw.choice(sorted({o for row in table.values() for o in row}))
    own = [s for s in sorted(table) if operator in table[s]]
    begin = draw.randrange(max(1, len(own) - len(window)))
    values = [table[s][operator] for s in own[begin:begin + len(window)]]
    other = series_file(folder, f"{name}.lte.delays", [v if v is None else v / 2 for v in values])
    text += f'\n[[link]]\nname = "lte"\nup.delays = "{other}"\ndown.delay = "20ms"\n'
    return text + messages(draw, 200, draw.choice([10, 20]), draw.choice([60, 100, 150]))


def seconds_of(text):
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.rstrip("s"))


def run(family, arguments, folder):
    """The policies of each world: {policy: its part of the JSON}."""
    words = [w for p in arguments.policy for w in ("--policy", p)]
    command = [PATHWISE, "simulate", *words, "--baseline", "steady", "--seeds", str(arguments.seeds),
               "--duration", arguments.duration, "--jobs", str(arguments.jobs), "--json"]
    if family == "random":
        command += ["--random", str(arguments.worlds), "--seed", str(arguments.first), "--workload", "messages"]
    else:
        for number in range(arguments.first, arguments.first + arguments.worlds):
            draw = random.Random(f"{family}-{number}")
            name = f"{family}-{number}"
            text = f'duration = "{arguments.duration}"\n'
            text += globals()[family](draw, folder, name, seconds_of(arguments.duration))
            (folder / f"{name}.toml").write_text(text)
            command.append(str(folder / f"{name}.toml"))
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        sys.exit(f"closed_loop.py: {found.stderr.strip()}")
    worlds = []
    for world in json.loads(found.stdout)["worlds"]:
        worlds.append((world["name"], {p: figures(one) for p, one in zip(arguments.policy, world["policies"])}))
    return worlds


def figures(one):
    """Cost, late share, bytes, and the same as lists by seed."""
    by_seed = []
    for r in one["runs"]:
        loads = [load for load in r["workloads"] if "late" in load]
        by_seed.append((statistics.fmean(load["mean"] for load in loads),
                        statistics.fmean(load["late"] for load in loads), sum(r["link_bytes"])))
    return (*(statistics.fmean(column) for column in zip(*by_seed)), by_seed)


def is_worse(ours, steady):
    """Whether a policy is worse in a world, by more than 1 % or 0.1 percentage points late.

    The interval over seeds is clear of zero at a level corrected for 200 comparisons (one-sided, z = 3.48)."""
    for change, least in (
            ([a[0] / b[0] - 1 for a, b in zip(ours, steady)], 0.01),
            ([a[1] - b[1] for a, b in zip(ours, steady)], 0.001)):
        mean = statistics.fmean(change)
        if len(change) > 2 and mean > least and mean > 3.48 * statistics.stdev(change) / len(change) ** 0.5:
            return True
    return False


def report(name, worlds, policies, draw):
    rows = []
    for policy in policies:
        changes = [w[policy][0] / w["steady"][0] - 1 for _, w in worlds]
        late = [100 * (w[policy][1] - w["steady"][1]) for _, w in worlds]
        spent = [w[policy][2] / w["steady"][2] for _, w in worlds]
        near = [w[policy][0] <= 1.02 * min(v[0] for v in w.values() if v[2] <= 1.05 * w["steady"][2]) for _, w in worlds]
        means = sorted(statistics.fmean(draw.choices(changes, k=len(changes))) for _ in range(2000))
        worst = max(zip(changes, (n for n, _ in worlds)))
        rows.append({
            "family": name, "policy": policy, "worlds": len(worlds), "cost": statistics.fmean(changes),
            "low": means[50], "high": means[1949], "late_points": statistics.fmean(late),
            "late_steady": 100 * statistics.fmean(w["steady"][1] for _, w in worlds),
            "bytes": statistics.fmean(spent), "near_best": statistics.fmean(near),
            "worst": worst[0], "worst_world": worst[1],
            "worse": [n for n, w in worlds if is_worse(w[policy][3], w["steady"][3])]})
    return rows


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--first", type=int, default=9001)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--policy", action="append")
    parser.add_argument("--duration", default="60s")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.policy = arguments.policy or ["steady", "learned", "earliest", "min-rtt", "redundant"]
    if "steady" not in arguments.policy:
        arguments.policy.insert(0, "steady")
    rows, everything = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(arguments.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for family in arguments.families.split(","):
            if family != "random" and not TRACES.is_dir():
                print(f"skipped {family}: no {TRACES}", file=sys.stderr)
                continue
            worlds = run(family, arguments, folder)
            everything += worlds
            found = report(family, worlds, arguments.policy, random.Random(1))
            rows += found
            if not arguments.json:
                show(found)
        found = report("all", everything, arguments.policy, random.Random(1))
        rows += found
    if arguments.json:
        print(json.dumps({"rows": rows, "worlds": everything}))
    else:
        show(found)


def show(rows):
    for r in rows:
        print(f"{r['family']:9} {r['policy']:24} {r['worlds']:4}  cost {100 * r['cost']:+6.1f} % "
              f"[{100 * r['low']:+5.1f}, {100 * r['high']:+5.1f}]  late {r['late_points']:+6.2f} of {r['late_steady']:5.2f} %  "
              f"bytes {r['bytes']:5.3f}  near best {100 * r['near_best']:3.0f} %  worst {100 * r['worst']:+6.1f} % {r['worst_world']}  "
              f"worse {len(r['worse'])}", flush=True)


if __name__ == "__main__":
    main()
