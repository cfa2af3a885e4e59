"""Training on a standalone cluster: the bytes of one machine, also when a worker dies."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession

from pathwise_data import CommandError
from pathwise_data.command import run
from pathwise_data.spark import Place, evaluate, parse_place, train
from pathwise_data.spark.progress import Progress

from .cluster import QUICK_START, Cluster

# More than FAN_IN, so that workers merge, too.
TRACES = 12


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), workers=2)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="module")
def context(cluster: Cluster) -> Iterator[SparkContext]:
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.executor.memory": "512m",
        "spark.driver.extraJavaOptions": QUICK_START,
        "spark.executor.extraJavaOptions": QUICK_START,
        "spark.ui.enabled": "false",
        "spark.locality.wait": "1h",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master(cluster.url).appName("pathwise tests")
    session = builder.config(map=settings).getOrCreate()
    # Both executors are there before the first job.
    end = time.monotonic() + 300
    while session.sparkContext._jsc.sc().getExecutorMemoryStatus().size() < 3:
        assert time.monotonic() < end, "the executors did not come"
        time.sleep(0.2)
    yield session.sparkContext
    session.stop()


@pytest.fixture(scope="module")
def traces(pathwise: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("traces")
    run("simulate", "--world", "S2", "--policy", "weighted", "--seeds", str(TRACES),
        "--duration", "3s", "--record", folder)  # fmt: skip
    found = sorted(folder.glob("*.trace"))
    assert len(found) == TRACES
    return found


@pytest.fixture
def worker_command(pathwise: str, tmp_path: Path) -> tuple[Path, Path]:
    """The command for workers, which takes a while and writes who did what into a log."""
    log = tmp_path / "log"
    log.touch()
    script = tmp_path / "slow-pathwise"
    script.write_text(
        f'#!/bin/sh\necho "$PATHWISE_TEST_WORKER start $2" >> {log}\nsleep 0.4\n'
        f'{pathwise} "$@" || exit\necho "$PATHWISE_TEST_WORKER end $2" >> {log}\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script, log


def words(log: Path) -> list[list[str]]:
    return [line.split(" ", 2) for line in log.read_text().splitlines()]


def one_machine(traces: list[Path], folder: Path, *options: str) -> bytes:
    run("train", *traces, "--output", folder / "one.safetensors", *options)
    return (folder / "one.safetensors").read_bytes()


def test_places() -> None:
    assert parse_place("a/b.trace") == Place("a/b.trace")
    assert parse_place("node-3.example:/data/x y.trace") == Place(
        "/data/x y.trace", "node-3.example"
    )
    assert parse_place("odd:name.trace") == Place("odd:name.trace")


def test_same_bytes_as_one_machine(
    context: SparkContext, traces: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "many.safetensors"
    summary = train(context, traces, output, ["--holdout", "0.3"], [0.5, 5])
    expected = one_machine(traces, tmp_path, "--holdout", "0.3", "--lambda", "0.5", "--lambda", "5")
    assert output.read_bytes() == expected
    assert "held-out end of the sessions" in summary
    # The order of traces does not matter.
    train(context, traces[::-1], output, ["--holdout", "0.3"], [0.5, 5])
    assert output.read_bytes() == expected
    assert f"statistics of traces: {TRACES} of {TRACES} done" in capsys.readouterr().err


def test_evaluation_is_that_of_one_machine(
    context: SparkContext, traces: list[Path], tmp_path: Path
) -> None:
    if "--statistics" not in run("evaluate", "--help"):
        pytest.skip("this pathwise has no evaluate --statistics")
    policies = ["steady", "single:p2"]
    named = [word for policy in policies for word in ("--policy", policy)]
    options = ["--lateness", "2", "--baseline", "steady"]
    found = evaluate(context, traces[::-1], policies, options, ["--json", "--confidence", "0.9"])
    sums = tmp_path / "sums"
    run("evaluate", *traces, *named, *options, "--statistics", sums)
    assert found == run("evaluate", "--merge", sums, "--json", "--confidence", "0.9")
    report = json.loads(found)
    assert len(report["policies"]) == 2 and report["policies"][0]["policy"] == "steady"
    assert report["decisions"] > 1000 and report["confidence"] == 0.9


def test_the_program(pathwise: str, traces: list[Path], tmp_path: Path) -> None:
    """In a process of its own, without a cluster; the first two traces."""
    words = [sys.executable, "-m", "pathwise_data.spark", "train", "--master", "local[1]"]
    missing = [*words, "--output", tmp_path / "no", tmp_path / "none.trace"]
    refused = subprocess.run(missing, check=False, capture_output=True, text=True)
    assert refused.returncode == 64 and "none.trace" in refused.stderr.splitlines()[-1]
    output = tmp_path / "many.safetensors"
    done = subprocess.run(
        # The machine does not exist, so any will do that has the file.
        [*words, "--output", output, "--lambda", "1", traces[0], f"nowhere:{traces[1]}"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "held-out end of the sessions" in done.stdout
    assert output.read_bytes() == one_machine(traces[:2], tmp_path, "--lambda", "1")


def test_traces_of_one_machine_are_read_there(
    context: SparkContext,
    cluster: Cluster,
    traces: list[Path],
    tmp_path: Path,
    worker_command: tuple[Path, Path],
) -> None:
    script, log = worker_command
    # Two machines that prefer uneven shares: three traces on the second one.
    owner = {trace: cluster.hosts[index < 3] for index, trace in enumerate(traces)}
    named = [f"{host}:{trace}" for trace, host in owner.items()]
    output = tmp_path / "many.safetensors"
    train(context, named, output, worker_command=str(script))
    assert output.read_bytes() == one_machine(traces, tmp_path)
    made = {Path(what): who for who, step, what in words(log) if step == "end" and what[0] == "/"}
    assert made == owner


def test_refused_traces_are_named_at_once(
    context: SparkContext, traces: list[Path], tmp_path: Path, worker_command: tuple[Path, Path]
) -> None:
    script, log = worker_command
    cut = tmp_path / "cut.trace"
    cut.write_bytes(traces[0].read_bytes()[:50_000])
    missing = tmp_path / "missing.trace"
    with pytest.raises(CommandError, match=r"cut\.trace.*; .*missing\.trace.*No such file"):
        train(context, [*traces[:2], cut, missing], tmp_path / "x", worker_command=str(script))
    assert not (tmp_path / "x").exists()
    # Each was tried once: another try would not help.
    assert sum(step == "start" for _, step, _ in words(log)) == 4
    with pytest.raises(CommandError, match="same"):
        train(context, [traces[0], traces[0]], tmp_path / "x")
    with pytest.raises(CommandError, match="there are no traces"):
        train(context, [], tmp_path / "x")


def test_progress_lines(context: SparkContext) -> None:
    output = io.StringIO()
    with Progress(context, "waiting", 4, output):
        context.parallelize(range(4), 4).map(lambda _: time.sleep(0.5)).collect()
    lines = output.getvalue().splitlines()
    assert lines[-1].startswith("waiting: 4 of 4 done") and len(lines) > 1


def test_a_killed_worker_costs_only_its_own_work(
    context: SparkContext,
    cluster: Cluster,
    traces: list[Path],
    tmp_path: Path,
    worker_command: tuple[Path, Path],
) -> None:
    """The last test: one worker is gone after it."""
    script, log = worker_command
    victim = cluster.hosts[1]
    killed = threading.Event()

    def kill_in_the_middle() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            done = [who for who, step, _ in words(log) if step == "end"]
            if done.count(victim) >= 2 and words(log)[-1][:2] == [victim, "start"]:
                cluster.kill(victim)
                killed.set()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=kill_in_the_middle)
    thread.start()
    output = tmp_path / "many.safetensors"
    train(context, traces, output, worker_command=str(script))
    thread.join()
    assert killed.is_set()
    assert output.read_bytes() == one_machine(traces, tmp_path)
    steps = [entry for entry in words(log) if entry[2].startswith("/")]
    lost = {what for who, step, what in steps if who == victim and step == "start"}
    again = {what for who, step, what in steps if who != victim and step == "end"} & lost
    assert len(lost) >= 3 and len(again) >= 1
    assert {what for _, step, what in steps if step == "end"} == {os.fspath(t) for t in traces}
