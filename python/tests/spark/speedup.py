"""Measures the same training with one and with two workers: `make bench-spark`.

Each worker has one core. The traces, 60 of bulk transfers in random worlds, are made first. Wall
time is from the call to the model, with running executors; three runs each, one after the other.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from pyspark.sql import SparkSession

from pathwise_data.command import run, run_json
from pathwise_data.spark import train

from .cluster import QUICK_START, Cluster

RUNS = 3


def traces(folder: Path) -> list[Path]:
    """Makes the recordings, unless they are there."""
    if not (folder / "complete").exists():
        run("simulate", "--random", "20", "--seeds", "3", "--workload", "bulk", "--policy",
            "weighted", "--duration", "20s", "--record", folder)  # fmt: skip
        (folder / "complete").touch()
    return sorted(folder.glob("*.trace"))


def measure(workers: int, recordings: list[Path], folder: Path) -> tuple[list[float], bytes]:
    """Seconds of each run, and the model."""
    logs = folder / str(workers)
    logs.mkdir()
    cluster = Cluster(logs, workers)
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": QUICK_START,
        "spark.executor.extraJavaOptions": QUICK_START,
        "spark.executor.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    session = SparkSession.builder.master(cluster.url).config(map=settings).getOrCreate()
    model = folder / "model.safetensors"
    try:
        seconds = []
        # The first run waits for executors and Python, and is not counted.
        for _ in range(1 + RUNS):
            started = time.monotonic()
            train(session.sparkContext, recordings, model)
            seconds.append(time.monotonic() - started)
        return seconds[1:], model.read_bytes()
    finally:
        session.stop()
        cluster.stop()


def main() -> None:
    """Prints the seconds of every run and the ratio of the medians."""
    recordings = traces(Path(sys.argv[1]))
    infos = [run_json("trace", "info", path) for path in recordings]
    decisions = sum(session["decisions"] for info in infos for session in info["sessions"])
    size = sum(path.stat().st_size for path in recordings)
    print(f"{len(recordings)} traces, {decisions} decisions, {size / 1e9:.2f} GB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = []
        for _ in range(RUNS):
            started = time.monotonic()
            run("train", *recordings, "--output", folder / "one.safetensors")
            alone.append(time.monotonic() - started)
        one, first = measure(1, recordings, folder)
        two, second = measure(2, recordings, folder)
        assert first == second == (folder / "one.safetensors").read_bytes()
    for what, seconds in (("pathwise train", alone), ("1 worker", one), ("2 workers", two)):
        runs = ", ".join(f"{value:.1f}" for value in seconds)
        print(f"{what}: median {statistics.median(seconds):.1f} s ({runs})")
    print(f"2 workers against 1: {statistics.median(one) / statistics.median(two):.2f} times")


if __name__ == "__main__":
    main()
