# SPDX-License-Identifier: GPL-2.0
"""What to say of an error in one line: its cause, and what to do about it."""

import contextlib
import errno
import os
import pwd
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .base import BUILD, ROOT, SOURCE

STDOUT = "standard output"

# What make and gcc say beside the cause.
NOISE = re.compile(r"make(\[\d+\])?: ((Entering|Leaving) directory|Nothing to be done)"
                   r"|compilation terminated|\s+[|~^]|\s*$")
# That a command has failed, which the lines before it explain.
FAILED = re.compile(r"\*\*\* \[.*\] (Error|Terminated|Killed)|ld returned")
# What tells most comes first.
CAUSES = (r"No space left on device|Disk quota exceeded|Permission denied|Read-only file system",
          r"\berror: ", r"\*\*\* ", r"not found|No such file")


@contextlib.contextmanager
def about(path: Path | str) -> Iterator[None]:
    """An error in here is one of writing @path, unless it names a file itself."""
    try:
        yield
    except OSError as error:
        if not error.filename:
            error.filename = str(path)
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a file anew."""
    with about(path):
        path.write_text(text, encoding="utf-8")


def say(*lines: str) -> None:
    """Prints lines to the standard output, at once."""
    with about(STDOUT):
        print(*lines, sep="\n", flush=True)


def cause(log: Sequence[str]) -> str:
    """The line of a program's output that tells best why it failed."""
    lines = [line for line in log if not NOISE.match(line)]
    telling = [line for line in lines if not FAILED.search(line)]
    found = (line for pattern in CAUSES for line in telling if re.search(pattern, line, re.I))
    return next(found, (telling or lines or ["it said nothing"])[-1]).strip()


def explain(error: OSError) -> str:
    """The file, what is wrong, and what to do about it."""
    path = str(error.filename or BUILD)
    words = f"{path}: {error.strerror or error}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return words + permit(Path(path))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return words + "; make room and run this again"
    return words


def explain_log(log: Sequence[str]) -> str:
    """The cause(), and what to do about it if it is a file below build/."""
    why = cause(log)
    if "ermission denied" not in why:
        return why
    for word in re.findall(r"[^\s'\"\u2018\u2019:]+", why):
        for start in (ROOT, SOURCE):            # where make works
            path = Path(os.path.normpath(start / word))
            if BUILD in path.parents and (remedy := permit(path)):
                return why + remedy
    return why


def permit(path: Path) -> str:
    """How to get permission to write to @path, for the end of a line; empty if that is unknown."""
    places = [place for place in (path, *path.parents) if os.path.exists(place)]
    kept = [place for place in places if not os.access(place, os.W_OK)]
    # All of build/ should be of one user. Of another file it is the next directory that matters.
    within = [place for place in kept if place == BUILD or BUILD in place.parents]
    if not kept:
        return ""
    place = within[-1] if within else kept[0]
    try:
        there = place.stat()
        owner = pwd.getpwuid(there.st_uid).pw_name
    except (OSError, KeyError):
        return f"; {place} must be writable"
    if there.st_uid == os.geteuid():
        return f"; {place} is read-only: chmod u+w it"
    return f"; {place} is {owner}'s: run this as {owner}, or remove that or get it by chown -R"
