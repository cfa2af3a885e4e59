"""What all notebooks share: the look of plots, texts with computed numbers, and recordings.

Notebooks compute every number in their texts, so that they stay true when they run again.
"""

from __future__ import annotations

import atexit
import math
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from pathwise_data import command

# The folder of the repository.
ROOT = Path(__file__).resolve().parents[2]
# Recordings and models of one notebook; deleted at its end.
_WORK = tempfile.TemporaryDirectory(prefix="pathwise-notebook-")
atexit.register(_WORK.cleanup)
WORK = Path(_WORK.name)

COLOURS = ["#0b5fa5", "#d1495b", "#2a9d5c", "#e09f3e", "#7b5ea7", "#5c6770", "#00a0b0", "#a3623a"]
OURS, RULE, OTHER = COLOURS[0], COLOURS[1], "#9aa5ad"

plt.rcParams.update(
    {
        "figure.figsize": (8.5, 4.2),
        "figure.dpi": 90,
        "savefig.bbox": "tight",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titleweight": "bold",
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.prop_cycle": plt.cycler(color=COLOURS),
        "grid.color": "#e3e6e8",
        "legend.frameon": False,
        "font.size": 9.5,
    }
)


def say(text: str) -> None:
    """Shows text, in which numbers were computed."""
    display(Markdown(text))


def table(frame: pd.DataFrame, formats: dict[str, str] | None = None, index: bool = False) -> None:
    """Shows a table, with a format for each column."""
    shown = frame.copy()
    for name, form in (formats or {}).items():
        shown[name] = [
            "" if value is None or (isinstance(value, float) and math.isnan(value))
            else form.format(value) for value in shown[name]
        ]  # fmt: skip
    display(Markdown(to_markdown(shown.reset_index() if index else shown)))


def to_markdown(frame: pd.DataFrame) -> str:
    """A table as Markdown; numbers are right-aligned."""
    rows = [[str(value).replace("|", "\\|") for value in row] for row in frame.to_numpy()]
    number = re.compile(r"^[-+]?[\d.,]*( ?[%×a-zA-Z/]{0,8})?( \[.*\])?$")
    marks = [
        "---:" if all(number.match(row[place]) for row in rows) else "---"
        for place in range(len(frame.columns))
    ]
    lines = [list(map(str, frame.columns)), marks, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def change(share: float) -> str:
    """A relative change as text: `-3.1 %`."""
    return f"{share * 100:+.1f} %".replace("-", "\N{MINUS SIGN}")


def percent(share: float, digits: int = 1) -> str:
    """A share as text: `3.1 %`."""
    return f"{share * 100:.{digits}f} %"


def plain(axis: Any, ticks: list[float]) -> None:
    """Gives a logarithmic axis these ticks, as plain numbers."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def verdict(low: float, high: float) -> str:
    """What the interval of a relative change in cost says."""
    if high < 0:
        return "better, clear of zero"
    return "worse, clear of zero" if low > 0 else "no difference can be told"


def simulate(*arguments: str | os.PathLike[str], record: Path | None = None) -> Any:
    """Runs `pathwise simulate --json`; with `record`, recordings go into that folder."""
    extra: list[str | os.PathLike[str]] = [] if record is None else ["--record", record]
    return command.run_json("simulate", *arguments, *extra)


def policies(names: Iterable[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """The options `--policy NAME` for all names."""
    return [word for name in names for word in ("--policy", name)]


def catalogue() -> dict[str, str]:
    """Name and summary of every policy, from the help of the command."""
    text = command.run("simulate", "--help").split("Policies, besides model files:")[1]
    return dict(re.findall(r"^  ([a-z][a-z0-9-]+)  +(\S.*)$", text.split("\n\n")[0], re.MULTILINE))


def made_by() -> None:
    """Says which program made the notebook."""
    version = command.run("--version").strip()
    say(f"Made by `make notebooks` with pathwise {version.split()[-1]}. Worlds run in virtual time, "
        "so the same program gives the same numbers.")  # fmt: skip
