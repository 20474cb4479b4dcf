# SPDX-License-Identifier: GPL-2.0
"""The suite itself: on the default kernel, on one that breaks a promise, on stand-ins."""

import contextlib
import io
import re
import unittest
from collections import Counter
from pathlib import Path

from vm import command
from vm.ask import options, suite
from vm.command import Status
from vm.base import BUILD, SOURCE
from vm.run import cli

from . import ktap, parsers, shake

ORACLES = Path(__file__).parent / "oracles"


def run(*argv: str, by=cli.run, **for_testing):
    """Exit status and report of a run; of its output only the summary is shown."""
    with contextlib.redirect_stdout(io.StringIO()):
        status, report = by(options.parse(argv), **for_testing)
    print(report.text(), flush=True)
    return status, report


class SuiteRuns(unittest.TestCase):
    def test_default_kernel(self):
        """Every failure is a known bug; a known bug that does not show is reported only.

        What is skipped on the newest kernel would be skipped on any: so only what
        emulated memory, FUSE, and a distribution's kernel do not have.
        """
        status, report = run()
        self.assertEqual([f"{c.test.name}: {c.diagnosis}" for c in report.new_failures()], [])
        self.assertEqual(status, Status.PASSED)
        lines = (cli.LAST_RUN / "results.ktap").read_text("utf-8").splitlines()
        self.assertEqual(parsers.agree(lines), Counter({
            verdict: len(report.results.with_status(status)) for verdict, status in
            (("ok", "passed"), ("not ok", "failed"), ("skip", "skipped"))}))
        told = ktap.read(lines)
        self.assertEqual(
            [(program.name, test.name) for program in told for test in program.nested],
            [(case.test.group, case.test.name) for group in report.results.groups.values()
             for case in group.cases])
        usual = re.compile("write_zeroes|CONFIG_GUP_TEST|virtiofs does not have|MAP_SYNC"
                           "|the race got stuck")
        self.assertEqual([f"{c.test.name}: {c.diagnosis}"
                          for c in report.results.with_status("skipped")
                          if not usual.search(c.diagnosis)], [])

    def test_kernel_that_does_not_wait(self):
        """6.12 forgets pins of files that nobody maps, or that are deleted: P1 must tell."""
        status, report = run("--kernel", "debian:6.12")
        self.assertEqual([f"{c.test.name}: {c.diagnosis}" for c in report.new_failures()], [])
        self.assertEqual(status, Status.PASSED)
        # MADV_REMOVE needs a mapping of its own: for it, somebody always maps the file.
        forgets = re.compile(r"mapped\.(?!.*madv_remove).*\.by_nobody"
                             r"|(waits|pages)\.[a-z0-9]+_(unlink|umount)")
        for name, case in report.results.cases.items():
            if forgets.match(name) and case.status != "skipped":
                self.assertEqual(case.status, "failed", name)
                self.assertRegex(case.diagnosis,
                                 r"P1 broken: \w+ returned 0 .* with pages? [\d,]+ pinned")
        passed = [c.test.name for c in report.results.with_status("passed")]
        self.assertIn("waits.ext4_punch_vmsplice.two_pins_one_by_one", passed)
        self.assertIn("waits.xfs_truncate_dio_read.two_pins_one_by_one", passed)

    def test_shaken(self):
        """Signals, and who is awaited where: with delays in each other's way, no race."""
        status, report = run("uring.*", "interrupted.*", by=shake.run)
        self.assertEqual([f"{c.test.name}: {c.diagnosis}" for c in report.new_failures()], [])
        self.assertEqual(status, Status.PASSED)

    def test_oracles_can_fail(self):
        directory = BUILD / "oracles"
        command.make("oracles", directory / "build.log")
        status, report = run(the_suite=suite.load(directory, ORACLES))
        self.assertEqual(status, Status.PASSED, report.text())
        self.assertEqual(report.results.with_status("failed"), [])

    def test_names_are_stable(self):
        """The same names, in the same order, whoever asks; they are unique by load()."""
        first = suite.load(BUILD / "selftests").tests
        self.assertEqual(first, suite.load(BUILD / "selftests").tests)
        self.assertEqual({t.program for t in first}, {p.stem for p in SOURCE.glob("*_test.c")})
