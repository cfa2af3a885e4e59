"""The columns of a block: how numbers are packed (docs/formats.md, "Blocks").

Nothing here allocates a length that was read before it is known that the block has the bytes.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from ..errors import BlockFault

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]


class BlockReader:
    """Reads a block from its start to its end, and never beyond.

    :param data: the block, which ends with the XXH64 of the bytes before.
    :raises BlockFault: if the hash differs.
    """

    def __init__(self, data: object) -> None:
        if not isinstance(data, bytes) or len(data) < 8:
            raise BlockFault("is cut off")
        self._bytes = data[:-8]
        self._offset = 0
        (hash,) = struct.unpack("<Q", data[-8:])
        if xxhash.xxh64_intdigest(self._bytes) != hash:
            raise BlockFault("has other bytes than were written: its hash differs")

    @property
    def remaining(self) -> int:
        """How many bytes follow, without the hash."""
        return len(self._bytes) - self._offset

    def take(self, kind: str, count: int) -> Array:
        """Returns the next `count` numbers of a NumPy type, without copying them.

        :raises BlockFault: if the block ends before.
        """
        size = np.dtype(kind).itemsize * count
        if count < 0 or size > self.remaining:
            raise BlockFault("is cut off")
        values = np.frombuffer(self._bytes, kind, count, self._offset)
        self._offset += size
        return values

    def number(self, kind: str) -> int:
        """Returns the next integer."""
        return int(self.take(kind, 1)[0])

    def integers(self, count: int) -> Integers:
        """Returns a column of integers: the least value and the differences from it."""
        width = self.number("u1")
        least = self.take("<i8", 1)
        if width == 0:
            return np.repeat(least, count)
        if width not in (1, 2, 4, 8):
            raise BlockFault(f"has a column of {width}-byte integers")
        # The sum wraps around, as the writer's difference does.
        return least + self.take(f"<u{width}", count).astype(np.int64)

    def words(self, limit: int) -> Words:
        """Returns a column of 64-bit words, which are doubles or integers by their bits.

        :param limit: the largest number of values that the block may have here.
        """
        count = self.number("<u4")
        form = self.number("u1")
        if count > limit:
            raise BlockFault(f"has a column of {count} values")
        if form == 0:
            return self.take("<u8", count)
        if form > 2:
            raise BlockFault(f"has a column of form {form}")
        values = self.take("<u4", count)
        return values.astype(np.uint64) if form == 1 else (values * 1e-9).view(np.uint64)

    def end(self) -> None:
        """Checks that everything has been read."""
        if self.remaining:
            raise BlockFault("has bytes left over")
