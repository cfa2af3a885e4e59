#!/usr/bin/env python3
"""What simulations cost: speed, how it grows with jobs, and the memory of each world that ships.

    cost.py [speed] [jobs] [memory] [--duration 120] [--workload bulk]

speed   virtual seconds for each second of processor time, one job
jobs    virtual seconds for each second of the clock, 1 job to as many as there are processors
memory  the most resident memory of the command with one world, one policy, one seed and one job, and how much of
        that the world takes: what is above the memory of the command that only lists worlds

Set PATHWISE to the command. Nothing else should run on the machine.
"""
import argparse
import os
import subprocess
import tempfile
import time

from common import PATHWISE

LOADS = [("bulk", "steady", 100), ("bulk", "learned", None), ("messages", "steady", 600), ("messages", "learned", 400)]
MOST_MEMORY = 40


def run(world, *words):
    """Runs a world; returns the seconds of the clock and of processors, and the most resident MB."""
    return command("--world", world, "--json", *words)


def command(*words):
    with tempfile.TemporaryFile() as errors:
        begin = time.monotonic()
        process = subprocess.Popen([PATHWISE, "simulate", *map(str, words)],
                                   stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"cost.py: {errors.read().decode().strip()}")
    return clock, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def load(name):
    return ["--workload", "bulk"] if name == "bulk" else []


def speed(duration):
    print("workload   policy     virtual s per processor s   bound")
    for name, policy, bound in LOADS:
        _, spent, _ = run("S1", *load(name), "--policy", policy, "--seeds", 1, "--jobs", 1, "--duration", f"{duration}s")
        print(f"{name:10} {policy:10} {duration / spent:25.1f}   {bound or '-'}")


def jobs(duration):
    most = os.cpu_count()
    seeds = 2 * most
    first = None
    print("jobs   virtual s per second   of one job, times")
    for count in range(1, most + 1):
        clock, _, _ = run("S1", *load("bulk"), "--policy", "steady", "--seeds", seeds, "--jobs", count,
                          "--duration", f"{duration}s")
        rate = seeds * duration / clock
        first = first or rate
        print(f"{count:4} {rate:22.1f} {rate / first:19.2f}")


def memory(workload):
    listed = subprocess.run([PATHWISE, "simulate", "--list"], capture_output=True, text=True, check=True).stdout
    # A line of titles, a rule, and a line for each world.
    names = [line.split()[0] for line in listed.splitlines()[2:] if line.split()]
    _, _, empty = command("--list")
    found = sorted(((run(name, *load(workload), "--policy", "steady", "--seeds", 1, "--jobs", 1)[2], name)
                    for name in names), reverse=True)
    print(f"world                    MB   of the world, bound {MOST_MEMORY} (the command alone: {empty:.1f})")
    for megabytes, name in found:
        print(f"{name:20} {megabytes:6.1f} {megabytes - empty:14.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["speed", "jobs", "memory"])
    parser.add_argument("--duration", type=int, default=120)
    parser.add_argument("--workload", choices=["bulk", "own"], default="own", help="of the table of memory")
    arguments = parser.parse_args()
    for what in arguments.what:
        if what == "memory":
            memory(arguments.workload)
        else:
            {"speed": speed, "jobs": jobs}[what](arguments.duration)


main()
