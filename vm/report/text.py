# SPDX-License-Identifier: GPL-2.0
"""What a person reads at the end of a run: what matters most comes first."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..ask.suite import Test
from ..base import version
from ..machine.backend import usual
from .harm import Harm, harm
from .known import Earlier, KnownBug
from .results import Case, Group, Results
from .tally import Kind


# What the suite says of an operation that a filesystem does not have at all, as virtiofs
# does not insert ranges. Nobody can do anything about that.
HAS_NOT = re.compile(r"this kernel's (\S+) does not have (\S+)")


def count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' * (number > 1)}"


@dataclass
class Report:
    """Results in the light of what is known about this kernel."""

    results: Results
    known: list[KnownBug]
    again: str                  # the command that repeats the run; tests are added to it
    phases: dict[str, float]    # seconds
    earlier: Earlier | None = None      # what failed in it is old; else what known explains

    def _bugs(self, case: Case) -> Iterable[KnownBug]:
        kernel = version(self.results.kernel)
        return (b for b in self.known if b.covers(kernel, case.blame or case.test.name))

    def bug(self, case: Case) -> KnownBug | None:
        return next(iter(self._bugs(case)), None)

    def should_have_shown(self, case: Case) -> KnownBug | None:
        """The bug that should have made @case fail, which has passed."""
        return next((bug for bug in self._bugs(case) if bug.always_shown_by(case.test.name)), None)

    def is_new(self, case: Case) -> bool:
        """Is it a failure, and news?

        A bug that shows only now and then is old even if an earlier run did not show it.
        """
        if case.status != "failed":
            return False
        if not self.earlier:
            return not self.bug(case)
        return not self.earlier.has(case) and all(bug.always_shown_by(case.test.name)
                                                  for bug in self._bugs(case))

    def kind(self, case: Case) -> Kind:
        """What the result of @case, which has one, means."""
        if case.status == "failed":
            return Kind.NEW if self.is_new(case) else Kind.KNOWN
        return Kind.SKIPPED if case.status == "skipped" else Kind.PASSED

    def new_failures(self) -> list[Case]:
        return [c for c in self.results.with_status("failed") if self.is_new(c)]

    def known_bugs(self) -> dict[str, list[Case]]:
        """What is known to be wrong, the worst first, and the old failures that it explains."""
        known: dict[str, list[Case]] = {}
        for case in self.results.with_status("failed"):
            if (bug := self.bug(case)) and not self.is_new(case):
                known.setdefault(bug.what, []).append(case)
        return dict(sorted(known.items(), key=lambda item: harm(item[1])))

    def still_failing(self) -> list[Case]:
        """Old failures that only the earlier run tells of."""
        return [c for c in self.results.with_status("failed")
                if not self.bug(c) and not self.is_new(c)]

    def is_new_problem(self, group: Group) -> bool:
        return bool(group.problem) and not (
            self.earlier and self.earlier.has_problem(group.name, group.problem))

    def new_problems(self) -> list[Group]:
        return [group for group in self.results.groups.values() if self.is_new_problem(group)]

    def verdict(self) -> str:
        """The whole run in one sentence."""
        known = self.known_bugs().values()
        severe = sum(harm(cases) <= Harm.CORRUPTS for cases in known)
        new = len(self.new_failures()) + len(self.new_problems())
        said = count(new, "new failure")
        if self.earlier:
            said += f" against {self.earlier}"
        # Against a run, what is known may be new.
        if known or not self.earlier:
            said += f"; {count(len(known), 'known bug')}"
        if severe:
            said += ", " + f"{severe} of " * (len(known) > 1) + (
                "which crashes or corrupts" if severe == 1 else "which crash or corrupt")
        if still := self.still_failing():
            said += f"; {count(len(still), 'other old failure')}"
        if not new and not known and not still and not self.results.with_status("passed"):
            said = "nothing has been tested"
        if rest := self.results.with_status(""):
            said += f"; {count(len(rest), 'test')} not run"
        return f"{self.results.kernel or 'unknown kernel'}: {said}"

    def command(self, test: Test, selection: str) -> str:
        """What runs @selection where @test has been run."""
        where = "" if test.backend == usual(test.fs) else f" --backend {test.backend}"
        return f"{self.again}{where} {selection}"

    def text(self) -> str:
        sections = ([self.verdict()], self._new(), self._known(), self._still(),
                    self._passed(), self._skips(),
                    [f"recorded: {fact}: {', '.join(sorted(whose))}"
                     for fact, whose in sorted(self.results.recorded.items())],
                    self._totals(), [self.verdict()])
        return "\n\n".join("\n".join(lines) for lines in sections if lines)

    def _new(self) -> list[str]:
        lines = []
        # When a program ends early all of its remaining tests fail for one reason: say it once.
        for _, cases in itertools.groupby(self.new_failures(), lambda c: c.test.title if c.reached
                                          else (c.test.program, c.test.backend)):
            first, *others = cases
            test, what, selection = first.test, first.test.title, first.test.name
            if others:
                selection = test.program
                what = f"{test.on_backend(test.program)}, {len(others) + 1} tests"
            lines += [f"FAILED {what}", f"    {first.diagnosis}"]
            if bug := self.bug(first):
                lines.append(f"    known: {bug.what}")
            lines.append(self._again(test, selection))
        return lines + [f"FAILED {group.name} {group.problem}" for group in self.new_problems()]

    def _known(self) -> list[str]:
        """Each bug is told once for all the tests that found it, by one that shows the worst."""
        lines = []
        for what, cases in self.known_bugs().items():
            worst = harm(cases)
            first = next(c for c in cases if harm([c]) == worst)
            more = f" and {count(len(cases) - 1, 'other test')}" if len(cases) > 1 else ""
            how = "" if worst is Harm.OTHER else f"{worst}; "
            lines += [f"KNOWN {what}", f"    {how}found by {first.test.title}{more}",
                      f"    {first.diagnosis}", self._again(first.test, first.test.name)]
        return lines

    def _still(self) -> list[str]:
        """Old failures that no bug explains, those of a fixture in one place together."""
        lines = []
        for _, group in itertools.groupby(self.still_failing(),
                                          lambda c: c.test.on_backend(c.test.fixture)):
            first, *others = group
            more = f" and {count(len(others), 'other test')}" if others else ""
            lines += [f"FAILED BEFORE {first.test.title}{more}", f"    {first.diagnosis}",
                      self._again(first.test, first.test.name)]
        return lines + [f"FAILED BEFORE {group.name} {group.problem}"
                        for group in self.results.groups.values()
                        if group.problem and not self.is_new_problem(group)]

    def _passed(self) -> list[str]:
        """Tests that a bug should have made fail."""
        lines = []
        for case in self.results.with_status("passed"):
            if bug := self.should_have_shown(case):
                lines.append(f"PASSED though a bug is known: {case.test.title} ({bug.what})")
        return lines

    def _skips(self) -> list[str]:
        """Why tests were skipped, and how to have them run. What cannot be is one line."""
        whys = Counter(c.diagnosis for c in self.results.with_status("skipped"))
        never = {why: has_not for why in whys if (has_not := HAS_NOT.fullmatch(why))}
        lines = [f"skipped {n}: {why}" for why, n in whys.most_common() if why not in never]
        if not never:
            return lines
        lacks: dict[str, list[str]] = {}
        for fs, operation in sorted(match.groups() for match in never.values()):
            lacks.setdefault(fs, []).append(operation)
        return lines + [f"skipped {sum(whys[why] for why in never)}: a filesystem does not have "
                        "the operation: " + "; ".join(f"{fs} {', '.join(operations)}"
                                                      for fs, operations in lacks.items())]

    def _again(self, test: Test, selection: str) -> str:
        return f"    again: {self.command(test, selection)}"

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
