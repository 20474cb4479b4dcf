# SPDX-License-Identifier: GPL-2.0
"""Runs that never were, as records."""

from pathlib import Path

from vm.ask.suite import Test
from vm.report import account
from vm.report.console import Excerpt
from vm.report.known import Earlier, KnownBug
from vm.report.record import Record
from vm.report.results import Results
from vm.report.text import Report
from vm.report.words import Finding

# What the names of tests in a run come to: status, and why.
OUTCOMES = {
    "fine": ("passed",),
    "gone": ("passed",),
    "bad": ("failed", Finding(1, "punch returned 0")),
    "old": ("failed", Finding(2, "it sleeps"), Finding(9, "the kernel says: WARNING")),
    "rare": ("failed", Finding(5, "page 1 is lost")),
    "lacks": ("skipped", "no ublk: modprobe ublk_drv"),
    "later": (),
}
KNOWN = [KnownBug((), (), ("old.*",), (), (), "XFS spins"),
         KnownBug((), (), ("gone.*",), (), (), "it is not woken"),
         KnownBug((), (), ("rare.*",), ("rare.*",), (), "a race")]


def test(name: str, **changes) -> Test:
    return Test("a_test", f"{name}.xfs_punch.t", "xfs", **{"backend": "nvdimm"} | changes)


def results(*names: str, **outcomes: tuple) -> Results:
    """Of tests of these @names; @outcomes say what became of them, where not as usual."""
    found = Results([test(name) for name in names])
    found.kernel = "7.3.4-x"
    for name in names:
        status, *reasons = outcomes.get(name, OUTCOMES[name]) or ("",)
        case = found.cases[test(name).title]
        case.console = Excerpt("nvdimm.1", ("before",), ("[1.0] WARNING: <b>",))
        case.seconds = 0.5
        if status:
            case.end(status, reasons, [f"#  RUN           {case.test.name} ..."])
    return found


def report(found: Results, earlier: Earlier | None = None) -> Report:
    return Report(found, KNOWN, "./run_tests.sh", {"test": 2.0}, earlier)


def recorded(*names: str, **outcomes: tuple) -> Record:
    """The record of a run against known-bugs."""
    run = Record("2026-01-02T03:04:05+00:00", "./run_tests.sh 'a b'", "")
    return account.fill(run, report(results(*names, **outcomes)))


def earlier(path: Path, *names: str, **outcomes: tuple) -> Earlier:
    """A baseline, written to @path."""
    recorded(*names, **outcomes).write(path)
    return Earlier(path)
