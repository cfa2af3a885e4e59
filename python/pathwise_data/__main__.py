"""`python -m pathwise_data`: converts recordings to Parquet, and shows what they hold."""

from __future__ import annotations

import argparse
import sys

from .errors import NotATrace, PathwiseError, TraceError
from .trace.parquet import TABLES, to_parquet
from .trace.reader import read_decisions, read_trace
from .version import VERSION

# As the command's exit codes, from sysexits(3).
USAGE, BAD_DATA, NO_INPUT = 64, 65, 66


def main(arguments: list[str] | None = None) -> int:
    """Runs the program; returns its exit code.

    :param arguments: instead of those of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m pathwise_data", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    parquet = commands.add_parser("parquet", help="write the tables of a trace as Parquet files")
    parquet.add_argument("trace")
    parquet.add_argument("--output", required=True, metavar="FOLDER")
    parquet.add_argument("--table", action="append", choices=TABLES, help="only this; repeat")
    info = commands.add_parser("info", help="show the tables of a trace, their rows and columns")
    info.add_argument("trace")
    options = parser.parse_args(arguments)
    try:
        if options.command == "parquet":
            files = to_parquet(options.trace, options.output, tuple(options.table or TABLES))
            for name, file in files.items():
                print(f"{name}: {file}, {file.stat().st_size} bytes")
        else:
            _show(options.trace)
    except NotATrace as error:
        return _fail(error, NO_INPUT)
    except TraceError as error:
        return _fail(error, BAD_DATA)
    except (PathwiseError, OSError) as error:
        return _fail(error, USAGE)
    return 0


def _show(path: str) -> None:
    trace = read_trace(path, candidates=False)
    for name in TABLES:
        if name != "candidates":
            frame = getattr(trace, name)
            print(f"{name}: {len(frame)} rows: {', '.join(frame.columns)}")
    rows, columns = 0, list[str]()
    for batch in read_decisions(path):
        rows += len(batch.candidates)
        columns = list(batch.candidates.columns)
    print(f"candidates: {rows} rows: {', '.join(columns)}")


def _fail(error: Exception, code: int) -> int:
    print(f"pathwise_data: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
