# SPDX-License-Identifier: GPL-2.0
"""Takes the kernel proper out of a bzImage.

Under emulation a guest needs seconds to decompress itself; the host does it
once. QEMU starts the result directly, if the kernel has an entry point for that
(CONFIG_PVH).
"""

import re
import struct
import subprocess
from pathlib import Path

# Documentation/arch/x86/boot.rst: setup_sects, payload_offset and payload_length.
SETUP_SECTS = 0x1f1
PAYLOAD = 0x248
# How a payload begins, and what unpacks it. Its last four bytes are the unpacked
# size and no part of the stream: gzip and zstd write all, then complain of them.
DECOMPRESSORS = {
    b"\x1f\x8b": ["gzip", "-dcq"],
    b"\xfd7zXZ": ["xz", "-dcq", "--single-stream"],
    b"\x28\xb5\x2f\xfd": ["zstd", "-dcq"],
}
# ELF note XEN_ELFNOTE_PHYS32_ENTRY: size of name, size of value, type, name.
PVH_ENTRY = re.compile(rb"\x04\0\0\0[\x04\x08]\0\0\0\x12\0\0\0Xen\0")


def unpack(image: Path) -> bytes | None:
    """The ELF kernel in bzImage @image; None if it cannot be had or not be started."""
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
