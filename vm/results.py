# SPDX-License-Identifier: GPL-2.0
"""What became of each test, from what the programs print; and the same as KTAP.

Fed with the messages that init.c describes. Nothing is inferred from a missing
result: a test that was chosen and did not report has failed, saying so.
"""

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from .suite import Test

RESULT = re.compile(r"^(ok|not ok) \d+ (\S+)(?: # (SKIP)\s*(.*))?")
RUN = re.compile(r"^#\s+RUN\s+(\S+) \.\.\.")
BAIL_OUT = re.compile(r"^Bail out! (.*)")
SKIP_ALL = re.compile(r"^1\.\.0 # SKIP\s*(.*)")
# "# file.c:12:test:what" of TH_LOG(), and what of it is the diagnosis.
LOG = re.compile(r"^# [\w./]+\.[ch]:\d+:\w+:(.*)")
BROKEN = re.compile(r"^P\d broken: ")
# What a test found out that is no failure: "# recorded: FACT: WHOSE".
RECORDED = re.compile(r"^# recorded: (.*): (.*)")


@dataclass
class Case:
    """One test and its result."""

    test: Test
    status: str = ""        # passed, failed, skipped; empty: no result
    why: str = ""           # diagnosis of a failure, reason of a skip
    seconds: float = 0.0
    reached: bool = True    # False: its program ended before it came to this test


@dataclass
class Results:
    """Of a run: all that its feeds, one for each guest, have collected."""

    chosen: list[Test]
    cases: dict[str, Case] = field(default_factory=dict)    # by title
    kernel: str = ""
    missing: str = ""       # options that a guest found its kernel to lack
    problems: list[str] = field(default_factory=list)   # of programs as a whole
    recorded: dict[str, list[str]] = field(default_factory=dict)    # facts, and whose
    first_test: float = 0.0     # time.monotonic() of its start; 0: none yet

    def __post_init__(self):
        self.cases = {t.title: Case(t) for t in self.chosen}

    def with_status(self, status: str) -> list[Case]:
        return [c for c in self.cases.values() if c.status == status]


@dataclass
class Feed:
    """Reads the messages of one guest into @results; prints KTAP, line by line, to @emit.

    At the outermost level of the KTAP are programs, numbered from @number on, their
    names preceded by @prefix.
    """

    results: Results
    emit: Callable[[str], None]
    tests: Collection[Test]
    number: int = 1
    prefix: str = ""
    running: str = ""       # the name of the test that runs; empty: none
    _program: str = ""      # begun, and not ended
    _log: list[str] = field(default_factory=list)
    _started: float = 0.0
    _skip_all: str | None = None
    _bail_out: str = ""

    def __post_init__(self):
        self._cases = {t.name: self.results.cases[t.title] for t in self.tests}

    def feed(self, message: str) -> None:
        kind, _, rest = message.partition(" ")
        if kind == "boot":
            self.results.kernel = rest
            self.emit(f"# kernel {rest}")
        elif kind == "missing":
            self.results.missing = rest
        elif kind == "begin":
            self._program = rest
            self._skip_all, self._bail_out, self.running, self._log = None, "", "", []
        elif kind == "out":
            self._line(rest)
        elif kind == "end":
            self._end(*rest.split(" ", 1))

    def skip(self, programs: list[str], reason: str) -> None:
        """There is no guest for these."""
        for program in programs:
            for message in (f"begin {program}", f"out 1..0 # SKIP {reason}", f"end {program} 4"):
                self.feed(message)

    def _line(self, line: str) -> None:
        # Nested results begin with a version line of their own.
        self.emit("  " + line.replace("TAP version 13", "KTAP version 1"))
        if match := RUN.match(line):
            self.running, self._log, self._started = match[1], [], time.monotonic()
            self.results.first_test = self.results.first_test or self._started
        elif match := RESULT.match(line):
            verdict, name, skip, reason = match.groups()
            case = self._cases.get(name)
            if case:
                case.seconds = time.monotonic() - self._started
                case.status = "skipped" if skip else "passed" if verdict == "ok" else "failed"
                case.why = reason if skip else self._diagnosis() if verdict != "ok" else ""
            self.running, self._log = "", []
        elif match := SKIP_ALL.match(line):
            self._skip_all = match[1]
        elif match := BAIL_OUT.match(line):
            self._bail_out = match[1]
        elif match := RECORDED.match(line):
            whose = self.results.recorded.setdefault(match[1], [])
            if match[2] not in whose:       # told by another guest
                whose.append(match[2])
        else:
            self._log.append(line)

    def _diagnosis(self) -> str:
        """One line: the broken promises, else what was logged, else the last line."""
        logged = [m[1] for m in map(LOG.match, self._log) if m]
        # The harness' own words on an assertion come first, the test's after them.
        logged.sort(key=lambda text: text.startswith("Expected "))
        broken = [text for text in logged if BROKEN.match(text)]
        fallback = [line.lstrip("# ") for line in self._log if not re.match(r"#\s+FAIL", line)]
        return "; ".join(broken) or (logged or fallback[-1:] or ["no diagnosis"])[0]

    def _end(self, program: str, status: str) -> None:
        cases = [c for c in self._cases.values() if c.test.program == program]
        unreported = [c for c in cases if not c.status]
        if self._skip_all is not None:
            for case in unreported:
                case.status, case.why = "skipped", self._skip_all
            self._result("ok", program, f" # SKIP {self._skip_all}")
            return
        problem = {"timeout": "ran out of time"}.get(status, f"ended with {status}")
        last = self._bail_out or next((x for x in reversed(self._log) if x.strip()), "")
        for case in unreported:
            case.reached = case.test.name == self.running
            where = "" if case.reached else " before this test"
            case.status = "failed"
            case.why = f"{program} {problem}{where}" + (f": {last}" if last else "")
        failed = any(c.status == "failed" for c in cases)
        if status not in ("0", "1", "4") and not unreported:
            self.results.problems.append(f"{self.prefix}{program} {problem} after its last test")
            failed = True
        self._result("not ok" if failed else "ok", program)

    def _result(self, verdict: str, program: str, directive: str = "") -> None:
        self._program = ""
        self.emit(f"{verdict} {self.number} {self.prefix}{program}{directive}")
        self.number += 1

    def all_told(self) -> bool:
        """Has every test a result?"""
        return all(c.status for c in self._cases.values())

    def cut_off(self, words: str) -> None:
        """Its guest is gone, with @words: the failure of a test that was under way then."""
        for case in self._cases.values():
            if not case.status:
                case.status, case.why = "failed", words
                self.emit(f"  # {words}")
        if self._program:
            failed = any(c.status == "failed" for c in self._cases.values())
            self._result("not ok" if failed else "ok", self._program)
