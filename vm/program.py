# SPDX-License-Identifier: GPL-2.0
"""A program of the suite's that is no test, in a guest of its own."""

import argparse
from collections.abc import Callable
from pathlib import Path

from . import cli, guest, suite
from .errors import RunError


def run(opts: argparse.Namespace, name: str, orders: list[str], seconds: int, log: Path,
        on_line: Callable[[str], None]) -> int:
    """Runs program @name, as the last of init.c's @orders has it. Returns its exit status.

    Lines of its output go to @on_line, the guest's console to the file @log.
    """
    program = suite.Suite(cli.BUILD / "selftests", [suite.Test(name, f"{name}..")], seconds)
    ends: list[str] = []

    def feed(message: str) -> None:
        if message.startswith("out "):
            on_line(message[4:])
        elif message.startswith("end "):
            ends.append(message.rpartition(" ")[2])

    with cli.run_directory(False) as directory:
        machines = cli.Machines(opts, cli.choose_kernel(opts), program, directory)
        machines.room(1)
        machine = machines.make(name, orders)
        with log.open("wb") as out:
            end = guest.Guest(machine, feed, out.write).run(seconds)
    if end is not guest.End.DONE or not ends or not ends[0].isdigit():
        raise RunError(f"{name} did not end well: {end.value}; see {log}")
    return int(ends[0])
