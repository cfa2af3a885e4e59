"""`python -m pathwise_data.spark`: trains and evaluates over recordings on a Spark cluster."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import PathwiseError
from ..version import VERSION
from .places import PATIENCE, parse_place

if TYPE_CHECKING:
    from pyspark import SparkContext

USAGE, SOFTWARE = 64, 70
# Options that are passed on to the command: those that shape sums, and those of the report.
SUMS = {"train": ("holdout", "weights", "objective"), "evaluate": ("baseline", "lateness", "price")}
REPORT = ("interval", "confidence", "report")


def main(arguments: list[str] | None = None) -> int:
    """Runs the program; returns its exit code.

    :param arguments: instead of those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        from py4j.protocol import Py4JJavaError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        print("pathwise_data.spark: pyspark is missing: pip install pyspark", file=sys.stderr)
        return USAGE
    builder = SparkSession.builder.appName(f"pathwise {options.subcommand}")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    if any(parse_place(trace).host for trace in options.trace):
        builder = builder.config(*PATIENCE)
    session = (builder.master(options.master) if options.master else builder).getOrCreate()
    try:
        job: Callable[[SparkContext, argparse.Namespace], str] = options.job
        print(job(session.sparkContext, options), end="")
    except PathwiseError as error:
        print(f"pathwise_data.spark: {error}", file=sys.stderr)
        return USAGE
    except (Py4JJavaError, PySparkException) as error:
        print(f"pathwise_data.spark: the job failed: {_cause(str(error))}", file=sys.stderr)
        return SOFTWARE
    finally:
        session.stop()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pathwise_data.spark", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="subcommand", required=True)
    train = commands.add_parser("train", help="train a model; the bytes are those of one machine")
    train.set_defaults(job=_train)
    train.add_argument("--output", required=True, metavar="MODEL")
    train.add_argument("--lambda", dest="penalties", type=float, action="append", default=[])
    evaluate = commands.add_parser("evaluate", help="estimate what policies would have achieved")
    evaluate.set_defaults(job=_evaluate)
    evaluate.add_argument("--policy", action="append", required=True, help="repeat for more")
    evaluate.add_argument("--estimator", action="append", default=[], help="repeat for more")
    evaluate.add_argument("--json", action="store_true")
    for name in REPORT:
        evaluate.add_argument(f"--{name}", help="as of pathwise evaluate")
    for subcommand, command in (("train", train), ("evaluate", evaluate)):
        for name in SUMS[subcommand]:
            command.add_argument(f"--{name}", help=f"as of pathwise {subcommand}")
        command.add_argument("trace", nargs="+", help="PATH if all workers see it, or HOST:/PATH")
        command.add_argument("--master", help="spark://HOST:PORT, instead of Spark's own setting")
        command.add_argument("--pathwise", metavar="COMMAND", help="the command of the driver")
        command.add_argument("--worker-pathwise", metavar="COMMAND", help="that of the workers")
    return parser


def _passed(options: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    given = [name for name in names if getattr(options, name) is not None]
    return [word for name in given for word in (f"--{name}", getattr(options, name))]


def _train(context: SparkContext, options: argparse.Namespace) -> str:
    from .job import train

    return train(
        context,
        options.trace,
        options.output,
        _passed(options, SUMS["train"]),
        options.penalties,
        options.pathwise,
        options.worker_pathwise,
    )


def _evaluate(context: SparkContext, options: argparse.Namespace) -> str:
    from .job import evaluate

    estimators = [word for name in options.estimator for word in ("--estimator", name)]
    return evaluate(
        context,
        options.trace,
        options.policy,
        _passed(options, SUMS["evaluate"]) + estimators,
        _passed(options, REPORT) + ["--json"] * options.json,
        options.pathwise,
        options.worker_pathwise,
    )


def _cause(text: str) -> str:
    """The exception of a task, from the text that Spark makes of it."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in lines if line.startswith("RuntimeError: ")), lines[0])


if __name__ == "__main__":
    sys.exit(main())
