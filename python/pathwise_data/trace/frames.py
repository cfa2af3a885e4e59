"""Collects decoded blocks and makes data frames of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import BlockFault
from .columns import Array, Integers
from .decisions import (
    CANDIDATE_NUMBERS,
    KINDS,
    PATH_LIMIT,
    DecisionBlock,
    are_counts,
)
from .outcomes import OutcomeBlock

CLASSES = ("stream", "message")


@dataclass(frozen=True)
class Decisions:
    """Consecutive decisions of a trace, with all that belongs to them (python/README.md)."""

    decisions: pd.DataFrame
    actions: pd.DataFrame
    candidates: pd.DataFrame
    outcomes: pd.DataFrame
    path_bytes: pd.DataFrame


def action_words(sets: Array) -> pd.Categorical:
    """Sets of paths as words: `0`, `0+2`, or `wait`."""
    values, codes = np.unique(sets, return_inverse=True)
    words = [
        "+".join(str(path) for path in range(PATH_LIMIT) if value >> path & 1) or "wait"
        for value in values.tolist()
    ]
    return pd.Categorical.from_codes(codes.astype(np.int32), categories=words)


def optional_paths(paths: Integers, are_known: Array) -> pd.api.extensions.ExtensionArray:
    """Path numbers, some of which are absent."""
    values = np.where(are_known, paths, 0).astype(np.int8)
    return pd.arrays.IntegerArray(values, ~are_known)


class FrameBuilder:
    """Collects blocks; `build` makes the frames and begins again.

    :param features: the names of the features.
    :param wants_candidates: whether the candidates, by far the largest table, are wanted.
    """

    def __init__(self, features: list[str], wants_candidates: bool = True) -> None:
        self._features = features
        self._wants_candidates = wants_candidates
        self._parts: dict[str, list[Array]] = {}
        self.count = 0

    def add(self, session: int, block: DecisionBlock, outcomes: OutcomeBlock | None) -> None:
        """Adds a block.

        :param session: the session of its decisions.
        :param outcomes: the outcomes of its decisions.
        :raises BlockFault: if a number is impossible.
        """
        count = len(block.numbers)
        rows = np.repeat(np.arange(count), block.candidate_counts)
        taken = block.actions[block.taken].astype(np.int64)
        paths = block.candidate_paths.astype(np.int64)
        offered = np.zeros(count, np.int64)
        np.bitwise_or.at(offered, rows, 1 << paths)
        # The row of each decision's path; of equal ones the first.
        lowest = np.where(taken == 0, 0, np.log2(np.maximum(taken & -taken, 1)).astype(np.int64))
        places = np.full(count * PATH_LIMIT, -1)
        places[(rows * PATH_LIMIT + paths)[::-1]] = np.arange(len(rows))[::-1]
        chosen = places[np.arange(count) * PATH_LIMIT + lowest]
        predicted = np.full(count, np.nan)
        is_known = (taken != 0) & (chosen >= 0)
        numbers = self._numbers(block)
        predicted[is_known] = numbers["predicted_s"][chosen[is_known]]
        self._put(
            "decisions",
            session=np.full(count, session),
            number=block.numbers,
            time_ns=block.times,
            is_message=block.is_message,
            planned_bytes=block.bytes,
            bytes_behind=block.bytes_behind,
            deadline_ns=block.deadlines,
            current_path=block.current_paths,
            candidate_paths=offered,
            action=taken,
            lowest=lowest,
            propensity=block.probabilities[block.taken],
            forced=block.is_forced,
            draw=block.draws,
            predicted_s=predicted,
        )
        decisions = np.repeat(np.arange(count), block.action_counts)
        is_chosen = np.zeros(len(decisions), bool)
        is_chosen[block.taken] = True
        self._put(
            "actions",
            session=np.full(len(decisions), session),
            number=block.numbers[decisions],
            action=block.actions,
            probability=block.probabilities,
            chosen=is_chosen,
        )
        if self._wants_candidates:
            identity = block.words[:, -1]
            self._put(
                "candidates",
                session=np.full(len(rows), session),
                number=block.numbers[rows],
                path=block.candidate_paths,
                chosen=taken[rows] >> paths & 1 != 0,
                **numbers,
                backup=identity >> 16 != 0,
                kind=(identity >> 8 & 0xFF).astype(np.int8),
                features=block.words[:, : len(self._features)].view(np.float64),
            )
        if outcomes is not None:
            self._add_outcomes(session, block, outcomes)
        self.count += count

    def _numbers(self, block: DecisionBlock) -> dict[str, Array]:
        result: dict[str, Array] = {}
        words = block.words[:, len(self._features) :]
        for place, (name, is_real) in enumerate(CANDIDATE_NUMBERS.items()):
            column = np.ascontiguousarray(words[:, place])
            result[name] = column.view(np.float64 if is_real else np.int64)
            if not is_real and not are_counts(result[name]):
                raise BlockFault(f"has an impossible number in '{name}'")
        return result

    def _add_outcomes(self, session: int, block: DecisionBlock, outcomes: OutcomeBlock) -> None:
        count = len(outcomes.positions)
        numbers = block.numbers[outcomes.positions]
        total = np.zeros(count, np.int64)
        np.add.at(total, outcomes.byte_rows, outcomes.bytes)
        self._put(
            "outcomes",
            session=np.full(count, session),
            number=numbers,
            delivery_s=outcomes.deliveries,
            late=outcomes.is_late,
            outcome_deadline_s=outcomes.deadlines,
            packets=outcomes.packets,
            lost=outcomes.lost,
            closed_ns=outcomes.closed,
            bytes=total,
        )
        self._put(
            "path_bytes",
            session=np.full(len(outcomes.byte_rows), session),
            number=numbers[outcomes.byte_rows],
            path=outcomes.byte_paths,
            bytes=outcomes.bytes,
        )

    def _put(self, table: str, **columns: Array) -> None:
        for name, values in columns.items():
            self._parts.setdefault(f"{table}.{name}", []).append(values)

    def _take(self, table: str, name: str, kind: type[np.generic]) -> Array:
        parts = self._parts.pop(f"{table}.{name}", [])
        return np.concatenate(parts).astype(kind, copy=False) if parts else np.zeros(0, kind)

    def _frame(self, table: str, columns: dict[str, type[np.generic]]) -> pd.DataFrame:
        return pd.DataFrame(
            {name: self._take(table, name, kind) for name, kind in columns.items()}, copy=False
        )

    def build(self) -> Decisions:
        """Makes frames of all blocks since the last call."""
        self.count = 0
        return Decisions(
            decisions=self._decisions(),
            actions=self._actions(),
            candidates=self._candidates(),
            outcomes=self._outcomes(),
            path_bytes=self._frame(
                "path_bytes",
                {"session": np.int64, "number": np.int64, "path": np.int8, "bytes": np.int64},
            ),
        )

    def _decisions(self) -> pd.DataFrame:
        current = self._take("decisions", "current_path", np.int64)
        taken = self._take("decisions", "action", np.int64)
        lowest = self._take("decisions", "lowest", np.int64)
        is_message = self._take("decisions", "is_message", np.bool_)
        frame = self._frame(
            "decisions",
            {
                "session": np.int64,
                "number": np.int64,
                "time_ns": np.int64,
                "planned_bytes": np.int64,
                "bytes_behind": np.int64,
                "deadline_ns": np.int64,
                "candidate_paths": np.uint16,
                "propensity": np.float64,
                "forced": np.bool_,
                "draw": np.float64,
                "predicted_s": np.float64,
            },
        )
        classes = pd.Categorical.from_codes(is_message.astype(np.int8), categories=CLASSES)
        frame.insert(3, "class", classes)
        frame.insert(7, "current_path", optional_paths(current, current != 255))
        frame.insert(9, "action", action_words(taken))
        frame.insert(10, "path", optional_paths(lowest, taken != 0))
        return frame

    def _actions(self) -> pd.DataFrame:
        words = action_words(self._take("actions", "action", np.uint16))
        frame = self._frame(
            "actions",
            {
                "session": np.int64,
                "number": np.int64,
                "probability": np.float64,
                "chosen": np.bool_,
            },
        )
        frame.insert(2, "action", words)
        return frame

    def _candidates(self) -> pd.DataFrame:
        kinds = self._take("candidates", "kind", np.int8)
        features = self._parts.pop("candidates.features", [])
        matrix = np.concatenate(features) if features else np.zeros((0, len(self._features)))
        numbers = {
            name: np.float64 if is_real else np.int64 for name, is_real in CANDIDATE_NUMBERS.items()
        }
        frame = self._frame(
            "candidates",
            {
                "session": np.int64,
                "number": np.int64,
                "path": np.int8,
                "chosen": np.bool_,
                **numbers,
                "backup": np.bool_,
            },
        )
        frame["kind"] = pd.Categorical.from_codes(kinds, categories=KINDS)
        return pd.concat([frame, pd.DataFrame(matrix, columns=self._features, copy=False)], axis=1)

    def _outcomes(self) -> pd.DataFrame:
        return self._frame(
            "outcomes",
            {
                "session": np.int64,
                "number": np.int64,
                "delivery_s": np.float64,
                "late": np.bool_,
                "outcome_deadline_s": np.float64,
                "packets": np.int64,
                "lost": np.int64,
                "closed_ns": np.int64,
                "bytes": np.int64,
            },
        )
