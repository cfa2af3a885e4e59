"""Shows on standard error how many tasks of the job are done."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from pyspark import SparkContext


class Progress:
    """A line that follows the running stages, as long as the value is entered.

    On a terminal the line is rewritten; elsewhere a line is written when a tenth more is done.

    :param context: the cluster.
    :param step: what is done, for the line.
    :param count: how many tasks the step has.
    :param output: instead of standard error.
    """

    def __init__(
        self, context: SparkContext, step: str, count: int, output: TextIO | None = None
    ) -> None:
        self._tracker = context.statusTracker()
        self._step, self._count, self._output = step, count, output or sys.stderr
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._shown = -1
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if kind is None:
            self._show(self._count)
        if self._output.isatty():
            print(file=self._output)

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            done = 0
            for stage in self._tracker.getActiveStageIds():
                info = self._tracker.getStageInfo(stage)
                if info is not None:
                    done += info.numCompletedTasks
            self._show(min(done, self._count))

    def _show(self, done: int) -> None:
        is_terminal = self._output.isatty()
        tenths = done * 10 // max(self._count, 1)
        if not is_terminal and tenths <= self._shown:
            return
        self._shown = tenths
        seconds = time.monotonic() - self._started
        text = f"{self._step}: {done} of {self._count} done, {seconds:.0f} s"
        print(f"\r\x1b[K{text}" if is_terminal else text, end="" if is_terminal else "\n",
              file=self._output, flush=True)  # fmt: skip
