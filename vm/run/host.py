# SPDX-License-Identifier: GPL-2.0
"""Runs the programs on this machine, with messages as a guest's init sends them."""

import os
import platform
import signal
import subprocess
import threading
from collections.abc import Callable

from ..ask.request import Request
from ..ask.suite import Suite, Test
from ..report.results import Feed, Results
from ..report.watch import Watch

# A program that is asked to end takes down what it has made, mounts and all. One that is
# killed while a child of its sleeps in state D keeps the pipe open for ever.
ENDS = ((signal.SIGTERM, 30), (signal.SIGKILL, 2))


def run(request: Request, the_suite: Suite, results: Results, view: Watch) -> None:
    """Runs all tests of @results, program by program."""
    environment = os.environ | dict(setting.split("=", 1) for setting in request.environment)
    if request.pmem:
        environment["DAX_BREAK_PMEM"] = request.pmem
    if request.destructive:
        environment["DAX_BREAK_DESTRUCTIVE"] = "1"
    results.kernel = platform.release()
    dead: dict[str, Feed] = {}      # by filesystem: the one that died
    for group in results.groups.values():
        tests = [case.test for case in group.cases]
        program, fs = tests[0].program, tests[0].fs
        feed = Feed(results, tests, on_run=lambda name: view.doing("host", name))
        environment["DAX_BREAK_FS"] = fs
        # There is no other machine for the rest.
        if fs in dead:
            feed.dead, feed.killer = dead[fs].dead, dead[fs].killer
        else:
            status = run_one(the_suite, program, tests, environment, feed.feed)
            feed.feed(f"end {program} {status}")
        for case in feed.finish(""):
            feed.give_up(case, f"the testbed had died ({feed.dead})" if feed.dead else
                         f"{program} has ended early")
        if feed.dead:
            dead[fs] = feed


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
