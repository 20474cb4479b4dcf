# SPDX-License-Identifier: GPL-2.0
"""Runs the checks named, or all; the last line is 'N passed, N failed'."""

import sys
import time
import unittest

ALL = ("source_test", "unit_test", "results_test", "ktap_test", "schedule_test", "pool_test",
       "report_test", "record_test", "page_test", "patches_test", "bisect_test", "switches_test",
       "watch_test", "backend_test", "store_test", "runs_test", "errors_test", "ended_test",
       "labs_test", "virtiofs_test", "recipes_test", "runner_test", "parsers_test", "dead_test",
       "snapshot_test", "suite_test", "hardware_test", "series_test", "defects_test")


class Result(unittest.TextTestResult):
    """A line a check with its seconds, and a count of what passed."""

    passed = 0

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.passed += 1
        super().addSuccess(test)

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")
        self.stream.flush()


def main(names: list[str]) -> int:
    tests = unittest.defaultTestLoader.loadTestsFromNames([f"check.{n}" for n in names or ALL])
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result)
    result = runner.run(tests)
    failed = len(result.failures) + len(result.errors)
    skipped = f", {len(result.skipped)} skipped" if result.skipped else ""
    print(f"{result.passed} passed, {failed} failed{skipped}", flush=True)
    return 1 if failed or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
