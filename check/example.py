# SPDX-License-Identifier: GPL-2.0
"""A suite that is nowhere but here, and what guests might say of it."""

from collections.abc import Iterable
from pathlib import Path

from vm.ask.suite import Need, Suite, Test
from vm.report.ktap import Ktap
from vm.report.results import Feed, Results
from vm.report.text import Report

TESTS = [Test("a_test", f"waits.{fs}_punch.{name}", fs) for fs in ("ext4", "xfs")
         for name in ("one", "one_more")]
EXT4 = TESTS[:2]
CRASH = Test("b_test", "shares.xfs_clone.bug", "xfs", frozenset({Need.ALONE}))
SUITE = Suite(Path("/nowhere"), TESTS, 10)


class Told:
    """Results of @tests, and the KTAP that is made of them."""

    def __init__(self, tests: Iterable[Test] = TESTS):
        self.ktap: list[str] = []
        self.results = Results(list(tests))
        self.results.kernel = "7.3.4-x"
        self._writer = Ktap(self.results, self.ktap.append)
        self.results.on_case = self._writer.told
        self.results.on_left = self._writer.left

    def feed(self, tests: Iterable[Test], *messages: str) -> Feed:
        """A guest that runs @tests, and what it says."""
        feed = Feed(self.results, list(tests))
        for message in messages:
            feed.feed(message)
        return feed

    def close(self, error: str = "") -> list[str]:
        self._writer.close(error)
        return self.ktap


def feed(*messages: str, tests=EXT4) -> tuple[Results, list[str]]:
    """What the @messages of a guest come to once its program is over, and the KTAP."""
    told = Told(tests)
    guest = told.feed(tests, *messages)
    for case in guest.finish(""):
        guest.give_up(case, "it has ended early")
    return told.results, told.close()


def summary(results: Results, bugs=()) -> Report:
    return Report(results, list(bugs), "./again", {})
