# SPDX-License-Identifier: GPL-2.0
"""The smallest selection of tests that catches nearly all defects: the table vm/quick."""

import math
from collections.abc import Callable, Mapping

from ..ask import quick
from ..ask.durations import Durations
from ..ask.suite import Test
from ..errors import write_text
from .hunt import Reference
from .schedule import GUEST_SECONDS, PROGRAM_SECONDS

SHARE = 0.95            # of all defects must be caught

HEAD = """\
# SPDX-License-Identifier: GPL-2.0
#
# The smallest selection of tests found that catches {caught} of {all} defects. Made by make
# defects from what each of defects/ makes fail. By the durations known they
# take {seconds:.0f} s of emulated guests; in guests that have just started they take longer.

"""


def cover(failing: Mapping[str, set[str]], cost: Callable[[str], float],
          start: Callable[[str], tuple[str, float]], share: float = SHARE) -> list[str]:
    """Names of tests which catch that share of the defects, at a small cost.

    @failing: by defect, the tests that it makes fail. @cost: seconds of a test. @start: what
    has to be started for it, and how many seconds that takes.
    """
    wanted = math.ceil(share * len(failing))
    chosen: list[str] = []
    caught: set[str] = set()
    tests = sorted(set().union(*failing.values()))
    while len(caught) < wanted:
        started = {start(test)[0] for test in chosen}

        def worth(test: str) -> float:
            more = sum(test in tests for name, tests in failing.items() if name not in caught)
            what, seconds = start(test)
            return more / (cost(test) + (0 if what in started else seconds))

        best = max(tests, key=worth, default="")
        if not best or not worth(best):
            break
        chosen.append(best)
        caught |= {name for name, tests in failing.items() if best in tests}
    # What was chosen early may be caught by what came later as well.
    for test in sorted(chosen, key=cost, reverse=True):
        rest = set(chosen) - {test}
        if sum(bool(rest & tests) for tests in failing.values()) >= min(wanted, len(caught)):
            chosen.remove(test)
    return chosen


def write_quick(reference: Reference, failing: Mapping[str, list[str]]) -> None:
    """Writes vm/quick from the tests that each defect makes fail, of those that pass without."""
    by_name: dict[str, Test] = {t.name: t for t in reference.suite.tests}
    useful = {name: {t for t in tests if t in by_name and not by_name[t].final
                     and reference.passes(by_name[t])}
              for name, tests in failing.items()}

    durations = Durations.shipped()

    def cost(name: str) -> float:
        return durations.of(by_name[name]).seconds

    def start(name: str) -> tuple[str, float]:
        if by_name[name].alone:
            return name, GUEST_SECONDS + PROGRAM_SECONDS
        return by_name[name].group, PROGRAM_SECONDS

    chosen = cover(useful, cost, start)
    caught = sum(bool(tests & set(chosen)) for tests in useful.values())
    seconds = sum(map(cost, chosen)) + sum(dict(map(start, chosen)).values())
    order = [t.name for t in reference.suite.tests if t.name in chosen]
    write_text(quick.TABLE, HEAD.format(caught=caught, all=len(failing), seconds=seconds)
               + "".join(f"{name}\n" for name in order))
