# SPDX-License-Identifier: GPL-2.0
"""Runs dax_break_race in a guest: races for longer than the tests do, or one again.

    python3 -m vm.race KERNEL [--seed N] [--time S] [--repeat M] [--fs NAME] ...

KERNEL is what --kernel of run_tests.sh takes; the rest is the program's. Its exit
status is 1 if something was found.
"""

import argparse
import sys

from . import cli, disk, options, program, suite
from .errors import RunError

PROGRAM = "dax_break_race"
FILESYSTEMS = ("ext4", "xfs")
RACES = 6               # of all filesystems
AROUND = 60             # seconds that a race may take beside its time
OUTPUT = cli.BUILD / "race"


def run(kernel: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--fs")
    parser.add_argument("--time", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=1)
    told = parser.parse_known_args(arguments)[0]
    seconds = (told.time + AROUND) * told.repeat * RACES
    plan = [f"env DAX_BREAK_FS={told.fs or ' '.join(FILESYSTEMS)}", disk.ORDER,
            " ".join([f"run {seconds} /bin/{PROGRAM}", *arguments])]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    suite.build(cli.BUILD, OUTPUT / "build.log")
    opts = options.parse(["--kernel", kernel, "--timeout", str(seconds + AROUND)])
    return program.run(opts, PROGRAM, "race", plan, OUTPUT,
                       lambda line: print(line, flush=True))


if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1], sys.argv[2:]))
    except IndexError:
        sys.exit(__doc__)
    except (RunError, OSError) as error:
        print(f"race: {error}", file=sys.stderr)
        sys.exit(cli.NOT_RUN)
