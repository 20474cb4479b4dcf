# SPDX-License-Identifier: GPL-2.0
"""How long each test takes, from earlier runs: so that the longest can be started first.

build/durations.json has each test as it was last seen. For a first run there is
vm/durations, a table of fixtures, which this writes anew from that:

    python3 -m vm.ask.durations
"""

import contextlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..base import BUILD, ROOT
from ..command import lock
from ..errors import write_text
from .suite import Suite, Test, load

MEASURED = BUILD / "durations.json"
TABLE = ROOT / "vm/durations"

HEAD = """\
# SPDX-License-Identifier: GPL-2.0
#
# What a test of each fixture takes in an emulated guest: seconds, and those of them that
# it computes. Made by python3 -m vm.ask.durations from what earlier runs have measured.
"""


@dataclass(frozen=True)
class Cost:
    """Seconds that a test takes, and those that it keeps a processor busy."""

    seconds: float
    cpu: float


# Of a test that nobody has seen yet.
UNKNOWN = Cost(0.1, 0.1)


class Durations:
    """What tests cost, by the title of each, or else by fixture and filesystem."""

    def __init__(self, measured: Mapping[str, Cost], table: Mapping[tuple[str, str], Cost]):
        self._measured, self._table = dict(measured), table

    @classmethod
    def read(cls) -> "Durations":
        return cls(_read_measured(), _read_table())

    @classmethod
    def shipped(cls) -> "Durations":
        """Just what is in the repository, which is the same for everybody."""
        return cls({}, _read_table())

    def of(self, test: Test) -> Cost:
        return (self._measured.get(test.title)
                or self._table.get((test.fixture, test.fs)) or UNKNOWN)

    def learn(self, costs: Mapping[str, tuple[float, float]]) -> None:
        """Keeps what tests have cost this time, and what other runs have learnt meanwhile."""
        with lock(MEASURED.with_name(".durations.lock"), MEASURED):
            self._measured |= _read_measured()
            self._measured |= {title: Cost(*cost) for title, cost in costs.items()}
            part = MEASURED.with_suffix(".part")
            write_text(part, json.dumps({title: [round(cost.seconds, 3), round(cost.cpu, 2)]
                                         for title, cost in sorted(self._measured.items())},
                                        indent=0))
            part.rename(MEASURED)

    def table(self, tests: Iterable[Test]) -> str:
        """vm/durations, from the tests that have been measured."""
        costs: dict[tuple[str, str], list[Cost]] = {}
        for test in tests:
            if cost := self._measured.get(test.title):
                costs.setdefault((test.fixture, test.fs), []).append(cost)
        rows = (f"{fixture} {fs} {sum(c.seconds for c in found) / len(found):.3f} "
                f"{sum(c.cpu for c in found) / len(found):.3f}\n"
                for (fixture, fs), found in sorted(costs.items()))
        return HEAD + "".join(rows)


def _read_measured() -> dict[str, Cost]:
    """An unreadable file only makes guesses worse."""
    measured: dict[str, Cost] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        for title, (seconds, cpu) in json.loads(MEASURED.read_text(encoding="utf-8")).items():
            measured[title] = Cost(float(seconds), float(cpu))
    return measured


def _read_table() -> dict[tuple[str, str], Cost]:
    table = {}
    with contextlib.suppress(FileNotFoundError):
        for line in TABLE.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                fixture, fs, seconds, cpu = line.split()
                table[fixture, fs] = Cost(float(seconds), float(cpu))
    return table


def main(suite: Suite) -> None:
    write_text(TABLE, Durations.read().table(suite.tests))


if __name__ == "__main__":
    sys.exit(main(load(BUILD / "selftests")))
