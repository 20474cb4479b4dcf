# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh: the phases of a run, in their order, and its exit status."""

import argparse
import concurrent.futures
import contextlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import guest, host, kbuild, options, suite
from .boots import Turns, plan
from .errors import RunError
from .guest import End
from .machines import Machines, environment, run_directory
from .report import Report, read_known_bugs
from .results import Feed, Results
from .suite import BUILD, ROOT, Suite, Test

PASSED, FAILED, NOT_RUN, CRASHED, SKIPPED = range(5)

LAST_RUN = BUILD / "last-run"
SHELL = "shell /bin/with_pmem /bin/sh"      # an order for init.c


def install_packages(may_install: bool, *groups: str) -> None:
    command = [ROOT / "vm/packages.sh", *groups, *([] if may_install else ["--no-install"])]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RunError(done.stderr.strip() or "vm/packages.sh failed")
    sys.stderr.write(done.stderr)


def again(opts: argparse.Namespace) -> str:
    """The command of this run, without its selection of tests."""
    words = ["./run_tests.sh"]
    if opts.host:
        words.append("--host")
    if opts.pmem:
        words += ["--pmem", opts.pmem]
    if opts.destructive:
        words.append("--destructive")
    if opts.kernel != "debian":
        words += ["--kernel", opts.kernel]
    if opts.modules:
        words += ["--modules", str(opts.modules)]
    return shlex.join(words)


@contextlib.contextmanager
def ktap_sink(also: Path | None):
    """A function that prints a line of KTAP, live, and writes it to files."""
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


def run_guests(machines: Machines, results: Results,
               emit: Callable[[str], None]) -> dict[str, tuple[End, str]]:
    """Runs all tests in the guests that they take. Returns how the shared ones ended."""
    boots = plan(results.chosen)
    turns = Turns(emit, len(boots))
    number = 1
    feeds = []
    for index, boot in enumerate(boots):
        prefix = f"{boot.tests[0].place}:"
        feeds.append(Feed(results, turns.writer(index), boot.tests, number, prefix))
        number += len(boot.programs)

    def one(index: int) -> tuple[End, str]:
        boot, feed = boots[index], feeds[index]
        if results.missing:         # a guest has found that none can run the suite
            return End.DONE, ""
        end, console = machines.run_boot(boot, feed)
        if boot.alone:
            feed.cut_off(guest.last_words(end, machines.console(boot.name)))
        turns.end(index)
        return end, console

    workers = machines.room(len(boots), {boot.backend for boot in boots})
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(one, i) for i in range(len(boots))]
        try:
            ends = [future.result() for future in futures]
        except BaseException:
            # Without their guests the threads have nothing to wait for.
            pool.shutdown(wait=False, cancel_futures=True)
            machines.fleet.kill()
            raise
    return {boot.name: end for boot, end in zip(boots, ends) if not boot.alone}


def shell(machines: Machines, chosen: list[Test]) -> int:
    """A guest in which somebody looks around. Returns QEMU's exit status."""
    backend = chosen[0].backend
    machines.room(1, [backend])
    there = [t for t in chosen if t.backend == backend]
    return guest.shell(machines.make("shell", [*environment(None, there), SHELL], backend))


def verdict(ends: dict[str, tuple[End, str]], results: Results) -> int:
    """The exit status, after saying what guests that failed have left to say."""
    if results.missing:
        raise RunError(f"this kernel cannot run the suite: it lacks {results.missing}")
    bad = {name: end for name, end in ends.items() if end[0] is not End.DONE}
    for name, (end, console) in bad.items():
        remedy = "; --timeout gives it more" if end is End.OUT_OF_TIME else ""
        print(f"{end.value} ({name}){remedy}; the end of its console "
              f"({LAST_RUN}/console.{name}.log):\n{console}", file=sys.stderr)
    if any(end is End.NOT_BOOTED for end, _ in bad.values()):
        raise RunError(f"{End.NOT_BOOTED.value}: is it a kernel for this machine, with the "
                       "options of vm/config?")
    if bad:
        return CRASHED
    if results.problems or results.with_status("failed"):
        return FAILED
    return PASSED if results.with_status("passed") else SKIPPED


def run(opts, the_suite: Suite | None = None) -> tuple[int, Report | None]:
    """A whole run. @the_suite is for testing the runner itself."""
    started = time.monotonic()
    install_packages(not opts.no_install, *(["kbuild"] if kbuild.is_built(opts.kernel) else []))
    LAST_RUN.mkdir(parents=True, exist_ok=True)
    if not opts.list:
        for pattern in ("console.*", "server.*"):
            for old in LAST_RUN.glob(pattern):
                old.unlink()
        print(f"# building the suite ({LAST_RUN}/build.log)", flush=True)
    suite.build(BUILD, LAST_RUN / "build.log")
    the_suite = the_suite or suite.load(BUILD / "selftests")
    chosen = the_suite.select([f for f in opts.fs.split(",") if f], opts.tests)
    chosen = the_suite.on_backends(chosen, opts.backend)
    if opts.list:
        print("\n".join(t.title for t in chosen))
        return PASSED, None

    with run_directory(opts.keep) as directory, ktap_sink(opts.ktap) as emit:
        if opts.shell:
            return shell(Machines(opts, the_suite, directory, LAST_RUN), chosen), None
        results = Results(chosen)
        machines = None if opts.host else Machines(opts, the_suite, directory, LAST_RUN)
        booted = time.monotonic()
        emit("KTAP version 1")
        if machines:
            emit(f"1..{sum(len(b.programs) for b in plan(chosen))}")
            ends = run_guests(machines, results, emit)
        else:
            emit(f"1..{len({t.program for t in chosen})}")
            feed = Feed(results, emit, chosen).feed
            ends = {"host": (host.run(the_suite, chosen, feed, opts.destructive, opts.pmem), "")}
    ended = time.monotonic()
    first = results.first_test or ended
    phases = {"build": booted - started, "boot": first - booted, "test": ended - first}
    report = Report(results, read_known_bugs(), again(opts), phases)
    print(report.text())
    return verdict(ends, results), report


def main(argv: list[str], **for_testing) -> int:
    def interrupted(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    try:
        return run(options.parse(argv), **for_testing)[0]
    except RunError as error:
        print(f"run_tests.sh: {error}", file=sys.stderr)
    except OSError as error:
        # Full disk, a build directory of another user, ...
        print(f"run_tests.sh: {error.filename or BUILD}: {error.strerror}", file=sys.stderr)
    except KeyboardInterrupt:
        print("run_tests.sh: interrupted", file=sys.stderr)
    return NOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
