"""Parquet files hold the frames, and appear only when they are complete."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import pathwise_data
from pathwise_data import DamagedTrace, PathwiseError, read_trace, to_parquet
from pathwise_data.command import CommandError, find_command, run
from pathwise_data.trace.parquet import TABLES

from .conftest import ROOT


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: "str" for name in frame.select_dtypes("category")})


@pytest.mark.parametrize("batch", [200, 1 << 20])
def test_round_trip(recordings: list[Path], tmp_path: Path, batch: int) -> None:
    for path in recordings:
        folder = tmp_path / path.stem
        files = to_parquet(path, folder, batch=batch)
        assert sorted(file.name for file in folder.iterdir()) == sorted(
            f"{name}.parquet" for name in TABLES
        )
        trace = read_trace(path)
        for name, file in files.items():
            found = pd.read_parquet(file)
            pd.testing.assert_frame_equal(
                found, plain(getattr(trace, name)), check_dtype=False, check_column_type=False
            )


def test_some_tables(recording: Path, tmp_path: Path) -> None:
    assert list(to_parquet(recording, tmp_path, ("outcomes",))) == ["outcomes"]
    assert [file.name for file in tmp_path.iterdir()] == ["outcomes.parquet"]
    with pytest.raises(PathwiseError, match="no table 'nothing'; the tables are features"):
        to_parquet(recording, tmp_path, ("nothing",))


def test_a_damaged_trace_leaves_no_files(recording: Path, tmp_path: Path) -> None:
    copy = shutil.copy(recording, tmp_path / "copy.trace")
    connection = sqlite3.connect(copy)
    last = connection.execute("SELECT max(id) FROM decision_blocks").fetchone()
    with connection:
        connection.execute("UPDATE decision_blocks SET count = 1 WHERE id = ?", last)
    connection.close()
    with pytest.raises(DamagedTrace):
        to_parquet(copy, tmp_path / "out", batch=100)
    assert list((tmp_path / "out").iterdir()) == []


def module(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "pathwise_data", *map(os.fspath, arguments)]
    return subprocess.run(words, check=False, capture_output=True, text=True)


def test_the_program(recording: Path, tmp_path: Path) -> None:
    done = module("parquet", recording, "--output", tmp_path, "--table", "decisions")
    assert done.returncode == 0 and "decisions.parquet" in done.stdout
    shown = module("info", recording)
    rows = len(read_trace(recording).decisions)
    assert f"decisions: {rows} rows: session, number, time_ns" in shown.stdout
    assert "prediction_gap" in shown.stdout
    missing = module("info", tmp_path / "none.trace")
    assert missing.returncode == 66 and "No such file" in missing.stderr
    damaged = tmp_path / "cut.trace"
    damaged.write_bytes(recording.read_bytes()[:100_000])
    broken = module("info", damaged)
    assert broken.returncode == 65 and broken.stderr.count("\n") == 1


def test_the_version_is_that_of_the_project(pathwise: str) -> None:
    assert run("--version").strip().split()[-1] == pathwise_data.__version__
    source = ROOT / "Sources/Pathwise/Recording/SessionRecorder.swift"
    assert f'text = "{pathwise_data.__version__}"' in source.read_text()


def test_a_command_that_is_missing_or_fails(pathwise: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no program 'no-such-program'; build it"):
        find_command("no-such-program")
    with pytest.raises(CommandError, match="pathwise trace failed with exit code 66: .*none.trace"):
        run("trace", "info", tmp_path / "none.trace")
