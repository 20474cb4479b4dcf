# SPDX-License-Identifier: GPL-2.0
"""Runs the suite, or some of it, with random delays in its own system calls (make shake).

    python3 -m check.shake [what run_tests.sh takes]

A failure that does not show without them is a race in the test. SHAKE_SEED=N in the
environment repeats the delays of an earlier run, which printed it, as far as the
scheduler allows.
"""

import random
import sys
from dataclasses import replace

from vm import command
from vm.ask import options, suite
from vm.ask.request import Request
from vm.base import BUILD
from vm.report.text import Report
from vm.run import cli

DIRECTORY = BUILD / "shaken"
PATIENCE = 5        # times as long as without delays


def run(request: Request) -> tuple[int, Report | None]:
    """Exit status and report, as of cli.run()."""
    seed = options.seed("SHAKE_SEED") or str(random.randrange(1, 1 << 32))
    print(f"# SHAKE_SEED={seed}", flush=True)
    command.make("shaken", BUILD / "shake.log")
    request = replace(request.slower(PATIENCE),
                      environment=(*request.environment, f"SHAKE_SEED={seed}"))
    return cli.run(request, the_suite=suite.load(DIRECTORY))


if __name__ == "__main__":
    sys.exit(command.run("shake", lambda: run(options.parse(sys.argv[1:]))[0]))
