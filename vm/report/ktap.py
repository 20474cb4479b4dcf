# SPDX-License-Identifier: GPL-2.0
"""Results as KTAP (Documentation/dev-tools/ktap.rst of the kernel).

In the order of the suite, whichever guests they came from and when: so the KTAP of two
runs differs only where results do. A program is written once all its tests have results,
and no guest runs it any more.
"""

from collections.abc import Callable, Iterable

from .results import RECORDED, Case, Group, Results

RESULT = {"passed": "ok", "skipped": "ok", "failed": "not ok"}


class Ktap:
    """Writes @results to @emit, line by line."""

    def __init__(self, results: Results, emit: Callable[[str], None]):
        self.results, self.emit = results, emit
        self._left = list(enumerate(results.groups.values(), 1))
        self._open = {group.name: len(group.cases) for _, group in self._left}
        self._begun = False
        emit("KTAP version 1")
        emit(f"1..{len(self._left)}")

    def told(self, case: Case) -> None:
        """The result of @case is final."""
        self._open[case.test.group] -= 1
        self.left()

    def left(self) -> None:
        """A guest has left a program."""
        while self._left and self._over(self._left[0][1]):
            self._group(*self._left.pop(0))

    def close(self) -> None:
        """Writes the rest: tests that were not run have no result."""
        for number, group in self._left:
            if any(case.status for case in group.cases):
                self._group(number, group)
        self._left = []

    def _over(self, group: Group) -> bool:
        return not self._open[group.name] and not group.guests

    def _group(self, number: int, group: Group) -> None:
        if not self._begun:
            self._begun = True
            self.emit(f"# kernel {self.results.kernel}")
        self.emit("  KTAP version 1")
        self.emit(f"  1..{len(group.cases)}")
        # Several guests tell facts in any order.
        facts = sorted(line for line in group.remarks if RECORDED.match(line))
        self._diagnostics([line for line in group.remarks if line not in facts] + facts)
        counts = {"passed": 0, "failed": 0, "skipped": 0}
        for index, case in enumerate(group.cases, 1):
            if case.status:
                counts[case.status] += 1
                self._case(case, index)
        self._diagnostics([f"# Totals: pass:{counts['passed']} fail:{counts['failed']} xfail:0 "
                           f"xpass:0 skip:{counts['skipped']} error:0", *group.problem.splitlines()])
        verdict = "not ok" if counts["failed"] or group.problem else "ok"
        skips = {case.diagnosis for case in group.cases}
        all_skipped = counts["skipped"] == len(group.cases)
        directive = f" # SKIP {skips.pop()}" if all_skipped and len(skips) == 1 else ""
        self.emit(f"{verdict} {number} {group.name}{directive}")

    def _diagnostics(self, lines: Iterable[str]) -> None:
        """Also what a program prints that no parser expects."""
        for line in lines:
            self.emit("  " + (line if line.startswith("#") else f"# {line.strip()}"))

    def _case(self, case: Case, index: int) -> None:
        self._diagnostics(case.lines)
        directive = f" # SKIP {case.diagnosis}" if case.status == "skipped" else ""
        self.emit(f"  {RESULT[case.status]} {index} {case.test.name}{directive}")
