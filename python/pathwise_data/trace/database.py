"""Opens a trace's SQLite file, checks that it is one, and reads rows with their checksums."""

from __future__ import annotations

import os
import sqlite3
import stat
import struct
import urllib.parse
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import xxhash

from ..errors import DamagedTrace, NotATrace, OtherVersion, TraceError

APPLICATION = 0x50575452
OLDEST_VERSION = 2
VERSION = 5
TABLES = (
    "meta",
    "sessions",
    "paths",
    "decision_blocks",
    "decision_rows",
    "outcome_blocks",
    "stray_outcomes",
    "path_samples",
    "events",
    "drops",
)
META_KEYS = (
    "format_version",
    "reader_version",
    "program_version",
    "schema_hash",
    "schema",
    "feature_names",
    "feature_count",
)
# A block of 1,024 decisions with 16 candidates each has less than 6 MB.
VALUE_LIMIT = 16 << 20
TEXT_LIMIT = 8 << 10
LONG_TEXTS = {"command": 1 << 20, "schema": 64 << 10, "value": 64 << 10}


class Text(bytes):
    """A text as stored, which differs from a blob of the same bytes in its type."""


class Database:
    """One trace, opened for reading in one snapshot, also while it is recorded.

    :param path: the file.
    :raises NotATrace, OtherVersion, DamagedTrace: if it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            status = os.stat(self.path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise NotATrace(
                f"cannot open trace '{self.path}': {reason}; check the path and its permissions"
            ) from None
        if not stat.S_ISREG(status.st_mode):
            raise self._no_trace("it is not a regular file")
        if status.st_size == 0:
            raise self._no_trace("the file is empty")
        self._connection = self._open()
        try:
            self._check_format()
            self._checksums = self._read_checksums()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _no_trace(self, reason: str) -> NotATrace:
        return NotATrace(f"'{self.path}' is not a trace: {reason}; name a file written by --record")

    def damaged(self, what: str) -> DamagedTrace:
        """An error about this trace."""
        return DamagedTrace(self.path, what)

    def _open(self) -> sqlite3.Connection:
        url = "file:" + urllib.parse.quote(os.path.abspath(self.path)) + "?mode=ro"
        try:
            return self._connect(url)
        except sqlite3.OperationalError as error:
            # A recording was killed, and the folder is not writable; without a `-wal` file there is
            # nothing to recover.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN or os.path.exists(
                self.path + "-wal"
            ):
                raise self._no_trace(str(error)) from None
        except sqlite3.DatabaseError as error:
            raise self._refusal(error) from None
        try:
            return self._connect(url + "&immutable=1")
        except sqlite3.DatabaseError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: sqlite3.Error) -> TraceError:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
            return self.damaged(f"{error} while opening it")
        return self._no_trace(str(error))

    @staticmethod
    def _connect(url: str) -> sqlite3.Connection:
        connection = sqlite3.connect(url, uri=True, isolation_level=None)
        try:
            connection.text_factory = Text
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_LIMIT)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def query(
        self, sql: str, doing: str, values: Sequence[int] = ()
    ) -> Iterator[tuple[object, ...]]:
        """Yields the rows of a query, one at a time.

        :param doing: what an error's text says was done.
        :param values: the parameters of the query.
        """
        cursor = None
        while True:
            try:
                cursor = cursor or self._connection.execute(sql, values)
                row = next(cursor, None)
            except (sqlite3.Error, OverflowError, MemoryError) as error:
                raise self.damaged(f"{error} while {doing}") from None
            if row is None:
                return
            yield row

    def _integer(self, sql: str) -> int:
        rows = list(self.query(sql, "reading the header"))
        value = rows[0][0] if rows else 0
        return value if isinstance(value, int) else 0

    def _check_format(self) -> None:
        if self._integer("PRAGMA application_id") != APPLICATION:
            raise self._no_trace("the SQLite database of another program")
        version = needed = self._integer("PRAGMA user_version")
        if version > VERSION:
            needed = self._integer(
                "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'reader_version'"
            )
        if not OLDEST_VERSION <= needed <= VERSION:
            advice = (
                "use a newer package" if version > VERSION else "export it with its own pathwise"
            )
            raise OtherVersion(
                f"trace '{self.path}' has format version {version}, this package reads versions "
                f"{OLDEST_VERSION} to {VERSION}; {advice}"
            )
        # A virtual table or a computed column could make much data from a small file.
        stored = "sqlite_schema WHERE type = 'table' AND rootpage > 0"
        doing = "reading the header"
        self._tables = self._names(f"SELECT name FROM {stored}", doing)
        for name in TABLES:
            if name not in self._tables:
                raise self.damaged(f"the table '{name}' is missing")
        computed = self._names(
            f"SELECT t.name FROM (SELECT name FROM {stored}) t, pragma_table_xinfo(t.name) c "
            "WHERE c.hidden > 0",
            doing,
        )
        for name in (*TABLES, "path_totals", "checksums"):
            if name in computed:
                raise self.damaged(f"the table '{name}' has a computed column")

    def _names(self, sql: str, doing: str) -> set[str]:
        rows = list(self.query(sql, doing))
        return {name.decode(errors="replace") for (name,) in rows if isinstance(name, Text)}

    def has(self, table: str) -> bool:
        """Whether the trace has a table; those of older versions lack some."""
        return table in self._tables

    # Rows with checksums.

    def _read_checksums(self) -> dict[tuple[str, int], tuple[int, int]]:
        """The checksums by table and session; empty for traces from before there were any."""
        sums: dict[tuple[str, int], tuple[int, int]] = {}
        if not self.has("checksums"):
            return sums
        for session, name, rows, hash in self.query(
            "SELECT session, name, rows, hash FROM checksums", "reading the checksums"
        ):
            if not (
                isinstance(session, int)
                and isinstance(name, Text)
                and isinstance(rows, int)
                and isinstance(hash, int)
            ):
                raise self.damaged("a row of 'checksums' has a value of another type")
            sums[name.decode(errors="replace"), session] = (rows, hash & 0xFFFFFFFFFFFFFFFF)
        return sums

    def rows(
        self, table: str, owner: str, columns: Sequence[str], order: str, session: int | None = None
    ) -> Iterator[tuple[object, ...]]:
        """Yields the rows of a table, each with the session in front, and compares their checksums.

        :param table: its name.
        :param owner: the session of a row, as SQL.
        :param columns: the hashed columns in the order of docs/formats.md.
        :param order: the order of the rows, as SQL.
        :param session: only rows of this session.
        :raises DamagedTrace: after the last row, if a checksum differs.
        """
        where = "" if session is None else f"WHERE {owner} = ?"
        if table == "meta":
            where = f"WHERE key IN ({', '.join(repr(key) for key in META_KEYS)})"
        sql = f"SELECT {owner}, {', '.join(columns)} FROM {table} {where} ORDER BY {order}"
        expected = {
            number: sum
            for (name, number), sum in self._checksums.items()
            if name == table and session in (None, number)
        }
        found = {number: (0, 0) for number in expected}
        for row in self.query(sql, f"reading '{table}'", () if session is None else (session,)):
            number = row[0]
            if isinstance(number, int) and number in found:
                count, hash = found[number]
                found[number] = (count + 1, (hash + row_hash(row[1:])) & 0xFFFFFFFFFFFFFFFF)
            yield row
        for number, sum in found.items():
            if sum != expected[number]:
                place = "" if number == 0 else f" of session {number}"
                raise self.damaged(
                    f"'{table}' has {sum[0]} rows{place}, {expected[number][0]} were written"
                    if sum[0] != expected[number][0]
                    else f"the rows{place} in '{table}' do not have the checksum that was written"
                )

    def text(self, value: object, column: str) -> str:
        """Returns a text of bounded length.

        :param value: what the column holds.
        :param column: its name, for errors.
        """
        if not isinstance(value, Text):
            raise self.damaged(f"a value of '{column}' is no text")
        if len(value) > LONG_TEXTS.get(column, TEXT_LIMIT):
            raise self.damaged(f"a value of '{column}' has {len(value)} bytes")
        return value.decode(errors="replace")


def row_hash(values: Sequence[object]) -> int:
    """The XXH64 of a row's values, each behind a byte for its type (docs/formats.md, "Checksums")."""
    parts: list[bytes] = []
    for value in values:
        if value is None:
            parts.append(b"\x05")
        elif isinstance(value, int):
            parts.append(struct.pack("<Bq", 1, value))
        elif isinstance(value, float):
            # SQLite stores whole numbers of real columns as integers.
            is_whole = abs(value) < 2**53 and value.is_integer()
            parts.append(
                struct.pack("<Bq", 1, int(value)) if is_whole else struct.pack("<Bd", 2, value)
            )
        elif isinstance(value, bytes):
            parts.append(struct.pack("<BQ", 3 if isinstance(value, Text) else 4, len(value)))
            parts.append(value)
    return xxhash.xxh64_intdigest(b"".join(parts))
