# SPDX-License-Identifier: GPL-2.0
"""Runs of the runner, with programs that behave as badly as they are told to."""

import contextlib
import io
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from check import ktap
from vm.ask.suite import Need, Suite, Test
from vm.base import BUILD
from vm.command import Status
from vm.run import cli

FIXTURES = Path(__file__).parent / "fixtures"
PROGRAMS = ("a_test", "b_test", "stuck_test")
PROGRAM_LIMIT = 4       # seconds for a program of fixtures


class Fixtures(Suite):
    """All programs are in all guests, so that one snapshot does for all tests."""

    @property
    def programs(self) -> list[Path]:
        return [self.directory / name for name in PROGRAMS]

    def arguments(self, program: str, chosen: list[Test]) -> list[str]:
        return [word for t in chosen if t.program == program for word in ("-r", t.name)]


def programs() -> Path:
    """Where they are; made anew only when their sources change."""
    directory = BUILD / "fixtures"
    directory.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        source, made = FIXTURES / f"{name}.c", directory / name
        script = not source.exists()
        if script:      # b_test is another a_test
            source = FIXTURES / "a_test"
        if made.exists() and made.stat().st_mtime >= source.stat().st_mtime:
            continue
        if script:
            shutil.copy(source, made)
        else:
            subprocess.run(["gcc", "-static", "-o", made, source], check=True)
    return directory


def fixture_suite(*tests: str, limit: int = PROGRAM_LIMIT) -> Suite:
    """A suite of tests of fixtures/, given as PROGRAM:TEST or PROGRAM:TEST:NEED."""
    words = [name.split(":") for name in tests]
    return Fixtures(programs(), [Test(program, f"runner.ext4.{test}", "ext4",
                                      frozenset(map(Need, needs)))
                                 for program, test, *needs in words], limit)


def qemus(parent: int) -> list[int]:
    """Processes of QEMU that process @parent has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text(encoding="ascii").partition(" (")[2].rpartition(")")
            if name.startswith(("qemu", "ld-")) and int(rest.split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


class Run(unittest.TestCase):
    """A run of the runner inside this process, so that its pieces can be replaced."""

    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def tearDown(self):
        self.assertEqual(qemus(os.getpid()), [])
        self.assertFalse((BUILD / f"run-{os.getpid()}").exists())

    def run_tests(self, *argv: str, limit: float = 60, **for_testing) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        start = time.monotonic()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(argv, **for_testing)
        self.assertLess(time.monotonic() - start, limit, "took too long")
        return status, out.getvalue(), err.getvalue()

    def cannot_run(self, regex: str, *argv: str, **for_testing):
        status, _, err = self.run_tests(*argv, **for_testing)
        self.assertEqual(status, Status.NOT_RUN, err)
        self.assertRegex(err.splitlines()[-1], regex)
        return err

    def lines(self) -> list[str]:
        """The KTAP of the last run."""
        return (cli.LAST_RUN / "results.ktap").read_text(encoding="utf-8").splitlines()

    def results(self) -> dict[str, str]:
        """The results in it, by name of the test, which is part of the test's name."""
        return {test.name.rpartition(".")[2]: test.status
                for program in ktap.read(self.lines()) for test in program.nested}
