# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh: the phases of a run, in their order, and its exit status."""

import argparse
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import accel, guest, host, initramfs, kconfig, kernel, options, suite
from .errors import RunError
from .guest import End
from .report import Report, read_known_bugs
from .results import Results
from .suite import ROOT, Suite, Test

PASSED, FAILED, NOT_RUN, CRASHED, SKIPPED = range(5)

BUILD = ROOT / "build"
LAST_RUN = BUILD / "last-run"
SHELL = "shell /bin/with_pmem /bin/sh"      # an order for init.c


def install_packages(may_install: bool) -> None:
    command = [ROOT / "vm/packages.sh"] + ([] if may_install else ["--no-install"])
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RunError(done.stderr.strip() or "vm/packages.sh failed")
    sys.stderr.write(done.stderr)


def again(opts: argparse.Namespace) -> str:
    """The command of this run, without its selection of tests."""
    words = ["./run_tests.sh"]
    if opts.host:
        words.append("--host")
    if opts.kernel != "debian":
        words += ["--kernel", opts.kernel]
    if opts.modules:
        words += ["--modules", str(opts.modules)]
    return shlex.join(words)


@contextlib.contextmanager
def run_directory(keep: bool):
    """Where this run's image and memory are; what killed runs left is removed."""
    for old in BUILD.glob("run-*"):
        dead = not Path("/proc", old.name.rpartition("-")[2]).exists()
        if dead and not (old / "keep").exists():
            shutil.rmtree(old, ignore_errors=True)
    directory = BUILD / f"run-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        if keep:
            (directory / "keep").touch()
            print(f"kept: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


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


def environment(chosen: list[Test]) -> list[str]:
    """Orders that set it for the programs."""
    seed = os.environ.get("DAX_BREAK_SEED")
    return [f"env DAX_BREAK_FS={' '.join(sorted({t.fs for t in chosen}))}",
            *([f"env DAX_BREAK_SEED={seed}"] if seed else [])]


def orders(chosen: list[Test], the_suite: Suite) -> list[str]:
    """What the guest shall do, as init.c reads it."""
    runs = [" ".join(["run", str(the_suite.timeout), f"/bin/{program}",
                      *the_suite.arguments(program, chosen)])
            for program in sorted({t.program for t in chosen})]
    return [*environment(chosen), *runs]


def prepare_guest(opts, the_suite: Suite, plan: list[str], directory: Path, pmem: bool):
    """Kernel, image and accelerator: a machine ready to boot."""
    the_kernel = kernel.resolve(opts.kernel, opts.modules, BUILD)
    if the_kernel.config:
        missing = kconfig.missing(the_kernel.config)
        if missing:
            raise RunError(f"{the_kernel.origin} cannot run the suite: it lacks "
                           f"{', '.join(missing)}; enable that and build it again")
    else:
        plan = ["check", *plan]
    how, reason = accel.choose(opts.accel)
    print(f"# kernel: {the_kernel.origin}; accelerator: {how} ({reason})", flush=True)
    image = directory / "initramfs"
    programs = [the_suite.directory / name for name in {t.program for t in the_suite.tests}]
    initramfs.write(image, BUILD / "init", the_kernel.modules,
                    [*programs, BUILD / "selftests/with_pmem"], plan)
    machine = guest.Machine(the_kernel.image, image, directory, how, opts.memory, pmem)
    guest.check_resources(machine)
    return machine


def run_guest(opts, machine: guest.Machine, feed: Callable[[str], None]) -> tuple[End, str]:
    """Boots it and follows it to its end. Returns how it ended and its last words."""
    with (LAST_RUN / "console.log").open("wb") as log:
        def on_console(data: bytes) -> None:
            log.write(data)
            log.flush()
            if opts.verbose:
                sys.stderr.buffer.write(data)
                sys.stderr.flush()

        running = guest.Guest(machine, feed, on_console)
        end = running.run(opts.timeout)
    return end, "\n".join(running.tail)


def verdict(end: End, results: Results, console: str) -> int:
    """The exit status, after saying what a guest that failed has left to say."""
    if results.missing:
        raise RunError(f"this kernel cannot run the suite: it lacks {results.missing}")
    if end is not End.DONE:
        print(f"{end.value}; the end of its console ({LAST_RUN}/console.log):\n{console}",
              file=sys.stderr)
    if end is End.NOT_BOOTED:
        raise RunError(f"{end.value}: is it a kernel for this machine, with the options of "
                       "vm/config?")
    if end is not End.DONE:
        return CRASHED
    if results.problems or results.with_status("failed"):
        return FAILED
    return PASSED if results.with_status("passed") else SKIPPED


def run(opts, the_suite: Suite | None = None, pmem: bool = True) -> tuple[int, Report | None]:
    """A whole run. @the_suite and @pmem are for testing the runner itself."""
    started = time.monotonic()
    install_packages(not opts.no_install)
    LAST_RUN.mkdir(parents=True, exist_ok=True)
    if not opts.list:
        print(f"# building the suite ({LAST_RUN}/build.log)", flush=True)
    suite.build(BUILD, LAST_RUN / "build.log")
    the_suite = the_suite or suite.load(BUILD / "selftests")
    chosen = the_suite.select([f for f in opts.fs.split(",") if f], opts.tests)
    if opts.list:
        print("\n".join(t.name for t in chosen))
        return PASSED, None

    with run_directory(opts.keep) as directory, ktap_sink(opts.ktap) as emit:
        if opts.shell:
            machine = prepare_guest(opts, the_suite, [*environment(chosen), SHELL], directory, pmem)
            return guest.shell(machine), None
        if opts.host:
            booted = time.monotonic()
            results = Results(chosen, emit)
            end, console = host.run(the_suite, chosen, results.feed), ""
        else:
            machine = prepare_guest(opts, the_suite, orders(chosen, the_suite), directory, pmem)
            booted = time.monotonic()
            results = Results(chosen, emit)
            end, console = run_guest(opts, machine, results.feed)
    ended = time.monotonic()
    first = results.first_test or ended
    phases = {"build": booted - started, "boot": first - booted, "test": ended - first}
    report = Report(results, read_known_bugs(), again(opts), phases)
    print(report.text())
    return verdict(end, results, console), report


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
