# SPDX-License-Identifier: GPL-2.0
"""The suite itself: on the default kernel, on one that breaks a promise, on stand-ins."""

import contextlib
import io
import subprocess
import unittest
from pathlib import Path

from vm import cli, options, suite
from vm.suite import ROOT, SOURCE

ORACLES = Path(__file__).parent / "oracles"


def run(*argv: str, **for_testing):
    """Exit status and report of a run; of its output only the summary is shown."""
    with contextlib.redirect_stdout(io.StringIO()):
        status, report = cli.run(options.parse(list(argv)), **for_testing)
    print(report.text(), flush=True)
    return status, report


class SuiteRuns(unittest.TestCase):
    def test_default_kernel(self):
        """Every failure is a known bug; a known bug that does not show is reported only."""
        status, report = run()
        self.assertIn(status, (cli.PASSED, cli.FAILED))
        self.assertEqual([f"{c.test.name}: {c.why}" for c in report.new_failures()], [])
        self.assertEqual(report.results.problems, [])
        self.assertTrue(report.results.with_status("passed"))

    def test_kernel_that_does_not_wait(self):
        """6.12 forgets pins of files that nobody maps: each such case must fail, no other."""
        status, report = run("--kernel", "debian:6.12")
        self.assertEqual(status, cli.FAILED)
        failed = report.results.with_status("failed")
        self.assertEqual([c.test.name for c in failed],
                         [n for n in report.results.cases if n.endswith(".unmapped")])
        for case in failed:
            self.assertRegex(case.why, r"P1 broken: \w+ returned 0 .* with page 1 pinned by")
        self.assertEqual(report.new_failures(), [])

    def test_oracles_can_fail(self):
        directory = cli.BUILD / "oracles"
        directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(["make", "-s", "-C", ROOT, "oracles"], check=True)
        status, report = run(the_suite=suite.load(directory, ORACLES))
        self.assertEqual(status, cli.PASSED, report.text())
        self.assertEqual(report.results.with_status("failed"), [])

    def test_names_are_stable(self):
        """The same names, in the same order, whoever asks; they are unique by load()."""
        first = suite.load(cli.BUILD / "selftests").tests
        self.assertEqual(first, suite.load(cli.BUILD / "selftests").tests)
        self.assertEqual({t.program for t in first}, {p.stem for p in SOURCE.glob("*_test.c")})
