"""Reads traces: `read_trace` as a whole, `read_decisions` in batches of bounded memory."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from ..errors import BlockFault
from .database import META_KEYS, Database
from .decisions import CANDIDATE_NUMBERS, decode_decisions
from .frames import Decisions, FrameBuilder
from .outcomes import decode_outcomes
from .tables import PLAIN, read_table

FEATURE_LIMIT = 64
SHARED_FEATURES = ("burst_bytes", "deadline")
RESERVED = {"session", "number", "path", "chosen", "backup", "kind", *CANDIDATE_NUMBERS}


@dataclass(frozen=True)
class Schema:
    """What a trace says about itself in `meta`."""

    program_version: str
    hash: str
    names: list[str]
    text: str

    def frame(self) -> pd.DataFrame:
        """A row for each feature: name, unit, scaling, meaning."""
        lines = [line.split("\t") for line in self.text.splitlines() if "\t" in line]
        columns = ["name", "unit", "scaling", "meaning"]
        rows = [(line + [""] * 4)[:4] for line in lines]
        return pd.DataFrame(rows, columns=columns, dtype="str")


@dataclass(frozen=True)
class Trace:
    """A recording; python/README.md describes the columns of every table."""

    path: str
    schema: Schema
    features: pd.DataFrame
    sessions: pd.DataFrame
    paths: pd.DataFrame
    decisions: pd.DataFrame
    actions: pd.DataFrame
    candidates: pd.DataFrame
    outcomes: pd.DataFrame
    path_bytes: pd.DataFrame
    samples: pd.DataFrame
    events: pd.DataFrame
    totals: pd.DataFrame
    drops: pd.DataFrame

    def path_names(self) -> pd.DataFrame:
        """The latest name of each path: `session`, `path`, `path_name`."""
        latest = self.paths.sort_values("added_ns", kind="stable").groupby(["session", "path"])
        return latest["name"].last().rename("path_name").reset_index()

    def decision_outcomes(self) -> pd.DataFrame:
        """Each decision with its outcome, if it has one, and:

        `time_s` since the session's start, `path_name`, and `time_to_close_s`, which is the
        delivery time, or the deadline of a late burst.
        """
        frame = self.decisions.merge(self.outcomes, on=["session", "number"], how="left")
        started = self.sessions.set_index("id")["started_ns"]
        frame.insert(2, "time_s", (frame["time_ns"] - frame["session"].map(started)) * 1e-9)
        names = self.path_names().astype({"path": "Int8"})
        frame = frame.merge(names, on=["session", "path"], how="left")
        limit = frame["outcome_deadline_s"]
        frame["time_to_close_s"] = frame["delivery_s"].fillna(limit).clip(upper=limit)
        counts = ["packets", "lost", "closed_ns", "bytes"]
        return frame.astype({"late": "boolean", **dict.fromkeys(counts, "Int64")})

    def chosen(self) -> pd.DataFrame:
        """Each decision for one path, with its outcome and the path's features by name."""
        one = self.decision_outcomes()
        one = one[~one["action"].astype(str).str.contains(r"\+|wait")]
        rows = self.candidates[self.candidates["chosen"]]
        rows = rows.drop(columns=["chosen", "predicted_s"]).astype({"path": "Int8"})
        renamed = {"current_path": "is_current_path"}
        return one.merge(rows.rename(columns=renamed), on=["session", "number", "path"])


def read_trace(
    path: str | os.PathLike[str], session: int | None = None, candidates: bool = True
) -> Trace:
    """Reads a whole trace; also one that is being recorded, up to its last commit.

    Every block is compared with its hash, and every other row with its table's checksum.

    :param path: the file that `--record` wrote.
    :param session: only this session; None for all.
    :param candidates: whether to read the candidates with their features, the largest table.
    :raises NotATrace: if the file is no trace.
    :raises OtherVersion: if it has another version of the format.
    :raises DamagedTrace: if it does not hold what was written.
    """
    with Database(path) as database:
        schema = read_schema(database)
        builder = FrameBuilder(schema.names, candidates)
        for _ in _add_blocks(database, schema, builder, session):
            pass
        decisions = builder.build()
        plain = {name: read_table(database, table, session) for name, table in PLAIN.items()}
        return Trace(
            path=database.path,
            schema=schema,
            features=schema.frame(),
            decisions=decisions.decisions,
            actions=decisions.actions,
            candidates=decisions.candidates,
            outcomes=decisions.outcomes,
            path_bytes=decisions.path_bytes,
            **plain,
        )


def read_decisions(
    path: str | os.PathLike[str],
    batch: int = 65536,
    session: int | None = None,
    candidates: bool = True,
) -> Iterator[Decisions]:
    """Yields the decisions of a trace in batches, for traces larger than memory.

    :param batch: how many decisions a batch has at least, except the last one.
    :raises: as `read_trace`.
    """
    with Database(path) as database:
        schema = read_schema(database)
        builder = FrameBuilder(schema.names, candidates)
        for _ in _add_blocks(database, schema, builder, session):
            if builder.count >= batch:
                yield builder.build()
        if builder.count:
            yield builder.build()


def read_schema(database: Database) -> Schema:
    """Reads `meta`, and checks what it says about features."""
    meta: dict[str, str] = {}
    for _, key, value in database.rows("meta", "0", ["key", "value"], "key"):
        meta[database.text(key, "key")] = database.text(value, "value")
    for name in META_KEYS:
        if name not in meta and name != "reader_version":
            raise database.damaged(f"'meta' has no '{name}'")
    names = meta["feature_names"].split(",")
    count = meta["feature_count"]
    if not count.isascii() or not count.isdigit() or int(count[:9]) != len(names):
        raise database.damaged(f"'meta' names {len(names)} of {count[:40]} features")
    if len(names) > FEATURE_LIMIT or len(set(names)) < len(names) or set(names) & RESERVED:
        raise database.damaged("'feature_names' of 'meta' are too many, or not unique")
    return Schema(meta["program_version"], meta["schema_hash"], names, meta["schema"])


def _add_blocks(
    database: Database, schema: Schema, builder: FrameBuilder, session: int | None
) -> Iterator[None]:
    """Adds block after block to the builder, and yields after each."""
    shared = [schema.names.index(name) for name in SHARED_FEATURES if name in schema.names]
    where, values = "", list[int]()
    if session is not None:
        where, values = "WHERE b.id BETWEEN ? AND ?", [session << 40, (session + 1 << 40) - 1]
    sql = (
        "SELECT b.id, b.count, b.last_number, b.first_ns, b.last_ns, b.data, o.data, "
        "EXISTS (SELECT 1 FROM sessions s WHERE s.id = b.id >> 40) "
        f"FROM decision_blocks b LEFT JOIN outcome_blocks o ON o.block = b.id {where} ORDER BY b.id"
    )
    orphans = 0
    for row, count, last, first_ns, last_ns, data, results, is_known in database.query(
        sql, "reading the decisions", values
    ):
        if not is_known:
            orphans += 1
            continue
        number = row if isinstance(row, int) else 0
        try:
            block = decode_decisions(data, len(schema.names), shared)
            found = (
                number & (1 << 40) - 1,
                len(block.numbers),
                int(block.numbers[-1]),
                int(block.times[0]),
                int(block.times[-1]),
            )
            if found != (int(block.numbers[0]), count, last, first_ns, last_ns):
                raise BlockFault("has other columns than its content")
            outcomes = None if results is None else decode_outcomes(results, len(block.numbers))
            builder.add(number >> 40, block, outcomes)
        except BlockFault as fault:
            raise database.damaged(
                f"the block of session {number >> 40} from decision {number & (1 << 40) - 1} on "
                f"{fault}"
            ) from None
        yield
    if orphans:
        warnings.warn(
            f"trace '{database.path}' has {orphans} blocks of decisions without a session, which "
            "are left out",
            stacklevel=4,
        )
