# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh: the phases of a run, in their order, and its exit status."""

import contextlib
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .. import command, errors
from ..ask import options, quick, suite
from ..ask.durations import Durations
from ..ask.request import Request
from ..ask.suite import Suite, Test
from ..base import BUILD, RunError
from ..command import Status
from ..errors import about, say
from ..kernel import kbuild
from ..kernel.choose import Kind
from ..kernel.choose import choose as choose_kernel
from ..kernel.image import Kernel
from ..machine.guest import End
from ..report import account, compare, known, record, watch
from ..report.console import shortened
from ..report.ktap import Ktap
from ..report.results import Case, Results
from ..report.tally import Kind as Meaning
from ..report.text import Report
from . import bisect, host, outputs
from .guests import PROGRAMS, fleet, run_directory, shell
from .pool import Crash, Pool
from .runs import LAST_RUN, Kept, keep
from .schedule import plan

TAIL_LINES = 60             # of the console of a guest that has crashed ...
KEPT_LINES = 200            # ... and of that in the record


@contextlib.contextmanager
def ktap_sink(ours: Path, also: Path | None, to_stdout: bool) -> Iterator[Callable[[str], None]]:
    """Yields a function that writes a line of KTAP at once, to wherever it is wanted."""
    with contextlib.ExitStack() as stack:
        files = [(path, stack.enter_context(unbuffered(path))) for path in (ours, also) if path]

        def emit(line: str) -> None:
            if to_stdout:
                say(line)
            for path, file in files:
                with about(path):
                    rest = line.encode() + b"\n"
                    while rest:
                        rest = rest[file.write(rest):]

        yield emit


def unbuffered(path: Path) -> BinaryIO:
    """A new file. What cannot be written now is not tried again when it is closed."""
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise RunError(f"cannot write {errors.explain(error)}") from error


def build(request: Request, ours: Kept, directory: Path) -> Suite:
    """Installs and builds whatever a run takes."""
    built = request.kernel.kind is Kind.BUILT
    if built:
        kbuild.check_place(BUILD)
    command.install(*(["kbuild"] if built else []), allowed=request.install)
    return suite.build(ours.directory / "build.log", directory / PROGRAMS)


@dataclass
class Run:
    """Tests that are run, and those who are told of their results."""

    kept: Kept
    request: Request
    suite: Suite
    chosen: list[Test]
    view: watch.Watch
    emit: Callable[[str], None]
    earlier: known.Earlier | None   # what failed in it is old
    record: record.Record

    def __post_init__(self):
        self.results = Results(self.chosen)
        self.report = Report(self.results, known.read(), self.request.again(), {}, self.earlier)
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
        self.kept.name(platform.release())
        self.view.begin(len(self.chosen))
        host.run(self.request, self.suite, self.results, self.view)

    def in_guests(self, directory: Path) -> None:
        durations = Durations.read()
        expected = sum(durations.of(test).seconds for test in self.chosen)
        kernel = named_kernel(self.request, self.kept)
        with fleet(self.request, self.suite.programs, self.kept.directory, kernel,
                   directory) as guests:
            self.view.message(f"# {guests.about}")
            self.record.origin = guests.kernel.origin
            self.record.accelerator = guests.accel
            self.view.begin(len(self.chosen), expected)
            pool = Pool(guests, self.suite, self.request, self.results,
                        plan(self.chosen, durations.of, self.request.jobs, quick.read()),
                        self.request.jobs, self.view)
            self._stop = pool.stop
            workers = pool.workers(self.request.jobs)
            for backend in sorted({test.backend for test in self.chosen}):
                if version := guests.qemu_version(backend):
                    self.kept.add_version(f"QEMU for {backend}", version)
            try:
                pool.run(workers)
            finally:
                self.crashes = pool.crashes
        durations.learn(pool.costs)

    def end(self, phases: dict[str, float]) -> None:
        """Tells what is left to tell."""
        self._ktap.close()
        self.view.close()
        self.report.phases.update(phases)
        say(self.report.text())
        self._write(self.status())

    def _write(self, status: Status) -> None:
        """Writes the files that the run leaves for others."""
        run = account.fill(self.record, self.report)
        run.status = status
        run.crashes = [record.Crash(crash.guest, crash.end.value,
                                    crash.case.test.title if crash.case else "",
                                    shortened(_lines(crash.console), 0, KEPT_LINES))
                       for crash in self.crashes]
        outputs.write(run, self.request, self.kept.directory)

    def abort(self, error: BaseException) -> None:
        """The run cannot go on: tests that have no result say why."""
        # What has ended it may be that nothing can be written any more.
        with contextlib.suppress(OSError, RunError):
            self._ktap.close(str(error) or "interrupted")
            self._write(Status.NOT_RUN)

    def show_crashes(self) -> None:
        """Why guests have crashed."""
        for crash in self.crashes:
            remedy = "; --timeout gives it more" if crash.end is End.OUT_OF_TIME else ""
            print(f"{crash.end.value} ({crash.guest}){remedy}; the end of its console "
                  f"({crash.console}):", *_lines(crash.console)[-TAIL_LINES:], sep="\n",
                  file=sys.stderr)

    def status(self) -> Status:
        """The exit status. Old failures are no reason for one, unless that is asked for."""
        strict, report = self.request.strict, self.report
        if any(strict or not crash.case or report.is_new(crash.case) for crash in self.crashes):
            return Status.CRASHED
        failed = self.results.with_status("failed")
        if report.new_problems() or report.new_failures() or (
                strict and (failed or self.results.problems)):
            return Status.FAILED
        return Status.PASSED if failed or self.results.with_status("passed") else Status.SKIPPED


def _lines(console: Path) -> list[str]:
    return console.read_text(encoding="utf-8", errors="replace").splitlines()


def choose(request: Request, the_suite: Suite) -> list[Test]:
    chosen = the_suite.select(request.filesystems, request.tests, request.backends)
    if request.quick:
        names = set(quick.read())
        chosen = [test for test in chosen if test.name in names]
        if not chosen:
            raise RunError("none of these tests is among the quick ones: leave out --quick")
    return chosen


def named_kernel(request: Request, ours: Kept) -> Kernel:
    """The kernel of the run, by which that is then called."""
    kernel = choose_kernel(request.kernel, BUILD)
    ours.name(kernel.version, kernel)
    return kernel


def run(request: Request, the_suite: Suite | None = None) -> tuple[int, Report | None]:
    """A whole run, of @the_suite if that is given, else of the built one."""
    started = time.monotonic()
    begun = outputs.begun(request)
    earlier = known.Earlier(request.baseline) if request.baseline else None
    outputs.check(request)
    stdout_is_ktap = str(request.ktap) == "-" or not sys.stdout.isatty()
    with contextlib.ExitStack() as stack:
        view = stack.enter_context(watch.open(sys.stdout, stdout_is_ktap))
        if not request.list_only:
            view.message(f"# building the suite ({LAST_RUN / 'build.log'})")
        kept = stack.enter_context(keep(request.runs, passing=request.list_only))
        directory = stack.enter_context(run_directory(request.keep))
        built_suite = build(request, kept, directory)
        the_suite = the_suite or built_suite
        chosen = choose(request, the_suite)
        if request.list_only:
            say(*(t.title for t in chosen))
            return Status.PASSED, None
        if request.shell:
            view.close()
            kernel = named_kernel(request, kept)
            with fleet(request, the_suite.programs, kept.directory, kernel, directory) as guests:
                return shell(guests, chosen), None
        if earlier and (lacks := earlier.lacks(chosen)):
            view.message(f"# {lacks}")
        also = request.ktap if str(request.ktap) != "-" else None
        ours = Run(kept, request, the_suite, chosen, view, stack.enter_context(
            ktap_sink(kept.directory / "results.ktap", also, stdout_is_ktap)), earlier, begun)
        built = time.monotonic()
        try:
            if request.host:
                ours.on_host()
            else:
                ours.in_guests(directory)
        except BaseException as error:
            ours.abort(error)
            raise
        ended = time.monotonic()
        first = ours.results.first_test or ended
        ours.end({"build": built - started, "boot": first - built, "test": ended - first})
        ours.show_crashes()
    return ours.record.status, ours.report


def compare_runs(before: Path, after: Path) -> Status:
    """Tells what changed from one run to the other."""
    found = compare.Comparison(record.read(before), record.read(after))
    if not any(change.before and change.after for change in found.changes):
        raise RunError(f"{before} and {after} have no test in common")
    say(found.text())
    return Status.FAILED if found.worse else Status.PASSED


def main(argv: list[str], the_suite: Suite | None = None) -> int:
    if bisect.OPTION in argv:
        return bisect.main(argv, the_suite)

    def ours() -> int:
        request = options.parse(argv)
        if request.compare:
            return compare_runs(*request.compare)
        return run(request, the_suite)[0]

    return command.run("run_tests.sh", ours)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
