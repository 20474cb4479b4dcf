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

from .errors import RunError

# Programs of the host that the tests and the shell run in the guest.
HOST_PROGRAMS = ("mkfs.ext4", "e2fsck", "mkfs.xfs", "xfs_repair", "busybox")
# What busybox is called by in the guest's shell.
APPLETS = ("sh", "ls", "cat", "mount", "umount", "dmesg", "ps", "vi", "grep", "df", "rm",
           "mkdir", "sleep", "echo", "poweroff", "lsmod")


class Cpio:
    """Writer of the "newc" format (buffer-format.rst of the kernel documentation)."""

    def __init__(self, out: BinaryIO):
        self.out = out
        self.inode = 0
        self.seen: set[str] = set()

    def _entry(self, name: str, mode: int, data: bytes = b"", rdev: tuple[int, int] = (0, 0)):
        if name in self.seen:
            return
        self.seen.add(name)
        self.inode += 1
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % f for f in fields) + name.encode() + b"\0"
        self.out.write(header + b"\0" * (-len(header) % 4))
        self.out.write(data + b"\0" * (-len(data) % 4))

    def directory(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent:
            self.directory(parent)
        self._entry(path, stat.S_IFDIR | 0o755)

    def _in_parent(self, path: str) -> str:
        path = path.lstrip("/")
        if "/" in path:
            self.directory(path.rpartition("/")[0])
        return path

    def file(self, path: str, data: bytes, mode: int = 0o755) -> None:
        self._entry(self._in_parent(path), stat.S_IFREG | mode, data)

    def symlink(self, path: str, target: str) -> None:
        self._entry(self._in_parent(path), stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, major: int, minor: int) -> None:
        self._entry(self._in_parent(path), stat.S_IFCHR | 0o600, rdev=(major, minor))

    def close(self) -> None:
        self._entry("TRAILER!!!", 0)


def find_program(name: str) -> Path:
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise RunError(f"{name} is missing: see vm/packages.sh --no-install")
    return Path(path)


def libraries(program: Path) -> list[Path]:
    """Shared libraries of @program, its dynamic loader included."""
    ldd = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    found = re.findall(r"(?:=> |^\s+)(/\S+) \(0x", ldd.stdout, flags=re.M)
    lost = re.findall(r"(\S+) => not found", ldd.stdout)
    if lost:
        raise RunError(f"{program} needs {lost[0]}, which is not installed: build it again")
    return [Path(f) for f in found]


def write(image: Path, init: Path, modules: list[Path], programs: list[Path],
          plan: list[str]) -> None:
    """Writes @image. @programs go to /bin; @plan is what init follows (init.c)."""
    insert = [f"insmod /modules/{m.name}" for m in modules]
    host = {name: find_program(name) for name in HOST_PROGRAMS}
    with image.open("wb") as out:
        cpio = Cpio(out)
        for directory in ("proc", "sys", "dev", "tmp", "run", "mnt", "etc"):
            cpio.directory(directory)
        cpio.device("dev/console", 5, 1)
        cpio.file("init", init.read_bytes())
        cpio.file("plan", "".join(f"{line}\n" for line in insert + plan).encode(), 0o644)
        # mkfs and mount(8) look at it; an empty one says "nothing is mounted".
        cpio.symlink("etc/mtab", "/proc/mounts")
        for module in modules:
            cpio.file(f"modules/{module.name}", module.read_bytes(), 0o644)
        for name, path in [*host.items(), *((p.name, p) for p in programs)]:
            cpio.file(f"bin/{name}", path.read_bytes())
            for library in libraries(path):
                cpio.file(str(library), library.read_bytes())
        for applet in APPLETS:
            cpio.symlink(f"bin/{applet}", "busybox")
        cpio.close()
