# SPDX-License-Identifier: GPL-2.0
"""A machine to emulate: everything that QEMU must be told, and the server beside it."""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import arch
from ..command import die_with_parent
from ..errors import say
from .backend import BACKENDS, DEFAULT, Backend, Files, disks, memory

# How long a server gets to end after QEMU. Seconds.
SERVER_SECONDS = 5

# Expedited: a test that removes a block device waits for several RCU grace periods. And
# neither measures against attacks nor accounts, which nobody needs here: they are dear in an
# emulated guest. What finds errors (watchdogs, checks of lists and copies) stays.
COMMAND_LINE = (" panic=-1 loglevel=6 sysrq_always_enabled rcupdate.rcu_expedited=1 "
                "mitigations=off init_on_alloc=0 randomize_kstack_offset=off lsm= audit=0 psi=0 "
                "cgroup_disable=memory rdinit=/init")
# Tells the tests that this is a guest to be thrown away (lib/testbed/consent.c).
CONSENT = " dax_break.guest=1"

# With a thread for each of its processors, an emulated guest now and then hung or
# crashed while it booted (QEMU 7.2: one boot in fifty); in turns they are as fast.
ACCELERATORS = {"kvm": "kvm", "tcg": "tcg,thread=single"}


@dataclass(frozen=True)
class Machine:
    """A machine that boots @kernel, or goes on from where @state says that one was."""

    kernel: Path
    image: Path
    files: Files            # its memory
    accel: str
    memory_mib: int         # beside its persistent memory
    backend: Backend = BACKENDS[DEFAULT]
    disk: Path | None = None    # what make_disk() made
    consent: bool = True        # to use all of its persistent memory
    qemu: Sequence[str] = ()    # what qemu.at_least() returned, or the machine's own
    ram_in_file: bool = False   # its RAM is in @files, too: what a snapshot takes
    ram: Path | None = None     # ... or in this one, which is the guest's own
    state: Path | None = None   # of a snapshot; that of its devices
    # For a backend that is served: the command of the server, and its log.
    server: Sequence[str] = ()
    server_log: Path = Path(os.devnull)

    def hardware(self) -> list[str]:
        """QEMU's words for it. Snapshots of a machine that differs in one do not fit."""
        backend, here = self.backend, arch.here()
        mib = self.memory_mib + backend.memory_mib
        cpu = "host" if self.accel == "kvm" else here.emulated_cpu
        # The memory of backends counts as memory that is added later.
        return [*(self.qemu or [here.qemu]), "-nodefaults", "-no-user-config", "-no-reboot",
                "-display", "none", "-smp", "2",
                "-accel", ACCELERATORS[self.accel],
                "-cpu", cpu + ("" if backend.hypervisor else here.unvirtualized),
                "-machine", here.machine + backend.machine,
                "-m", f"{mib}M,slots=4,maxmem={mib + 8192}M",
                *backend.devices(self.files), *(disks(self.disk) if self.disk else []),
                *self._ram(mib)]

    def _ram(self, mib: int) -> list[str]:
        """A server maps the guest's RAM, and so must share it."""
        if self.ram:
            words = memory("ram", mib, self.ram)
        elif self.ram_in_file:
            words = self.files.memory("ram", mib)
        elif self.backend.served:
            words = ["-object", f"memory-backend-memfd,id=ram,share=on,size={mib}M"]
        else:
            return []
        return [*words, "-machine", "memory-backend=ram"]

    def kernel_command_line(self) -> str:
        return (arch.here().command_line + COMMAND_LINE + self.backend.command_line
                + (CONSENT if self.consent else ""))

    def command(self) -> list[str]:
        words = self.hardware()
        if self.state:
            return words + ["-incoming", "defer"]
        words += ["-kernel", str(self.kernel), "-initrd", str(self.image),
                  "-append", self.kernel_command_line()]
        if self.backend.served and not self.ram_in_file:
            words += ["-device", ",".join(
                [str(self.backend.served["driver"]), "bus=pcie.0",
                 *(f"{name}={value}" for name, value in self.backend.served.items()
                   if name != "driver")])]
        return words

    @contextlib.contextmanager
    def serving(self) -> Iterator[list[socket.socket]]:
        """Runs the server, if there is one; yields QEMU's end of the socket to it.

        The server ends when QEMU ends or does not start.
        """
        if not self.server:
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
                    server.wait(SERVER_SECONDS)
                except subprocess.TimeoutExpired:
                    server.kill()
                    server.wait()


def shell(machine: Machine) -> int:
    """The guest with its console on this terminal. Returns QEMU's exit status."""
    with machine.serving() as served:
        words = machine.command() + ["-chardev", "stdio,id=console,signal=off",
                                     "-serial", "chardev:console", "-serial", "null"]
        for end in served:
            words += ["-chardev", f"socket,id=server,fd={end.fileno()}"]
        say("# leave the shell to end the guest")
        return subprocess.run(words, preexec_fn=die_with_parent, check=False,
                              pass_fds=[end.fileno() for end in served]).returncode
