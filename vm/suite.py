# SPDX-License-Identifier: GPL-2.0
"""The suite as the runner sees it: built programs, and the tests in them."""

import fnmatch
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from .backend import BACKENDS, DEFAULT, usual
from .errors import RunError

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"          # where everything that is made goes
SOURCE = ROOT / "tools/testing/selftests/dax_break"
# Seconds for a program whose settings file does not say: kselftest's own.
DEFAULT_TIMEOUT = 45


@dataclass(frozen=True)
class Test:
    """One test case, named as the harness names it, and where it runs."""

    program: str
    name: str       # FIXTURE.VARIANT.TEST
    backend: str = DEFAULT

    @property
    def fixture(self) -> str:
        return self.name.split(".")[0]

    @property
    def fs(self) -> str:
        """Every variant's name begins with the filesystem it runs on."""
        return self.name.split(".")[1].split("_")[0]

    @property
    def place(self) -> str:
        """The filesystem, and what that is on if it is not the default."""
        return self.on_backend(self.fs)

    @property
    def title(self) -> str:
        """Its name in results."""
        return self.on_backend(self.name)

    def on_backend(self, what: str) -> str:
        """@what, and where this test runs if that is not the default."""
        return what if self.backend == usual(self.fs) else f"{self.backend}:{what}"

    @property
    def may_crash(self) -> bool:
        """Can it take the kernel down with it? Then its fixture is called so."""
        return self.fixture.split("_")[0] == "crash"

    def matches(self, pattern: str) -> bool:
        """A glob over the name, the whole name, part of it, or the program's name."""
        if any(c in pattern for c in "*?["):
            return fnmatch.fnmatchcase(self.name, pattern)
        if pattern.count(".") == 2:
            return self.name == pattern
        return pattern == self.program or pattern in self.name


@dataclass
class Suite:
    """Built programs and the tests in them."""

    directory: Path
    tests: list[Test]
    timeout: int            # seconds for one program

    def select(self, fs: list[str], filters: list[str]) -> list[Test]:
        """The tests on one of @fs that match one of @filters; empty means any."""
        known = sorted({t.fs for t in self.tests})
        for name in fs:
            if name not in known:
                raise RunError(f"unknown filesystem '{name}': this suite knows {', '.join(known)}")
        chosen = [t for t in self.tests if not fs or t.fs in fs]
        for pattern in filters:
            if not any(t.matches(pattern) for t in chosen):
                raise RunError(f"no test matches '{pattern}': see --list")
        return [t for t in chosen if not filters or any(t.matches(p) for p in filters)]

    def on_backends(self, chosen: list[Test], names: list[str]) -> list[Test]:
        """The tests @chosen on each of the backends @names that their filesystem can be on.

        Without @names, on those that they are on.
        """
        if not names:
            return chosen
        tests = [replace(t, backend=name) for name in names for t in chosen
                 if t.fs in BACKENDS[name].filesystems]
        if not tests:
            raise RunError(f"no filesystem of these tests can be on {', '.join(names)}: "
                           "see --backend and --fs")
        return tests

    def arguments(self, program: str, chosen: list[Test]) -> list[str]:
        """What to give @program so that it runs just the @chosen ones of its tests."""
        wanted = [t.name for t in chosen if t.program == program]
        if wanted == [t.name for t in self.tests if t.program == program]:
            return []
        return [word for name in wanted for word in ("-r", name)]


def build(output: Path, log: Path) -> None:
    """Builds all that goes into a guest, in @output; the top Makefile knows how."""
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(["make", "-C", str(ROOT), f"BUILD={output}", "programs"],
                              stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        cause = next((line for line in lines if "error" in line.lower()), lines[-1])
        raise RunError(f"the suite does not build: {cause.strip()} (all of it: {log})")


def load(directory: Path, source: Path = SOURCE) -> Suite:
    """Asks the programs built in @directory which tests they hold."""
    tests = []
    for name in sorted(p.stem for p in source.glob("*_test.c")):
        listing = subprocess.run([directory / name, "-l"], capture_output=True, text=True,
                                 check=True)
        found = [Test(name, line) for line in listing.stdout.splitlines()]
        tests += [replace(t, backend=usual(t.fs)) for t in found]
    names = [t.name for t in tests]
    if len(names) != len(set(names)):
        raise RunError("two tests have the same name: rename one, results are told apart by it")
    return Suite(directory, tests, read_timeout(source / "settings"))


def read_timeout(settings: Path) -> int:
    for line in settings.read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "timeout":
            return int(value)
    return DEFAULT_TIMEOUT
