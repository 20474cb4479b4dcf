# SPDX-License-Identifier: GPL-2.0
"""Runs a program, and ends it when it is told to, or when its own parent is gone.

    python3 supervisor.py PARENT PROGRAM [ARGUMENT]...

PARENT is the process that has started this one. What ends is all that the program has
started, too: make, for one, leaves compilers behind that know nothing of what became of
it. All of them first get the chance to remove what is half made. Only an installation
is never interrupted, because that would leave the machine's packages in disorder.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# What all descendants get, and the seconds in which they must have ended.
WAYS = ((signal.SIGTERM, 3), (signal.SIGKILL, 3))
LOOK = 0.02             # seconds between two looks at what is left
INSTALLER = "dpkg"


def descendants() -> dict[int, str]:
    """The processes below this one, and their names. Those that have ended do not count."""
    children: dict[int, list[tuple[int, str]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, rest = stat.read_text(errors="replace").rpartition(")")
            state, parent, *_ = rest.split()
            if state != "Z":
                children.setdefault(int(parent), []).append(
                    (int(stat.parent.name), head.partition("(")[2]))
    found: dict[int, str] = {}
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo += [pid for pid, _ in below]
    return found


def reap() -> dict[int, int]:
    """The exit statuses of children that have ended."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])
    return ended


def end_all() -> None:
    """Ends all descendants; make passes on what it gets, so nobody is told twice."""
    for number, seconds in WAYS:
        told: set[int] = set()
        until = time.monotonic() + seconds
        while (left := descendants()) and time.monotonic() < until:
            if INSTALLER in left.values():
                until = time.monotonic() + seconds
            else:
                for pid in left.keys() - told:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                told |= left.keys()
            time.sleep(LOOK)
            reap()


def main(parent: int, words: list[str]) -> int:
    """Returns the exit status of the program; as a shell does if a signal has ended it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    waited = {signal.SIGCHLD, *ENDS}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return 128 + signal.SIGTERM
    child = os.posix_spawnp(words[0], words, os.environ, setsigmask=before - waited,
                            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ))
    while (number := signal.sigwait(waited)) == signal.SIGCHLD:
        if (status := reap().get(child)) is not None:
            return status if status >= 0 else 128 - status
    end_all()
    return 128 + number


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
