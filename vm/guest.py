# SPDX-License-Identifier: GPL-2.0
"""A guest with emulated persistent memory: boots an image, follows what it says, in bounds.

QEMU is connected by socket pairs only, so nothing of it is left in a file
system, and it dies with the runner, whatever kills that.
"""

import contextlib
import ctypes
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from . import disk, qemu
from .backend import BACKENDS, DEFAULT, Backend
from .errors import RunError

# From the start of QEMU to the first word of the guest's init. Seconds.
BOOT_LIMIT = 90
# How long a guest that ran out of time gets to show its blocked tasks.
LAST_WORDS_SECONDS = 5
TAIL_LINES = 60
PR_SET_PDEATHSIG = 1

# Expedited: a test that removes a block device waits for several RCU grace periods.
# No timer check: a guest that gets too little of a busy host takes its timer for broken.
COMMAND_LINE = ("console=ttyS0 panic=-1 loglevel=6 sysrq_always_enabled no_timer_check "
                "rcupdate.rcu_expedited=1 rdinit=/init")
# To the tests: this is a throw-away guest (lib/consent.c).
CONSENT = " dax_break.guest=1"

# With a thread for each of its processors, an emulated guest now and then hung or
# crashed while it booted (QEMU 7.2: one boot in fifty); in turns they are as fast.
ACCELERATORS = {"kvm": "kvm", "tcg": "tcg,thread=single"}


class End(Enum):
    """How a guest ended."""

    DONE = "done"
    NOT_BOOTED = "the guest did not boot"
    CRASHED = "the guest crashed"
    OUT_OF_TIME = "the guest ran out of time"


@dataclass
class Machine:
    """What kind of guest; everything that QEMU must be told."""

    kernel: Path
    image: Path
    directory: Path         # of the run: the files that are its memory go here
    accel: str
    memory_mib: int         # beside its persistent memory
    backend: Backend = BACKENDS[DEFAULT]
    disks: Path | None = None   # what disk.make() made
    may_crash: bool = False     # then it ends at the first oops, and is not asked for more
    consent: bool = True        # to use all of its persistent memory
    qemu: Sequence[str] = (qemu.PROGRAM,)       # or what qemu.at_least() returned
    # Of a backend that is served: the command that does it, and where that says what.
    server: Sequence[str] = ()
    server_log: Path = Path(os.devnull)

    def command(self) -> list[str]:
        backend = self.backend
        memory = self.memory_mib + backend.memory_mib
        cpu = "host" if self.accel == "kvm" else "max"
        # Of what can be added later the backends' memory is a part.
        return [*self.qemu, "-nodefaults", "-no-user-config", "-no-reboot",
                "-display", "none", "-smp", "2",
                "-accel", ACCELERATORS[self.accel],
                "-cpu", cpu + backend.cpu,
                "-machine", "q35" + backend.machine,
                "-m", f"{memory}M,slots=4,maxmem={memory + 8192}M",
                "-kernel", str(self.kernel), "-initrd", str(self.image),
                "-append", COMMAND_LINE + backend.command_line +
                (" oops=panic" if self.may_crash else "") + (CONSENT if self.consent else ""),
                *backend.devices(self.directory), *(disk.devices(self.disks) if self.disks else []),
                *(["-object", f"memory-backend-memfd,id=ram,share=on,size={memory}M",
                   "-machine", "memory-backend=ram"] if backend.served else [])]

    @contextlib.contextmanager
    def serving(self) -> Iterator[list[socket.socket]]:
        """The server, if there is one; QEMU's end of the socket between them.

        It ends when QEMU does, or never began.
        """
        if not self.backend.served:
            yield []
            return
        ours, theirs = socket.socketpair()
        with theirs, self.server_log.open("wb") as log:
            with ours:
                server = subprocess.Popen(self.server, stdin=ours, stdout=subprocess.DEVNULL,
                                          stderr=log, preexec_fn=die_with_parent)
            try:
                yield [theirs]
            finally:
                theirs.close()
                try:
                    server.wait(LAST_WORDS_SECONDS)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Guest:
    """A running guest, its two serial ports and its monitor."""

    machine: Machine
    on_message: Callable[[str], None]       # a line of the channel (init.c)
    on_console: Callable[[bytes], None]     # what the kernel prints
    booted: bool = False
    done: bool = False
    tail: list[str] = field(default_factory=list)
    _rest: bytes = b""
    _unfinished: bytes = b""
    _qemu: subprocess.Popen | None = None
    _killed: bool = False

    def kill(self) -> None:
        """Ends it; for another thread than the one that is in run()."""
        self._killed = True
        if self._qemu:
            self._qemu.kill()

    def run(self, seconds: float) -> End:
        """Boots and follows the guest to its end, at most @seconds. QEMU is gone then."""
        with self.machine.serving() as served:
            return self._run(seconds, served)

    def _run(self, seconds: float, served: list[socket.socket]) -> End:
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)))
        console, channel, monitor = ours
        theirs += tuple(served)
        words = self.machine.command()
        for name, end in zip(("console", "channel", "monitor", "server"), theirs):
            words += ["-chardev", f"socket,id={name},fd={end.fileno()}"]
        words += ["-serial", "chardev:console", "-serial", "chardev:channel",
                  "-mon", "chardev=monitor,mode=control"]
        try:
            with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, pass_fds=[s.fileno() for s in theirs],
                                  preexec_fn=die_with_parent) as qemu:
                self._qemu = qemu
                try:
                    for end in theirs:
                        end.close()
                    if self._killed:
                        return End.NOT_BOOTED
                    return self._follow(qemu, console, channel, monitor, seconds)
                finally:
                    qemu.kill()
        except FileNotFoundError as error:
            raise RunError(f"{words[0]} is missing: install qemu-system-x86") from error
        finally:
            for end in ours + theirs:
                end.close()

    def _follow(self, qemu, console, channel, monitor, seconds: float) -> End:
        start = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(console, selectors.EVENT_READ, self._console)
            selector.register(channel, selectors.EVENT_READ, self._channel)
            while selector.get_map():
                limit = seconds if self.booted else min(seconds, BOOT_LIMIT)
                left = start + limit - time.monotonic()
                if left <= 0:
                    if not self.booted:
                        return End.NOT_BOOTED
                    self._last_words(selector, console, monitor)
                    return End.OUT_OF_TIME
                self._pump(selector, left)
        # Both ports closed: QEMU is gone, or about to.
        try:
            errors = qemu.communicate(timeout=LAST_WORDS_SECONDS)[1]
        except subprocess.TimeoutExpired:
            qemu.kill()
            errors = qemu.communicate()[1]
        if qemu.returncode and not self.booted:
            lines = errors.decode(errors="replace").strip().splitlines()
            raise RunError(f"QEMU failed: {lines[-1] if lines else qemu.returncode}")
        if not self.booted:
            return End.NOT_BOOTED
        return End.DONE if self.done else End.CRASHED

    def _pump(self, selector, seconds: float) -> None:
        for key, _ in selector.select(seconds):
            try:
                data = key.fileobj.recv(65536)
            except ConnectionResetError:    # QEMU went without reading what we sent
                data = b""
            if data:
                key.data(data)
            else:
                selector.unregister(key.fileobj)

    def _console(self, data: bytes) -> None:
        self.on_console(data)
        lines = (self._unfinished + data).decode(errors="replace").split("\n")
        self._unfinished = lines[-1].encode()
        self.tail = (self.tail + [line.rstrip("\r") for line in lines[:-1]])[-TAIL_LINES:]

    def _channel(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            self.booted |= text.startswith("boot ")
            self.done |= text == "done"
            self.on_message(text)

    def _last_words(self, selector, console, monitor) -> None:
        """Asks the kernel for blocked tasks: break, then w, on its console (sysrq)."""
        orders = ({"execute": "qmp_capabilities"},
                  {"execute": "chardev-send-break", "arguments": {"id": "console"}})
        monitor.settimeout(1)
        try:
            for order in orders:
                monitor.sendall(json.dumps(order).encode() + b"\n")
            answers = b""
            while answers.count(b'"return"') < len(orders):
                answers += monitor.recv(65536) or b'"return"'
            console.sendall(b"w")
        except OSError:
            return
        until = time.monotonic() + LAST_WORDS_SECONDS
        while selector.get_map() and time.monotonic() < until:
            self._pump(selector, max(0.0, until - time.monotonic()))


class Fleet:
    """Guests that run in threads, to be ended by another one all at once."""

    def __init__(self):
        self._guests: list[Guest] = []
        self._killed = False

    def add(self, running: Guest) -> None:
        self._guests.append(running)
        if self._killed:
            running.kill()

    def kill(self) -> None:
        self._killed = True
        for running in self._guests:
            running.kill()


def check_resources(memory_mib: int, disk_mib: int, directory: Path, guests: int) -> int:
    """Before anything is started: how many of @guests fit at once.

    Each takes @memory_mib, and of the disk that @directory is on @disk_mib. An emulated one
    keeps a processor busy, but sleeps a fifth of the time: so one more than processors.
    """
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize >> 20
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


# What a kernel says when it goes down, most telling first.
DYING = (r"kernel BUG at \S+", r"BUG: .*", r"Oops: .*", r"general protection fault.*",
         r"Kernel panic - .*")


def last_words(end: End, console: str) -> str:
    """Why a guest ended as it did, in one line."""
    if end is End.NOT_BOOTED:
        return end.value
    for pattern in DYING:
        if match := re.search(pattern, console):
            where = re.compile(r"RIP: 0010:(\S+)").search(console, match.end())
            return f"P9 broken: {end.value}: {match[0]}" + (f" in {where[1]}" if where else "")
    return f"P9 broken: {end.value}"


def shell(machine: Machine) -> int:
    """The guest with its console on this terminal. Returns QEMU's exit status."""
    with machine.serving() as served:
        words = machine.command() + ["-chardev", "stdio,id=console,signal=off",
                                     "-serial", "chardev:console", "-serial", "null"]
        for end in served:
            words += ["-chardev", f"socket,id=server,fd={end.fileno()}"]
        print("# leave the shell to end the guest", flush=True)
        return subprocess.run(words, preexec_fn=die_with_parent, check=False,
                              pass_fds=[end.fileno() for end in served]).returncode
