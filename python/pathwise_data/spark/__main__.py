"""`python -m pathwise_data.spark`: trains from recordings on a Spark cluster."""

from __future__ import annotations

import argparse
import sys

from ..errors import PathwiseError
from ..version import VERSION

USAGE, SOFTWARE = 64, 70


def main(arguments: list[str] | None = None) -> int:
    """Runs the program; returns its exit code.

    :param arguments: instead of those of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m pathwise_data.spark", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="subcommand", required=True)
    train = commands.add_parser("train", help="train a model; the bytes are those of one machine")
    train.add_argument("trace", nargs="+", help="PATH if all workers see it, else HOST:/PATH")
    train.add_argument("--output", required=True, metavar="MODEL")
    train.add_argument("--master", help="spark://HOST:PORT, instead of Spark's own setting")
    train.add_argument("--holdout", help="as of pathwise train")
    train.add_argument("--weights", help="as of pathwise train")
    train.add_argument("--objective", help="as of pathwise train")
    train.add_argument("--lambda", dest="penalties", type=float, action="append", default=[])
    train.add_argument("--pathwise", metavar="COMMAND", help="the command of the driver")
    train.add_argument("--worker-pathwise", metavar="COMMAND", help="that of the workers")
    options = parser.parse_args(arguments)
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        print("pathwise_data.spark: pyspark is missing: pip install pyspark", file=sys.stderr)
        return USAGE
    from py4j.protocol import Py4JJavaError

    from .job import train as run_job

    shaping = [
        word
        for name in ("holdout", "weights", "objective")
        if getattr(options, name) is not None
        for word in (f"--{name}", getattr(options, name))
    ]
    builder = SparkSession.builder.appName("pathwise train")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    session = (builder.master(options.master) if options.master else builder).getOrCreate()
    try:
        summary = run_job(
            session.sparkContext,
            options.trace,
            options.output,
            shaping,
            options.penalties,
            options.pathwise,
            options.worker_pathwise,
        )
    except PathwiseError as error:
        print(f"pathwise_data.spark: {error}", file=sys.stderr)
        return USAGE
    except (Py4JJavaError, PySparkException) as error:
        print(f"pathwise_data.spark: the job failed: {_cause(str(error))}", file=sys.stderr)
        return SOFTWARE
    finally:
        session.stop()
    print(summary, end="")
    return 0


def _cause(text: str) -> str:
    """The exception of a task, from the text that Spark makes of it."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in lines if line.startswith("RuntimeError: ")), lines[0])


if __name__ == "__main__":
    sys.exit(main())
