"""Converts a trace to Parquet files, in the memory of one batch of decisions."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import PathwiseError
from .database import Database
from .frames import Decisions, FrameBuilder
from .reader import read_decisions, read_schema
from .tables import PLAIN, read_table

DECISION_TABLES = tuple(field.name for field in dataclasses.fields(Decisions))
TABLES = ("features", *PLAIN, *DECISION_TABLES)


def to_parquet(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    tables: tuple[str, ...] = TABLES,
    batch: int = 65536,
) -> dict[str, Path]:
    """Writes tables of a trace as `FOLDER/TABLE.parquet`, compressed by Zstandard.

    The files appear when all of them are complete; existing ones are replaced. If the trace is
    damaged, there are none.

    :param path: the trace.
    :param folder: where the files go; it is made if it does not exist.
    :param tables: some of `TABLES`.
    :param batch: how many decisions are in memory at a time, about.
    :returns: the file of each table.
    :raises TraceError: if the trace cannot be read.
    :raises PathwiseError: if a table does not exist, or pyarrow is not installed.
    """
    unknown = set(tables) - set(TABLES)
    if unknown:
        raise PathwiseError(f"no table '{min(unknown)}'; the tables are {', '.join(TABLES)}")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise PathwiseError(
            "Parquet needs pyarrow: pip install 'pathwise-data[parquet]' or pyarrow"
        ) from None
    target = Path(folder)
    parts = {name: target / f".{name}.parquet-{os.getpid()}.part" for name in tables}
    try:
        with contextlib.ExitStack() as stack:
            writers: dict[str, Any] = {}
            for name, frame in _frames(path, tables, batch):
                table = pyarrow.Table.from_pandas(_plain(frame), preserve_index=False)
                if name not in writers:
                    target.mkdir(parents=True, exist_ok=True)
                    writers[name] = stack.enter_context(
                        pyarrow.parquet.ParquetWriter(parts[name], table.schema, compression="zstd")
                    )
                writers[name].write_table(table)
        files = {name: target / f"{name}.parquet" for name in tables}
        for name, file in files.items():
            os.replace(parts[name], file)
        return files
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _frames(
    path: str | os.PathLike[str], tables: tuple[str, ...], batch: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    with Database(path) as database:
        schema = read_schema(database)
        if "features" in tables:
            yield "features", schema.frame()
        for name in tables:
            if name in PLAIN:
                yield name, read_table(database, PLAIN[name])
    wanted = [name for name in DECISION_TABLES if name in tables]
    if not wanted:
        return
    # A batch without rows gives tables without decisions their columns.
    for decisions in _batches(path, batch, "candidates" in wanted):
        for name in wanted:
            yield name, getattr(decisions, name)


def _batches(path: str | os.PathLike[str], batch: int, candidates: bool) -> Iterator[Decisions]:
    is_empty = True
    for decisions in read_decisions(path, batch, candidates=candidates):
        is_empty = False
        yield decisions
    if is_empty:
        with Database(path) as database:
            yield FrameBuilder(read_schema(database).names).build()


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Words instead of categories, whose numbers differ between batches."""
    words = frame.select_dtypes("category").columns
    return frame.astype({name: "str" for name in words})
