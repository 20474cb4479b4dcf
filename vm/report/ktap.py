# SPDX-License-Identifier: GPL-2.0
"""Results as KTAP (Documentation/dev-tools/ktap.rst of the kernel).

In the order of the suite, whichever guests they came from and when: so the KTAP of two
runs differs only where results do. A program is written once all its tests have results,
and no guest runs it any more. Every planned test has a line in the end, whatever has
become of it; docs/ktap.md lists what that can be.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from .results import RECORDED, Case, Group, Results

INDENT = "  "
TOTALS = {"pass": "passed", "fail": "failed", "xfail": "", "xpass": "", "skip": "skipped",
          "error": "error"}


class Ktap:
    """Writes @results to @emit, line by line."""

    def __init__(self, results: Results, emit: Callable[[str], None]):
        self.results, self.emit = results, emit
        self._left = list(enumerate(results.groups.values(), 1))
        self._open = {group.name: len(group.cases) for _, group in self._left}
        self._begun = False
        self._unrun = ""        # why tests that have no result were not run; as a directive

    def told(self, case: Case) -> None:
        """The result of @case is final."""
        self._open[case.test.group] -= 1
        self.left()

    def left(self) -> None:
        """A guest has left a program."""
        while self._left and self._over(self._left[0][1]):
            self._group(*self._left.pop(0))

    def close(self, error: str = "") -> None:
        """Writes the rest. What has no result was not run.

        That is a failure if an @error has ended the run, lest what is left looks like a
        good one; it is none if the run was to end with its first failure.
        """
        self._unrun = (f"ERROR not run: {' '.join(error.split())}" if error
                       else "SKIP not run: another test has failed, with --fail-fast")
        while self._left:
            self._group(*self._left.pop(0))

    def _over(self, group: Group) -> bool:
        return not self._open[group.name] and not group.guests

    def _begin(self) -> None:
        """Not before the kernel is known, since diagnostics of a level precede its plan."""
        self._begun = True
        self.emit("KTAP version 1")
        if self.results.kernel:
            self.emit(f"# kernel {self.results.kernel}")
        self.emit(f"1..{len(self.results.groups)}")

    def _group(self, number: int, group: Group) -> None:
        if not self._begun:
            self._begin()
        for line in ("KTAP version 1", f"# Subtest: {group.name}", f"1..{len(group.cases)}"):
            self.emit(INDENT + line)
        counts: Counter[str] = Counter()
        for index, case in enumerate(group.cases, 1):
            verdict, directive = self._outcome(case)
            counts["error" if directive.startswith("ERROR") else case.status or "skipped"] += 1
            self._diagnostics(case.lines, INDENT)
            self._result(INDENT + verdict, index, case.test.name, directive)
        sums = " ".join(f"{word}:{counts[status]}" for word, status in TOTALS.items())
        self.emit(f"{INDENT}# Totals: {sums}")
        # What is said of the program stands before its result. Guests tell facts in any order.
        facts = sorted(line for line in group.remarks if RECORDED.match(line))
        self._diagnostics([line for line in group.remarks if line not in facts] + facts)
        self._diagnostics(group.problem.splitlines())
        bad = group.problem or counts["failed"] or counts["error"]
        self._result("not ok" if bad else "ok", number, group.name,
                     "" if bad else self._all_skipped(group))

    def _outcome(self, case: Case) -> tuple[str, str]:
        """The verdict on @case, and the directive that goes with it."""
        if not case.status:
            return "not ok" if self._unrun.startswith("ERROR") else "ok", self._unrun
        if case.status == "skipped":
            return "ok", f"SKIP {case.diagnosis}".rstrip()
        if case.status == "passed":
            return "ok", ""
        how = "TIMEOUT" if case.hung else "" if case.reached else "ERROR"
        return "not ok", how and f"{how} {case.reasons[-1]}"

    def _all_skipped(self, group: Group) -> str:
        """A program is skipped if all its tests are: the directive, or nothing."""
        whys = {directive for _, directive in map(self._outcome, group.cases)}
        if not all(why.startswith("SKIP") for why in whys):
            return ""
        return whys.pop() if len(whys) == 1 else "SKIP for several reasons"

    def _diagnostics(self, lines: Iterable[str], indent: str = "") -> None:
        """Also what a program prints that no parser expects, whatever ends a line for that."""
        for line in lines:
            text = " ".join(line.splitlines())
            if not text.startswith("#") or text.startswith("# Subtest:"):
                text = f"# {text.strip()}"
            self.emit(indent + text)

    def _result(self, verdict: str, number: int, name: str, directive: str) -> None:
        self.emit(f"{verdict} {number} {name}" + (f" # {directive}" if directive else ""))
