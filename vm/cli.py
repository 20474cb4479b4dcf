# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh: the phases of a run, in their order, and its exit status."""

import argparse
import concurrent.futures
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from . import accel, disk, guest, host, initramfs, kbuild, kconfig, kernel, options, qemu, suite
from .backend import BACKENDS, DEFAULT, SMALL_WINDOW_MIB, TAG, WINDOW_MIB
from .boots import Boot, Turns, plan
from .errors import RunError
from .guest import End
from .kernel import Kernel
from .report import Report, read_known_bugs
from .results import Feed, Results
from .suite import ROOT, Suite, Test

PASSED, FAILED, NOT_RUN, CRASHED, SKIPPED = range(5)

BUILD = ROOT / "build"
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


def environment(boot: Boot | None, chosen: list[Test]) -> list[str]:
    """Orders that set it for the programs."""
    seed = os.environ.get("DAX_BREAK_SEED")
    return [f"env DAX_BREAK_FS={' '.join(sorted({t.fs for t in chosen}))}",
            disk.ORDER,
            *([f"env DAX_BREAK_SEED={seed}"] if seed else []),
            *(["env DAX_BREAK_DESTRUCTIVE=1"] if boot and boot.alone else [])]


def orders(boot: Boot, the_suite: Suite) -> list[str]:
    """What the guest shall do, as init.c reads it."""
    tests = list(boot.tests)
    runs = [" ".join(["run", str(the_suite.timeout), f"/bin/{program}",
                      *the_suite.arguments(program, tests)]) for program in boot.programs]
    return [*environment(boot, tests), *runs]


def choose_kernel(opts: argparse.Namespace) -> Kernel:
    """The kernel to boot, fetched or built if need be."""
    if kbuild.is_built(opts.kernel):
        return kbuild.resolve(opts.kernel, BUILD)
    return kernel.resolve(opts.kernel, opts.modules, BUILD)


class Machines:
    """Kernel and accelerator: what all guests of a run have in common."""

    def __init__(self, opts: argparse.Namespace, the_kernel: Kernel, the_suite: Suite,
                 directory: Path):
        self.opts, self.suite, self.directory = opts, the_suite, directory
        self.kernel = the_kernel
        if missing := self._missing(kconfig.required()):
            raise RunError(f"{self.kernel.origin} cannot run the suite: it lacks {missing}; "
                           "enable that and build it again")
        self.accel, reason = accel.choose(opts.accel)
        print(f"# kernel: {self.kernel.origin}; accelerator: {self.accel} ({reason})", flush=True)

        self.qemu: dict[str, list[str]] = {}    # by the version it must have

    def _missing(self, options: Iterable[str]) -> str:
        """Which of @options the kernel lacks, if that is known."""
        config = self.kernel.config
        return ", ".join(kconfig.missing(config, options)) if config else ""

    def obstacle(self, backend: str) -> str:
        """Why there can be no machine with @backend; empty if there can."""
        needs = BACKENDS[backend]
        if missing := self._missing(needs.options):
            return f"{backend} needs {missing}, which this kernel lacks"
        if needs.qemu and needs.qemu not in self.qemu:
            try:
                self.qemu[needs.qemu] = qemu.at_least(needs.qemu, BUILD)
            except RunError as error:
                return f"{backend}: {error}"
        return ""

    def make(self, name: str, plan: list[str], backend: str = DEFAULT,
             may_crash: bool = False) -> guest.Machine:
        """A machine ready to boot, with a @backend without obstacles, whose init follows @plan."""
        if obstacle := self.obstacle(backend):
            raise RunError(obstacle)
        memory = BACKENDS[backend]
        directory = self.directory / name
        directory.mkdir()
        image = directory / "initramfs"
        programs = [self.suite.directory / name for name in {t.program for t in self.suite.tests}]
        initramfs.write(image, BUILD / "init", self.kernel.modules,
                        [*programs, BUILD / "selftests/with_pmem"],
                        [*([] if self.kernel.config else ["check"]), *memory.orders, *plan])
        # The tests that need a guest each are those that need a small window, too.
        window = SMALL_WINDOW_MIB if may_crash else WINDOW_MIB
        return guest.Machine(self.kernel.image, image, directory, self.accel, self.opts.memory,
                             memory, disk.make(BUILD / "disk.img"), may_crash,
                             qemu=self.qemu.get(memory.qemu, [qemu.PROGRAM]),
                             server=[str(BUILD / "virtiofs-server"), TAG, str(window)],
                             server_log=LAST_RUN / f"server.{name}.log")

    def room(self, guests: int, backends: Iterable[str] = (DEFAULT,)) -> int:
        """How many of so many guests, of any of @backends, fit at once."""
        kinds = [BACKENDS[name] for name in backends]
        return guest.check_resources(self.opts.memory + max(kind.memory_mib for kind in kinds),
                                     max(kind.disk_mib for kind in kinds), self.directory, guests)


def run_guest(opts, machine: guest.Machine, name: str, fleet: guest.Fleet,
              feed: Callable[[str], None],
              enough: Callable[[], bool] = lambda: False) -> tuple[End, str]:
    """Boots it and follows it to its end. Returns how it ended and its last words.

    It is killed once that is @enough.
    """
    def on_message(text: str) -> None:
        feed(text)
        if enough():
            running.kill()

    with (LAST_RUN / f"console.{name}.log").open("wb") as log:
        def on_console(data: bytes) -> None:
            log.write(data)
            log.flush()
            if opts.verbose:
                sys.stderr.buffer.write(data)
                sys.stderr.flush()

        running = guest.Guest(machine, on_message, on_console)
        fleet.add(running)
        end = running.run(opts.timeout)
    return end, "\n".join(running.tail)


def run_guests(opts, the_suite: Suite, machines: Machines, results: Results,
               emit: Callable[[str], None]) -> dict[str, tuple[End, str]]:
    """Runs all tests in the guests that they take. Returns how the shared ones ended."""
    boots = plan(results.chosen)
    turns = Turns(emit, len(boots))
    fleet = guest.Fleet()
    number = 1
    feeds = []
    for index, boot in enumerate(boots):
        prefix = f"{boot.tests[0].place}:"
        feeds.append(Feed(results, turns.writer(index), boot.tests, number, prefix))
        number += len(boot.programs)

    obstacles = {name: machines.obstacle(name) for name in {b.backend for b in boots}}

    def one(index: int) -> tuple[End, str]:
        boot, feed = boots[index], feeds[index]
        if obstacle := obstacles[boot.backend]:
            feed.skip(boot.programs, obstacle)
            turns.end(index)
            return End.DONE, ""
        machine = machines.make(boot.name, orders(boot, the_suite), boot.backend, boot.alone)
        # A test that had to be alone may leave a kernel that does not even shut down.
        end, console = run_guest(opts, machine, boot.name, fleet, feed.feed,
                                 lambda: boot.alone and feed.all_told())
        if boot.alone:
            log = (LAST_RUN / f"console.{boot.name}.log").read_text(errors="replace")
            feed.cut_off(guest.last_words(end, log))
        turns.end(index)
        return end, console

    ends = {}
    workers = machines.room(len(boots), obstacles)
    for group in ([i for i, b in enumerate(boots) if not b.alone],
                  [i for i, b in enumerate(boots) if b.alone]):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            futures = {i: pool.submit(one, i) for i in group}
            try:
                ends |= {boots[i].name: f.result() for i, f in futures.items()}
            except BaseException:
                # Without their guests the threads have nothing to wait for.
                pool.shutdown(wait=False, cancel_futures=True)
                fleet.kill()
                raise
    return {b.name: ends[b.name] for b in boots if not b.alone}


def shell(opts, machines: Machines, chosen: list[Test]) -> int:
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
        print(f"{end.value} ({name}); the end of its console ({LAST_RUN}/console.{name}.log):\n"
              f"{console}", file=sys.stderr)
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
            machines = Machines(opts, choose_kernel(opts), the_suite, directory)
            return shell(opts, machines, chosen), None
        results = Results(chosen)
        machines = None if opts.host else Machines(opts, choose_kernel(opts), the_suite, directory)
        booted = time.monotonic()
        emit("KTAP version 1")
        if machines:
            emit(f"1..{sum(len(b.programs) for b in plan(chosen))}")
            ends = run_guests(opts, the_suite, machines, results, emit)
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
