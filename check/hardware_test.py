# SPDX-License-Identifier: GPL-2.0
"""A machine with others' data on its persistent memory: nothing of theirs is touched.

DAX_BREAK_KILLS=N	how many runs of each kind to kill at random points (default: 2)
DAX_BREAK_SEED=N	repeats those points
"""

import os
import unittest
from unittest import mock

from vm import command
from vm.ask.request import Request
from vm.kernel import choose
from vm.machine.backend import BACKENDS, LABEL_MIB, LABELLED_MIB, Backend, nvdimm
from vm.base import BUILD
from vm.run import guests

PROGRAMS = ("waits_test", "dax_break_cleanup")
SECONDS_A_KILL = 60     # one of each kind, emulated on a busy machine

# An NVDIMM with labels, and room beside what is on it; one without, which is one
# namespace, whatever is on it.
SOMEBODYS = Backend(
    lambda files: [*nvdimm(0, files, 2 * LABELLED_MIB, LABEL_MIB), *nvdimm(1, files, 128)],
    machine=",nvdimm=on")


class Hardware(unittest.TestCase):
    """The programs of check/hardware in a guest that has not been given away."""

    @classmethod
    def setUpClass(cls):
        command.make("hardware", BUILD / "hardware/build.log")

    def run_in_guest(self, program: str, seconds: int, *environment: str) -> None:
        """Runs @program; fails with all that it had to say, unless all of it passes."""
        request = Request(choose.parse(os.environ.get("DAX_BREAK_KERNEL", "debian")),
                          timeout=seconds + 90)
        plan = [f"env {e}" for e in environment] + [f"run {seconds} /bin/{program}"]
        said: list[str] = []
        with (mock.patch.dict(BACKENDS, somebodys=SOMEBODYS),
              guests.fleet(request, [BUILD / "hardware" / program,
                                     *(BUILD / "selftests" / name for name in PROGRAMS)],
                           BUILD / "hardware") as fleet):
            with fleet.guest(program, "somebodys", testbed=False, consent=False) as guest:
                guest.on_message = said.append
                end = guest.obey(plan)
        text = "\n".join(line.removeprefix("out ") for line in said)
        self.assertIsNone(end, text)
        self.assertIn(f"end {program} 0", said, text)
        print("\n".join(line for line in text.splitlines() if line.startswith("# recorded")))

    def test_consent(self):
        self.run_in_guest("consent_test", 300)

    def test_killed_runs(self):
        kills = int(os.environ.get("DAX_BREAK_KILLS", "2"))
        self.run_in_guest("leftovers_test", 180 + SECONDS_A_KILL * kills,
                          f"DAX_BREAK_KILLS={kills}",
                          f"DAX_BREAK_SEED={os.environ.get('DAX_BREAK_SEED', os.getpid())}")
