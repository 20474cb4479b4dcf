# SPDX-License-Identifier: GPL-2.0
"""A run as a person sees it while it goes on.

On a terminal there is a line for each guest and one for all of it, and failures that are
new come above these, in full. With a terminal that can only print, or without
python3-rich, there are plain lines. A pipe gets only what must be said: KTAP is for it.
"""

import contextlib
import importlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import IO

from .. import progress
from ..errors import STDOUT, about
from .results import Case
from .tally import Kind, Tally, clock

DUMB = ("", "dumb", "unknown")  # values of TERM
EVERY_SECONDS = 10      # plain lines: one about progress is due,
EVERY_SHARE = 0.1       # or when so much more is done
LONG = 5                # seconds after which a line tells how long it has been the same


class Watch(AbstractContextManager):
    """Called from several threads. This one is for a pipe; others add what they show."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self.lock = threading.RLock()

    def begin(self, total: int, expected_seconds: float | None = None) -> None:
        """There will be @total results, of tests that take @expected_seconds, added up."""

    def doing(self, guest: str, what: str) -> None:
        """@guest now does @what: it boots, or runs a test. Empty: it is gone."""

    def told(self, case: Case, kind: Kind) -> None:
        """A result is there."""

    def step(self, what: str, done: float | None = None) -> None:
        """What this thread is doing, guests aside, and which share of it is @done.

        Empty: it is over.
        """

    def message(self, line: str) -> None:
        """A line that must be seen."""
        with about(STDOUT):
            print(line, file=self.stream, flush=True)

    def close(self) -> None:
        """Leaves a terminal as it was. May be called again."""

    def __exit__(self, *_) -> None:
        self.close()


class Lines(Watch):
    """Plain lines, also for people who hear or log them: so there are few."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(stream)
        self.tally: Tally | None = None
        self._ended: set[str] = set()           # programs that ended before their last test
        self._due = _Due()
        self._steps: dict[int, _Due] = {}       # by the thread that takes them

    def begin(self, total: int, expected_seconds: float | None = None) -> None:
        with self.lock:
            self.tally, self._due = Tally(total, expected_seconds), _Due()
            self._due.now(0)

    def told(self, case: Case, kind: Kind) -> None:
        with self.lock:
            if self.tally:
                self.tally.add(case, kind)
            if kind is Kind.NEW and self._is_telling(case):
                self.failure(f"FAILED {case.test.title}", case.diagnosis)
            self.result()

    def _is_telling(self, case: Case) -> bool:
        """Of the tests that a program has not reached the first one tells all there is."""
        if case.reached:
            return True
        program = case.test.on_backend(case.test.program)
        told = program in self._ended
        self._ended.add(program)
        return not told

    def failure(self, what: str, why: str) -> None:
        self.message(f"{what}\n    {why}")

    def result(self) -> None:
        """One more result has been counted."""
        if self.tally and self._due.now(self.tally.share):
            self.message(f"# {self.tally.words()}")

    def step(self, what: str, done: float | None = None) -> None:
        with self.lock:
            thread = threading.get_ident()
            if not what:
                self._steps.pop(thread, None)
            elif self._steps.setdefault(thread, _Due(first=True)).now(done):
                self.message(f"# {what}" + _percent(done))


@dataclass
class _Due:
    """When has enough happened for a further line?"""

    first: bool = False
    when: float = field(default_factory=time.monotonic)
    share: float = 0.0

    def now(self, share: float | None) -> bool:
        share = share or 0.0
        due = (self.first or time.monotonic() - self.when >= EVERY_SECONDS
               or share - self.share >= EVERY_SHARE)
        if due:
            self.first, self.when, self.share = False, time.monotonic(), share
        return due


def _percent(done: float | None) -> str:
    return "" if done is None else f": {done:.0%}"


@dataclass
class _Doing:
    what: str
    done: float | None = None
    since: float = field(default_factory=time.monotonic)

    def words(self, room: int) -> str:
        seconds = time.monotonic() - self.since
        rest = _percent(self.done) + (f", {clock(seconds)}" if seconds >= LONG else "")
        return _short(self.what, room - len(rest)) + rest


class Live(Lines):
    """Lines that change, by python3-rich; ImportError if there is none."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(stream)
        self._began = time.monotonic()
        self._guests: dict[str, _Doing] = {}
        self._threads: dict[int, _Doing] = {}   # steps, by the thread that takes them
        self._closed = False
        # Not even imported for those who have no terminal: it takes a while.
        screen = importlib.import_module(".screen", __package__)
        self._screen = screen.Screen(stream, self._lines, self.lock)

    def doing(self, guest: str, what: str) -> None:
        with self.lock:
            if what:
                self._guests[guest] = _Doing(what)
            else:
                self._guests.pop(guest, None)

    def step(self, what: str, done: float | None = None) -> None:
        with self.lock:
            thread = threading.get_ident()
            if what:
                doing = self._threads.setdefault(thread, _Doing(what))
                doing.what, doing.done = what, done
            else:
                self._threads.pop(thread, None)

    def message(self, line: str) -> None:
        with self.lock:
            if self._closed:
                super().message(line)
            else:
                self._screen.say(line)

    def failure(self, what: str, why: str) -> None:
        if self._closed:
            super().failure(what, why)
        else:
            self._screen.say(what, "bold red", why)

    def result(self) -> None:
        pass

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._screen.close()

    def _lines(self, width: int, height: int) -> list[tuple[str, str]]:
        """The lines, as many as there is room for. The last one is about all of it."""
        with self.lock:
            names = max(map(len, self._guests), default=0)
            names = min(names, width // 3)
            lines = [(f"{_short(guest, names):{names}}  {doing.words(width - names - 2)}", "")
                     for guest, doing in sorted(self._guests.items())]
            lines += [(doing.words(width), "") for doing in self._threads.values()]
            if len(lines) > height - 1:
                more = len(lines) - (height - 2)
                lines = [*lines[:max(height - 2, 0)], (f"and {more} more", "dim")]
            return [*lines[:max(height - 1, 0)], self._all(width)]

    def _all(self, width: int) -> tuple[str, str]:
        if not self.tally:
            return clock(time.monotonic() - self._began), "dim"
        return self.tally.words(width), "bold red" if self.tally[Kind.NEW] else "bold"


def _short(text: str, room: int) -> str:
    """@text without its middle if there is no room: its ends tell more."""
    if len(text) <= room:
        return text
    head = max((room - 2) // 2, 0)
    return f"{text[:head]}..{text[len(text) - max(room - 2 - head, 0):]}"


def _for(stream: IO[str], ktap: bool) -> Watch:
    if ktap or not stream.isatty():
        return Watch(stream)
    if os.environ.get("TERM", "") in DUMB:
        return Lines(stream)
    try:
        return Live(stream)
    except ImportError:
        plain = Lines(stream)
        plain.message("# a live view needs python3-rich, which this python3 does not have")
        return plain


@contextlib.contextmanager
def open(stream: IO[str], ktap: bool = False) -> Iterator[Watch]:
    """What suits @stream. If @ktap is printed to it, nothing else is but messages.

    Steps that any part of this process tells of are shown, too.
    """
    with _for(stream, ktap) as watch, progress.heard_by(watch.step):
        yield watch
