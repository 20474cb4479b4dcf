# SPDX-License-Identifier: GPL-2.0
"""What differs from one processor architecture to another. A new one is an entry below.

Beside this, kernel/image.py reads the bzImage format, and init/host.c names the serial ports.
"""

import functools
import platform
from dataclasses import dataclass

from .base import RunError


@dataclass(frozen=True)
class Arch:
    """An architecture: of the host, of its guests and of their kernels."""

    qemu: str                   # the program
    qemu_package: str           # Debian's package of it
    machine: str                # its -machine
    emulated_cpu: str           # its -cpu without KVM
    unvirtualized: str          # more of its -cpu: the guest is not to see a hypervisor
    command_line: str           # of the kernel: its console, and what emulation needs
    loader: str                 # the dynamic loader, in a Debian package
    libraries: str              # the directory of libraries there
    firmware: tuple[str, ...]   # the directories of QEMU's firmware there
    flavour: str                # of Debian's kernels: the generic one, not cloud or rt
    boot_image: str             # in a kernel tree
    oops_at: str                # regular expression: in an oops, where the kernel was
    virtualization: str         # regular expression: a line of cpuinfo that promises KVM
    trial_rom: bytes            # a BIOS that ends QEMU at once ...
    trial_device: str           # ... by this device ...
    trial_status: int           # ... with this exit status


ARCHITECTURES = {
    "x86_64": Arch(
        qemu="qemu-system-x86_64",
        qemu_package="qemu-system-x86",
        machine="q35",
        # The emulator copies strings byte by byte if the kernel takes that for fast, and
        # looks through a page table more if there is a fifth level.
        emulated_cpu="max,erms=off,fsrm=off,la57=off",
        unvirtualized=",hypervisor=off",
        # A guest that gets too little of a busy host takes its timer for broken.
        command_line="console=ttyS0 no_timer_check",
        loader="usr/lib64/ld-linux-x86-64.so.2",
        libraries="usr/lib/x86_64-linux-gnu",
        firmware=("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"),
        flavour="amd64",
        boot_image="arch/x86/boot/bzImage",
        oops_at=r"RIP: 0010:(\S+)",
        virtualization=r"^flags\s*:.*\b(vmx|svm)\b",
        # At the reset vector, 16 bytes before its end: mov $0xf4, %dx; mov $0x10, %al;
        # out %al, %dx; hlt. The status is value << 1 | 1.
        trial_rom=b"\xf4" * (0x10000 - 16) + b"\xba\xf4\0\xb0\x10\xee\xf4".ljust(16, b"\xf4"),
        trial_device="isa-debug-exit,iobase=0xf4,iosize=0x04",
        trial_status=0x10 << 1 | 1),
}


@functools.cache
def here() -> Arch:
    """This machine's architecture."""
    name = platform.machine()
    if name not in ARCHITECTURES:
        raise RunError(f"no guest can be run on {name}, only on {', '.join(ARCHITECTURES)}; "
                       "--host needs none")
    return ARCHITECTURES[name]
