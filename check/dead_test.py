# SPDX-License-Identifier: GPL-2.0
"""A filesystem on which everything hangs: its server is stopped while tests run on it."""

import contextlib
import os
import signal
import time
from pathlib import Path
from unittest import mock

from check import ktap
from check.running import Run
from vm.command import Status
from vm.report.results import RUN, Feed
from vm.run import schedule
from vm.run.pool import DEATHS

# Of virtiofs, in the order in which they run; and of a filesystem without a server. None of
# virtiofs is among those of --quick, which would be another chunk.
PASSES, *HANGS, LEFT = (f"waits.virtiofs_{op}_vmsplice.two_pins_one_by_one"
                        for op in ("madv_remove", "truncate", "truncate_path", "zero"))
OTHER = "waits.ext4_punch_vmsplice.two_pins_one_by_one"
# What a filesystem that hangs may cost, more of that on a busy machine, and what the run may
# take besides. Seconds.
COST, BUSY, REST = 90, 60, 120


def stop_servers() -> None:
    """Stops each virtiofs_server that this process has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text(encoding="ascii").partition(" (")[2].rpartition(")")
            if name == "virtiofs_server" and int(rest.split()[1]) == os.getpid():
                os.kill(int(stat.parent.name), signal.SIGSTOP)


class Dead(Run):
    def test_server_that_stops(self):
        """That is noticed, tried again in another guest, and said; other tests lose nothing."""
        feed, stopped = Feed.feed, []

        def feed_and_stop(self: Feed, message: str) -> None:
            feed(self, message)
            run = RUN.match(message.removeprefix("out "))
            if run and run[1] in HANGS and not self.dead:
                stopped.append(time.monotonic())
                stop_servers()

        # In one guest, one after the other.
        with (mock.patch.object(Feed, "feed", feed_and_stop),
              mock.patch.object(schedule, "SHORTEST", 1000)):
            status, out, err = self.run_tests("--jobs", "1", PASSES, *HANGS, LEFT, OTHER,
                                              limit=COST + BUSY + REST)
        self.assertLess(time.monotonic() - stopped[0], COST + BUSY)
        self.assertEqual(status, Status.FAILED, err)
        self.assertEqual(len(HANGS), DEATHS)
        tests = {t.name: t.status for program in ktap.read(self.lines()) for t in program.nested}
        self.assertEqual(tests, {PASSES: "ok", OTHER: "ok", LEFT: "not ok",
                                 **dict.fromkeys(HANGS, "not ok")})
        self.assertRegex(out, r"the testbed had died in 2 guests in a row \(virtiofs: creating a "
                              rf"file does not end, since {HANGS[-1]} has run\) before this test")
