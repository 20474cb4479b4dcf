# SPDX-License-Identifier: GPL-2.0
"""How bad a broken promise is for those who rely on it."""

from collections.abc import Iterable
from enum import IntEnum

from ..machine.guest import End
from .results import Case
from .words import Finding


class Harm(IntEnum):
    """What a bug does to its victims, the worst first."""

    CRASHES, CORRUPTS, HANGS, DOES_NOT_YIELD, OTHER = range(5)

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


# By promise that is broken, unless that was the end of the guest.
HARM = {
    1: Harm.CORRUPTS,       # waits: blocks are another file's while DMA goes to them
    2: Harm.HANGS,          # wakes
    3: Harm.DOES_NOT_YIELD, # yields: signals and other work
    4: Harm.OTHER,          # precise
    5: Harm.CORRUPTS,       # loses nothing
    6: Harm.CORRUPTS,       # frozen clones
    7: Harm.HANGS,          # no long-term pins: operations would wait for ever
    8: Harm.HANGS,          # end of life: what frees blocks too early breaks 1 as well
    9: Harm.OTHER,          # quiet kernel
}

ENDS = {End.CRASHED.value: Harm.CRASHES, End.OUT_OF_TIME.value: Harm.HANGS}


def harm(cases: Iterable[Case]) -> Harm:
    """The worst that the failures @cases show."""

    def of(reason: Finding | str) -> Harm:
        if not isinstance(reason, Finding):
            return Harm.OTHER
        end = reason.text.partition(":")[0]
        return ENDS.get(end, HARM.get(reason.promise, Harm.OTHER))

    return min((of(reason) for case in cases for reason in case.reasons), default=Harm.OTHER)
