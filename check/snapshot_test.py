# SPDX-License-Identifier: GPL-2.0
"""Guests that start from a snapshot: what they share, and what they do not."""

import contextlib
import io
import time
from pathlib import Path

from check import ktap
from check.running import Run, fixture_suite
from vm.ask import options
from vm.command import Status
from vm.machine import snapshot
from vm.machine.fleet import SNAPSHOTS
from vm.run import cli

# Tests that do the same every time, of several programs and filesystems.
STABLE = ("reuse.*", "not_dax.*", "eof.ext4_*", "eof.xfs_*")


class Snapshots(Run):
    def used(self) -> Path:
        """The snapshot that was used last."""
        return max((path.parent for path in SNAPSHOTS.glob(f"*/{snapshot.USE}")),
                   key=lambda home: home.stat().st_mtime)

    def test_what_guests_do_not_share(self):
        """Two guests from one snapshot have other random numbers, and the right time."""
        suite = fixture_suite("a_test:tells:alone", "b_test:tells_too:alone")
        with contextlib.redirect_stdout(io.StringIO()):
            status, report = cli.run(options.parse([]), suite)
        now = time.time()
        self.assertEqual(status, Status.PASSED)
        recorded = report.results.recorded
        self.assertEqual(len(recorded["random"]), 2, recorded)
        for seconds in recorded["seconds"]:
            self.assertLess(abs(now - float(seconds)), 60)

    def test_one_that_cannot_be_used(self):
        """It is thrown away, and made again."""
        suite = fixture_suite("a_test:passes")
        self.assertEqual(self.run_tests(the_suite=suite)[0], Status.PASSED)
        state = self.used() / snapshot.STATE
        size = state.stat().st_size
        with state.open("r+b") as bad:
            bad.truncate(4096)
        status, _, err = self.run_tests(the_suite=suite)
        self.assertEqual(status, Status.PASSED, err)
        self.assertEqual(self.results(), {"passes": "ok"})
        self.assertEqual(self.used(), state.parent)
        self.assertGreater(state.stat().st_size, size // 2)

    def test_no_snapshot(self):
        """The results are the same without, and nothing is kept."""
        self.assertEqual(self.run_tests("reuse.ext4_*")[0], Status.PASSED)
        lines, there = self.lines(), sorted(SNAPSHOTS.iterdir())
        self.assertEqual(self.run_tests("--no-snapshot", "reuse.ext4_*")[0], Status.PASSED)
        self.assertEqual(self.lines(), lines)
        self.assertEqual(sorted(SNAPSHOTS.iterdir()), there)

    def test_the_same_whatever_the_number(self):
        """Of guests: the KTAP is, byte for byte."""
        self.assertEqual(self.run_tests("--jobs", "1", *STABLE)[0], Status.PASSED)
        lines = self.lines()
        self.assertEqual(self.run_tests("--jobs", "3", *STABLE)[0], Status.PASSED)
        self.assertEqual(self.lines(), lines)
        self.assertGreater(sum(len(program.nested) for program in ktap.read(lines)), 50)
