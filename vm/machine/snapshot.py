# SPDX-License-Identifier: GPL-2.0
"""Snapshots: guests that have booted, and wait for their orders.

A snapshot is a directory in build/snapshots, whose name is a digest of all that it
depends on: the files that hold the guest's memory, which QEMU maps privately into each
guest that starts from there, so that pages are shared until they are written; and the
state of the devices, as QEMU's migration writes it. What was used least recently goes
when all of them take more than LIMIT_MIB.
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

LIMIT_MIB = 8192

# In each: the state of the devices, and what is locked as long as a run uses it.
STATE, USE = "state", "use"


def key(words: Iterable[str], files: Iterable[Path]) -> str:
    """The name of a snapshot that depends on these.

    A file that is called the same and is as old is the same, wherever it is.
    """
    digest = hashlib.sha256("\0".join(words).encode())
    for file in files:
        there = file.stat()
        digest.update(f"\0{file.name}\0{there.st_size}\0{there.st_mtime_ns}".encode())
    return digest.hexdigest()[:20]


def _size_mib(directory: Path) -> int:
    return sum(file.stat().st_blocks for file in directory.iterdir()) >> 11


class Store:
    """The snapshots in @directory."""

    def __init__(self, directory: Path):
        self.directory = directory
        self._in_use = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._in_use.close()

    def find(self, name: str) -> Path | None:
        """The snapshot called @name, which nobody removes until this store is left."""
        home = self.directory / name
        try:
            use = self._in_use.enter_context((home / USE).open("r+"))
            fcntl.flock(use, fcntl.LOCK_SH | fcntl.LOCK_NB)
            os.utime(home)
        except OSError:         # there is none, or it is being removed
            return None
        return home

    @contextlib.contextmanager
    def make(self, name: str) -> Iterator[Path]:
        """Yields a directory to make it in; afterwards it is there, unless that failed."""
        part = self.directory / f"{name}.{os.getpid()}.part"
        part.mkdir(parents=True)
        try:
            yield part
            (part / USE).touch()
            if not (self.directory / name / USE).exists():
                self.remove(name)       # what an interrupted removal has left
            with contextlib.suppress(OSError):      # another run has just done it
                part.rename(self.directory / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self.tidy()

    def remove(self, name: str) -> None:
        """At once, so that nobody finds a half of it. Guests that started from it go on."""
        away = self.directory / f"{name}.{secrets.token_hex(4)}.{os.getpid()}.part"
        with contextlib.suppress(OSError):      # another run has just done it
            (self.directory / name).rename(away)
            shutil.rmtree(away, ignore_errors=True)

    def tidy(self, limit_mib: int = LIMIT_MIB) -> None:
        """Removes what killed runs have left, and the oldest ones if all are too large."""
        for part in self.directory.glob("*.part"):
            if not Path("/proc", part.suffixes[-2].lstrip(".")).exists():
                shutil.rmtree(part, ignore_errors=True)
        homes = []
        for home in self.directory.iterdir():
            with contextlib.suppress(FileNotFoundError):    # another run has just removed it
                if (home / USE).exists():
                    homes.append((home.stat().st_mtime, _size_mib(home), home))
        total = 0
        for _, size, home in sorted(homes, reverse=True):
            total += size
            if total > limit_mib:
                self._remove_unused(home)

    def _remove_unused(self, home: Path) -> None:
        with contextlib.suppress(OSError), (home / USE).open("r+") as use:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.remove(home.name)
