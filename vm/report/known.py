# SPDX-License-Identifier: GPL-2.0
"""Failures that are old news: by the table known-bugs, or by an earlier run."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

from ..ask.suite import Test
from ..base import ROOT, RunError, version
from . import record
from .results import Case

KNOWN_BUGS = ROOT / "known-bugs"
FOR_EVER = "ever"       # in place of the first version: as old as the code


@dataclass(frozen=True)
class KnownBug:
    """An entry of known-bugs."""

    first: tuple[int, ...]      # kernel versions, both affected; empty: open
    last: tuple[int, ...]
    globs: tuple[str, ...]      # over names of tests
    chance: tuple[str, ...]     # those of them whose tests show it only now and then
    exceptions: tuple[str, ...]     # globs over names to leave out
    what: str

    def covers(self, kernel: tuple[int, ...], test: str) -> bool:
        # 6.14 as the last version includes 6.14.11: compare as many parts as given.
        return (kernel >= self.first and kernel[:len(self.last)] <= (self.last or kernel)
                and any(fnmatch.fnmatchcase(test, glob) for glob in self.globs)
                and not any(fnmatch.fnmatchcase(test, glob) for glob in self.exceptions))

    def always_shown_by(self, test: str) -> bool:
        """Does @test, which this covers, fail every time?"""
        return not any(fnmatch.fnmatchcase(test, glob) for glob in self.chance)


def _read_bug(entry: str) -> KnownBug:
    """Reads an entry; ValueError says what is wrong with it."""
    versions, tests, what, fix = (field.strip() for field in entry.split("|"))
    first, last = versions.split("-")
    words = tests.split()
    globs = tuple(word.removeprefix("~") for word in words if not word.startswith("!"))
    for glob in globs:
        if re.search(r"[*?[]", glob.partition(".")[0]):
            raise ValueError(f"{glob}: name the fixture in full")
    if first != FOR_EVER and not version(first):
        raise ValueError(f"since when? {FOR_EVER}, or a version")
    return KnownBug(version(first), version(last), globs,
                    tuple(word[1:] for word in words if word.startswith("~")),
                    tuple(word[1:] for word in words if word.startswith("!")),
                    what + (f" (fixed by {fix})" if fix else ""))


def read(path: Path = KNOWN_BUGS) -> list[KnownBug]:
    """Reads the table; its head says what it looks like."""
    entries: list[tuple[int, str]] = []     # with the number of its first line
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line[:1].isspace() and line.strip() and entries:
            entries[-1] = entries[-1][0], f"{entries[-1][1]} {line.strip()}"
        elif line.strip() and not line.startswith("#"):
            entries.append((number, line))
    bugs = []
    for number, entry in entries:
        try:
            bugs.append(_read_bug(entry))
        except ValueError as error:
            raise RunError(f"{path}:{number}: not 'FIRST-LAST | TESTS | WHAT | FIX': "
                           f"{error}") from None
    return bugs


class Earlier:
    """An earlier run, by the file that --json has made of it: what failed in it is old."""

    def __init__(self, path: Path):
        self.path, self.run = path, record.read(path)
        self._tests = self.run.by_title()
        self._problems = {(problem.where, problem.what) for problem in self.run.problems}

    def __str__(self) -> str:
        return f"{self.path} ({self.run.kernel})"

    def has(self, case: Case) -> bool:
        """Did the test fail before, and break each promise that it breaks now?"""
        before = self._tests.get(case.test.title)
        return (before is not None and before.status == "failed"
                and case.promises <= set(before.promises))

    def has_problem(self, where: str, what: str) -> bool:
        return (where, what) in self._problems

    def lacks(self, tests: list[Test]) -> str:
        """What to say of those of @tests that have no result in it."""
        told = {title for title, entry in self._tests.items() if entry.status != record.NOT_RUN}
        lacking = [test.title for test in tests if test.title not in told]
        if len(lacking) == len(tests):
            raise RunError(f"{self.path} has a result of none of these tests: give --baseline "
                           "the --json of a run of the same tests")
        if not lacking:
            return ""
        return (f"{self.path} has no result of {len(lacking)} of these tests, {lacking[0]} for "
                "one: if they fail, that is new")
