# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh: the phases of a run, in their order, and its exit status."""

import concurrent.futures
import contextlib
import functools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .. import command
from ..ask import options, suite
from ..ask.request import Request
from ..ask.suite import Boot, Suite, plan
from ..base import BUILD, RunError
from ..command import Status
from ..kernel.choose import Kind
from ..machine.guest import End
from ..report import known
from ..report.results import Feed, Results, last_words
from ..report.text import Report
from . import host
from .guests import SuiteGuests

LAST_RUN = BUILD / "last-run"
TAIL_LINES = 60


@contextlib.contextmanager
def ktap_sink(also: Path | None):
    """Yields a function that prints a line of KTAP at once, and writes it to files."""
    with contextlib.ExitStack() as stack:
        try:
            files = [stack.enter_context(path.open("w", encoding="utf-8"))
                     for path in (LAST_RUN / "results.ktap", also) if path]
        except OSError as error:
            raise RunError(f"cannot write {error.filename}: {error.strerror}") from error

        def emit(line: str) -> None:
            print(line, flush=True)
            for file in files:
                file.write(line + "\n")
                file.flush()

        yield emit


class Turns:
    """Writers that take turns at one sink. Each writes live while it is its turn.

    What the others write in the meantime is kept until it is theirs, so the stream
    looks as if they had written one after the other.
    """

    def __init__(self, emit: Callable[[str], None], writers: int):
        self._emit = emit
        self._lock = threading.Lock()
        self._kept: list[list[str]] = [[] for _ in range(writers)]
        self._over: set[int] = set()
        self._turn = 0

    def write(self, index: int, line: str) -> None:
        with self._lock:
            self._kept[index].append(line)
            self._pass_on()

    def end(self, index: int) -> None:
        """Writer @index has nothing more to write."""
        with self._lock:
            self._over.add(index)
            self._pass_on()

    def _pass_on(self) -> None:
        while self._turn < len(self._kept):
            for line in self._kept[self._turn]:
                self._emit(line)
            self._kept[self._turn].clear()
            if self._turn not in self._over:
                break
            self._turn += 1


def run_guests(guests: SuiteGuests, boots: list[Boot], results: Results,
               emit: Callable[[str], None]) -> dict[str, tuple[End, str]]:
    """Runs all tests in the guests that they take. Returns how the shared ones ended."""
    turns = Turns(emit, len(boots))
    number = 1
    feeds = []
    for index, boot in enumerate(boots):
        prefix = f"{boot.tests[0].place}:"
        write = functools.partial(turns.write, index)
        feeds.append(Feed(results, write, boot.tests, number, prefix))
        number += len(boot.programs)

    def one(index: int) -> tuple[End, str]:
        boot, feed = boots[index], feeds[index]
        if results.missing:         # a guest has found that none can run the suite
            return End.DONE, ""
        end, console = guests.run(boot, feed)
        if boot.alone:
            feed.cut_off(last_words(end, console))
        turns.end(index)
        return end, console

    workers = guests.fleet.room(len(boots), {boot.backend for boot in boots})
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(one, i) for i in range(len(boots))]
        try:
            ends = [future.result() for future in futures]
        except BaseException:
            # Without their guests the threads have nothing to wait for.
            pool.shutdown(wait=False, cancel_futures=True)
            guests.fleet.kill()
            raise
    return {boot.name: end for boot, end in zip(boots, ends) if not boot.alone}


def verdict(ends: dict[str, tuple[End, str]], results: Results) -> Status:
    """The exit status, after saying what guests that failed have left to say."""
    if results.missing:
        raise RunError(f"this kernel cannot run the suite: it lacks {results.missing}")
    bad = {name: end for name, end in ends.items() if end[0] is not End.DONE}
    for name, (end, console) in bad.items():
        remedy = "; --timeout gives it more" if end is End.OUT_OF_TIME else ""
        print(f"{end.value} ({name}){remedy}; the end of its console "
              f"({LAST_RUN}/console.{name}.log):", *console.splitlines()[-TAIL_LINES:],
              sep="\n", file=sys.stderr)
    if any(end is End.NOT_BOOTED for end, _ in bad.values()):
        raise RunError(f"{End.NOT_BOOTED.value}: is it a kernel for this machine, with the "
                       "options of vm/config?")
    if bad:
        return Status.CRASHED
    if results.problems or results.with_status("failed"):
        return Status.FAILED
    return Status.PASSED if results.with_status("passed") else Status.SKIPPED


def build(request: Request) -> None:
    """Installs and builds whatever a run takes."""
    command.install(*(["kbuild"] if request.kernel.kind is Kind.BUILT else []),
                    allowed=request.install)
    LAST_RUN.mkdir(parents=True, exist_ok=True)
    log = LAST_RUN / "build.log"
    if not request.list_only:
        for pattern in ("console.*", "server.*"):
            for old in LAST_RUN.glob(pattern):
                old.unlink()
        print(f"# building the suite ({log})", flush=True)
    command.make("programs", log)


def run(request: Request, the_suite: Suite | None = None) -> tuple[int, Report | None]:
    """A whole run, of @the_suite if that is given, else of the built one."""
    started = time.monotonic()
    build(request)
    the_suite = the_suite or suite.load(BUILD / "selftests")
    chosen = the_suite.select(request.filesystems, request.tests, request.backends)
    if request.list_only:
        print("\n".join(t.title for t in chosen))
        return Status.PASSED, None
    if request.shell:
        with SuiteGuests.open(request, the_suite, LAST_RUN) as guests:
            return guests.shell(chosen), None
    with contextlib.ExitStack() as stack:
        emit = stack.enter_context(ktap_sink(request.ktap))
        results = Results(chosen)
        guests = None if request.host else stack.enter_context(
            SuiteGuests.open(request, the_suite, LAST_RUN))
        booted = time.monotonic()
        boots = plan(chosen)
        emit("KTAP version 1")
        if guests:
            emit(f"1..{sum(len(boot.programs) for boot in boots)}")
            ends = run_guests(guests, boots, results, emit)
        else:
            emit(f"1..{len({t.program for t in chosen})}")
            end = host.run(request, the_suite, chosen, Feed(results, emit, chosen).feed)
            ends = {"host": (end, "")}
    ended = time.monotonic()
    first = results.first_test or ended
    phases = {"build": booted - started, "boot": first - booted, "test": ended - first}
    report = Report(results, known.read(), request.again(), phases)
    print(report.text())
    return verdict(ends, results), report


def main(argv: list[str], the_suite: Suite | None = None) -> int:
    return command.run("run_tests.sh", lambda: run(options.parse(argv), the_suite)[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
