# SPDX-License-Identifier: GPL-2.0
"""What became of each test, read from what programs and kernels say, and told as KTAP.

The input are the messages that init.c describes. A missing result is never taken for a
good one: a test that was chosen and did not report has failed, and the reason says so.
"""

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from .. import arch
from ..ask.suite import Test
from ..machine.guest import End

RESULT = re.compile(r"^(ok|not ok) \d+ (\S+)(?: # (SKIP)\s*(.*))?")
RUN = re.compile(r"^#\s+RUN\s+(\S+) \.\.\.")
BAIL_OUT = re.compile(r"^Bail out! (.*)")
SKIP_ALL = re.compile(r"^1\.\.0 # SKIP\s*(.*)")
# A fact that a test has found, and that is no failure: "# recorded: FACT: WHOSE".
RECORDED = re.compile(r"^# recorded: (.*): (.*)")
# What the harness makes of TH_LOG(): "# FILE:LINE:TEST:TEXT".
LOG = re.compile(r"^# [\w./-]+\.[ch]:\d+:\w+:(.*)")
BROKEN = re.compile(r"P(\d+) broken: (.*)")

# What a kernel says when it goes down, the most telling first.
DYING = (r"kernel BUG at \S+", r"BUG: .*", r"Oops: .*", r"general protection fault.*",
         r"Kernel panic - .*")

QUIET = 9       # the promise that the kernel has nothing to complain of


@dataclass(frozen=True)
class Finding:
    """How a kernel breaks a promise."""

    promise: int
    text: str

    def __str__(self):
        return f"P{self.promise} broken: {self.text}"


def logged(line: str) -> Finding | str | None:
    """What TH_LOG() says in @line; None if that is not a line of its."""
    log = LOG.match(line)
    broken = log and BROKEN.match(log[1])
    return Finding(int(broken[1]), broken[2]) if broken else log and log[1]


def last_words(end: End, console: str) -> Finding | str:
    """Why a guest ended as it did."""
    if end is End.NOT_BOOTED:
        return end.value
    for pattern in DYING:
        if match := re.search(pattern, console):
            where = re.compile(arch.here().oops_at).search(console, match.end())
            return Finding(QUIET, f"{end.value}: {match[0]}" + (f" in {where[1]}" if where else ""))
    return Finding(QUIET, end.value)


@dataclass
class Case:
    """One test and its result."""

    test: Test
    status: str = ""        # passed, failed, skipped; empty: no result
    reasons: list[Finding | str] = field(default_factory=list)  # of a failure or a skip
    seconds: float = 0.0
    reached: bool = True    # False: its program ended before it came to this test

    def end(self, status: str, *reasons: Finding | str) -> None:
        self.status, self.reasons = status, list(reasons)

    @property
    def diagnosis(self) -> str:
        """In one line: which promises are broken, and why else it has failed."""
        return "; ".join(map(str, self.reasons))

    @property
    def promises(self) -> set[int]:
        """Those that are broken."""
        return {reason.promise for reason in self.reasons if isinstance(reason, Finding)}


class Results:
    """All results of a run. Its feeds, one for each guest, collect them."""

    def __init__(self, chosen: list[Test]) -> None:
        self.cases = {t.title: Case(t) for t in chosen}
        self.kernel = ""
        self.missing = ""       # options that a guest found its kernel to lack
        self.problems: list[str] = []       # of programs as a whole
        self.recorded: dict[str, list[str]] = {}    # facts, and whose
        self.first_test = 0.0   # time.monotonic() of its start; 0: none yet

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
        """Skips @programs, for which there is no guest."""
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
                if verdict != "ok":
                    case.end("failed", *self._reasons())
                elif skip:
                    case.end("skipped", reason)
                else:
                    case.end("passed")
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

    def _found(self) -> list[Finding]:
        return [said for said in map(logged, self._log) if isinstance(said, Finding)]

    def _reasons(self) -> list[Finding | str]:
        """The broken promises, else the first thing that was logged, else the last line."""
        said = [text for text in map(logged, self._log) if isinstance(text, str)]
        # The harness' own words on an assertion come first, the test's after them.
        said.sort(key=lambda text: text.startswith("Expected "))
        rest = [line.lstrip("# ") for line in self._log if not re.match(r"#\s+FAIL", line)]
        return self._found() or said[:1] or rest[-1:] or ["no diagnosis"]

    def _end(self, program: str, status: str) -> None:
        cases = [c for c in self._cases.values() if c.test.program == program]
        unreported = [c for c in cases if not c.status]
        if self._skip_all is not None:
            for case in unreported:
                case.end("skipped", self._skip_all)
            self._result("ok", program, f" # SKIP {self._skip_all}")
            return
        problem = {"timeout": "ran out of time"}.get(status, f"ended with {status}")
        last = self._bail_out or next((x for x in reversed(self._log) if x.strip()), "")
        for case in unreported:
            case.reached = case.test.name == self.running
            where = "" if case.reached else " before this test"
            case.end("failed", *(self._found() if case.reached else ()),
                     f"{program} {problem}{where}" + (f": {last}" if last else ""))
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

    def cut_off(self, words: Finding | str) -> None:
        """Its guest is gone, with @words: the failure of a test that was under way then."""
        for case in self._cases.values():
            if not case.status:
                case.end("failed", words)
                self.emit(f"  # {words}")
        if self._program:
            failed = any(c.status == "failed" for c in self._cases.values())
            self._result("not ok" if failed else "ok", self._program)
