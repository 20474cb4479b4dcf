# SPDX-License-Identifier: GPL-2.0
"""Runs the programs on this machine, and reports on them as a guest's init does."""

import os
import platform
import signal
import subprocess
import threading
from collections.abc import Callable

from ..ask.request import Request
from ..ask.suite import Suite, Test
from ..machine.guest import End

# A program that is asked to end takes down what it has made, mounts and all. One that is
# killed while a child of its sleeps in state D keeps the pipe open for ever.
ENDS = ((signal.SIGTERM, 30), (signal.SIGKILL, 2))


def run(request: Request, the_suite: Suite, chosen: list[Test],
        feed: Callable[[str], None]) -> End:
    """Runs the tests @chosen. Feeds @feed the messages of init.c."""
    environment = os.environ | dict(setting.split("=", 1) for setting in request.environment)
    environment["DAX_BREAK_FS"] = " ".join(sorted({t.fs for t in chosen}))
    if request.pmem:
        environment["DAX_BREAK_PMEM"] = request.pmem
    if request.destructive:
        environment["DAX_BREAK_DESTRUCTIVE"] = "1"
    feed(f"boot {platform.release()}")
    for program in sorted({t.program for t in chosen}):
        feed(f"begin {program}")
        feed(f"end {program} {run_one(the_suite, program, chosen, environment, feed)}")
    feed("done")
    return End.DONE


def run_one(the_suite: Suite, program: str, chosen: list[Test], environment: dict[str, str],
            feed: Callable[[str], None]) -> str:
    """Runs @program within the suite's limit. Returns how it ended, in init.c's words."""
    command = [the_suite.directory / program, *the_suite.arguments(program, chosen)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, env=environment, text=True,
                          errors="replace", start_new_session=True) as running:
        def forward():
            for line in running.stdout:
                feed(f"out {line.rstrip()}")

        reader = threading.Thread(target=forward, daemon=True)
        reader.start()
        try:
            reader.join(the_suite.timeout)
            if reader.is_alive():
                return "timeout"
        finally:
            for number, seconds in ENDS:
                if reader.is_alive():
                    os.killpg(running.pid, number)
                    reader.join(seconds)
        status = running.wait()
    return f"signal {-status}" if status < 0 else str(status)
