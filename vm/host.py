# SPDX-License-Identifier: GPL-2.0
"""Runs the programs on this machine, and tells of them as a guest's init does."""

import os
import platform
import subprocess
from collections.abc import Callable

from .guest import End
from .suite import Suite, Test


def run(the_suite: Suite, chosen: list[Test], feed: Callable[[str], None]) -> End:
    """Feeds @feed the messages of init.c."""
    environment = os.environ | {"DAX_BREAK_FS": " ".join(sorted({t.fs for t in chosen}))}
    feed(f"boot {platform.release()}")
    for program in sorted({t.program for t in chosen}):
        feed(f"begin {program}")
        command = [the_suite.directory / program, *the_suite.arguments(program, chosen)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment, text=True,
                              errors="replace") as running:
            for line in running.stdout:
                feed(f"out {line.rstrip()}")
        feed(f"end {program} {running.returncode}")
    feed("done")
    return End.DONE
