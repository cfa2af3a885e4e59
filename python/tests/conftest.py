"""Recordings for the tests, which the shipped command makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pathwise_data.command import run

ROOT = Path(__file__).resolve().parents[2]
PLACES = (".build/release/pathwise", ".build-tests/release/pathwise")


@pytest.fixture(scope="session")
def pathwise() -> str:
    """The command: the variable PATHWISE, or what `make` built."""
    named = os.environ.get("PATHWISE")
    for place in [Path(named)] if named else [ROOT / place for place in PLACES]:
        if place.exists():
            os.environ["PATHWISE"] = str(place.absolute())
            return str(place.absolute())
    if named:
        pytest.fail(f"there is no {named}, which PATHWISE names")
    pytest.skip("the command is not built: make build, or name it by PATHWISE")


@pytest.fixture(scope="session")
def recordings(pathwise: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two paths, eight, copies on all, messages; a real recording; traces merged into one."""
    folder = tmp_path_factory.mktemp("recordings")
    runs = [("S2", "weighted"), ("eight_paths", "redundant"), ("metered_lte", "learned")]
    for world, policy in runs:
        run("simulate", "--world", world, "--policy", policy, "--seeds", "1", "--duration", "6s",
            "--jobs", "1", "--record", folder)  # fmt: skip
    traces = sorted(folder.glob("*.trace")) + [ROOT / "datasets" / "home.trace"]
    assert len(traces) == 4
    merged = folder / "merged.trace"
    run("trace", "merge", traces[1], traces[2], "--output", merged)
    return [*traces, merged]


@pytest.fixture(scope="session")
def recording(recordings: list[Path]) -> Path:
    """One recording, with two paths and messages on both."""
    return next(path for path in recordings if path.name.startswith("S2"))
