# SPDX-License-Identifier: GPL-2.0
"""Runs dax_break_race in a guest: races for longer than the tests do, or one again.

    python3 -m vm.run.race KERNEL [OPTION]...

KERNEL is what --kernel of run_tests.sh takes; dax_break_race.c explains the rest. The
exit status is 1 if something was found, 4 if there was no race.
"""

import sys

from .. import command
from ..ask.request import Request
from ..base import BUILD
from ..kernel import choose
from ..machine.backend import BACKENDS, DEFAULT, FILESYSTEMS
from ..report import watch
from . import guests

PROGRAM = "dax_break_race"
MIXES = 4               # of operations, at most, for a filesystem
AROUND = 60             # seconds that a race may take beside its time
OUTPUT = BUILD / "race"


def run(argv: list[str]) -> int:
    parser = command.Parser("race", __doc__)
    parser.add_argument("kernel", type=choose.parse)
    parser.add_argument("--fs", choices=FILESYSTEMS)
    parser.add_argument("--time", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--go-on", action="store_true")
    parser.add_argument("--ops")
    parser.add_argument("--delay")
    told = parser.parse_args(argv)
    filesystems = [told.fs] if told.fs else BACKENDS[DEFAULT].filesystems
    seconds = (told.time + AROUND) * told.repeat * len(filesystems) * MIXES
    request = Request(kernel=told.kernel, timeout=seconds + AROUND)
    command.make("programs", OUTPUT / "build.log")
    orders = [f"env DAX_BREAK_FS={' '.join(filesystems)}",
              " ".join([f"run {seconds} /bin/{PROGRAM}", *argv[1:]])]
    with watch.open(sys.stdout) as view:
        view.step("racing")
        return guests.run_program(request, "race", PROGRAM, orders, OUTPUT, view.message)


if __name__ == "__main__":
    sys.exit(command.run("race", lambda: run(sys.argv[1:])))
