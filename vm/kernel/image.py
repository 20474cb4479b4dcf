# SPDX-License-Identifier: GPL-2.0
"""A kernel that can be booted: what it must be configured with, and what a bzImage holds.

See Documentation/arch/x86/boot.rst. Under emulation a guest needs seconds to decompress
its kernel; the host does it once. QEMU starts the result directly, if the kernel has an
entry point for that (CONFIG_PVH).
"""

import re
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..base import ROOT, SOURCE, RunError

# Fragments of configurations: what the tests need, and what the guest needs around them.
FRAGMENTS = (SOURCE / "config", ROOT / "vm/config")
# Begins the part of a fragment without which tests are only skipped.
OPTIONAL = "# Optional"

# Where a bzImage has setup_sects, its magic, kernel_version, payload_offset and _length.
SETUP_SECTS, MAGIC, KERNEL_VERSION, PAYLOAD = 0x1f1, 0x202, 0x20e, 0x248
# How a payload begins, and what unpacks it. Its last four bytes are the unpacked
# size, which is no part of the stream: gzip and zstd unpack all, then complain of it.
DECOMPRESSORS = {
    b"\x1f\x8b": ["gzip", "-dcq"],
    b"\xfd7zXZ": ["xz", "-dcq", "--single-stream"],
    b"\x28\xb5\x2f\xfd": ["zstd", "-dcq"],
}
# ELF note XEN_ELFNOTE_PHYS32_ENTRY: size of name, size of value, type, name.
PVH_ENTRY = re.compile(rb"\x04\0\0\0[\x04\x08]\0\0\0\x12\0\0\0Xen\0")


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted."""

    version: str            # what uname -r will say
    image: Path             # bzImage or, where that boots faster, vmlinux
    modules: list[Path]     # uncompressed, in the order to insert them
    config: Path | None     # its .config, when known
    origin: str             # where it comes from, for people
    lock: IO[str] | None = None     # while this is open, nobody else replaces the image
    orders: tuple[str, ...] = ()    # that make it what it is, for init.c of a new guest

    def missing(self, options: Iterable[str]) -> list[str]:
        """Which of these @options it lacks; none if its .config is not known."""
        if not self.config:
            return []
        enabled = enabled_in(self.config.read_text(encoding="utf-8", errors="replace"))
        return [option for option in options if option not in enabled]


def enabled_in(config: str) -> list[str]:
    return re.findall(r"^(CONFIG_\w+)=[ym]", config, flags=re.M)


def required() -> list[str]:
    """Options without which nothing can be run."""
    return [option for fragment in FRAGMENTS for option in
            enabled_in(fragment.read_text(encoding="utf-8").partition(OPTIONAL)[0])]


def version(image: Path) -> str:
    """What bzImage @image says about itself."""
    try:
        with open(image, "rb") as file:
            head = file.read(0x10400)
    except OSError as error:
        raise RunError(f"cannot read {image} ({error.strerror}): build it, run as root, "
                       "or give another kernel") from error
    if head[MAGIC:MAGIC + 4] == b"HdrS":
        offset = struct.unpack_from("<H", head, KERNEL_VERSION)[0] + 0x200
        found = re.match(rb"\d[!-~]*", head[offset:])
        if found:
            return found[0].decode()
    raise RunError(f"{image} is not an x86 bzImage: give a vmlinuz as distributions "
                   "install it, or arch/x86/boot/bzImage of a kernel tree")


def unpack(image: Path) -> bytes | None:
    """The ELF kernel in bzImage @image; None if it cannot be unpacked, or not be started."""
    data = image.read_bytes()
    start, length = struct.unpack_from("<II", data, PAYLOAD)
    start += (data[SETUP_SECTS] + 1) * 512
    payload = data[start:start + length]
    command = next((c for magic, c in DECOMPRESSORS.items() if payload.startswith(magic)), None)
    if not command:
        return None
    try:
        elf = subprocess.run(command, input=payload, capture_output=True, check=False).stdout
    except FileNotFoundError:
        return None
    whole = len(elf) == struct.unpack("<I", payload[-4:])[0]
    return elf if whole and PVH_ENTRY.search(elf) else None
