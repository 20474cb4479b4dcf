# SPDX-License-Identifier: GPL-2.0
"""How far a run has come, and how long it may still take."""

import time
from collections import Counter
from enum import Enum

from .results import Case


class Kind(Enum):
    """What a result means to the person who waits for it."""

    PASSED = "passed"
    NEW = "new failures"
    KNOWN = "known"
    SKIPPED = "skipped"


def clock(seconds: float) -> str:
    """75 -> 1:15"""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Tally:
    """Counts the results of a run of @total tests, of @expected seconds, all added up."""

    def __init__(self, total: int, expected: float | None) -> None:
        self.total, self._expected = total, expected
        self._counts: Counter[Kind] = Counter()
        self._seconds = 0.0             # that tests have taken
        self._began = time.monotonic()

    def add(self, case: Case, kind: Kind) -> None:
        self._counts[kind] += 1
        self._seconds += case.seconds

    def __getitem__(self, kind: Kind) -> int:
        return self._counts[kind]

    @property
    def done(self) -> int:
        return self._counts.total()

    @property
    def share(self) -> float:
        """Of the work that is done; by the number of tests if durations tell nothing."""
        if self._expected and self._seconds < self._expected:
            return self._seconds / self._expected
        return self.done / self.total if self.total else 1.0

    def left(self) -> float | None:
        """Seconds that the rest will take if it goes on as before; None: it cannot be told."""
        if not self.share:
            return None
        return (time.monotonic() - self._began) * (1 - self.share) / self.share

    def words(self, width: int = 1000) -> str:
        """All of that, in as many words as there is room for."""
        left = self.left()
        time_left = "" if left is None or self.done >= self.total else clock(left)
        new = self[Kind.NEW]
        failures = f"{new or 'no'} new failure{'s' * (new > 1)}"
        several = (
            [f"{self.done} of {self.total} done", f"{self[Kind.PASSED]} passed", failures,
             f"{self[Kind.KNOWN]} known", f"{self[Kind.SKIPPED]} skipped",
             time_left and f"{time_left} left"],
            [f"{self.done} of {self.total}", failures, f"{self[Kind.KNOWN]} known",
             time_left and f"{time_left} left"],
            [f"{self.done}/{self.total}", f"{new} new", f"{self[Kind.KNOWN]} known", time_left],
            [f"{self.done}/{self.total}", f"{new} new"])
        lines = [", ".join(filter(None, parts)) for parts in several]
        return next((line for line in lines if len(line) <= width), lines[-1])
