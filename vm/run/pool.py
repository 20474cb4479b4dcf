# SPDX-License-Identifier: GPL-2.0
"""Runs chunks of tests in as many guests as keep the processors busy."""

import contextlib
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..ask.durations import Cost
from ..ask.request import Request
from ..ask.suite import Suite
from ..machine.fleet import Fleet
from ..machine.guest import End, Guest
from ..machine.launch import NoTestbed
from ..report.console import Console, Excerpt
from ..report.results import Case, Feed, Results
from ..report.watch import Watch
from ..report.words import dying, last_words
from .schedule import Chunk, Kind, Queue, chunk, guests

# A program that goes down so often in one place is not tried again there.
TRIES = 3
# A filesystem whose testbed dies in so many guests in a row is not tested any further: it
# takes the time limit of a test to notice each.
DEATHS = 2
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Crash:
    """A guest that did not end well."""

    guest: str
    end: End
    console: Path
    case: Case | None       # the test that ran


def cpu_seconds(pid: int) -> float:
    """What process @pid has computed so far."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / TICKS


@dataclass
class Worker:
    """A thread with at most one guest at a time."""

    number: int
    kind: Kind | None = None        # of its guest
    name: str = ""                  # of its guest
    guest: Guest | None = None
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def drop(self) -> None:
        """Ends its guest."""
        self.stack.close()
        self.kind, self.guest = None, None


class Pool:
    """Guests of @fleet that run @chunks; their results go to @results."""

    def __init__(self, fleet: Fleet, suite: Suite, request: Request, results: Results,
                 chunks: list[Chunk], jobs: int, watch: Watch):
        self.fleet, self.suite, self.request, self.results = fleet, suite, request, results
        self.watch = watch
        self.crashes: list[Crash] = []
        self.costs: dict[str, tuple[float, float]] = {}
        for title, parts in Counter(t.title for c in chunks for t in c.tests).items():
            results.cases[title].parts = parts
        self._queue = Queue(chunks, jobs)
        self._change = threading.Condition()
        self._running: dict[int, Chunk] = {}        # by number of the worker
        self._bad_ends: Counter[str] = Counter()    # by group
        self._deaths: Counter[tuple[str, Kind]] = Counter()     # in a row, by place
        self._given_up: dict[tuple[str, Kind], Feed] = {}       # the last that died, by place
        self._started = 0                           # guests
        self._stopped = False

    def workers(self, jobs: int) -> int:
        """How many guests there can be at once, and need be."""
        backends = {c.kind.backend for c in self._queue}
        return self.fleet.room(min(guests(jobs), len(list(self._queue))), backends)

    def run(self, workers: int) -> None:
        """Runs all chunks, or those up to stop()."""
        with ThreadPoolExecutor(workers) as threads:
            futures = [threads.submit(self._work, Worker(n)) for n in range(1, workers + 1)]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Enough: ends all guests. What has no result yet gets none."""
        with self._change:
            self._stopped = True
            self._queue.clear()
            self._change.notify_all()
        self.fleet.kill()

    def _next(self, worker: Worker) -> Chunk | None:
        """What the worker is to do next; None: there is nothing left."""
        with self._change:
            self._running.pop(worker.number, None)
            self._change.notify_all()
            while True:
                load = sum(c.load for c in self._running.values())
                taken = self._queue.take(worker.kind, load)
                if taken:
                    self._running[worker.number] = taken
                    return taken
                # What runs now may yet be in need of another try.
                if self._stopped or not (self._queue or self._running):
                    return None
                self._change.wait()

    def _work(self, worker: Worker) -> None:
        with contextlib.closing(worker.stack):
            while taken := self._next(worker):
                try:
                    self._run_chunk(worker, taken)
                except BaseException:
                    if self._stopped:
                        return
                    self.stop()
                    raise

    def _run_chunk(self, worker: Worker, taken: Chunk) -> None:
        if obstacle := self.fleet.obstacle(taken.kind.backend):
            Feed(self.results, taken.tests).skip(obstacle)
            return
        # A test that gets a guest of its own may yet be spared.
        if not taken.alone and (last := self._given_up.get(taken.place)):
            feed = Feed(self.results, taken.tests)
            feed.dead, feed.killer = last.dead, last.killer
            self._give_up(feed, feed.finish(""))
            return
        try:
            guest = self._guest_for(worker, taken)
        except NoTestbed as error:
            feed = Feed(self.results, taken.tests)
            feed.dead = str(error)
            left = feed.finish("")
            with self._change:
                self._died(taken, feed, left)
            return
        what = taken.tests[0].group
        self.watch.doing(worker.name, what)
        console = self.fleet.console(worker.name)
        kernel = Console(worker.name, console)

        def begins(name: str) -> None:
            kernel.begins(name)
            self.watch.doing(worker.name, name)

        feed = Feed(self.results, taken.tests, lambda: cpu_seconds(guest.pid), begins)
        guest.on_message = feed.feed
        before = console.stat().st_size
        # What had to be alone may leave a kernel on which no program ends.
        end = guest.obey(self._orders(taken), lambda: taken.alone and not feed.untold)
        if self._stopped:
            self._excerpts(worker, taken, kernel)
            return
        with console.open(errors="replace") as log:
            log.seek(before)
            printed = log.read()
        self._take_stock(worker, taken, feed, end, printed)
        self._excerpts(worker, taken, kernel)

    def _excerpts(self, worker: Worker, taken: Chunk, kernel: Console) -> None:
        """Keeps what the kernel has printed around failures."""
        for case in (self.results.cases[t.title] for t in taken.tests
                     if t.name in kernel.tests):
            case.console = (kernel.around(case.test.name) if case.status == "failed"
                            else Excerpt(worker.name))

    def _take_stock(self, worker: Worker, taken: Chunk, feed: Feed, end: End | None,
                    printed: str) -> None:
        """What has become of the chunk, and of the guest?"""
        left = feed.finish(last_words(end, printed) if end else "")
        with self._change:
            self.costs |= feed.costs
            if end and not taken.alone:
                self.crashes.append(Crash(worker.name, end, self.fleet.console(worker.name),
                                          feed.running))
            if feed.dead:
                self._died(taken, feed, left)
            elif left:
                self._try_again(taken, feed, left)
            if not feed.dead and not taken.alone:
                self._deaths.pop(taken.place, None)
        damaged = any(t.final and self.results.cases[t.title].status == "failed"
                      for t in taken.tests)
        if end or taken.alone or damaged or worker.guest.soiled or feed.dead \
                or feed.status == "timeout" or dying(printed):
            self.watch.doing(worker.name, "")
            worker.drop()

    def _try_again(self, taken: Chunk, feed: Feed, left: list[Case]) -> None:
        """The program has ended before it came to the tests @left."""
        self._bad_ends[feed.group.name] += 1
        if self._bad_ends[feed.group.name] < TRIES:
            self._put_back(taken, left)
            return
        for case in left:
            feed.give_up(case, f"{case.test.program} has ended early {TRIES} times")

    def _died(self, taken: Chunk, feed: Feed, left: list[Case]) -> None:
        """The testbed has: the tests @left get another guest, or are given up with the rest."""
        self._deaths[taken.place] += 1
        if self._deaths[taken.place] < DEATHS:
            self._put_back(taken, left)
            return
        if not taken.alone:
            self._given_up[taken.place] = feed
        self._give_up(feed, left)

    def _give_up(self, feed: Feed, left: list[Case]) -> None:
        for case in left:
            feed.give_up(case, f"the testbed had died in {DEATHS} guests in a row ({feed.dead})")

    def _put_back(self, taken: Chunk, left: list[Case]) -> None:
        self._queue.add(chunk((case.test for case in left), lambda test: Cost(0.1, 0.1),
                              taken.first))

    def _guest_for(self, worker: Worker, taken: Chunk) -> Guest:
        if worker.guest and worker.kind == taken.kind and not taken.alone:
            return worker.guest
        if worker.guest:
            self.watch.doing(worker.name, "")
            worker.drop()
        with self._change:
            self._started += 1
            worker.name = taken.tests[0].title if taken.alone else f"{taken.kind}.{self._started}"
        self.watch.doing(worker.name, "starts")
        worker.guest = worker.stack.enter_context(self.fleet.guest(
            worker.name, taken.kind.backend, small_window=taken.kind.small_window))
        worker.kind = taken.kind
        self.results.kernel = self.results.kernel or self.fleet.launcher.release
        return worker.guest

    def _orders(self, taken: Chunk) -> list[str]:
        """What the guest is to do, as init.c reads it."""
        tests = list(taken.tests)
        limit = self.suite.timeout * self.request.patience
        words = ["run", str(limit), f"/bin/{tests[0].program}",
                 *self.suite.arguments(tests[0].program, tests)]
        lonely = ["env DAX_BREAK_DESTRUCTIVE=1",
                  "write /proc/sys/kernel/panic_on_oops 1"] if taken.alone else []
        return [*(f"env {setting}" for setting in self.request.environment), *lonely,
                " ".join(words)]
