# SPDX-License-Identifier: GPL-2.0
"""What changed from one run to another: run_tests.sh --compare A B."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .record import NOT_RUN, Entry, Problem, Record

SHOWN = 20              # groups under a heading


@dataclass
class Change:
    """A test in both runs; None where it is not."""

    before: Entry | None
    after: Entry | None

    @property
    def entry(self) -> Entry:
        """The test as it was last seen."""
        return self.after or self.before

    def became(self, status: str) -> bool:
        return self.after is not None and self.after.status == status and (
            self.before is None or self.before.status != status)

    @property
    def lost(self) -> set[int]:
        """Promises that only the later run breaks, of a test that fails in both."""
        if not (self.before and self.after and self.before.status == self.after.status == "failed"):
            return set()
        return set(self.after.promises) - set(self.before.promises)

    @property
    def kept(self) -> set[int]:
        """Promises that only the earlier run breaks, of a test that fails in both."""
        return Change(self.after, self.before).lost


def promises(numbers: Iterable[int]) -> str:
    return ", ".join(f"P{number}" for number in sorted(numbers))


def _status(entry: Entry | None) -> str:
    return entry.status if entry else "not there"


def _why(change: Change) -> str:
    before, after = _status(change.before), _status(change.after)
    said = (change.after or change.before).diagnosis
    if change.before and change.before.status == "failed" and after == "passed":
        said = change.before.diagnosis
    return f"{before}, then {after}" + (f": {said}" if said else "")


# Heading, is it worse, which changes, and what to say of one.
KINDS: tuple[tuple[str, bool, Callable[[Change], bool], Callable[[Change], str]], ...] = (
    ("NEWLY FAILING", True, lambda c: c.became("failed"), _why),
    ("BREAKS OTHER PROMISES", True, lambda c: bool(c.lost),
     lambda c: f"{promises(c.lost)} beside {promises(c.before.promises) or 'none'}: "
               f"{c.after.diagnosis}"),
    ("NO LONGER FAILING", False,
     lambda c: bool(c.before and c.after and c.before.status == "failed"
                    and c.after.status == "passed"), _why),
    ("KEEPS MORE PROMISES", False, lambda c: bool(c.kept) and not c.lost,
     lambda c: f"no longer {promises(c.kept)}: {c.after.diagnosis}"),
    ("NOW SKIPPED", False, lambda c: c.became("skipped") and c.before is not None, _why),
    ("NO LONGER SKIPPED", False,
     lambda c: bool(c.before and c.before.status == "skipped" and c.after
                    and c.after.status == "passed"), _why),
    ("NO LONGER RUN", False, lambda c: c.became(NOT_RUN) and c.before is not None, _why),
    ("NEW TESTS", False, lambda c: c.before is None and c.after.status != "failed", _why),
    ("VANISHED TESTS", False, lambda c: c.after is None, _why),
)


class Comparison:
    """Of the runs @before and @after."""

    def __init__(self, before: Record, after: Record):
        self.before, self.after = before, after
        old, new = before.by_title(), after.by_title()
        self.changes = [Change(old.get(title), new.get(title)) for title in {**new, **old}]
        known = {(problem.where, problem.what) for problem in before.problems}
        self.problems: list[Problem] = [problem for problem in after.problems
                                        if (problem.where, problem.what) not in known]

    def of(self, heading: str) -> list[Change]:
        return next([change for change in self.changes if is_it(change)]
                    for name, _, is_it, _ in KINDS if name == heading)

    @property
    def worse(self) -> int:
        """How many tests and programs do worse than before."""
        return len(self.problems) + sum(len(self.of(name)) for name, worse, *_ in KINDS if worse)

    def text(self) -> str:
        sections = [[self.verdict(), f"  {_about(self.before)}", f"  {_about(self.after)}"]]
        if self.problems:
            sections.append(["NEW PROBLEMS", *(f"  {p.where} {p.what}" for p in self.problems)])
        for heading, _, _, say in KINDS:
            if found := self.of(heading):
                sections.append([f"{heading}: {len(found)}", *_lines(found, say)])
        return "\n\n".join("\n".join(lines) for lines in sections)

    def verdict(self) -> str:
        better = len(self.of("NO LONGER FAILING")) + len(self.of("KEEPS MORE PROMISES"))
        said = f"{self.worse or 'nothing'} worse, {better or 'nothing'} better"
        return f"{self.before.kernel} -> {self.after.kernel}: {said}"


def _about(run: Record) -> str:
    counts = {status: len(run.with_status(status)) for status in ("passed", "failed", "skipped",
                                                                  NOT_RUN)}
    return f"{run.kernel}, {run.started}: " + ", ".join(
        f"{number} {status}" for status, number in counts.items() if number)


def _lines(changes: list[Change], say: Callable[[Change], str]) -> list[str]:
    """The tests of a fixture in one place are told by the first of them."""
    groups = [list(group) for _, group in itertools.groupby(
        sorted(changes, key=lambda c: (c.entry.place, c.entry.fixture)),
        lambda c: (c.entry.place, c.entry.fixture))]
    lines = []
    for first, *others in groups[:SHOWN]:
        more = f" and {len(others)} other test{'s' * (len(others) > 1)}" if others else ""
        lines += [f"  {first.entry.title}{more}", f"      {say(first)}"]
    if rest := groups[SHOWN:]:
        lines.append(f"  ... and {sum(map(len, rest))} tests of {len(rest)} other fixtures")
    return lines
