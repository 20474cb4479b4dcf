# SPDX-License-Identifier: GPL-2.0
"""What a person reads at the end of a run."""

import itertools
from collections import Counter
from dataclasses import dataclass

from ..ask.suite import Test
from ..base import version
from ..machine.backend import usual
from .known import KnownBug
from .results import Case, Results


@dataclass
class Report:
    """Results in the light of what is known about this kernel."""

    results: Results
    known: list[KnownBug]
    again: str                  # the command that repeats the run; tests are added to it
    phases: dict[str, float]    # seconds

    def bug(self, case: Case) -> KnownBug | None:
        kernel = version(self.results.kernel)
        return next((b for b in self.known if b.covers(kernel, case.test.name)), None)

    def new_failures(self) -> list[Case]:
        return [c for c in self.results.with_status("failed") if not self.bug(c)]

    def text(self) -> str:
        skips = Counter(c.diagnosis for c in self.results.with_status("skipped"))
        return "\n".join([
            *self._failures(),
            *(f"skipped {count}: {why}" for why, count in skips.items()),
            *(f"recorded: {fact}: {', '.join(whose)}"
              for fact, whose in self.results.recorded.items()),
            *(f"PASSED though a bug is known: {c.test.title} ({self.bug(c).what})"
              for c in self.results.with_status("passed") if self.bug(c)),
            *self._totals()])

    def _failures(self) -> list[str]:
        lines = []
        # When a program ends early all of its remaining tests fail for one reason: say it once.
        for _, cases in itertools.groupby(self.new_failures(), lambda c: c.test.title if c.reached
                                          else (c.test.program, c.test.backend)):
            first, *others = cases
            test, what, selection = first.test, first.test.title, first.test.name
            if others:
                selection = test.program
                what = f"{test.on_backend(test.program)}, {len(others) + 1} tests"
            lines += [f"FAILED {what}", f"    {first.diagnosis}", self._again(test, selection)]
        lines += [f"FAILED {problem}" for problem in self.results.problems]
        # A bug that is old news is told once for all the tests that found it.
        known: dict[str, list[Case]] = {}
        for case in self.results.with_status("failed"):
            if bug := self.bug(case):
                known.setdefault(bug.what, []).append(case)
        for what, (first, *others) in known.items():
            more = f" and {len(others)} other test{'s' * (len(others) > 1)}" if others else ""
            lines += [f"KNOWN {what}", f"    found by {first.test.title}{more}",
                      f"    {first.diagnosis}", self._again(first.test, first.test.name)]
        return lines

    def _again(self, test: Test, selection: str) -> str:
        """The command that runs @selection where @test has been run."""
        where = "" if test.backend == usual(test.fs) else f" --backend {test.backend}"
        return f"    again: {self.again}{where} {selection}"

    def _totals(self) -> list[str]:
        lines = [f"kernel {self.results.kernel or '(unknown)'}"]
        places = sorted({c.test.place for c in self.results.cases.values()})
        width = max(map(len, places), default=0) + 2
        for place in places:
            mine = [c for c in self.results.cases.values() if c.test.place == place]
            counts = {s: sum(c.status == s for c in mine) for s in ("passed", "failed", "skipped")}
            counts["not run"] = sum(not c.status for c in mine)
            lines.append(f"  {place:{width}}" + ", ".join(f"{n} {s}" for s, n in counts.items()
                                                 if n or s != "not run"))
        lines.append("  " + ", ".join(f"{name} {sec:.1f} s" for name, sec in self.phases.items()))
        return lines
