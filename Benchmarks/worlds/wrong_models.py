#!/usr/bin/env python3
"""Models that are wrong, in closed loop: what they cost before and after the guard sees it.

    wrong_models.py [--first 200001] [--worlds 40] [--families random,lte,...] [--duration 60s] [--json]

A sound model is trained on recordings of random worlds of other seeds. From it are made: `inverted`, whose
weights have the other sign and three times the size; `random-S`, normal weights of deviation S; `stale`,
the sound one with its features' weights shuffled; `scaled`, a hundred times too much. Each starts as
`pathwise send --policy FILE` would, with the confidence of the sound one.

Prints for each, over all worlds: the relative difference in cost from steady (mean time of a message, where a
late one counts as twice its deadline) with a 95 % interval, the worst world, how many runs demoted the model,
how often, and after how many decisions at first. Set PATHWISE to the command.
"""
import argparse
import json
import pathlib
import random
import statistics
import struct
import subprocess
import tempfile

import closed_loop
from common import PATHWISE


def read(file):
    """Header and tensors {name: [numbers]} of a model of float64."""
    content = file.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            tensors[name] = list(struct.unpack(f"<{(end - start) // 8}d", content[8 + length + start:8 + length + end]))
    return header, tensors


def write(file, header, tensors):
    names = sorted((n for n in header if n != "__metadata__"), key=lambda n: header[n]["data_offsets"][0])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(struct.pack(f"<{len(tensors[n])}d", *tensors[n]) for n in names))


def wrong(weights, kind, draw):
    if kind == "inverted":
        return [-3 * w for w in weights]
    if kind == "scaled":
        return [100 * w for w in weights]
    if kind == "stale":
        return draw.sample(weights, len(weights))
    return [draw.gauss(0, float(kind.split("-")[1])) for _ in weights]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=200001)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--families", default="random")
    parser.add_argument("--kinds", default="inverted,scaled,stale,random-0.1,random-0.3,random-1,random-3")
    parser.add_argument("--duration", default="60s")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--train", type=int, default=60, help="worlds of the sound model")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "traces").mkdir()
        subprocess.run([PATHWISE, "simulate", "--random", str(arguments.train), "--seed", "190001", "--seeds", "1",
                        "--duration", "20s", "--workload", "messages", "--policy", "weighted", "--jobs",
                        str(arguments.jobs), "--record", str(folder / "traces")], check=True, capture_output=True)
        sound = folder / "sound.safetensors"
        subprocess.run([PATHWISE, "train", *map(str, sorted((folder / "traces").glob("*.trace"))), "--output",
                        str(sound)], check=True, capture_output=True)
        header, tensors = read(sound)
        files = {"nothing": "learned", "sound": str(sound)}
        for kind in arguments.kinds.split(","):
            changed = dict(tensors)
            changed["weights"] = wrong(tensors["weights"], kind, random.Random(kind))
            files[kind] = str(folder / f"{kind}.safetensors")
            write(pathlib.Path(files[kind]), header, changed)
        arguments.policy = ["steady", *files.values()]
        closed_loop.figures = figures
        worlds = [world for family in arguments.families.split(",")
                  for world in closed_loop.run(family, arguments, folder)]
        print(f"{len(worlds)} worlds, {arguments.duration}", flush=True)
        for kind, policy in files.items():
            report(kind, policy, worlds, arguments.json)


def figures(one):
    loads = [load for run in one["runs"] for load in run["workloads"] if "late" in load]
    return (statistics.fmean(load["mean"] for load in loads), [run["demotions"] for run in one["runs"]],
            [run["decisions_until_demotion"] for run in one["runs"] if run["decisions_until_demotion"] is not None])


def report(kind, policy, worlds, is_json):
    rows = [(by[policy][0] / by["steady"][0] - 1, name) for name, by in worlds]
    mean = statistics.fmean(value for value, _ in rows)
    half = 1.96 * statistics.stdev(value for value, _ in rows) / len(rows) ** 0.5
    worst, place = max(rows)
    demotions = [count for _, by in worlds for count in by[policy][1]]
    demoted = sum(count > 0 for count in demotions)
    decisions = sorted(count for _, by in worlds for count in by[policy][2])
    median, most = (statistics.median(decisions), decisions[-1]) if decisions else (None, None)
    if is_json:
        print(json.dumps({"model": kind, "difference": mean, "half": half, "worst": worst, "worst_place": place,
                          "runs": len(demotions), "demoted": demoted, "demotions": sum(demotions),
                          "median_decisions": median, "most_decisions": most}), flush=True)
    else:
        print(f"  {kind:12s} {100 * mean:+6.2f} % +- {100 * half:.2f}, worst {100 * worst:+.1f} % in {place}; demoted in "
              f"{demoted} of {len(demotions)} runs, {sum(demotions)} times"
              + (f", first after {median:.0f} decisions, at most {most}" if decisions else ""), flush=True)


if __name__ == "__main__":
    main()
