# SPDX-License-Identifier: GPL-2.0
"""A guest with emulated persistent memory: boots an image, follows what it says, in bounds.

QEMU is connected by socket pairs only, so nothing of it is left in a file
system, and it dies with the runner, whatever kills that.
"""

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .. import arch
from ..base import RunError
from .backend import BACKENDS, DEFAULT, Backend, disks

# From the start of QEMU to the first word of the guest's init. Seconds.
BOOT_LIMIT = 90
# How long a guest that ran out of time gets to show its blocked tasks.
LAST_WORDS_SECONDS = 5
PR_SET_PDEATHSIG = 1

# Expedited: a test that removes a block device waits for several RCU grace periods.
COMMAND_LINE = (" panic=-1 loglevel=6 sysrq_always_enabled rcupdate.rcu_expedited=1 "
                "rdinit=/init")
# Tells the tests that this is a guest to be thrown away (lib/testbed/consent.c).
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
    """A guest to boot: everything that QEMU must be told."""

    kernel: Path
    image: Path
    directory: Path         # of the run: the files that are its memory go here
    accel: str
    memory_mib: int         # beside its persistent memory
    backend: Backend = BACKENDS[DEFAULT]
    disk: Path | None = None    # what make_disk() made
    may_crash: bool = False     # then it ends at the first oops, and is not asked for more
    consent: bool = True        # to use all of its persistent memory
    qemu: Sequence[str] = ()    # what qemu.at_least() returned, or the machine's own
    # For a backend that is served: the command of the server, and its log.
    server: Sequence[str] = ()
    server_log: Path = Path(os.devnull)

    def command(self) -> list[str]:
        backend = self.backend
        memory = self.memory_mib + backend.memory_mib
        cpu = "host" if self.accel == "kvm" else "max"
        # The memory of backends counts as memory that is added later.
        here = arch.here()
        return [*(self.qemu or [here.qemu]), "-nodefaults", "-no-user-config", "-no-reboot",
                "-display", "none", "-smp", "2",
                "-accel", ACCELERATORS[self.accel],
                "-cpu", cpu + ("" if backend.hypervisor else here.unvirtualized),
                "-machine", here.machine + backend.machine,
                "-m", f"{memory}M,slots=4,maxmem={memory + 8192}M",
                "-kernel", str(self.kernel), "-initrd", str(self.image),
                "-append", here.command_line + COMMAND_LINE + backend.command_line +
                (" oops=panic" if self.may_crash else "") + (CONSENT if self.consent else ""),
                *backend.devices(self.directory), *(disks(self.disk) if self.disk else []),
                *(["-object", f"memory-backend-memfd,id=ram,share=on,size={memory}M",
                   "-machine", "memory-backend=ram"] if backend.served else [])]

    @contextlib.contextmanager
    def serving(self) -> Iterator[list[socket.socket]]:
        """Runs the server, if the backend has one; yields QEMU's end of the socket to it.

        The server ends when QEMU ends or does not start.
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
    _rest: bytes = b""
    _qemu: subprocess.Popen | None = None
    _killed: bool = False

    def kill(self) -> None:
        """Ends the guest; for other threads than the one that is in run()."""
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
            raise RunError(f"{words[0]} is missing: install {arch.here().qemu_package}") from error
        finally:
            for end in ours + theirs:
                end.close()

    def _follow(self, qemu, console, channel, monitor, seconds: float) -> End:
        start = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(console, selectors.EVENT_READ, self.on_console)
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
        # Both ports are closed: QEMU is gone, or about to go.
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
