"""The tables of a trace that are plain rows: their columns and their types in data frames."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .database import Database
from .decisions import PATH_LIMIT

INTEGER, NULLABLE, REAL, FLAG, WORD, TEXT = "int64", "Int64", "float64", "bool", "category", "str"


@dataclass(frozen=True)
class Table:
    """A table: `name` in the file, the SQL of a row's session, its columns with their types."""

    name: str
    owner: str
    order: str
    columns: dict[str, str]
    id: str = "session"


SESSIONS = Table(
    "sessions",
    "id",
    "id",
    {
        "started_unix_ns": INTEGER,
        "started_ns": INTEGER,
        "ended_ns": NULLABLE,
        "role": TEXT,
        "peer": TEXT,
        "policy": TEXT,
        "model_hash": TEXT,
        "seed": TEXT,
        "program_version": TEXT,
        "command": TEXT,
    },
    id="id",
)
PATHS = Table(
    "paths",
    "session",
    "session, rowid",
    {
        "path": INTEGER,
        "name": TEXT,
        "local": TEXT,
        "remote": TEXT,
        "weight": REAL,
        "price_per_gb": REAL,
        "rate_limit": REAL,
        "backup": FLAG,
        "kind": WORD,
        "added_ns": INTEGER,
        "removed_ns": NULLABLE,
    },
)
SAMPLES = Table(
    "path_samples",
    "session",
    "rowid",
    {
        "time_ns": INTEGER,
        "path": INTEGER,
        "state": WORD,
        "smoothed_rtt_ns": INTEGER,
        "rtt_variation_ns": INTEGER,
        "latest_rtt_ns": INTEGER,
        "min_rtt_ns": NULLABLE,
        "bytes_in_flight": INTEGER,
        "congestion_window": INTEGER,
        "pacing_rate": REAL,
        "delivery_rate": REAL,
        "pacing_delay_ns": INTEGER,
        "oldest_unanswered_ns": NULLABLE,
        "last_reply_ns": NULLABLE,
        "probe_timeouts": INTEGER,
        "weight": REAL,
        "price_per_gb": REAL,
        "rate_limit": REAL,
        "backup": FLAG,
        "kind": WORD,
    },
)
EVENTS = Table(
    "events",
    "session",
    "rowid",
    {"time_ns": INTEGER, "kind": WORD, "path": NULLABLE, "text": TEXT, "value": REAL},
)
TOTALS = Table(
    "path_totals",
    "session",
    "session, path",
    {
        "path": INTEGER,
        "time_ns": INTEGER,
        "packets_sent": INTEGER,
        "bytes_sent": INTEGER,
        "packets_received": INTEGER,
        "bytes_received": INTEGER,
        "packets_lost": INTEGER,
    },
)
DROPS = Table(
    "drops",
    "0",
    "rowid",
    {
        "unix_ns": INTEGER,
        "ring": INTEGER,
        "decisions": INTEGER,
        "outcomes": INTEGER,
        "samples": INTEGER,
        "events": INTEGER,
    },
    id="",
)
PLAIN = {
    "sessions": SESSIONS,
    "paths": PATHS,
    "samples": SAMPLES,
    "events": EVENTS,
    "totals": TOTALS,
    "drops": DROPS,
}

# `min_rtt_ns` before the first measurement.
UNKNOWN_TIME = 2**63 - 1


def read_table(database: Database, table: Table, session: int | None = None) -> pd.DataFrame:
    """Reads a table and checks every value's type and every session's checksum.

    :param session: only the rows of this session.
    :raises DamagedTrace: if a value or a checksum is wrong.
    """
    names = list(table.columns)
    values: dict[str, list[object]] = {name: [] for name in [table.id, *names] if name}
    lists = list(values.values())
    kinds = list(table.columns.values())
    if table.id:
        names, kinds = [table.id, *names], [INTEGER, *kinds]
    skip = 0 if table.id else 1
    only = None if table is DROPS else session
    rows = database.rows(table.name, table.owner, list(table.columns), table.order, session=only)
    for row in rows if database.has(table.name) else ():
        for items, kind, name, value in zip(lists, kinds, names, row[skip:]):
            items.append(_value(database, kind, name, value))
    kinds_of = dict(zip(names, kinds))
    frame = pd.DataFrame(
        {name: pd.Series(items, dtype=kinds_of[name]) for name, items in values.items()}
    )
    if "min_rtt_ns" in frame:
        frame["min_rtt_ns"] = frame["min_rtt_ns"].mask(frame["min_rtt_ns"] == UNKNOWN_TIME)
    return frame


def _value(database: Database, kind: str, name: str, value: object) -> object:
    if kind in (TEXT, WORD):
        return database.text(value, name)
    if kind == REAL:
        if value is None:
            return float("nan")
        if isinstance(value, (int, float)):
            return float(value)
    elif kind == NULLABLE and value is None:
        return None
    elif isinstance(value, int):
        if name == "path" and not 0 <= value < PATH_LIMIT:
            raise database.damaged(f"a row has the path {value}")
        return value != 0 if kind == FLAG else value
    raise database.damaged(f"a value of '{name}' has another type")
