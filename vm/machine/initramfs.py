# SPDX-License-Identifier: GPL-2.0
"""The guest's image: an uncompressed cpio archive, written without any privilege.

It holds init, the kernel modules, the test programs, mkfs and fsck for every
filesystem, busybox for people, and the shared libraries that these are linked with.
"""

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import BinaryIO

from ..base import RunError
from ..errors import about

# Programs of the host that the tests and the shell run in the guest.
HOST_PROGRAMS = ("mkfs.ext4", "e2fsck", "mkfs.xfs", "xfs_repair", "busybox")
# Names of busybox in the guest's shell.
APPLETS = ("sh", "ls", "cat", "mount", "umount", "dmesg", "ps", "vi", "grep", "df", "rm",
           "mkdir", "sleep", "echo", "poweroff", "lsmod")

DIRECTORY, PROGRAM, DATA = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755, stat.S_IFREG | 0o644
SYMLINK, DEVICE = stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o600


class Cpio:
    """Writer of the "newc" format (buffer-format.rst of the kernel documentation)."""

    def __init__(self, out: BinaryIO):
        self.out = out
        self.seen: set[str] = set()

    def add(self, path: str, mode: int, data: bytes = b"", rdev: tuple[int, int] = (0, 0)) -> None:
        """Adds a file of any kind, and the directories it is in, unless it is there already."""
        path = path.lstrip("/")
        if path in self.seen:
            return
        if "/" in path:
            self.add(path.rpartition("/")[0], DIRECTORY)
        self.seen.add(path)
        fields = (len(self.seen), mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(path) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % f for f in fields) + path.encode() + b"\0"
        self.out.write(header + b"\0" * (-len(header) % 4))
        self.out.write(data + b"\0" * (-len(data) % 4))


def libraries(program: Path) -> list[Path]:
    """Shared libraries of @program, its dynamic loader included."""
    ldd = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    found = re.findall(r"(?:=> |^\s+)(/\S+) \(0x", ldd.stdout, flags=re.M)
    lost = re.findall(r"(\S+) => not found", ldd.stdout)
    if lost:
        raise RunError(f"{program} needs {lost[0]}, which is not installed: build it again")
    return [Path(f) for f in found]


def host_program(name: str) -> Path | None:
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    return Path(path) if path else None


def write(image: Path, init: Path, modules: list[Path], programs: list[Path],
          plan: list[str]) -> None:
    """Writes @image. @programs go to /bin; @plan is what init follows (init.c)."""
    insert = [f"insmod /modules/{m.name}" for m in modules]
    host: dict[str, Path] = {}
    for name in HOST_PROGRAMS:
        path = host_program(name)
        if not path:
            raise RunError(f"{name} is missing: see vm/packages.sh --no-install")
        host[name] = path
    with about(image), image.open("wb") as out:
        cpio = Cpio(out)
        for directory in ("proc", "sys", "dev", "tmp", "run", "mnt", "etc"):
            cpio.add(directory, DIRECTORY)
        cpio.add("dev/console", DEVICE, rdev=(5, 1))
        cpio.add("init", PROGRAM, init.read_bytes())
        cpio.add("plan", DATA, "".join(f"{line}\n" for line in insert + plan).encode())
        # mkfs and mount(8) look at it; an empty one says "nothing is mounted".
        cpio.add("etc/mtab", SYMLINK, b"/proc/mounts")
        for module in modules:
            cpio.add(f"modules/{module.name}", DATA, module.read_bytes())
        for name, path in [*host.items(), *((p.name, p) for p in programs)]:
            cpio.add(f"bin/{name}", PROGRAM, path.read_bytes())
            for library in libraries(path):
                cpio.add(str(library), PROGRAM, library.read_bytes())
        for applet in APPLETS:
            cpio.add(f"bin/{applet}", SYMLINK, b"busybox")
        cpio.add("TRAILER!!!", 0)
