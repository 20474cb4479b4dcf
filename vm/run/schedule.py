# SPDX-License-Identifier: GPL-2.0
"""Which tests run in which guest, and when.

The tests of a program in one place are cut into chunks. Guests take them from a queue,
the longest first, so that all processors are busy up to the end. A guest goes on with
chunks that need a guest like it as long as there are any. A chunk that mostly waits shares
a processor with others.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from ..ask.durations import Cost
from ..ask.suite import Need, Test

# Seconds of processor that a guest takes to start, and a program.
GUEST_SECONDS, PROGRAM_SECONDS = 0.6, 0.2
# A chunk is no shorter, so that what a program takes does not add up. Seconds.
SHORTEST = 2.0
# So many chunks for each processor, at least: the last one to end is not alone for long.
CHUNKS_EACH = 8
# The processors may be promised a little more than there is of them: guests wait, too.
MORE = 0.25


@dataclass(frozen=True)
class Kind:
    """What a guest must be to run a test."""

    backend: str
    small_window: bool = False

    @classmethod
    def of(cls, test: Test) -> "Kind":
        return cls(test.backend, Need.SMALL_WINDOW in test.needs)

    def __str__(self):
        return self.backend + ("-small-window" if self.small_window else "")


@dataclass(frozen=True)
class Chunk:
    """Tests of one program in one place, which a guest runs at one go."""

    tests: tuple[Test, ...]
    cost: Cost
    first: bool = False     # before all that are not

    @property
    def kind(self) -> Kind:
        return Kind.of(self.tests[0])

    @property
    def place(self) -> tuple[str, Kind]:
        """The filesystem, and what it is on."""
        return self.tests[0].fs, self.kind

    @property
    def alone(self) -> bool:
        """Is it for a single test, which may take its guest down?"""
        return self.tests[0].alone

    @property
    def load(self) -> float:
        """How much of a processor it keeps busy."""
        return max(0.1, min(1.0, self.cost.cpu / self.cost.seconds))


def chunk(tests: Iterable[Test], cost: Callable[[Test], Cost], first: bool = False) -> Chunk:
    tests = tuple(tests)
    costs = [cost(test) for test in tests]
    start = PROGRAM_SECONDS + (GUEST_SECONDS if tests[0].alone else 0)
    return Chunk(tests, Cost(start + sum(c.seconds for c in costs),
                             start + sum(c.cpu for c in costs)), first)


def cut(tests: list[Test], cost: Callable[[Test], Cost], limit: float) -> list[list[Test]]:
    """Cuts @tests into parts of at most @limit seconds, or of a single test."""
    parts: list[list[Test]] = []
    left = 0.0
    for test in tests:
        seconds = cost(test).seconds
        if not parts or seconds > left or test.alone or parts[-1][-1].alone:
            parts.append([])
            left = limit
        parts[-1].append(test)
        left -= seconds
    return parts


def plan(chosen: list[Test], cost: Callable[[Test], Cost], jobs: int,
         first: Collection[str] = ()) -> list[Chunk]:
    """The chunks of the tests @chosen. Those called as in @first come first."""
    total = sum(cost(test).seconds for test in chosen)
    limit = max(SHORTEST, total / (jobs * CHUNKS_EACH))
    groups: dict[tuple[str, Kind, bool], list[Test]] = {}
    final: dict[tuple[str, Kind], list[Test]] = {}
    for test in chosen:
        if test.final:
            final.setdefault((test.group, Kind.of(test)), []).append(test)
        else:
            groups.setdefault((test.group, Kind.of(test), test.name in first), []).append(test)
    chunks, checked = [], set()
    for (group, kind, early), tests in groups.items():
        for part in cut(tests, cost, limit):
            # What has been alone may leave nothing to be checked. All else is checked before
            # another program in the same guest can be blamed for it.
            check = [] if part[0].alone else final.get((group, kind), [])
            checked |= {(group, kind)} if check else set()
            chunks.append(chunk(part + check, cost, early))
    return chunks + [chunk(tests, cost) for of, tests in final.items() if of not in checked]


def guests(jobs: int) -> int:
    """How many guests keep so many processors busy: some more, for chunks that wait.

    Emulated guests that share a processor crowd each other's code out of its caches: on two
    of them, five guests compute a sixth more for a whole run than three do.
    """
    return jobs + max(1, jobs // 4)


class Queue:
    """Chunks that wait for a guest. @jobs: processors to keep busy."""

    def __init__(self, chunks: Iterable[Chunk], jobs: int):
        self.jobs = jobs
        self._chunks = list(chunks)
        self._sort()

    def _sort(self) -> None:
        self._chunks.sort(key=lambda c: (not c.first, -c.cost.seconds))

    def __bool__(self):
        return bool(self._chunks)

    def __iter__(self):
        return iter(self._chunks)

    def add(self, late: Chunk) -> None:
        self._chunks.append(late)
        self._sort()

    def clear(self) -> None:
        self._chunks.clear()

    def take(self, kind: Kind | None, load: float) -> Chunk | None:
        """The next chunk for a guest of @kind, or None that is to be started.

        @load: of the chunks that run now. None: there is none, or nothing that fits.
        """
        fitting = [c for c in self._chunks
                   if not load or load + c.load <= self.jobs + MORE]
        own = [c for c in fitting if c.kind == kind and not c.alone]
        chosen = own or fitting
        if not own and kind is None and fitting:
            # Start with the kind that has the most to do.
            work: dict[Kind, float] = {}
            for c in fitting:
                work[c.kind] = work.get(c.kind, 0.0) + c.cost.seconds
            most = max(work, key=lambda k: work[k])
            chosen = [c for c in fitting if c.kind == most]
        if not chosen:
            return None
        self._chunks.remove(chosen[0])
        return chosen[0]


def simulate(chunks: list[Chunk], jobs: int, workers: int) -> float:
    """How many seconds @chunks take on so many processors, which @jobs are promised."""
    queue = Queue(chunks, jobs)
    kinds: list[Kind | None] = [None] * workers
    busy: dict[int, tuple[float, Chunk]] = {}       # until when, by worker
    now = 0.0
    while queue or busy:
        for worker in range(workers):
            if worker in busy:
                continue
            load = sum(c.load for _, c in busy.values())
            taken = queue.take(kinds[worker], load)
            if not taken:
                continue
            start = 0.0 if taken.kind == kinds[worker] or taken.alone else GUEST_SECONDS
            kinds[worker] = None if taken.alone else taken.kind
            busy[worker] = now + start + taken.cost.seconds, taken
        worker = min(busy, key=lambda w: busy[w][0])
        now = busy.pop(worker)[0]
    return now
