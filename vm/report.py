# SPDX-License-Identifier: GPL-2.0
"""What a person reads at the end of a run, and which failures are old news."""

import fnmatch
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from .backend import usual
from .errors import RunError
from .results import Case, Results
from .suite import ROOT, Test

KNOWN_BUGS = ROOT / "known-bugs"


@dataclass(frozen=True)
class KnownBug:
    """A line of known-bugs."""

    first: tuple[int, ...]      # kernel versions, both ends included; empty: open
    last: tuple[int, ...]
    pattern: str                # globs over test names, those to leave out begin with "!"
    what: str

    def covers(self, kernel: tuple[int, ...], name: str) -> bool:
        # 6.14 as the last version includes 6.14.11: compare as many parts as given.
        if kernel < self.first or (self.last and kernel[:len(self.last)] > self.last):
            return False
        hits = [glob for glob in self.pattern.split()
                if fnmatch.fnmatchcase(name, glob.removeprefix("!"))]
        return bool(hits) and not any(glob.startswith("!") for glob in hits)


def version(text: str) -> tuple[int, ...]:
    """6.12.107+deb13-amd64 -> (6, 12, 107)"""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def read_known_bugs(path: Path = KNOWN_BUGS) -> list[KnownBug]:
    bugs = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [f.strip() for f in line.split("|")]
        if len(fields) != 4 or fields[0].count("-") != 1:
            raise RunError(f"{path}:{number}: not 'FIRST-LAST | TESTS | WHAT | FIX'")
        first, last = fields[0].split("-")
        what = fields[2] + (f" (fixed by {fields[3]})" if fields[3] else "")
        bugs.append(KnownBug(version(first), version(last), fields[1], what))
    return bugs


@dataclass
class Report:
    """Results in the light of what is known about this kernel."""

    results: Results
    known: list[KnownBug]
    again: str                  # the command that runs a test again, but for its name
    phases: dict[str, float]    # seconds

    def bug(self, case: Case) -> KnownBug | None:
        kernel = version(self.results.kernel)
        return next((b for b in self.known if b.covers(kernel, case.test.name)), None)

    def new_failures(self) -> list[Case]:
        return [c for c in self.results.with_status("failed") if not self.bug(c)]

    def unexpected_passes(self) -> list[Case]:
        return [c for c in self.results.with_status("passed") if self.bug(c)]

    def text(self) -> str:
        parts = [self._failures(), self._skips(), self._recorded(), self._surprises(),
                 self._totals()]
        return "\n".join(part for part in parts if part)

    def _failures(self) -> str:
        lines = []
        failed = self.results.with_status("failed")
        # A program that ended early fails the rest of its tests for one reason: say it once.
        for _, cases in itertools.groupby((c for c in failed if not self.bug(c)), lambda c:
                                          c.test.title if c.reached else
                                          (c.test.program, c.test.backend)):
            first, *others = cases
            test, what, selection = first.test, first.test.title, first.test.name
            if others:
                selection = test.program
                what = f"{test.on_backend(test.program)}, {len(others) + 1} tests"
            lines += [f"FAILED {what}", f"    {first.why}", self._again(test, selection)]
        lines += [f"FAILED {problem}" for problem in self.results.problems]
        for what in dict.fromkeys(self.bug(c).what for c in failed if self.bug(c)):
            lines += self._known(what, [c for c in failed
                                        if self.bug(c) and self.bug(c).what == what])
        return "\n".join(lines)

    def _known(self, what: str, cases: list[Case]) -> list[str]:
        """A bug that is old news, once for all the tests that found it."""
        test = cases[0].test
        others = len(cases) - 1
        more = f" and {others} other test{'s' * (others > 1)}" if others else ""
        return [f"KNOWN {what}", f"    found by {test.title}{more}",
                f"    {cases[0].why}", self._again(test, test.name)]

    def _again(self, test: Test, selection: str) -> str:
        """The command that runs @selection where @test has been run."""
        where = "" if test.backend == usual(test.fs) else f" --backend {test.backend}"
        return f"    again: {self.again}{where} {selection}"

    def _skips(self) -> str:
        reasons: dict[str, int] = {}
        for case in self.results.with_status("skipped"):
            reasons[case.why] = reasons.get(case.why, 0) + 1
        return "\n".join(f"skipped {count}: {why}" for why, count in reasons.items())

    def _recorded(self) -> str:
        return "\n".join(f"recorded: {fact}: {', '.join(whose)}"
                         for fact, whose in self.results.recorded.items())

    def _surprises(self) -> str:
        return "\n".join(f"PASSED though a bug is known: {c.test.title} ({self.bug(c).what})"
                         for c in self.unexpected_passes())

    def _totals(self) -> str:
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
        return "\n".join(lines)
