# SPDX-License-Identifier: GPL-2.0
"""The suite as the runner sees it: the tests in its programs."""

import fnmatch
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from .. import command
from ..base import BUILD, SOURCE, RunError
from ..machine.backend import BACKENDS, DEFAULT, usual


class Need(Enum):
    """What a test may need of its guest, in the words of a program's listing."""

    ALONE = "alone"                 # it may take the kernel down
    SMALL_WINDOW = "small-window"   # of virtiofs, so that ranges run out
    FINAL = "final"                 # it checks what the program's other tests have left


@dataclass(frozen=True)
class Test:
    """One test case, named as the harness names it, and where it runs."""

    program: str
    name: str       # FIXTURE.VARIANT.TEST
    fs: str
    needs: frozenset[Need] = frozenset()
    backend: str = DEFAULT

    @classmethod
    def read(cls, program: str, line: str) -> "Test":
        """One of @program, from a line of its listing: NAME FILESYSTEM [NEED...]"""
        try:
            name, fs, *needs = line.split()
            return cls(program, name, fs, frozenset(map(Need, needs)), usual(fs))
        except ValueError as error:
            raise RunError(f"{program} -l says '{line}', which is not 'NAME FILESYSTEM "
                           f"[NEED...]' ({error}): build it again") from None

    @property
    def fixture(self) -> str:
        return self.name.partition(".")[0]

    @property
    def place(self) -> str:
        """The filesystem, and what that is on if it is not the default."""
        return self.on_backend(self.fs)

    @property
    def title(self) -> str:
        """Its name in results."""
        return self.on_backend(self.name)

    @property
    def group(self) -> str:
        """Its program, and where that runs."""
        return f"{self.place}:{self.program}"

    def on_backend(self, what: str) -> str:
        """@what, and where this test runs if that is not the default."""
        return what if self.backend == usual(self.fs) else f"{self.backend}:{what}"

    @property
    def alone(self) -> bool:
        """Must it have a guest of its own?"""
        return Need.ALONE in self.needs

    @property
    def final(self) -> bool:
        """Is it to be run after every part of its program?"""
        return Need.FINAL in self.needs

    def matches(self, pattern: str) -> bool:
        """A glob over the name, the whole name, part of it, or the program's name."""
        if any(c in pattern for c in "*?["):
            return fnmatch.fnmatchcase(self.name, pattern)
        if pattern.count(".") == 2:
            return self.name == pattern
        return pattern == self.program or pattern in self.name


@dataclass(frozen=True)
class Suite:
    """Built programs and the tests in them."""

    directory: Path
    tests: list[Test]
    timeout: int            # seconds for one program

    @property
    def programs(self) -> list[Path]:
        return [self.directory / name for name in sorted({t.program for t in self.tests})]

    def select(self, fs: tuple[str, ...] = (), filters: tuple[str, ...] = (),
               backends: tuple[str, ...] = ()) -> list[Test]:
        """The tests on one of @fs that match one of @filters; empty means any.

        If @backends are given, on each of them that their filesystem can be on.
        """
        known = sorted({t.fs for t in self.tests})
        for name in fs:
            if name not in known:
                raise RunError(f"unknown filesystem '{name}': this suite knows {', '.join(known)}")
        chosen = [t for t in self.tests if not fs or t.fs in fs]
        found: set[Test] = set()
        for pattern in filters:
            # What looks like a full name, and is none, may be part of one.
            matching = ([t for t in chosen if t.matches(pattern)]
                        or [t for t in chosen if pattern in t.name])
            if not matching:
                raise RunError(f"no test matches '{pattern}': see --list")
            found.update(matching)
        chosen = [t for t in chosen if not filters or t in found]
        if not backends:
            return chosen
        tests = [replace(t, backend=name) for name in backends for t in chosen
                 if t.fs in BACKENDS[name].filesystems]
        if not tests:
            raise RunError(f"no filesystem of these tests can be on {', '.join(backends)}: "
                           "see --backend and --fs")
        return tests

    def arguments(self, program: str, chosen: list[Test]) -> list[str]:
        """What to give @program so that it runs just the @chosen ones of its tests."""
        wanted = [t.name for t in chosen if t.program == program]
        if wanted == [t.name for t in self.tests if t.program == program]:
            return []
        return [word for name in wanted for word in ("-r", name)]


def build(log: Path, directory: Path) -> Suite:
    """Builds the suite, and puts its programs into @directory, where nobody replaces them."""
    with command.made("programs", log):
        directory.mkdir()
        for program in (BUILD / "selftests").iterdir():
            if program.is_file() and os.access(program, os.X_OK):
                try:
                    os.link(program, directory / program.name)
                except OSError:         # it is another user's
                    shutil.copy2(program, directory)
    return load(directory)


def load(directory: Path, source: Path = SOURCE) -> Suite:
    """Asks the programs built in @directory which tests they hold."""
    tests = []
    for name in sorted(p.stem for p in source.glob("*_test.c")):
        listing = subprocess.run([directory / name, "-l"], capture_output=True, text=True,
                                 check=False)
        if listing.returncode:
            raise RunError(f"{directory / name} -l failed ({listing.returncode}): build it again")
        tests += [Test.read(name, line) for line in listing.stdout.splitlines()]
    names = [t.name for t in tests]
    if len(names) != len(set(names)):
        raise RunError("two tests have the same name: rename one, results are told apart by it")
    settings = (source / "settings").read_text(encoding="utf-8")
    return Suite(directory, tests, int(re.search(r"^timeout=(\d+)", settings, flags=re.M)[1]))
