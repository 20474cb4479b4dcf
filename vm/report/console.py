# SPDX-License-Identifier: GPL-2.0
"""What a guest's kernel has printed around a test."""

from dataclasses import dataclass
from pathlib import Path

BEFORE = 8              # lines from before the test
FIRST, LAST = 120, 80   # lines from its begin and its end, if there are more
BYTES = 1 << 20         # a kernel that repeats itself is not read further


@dataclass(frozen=True)
class Excerpt:
    """Lines of the console of @guest."""

    guest: str = ""
    before: tuple[str, ...] = ()    # what came last before the test
    lines: tuple[str, ...] = ()     # while it ran


class Console:
    """The console of @guest, a file that grows, and where in it each test began."""

    def __init__(self, guest: str, path: Path):
        self._guest, self._path = guest, path
        self._marks: list[tuple[str, int]] = []

    @property
    def size(self) -> int:
        return self._path.stat().st_size

    def begins(self, name: str) -> None:
        """The test called @name begins now."""
        self._marks.append((name, self.size))

    @property
    def tests(self) -> set[str]:
        """Those that have begun."""
        return {name for name, _ in self._marks}

    def around(self, name: str) -> Excerpt:
        """What was printed until another test began. Empty if this one never has."""
        begins = [number for number, mark in enumerate(self._marks) if mark[0] == name]
        if not begins:
            return Excerpt()
        ends = [*(at for _, at in self._marks), self.size][begins[-1] + 1]
        start = self._marks[begins[-1]][1]
        return Excerpt(self._guest, tuple(self._read(max(0, start - 4096), start)[-BEFORE:]),
                       tuple(shortened(self._read(start, ends))))

    def _read(self, start: int, end: int) -> list[str]:
        with self._path.open("rb") as log:
            log.seek(start)
            return log.read(min(end - start, BYTES)).decode(errors="replace").splitlines()


def shortened(lines: list[str], first: int = FIRST, last: int = LAST) -> list[str]:
    """@lines without most of their middle, where they only repeat what came first."""
    left_out = len(lines) - first - last
    if left_out <= 0:
        return lines
    return [*lines[:first], f"... {left_out} lines ...", *lines[-last:]]
