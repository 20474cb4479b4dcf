# SPDX-License-Identifier: GPL-2.0
"""What all commands have in common: exit status, errors, interruption, locks, make."""

import argparse
import fcntl
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import IO

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

    def format_help(self):
        return self.description


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
    _interrupted.clear()
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        return body()
    except RunError as error:
        why = str(error)
    except OSError as error:        # the disk is full, build/ is another user's, ...
        why = f"{error.filename or BUILD}: {error.strerror or error}"
    except KeyboardInterrupt:
        why = "interrupted"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    print(f"{name}: {why}", file=sys.stderr)
    return Status.NOT_RUN


def logged(*words: str | Path, log: Path) -> None:
    """Runs a program; its output goes to @log. RunError tells the cause if it fails."""
    with log.open("w", encoding="utf-8") as out:
        try:
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT)
        except FileNotFoundError:
            raise RunError(f"{words[0]} is not installed: run vm/packages.sh kbuild") from None
        with child:
            _children.add(child)
            try:
                if _interrupted.is_set():
                    child.terminate()
                status = child.wait()
            finally:
                _children.discard(child)
                child.terminate()
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or ["?"]
        errors = [line for line in lines if re.search(r"error:|\*\*\* ", line, re.I)]
        raise RunError(f"{words[0]} failed: {(errors or lines[-1:])[0].strip()} (all of it: {log})")


def lock(file: Path, what: Path) -> IO[str]:
    """Lets no other run use @what until @file, which this returns, is closed."""
    held = file.open("w", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another run that uses {what}", file=sys.stderr)
        fcntl.flock(held, fcntl.LOCK_EX)
    return held


def make(target: str, log: Path) -> None:
    """Makes a @target of the top Makefile."""
    log.parent.mkdir(parents=True, exist_ok=True)
    logged("make", "-C", ROOT, f"BUILD={BUILD}", target, log=log)


def install(*groups: str, allowed: bool = True) -> None:
    """Installs packages that are missing; unless that is @allowed, names them."""
    done = subprocess.run([ROOT / "vm/packages.sh", *groups,
                           *([] if allowed else ["--no-install"])],
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RunError(done.stderr.strip() or "vm/packages.sh failed")
    sys.stderr.write(done.stderr)
