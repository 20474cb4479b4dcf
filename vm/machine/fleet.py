# SPDX-License-Identifier: GPL-2.0
"""The guests of a run: what they have in common, and the one way to boot one."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ..base import BUILD, RunError
from ..kernel.image import Kernel, required
from . import initramfs, qemu
from .backend import BACKENDS, DEFAULT, SMALL_WINDOW_MIB, TAG, WINDOW_MIB, make_disk
from .guest import End, Guest, Machine


class Fleet:
    """Guests with the same kernel and accelerator, each with the same @programs in it.

    Their files are made in @directory, and what they say is kept in @logs. Each gets
    @memory_mib beside its persistent memory, and so many @seconds.
    """

    def __init__(self, kernel: Kernel, programs: list[Path], directory: Path, logs: Path, *,
                 accelerator: str, memory_mib: int, seconds: int, verbose: bool):
        self.kernel, self.programs, self.directory, self.logs = kernel, programs, directory, logs
        self.memory_mib, self.seconds, self.verbose = memory_mib, seconds, verbose
        if missing := kernel.missing(required()):
            raise RunError(f"{kernel.origin} cannot run the suite: it lacks {', '.join(missing)}; "
                           "enable that and build it again")
        self.accel, reason = qemu.accelerator(accelerator)
        print(f"# kernel: {kernel.origin}; accelerator: {self.accel} ({reason})", flush=True)
        self._qemu: dict[str, list[str]] = {}       # by the version it must have
        self._obstacles: dict[str, str] = {}        # by backend, once looked for
        self._running: list[Guest] = []
        self._killed = False

    def obstacle(self, backend: str) -> str:
        """Why there can be no guest with @backend; empty if there can."""
        if backend not in self._obstacles:
            self._obstacles[backend] = self._find_obstacle(backend)
        return self._obstacles[backend]

    def _find_obstacle(self, name: str) -> str:
        backend = BACKENDS[name]
        if missing := self.kernel.missing(backend.options):
            return f"{name} needs {', '.join(missing)}, which this kernel lacks"
        try:
            if backend.qemu and backend.qemu not in self._qemu:
                self._qemu[backend.qemu] = qemu.at_least(backend.qemu, BUILD)
        except RunError as error:
            return f"{name}: {error}"
        return ""

    def make(self, name: str, plan: list[str], *, backend: str = DEFAULT, alone: bool = False,
             small_window: bool = False, consent: bool = True) -> Machine:
        """A machine ready to boot, whose init follows @plan.

        @alone: its only test may crash it. @small_window: of virtiofs. @consent: the tests
        may use all of its persistent memory. RunError if @backend has an obstacle.
        """
        if obstacle := self.obstacle(backend):
            raise RunError(obstacle)
        memory = BACKENDS[backend]
        directory = self.directory / name
        directory.mkdir()
        image = directory / "initramfs"
        initramfs.write(image, BUILD / "init", self.kernel.modules, self.programs,
                        [*([] if self.kernel.config else ["check"]), *memory.orders, *plan])
        window = SMALL_WINDOW_MIB if small_window else WINDOW_MIB
        return Machine(self.kernel.image, image, directory, self.accel, self.memory_mib,
                       memory, make_disk(BUILD / "disk.img"), alone, consent,
                       qemu=self._qemu.get(memory.qemu, ()),
                       server=[str(BUILD / "selftests/virtiofs_server"), TAG, str(window)],
                       server_log=self.logs / f"server.{name}.log")

    def room(self, guests: int, backends: Iterable[str] = (DEFAULT,)) -> int:
        """How many of so many guests, of any of @backends, fit at once."""
        kinds = [BACKENDS[name] for name in backends if not self.obstacle(name)]
        if not kinds:
            return 1
        return check_resources(self.memory_mib + max(kind.memory_mib for kind in kinds),
                               max(kind.disk_mib for kind in kinds), self.directory, guests)

    def run(self, name: str, plan: list[str], feed: Callable[[str], None], *,
            enough: Callable[[str], bool] = lambda text: False, **kind) -> tuple[End, str]:
        """Boots a guest whose init follows @plan, and follows it to its end.

        @kind is what make() takes. The guest's messages (init.c) go to @feed; it is killed
        after one that is @enough. Returns how it ended, and all that it printed.
        """
        def on_message(text: str) -> None:
            feed(text)
            if enough(text):
                running.kill()

        machine = self.make(name, plan, **kind)
        path = self.logs / f"console.{name}.log"
        with path.open("wb") as log:
            def on_console(data: bytes) -> None:
                log.write(data)
                log.flush()
                if self.verbose:
                    sys.stderr.buffer.write(data)
                    sys.stderr.flush()

            running = Guest(machine, on_message, on_console)
            self._running.append(running)
            if self._killed:
                running.kill()
            end = running.run(self.seconds)
        return end, path.read_text(errors="replace")

    def kill(self) -> None:
        """Ends all guests, which run in other threads, and those that have yet to start."""
        self._killed = True
        for running in self._running:
            running.kill()


def check_resources(memory_mib: int, disk_mib: int, directory: Path, guests: int) -> int:
    """How many of so many @guests fit at once; RunError if not even one does.

    Each takes @memory_mib, and of the disk that @directory is on @disk_mib. An emulated one
    keeps a processor busy, but sleeps a fifth of the time: so one more than processors.
    """
    there = os.statvfs(directory)
    free = there.f_bavail * there.f_frsize >> 20
    if free < disk_mib:
        raise RunError(f"no disk space for the guest's memory: {free} MiB free in "
                       f"{directory}, {disk_mib} needed")
    meminfo = Path("/proc/meminfo").read_text(encoding="ascii")
    available = int(meminfo.partition("MemAvailable:")[2].split()[0]) >> 10
    if available < memory_mib:
        raise RunError(f"no memory for the guest: {available} MiB available, "
                       f"{memory_mib} needed; see --memory")
    fit = min(available // memory_mib, free // disk_mib if disk_mib else guests)
    return max(1, min(guests, fit, (os.cpu_count() or 1) + 1))
