"""Files that are damaged, cut off, of others, or made to mislead: an error that says so."""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xxhash

from pathwise_data import DamagedTrace, NotATrace, OtherVersion, Trace, TraceError, read_trace
from pathwise_data.errors import BlockFault
from pathwise_data.trace.columns import BlockReader
from pathwise_data.trace.decisions import decode_decisions
from pathwise_data.trace.frames import FrameBuilder
from pathwise_data.trace.outcomes import decode_outcomes

SHARED = [17, 18]
FRAMES = ("sessions", "paths", "decisions", "actions", "candidates", "outcomes", "path_bytes",
          "samples", "events", "totals", "drops")  # fmt: skip


def change(path: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute(sql, values).rowcount > 0
    connection.close()


def assert_same(one: Trace, other: Trace) -> None:
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


@pytest.fixture
def copy(recording: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(recording, tmp_path / "copy.trace"))


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(NotATrace, match="No such file"):
        read_trace(tmp_path / "missing.trace")
    with pytest.raises(NotATrace, match="not a regular file"):
        read_trace(tmp_path)
    with pytest.raises(NotATrace, match="embedded null"):
        read_trace("a\0b")
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(NotATrace, match="the file is empty"):
        read_trace(empty)
    text = tmp_path / "a text? #1.txt"
    text.write_text("no database\n" * 100)
    with pytest.raises(NotATrace, match="file is not a database"):
        read_trace(text)
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(NotATrace, match="of another program"):
        read_trace(other)


def test_versions(copy: Path) -> None:
    trace = read_trace(copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("PRAGMA user_version = 9")
    # A later version names the version that reads it, which is 3 here.
    assert_same(trace, read_trace(copy))
    change(copy, "UPDATE meta SET value = '9' WHERE key = 'reader_version'")
    with pytest.raises(OtherVersion, match="has format version 9, this package reads.*2 to 5"):
        read_trace(copy)


def test_every_kind_of_row_is_checked(copy: Path, recording: Path) -> None:
    changes = {
        "UPDATE path_samples SET smoothed_rtt_ns = smoothed_rtt_ns + 1 WHERE rowid = 3":
            "rows of session . in 'path_samples' do not have the checksum",
        "DELETE FROM path_samples WHERE rowid = 3": "'path_samples' has .* rows of session .",
        "UPDATE events SET text = text || '!' WHERE rowid = 1": "'events' do not have",
        "UPDATE sessions SET policy = 'other' WHERE id = 1": "'sessions' do not have",
        "UPDATE paths SET weight = 2.5 WHERE path = 1": "'paths' do not have",
        "UPDATE path_totals SET bytes_sent = 1 WHERE path = 0 AND session = 1": "'path_totals'",
        "UPDATE meta SET value = 'x' WHERE key = 'schema'": "'meta' do not have",
        "UPDATE path_samples SET path = 'x' WHERE rowid = 2": "value of 'path' has another type",
        "UPDATE path_samples SET path = 16 WHERE rowid = 2": "a row has the path 16",
        "UPDATE paths SET name = x'00'": "a value of 'name' is no text",
        "UPDATE decision_blocks SET count = count + 1": "has other columns than its content",
        "UPDATE decision_blocks SET data = substr(data, 1, 100)": "its hash differs",
        "UPDATE decision_blocks SET data = NULL": "NOT NULL",
        "UPDATE decision_blocks SET data = 7": "from decision 0 on is cut off",
        "UPDATE outcome_blocks SET data = zeroblob(9)": "its hash differs",
        "ALTER TABLE events RENAME TO other": "the table 'events' is missing",
    }  # fmt: skip
    for sql, expected in changes.items():
        shutil.copy(recording, copy)
        try:
            change(copy, sql) if sql.startswith(("UPDATE", "DELETE")) else sqlite3.connect(
                copy
            ).execute(sql).connection.close()
        except sqlite3.IntegrityError:
            assert expected == "NOT NULL"
            continue
        with pytest.raises(DamagedTrace, match=expected):
            read_trace(copy)


def test_tables_that_compute_are_refused(copy: Path) -> None:
    connection = sqlite3.connect(copy)
    connection.execute("ALTER TABLE events ADD COLUMN more TEXT AS (hex(zeroblob(1000000)))")
    connection.close()
    with pytest.raises(DamagedTrace, match="'events' has a computed column"):
        read_trace(copy)


def test_truncated_files(copy: Path, recording: Path) -> None:
    data = recording.read_bytes()
    for share in (0.001, 0.1, 0.5, 0.9, 0.999):
        copy.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(TraceError):
            read_trace(copy)


def test_flipped_bits(copy: Path, recording: Path) -> None:
    """Any flipped bit gives an error, or the same frames where it changes nothing that is read."""
    whole = read_trace(recording)
    data = bytearray(recording.read_bytes())
    random_numbers = random.Random(16)
    refused = 0
    for _ in range(60):
        place, bit = random_numbers.randrange(len(data)), random_numbers.randrange(8)
        data[place] ^= 1 << bit
        copy.write_bytes(data)
        data[place] ^= 1 << bit
        try:
            trace = read_trace(copy)
        except TraceError:
            refused += 1
        else:
            assert_same(whole, trace)
    assert refused > 12


def blocks(recording: Path) -> list[tuple[bytes, bytes]]:
    connection = sqlite3.connect(recording)
    sql = "SELECT d.data, o.data FROM decision_blocks d JOIN outcome_blocks o ON o.block = d.id"
    rows = connection.execute(sql).fetchall()
    connection.close()
    return rows


def sealed(content: bytes) -> bytes:
    """A block with a valid hash."""
    return content + struct.pack("<Q", xxhash.xxh64_intdigest(content))


def test_blocks_that_lie(recordings: list[Path]) -> None:
    """Changed blocks with valid hashes are refused or decoded, in the memory of a block."""
    pairs = blocks(recordings[0]) + blocks(recordings[1])
    random_numbers = random.Random(3)
    faults: dict[str, int] = {}
    sizes = (1, 2, 4, 8)
    for step in range(600):
        decisions, outcomes = random_numbers.choice(pairs)
        content = bytearray((decisions, outcomes)[step % 2][:-8])
        for _ in range(random_numbers.choice((1, 1, 3))):
            size = random_numbers.choice(sizes)
            # Half of the changes are in the header and the first columns.
            end = min(len(content), 300) if random_numbers.random() < 0.5 else len(content)
            place = random_numbers.randrange(end - size)
            value = random_numbers.choice((b"\xff", b"\0", b"\x7f", random_numbers.randbytes(1)))
            content[place : place + size] = value * size
        if step % 7 == 0:
            del content[random_numbers.randrange(len(content)) :]
        tracemalloc.start()
        try:
            if step % 2:
                decode_outcomes(sealed(bytes(content)), 512)
            else:
                block = decode_decisions(sealed(bytes(content)), 24, SHARED)
                FrameBuilder([f"f{i}" for i in range(24)]).add(1, block, None)
        except BlockFault as fault:
            text = " ".join(word for word in str(fault).split() if not word.isdigit())
            faults[text] = faults.get(text, 0) + 1
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 32 << 20, f"step {step} took {peak} bytes"
    assert sum(faults.values()) > 100 and len(faults) > 8, faults


def test_both_layouts_of_decisions(recording: Path) -> None:
    """The first layout lacks a column, which is behind the other integers."""
    data = blocks(recording)[0][0][:-8]
    assert data[:4] == b"PWD\x02"
    second = decode_decisions(sealed(data), 24, SHARED)
    reader = BlockReader(sealed(data))
    reader.take("u1", 24)
    for _ in range(11):
        reader.integers(len(second.numbers))
    start = len(data) - reader.remaining
    reader.integers(len(second.numbers))
    end = len(data) - reader.remaining
    first = decode_decisions(sealed(b"PWD\x01" + data[4:start] + data[end:]), 24, SHARED)
    assert not first.bytes_behind.any()
    more = struct.pack("<Bq", 1, 7) + bytes(range(200)) + bytes(len(first.numbers) - 200)
    other = decode_decisions(sealed(data[:start] + more + data[end:]), 24, SHARED)
    assert other.bytes_behind[:200].tolist() == list(range(7, 207))
    for name in ("numbers", "times", "draws", "words", "actions", "probabilities"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
        assert np.array_equal(getattr(other, name), getattr(second, name))


def test_a_block_that_announces_too_much() -> None:
    head = struct.pack("<IIIIQ", 0x01445750, 24, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with pytest.raises(BlockFault, match="has 4294967295 decisions"):
        decode_decisions(sealed(head), 24, SHARED)
    words = struct.pack("<II", 0x024F5750, 512) + bytes(64) + (bytes(9)) * 4
    with pytest.raises(BlockFault, match="column of 4294967295 values"):
        decode_outcomes(sealed(words + struct.pack("<IB", 0xFFFFFFFF, 0)), 512)


def test_orphans_are_left_out_with_a_warning(recordings: list[Path], tmp_path: Path) -> None:
    merged = next(path for path in recordings if path.name == "merged.trace")
    copy = Path(shutil.copy(merged, tmp_path / "orphans.trace"))
    change(copy, "DELETE FROM sessions WHERE id = 3")
    change(copy, "DELETE FROM checksums WHERE session = 3")
    with pytest.warns(UserWarning, match="blocks of decisions without a session"):
        trace = read_trace(copy)
    assert set(trace.decisions["session"]) == {1}


def test_a_recording_under_way(copy: Path, tmp_path: Path) -> None:
    """What is committed only in the `-wal` file is read, and the reader changes nothing."""
    writer = sqlite3.connect(copy, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    row = writer.execute("SELECT max(rowid) FROM path_samples").fetchone()[0]
    killed = tmp_path / "killed"
    killed.mkdir()
    before = read_trace(copy)
    # Rows and their checksum in one transaction, as the recorder writes them.
    count = len(before.samples)
    writer.execute("BEGIN")
    writer.execute("DELETE FROM path_samples WHERE rowid = ?", (row,))
    writer.execute("DELETE FROM checksums WHERE name = 'path_samples'")
    assert len(read_trace(copy).samples) == count
    writer.execute("COMMIT")
    for name in ("copy.trace", "copy.trace-wal"):
        shutil.copy(copy.with_name(name), killed / name)
    writer.close()
    trace = read_trace(killed / "copy.trace")
    assert len(trace.samples) == count - 1
    assert np.array_equal(trace.decisions["number"], before.decisions["number"])
