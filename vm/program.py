# SPDX-License-Identifier: GPL-2.0
"""A program of the suite's that is no test, in a guest of its own."""

import argparse
from collections.abc import Callable
from pathlib import Path

from .errors import RunError
from .guest import End
from .machines import Machines, run_directory
from .suite import BUILD, Suite, Test


def run(opts: argparse.Namespace, program: str, name: str, orders: list[str], logs: Path,
        on_line: Callable[[str], None]) -> int:
    """Runs @program, as the last of init.c's @orders has it. Returns its exit status.

    Lines of its output go to @on_line. The guest, of that @name, leaves its console in @logs.
    """
    the_suite = Suite(BUILD / "selftests", [Test(program, f"{program}..")], opts.timeout)
    ends: list[str] = []

    def feed(message: str) -> None:
        if message.startswith("out "):
            on_line(message[4:])
        elif message.startswith("end "):
            ends.append(message.rpartition(" ")[2])

    with run_directory(False) as directory:
        machines = Machines(opts, the_suite, directory, logs)
        machines.room(1)
        end = machines.run(name, orders, feed)[0]
    if end is not End.DONE or not ends or not ends[0].isdigit():
        raise RunError(f"{program} did not end well: {end.value}; see {logs}/console.{name}.log")
    return int(ends[0])
