# SPDX-License-Identifier: GPL-2.0
"""Runs the suite, or some of it, with random delays in its own system calls (make shake).

    python3 -m check.shake [what run_tests.sh takes]

A failure that does not show without them is a race in the test.
"""

import argparse
import subprocess
import sys

from vm import cli, options, suite
from vm.errors import RunError
from vm.report import Report
from vm.suite import ROOT

DIRECTORY = cli.BUILD / "shaken"
PATIENCE = 5        # times as long as without delays


def run(args: argparse.Namespace) -> tuple[int, Report]:
    """Exit status and report, as of cli.run()."""
    subprocess.run(["make", "-s", "-C", ROOT, f"BUILD={cli.BUILD}", "shaken"], check=True)
    args.patience *= PATIENCE
    args.timeout *= PATIENCE
    return cli.run(args, the_suite=suite.load(DIRECTORY))


if __name__ == "__main__":
    try:
        sys.exit(run(options.parse(sys.argv[1:]))[0])
    except RunError as error:
        print(f"shake: {error}", file=sys.stderr)
        sys.exit(cli.NOT_RUN)
