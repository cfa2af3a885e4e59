"""Every column equals what `pathwise trace export` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pathwise_data import Trace, read_decisions, read_trace
from pathwise_data.command import run, run_json
from pathwise_data.trace.decisions import CANDIDATE_NUMBERS

INFINITE_AS_NULL = {"rate_limit", "rate", "predicted_s", "pacing_rate", "delivery_rate"}


def exported(path: Path, table: str) -> list[dict[str, Any]]:
    text = run("trace", "export", path, "--table", table, "--format", "jsonl")
    return [json.loads(line) for line in text.splitlines()]


def assert_equal(frame: pd.DataFrame, rows: list[dict[str, Any]], columns: list[str]) -> None:
    """Compares columns bit by bit; JSON has `null` for what is absent, infinite or NaN."""
    assert len(frame) == len(rows)
    for name in columns:
        found = frame[name].astype(object).where(frame[name].notna(), None).tolist()
        if name in INFINITE_AS_NULL:
            found = [None if value in (np.inf, -np.inf) else value for value in found]
        expected = [row[name] for row in rows]
        wrong = [place for place in range(len(rows)) if found[place] != expected[place]]
        assert not wrong, f"{name} of row {wrong[0]}: {found[wrong[0]]}, {expected[wrong[0]]}"


@pytest.fixture(scope="module", params=range(5))
def pair(request: pytest.FixtureRequest, recordings: list[Path]) -> tuple[Path, Trace]:
    path = recordings[request.param]
    return path, read_trace(path)


def test_decisions(pair: tuple[Path, Trace]) -> None:
    path, trace = pair
    rows = exported(path, "decisions")
    assert len(rows) > 150
    names = [
        "session", "number", "time_ns", "class", "planned_bytes", "deadline_ns", "current_path",
        "action", "propensity", "forced", "draw", "predicted_s",
    ]  # fmt: skip
    assert_equal(trace.decisions, rows, names)
    sets = [sum(1 << path for path in set(row["candidates"])) for row in rows]
    assert trace.decisions["candidate_paths"].tolist() == sets
    assert_equal(
        trace.decision_outcomes(),
        rows,
        ["delivery_s", "late", "outcome_deadline_s", "packets", "lost", "closed_ns", "bytes"],
    )
    known = [row for row in rows if row["closed_ns"] is not None]
    assert len(known) > 100
    assert_equal(trace.outcomes, known, [name for name in trace.outcomes if name in rows[0]])


def test_actions_and_bytes(pair: tuple[Path, Trace]) -> None:
    path, trace = pair
    rows = exported(path, "decisions")
    actions = [
        (row["session"], row["number"], action, probability)
        for row in rows
        for action, probability in zip(row["actions"], row["probabilities"], strict=True)
    ]
    columns = ["session", "number", "action", "probability"]
    assert list(trace.actions[columns].itertuples(index=False, name=None)) == actions
    chosen = trace.actions[trace.actions["chosen"]]
    assert_equal(
        chosen.rename(columns={"probability": "propensity"}), rows, ["action", "propensity"]
    )
    sent = [
        (row["session"], row["number"], *map(int, part.split(":")))
        for row in rows
        for part in row["bytes_by_path"] or []
    ]
    assert len(sent) > 100
    assert list(trace.path_bytes.itertuples(index=False, name=None)) == sent


def test_candidates(pair: tuple[Path, Trace]) -> None:
    path, trace = pair
    rows = exported(path, "candidates")
    assert list(trace.candidates) == list(rows[0])
    features = trace.schema.names
    assert len(features) == 24 and list(trace.candidates)[-24:] == features
    assert trace.features["name"].tolist() == features
    assert_equal(trace.candidates, rows, list(rows[0]))
    # JSON has no sign of zero; features differ in it nowhere that matters, bits elsewhere agree.
    values = np.array([[row[name] for name in features] for row in rows])
    assert np.array_equal(trace.candidates[features].to_numpy() + 0.0, values + 0.0)
    assert all(trace.candidates[name].dtype == float for name in features)
    assert set(CANDIDATE_NUMBERS) <= set(trace.candidates)


def test_plain_tables(pair: tuple[Path, Trace]) -> None:
    path, trace = pair
    for table in ("sessions", "paths", "samples", "events"):
        rows = exported(path, table)
        assert rows or table == "events"
        frame = getattr(trace, table)
        assert_equal(frame, rows, list(rows[0]) if rows else [])
    info = run_json("trace", "info", path)
    assert sum(item["decisions"] for item in info["sessions"]) == len(trace.decisions)
    assert trace.totals["bytes_sent"].sum() > 0


def test_chosen_has_the_features_of_the_action(recording: Path) -> None:
    trace = read_trace(recording)
    chosen = trace.chosen()
    assert len(chosen) == (~trace.decisions["action"].isin(["wait"])).sum() > 1000
    picked = trace.candidates[trace.candidates["chosen"]].reset_index(drop=True)
    assert chosen["smoothed_rtt"].tolist() == picked["smoothed_rtt"].tolist()
    assert chosen["path_name"].isin(trace.paths["name"]).all()
    late = chosen["late"].fillna(False).astype(bool)
    closed = chosen["delivery_s"].notna()
    assert (chosen.loc[closed & ~late, "time_to_close_s"] > 0).all()


def test_batches_are_the_whole(recording: Path) -> None:
    trace = read_trace(recording)
    batches = list(read_decisions(recording, batch=300))
    assert len(batches) > 2
    assert all(len(batch.decisions) >= 300 for batch in batches[:-1])
    for name in ("decisions", "actions", "candidates", "outcomes", "path_bytes"):
        parts = [getattr(batch, name) for batch in batches]
        whole = pd.concat([part.astype({c: object for c in part.select_dtypes("category")})
                           for part in parts], ignore_index=True)  # fmt: skip
        expected = getattr(trace, name)
        expected = expected.astype({c: object for c in expected.select_dtypes("category")})
        pd.testing.assert_frame_equal(whole, expected, check_dtype=False)


def test_one_session_of_several(recordings: list[Path]) -> None:
    merged = next(path for path in recordings if path.name == "merged.trace")
    trace = read_trace(merged)
    assert trace.sessions["id"].tolist() == [1, 2, 3, 4]
    part = read_trace(merged, session=3, candidates=False)
    assert len(part.candidates) == 0 and list(part.candidates) == list(trace.candidates)
    third = trace.decisions[trace.decisions["session"] == 3].reset_index(drop=True)
    assert part.decisions["time_ns"].tolist() == third["time_ns"].tolist()
    assert len(third) > 100
    assert part.samples["session"].unique().tolist() == [3]
