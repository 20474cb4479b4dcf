# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh: the phases of a run, in their order, and its exit status."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import command
from ..ask import options, quick, suite
from ..ask.durations import Durations
from ..ask.request import Request
from ..ask.suite import Suite, Test
from ..base import BUILD, RunError
from ..command import Status
from ..kernel.choose import Kind
from ..machine.guest import End
from ..report import known, watch
from ..report.ktap import Ktap
from ..report.results import Case, Results
from ..report.tally import Kind as Meaning
from ..report.text import Report
from . import host
from .guests import fleet, shell
from .pool import Crash, Pool
from .schedule import plan

LAST_RUN = BUILD / "last-run"
TAIL_LINES = 60


@contextlib.contextmanager
def ktap_sink(also: Path | None, to_stdout: bool) -> Iterator[Callable[[str], None]]:
    """Yields a function that writes a line of KTAP at once, to wherever it is wanted."""
    with contextlib.ExitStack() as stack:
        try:
            files = [stack.enter_context(path.open("w", encoding="utf-8"))
                     for path in (LAST_RUN / "results.ktap", also) if path]
        except OSError as error:
            raise RunError(f"cannot write {error.filename}: {error.strerror}") from error

        def emit(line: str) -> None:
            if to_stdout:
                print(line, flush=True)
            for file in files:
                file.write(line + "\n")
                file.flush()

        yield emit


def build(request: Request) -> None:
    """Installs and builds whatever a run takes."""
    command.install(*(["kbuild"] if request.kernel.kind is Kind.BUILT else []),
                    allowed=request.install)
    LAST_RUN.mkdir(parents=True, exist_ok=True)
    if not request.list_only:
        for pattern in ("console.*", "server.*"):
            for old in LAST_RUN.glob(pattern):
                old.unlink()
    command.make("programs", LAST_RUN / "build.log")


@dataclass
class Run:
    """Tests that are run, and those who are told of their results."""

    request: Request
    suite: Suite
    chosen: list[Test]
    view: watch.Watch
    emit: Callable[[str], None]

    def __post_init__(self):
        self.results = Results(self.chosen)
        self.report = Report(self.results, known.read(), self.request.again(), {})
        self.crashes: list[Crash] = []
        self._ktap = Ktap(self.results, self.emit)
        self._lock = threading.Lock()
        self._stop: Callable[[], None] = lambda: None
        self.results.on_case = self._told
        self.results.on_left = self._left

    def _told(self, case: Case) -> None:
        with self._lock:
            kind = self.report.kind(case)
            self.view.told(case, kind)
            self._ktap.told(case)
        if self.request.fail_fast and kind is Meaning.NEW:
            self._stop()

    def _left(self) -> None:
        with self._lock:
            self._ktap.left()

    def on_host(self) -> None:
        self.view.begin(len(self.chosen))
        host.run(self.request, self.suite, self.results, self.view)

    def in_guests(self) -> None:
        durations = Durations.read()
        expected = sum(durations.of(test).seconds for test in self.chosen)
        with fleet(self.request, self.suite.programs, LAST_RUN) as guests:
            self.view.message(f"# {guests.about}")
            self.view.begin(len(self.chosen), expected)
            pool = Pool(guests, self.suite, self.request, self.results,
                        plan(self.chosen, durations.of, self.request.jobs, quick.read()),
                        self.request.jobs, self.view)
            self._stop = pool.stop
            try:
                pool.run(pool.workers(self.request.jobs))
            finally:
                self.crashes = pool.crashes
        durations.learn(pool.costs)

    def end(self, phases: dict[str, float]) -> None:
        """Tells what is left to tell."""
        self._ktap.close()
        self.view.close()
        self.report.phases.update(phases)
        print(self.report.text())

    def status(self) -> Status:
        """The exit status, after showing why guests have crashed."""
        for crash in self.crashes:
            remedy = "; --timeout gives it more" if crash.end is End.OUT_OF_TIME else ""
            tail = crash.console.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            print(f"{crash.end.value} ({crash.guest}){remedy}; the end of its console "
                  f"({crash.console}):", *tail, sep="\n", file=sys.stderr)
        if self.crashes:
            return Status.CRASHED
        if self.results.problems or self.results.with_status("failed"):
            return Status.FAILED
        return Status.PASSED if self.results.with_status("passed") else Status.SKIPPED


def choose(request: Request, the_suite: Suite) -> list[Test]:
    chosen = the_suite.select(request.filesystems, request.tests, request.backends)
    if request.quick:
        names = set(quick.read())
        chosen = [test for test in chosen if test.name in names]
        if not chosen:
            raise RunError("none of these tests is among the quick ones: leave out --quick")
    return chosen


def run(request: Request, the_suite: Suite | None = None) -> tuple[int, Report | None]:
    """A whole run, of @the_suite if that is given, else of the built one."""
    started = time.monotonic()
    stdout_is_ktap = str(request.ktap) == "-" or not sys.stdout.isatty()
    with contextlib.ExitStack() as stack:
        view = stack.enter_context(watch.open(sys.stdout, stdout_is_ktap))
        if not request.list_only:
            view.message(f"# building the suite ({LAST_RUN / 'build.log'})")
        build(request)
        the_suite = the_suite or suite.load(BUILD / "selftests")
        chosen = choose(request, the_suite)
        if request.list_only:
            print("\n".join(t.title for t in chosen))
            return Status.PASSED, None
        if request.shell:
            view.close()
            with fleet(request, the_suite.programs, LAST_RUN) as guests:
                return shell(guests, chosen), None
        also = request.ktap if str(request.ktap) != "-" else None
        ours = Run(request, the_suite, chosen, view,
                   stack.enter_context(ktap_sink(also, stdout_is_ktap)))
        built = time.monotonic()
        if request.host:
            ours.on_host()
        else:
            ours.in_guests()
        ended = time.monotonic()
        first = ours.results.first_test or ended
        ours.end({"build": built - started, "boot": first - built, "test": ended - first})
    return ours.status(), ours.report


def main(argv: list[str], the_suite: Suite | None = None) -> int:
    return command.run("run_tests.sh", lambda: run(options.parse(argv), the_suite)[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
