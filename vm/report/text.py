# SPDX-License-Identifier: GPL-2.0
"""What a person reads at the end of a run: what matters most comes first."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from ..ask.suite import Test
from ..base import version
from ..machine.backend import usual
from ..machine.guest import End
from .known import KnownBug
from .results import Case, Finding, Results
from .tally import Kind


class Harm(IntEnum):
    """What a bug does to its victims, the worst first."""

    CRASHES, CORRUPTS, HANGS, DOES_NOT_YIELD, OTHER = range(5)

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


# By promise that is broken, unless that was the end of the guest.
HARM = {
    1: Harm.CORRUPTS,       # waits: blocks are another file's while DMA goes to them
    2: Harm.HANGS,          # wakes
    3: Harm.DOES_NOT_YIELD, # yields: signals and other work
    4: Harm.OTHER,          # precise
    5: Harm.CORRUPTS,       # loses nothing
    6: Harm.CORRUPTS,       # frozen clones
    7: Harm.HANGS,          # no long-term pins: operations would wait for ever
    8: Harm.HANGS,          # end of life: what frees blocks too early breaks 1 as well
    9: Harm.OTHER,          # quiet kernel
}

ENDS = {End.CRASHED.value: Harm.CRASHES, End.OUT_OF_TIME.value: Harm.HANGS}

# What the suite says of an operation that a filesystem does not have at all, as virtiofs
# does not insert ranges. Nobody can do anything about that.
HAS_NOT = re.compile(r"this kernel's (\S+) does not have (\S+)")


def harm(cases: Iterable[Case]) -> Harm:
    """The worst that the failures @cases show."""

    def of(reason: Finding | str) -> Harm:
        if not isinstance(reason, Finding):
            return Harm.OTHER
        end = reason.text.partition(":")[0]
        return ENDS.get(end, HARM.get(reason.promise, Harm.OTHER))

    return min((of(reason) for case in cases for reason in case.reasons), default=Harm.OTHER)


def count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'s' * (number > 1)}"


@dataclass
class Report:
    """Results in the light of what is known about this kernel."""

    results: Results
    known: list[KnownBug]
    again: str                  # the command that repeats the run; tests are added to it
    phases: dict[str, float]    # seconds

    def _bugs(self, case: Case) -> Iterable[KnownBug]:
        kernel = version(self.results.kernel)
        return (b for b in self.known if b.covers(kernel, case.test.name))

    def bug(self, case: Case) -> KnownBug | None:
        return next(iter(self._bugs(case)), None)

    def kind(self, case: Case) -> Kind:
        """What the result of @case, which has one, means."""
        if case.status == "failed":
            return Kind.KNOWN if self.bug(case) else Kind.NEW
        return Kind.SKIPPED if case.status == "skipped" else Kind.PASSED

    def new_failures(self) -> list[Case]:
        return [c for c in self.results.with_status("failed") if not self.bug(c)]

    def known_bugs(self) -> dict[str, list[Case]]:
        """What is known to be wrong, the worst first, and the failures that it explains."""
        known: dict[str, list[Case]] = {}
        for case in self.results.with_status("failed"):
            if bug := self.bug(case):
                known.setdefault(bug.what, []).append(case)
        return dict(sorted(known.items(), key=lambda item: harm(item[1])))

    def verdict(self) -> str:
        """The whole run in one sentence."""
        known = self.known_bugs().values()
        severe = sum(harm(cases) <= Harm.CORRUPTS for cases in known)
        new = len(self.new_failures()) + len(self.results.problems)
        said = f"{count(new, 'new failure')}; {count(len(known), 'known bug')}"
        if severe:
            said += ", " + f"{severe} of " * (len(known) > 1) + (
                "which crashes or corrupts" if severe == 1 else "which crash or corrupt")
        if not new and not known and not self.results.with_status("passed"):
            said = "nothing has been tested"
        if rest := self.results.with_status(""):
            said += f"; {count(len(rest), 'test')} not run"
        return f"{self.results.kernel or 'unknown kernel'}: {said}"

    def text(self) -> str:
        sections = ([self.verdict()], self._new(), self._known(), self._passed(), self._skips(),
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
            lines += [f"FAILED {what}", f"    {first.diagnosis}", self._again(test, selection)]
        return lines + [f"FAILED {problem}" for problem in self.results.problems]

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

    def _passed(self) -> list[str]:
        """Tests that a bug should have made fail."""
        lines = []
        for case in self.results.with_status("passed"):
            shown = (b for b in self._bugs(case) if b.always_shown_by(case.test.name))
            if bug := next(shown, None):
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
