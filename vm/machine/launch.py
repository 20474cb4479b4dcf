# SPDX-License-Identifier: GPL-2.0
"""How a guest comes to wait for its orders: it boots, or starts from a snapshot."""

import contextlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..base import BUILD, KernelError, RunError
from ..errors import about, write_text
from ..kernel.image import Kernel
from . import initramfs, snapshot
from .backend import DISKS_ORDER, SMALL_WINDOW_MIB, TAG, WINDOW_MIB, Files
from .guest import End, Guest
from .machine import Machine
from .monitor import MonitorError

# Of with_pmem, which makes filesystems.
TESTBED = "testbed 60"
# What that may take of a server, which has them made already.
SERVED_SECONDS = 40
# Bytes for the kernel's random numbers.
ENTROPY = 32
# In a snapshot: uname -r of the guest, and what its kernel printed while it booted.
RELEASE, CONSOLE = "release", "console"
# Where the build leaves what guests need beside tests.
TOOLS = BUILD / "selftests"
# Changes whenever a library is installed.
LIBRARIES = Path("/etc/ld.so.cache")


class NotBooted(KernelError):
    """A guest did not come up."""


class NoTestbed(RunError):
    """It did, but its filesystem cannot be mounted."""


@dataclass(frozen=True)
class Start:
    """How a guest is to be started."""

    machine: Machine        # that boots
    seconds: float          # to boot, and for what it is told to do at once
    on_console: Callable[[bytes], None]
    server_log: Path
    on_guest: Callable[[Guest], None] = lambda guest: None      # QEMU has been started
    small_window: bool = False      # of virtiofs
    testbed: bool = True            # with filesystems made
    tools: Path = TOOLS             # the server is in there

    def served(self, machine: Machine) -> Machine:
        """@machine with the server that its backend takes."""
        if not machine.backend.served:
            return machine
        window = SMALL_WINDOW_MIB if self.small_window else WINDOW_MIB
        return replace(machine, server_log=self.server_log, server=(
            str(self.tools / "virtiofs_server"), TAG, str(window)))

    def guest(self, machine: Machine) -> Guest:
        guest = Guest(machine, self.seconds, lambda message: None, self.on_console)
        self.on_guest(guest)
        return guest


@dataclass
class Launcher:
    """Starts guests of @kernel with @programs in them."""

    kernel: Kernel
    programs: list[Path]
    store: snapshot.Store | None    # None: no snapshots
    tools: Path = TOOLS             # init is in there
    release: str = ""               # uname -r, once a guest has told it
    _locks: dict[str, threading.Lock] = field(default_factory=dict)     # by snapshot

    def start(self, wanted: Start) -> Guest:
        """A guest that waits for its orders. NotBooted if there can be none."""
        guest = self._start(wanted)
        if self.kernel.orders and (end := guest.obey(self.kernel.orders)):
            guest.close()
            raise NotBooted(f"{end.value} before its first test")
        return guest

    def _start(self, wanted: Start) -> Guest:
        backend = wanted.machine.backend
        if (self.store and wanted.testbed and backend.snapshot
                and not self.kernel.missing(backend.snapshot_options)):
            for _ in range(2):      # one that does not load is made again
                if not (home := self._snapshot(wanted)):
                    break
                if guest := self._go_on(wanted, home):
                    return guest
        return self._boot(replace(wanted, machine=wanted.served(wanted.machine)),
                          [TESTBED] if wanted.testbed else [])

    def write_image(self, machine: Machine, orders: list[str]) -> None:
        machine.image.parent.mkdir(exist_ok=True)
        initramfs.write(machine.image, self.tools / "init", self.kernel.modules, self.programs,
                        self._plan(machine) + orders)

    def _plan(self, machine: Machine) -> list[str]:
        """What init does first."""
        return [*([] if self.kernel.config else ["check"]), *machine.backend.orders, DISKS_ORDER,
                f"env DAX_BREAK_FS={' '.join(machine.backend.filesystems)}"]

    def _boot(self, wanted: Start, orders: list[str]) -> Guest:
        """A guest that has booted, and carried out @orders."""
        self.write_image(wanted.machine, orders)
        missing: list[str] = []

        def hear(text: str) -> None:
            kind, _, rest = text.partition(" ")
            if kind == "boot":
                self.release = rest
            elif kind == "missing":
                missing.append(rest)

        with contextlib.ExitStack() as stack:
            guest = stack.enter_context(wanted.guest(wanted.machine))
            guest.on_message = hear
            end = guest.ready()
            if missing:
                raise KernelError(f"this kernel cannot run the suite: it lacks {missing[0]}")
            if end:
                raise NotBooted(f"{End.NOT_BOOTED.value}: is it a kernel for this machine, with "
                                "the options of vm/config?")
            stack.pop_all()
        return guest

    def _snapshot(self, wanted: Start) -> Path | None:
        """The snapshot that @wanted starts from, made if need be. None: it cannot be made."""
        machine = replace(wanted.machine, ram_in_file=True)
        orders = [] if machine.backend.served else [TESTBED]
        name = self._key(machine, orders)
        with self._locks.setdefault(name, threading.Lock()):
            if home := self.store.find(name):
                return home
            try:
                with self.store.make(name) as part:
                    self._save(replace(wanted, machine=replace(machine, files=Files(part))),
                               orders, part)
            except MonitorError:
                return None
            return self.store.find(name)

    def _save(self, wanted: Start, orders: list[str], part: Path) -> None:
        with about(part), (part / CONSOLE).open("wb") as log:
            def on_console(data: bytes) -> None:
                wanted.on_console(data)
                log.write(data)

            with self._boot(replace(wanted, on_console=on_console), orders) as guest:
                guest.save(part / snapshot.STATE)
        write_text(part / RELEASE, self.release)

    def _key(self, machine: Machine, orders: list[str]) -> str:
        words = replace(machine, files=Files(Path("files"))).hardware()
        tools = [Path(shutil.which(words[0]) or words[0]), LIBRARIES,
                 *filter(None, map(initramfs.host_program, initramfs.HOST_PROGRAMS))]
        host = ""
        if machine.accel == "kvm":      # the guest has seen this processor
            host = str(re.findall(r"^(?:model name|flags)\s*:.*$",
                                  Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)[:2])
        return snapshot.key([*words, machine.kernel_command_line(), host,
                             *self._plan(machine), *orders],
                            [*tools, machine.kernel, self.tools / "init", *self.kernel.modules,
                             *self.programs])

    def _go_on(self, wanted: Start, home: Path) -> Guest | None:
        """A guest that goes on from the snapshot in @home. None: that one was unusable."""
        self.release = (home / RELEASE).read_text(encoding="utf-8")
        machine = replace(wanted.machine, files=Files(home, private=True), ram_in_file=True,
                          state=home / snapshot.STATE)
        served = machine.backend.served
        with contextlib.ExitStack() as stack:
            try:
                # A server maps it, so it cannot be private.
                with _copy(home / "ram.img") if served else contextlib.nullcontext() as ram:
                    guest = stack.enter_context(
                        wanted.guest(wanted.served(replace(machine, ram=ram))))
                    guest.load(machine.state)
                if served:
                    guest.plug()
            except MonitorError:
                self._unusable(guest, home)
                return None
            orders = [f"clock {time.time():.0f}", f"entropy {secrets.token_hex(ENTROPY)}",
                      *(machine.backend.plugged if served else ())]
            if guest.obey(orders):
                self._unusable(guest, home)
                return None
            if served and (end := guest.obey([TESTBED], seconds=SERVED_SECONDS)):
                if guest.killed:
                    return None
                raise NoTestbed(f"{' '.join(machine.backend.filesystems)} cannot be mounted: "
                                f"{end.value}")
            stack.pop_all()
        return guest

    def _unusable(self, guest: Guest, home: Path) -> None:
        """Throws away the snapshot in @home, unless it was us who has ended the @guest."""
        if not guest.killed:
            self.store.remove(home.name)


@contextlib.contextmanager
def _copy(file: Path):
    """Yields the path of a copy in memory, made of the parts that are no holes."""
    copy = os.memfd_create(file.name)
    try:
        with file.open("rb") as source:
            size, at = os.fstat(source.fileno()).st_size, 0
            os.ftruncate(copy, size)
            while at < size:
                try:
                    at = os.lseek(source.fileno(), at, os.SEEK_DATA)
                    end = os.lseek(source.fileno(), at, os.SEEK_HOLE)
                except OSError:         # a hole up to the end
                    break
                os.lseek(copy, at, os.SEEK_SET)
                while at < end:
                    at += os.sendfile(copy, source.fileno(), at, end - at)
        yield Path(f"/proc/{os.getpid()}/fd/{copy}")
    finally:
        os.close(copy)
