# SPDX-License-Identifier: GPL-2.0
"""What is kept of each run of run_tests.sh: a directory below build/runs.

It is called by the time at which the run began, and by the kernel as soon as that is
known: 2026-11-27T08-30-00Z-7.3.4. build/last-run is a link to the one that began last,
so it is there from the start, whatever becomes of the run. One that came to no kernel
is kept until the next run only, so that slips do not displace results.

A run locks its own directory as long as it lives; what is locked is not removed. The
lock of them all is held while names change.
"""

import contextlib
import fcntl
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..base import BUILD, ROOT
from ..command import lock
from ..errors import about, explain, write_text
from ..kernel.image import Kernel

RUNS = BUILD / "runs"
LAST_RUN = BUILD / "last-run"

STAMP = "%Y-%m-%dT%H-%M-%SZ"
# Its parts: the time, a number if that is not the first then, and the kernel. A directory
# of any other name is somebody's who wants to keep it.
NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)(?:\.(\d+))?(?:-(.+))?")
# What decides on a run beside its command.
ENVIRONMENT = ("KDIR", "DAX_BREAK_SEED", "DEBIAN_MIRROR", "SHAKE_SEED")


class Kept:
    """The @directory of this run. Its name changes once."""

    def __init__(self, runs: Path, last: Path | None) -> None:
        self._runs, self._last = runs, last
        self.directory = _fresh(runs)
        self._held = os.open(self.directory, os.O_RDONLY)
        fcntl.flock(self._held, fcntl.LOCK_SH)
        if last:
            _point(last, self.directory)

    def write(self, name: str, text: str) -> None:
        write_text(self.directory / name, text)

    def name(self, version: str, kernel: Kernel | None = None) -> None:
        """It is about a kernel of this @version; unless that runs already, about @kernel."""
        with _all_locked(self._runs):
            before = self.directory
            self.directory = before.with_name(
                f"{before.name}-{re.sub(r'[^A-Za-z0-9.+~_-]', '_', version)}")
            before.rename(self.directory)
            if self._last and os.path.islink(self._last) \
                    and os.readlink(self._last) == _relative(self._last, before):
                _point(self._last, self.directory)
        about_kernel = f"{version} ({kernel.origin})" if kernel else version
        self.write("versions", f"kernel: {about_kernel}\nsuite: {suite_version()}\n"
                               f"python: {platform.python_version()}\nhost: {platform.release()}\n")
        if kernel and kernel.config:
            with about(self.directory / "config"):
                shutil.copyfile(kernel.config, self.directory / "config")

    def add_version(self, what: str, version: str) -> None:
        with about(self.directory / "versions"), (self.directory / "versions").open("a") as out:
            out.write(f"{what}: {version}\n")

    def close(self) -> None:
        os.close(self._held)


@contextlib.contextmanager
def keep(many: int, *, passing: bool = False, runs: Path = RUNS,
         last: Path = LAST_RUN) -> Iterator[Kept]:
    """The directory of a run that begins; so @many are kept in all. @passing: unless it fails."""
    with about(runs):
        runs.mkdir(parents=True, exist_ok=True)
        with _all_locked(runs):
            if last.is_dir() and not last.is_symlink():     # of before there were several
                last.rename(runs / (_stamp(last.stat().st_mtime) + "-unknown"))
            ours = Kept(runs, None if passing else last)
            _tidy(runs, many - (not passing), last.resolve())
    try:
        ours.write("command", command())
        yield ours
        if passing:
            shutil.rmtree(ours.directory, ignore_errors=True)
    finally:
        ours.close()


def command() -> str:
    """What a shell takes to do the same again."""
    settings = [f"{name}={shlex.quote(os.environ[name])}" for name in ENVIRONMENT
                if os.environ.get(name)]
    return " ".join(["cd", shlex.quote(os.getcwd()), "&&", *settings,
                     shlex.quote(str(ROOT / "run_tests.sh")), shlex.join(sys.argv[1:])]) + "\n"


def suite_version() -> str:
    """The commit of this checkout, marked if it has changed since."""
    if not (ROOT / ".git").exists():
        return "unknown, this is no git checkout"
    try:
        done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty",
                               "--abbrev=40", "--exclude=*"], capture_output=True, text=True,
                              check=False)
    except FileNotFoundError:
        return "unknown, git is not installed"
    return done.stdout.strip() or f"unknown, {' '.join(done.stderr.split())}"


@contextlib.contextmanager
def _all_locked(runs: Path) -> Iterator[None]:
    with lock(runs / ".lock", runs):
        yield


def _stamp(seconds: float) -> str:
    return time.strftime(STAMP, time.gmtime(seconds))


def _fresh(runs: Path) -> Path:
    """A new directory, for the time that it is now."""
    stamp, number = _stamp(time.time()), 1
    taken = [entry.name for entry in runs.iterdir()]
    name = stamp
    while any(other == name or other.startswith(f"{name}-") for other in taken):
        number += 1
        name = f"{stamp}.{number}"
    (runs / name).mkdir()
    return runs / name


def _relative(link: Path, target: Path) -> str:
    return os.path.relpath(target, link.parent)


def _point(link: Path, target: Path) -> None:
    """Makes @link one to @target, so that there always is one."""
    part = link.with_name(f"{link.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    part.symlink_to(_relative(link, target))
    part.rename(link)


def _tidy(runs: Path, many: int, last: Path) -> None:
    """Removes what came to no kernel, and the oldest but @many of the others, if they are over."""
    named = []
    for entry in runs.iterdir():
        if parts := NAME.fullmatch(entry.name):
            if parts[3]:
                named.append((parts[1], int(parts[2] or 1), entry))
            elif entry != last:
                _remove(entry)
    for *_, entry in sorted(named)[:max(len(named) - many, 0)]:
        _remove(entry)


def _remove(directory: Path) -> bool:
    """Removes a run, unless that goes on."""
    try:
        held = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory)
        finally:
            os.close(held)
    except BlockingIOError:
        return False
    except OSError as error:        # it may name a file in there without saying where that is
        error.filename = directory
        print(f"an old run stays: {explain(error)}", file=sys.stderr)
        return False
    return True
