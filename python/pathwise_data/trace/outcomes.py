"""Decodes the outcomes of the decisions of one block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import BlockFault
from .columns import Array, BlockReader, Floats, Integers
from .decisions import PATH_LIMIT, are_counts

MAGIC_WITHOUT_BYTES = 0x014F5750
MAGIC = 0x024F5750


@dataclass(frozen=True)
class OutcomeBlock:
    """Outcomes; arrays of a row for each outcome unless noted."""

    positions: Integers  # of its decision in the block
    is_late: Array
    deliveries: Floats  # NaN: not delivered in time
    deadlines: Floats
    packets: Integers
    lost: Integers
    closed: Integers
    # A row for each outcome and path that carried bytes of it.
    byte_rows: Integers  # the outcome
    byte_paths: Integers
    bytes: Integers
    has_bytes: bool


def decode_outcomes(data: object, limit: int) -> OutcomeBlock:
    """Decodes a block.

    :param data: the bytes of the block.
    :param limit: how many decisions the block of decisions has.
    :raises BlockFault: if the block is damaged.
    """
    reader = BlockReader(data)
    magic = reader.number("<u4")
    if magic not in (MAGIC, MAGIC_WITHOUT_BYTES):
        raise BlockFault("is not a block of outcomes of a known layout")
    positions = reader.number("<u4")
    if positions > limit:
        raise BlockFault(f"has outcomes of {positions} decisions instead of {limit}")
    bits = np.unpackbits(reader.take("u1", (positions + 7) // 8), bitorder="little")
    known = np.flatnonzero(bits[:positions])
    count = len(known)
    flags, closed, packets, lost = (reader.integers(count) for _ in range(4))
    if np.any((flags < 0) | (flags > 3)):
        raise BlockFault("has an outcome with unknown flags")
    if not are_counts(packets) or not are_counts(lost):
        raise BlockFault("has an outcome with an impossible number of packets")
    delivered = flags & 2 != 0
    values = reader.words(limit).view(np.float64)
    deadlines = reader.words(limit).view(np.float64)
    if len(values) != delivered.sum() or len(deadlines) != count:
        raise BlockFault(f"has {len(values)} deliveries and {len(deadlines)} deadlines")
    deliveries = np.full(count, np.nan)
    deliveries[delivered] = values
    rows, paths, sizes = _bytes(reader, count) if magic == MAGIC else (known[:0],) * 3
    reader.end()
    return OutcomeBlock(
        positions=known,
        is_late=flags & 1 != 0,
        deliveries=deliveries,
        deadlines=deadlines,
        packets=packets,
        lost=lost,
        closed=closed,
        byte_rows=rows,
        byte_paths=paths,
        bytes=sizes,
        has_bytes=magic == MAGIC,
    )


def _bytes(reader: BlockReader, count: int) -> tuple[Integers, Integers, Integers]:
    """Returns outcome, path and bytes of everything that was sent."""
    sets = reader.integers(count)
    if np.any((sets < 0) | (sets > 0xFFFF)):
        raise BlockFault("has an outcome of paths out of range")
    rows, paths = np.nonzero((sets[:, None] >> np.arange(PATH_LIMIT)) & 1)
    sizes = reader.integers(len(rows))
    if np.any((sizes <= 0) | (sizes > 0xFFFFFFFF)):
        raise BlockFault("has an outcome with impossible bytes on a path")
    return rows, paths, sizes
