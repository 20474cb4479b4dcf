# SPDX-License-Identifier: GPL-2.0
"""The modules that a guest's kernel needs.

Of thousands of modules the tests need a handful. These and all that they depend on
are collected, uncompressed, and in the order in which they are to be inserted.
"""

import os
import re
import struct
import subprocess
from pathlib import Path

from ..base import RunError
from ..errors import about

# What to insert, in this order where dependencies leave a choice. A module that is
# built in, or that the kernel does not have, is left out: its configuration tells
# whether a kernel can do what it must.
MODULES = {
    "crc32c_generic": "checksums of ext4 and XFS, in older kernels",
    "nfit": "an emulated NVDIMM",
    "nd_e820": "memory that memmap= takes",
    "virtio_pci": "devices of the hypervisor",
    "virtio_pmem": "persistent memory of the hypervisor",
    "cxl_acpi": "CXL memory: the window of addresses",
    "cxl_port": "CXL memory: the way to the device",
    "cxl_pci": "CXL memory: the device",
    "cxl_mem": "CXL memory: what is on it",
    "cxl_pmem": "CXL memory: as an NVDIMM",
    "nd_pmem": "a block device on persistent memory",
    "ext4": "file system under test",
    "xfs": "file system under test",
    "ublk_drv": "a block device whose requests the tests hold",
    "fuse": "a file whose requests the tests hold",
    "virtio_blk": "a disk that is read from, by DMA",
}

UNPACK = {".ko": ["cat"], ".gz": ["gzip", "-dc"], ".xz": ["xz", "-dc"], ".zst": ["zstd", "-dcq"]}

def _available(directory: Path) -> dict[str, Path]:
    """By name, the modules in a kernel tree (listed in modules.order) or installed."""
    if (directory / ".config").is_file():
        order = directory / "modules.order"
        lines = order.read_text().split() if order.is_file() else []
        files = [(directory / line.removeprefix("kernel/")).with_suffix(".ko") for line in lines]
    else:
        files = [file for file in directory.rglob("*.ko*") if file.suffix in UNPACK]
    return {file.name.partition(".")[0].replace("-", "_"): file for file in files}


def collect(directory: Path, version: str, dest: Path) -> list[Path]:
    """Puts the modules that are needed into @dest. Returns them in order."""
    available = _available(directory)
    ordered: list[Path] = []
    seen: set[str] = set()

    def add(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        data = _read_module(available[name])
        try:
            info = _modinfo(data)
        except (struct.error, IndexError):
            raise RunError(f"{available[name]} is not a module of an x86-64 kernel: "
                           "build or fetch it again") from None
        built_for = info.get("vermagic", [version])[0].split()[0]
        if built_for != version:
            raise RunError(f"{available[name]} is for kernel {built_for}, not {version}: "
                           "take image and modules from one build")
        for wanted in re.findall(r"\w+", " ".join(info.get("depends", [])).replace("-", "_")):
            if wanted not in available:
                raise RunError(f"no module {wanted} in {directory}, and {name} depends on it: "
                               "put all modules of the kernel there")
            add(wanted)
        for softdep in info.get("softdep", []):
            for wanted in softdep.partition("post:")[0].replace("-", "_").split():
                if wanted in available:
                    add(wanted)
        # Renamed into place because another run may be reading the old one.
        part = dest / f".{name}.{os.getpid()}"
        with about(part):
            part.write_bytes(data)
        ordered.append(part.rename(dest / f"{name}.ko"))

    dest.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        if name in available:
            add(name)
    return ordered


def _read_module(file: Path) -> bytes:
    """A module's contents, uncompressed."""
    if not file.is_file():
        raise RunError(f"no {file}: build the modules (make modules) first")
    unpack = UNPACK[file.suffix]
    try:
        return subprocess.run([*unpack, file], check=True, capture_output=True).stdout
    except FileNotFoundError:
        raise RunError(f"{file} is compressed: apt-get install {unpack[0]}") from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.decode().split())
        raise RunError(f"cannot unpack {said or file}: build or fetch it again") from None


def _modinfo(data: bytes) -> dict[str, list[str]]:
    """A module's .modinfo section (of a 64-bit ELF file): the values of each key."""
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3a)
    sections = [struct.unpack_from("<I20xQQ", data, table + i * size) for i in range(count)]
    info: dict[str, list[str]] = {}
    for name, offset, length in sections:
        if data.startswith(b".modinfo\0", sections[names][1] + name):
            for entry in data[offset:offset + length].decode(errors="replace").split("\0"):
                key, _, value = entry.partition("=")
                info.setdefault(key, []).append(value)
    return info
