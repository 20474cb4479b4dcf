# SPDX-License-Identifier: GPL-2.0
"""What the DAX filesystems of a guest are on, emulated persistent memory, and its disks.

The tests know nothing of this. They take memory with labels by the namespace, and
memory without labels by the region, of which there are as many as that may take.
"""

import os
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..base import RunError
from ..errors import about

DEFAULT = "nvdimm"

# Memory with labels: the namespaces of the tests, room for those of runs that hung. MiB.
LABELLED_MIB = 2048
# Memory without: regions, each enough for the largest filesystem, as many as that takes.
REGION_MIB = 320
REGIONS = 4
# An NVDIMM's labels come out of its own memory: a multiple of 16 MiB must be left.
LABEL_MIB = 2

# Of the guest's RAM, with space between: ranges that touch become one region. The kernel
# is before the first, the guest's image at the end of RAM.
MEMMAP_AT_MIB = range(128, 128 + REGIONS * (REGION_MIB + 16), REGION_MIB + 16)


def memory(name: str, mib: int, path: Path, private: bool = False) -> list[str]:
    """QEMU's words for memory called @name in a file, or in a @private copy of it."""
    where = str(path).replace(",", ",,")
    return ["-object", f"memory-backend-file,id={name},size={mib}M,align=2M,"
                       f"share={'off' if private else 'on'},mem-path={where}"]


@dataclass(frozen=True)
class Files:
    """Where the memory of a guest is kept."""

    directory: Path
    private: bool = False       # the guest gets a copy of its own, page by page as it writes

    def memory(self, name: str, mib: int) -> list[str]:
        """QEMU's words for memory called @name."""
        return memory(name, mib, self.directory / f"{name}.img", self.private)


def nvdimm(number: int, files: Files, mib: int, label_mib: int = 0) -> list[str]:
    """With an id: QEMU tells ACPI of NVDIMMs without one in an order of its own."""
    labels = f",label-size={label_mib}M" if label_mib else ""
    return [*files.memory(f"nvdimm{number}", mib + label_mib),
            "-device", f"nvdimm,memdev=nvdimm{number},id=nv{number}{labels}"]


def virtio_pmem(files: Files) -> list[str]:
    return [word for i in range(REGIONS)
            for word in (*files.memory(f"virtio{i}", REGION_MIB),
                         "-device", f"virtio-pmem-pci,memdev=virtio{i}")]


def cxl(files: Files) -> list[str]:
    """A memory device behind a root port of a host bridge, in a window of addresses."""
    return [*files.memory("cxl", LABELLED_MIB), *files.memory("labels", LABEL_MIB),
            "-device", "pxb-cxl,bus_nr=12,bus=pcie.0,id=bridge",
            "-device", "cxl-rp,port=0,bus=bridge,id=rootport,chassis=0,slot=2",
            "-device", "cxl-type3,bus=rootport,persistent-memdev=cxl,lsa=labels,sn=1",
            "-M", "cxl-fmw.0.targets.0=bridge,cxl-fmw.0.size=4G"]


def cxl_region() -> tuple[str, ...]:
    """What "cxl create-region" does, as orders for init.c.

    See Documentation/ABI/testing/sysfs-bus-cxl. Of QEMU's one device, decoder0.0 is the
    window of addresses, and decoder2.0 the first of the device's own.
    """
    devices = "/sys/bus/cxl/devices"
    size = LABELLED_MIB << 20
    return ("await /sys/bus/nd/devices/nmem0",
            f"await {devices}/decoder2.0",
            *(f"write {devices}/{file} {text}" for file, text in (
                ("decoder0.0/create_pmem_region", "region0"),
                ("region0/uuid", "5d8a7c3e-6f0b-4c3b-9f43-0d5e2b7a9c10"),
                ("region0/interleave_granularity", 256),
                ("region0/interleave_ways", 1),
                ("region0/size", size),
                ("decoder2.0/mode", "pmem"),
                ("decoder2.0/dpa_size", size),
                ("region0/target0", "decoder2.0"),
                ("region0/commit", 1))),
            "write /sys/bus/cxl/drivers/cxl_region/bind region0",
            "await /sys/bus/nd/devices/region0")


# The DAX window of virtiofs, with room for all that a test maps, or for less. MiB.
WINDOW_MIB, SMALL_WINDOW_MIB = 64, 8
TAG = "dax_break"


# A device with a DAX window; QEMU's own vhost-user-fs has none.
VIRTIOFS = {"driver": "vhost-user-test-device-pci", "chardev": "server", "virtio-id": 26,
            "num_vqs": 2, "vq_size": 128, "config_size": 40}
# A port into which it can be plugged while the guest runs, with room for its window.
PORT = "spare"


def virtiofs(_: Files) -> list[str]:
    return ["-device", f"pcie-root-port,id={PORT},bus=pcie.0,chassis=1,slot=1,"
                       f"pref64-reserve={4 * WINDOW_MIB}M"]


@dataclass(frozen=True)
class Backend:
    """A kind of memory, and what a guest needs to have it."""

    devices: Callable[[Files], list[str]]   # QEMU's words
    disk_mib: int = 0           # of these files
    memory_mib: int = 0         # of the guest's RAM that becomes persistent memory
    machine: str = ""           # more of QEMU's -machine
    hypervisor: bool = True     # may the guest's kernel see that there is one?
    command_line: str = ""      # more of the kernel's
    orders: tuple[str, ...] = ()            # to init.c, before anything is run
    options: tuple[str, ...] = ()           # of the kernel, beside those of config
    qemu: str = ""              # the oldest QEMU that has it; empty: any has
    filesystems: tuple[str, ...] = ("ext4", "xfs")
    # A device that virtiofs_server serves, which shares the guest's RAM. Neither QEMU's
    # device nor the server can be part of a snapshot: a guest that starts from one gets
    # the device then, and these orders.
    served: dict[str, str | int] | None = None
    plugged: tuple[str, ...] = ()
    snapshot: bool = True       # can there be one?
    snapshot_options: tuple[str, ...] = ()  # of the kernel, without which there can be none


BACKENDS = {
    DEFAULT: Backend(
        lambda files: nvdimm(0, files, LABELLED_MIB, LABEL_MIB),
        disk_mib=LABELLED_MIB + LABEL_MIB, machine=",nvdimm=on"),
    "memmap": Backend(
        lambda files: [],
        memory_mib=REGIONS * REGION_MIB,
        command_line="".join(f" memmap={REGION_MIB}M!{at}M" for at in MEMMAP_AT_MIB),
        options=("CONFIG_X86_PMEM_LEGACY",)),
    "virtio-pmem": Backend(
        # QEMU does not save the device's queue: after that a flush never ends.
        virtio_pmem, disk_mib=REGIONS * REGION_MIB, snapshot=False,
        options=("CONFIG_VIRTIO_PCI", "CONFIG_VIRTIO_PMEM")),
    # A kernel that sees a hypervisor does not flush caches, and then makes no region. QEMU
    # does not save what the guest has made of the decoders.
    "cxl": Backend(
        cxl, disk_mib=LABELLED_MIB + LABEL_MIB, machine=",cxl=on", hypervisor=False,
        orders=cxl_region(), qemu="11.1", snapshot=False,
        options=("CONFIG_CXL_ACPI", "CONFIG_CXL_PCI", "CONFIG_CXL_MEM", "CONFIG_CXL_PMEM",
                 "CONFIG_CXL_REGION")),
    # Not on persistent memory, but on a device and a server.
    "virtiofs": Backend(
        virtiofs, orders=(f"env DAX_BREAK_VIRTIOFS={TAG}",), qemu="11.1",
        options=("CONFIG_VIRTIO_PCI", "CONFIG_VIRTIO_FS", "CONFIG_FUSE_DAX"),
        filesystems=("virtiofs",), served=VIRTIOFS,
        # The third device of its kind, after the disks.
        plugged=("await /sys/bus/virtio/drivers/virtiofs/virtio2",),
        snapshot_options=("CONFIG_HOTPLUG_PCI_ACPI",)),
}


# All that some backend can have.
FILESYSTEMS = tuple(dict.fromkeys(fs for each in BACKENDS.values() for fs in each.filesystems))


def usual(fs: str) -> str:
    """What filesystem @fs is on if nobody says otherwise."""
    return next((name for name, backend in BACKENDS.items() if fs in backend.filesystems),
                DEFAULT)


def parse(text: str) -> tuple[str, ...]:
    """Names of backends, from a list with commas; "all" means all."""
    names = tuple(BACKENDS) if text == "all" else tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in BACKENDS:
            raise RunError(f"unknown backend '{name}': there are {', '.join(BACKENDS)}, and all")
    return names


# Two disks for DMA from them, with the same content, which is never written. One is as
# fast as can be, and one so slow that a block which is freed under DMA has found another
# owner before the data is there. In pages of 4 KiB, which say which one each is
# (lib/race/words.c).
DISK_PAGES = 16384
DISK_TAG = 0xd15c << 48
SLOW_IOPS = 50          # requests per second
# Tells the programs which disks these are.
DISKS_ORDER = "env DAX_BREAK_DISK=/dev/vda /dev/vdb"


def make_disk(path: Path) -> Path:
    """The content, in a file that all guests share."""
    if not path.exists():
        # Of a name of its own: other guests may be about to do the same.
        with about(path), tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as out:
            for page in range(DISK_PAGES):
                out.write(struct.pack("<Q", DISK_TAG | page) * 512)
        os.replace(out.name, path)
    return path


def disks(path: Path) -> list[str]:
    """QEMU's words for both, on the machine's own bus, whatever else it has."""
    return [word for name, limits in (("fast", ""), ("slow", f",throttling.iops-total={SLOW_IOPS}"))
            for word in ("-drive", f"if=none,id={name},format=raw,readonly=on,file={path}{limits}",
                         "-device", f"virtio-blk-pci,drive={name},bus=pcie.0")]
