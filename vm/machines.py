# SPDX-License-Identifier: GPL-2.0
"""The guests of a run: what they have in common, and the one way to boot one."""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from . import accel, disk, guest, initramfs, kbuild, kconfig, kernel, qemu
from .backend import BACKENDS, DEFAULT, SMALL_WINDOW_MIB, TAG, WINDOW_MIB, Backend
from .boots import Boot
from .errors import RunError
from .guest import End
from .kernel import Kernel
from .results import Feed
from .suite import BUILD, Suite, Test


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


def environment(boot: Boot | None, chosen: list[Test]) -> list[str]:
    """Orders that set it for the programs."""
    seed = os.environ.get("DAX_BREAK_SEED")
    return [f"env DAX_BREAK_FS={' '.join(sorted({t.fs for t in chosen}))}",
            disk.ORDER,
            *([f"env DAX_BREAK_SEED={seed}"] if seed else []),
            *(["env DAX_BREAK_DESTRUCTIVE=1"] if boot and boot.alone else [])]


def orders(boot: Boot, the_suite: Suite, patience: int) -> list[str]:
    """What the guest shall do, as init.c reads it. @patience: a factor, for time limits."""
    tests = list(boot.tests)
    runs = [" ".join(["run", str(the_suite.timeout * patience), f"/bin/{program}",
                      *the_suite.arguments(program, tests)]) for program in boot.programs]
    return [*environment(boot, tests), *runs]


def choose_kernel(opts: argparse.Namespace) -> Kernel:
    """The kernel to boot, fetched or built if need be."""
    if kbuild.is_built(opts.kernel):
        return kbuild.resolve(opts.kernel, BUILD)
    return kernel.resolve(opts.kernel, opts.modules, BUILD)


class Machines:
    """Kernel and accelerator: what all guests of a run have in common.

    They are made in @directory, and what they say is kept in @logs.
    """

    def __init__(self, opts: argparse.Namespace, the_suite: Suite, directory: Path, logs: Path,
                 the_kernel: Kernel | None = None):
        self.opts, self.suite, self.directory, self.logs = opts, the_suite, directory, logs
        self.kernel = the_kernel or choose_kernel(opts)
        self.fleet = guest.Fleet()
        if missing := self._missing(kconfig.required()):
            raise RunError(f"{self.kernel.origin} cannot run the suite: it lacks {missing}; "
                           "enable that and build it again")
        self.accel, reason = accel.choose(opts.accel)
        print(f"# kernel: {self.kernel.origin}; accelerator: {self.accel} ({reason})", flush=True)
        self._qemu: dict[str, list[str]] = {}       # by the version it must have
        self._obstacles: dict[str, str] = {}        # by backend, once looked for

    def _missing(self, options: Iterable[str]) -> str:
        """Which of @options the kernel lacks, if that is known."""
        config = self.kernel.config
        return ", ".join(kconfig.missing(config, options)) if config else ""

    def obstacle(self, backend: str) -> str:
        """Why there can be no machine with @backend; empty if there can."""
        if backend not in self._obstacles:
            self._obstacles[backend] = self._find_obstacle(backend, BACKENDS[backend])
        return self._obstacles[backend]

    def _find_obstacle(self, name: str, backend: Backend) -> str:
        if missing := self._missing(backend.options):
            return f"{name} needs {missing}, which this kernel lacks"
        try:
            if backend.qemu and backend.qemu not in self._qemu:
                self._qemu[backend.qemu] = qemu.at_least(backend.qemu, BUILD)
        except RunError as error:
            return f"{name}: {error}"
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
                             qemu=self._qemu.get(memory.qemu, [qemu.PROGRAM]),
                             server=[str(BUILD / "virtiofs-server"), TAG, str(window)],
                             server_log=self.logs / f"server.{name}.log")

    def room(self, guests: int, backends: Iterable[str] = (DEFAULT,)) -> int:
        """How many of so many guests, of any of @backends, fit at once."""
        kinds = [BACKENDS[name] for name in backends if not self.obstacle(name)]
        if not kinds:
            return 1
        return guest.check_resources(self.opts.memory + max(kind.memory_mib for kind in kinds),
                                     max(kind.disk_mib for kind in kinds), self.directory, guests)

    def run(self, name: str, plan: list[str], feed: Callable[[str], None], *,
            backend: str = DEFAULT, may_crash: bool = False,
            enough: Callable[[str], bool] = lambda text: False) -> tuple[End, str]:
        """Boots a guest whose init follows @plan, and follows it to its end.

        Its messages (init.c) go to @feed; it is killed after one that is @enough.
        Returns how it ended, and the last lines of its console.
        """
        def on_message(text: str) -> None:
            feed(text)
            if enough(text):
                running.kill()

        machine = self.make(name, plan, backend, may_crash)
        with self._log(name).open("wb") as log:
            def on_console(data: bytes) -> None:
                log.write(data)
                log.flush()
                if self.opts.verbose:
                    sys.stderr.buffer.write(data)
                    sys.stderr.flush()

            running = guest.Guest(machine, on_message, on_console)
            self.fleet.add(running)
            end = running.run(self.opts.timeout)
        return end, "\n".join(running.tail)

    def run_boot(self, boot: Boot, feed: Feed,
                 enough: Callable[[str], bool] = lambda text: False) -> tuple[End, str]:
        """Runs the tests of @boot in a guest; @feed is told what becomes of them."""
        if obstacle := self.obstacle(boot.backend):
            feed.skip(boot.programs, obstacle)
            return End.DONE, ""
        # A test that had to be alone may leave a kernel that does not even shut down.
        return self.run(boot.name, orders(boot, self.suite, self.opts.patience), feed.feed,
                        backend=boot.backend, may_crash=boot.alone,
                        enough=lambda text: enough(text) or (boot.alone and feed.all_told()))

    def _log(self, name: str) -> Path:
        return self.logs / f"console.{name}.log"

    def console(self, name: str) -> str:
        """All that the guest called @name has printed; nothing if there was none."""
        log = self._log(name)
        return log.read_text(errors="replace") if log.exists() else ""
