# SPDX-License-Identifier: GPL-2.0
"""What all commands have in common: exit status, interruption, programs they run, locks."""

import argparse
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import IO

from . import errors, supervisor
from .base import BUILD, ROOT, RunError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Status(IntEnum):
    """Exit status of a command."""

    PASSED, FAILED, NOT_RUN, CRASHED, SKIPPED = range(5)


class Parser(argparse.ArgumentParser):
    """An error is a RunError, and the help is the description as it stands."""

    def __init__(self, name: str, text: str):
        super().__init__(prog=name, description=text, allow_abbrev=False)

    def error(self, message):
        raise RunError(f"{message}; see --help")

    def print_help(self, file=None):
        errors.say(self.description)


# Processes that end when the command is interrupted, whichever thread waits for them.
_children: set[subprocess.Popen] = set()
_interrupted = threading.Event()


def _interrupt(*_) -> None:
    for number in SIGNALS:          # but for children, who inherit what is ignored
        signal.signal(number, lambda *_: None)
    _interrupted.set()
    for child in list(_children):
        child.terminate()
    raise KeyboardInterrupt


def run(name: str, body: Callable[[], int]) -> int:
    """Runs the command called @name. Returns its exit status.

    It is what @body returns, or NOT_RUN, after one line that tells why.
    """
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        status = _told(body)
    except RunError as error:
        why = str(error)
    except OSError as error:        # the disk is full, build/ is another user's, ...
        why = errors.explain(error)
    except KeyboardInterrupt:
        why = "interrupted"
    else:
        return status
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _interrupted.clear()            # what this process does next is another matter
    with contextlib.suppress(OSError):      # there is nobody left to tell
        print(f"{name}: {why}", file=sys.stderr)
    return Status.NOT_RUN


def _told(body: Callable[[], int]) -> int:
    """What @body returns, once all that it has printed has been taken."""
    try:
        try:
            status = body()
        except SystemExit as end:           # after the help has been printed
            status = end.code or Status.PASSED
        with errors.about(errors.STDOUT):
            sys.stdout.flush()
        return status
    except OSError as error:
        if error.filename == errors.STDOUT:
            # Python would try again at its end, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise


def die_with_parent() -> None:
    """For subprocess: the program, which starts no others, is killed when this one ends."""
    ctypes.CDLL(None).prctl(supervisor.PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def child(*words: str | Path, remedy: str = "run vm/packages.sh",
          **options) -> Iterator[subprocess.Popen]:
    """Runs a program, which ends with all that it has started when this command does.

    Also if that is killed. @options are those of Popen; @remedy: if it is not installed.
    """
    if not shutil.which(words[0]):
        raise RunError(f"{words[0]} is not installed: {remedy}")
    supervised = [sys.executable, "-ISE", Path(supervisor.__file__).resolve(), str(os.getpid())]
    with subprocess.Popen([*supervised, *words], stdin=subprocess.DEVNULL, **options) as running:
        _children.add(running)
        try:
            if _interrupted.is_set():
                running.terminate()
            yield running
        finally:
            _children.discard(running)
            running.terminate()
            running.wait()          # for long enough: an interrupted wait gives up soon


def logged(*words: str | Path, log: Path) -> None:
    """Runs a program; its output goes to @log. RunError tells the cause if it fails."""
    with log.open("w", encoding="utf-8") as out:
        with child(*words, remedy="run vm/packages.sh kbuild", stdout=out,
                   stderr=subprocess.STDOUT) as running:
            status = running.wait()
    if status:
        why = errors.explain_log(log.read_text(encoding="utf-8", errors="replace").splitlines())
        raise RunError(f"{words[0]} failed: {why} (all of it: {log})")


def lock(file: Path, what: Path) -> IO[str]:
    """Lets no other run use @what until @file, which this returns, is closed."""
    held = file.open("w", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another run that uses {what}", file=sys.stderr)
        fcntl.flock(held, fcntl.LOCK_EX)
    return held


@contextlib.contextmanager
def made(target: str, log: Path) -> Iterator[None]:
    """Makes a @target of the top Makefile, and lets nobody make anything meanwhile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    BUILD.mkdir(exist_ok=True)
    with lock(BUILD / ".make.lock", BUILD):
        # A relative name: that of the checkout may have spaces.
        logged("make", "-C", ROOT, f"BUILD={os.path.relpath(BUILD, ROOT)}", target, log=log)
        yield


def make(target: str, log: Path) -> None:
    """Makes a @target of the top Makefile."""
    with made(target, log):
        pass


def install(*groups: str, allowed: bool = True) -> None:
    """Installs packages that are missing; unless that is @allowed, names them."""
    with child(ROOT / "vm/packages.sh", *groups, *([] if allowed else ["--no-install"]),
               stderr=subprocess.PIPE, text=True) as running:
        said = running.communicate()[1]
    if running.returncode:
        raise RunError(said.strip() or "vm/packages.sh failed")
    sys.stderr.write(said)
