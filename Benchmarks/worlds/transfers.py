#!/usr/bin/env python3
"""Transfers over random worlds: each policy against the best single path of the same world.

    transfers.py [--first 7000] [--worlds 60] [--sizes 100000,1000000] [--policy learned]... [--jobs 2]

Links are those of `pathwise world random`; transfers of one size follow each other half a second apart.
Printed is the mean completion time over that of the best single path, its 95 % interval over worlds, the
geometric mean, and in how many worlds it is more than 5 % slower. Set PATHWISE to the command.
"""
import argparse
import concurrent.futures
import json
import math
import pathlib
import re
import statistics
import subprocess
import tempfile

from common import PATHWISE


def world_of(seed, size):
    shown = subprocess.run([PATHWISE, "world", "random", "--seed", str(seed)], capture_output=True, text=True, check=True)
    links = shown.stdout.split("[[workload]]")[0]
    return f'{links}[[workload]]\nkind = "transfers"\nsize = {size}\nthink = "500ms"\n'


def completions(folder, seed, size, policies):
    """Mean completion time by policy, and of each single path."""
    file = pathlib.Path(folder) / f"random{seed}-{size}.toml"
    file.write_text(world_of(seed, size))
    links = len(re.findall(r"^\[\[link\]\]", file.read_text(), re.MULTILINE))
    singles = [f"single:link{number + 1}" for number in range(links)]
    words = [word for policy in [*policies, *singles] for word in ("--policy", policy)]
    run = subprocess.run([PATHWISE, "simulate", str(file), "--seeds", "1", "--jobs", "1", "--json", *words],
                         capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"transfers.py: {run.stderr.strip()}")
    found = {}
    for one in json.loads(run.stdout)["worlds"][0]["policies"]:
        value = one["workloads"][0]["completion"]
        if value and value["value"]:
            found[one["policy"]] = value["value"]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=7000)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--sizes", default="100000,1000000")
    parser.add_argument("--policy", action="append")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    policies = arguments.policy or ["learned"]
    seeds = range(arguments.first, arguments.first + arguments.worlds)
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for size in map(int, arguments.sizes.split(",")):
            rows = list(pool.map(lambda seed: completions(folder, seed, size, policies), seeds))
            print(f"{size} bytes, {len(rows)} worlds, against the best single path")
            for policy in policies:
                ratios = [row[policy] / min(value for name, value in row.items() if name.startswith("single"))
                          for row in rows if policy in row and any(name.startswith("single") for name in row)]
                half = 1.96 * statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else math.nan
                slower = sum(ratio > 1.05 for ratio in ratios)
                print(f"  {policy:16s} {statistics.fmean(ratios):.3f} +- {half:.3f}, geometric mean "
                      f"{statistics.geometric_mean(ratios):.3f}, more than 5 % slower in {slower} of {len(ratios)}", flush=True)


if __name__ == "__main__":
    main()
