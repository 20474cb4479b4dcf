# SPDX-License-Identifier: GPL-2.0
"""A guest that runs: started, given orders and followed, in bounds.

QEMU is connected by socket pairs only, so nothing of it is left in a file
system, and it dies with the runner, whatever kills that.
"""

import contextlib
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from shlex import quote

from .. import arch
from ..base import RunError
from ..command import die_with_parent
from .backend import PORT
from .machine import Machine
from .monitor import Monitor, MonitorError

# From the start of QEMU to the first word of the guest's init. Seconds.
BOOT_LIMIT = 90
# How long a guest that ran out of time gets to show its blocked tasks, and QEMU to end.
LAST_WORDS_SECONDS = 5
# So many characters of an order are sent at once (init/host.c has room for twice as many).
PIECE = 1024


class End(Enum):
    """How a guest ended."""

    DONE = "done"
    NOT_BOOTED = "the guest did not boot"
    CRASHED = "the guest crashed"
    OUT_OF_TIME = "the guest ran out of time"


class Guest:
    """A guest of @machine, its two serial ports and its monitor.

    Lines of its channel (init.c) go to @on_message, what its kernel prints to @on_console.
    It gets @seconds to boot, and for what it is told to do at once. One thread at a time may use it, but for kill().
    """

    def __init__(self, machine: Machine, seconds: float, on_message: Callable[[str], None],
                 on_console: Callable[[bytes], None]):
        self.machine, self.on_message, self.on_console = machine, on_message, on_console
        self.booted = machine.state is not None
        self.waiting = self.booted      # for an order
        self.soiled = False             # something of an earlier order may disturb the next
        self.end: End | None = None     # None: it runs
        self._done = False
        self._rest = b""
        self.killed = False
        self._stack = contextlib.ExitStack()
        self._start = time.monotonic()
        self._seconds = self._limit = seconds
        with contextlib.ExitStack() as stack:
            self._launch(stack)
            self._stack = stack.pop_all()

    def _launch(self, stack: contextlib.ExitStack) -> None:
        served = stack.enter_context(self.machine.serving())
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)))
        for end in (*ours, *theirs):
            stack.enter_context(end)
        console, channel, monitor = ours
        theirs += tuple(served)
        words = self.machine.command()
        for name, end in zip(("console", "channel", "monitor", "server"), theirs):
            words += ["-chardev", f"socket,id={name},fd={end.fileno()}"]
        words += ["-serial", "chardev:console", "-serial", "chardev:channel",
                  "-mon", "chardev=monitor,mode=control"]
        try:
            self._qemu = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, pass_fds=[s.fileno() for s in theirs],
                preexec_fn=die_with_parent)
        except FileNotFoundError as error:
            raise RunError(f"{words[0]} is missing: install {arch.here().qemu_package}") from error
        stack.enter_context(self._qemu)
        stack.callback(self._qemu.kill)
        for end in theirs:
            end.close()
        self.monitor = Monitor(monitor)
        self._console, self._wire = console, channel
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self._selector.register(console, selectors.EVENT_READ, self.on_console)
        self._selector.register(channel, selectors.EVENT_READ, self._hear)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Ends QEMU and the server."""
        self._stack.close()

    def kill(self) -> None:
        """Ends the guest; for other threads than the one that uses it."""
        self.killed = True
        self._qemu.kill()

    @property
    def pid(self) -> int:
        return self._qemu.pid

    def ready(self) -> End | None:
        """Follows it until it waits for an order. Returns how it ended, None: it did not."""
        return self._follow(lambda: self.waiting)

    def obey(self, orders: Iterable[str], enough: Callable[[], bool] = lambda: False,
             seconds: float = 0) -> End | None:
        """Gives it @orders, and follows it until it has carried them out, or did @enough.

        Its time starts anew; it has at most @seconds, if given.
        """
        self._start = time.monotonic()
        self._limit = min(self._seconds, seconds or self._seconds)
        for order in orders:
            pieces = [order[at:at + PIECE] for at in range(0, len(order), PIECE)]
            for number, piece in enumerate(pieces, 1):
                self.waiting = False
                text = piece + ("\n" if number == len(pieces) else "\\\n")
                try:
                    self._wire.sendall(text.encode())
                except OSError:         # it is gone, which is seen next
                    pass
                if self._follow(lambda: self.waiting or enough()) or enough():
                    return self.end
        return None

    def _follow(self, until: Callable[[], bool]) -> End | None:
        while not self.end and not until():
            limit = self._limit if self.booted else min(self._limit, BOOT_LIMIT)
            left = self._start + limit - time.monotonic()
            if left <= 0:
                self.end = End.OUT_OF_TIME if self.booted else End.NOT_BOOTED
                if self.booted:
                    self._last_words()
            elif self._selector.get_map():
                self._pump(left)
            else:
                self.end = self._ended()
        return self.end

    def _ended(self) -> End:
        """Both ports are closed: QEMU is gone, or about to go."""
        try:
            errors = self._qemu.communicate(timeout=LAST_WORDS_SECONDS)[1]
        except subprocess.TimeoutExpired:
            self._qemu.kill()
            errors = self._qemu.communicate()[1]
        if self._qemu.returncode and not self.booted and not self.killed:
            lines = errors.decode(errors="replace").strip().splitlines()
            raise RunError(f"QEMU failed: {lines[-1] if lines else self._qemu.returncode}")
        if not self.booted:
            return End.NOT_BOOTED
        return End.DONE if self._done else End.CRASHED

    def _pump(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            try:
                data = key.fileobj.recv(65536)
            except ConnectionResetError:    # QEMU went without reading what we sent
                data = b""
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)

    def _hear(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            self.booted |= text.startswith("boot ")
            self._done |= text == "done"
            self.soiled |= text.startswith("left ")
            if text == "next":
                self.waiting = True
            else:
                self.on_message(text)

    def _last_words(self) -> None:
        """Asks the kernel for blocked tasks: break, then w, on its console (sysrq)."""
        try:
            self.monitor.execute("chardev-send-break", id="console")
            self._console.sendall(b"w")
        except (MonitorError, OSError):
            return
        until = time.monotonic() + LAST_WORDS_SECONDS
        while self._selector.get_map() and time.monotonic() < until:
            self._pump(max(0.0, until - time.monotonic()))

    def plug(self) -> None:
        """Gives a guest that runs the device that its machine's server serves."""
        self.monitor.execute("device_add", bus=PORT, **self.machine.backend.served)

    def load(self, state: Path) -> None:
        """Lets it go on from @state."""
        self.monitor.migrate("migrate-incoming", f"exec:cat {quote(str(state))}", ("running",))

    def save(self, state: Path) -> None:
        """Writes its state. It does not run any more then."""
        self.monitor.migrate("migrate", f"exec:cat > {quote(str(state))}", ("postmigrate",))
