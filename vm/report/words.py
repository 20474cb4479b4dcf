# SPDX-License-Identifier: GPL-2.0
"""What tests and kernels say: broken promises, last words, complaints."""

import re
from dataclasses import dataclass

from .. import arch
from ..machine.guest import End

# What the harness makes of TH_LOG(): "# FILE:LINE:TEST:TEXT".
LOG = re.compile(r"^# [\w./-]+\.[ch]:\d+:\w+:(.*)")
BROKEN = re.compile(r"P(\d+) broken: (.*)")

# What a kernel says when it goes down, the most telling first.
DYING = (r"kernel BUG at \S+", r"BUG: .*", r"Oops: .*", r"general protection fault.*",
         r"Kernel panic - .*")

QUIET = 9       # the promise that the kernel has nothing to complain of

# What comes before a complaint of the kernel's that a test has found.
COMPLAINT = "the kernel says: "
# What differs from run to run in a kernel's words: which process, on which CPU; addresses.
# The console's log has it.
UNSTEADY = ((r", CPU#\d+: \S+/\d+", ""), (r"\bCPU: \d+ (UID: \d+ )?PID: \d+ ", ""),
            (r"(\btask [^:\s]+|\[[^:\s]+):\d+", r"\1"), (r"\bCPU#\d+", "a CPU"),
            (r"\b(0x)?[0-9a-f]{8,16}\b", "..."))


@dataclass(frozen=True)
class Finding:
    """How a kernel breaks a promise."""

    promise: int
    text: str

    def __str__(self):
        return f"P{self.promise} broken: {self.text}"


def logged(line: str) -> Finding | str | None:
    """What TH_LOG() says in @line; None if that is not a line of its."""
    log = LOG.match(line)
    broken = log and BROKEN.match(log[1])
    return Finding(int(broken[1]), broken[2]) if broken else log and log[1]


def steady(words: str) -> str:
    """What a kernel says, so that it says the same in another run."""
    for pattern, instead in UNSTEADY:
        words = re.sub(pattern, instead, words)
    return words


def steady_complaint(line: str) -> str:
    """@line, which a program has printed, with any complaint of the kernel's made steady."""
    before, says, words = line.partition(COMPLAINT)
    return before + says + steady(words)


def dying(console: str) -> re.Match[str] | None:
    """Where the kernel says that it goes down, or that a part of it has."""
    return next((match for pattern in DYING if (match := re.search(pattern, console))), None)


def last_words(end: End, console: str) -> Finding | str:
    """Why a guest ended as it did."""
    if end is End.NOT_BOOTED:
        return end.value
    if match := dying(console):
        where = re.compile(arch.here().oops_at).search(console, match.end())
        return Finding(QUIET, f"{end.value}: {steady(match[0])}"
                       + (f" in {where[1]}" if where else ""))
    return Finding(QUIET, end.value)
