# SPDX-License-Identifier: GPL-2.0
"""Disks of a guest, for DMA from them: two, of the same content, which nobody writes to.

One is as fast as can be, and one so slow that a block which is freed under DMA has found
another owner before the data is there.
"""

import os
import struct
import tempfile
from pathlib import Path

# In pages of 4 KiB, each of which says which one it is (lib/race_log.c).
PAGES = 16384
TAG = 0xd15c << 48
SLOW_IOPS = 50          # requests per second

# To the programs: which disks these are.
ORDER = "env DAX_BREAK_DISK=/dev/vda /dev/vdb"


def make(path: Path) -> Path:
    """The content, in a file that all guests share."""
    if not path.exists():
        # Of a name of its own: other guests may be about to do the same.
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
            for page in range(PAGES):
                out.write(struct.pack("<Q", TAG | page) * 512)
        os.replace(out.name, path)
    return path


def devices(path: Path) -> list[str]:
    """QEMU's words for both, on the machine's own bus, whatever else it has (backend.py)."""
    return [word for name, limits in (("fast", ""), ("slow", f",throttling.iops-total={SLOW_IOPS}"))
            for word in ("-drive", f"if=none,id={name},format=raw,readonly=on,file={path}{limits}",
                         "-device", f"virtio-blk-pci,drive={name},bus=pcie.0")]
