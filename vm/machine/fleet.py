# SPDX-License-Identifier: GPL-2.0
"""The guests of a run: what they have in common, and how many there can be."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..base import BUILD, KernelError, RunError
from ..errors import about
from ..kernel.image import Kernel, required
from . import qemu, snapshot
from .backend import BACKENDS, DEFAULT, Files, make_disk
from .guest import Guest
from .launch import TOOLS, Launcher, Start
from .machine import Machine, shell

SNAPSHOTS = BUILD / "snapshots"


@dataclass(frozen=True)
class Settings:
    """What all guests of a run have."""

    accelerator: str = "auto"
    memory_mib: int = 1024      # beside persistent memory
    seconds: float = 1200       # to boot, and for what it is told to do at once
    verbose: bool = False       # their consoles go to our standard error
    snapshots: bool = True      # they may start from one
    tools: Path = TOOLS         # where init and the server are


class Fleet:
    """Guests with the same kernel and accelerator, each with the same @programs in it.

    Their files are made in @directory, and what they print is kept in @logs.
    """

    def __init__(self, kernel: Kernel, programs: list[Path], directory: Path, logs: Path,
                 settings: Settings):
        self.kernel, self.directory, self.logs, self.settings = kernel, directory, logs, settings
        if missing := kernel.missing(required()):
            raise KernelError(f"{kernel.origin} cannot run the suite: it lacks {', '.join(missing)}; "
                           "enable that and build it again")
        self.accel, reason = qemu.accelerator(settings.accelerator)
        self.about = f"kernel: {kernel.origin}; accelerator: {self.accel} ({reason})"
        self._stack = contextlib.ExitStack()
        store = self._stack.enter_context(snapshot.Store(SNAPSHOTS))
        self.launcher = Launcher(kernel, programs, store if settings.snapshots else None,
                                 settings.tools)
        self._qemu: dict[str, list[str]] = {}       # by the version it must have
        self._obstacles: dict[str, str] = {}        # by backend, once looked for
        self._running: set[Guest] = set()
        self._killed = False
        self._lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def obstacle(self, backend: str) -> str:
        """Why there can be no guest with @backend; empty if there can."""
        with self._lock:
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

    def machine(self, name: str, backend: str = DEFAULT, consent: bool = True) -> Machine:
        """A machine that boots. @consent: its tests may use all of its persistent memory."""
        if obstacle := self.obstacle(backend):
            raise RunError(obstacle)
        home = self.directory / name
        return Machine(self.kernel.image, home / "initramfs", Files(home), self.accel,
                       self.settings.memory_mib, BACKENDS[backend], make_disk(BUILD / "disk.img"),
                       consent, self._qemu_for(backend))

    def _qemu_for(self, backend: str) -> list[str]:
        """The QEMU that runs guests with @backend, which have no obstacle."""
        with self._lock:
            wanted = BACKENDS[backend].qemu
            if wanted not in self._qemu:
                self._qemu[wanted] = qemu.newest(BUILD)
            return self._qemu[wanted]

    def qemu_version(self, backend: str) -> str:
        """Of the QEMU that runs guests with @backend; empty if there can be none."""
        return "" if self.obstacle(backend) else qemu.said_by(self._qemu_for(backend))

    def console(self, name: str) -> Path:
        """What the kernel of the guest called @name prints."""
        return self.logs / f"console.{name}.log"

    def room(self, guests: int, backends: Iterable[str] = (DEFAULT,)) -> int:
        """How many of so many guests, of any of @backends, fit at once; at least one."""
        kinds = [BACKENDS[name] for name in backends if not self.obstacle(name)]
        if not kinds:
            return 1
        return check_resources(
            self.settings.memory_mib + max(kind.memory_mib for kind in kinds),
            max(kind.disk_mib for kind in kinds), self.directory, guests)

    @contextlib.contextmanager
    def guest(self, name: str, backend: str = DEFAULT, *, small_window: bool = False,
              testbed: bool = True, consent: bool = True) -> Iterator[Guest]:
        """A guest that waits for its orders, with a @testbed made; gone afterwards.

        NotBooted if there can be none.
        """
        mine: set[Guest] = set()

        def on_guest(guest: Guest) -> None:
            mine.add(guest)
            with self._lock:
                self._running.add(guest)
                if self._killed:
                    guest.kill()

        with self.console(name).open("wb") as log:
            start = Start(self.machine(name, backend, consent), self.settings.seconds,
                          self._printer(log), self.logs / f"server.{name}.log", on_guest,
                          small_window, testbed, self.settings.tools)
            try:
                with self.launcher.start(start) as guest:
                    yield guest
            finally:
                with self._lock:
                    self._running -= mine

    def shell(self, backend: str, orders: list[str]) -> int:
        """A guest whose console is this terminal, and which follows @orders."""
        boots = self.machine("shell", backend)
        self.launcher.write_image(boots, orders)
        start = Start(boots, self.settings.seconds, lambda data: None,
                      self.logs / "server.shell.log", tools=self.settings.tools)
        return shell(start.served(boots))

    def _printer(self, log) -> Callable[[bytes], None]:
        def on_console(data: bytes) -> None:
            with about(log.name):
                log.write(data)
                log.flush()
            if self.settings.verbose:
                sys.stderr.buffer.write(data)
                sys.stderr.flush()

        return on_console

    def kill(self) -> None:
        """Ends all guests, which other threads use, and those that have yet to start."""
        with self._lock:
            self._killed = True
            for guest in self._running:
                guest.kill()


def check_resources(memory_mib: int, disk_mib: int, directory: Path, guests: int) -> int:
    """How many of so many @guests fit at once; RunError if not even one does.

    Each takes @memory_mib, and of the disk that @directory is on @disk_mib.
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
    return max(1, min(guests, fit))
