"""Trains and evaluates over many recordings on a cluster, with the bytes of one machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..command import find_command, run
from ..errors import CommandError
from . import tasks
from .places import Place, distribute, parse_place
from .progress import Progress
from .tasks import Result, Work

if TYPE_CHECKING:
    from pyspark import RDD, SparkContext

# How many files a task merges; the last ones are merged by the driver.
FAN_IN = 8


def train(
    context: SparkContext,
    traces: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    options: Sequence[str] = (),
    penalties: Sequence[float] = (),
    command: str | None = None,
    worker_command: str | None = None,
) -> str:
    """Trains a ridge model; the file has the same bytes as `pathwise train` on one machine.

    The statistics of each trace are made on the machine where it lies and merged as a tree. A
    worker that dies costs the traces under way there; Spark makes them again elsewhere.

    :param context: the cluster.
    :param traces: `PATH` if all workers see it, else `HOST:PATH`.
    :param output: the model file; its card is written beside it.
    :param options: options of `pathwise train` that shape the statistics, such as `--holdout`.
    :param penalties: the values of `--lambda`.
    :param command: the command of the driver (`find_command`).
    :param worker_command: the command of the workers, if it is elsewhere.
    :returns: what `pathwise train` prints.
    :raises CommandError: if the command refuses a trace, with what it says about each.
    """
    driver = find_command(command)
    work = Work(worker_command or driver, "train", tuple(options))
    places = [parse_place(os.fspath(trace)) for trace in traces]
    with tempfile.TemporaryDirectory(prefix="pathwise-spark-") as folder:
        parts = tasks.write(statistics(context, places, work), folder)
        extra = [word for value in penalties for word in ("--lambda", repr(value))]
        return run("train", "--merge", *parts, "--output", output, *extra, command=driver)


def evaluate(
    context: SparkContext,
    traces: Sequence[str | os.PathLike[str]],
    policies: Sequence[str],
    options: Sequence[str] = (),
    report: Sequence[str] = ("--json",),
    command: str | None = None,
    worker_command: str | None = None,
) -> str:
    """Estimates what policies would have achieved; the report is that of `pathwise evaluate`.

    It has the bytes that `pathwise evaluate --statistics` and `--merge` give on one machine.

    :param context: the cluster.
    :param traces: `PATH` if all workers see it, else `HOST:PATH`.
    :param policies: names, or model files, which have to be at the same path on all workers.
    :param options: options of `pathwise evaluate` that shape the sums, such as `--lateness`.
    :param report: those that shape the report, such as `--confidence` or `--report`.
    :param command: the command of the driver (`find_command`).
    :param worker_command: the command of the workers, if it is elsewhere.
    :returns: what `pathwise evaluate --merge` prints.
    :raises CommandError: if the command refuses a trace, with what it says about each.
    """
    driver = find_command(command)
    named = [word for policy in policies for word in ("--policy", policy)]
    work = Work(worker_command or driver, "evaluate", (*named, *options))
    places = [parse_place(os.fspath(trace)) for trace in traces]
    with tempfile.TemporaryDirectory(prefix="pathwise-spark-") as folder:
        parts = tasks.write(statistics(context, places, work), folder)
        return run("evaluate", "--merge", *parts, *report, command=driver)


def statistics(context: SparkContext, places: list[Place], work: Work) -> list[Result]:
    """Makes the statistics of all traces, merged to at most `FAN_IN` files.

    :param context: the cluster.
    :param places: the traces.
    :param work: how statistics are made and merged.
    :raises CommandError: if the command refuses a trace.
    """
    from pyspark import StorageLevel
    from pyspark.cloudpickle import register_pickle_by_value

    if not places:
        raise CommandError("there are no traces")
    # Workers get the functions themselves and need no package.
    register_pickle_by_value(tasks)
    summarise, merge = tasks.summarise, tasks.merge
    level = (
        distribute(context, places)
        .map(lambda trace: (trace, summarise(work, trace)))
        .persist(StorageLevel.DISK_ONLY)
    )
    with Progress(context, "statistics of traces", len(places)):
        refused = level.filter(lambda pair: pair[1].fault != "").collect()
    if refused:
        raise CommandError("; ".join(f"{trace}: {result.fault}" for trace, result in refused))
    results: RDD[Result] = level.values()
    count = len(places)
    while count > FAN_IN:
        groups = -(-count // FAN_IN)
        results = (
            results.mapPartitionsWithIndex(
                lambda index, items: ((index // FAN_IN, item) for item in items)
            )
            .groupByKey(groups)
            .map(lambda pair: merge(work, list(pair[1])))
        )
        count = groups
    with Progress(context, "merging", count):
        merged = results.collect()
    level.unpersist()
    for result in merged:
        if result.fault:
            raise CommandError(result.fault)
    return merged
