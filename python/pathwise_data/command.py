"""Finds and runs the command `pathwise`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

from .errors import CommandError


def find_command(name: str | None = None) -> str:
    """Returns the path of the command.

    :param name: a path or a name; else the variable `PATHWISE` is used, then `pathwise`.
    :raises CommandError: if it does not exist.
    """
    wanted = name or os.environ.get("PATHWISE") or "pathwise"
    found = shutil.which(wanted)
    if found is None:
        raise CommandError(
            f"there is no program '{wanted}'; build it with 'make build' and name it by the "
            "variable PATHWISE or the option --pathwise"
        )
    return os.path.abspath(found)


def run(*arguments: str | os.PathLike[str], command: str | None = None) -> str:
    """Runs the command and returns its standard output.

    :param arguments: what follows `pathwise`.
    :param command: as in `find_command`.
    :raises CommandError: with what it says, if it fails.
    """
    words = [find_command(command), *(os.fspath(argument) for argument in arguments)]
    try:
        result = subprocess.run(
            words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise CommandError(f"cannot run '{words[0]}': {error.strerror}") from None
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["it said nothing"]
        raise CommandError(
            f"pathwise {words[1] if len(words) > 1 else ''} failed with exit code "
            f"{result.returncode}: {lines[-1]}"
        )
    return result.stdout


def run_json(*arguments: str | os.PathLike[str], command: str | None = None) -> Any:
    """Runs the command with `--json` and returns the object that it prints."""
    return json.loads(run(*arguments, "--json", command=command))
