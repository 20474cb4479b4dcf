# SPDX-License-Identifier: GPL-2.0
"""The guests that a run takes, and how several of them share one stream of KTAP.

Each filesystem's tests, on each backend, run in a guest of their own, all at once: an
emulated guest keeps one processor of the host busy, whatever it has itself. The
longest come first, so that no processor is idle while the last of them runs. After
these come the tests that may take the kernel down with them, a guest for each.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from .suite import Test


@dataclass(frozen=True)
class Boot:
    """A guest to boot, and the tests that it is for."""

    name: str
    tests: tuple[Test, ...]
    alone: bool = False     # a single test, which may crash the guest

    @property
    def backend(self) -> str:
        return self.tests[0].backend

    @property
    def programs(self) -> list[str]:
        return sorted({t.program for t in self.tests})


def plan(chosen: list[Test]) -> list[Boot]:
    """The guests for the tests @chosen, in the order in which their results are told."""
    together = [t for t in chosen if not t.may_crash]
    by_place = [Boot(place, tuple(t for t in together if t.place == place))
                for place in sorted({t.place for t in together})]
    by_place.sort(key=lambda boot: -len(boot.tests))
    return by_place + [Boot(t.title, (t,), alone=True) for t in chosen if t.may_crash]


class Turns:
    """Writers who take turns at one sink: each writes live while it is its turn.

    What the others write meanwhile is kept, and comes when the turn is theirs. So
    the stream is the same as if they had written one after the other.
    """

    def __init__(self, emit: Callable[[str], None], writers: int):
        self._emit = emit
        self._lock = threading.Lock()
        self._kept: list[list[str]] = [[] for _ in range(writers)]
        self._over = [False] * writers
        self._turn = 0

    def writer(self, index: int) -> Callable[[str], None]:
        def write(line: str) -> None:
            with self._lock:
                if index == self._turn:
                    self._emit(line)
                else:
                    self._kept[index].append(line)
        return write

    def end(self, index: int) -> None:
        """Writer @index has nothing more to write."""
        with self._lock:
            self._over[index] = True
            while self._turn < len(self._over) and self._over[self._turn]:
                self._turn += 1
                if self._turn < len(self._kept):
                    for line in self._kept[self._turn]:
                        self._emit(line)
                    self._kept[self._turn].clear()
