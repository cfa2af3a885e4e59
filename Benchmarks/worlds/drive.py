#!/usr/bin/env python3
"""A drive with three mobile operators: the simulator beside a replay without load.

    drive.py [--rate 5]     traces of ../shared/traces/pam2025_multicarrier, May 2023

The world has the round trips of the recording (every 200 ms, with its losses) as delays towards the
server, and messages with a deadline of 150 ms that are not sent again; `--rate` is how many a second.
The replay takes the same slots, in which all three operators were probed. Late is above 150 ms or lost.

There are two replays. The plain one knows the answer of every operator one slot later, and sends on
whatever the policy says. The transport's has two of its rules besides: a path that has been silent
for 400 ms has failed and carries nothing until it answers, and round-robin leaves out a path whose
last probe had no answer. Neither copies a late message to another path, as the transport does. So beside
what was late there is what the choice of paths alone gives: the share of messages whose first path was late
or lost in that slot of the recording, from a trace of the run, for round-robin the mean of three starts.
Prints a row for each policy.
"""
import argparse
import bisect
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

from common import PATHWISE, TRACES, drives

OPERATORS = ["atnt", "tmobile", "verizon"]
LATE = 150.0
WORLD = """
duration = "{seconds}s"
{links}
[[workload]]
kind = "messages"
size = 100
interval = "{interval}ms"
deadline = "150ms"
start = "{start}s"
reliable = false
"""
LINK = """
[[link]]
name = "{name}"
reorder = true
up.delays = "{file}"
"""


def slots():
    """Slots of 200 ms in which all operators have a probe: their round trips, None for a lost one."""
    table = {}
    for day in drives().values():
        for slot, found in day.items():
            table[slot] = found | table.get(slot, {})
    return [[table[slot][operator] for operator in OPERATORS] for slot in sorted(table)
            if len(table[slot]) == len(OPERATORS)]


def late(rtt):
    return rtt is None or rtt > LATE


FAILED = 400.0


def silences(rows):
    """By slot and operator: milliseconds since the last answer that had arrived by then."""
    table = []
    for operator in range(len(OPERATORS)):
        answers = sorted(200 * slot + row[operator] for slot, row in enumerate(rows) if row[operator] is not None)
        times = []
        for slot in range(len(rows)):
            place = bisect.bisect_right(answers, 200 * slot)
            times.append(200 * slot - answers[place - 1] if place else 0)
        table.append(times)
    return list(zip(*table))


def replay(rows, choose, silent=None):
    """Share of late slots; `choose` gets the slot and the estimates, which lag by one slot.

    With `silent`, the silences of the paths, a failed path carries nothing.
    """
    estimates, count, current = [None] * len(OPERATORS), 0, 0
    ages = [0.0] * len(OPERATORS)
    for place, row in enumerate(rows):
        current = choose(place, estimates, ages, current)
        count += late(row[current]) or (silent is not None and silent[place][current] > FAILED)
        for index, rtt in enumerate(row):
            if rtt is None:
                ages[index] += 200
            else:
                ages[index] = 0
                old = estimates[index]
                estimates[index] = rtt if old is None else old + (rtt - old) / 4
    return count / len(rows)


def in_turn(place, estimates, ages, current):
    """The next operator whose last probe had an answer."""
    order = [(current + step) % len(OPERATORS) for step in range(1, len(OPERATORS) + 1)]
    return next((index for index in order if ages[index] == 0), order[0])


def value(estimate, age):
    return max(estimate if estimate is not None else 1e9, age)


def lowest(place, estimates, ages, current):
    return min(range(len(OPERATORS)), key=lambda index: value(estimates[index], 0))


def steady(place, estimates, ages, current):
    best = min(range(len(OPERATORS)), key=lambda index: value(estimates[index], ages[index]))
    mine = value(estimates[current], ages[current])
    return best if value(estimates[best], ages[best]) < mine / 1.2 - 5 else current


def first_paths(trace, rows):
    """Share of the messages of a recorded run whose first path was late in its slot."""
    database = sqlite3.connect(trace)
    sent = database.execute("SELECT time_s, path FROM decision_outcomes WHERE session = 1 AND class = 'message'")
    found = [late(rows[round(time / 0.2)][path]) for time, path in sent if round(time / 0.2) < len(rows)]
    return sum(found) / len(found)


def simulate(rows, rate, policies, chosen, start=0.6):
    """Late shares by policy; and by choice alone of the policies in `chosen`, if a message falls into each slot."""
    with tempfile.TemporaryDirectory() as name:
        links = ""
        for index, operator in enumerate(OPERATORS):
            file = pathlib.Path(name) / f"{operator}.delays"
            file.write_text("\n".join("lost" if row[index] is None else f"{row[index]}" for row in rows) + "\n")
            links += LINK.format(name=operator, file=file)
        world = pathlib.Path(name) / "drive.toml"
        world.write_text(WORLD.format(seconds=round(len(rows) * 0.2), links=links, interval=1000 / rate, start=start))
        words = [word for policy in policies for word in ("--policy", policy)]
        run = subprocess.run([PATHWISE, "simulate", str(world), *words, "--baseline", policies[0], "--seeds", "1",
                              "--json", "--record", name], capture_output=True, text=True)
        if run.returncode:
            sys.exit(f"drive.py: {run.stderr.strip()}")
        choice = {policy: first_paths(f"{name}/drive.{policy}.1.trace", rows) for policy in chosen}
    found = json.loads(run.stdout)["worlds"][0]["policies"]
    return {one["policy"]: one["runs"][0]["workloads"][0]["late"] for one in found}, choice


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rate", type=float, default=5)
    arguments = parser.parse_args()
    if not drives():
        print(f"skipped: no {TRACES / 'pam2025_multicarrier'}")
        return
    rows = slots()
    silent = silences(rows)
    choices = {f"single:{name}": lambda place, *_, index=index: index for index, name in enumerate(OPERATORS)}
    choices |= {"round-robin": lambda place, *_: place % len(OPERATORS), "min-rtt": lowest, "steady": steady}
    plain = {name: replay(rows, choose) for name, choose in choices.items()}
    choices["round-robin"] = in_turn
    transport = {name: replay(rows, choose, None if name == "round-robin" else silent) for name, choose in choices.items()}
    everywhere = sum(all(late(rtt) for rtt in row) for row in rows) / len(rows)
    chosen = ["round-robin", "min-rtt", "steady"] if arguments.rate == 5 else []
    found, choice = simulate(rows, arguments.rate, list(plain) + ["earliest", "learned", "redundant"], chosen)
    if chosen:
        # Whose turn it is at a moment is chance.
        others = [simulate(rows, 5, chosen[:1], chosen[:1], start)[1]["round-robin"] for start in (0.8, 1.0)]
        choice["round-robin"] = (choice["round-robin"] + sum(others)) / 3
    print(f"{len(rows)} slots of 200 ms, {arguments.rate:g} messages a second; late on all operators {everywhere:.2%}")
    print(f"{'policy':18} simulated  plain replay       transport's replay  its first paths alone")
    for policy, share in found.items():
        text = f"{policy:20} {share:.2%}"
        for replayed in (plain, transport):
            if policy in replayed:
                text += f"     {replayed[policy]:.2%} {(share - replayed[policy]) * 100:+.2f}"
        if policy in choice:
            text += f"     {choice[policy]:.2%} {(choice[policy] - transport[policy]) * 100:+.2f}"
        print(text)


main()
