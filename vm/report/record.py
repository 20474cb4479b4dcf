# SPDX-License-Identifier: GPL-2.0
"""A run as a file: all that is known of it, for programs to read (docs/json.md).

Pages and files for other tools are made from this, and so is what two runs are compared by.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import get_args, get_origin

from ..ask.suite import Test
from ..base import RunError

FORMAT = "dax_break run"
VERSION = 1             # raised when something means another thing, not when something is added

NOT_RUN = "not run"     # the status of a test without a result
STATUSES = ("passed", "failed", "skipped", NOT_RUN)


@dataclass
class Entry:
    """A test, and what became of it."""

    name: str
    program: str
    fs: str
    backend: str
    status: str             # passed, failed, skipped, not run
    seconds: float = 0.0
    news: bool = False      # a failure that is new against the baseline
    promises: list[int] = field(default_factory=list)   # that are broken
    diagnosis: str = ""     # of a failure, or why it was skipped
    harm: str = ""          # what the failure does to its victims
    bug: str = ""           # the known bug that it shows or, if it passed, should have shown
    reached: bool = True    # False: its program ended before it came to this test
    again: str = ""         # the command that runs it again
    lines: list[str] = field(default_factory=list)      # what its program printed
    guest: str = ""
    before: list[str] = field(default_factory=list)     # on the guest's console
    console: list[str] = field(default_factory=list)    # while it ran

    @property
    def title(self) -> str:
        """By which tests of two runs are told to be the same."""
        return self._test.title

    @property
    def place(self) -> str:
        return self._test.place

    @property
    def group(self) -> str:
        """The program, and where it runs."""
        return self._test.group

    @property
    def fixture(self) -> str:
        return self._test.fixture

    @property
    def _test(self) -> Test:
        return Test(self.program, self.name, self.fs, backend=self.backend)


@dataclass
class Problem:
    """What is wrong with a program, and with no test of it."""

    where: str
    what: str
    news: bool = True


@dataclass
class Crash:
    """A guest that did not end well, though nothing was feared of its tests."""

    guest: str
    end: str
    test: str = ""          # the title of the one that ran
    console: list[str] = field(default_factory=list)    # its end


@dataclass
class Record:
    """A run."""

    started: str            # ISO 8601, with the offset from UTC
    command: str
    kernel: str             # its release
    origin: str = ""        # where that comes from
    accelerator: str = ""
    host: dict[str, str] = field(default_factory=dict)
    verdict: str = ""
    status: int = 0         # of the command
    baseline: str = ""      # what is old: known-bugs, or a file
    seconds: dict[str, float] = field(default_factory=dict)     # by phase
    tests: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    crashes: list[Crash] = field(default_factory=list)
    facts: dict[str, list[str]] = field(default_factory=dict)   # that tests found, and whose

    def with_status(self, status: str) -> list[Entry]:
        return [entry for entry in self.tests if entry.status == status]

    @property
    def news(self) -> list[Entry]:
        return [entry for entry in self.tests if entry.news]

    def by_title(self) -> dict[str, Entry]:
        return {entry.title: entry for entry in self.tests}

    def write(self, path: Path) -> None:
        """A line for each test, so that line by line tools are of use."""
        head = {"format": FORMAT, "version": VERSION} | asdict(self)
        # What is no character, in a name of a file for instance, is escaped as JSON does it.
        path.write_text("".join(_pieces(head)), encoding="utf-8", errors="backslashreplace")


def _text(value) -> str:
    return json.dumps(value, ensure_ascii=False)


def _pieces(data: dict) -> Iterator[str]:
    start = "{"
    for key, value in data.items():
        yield f"{start}\n {_text(key)}: "
        if isinstance(value, list) and value:
            yield "[\n  " + ",\n  ".join(map(_text, value)) + "\n ]"
        else:
            yield _text(value)
        start = ","
    yield "\n}\n"


def _fits(value, kind: type) -> bool:
    """Is @value, as JSON has it, what a field of @kind holds?"""
    if is_dataclass(kind):
        return isinstance(value, dict)
    parts = get_args(kind)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_fits(item, parts[0]) for item in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(_fits(item, parts[1]) for item in value.values())
    return type(value) in ((int, float) if kind is float else (kind,))


def _made(kind: type, data: dict):
    """A @kind of what @data has; later minor formats may have more."""
    found = {}
    for each in fields(kind):
        if each.name in data:
            found[each.name] = data[each.name]
            if not _fits(data[each.name], each.type):
                raise ValueError(f"{json.dumps(data[each.name])[:40]} is no '{each.name}'")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise ValueError(f"there is no '{each.name}'")
    return kind(**found)


def _check(tests: list[Entry]) -> None:
    if not tests:
        raise ValueError("it has no tests")
    for entry in tests:
        if entry.status not in STATUSES:
            raise ValueError(f"'{entry.status}' is no 'status'")
    title, times = Counter(entry.title for entry in tests).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{title} is there {times} times")


def read(path: Path) -> Record:
    """Reads what a run has written."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not what --json writes ({error})") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise RunError(f"{path} is not what --json writes: it does not say '{FORMAT}'")
    if data.get("version") != VERSION:
        raise RunError(f"{path} has version {data.get('version')} of the format, and this "
                       f"run_tests.sh reads version {VERSION}: make it anew, by --json")
    try:
        record = _made(Record, data)
        for name, kind in (("tests", Entry), ("problems", Problem), ("crashes", Crash)):
            setattr(record, name, [_made(kind, item) for item in getattr(record, name)])
        _check(record.tests)
    except ValueError as error:
        raise RunError(f"{path} is not what --json writes: {error}") from None
    return record
