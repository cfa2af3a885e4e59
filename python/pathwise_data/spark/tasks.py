"""What workers do: run the command on the traces of their machine.

Spark sends these functions as code, so workers need Python and nothing else of this package:
only the standard library is imported here.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass

# Exit codes of sysexits(3) that another try does not change: usage, data, input.
FINAL = (64, 65, 66)


@dataclass(frozen=True)
class Work:
    """How statistics are made and merged: `pathwise SUBCOMMAND` with `options`.

    `command` is the command's name on the workers.
    """

    command: str
    subcommand: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """The file of statistics of one or more traces, or why there is none."""

    statistics: bytes = b""
    fault: str = ""


def summarise(work: Work, trace: str) -> Result:
    """Makes the statistics of one trace, on the machine where it lies.

    :raises RuntimeError: if the command was killed or could not run; Spark tries again.
    """
    with tempfile.TemporaryDirectory(prefix="pathwise-spark-") as folder:
        output = os.path.join(folder, "statistics")
        fault = _run(work, [trace, *work.options, "--statistics", output])
        return Result(fault=fault) if fault else Result(_read(output))


def merge(work: Work, results: list[Result]) -> Result:
    """Merges files of statistics into one; their order does not matter.

    :raises RuntimeError: as `summarise`.
    """
    if len(results) == 1 or any(result.fault for result in results):
        return next((result for result in results if result.fault), results[0])
    with tempfile.TemporaryDirectory(prefix="pathwise-spark-") as folder:
        parts = write(results, folder)
        output = os.path.join(folder, "merged")
        fault = _run(work, ["--merge", *parts, "--statistics", output])
        return Result(fault=fault) if fault else Result(_read(output))


def write(results: list[Result], folder: str) -> list[str]:
    """Writes statistics as files into a folder, and returns their paths."""
    paths = []
    for number, result in enumerate(results):
        path = os.path.join(folder, f"{number}.statistics")
        with open(path, "wb") as file:
            file.write(result.statistics)
        paths.append(path)
    return paths


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _run(work: Work, arguments: list[str]) -> str:
    """Runs the command; returns what it says if it refuses its input."""
    try:
        done = subprocess.run(
            [work.command, work.subcommand, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
    except OSError as error:
        raise RuntimeError(
            f"cannot run '{work.command}' on {os.uname().nodename}: {error.strerror}"
        ) from None
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
    if done.returncode == 0:
        return ""
    if done.returncode in FINAL:
        return lines[-1]
    raise RuntimeError(
        f"{work.command} {work.subcommand} ended with {done.returncode} on "
        f"{os.uname().nodename}: {lines[-1]}"
    )
