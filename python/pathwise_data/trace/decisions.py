"""Decodes the decisions of one block, with all candidates and their features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import BlockFault
from .columns import Array, BlockReader, Floats, Integers, Words

# The first layout lacks the bytes that wait behind the burst.
FIRST_MAGIC, MAGIC = 0x01445750, 0x02445750
DECISION_LIMIT = 1024
PATH_LIMIT = 16
ACTION_LIMIT = 32
NUMBER_LIMIT = 1 << 40
COUNT_LIMIT = 1 << 53

# The words of a candidate behind its features, and whether they are doubles.
CANDIDATE_NUMBERS = {
    "predicted_s": True,
    "smoothed_rtt_s": True,
    "rtt_variation_s": True,
    "unanswered_age_s": True,
    "loss_rate": True,
    "rate": True,
    "room": False,
    "bytes_in_flight": False,
    "congestion_window": False,
    "weight": True,
    "price_per_gb": True,
    "rate_limit": True,
}
KINDS = ("unknown", "wired", "wifi", "cellular", "starlink")


@dataclass(frozen=True)
class DecisionBlock:
    """The decisions of a block; arrays of `decisions` rows unless noted."""

    numbers: Integers
    times: Integers
    bytes: Integers
    bytes_behind: Integers  # that wait to be sent after the burst
    deadlines: Integers
    is_message: Array
    is_forced: Array
    current_paths: Integers  # 255: none
    draws: Floats
    chosen: Integers
    candidate_counts: Integers
    action_counts: Integers
    # A row for each candidate.
    candidate_paths: Array
    words: Words  # (candidates, features + 13)
    # A row for each action of each decision.
    actions: Array
    probabilities: Floats

    @property
    def taken(self) -> Integers:
        """The position of each decision's chosen action in `actions`."""
        return np.cumsum(self.action_counts) - self.action_counts + self.chosen


def decode_decisions(data: object, features: int, shared: list[int]) -> DecisionBlock:
    """Decodes a block.

    :param data: the bytes of the block.
    :param features: how many features the trace has.
    :param shared: the features that belong to the burst and not to a path.
    :raises BlockFault: if the block is damaged.
    """
    reader = BlockReader(data)
    magic = reader.number("<u4")
    if magic not in (FIRST_MAGIC, MAGIC):
        raise BlockFault("is not a block of decisions of a known layout")
    found, count, rows = (reader.number("<u4") for _ in range(3))
    if found != features:
        raise BlockFault(f"has {found} features instead of {features}")
    if not 0 < count <= DECISION_LIMIT or rows > count * PATH_LIMIT:
        raise BlockFault(f"has {count} decisions with {rows} candidates")
    first = reader.number("<u8")
    if first >= NUMBER_LIMIT:
        raise BlockFault(f"begins with the number {first}")
    columns = [reader.integers(count) for _ in range(11)]
    gaps, times, sizes, deadlines, flags, current, candidates, actions, chosen, forms, changed = (
        columns
    )
    _check(np.all((flags >= 0) & (flags < 4)), "has a decision with unknown flags")
    _check(
        np.all((current == 255) | (current >= 0) & (current < PATH_LIMIT)),
        "has a current path out of range",
    )
    behind = reader.integers(count) if magic == MAGIC else np.zeros(count, np.int64)
    _check(are_counts(sizes) and are_counts(behind), "has a burst of impossible size")
    _check(
        gaps.min() >= 0 and np.all(np.diff(gaps) >= 0) and gaps[-1] < NUMBER_LIMIT,
        "has decision numbers that do not ascend",
    )
    numbers = first + np.arange(count) + gaps
    _check(numbers[-1] < NUMBER_LIMIT, "has decision numbers that are too large")
    draws = reader.take("<f8", count)
    _check(
        np.all((candidates >= 0) & (candidates <= PATH_LIMIT)) and candidates.sum() == rows,
        "has another number of candidates than its decisions",
    )
    paths = reader.take("u1", rows)
    _check(np.all(paths < PATH_LIMIT), "has a candidate with a path number out of range")
    words = _candidates(reader, paths, features + 13, shared)
    identity = words[:, -1]
    _check(
        np.all(identity & 0xFF == paths)
        and np.all((identity >> 8) & 0xFF < len(KINDS))
        and np.all(identity >> 16 <= 1),
        "has a candidate with unknown marks",
    )
    sets, probabilities = _distributions(reader, candidates, paths, actions, chosen, forms, changed)
    reader.end()
    return DecisionBlock(
        numbers=numbers,
        times=times,
        bytes=sizes,
        bytes_behind=behind,
        deadlines=deadlines,
        is_message=flags & 1 != 0,
        is_forced=flags & 2 != 0,
        current_paths=current,
        draws=draws,
        chosen=chosen,
        candidate_counts=candidates,
        action_counts=actions,
        candidate_paths=paths,
        words=words,
        actions=sets,
        probabilities=probabilities,
    )


def are_counts(values: Integers) -> bool:
    """Whether doubles represent all values exactly; larger ones are damage."""
    return bool(np.all((values >= -COUNT_LIMIT) & (values <= COUNT_LIMIT)))


def _check(holds: bool | np.bool_, fault: str) -> None:
    if not holds:
        raise BlockFault(fault)


def _candidates(reader: BlockReader, paths: Array, width: int, shared: list[int]) -> Words:
    """Returns all words of all candidates.

    A word is stored only where it differs from that of the path's previous candidate; words in
    `shared` where they differ from the previous candidate of any path.
    """
    rows = len(paths)
    stride = (width + 7) // 8
    packed = reader.take("u1", stride * rows).reshape(rows, stride)
    bits = np.unpackbits(packed, axis=1, bitorder="little").astype(bool)
    _check(not bits[:, width:].any(), "has an unknown column")
    bits = bits[:, :width]
    columns = [reader.words(rows) for _ in range(width)]
    lengths = np.array([len(column) for column in columns])
    changes = bits.sum(axis=0)
    _check(np.all(lengths >= changes), "lacks changed values")
    _check(np.all(lengths == changes), "has changed values left over")
    # All values in one array, with a zero before each column for what was never set.
    zero = np.zeros(1, np.uint64)
    values = np.concatenate([part for column in columns for part in (zero, column)])
    starts = np.cumsum(lengths + 1) - lengths - 1
    order = np.where(bits, np.cumsum(bits, axis=0), 0) + starts
    place = np.empty_like(order)
    for path in np.unique(paths):
        chain = np.flatnonzero(paths == path)
        place[chain] = np.maximum.accumulate(order[chain], axis=0)
    for column in shared:
        place[:, column] = np.maximum.accumulate(order[:, column])
    result: Words = values[place]
    return result


def _distributions(
    reader: BlockReader,
    candidates: Integers,
    paths: Array,
    actions: Integers,
    chosen: Integers,
    forms: Integers,
    changed: Integers,
) -> tuple[Array, Floats]:
    """Returns the actions of all decisions, as sets of paths, and their probabilities."""
    count = len(actions)
    listed = reader.number("<u4")
    _check(listed <= count * ACTION_LIMIT, f"lists {listed} actions")
    sets = reader.take("<u2", listed)
    changes = reader.words(count * ACTION_LIMIT).view(np.float64)
    _check(
        np.all((actions >= 0) & (actions <= ACTION_LIMIT) & (chosen >= 0) & (chosen < actions)),
        "has a chosen action that is not offered",
    )
    masks = changed.view(np.uint64)
    _check(np.all(masks >> actions.astype(np.uint64) == 0), "has probabilities without an action")
    bits = (masks[:, None] >> np.arange(ACTION_LIMIT, dtype=np.uint64)) & np.uint64(1) != 0
    _check(bits.sum() <= len(changes), "lacks probabilities")
    _check(bits.sum() == len(changes), "has probabilities left over")
    order = np.zeros(bits.shape, np.int64)
    order[bits] = np.arange(1, len(changes) + 1)
    latest = np.maximum.accumulate(order, axis=0)
    offered = np.arange(ACTION_LIMIT) < actions[:, None]
    probabilities = np.concatenate([np.zeros(1), changes])[latest][offered]
    # The previous list is kept behind its own end, as the writer does.
    single = np.left_shift(np.uint16(1), paths.astype(np.uint16))
    previous = np.zeros(ACTION_LIMIT, np.uint16)
    lists: list[Array] = []
    length, row, place = 0, 0, 0
    for number, offers, form in zip(actions.tolist(), candidates.tolist(), forms.tolist()):
        if form == 0 and number == offers:
            previous = single[row : row + number]
        elif form == 2 and place + number <= listed:
            previous = sets[place : place + number]
            place += number
        elif form != 1 or number != length:
            raise BlockFault("has a list of actions that does not fit")
        lists.append(previous)
        length = number
        row += offers
    _check(place == listed, "has actions left over")
    return np.concatenate(lists), probabilities
