# SPDX-License-Identifier: GPL-2.0
"""What became of each test, read from what programs and kernels say.

The input are the messages that init.c describes. A missing result is never taken for a
good one: a test that was chosen and did not report has failed, and the reason says so.
"""

import re
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from ..ask.suite import Test
from ..machine.guest import End
from .console import Excerpt
from .words import Finding, logged, steady_complaint

RESULT = re.compile(r"^(ok|not ok) \d+ (\S+)(?: # (SKIP)\s*(.*))?")
RUN = re.compile(r"^#\s+RUN\s+(\S+) \.\.\.")
BAIL_OUT = re.compile(r"^Bail out! (.*)")
# Said by each test that finds nothing but hangs (alive.h of the suite), in place of running.
DEAD = re.compile(r"^# dead testbed: (.*, since (\S+) has run)")
# What the harness says of all tests of a program: told anew of those of all its parts.
SUMS = re.compile(r"^(TAP version|\d+\.\.\d+|# (Starting|PASSED|FAILED|Totals)\b"
                  r"|# \d+ skipped test\(s\) detected)")
SKIP_ALL = re.compile(r"^1\.\.0 # SKIP\s*(.*)")
# A fact that a test has found, and that is no failure: "# recorded: FACT: WHOSE".
RECORDED = re.compile(r"^# recorded: (.*): (.*)")

# Of the results of parts, which one counts: the last of these.
WORSE = ("skipped", "passed", "failed")


@dataclass
class Case:
    """One test and its result."""

    test: Test
    status: str = ""        # passed, failed, skipped; empty: no result
    reasons: list[Finding | str] = field(default_factory=list)  # of a failure or a skip
    seconds: float = 0.0
    reached: bool = True    # False: its program ended before it came to this test
    hung: bool = False      # it ran when the time of its program or guest was over
    blame: str = ""         # the name of another test, if its failure is that one's fault
    lines: list[str] = field(default_factory=list)      # what the program printed about it
    console: Excerpt = Excerpt()    # what the guest's kernel printed meanwhile
    parts: int = 1          # a final check runs after each part of its program

    def end(self, status: str, reasons: Iterable[Finding | str] = (),
            lines: Iterable[str] = ()) -> None:
        """Takes a result. Of the parts' results the worst counts."""
        self.parts -= 1
        if not self.status or WORSE.index(status) > WORSE.index(self.status):
            self.status, self.reasons, self.lines = status, list(reasons), list(lines)

    @property
    def told(self) -> bool:
        """Is its result final?"""
        return bool(self.status) and self.parts <= 0

    @property
    def diagnosis(self) -> str:
        """In one line: which promises are broken, and why else it has failed."""
        return "; ".join(map(str, self.reasons))

    @property
    def promises(self) -> set[int]:
        """Those that are broken."""
        return {reason.promise for reason in self.reasons if isinstance(reason, Finding)}


@dataclass
class Group:
    """The tests of one program in one place: the outermost level of the KTAP."""

    name: str
    cases: list[Case]
    remarks: list[str] = field(default_factory=list)    # what it prints about no single test
    problem: str = ""       # of the program as a whole
    guests: int = 0         # that run some of it

    def remark(self, line: str) -> None:
        if line not in self.remarks:        # the other parts of the program say the same
            self.remarks.append(line)


class Results:
    """All results of a run, which feeds collect, each in a thread of its own.

    @on_case is called with each result that is final, @on_left when a guest leaves a group.
    """

    def __init__(self, chosen: list[Test]) -> None:
        self.cases = {t.title: Case(t) for t in chosen}
        self.groups: dict[str, Group] = {}
        for case in self.cases.values():
            name = case.test.group
            self.groups.setdefault(name, Group(name, [])).cases.append(case)
        self.kernel = ""
        self.recorded: dict[str, list[str]] = {}    # facts, and whose
        self.first_test = 0.0   # time.monotonic() of its start; 0: none yet
        self.on_case: Callable[[Case], None] = lambda case: None
        self.on_left: Callable[[], None] = lambda: None
        self._lock = threading.Lock()

    @property
    def problems(self) -> list[str]:
        return [f"{group.name} {group.problem}" for group in self.groups.values()
                if group.problem]

    def end(self, case: Case, status: str, reasons: Iterable[Finding | str] = (),
            lines: Iterable[str] = ()) -> None:
        """Takes a result of @case."""
        with self._lock:
            case.end(status, reasons, lines)
            told = case.told
        if told:
            self.on_case(case)

    def enter(self, group: Group) -> None:
        """A guest begins to run some tests of @group."""
        with self._lock:
            group.guests += 1

    def leave(self, group: Group) -> None:
        """It has done so."""
        with self._lock:
            group.guests -= 1
        self.on_left()

    def with_status(self, status: str) -> list[Case]:
        return [c for c in self.cases.values() if c.status == status]


class Feed:
    """Reads into @results what a guest says while it runs @tests, all of one program."""

    def __init__(self, results: Results, tests: Collection[Test],
                 cpu: Callable[[], float] = lambda: 0.0,
                 on_run: Callable[[str], None] = lambda name: None):
        self.results, self._cpu, self._on_run = results, cpu, on_run
        self._cases = {t.name: results.cases[t.title] for t in tests}
        self.group = results.groups[next(iter(tests)).group]
        self.costs: dict[str, tuple[float, float]] = {}     # seconds, of CPU: by title
        self.untold = dict(self._cases)
        self.running: Case | None = None
        self.status = ""        # how the program ended; empty: it has not yet
        self.dead, self.killer = "", ""     # why the testbed is, and the test that has done it
        self._log: list[str] = []
        self._lines: list[str] = []
        self._started, self._started_cpu = 0.0, 0.0
        self._skip_all: str | None = None
        self._bail_out = ""
        results.enter(self.group)

    def feed(self, message: str) -> None:
        kind, _, rest = message.partition(" ")
        if kind == "out":
            self._line(steady_complaint(rest))
        elif kind == "end":
            self.status = rest.partition(" ")[2]

    def skip(self, reason: str) -> None:
        """Skips all tests: there is no guest for them."""
        self._skip_all = reason
        self.finish("")

    def _line(self, line: str) -> None:
        if self.dead:
            return
        if match := RUN.match(line):
            self.running, self._log, self._lines = self._cases.get(match[1]), [], [line]
            self._started, self._started_cpu = time.monotonic(), self._cpu()
            self.results.first_test = self.results.first_test or self._started
            self._on_run(match[1])
        elif match := RESULT.match(line):
            self._result(*match.groups())
        elif match := SKIP_ALL.match(line):
            self._skip_all = match[1]
        elif match := BAIL_OUT.match(line):
            self._bail_out = match[1]
        elif match := DEAD.match(line):
            # This test has not been run, nor will be those after it: they are still untold.
            (self.dead, self.killer), self.running = match.groups(), None
            self.group.remark(line)
        elif match := RECORDED.match(line):
            whose = self.results.recorded.setdefault(match[1], [])
            if match[2] not in whose:       # told by another guest
                whose.append(match[2])
            self.group.remark(line)
        elif self.running:
            self._log.append(line)
            self._lines.append(line)
        elif line.strip() and not SUMS.match(line):
            self._log.append(line)
            self.group.remark(line)

    def _result(self, verdict: str, name: str, skip: str | None, reason: str | None) -> None:
        case = self.untold.pop(name, None)
        if case:
            seconds = time.monotonic() - self._started
            case.seconds += seconds
            self.costs[case.test.title] = (seconds, self._cpu() - self._started_cpu)
            if verdict != "ok":
                self.results.end(case, "failed", self._reasons(), self._lines)
            elif skip:
                self.results.end(case, "skipped", [reason or ""], self._lines)
            else:
                self.results.end(case, "passed", (), self._lines)
        self.running, self._log, self._lines = None, [], []

    def _found(self) -> list[Finding]:
        return [said for said in map(logged, self._log) if isinstance(said, Finding)]

    def _reasons(self) -> list[Finding | str]:
        """The broken promises, else the first thing that was logged, else the last line."""
        said = [text for text in map(logged, self._log) if isinstance(text, str)]
        # The harness' own words on an assertion come first, the test's after them.
        said.sort(key=lambda text: text.startswith("Expected "))
        rest = [line.lstrip("# ") for line in self._log if not re.match(r"#\s+FAIL", line)]
        return self._found() or said[:1] or rest[-1:] or ["no diagnosis"]

    def finish(self, words: Finding | str) -> list[Case]:
        """The program, or with @words its guest, has ended.

        Returns the tests that it did not come to, which have no result yet.
        """
        try:
            return self._finish(words)
        finally:
            self.results.leave(self.group)

    def _finish(self, words: Finding | str) -> list[Case]:
        untold = list(self.untold.values())
        if self._skip_all is not None:
            for case in untold:
                self.results.end(case, "skipped", [self._skip_all])
            return []
        problem = words or self._problem()
        if not untold:
            # Without a status it is one whose guest was not needed any longer.
            if words or self.status not in ("", "0", "1", "4"):
                self.group.problem = f"{problem} after its last test"
            return []
        if self.running:
            del self.untold[self.running.test.name]
            self.running.seconds += time.monotonic() - self._started
            self.running.hung = self.status == "timeout" or End.OUT_OF_TIME.value in str(words)
            self._end_badly(self.running, problem, self._lines)
            return list(self.untold.values())
        if self.dead:
            return untold
        # It does not even begin: another try would do no better.
        for case in untold:
            self.give_up(case, problem)
        return []

    def _problem(self) -> str:
        program = self.group.cases[0].test.program
        last = self._bail_out or next((x for x in reversed(self._log) if x.strip()), "")
        how = {"timeout": "ran out of time"}.get(self.status, f"ended with {self.status}")
        return f"{program} {how}" + (f": {last}" if last else "")

    def _end_badly(self, case: Case, problem: Finding | str, lines: Iterable[str] = ()) -> None:
        self.results.end(case, "failed", [*self._found(), problem], [*lines, f"# {problem}"])

    def give_up(self, case: Case, problem: Finding | str) -> None:
        """@case fails, because its program did not come to it."""
        case.reached, case.blame = False, self.killer
        self._log = []
        self._end_badly(case, f"{problem} before this test")
